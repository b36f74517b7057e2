"""A panel in a frame, as below a notebook's cell: as high as what it shows, also where the cell is narrow."""

import pytest

from rlhf_kit.studio.inline import FITS
from rlhf_kit.studio.words import Words

ASKED = "() => document.querySelector('#own').getBoundingClientRect().height"


@pytest.fixture
def cell(browser):
    """cell(address, width) -> a page of another origin with that address in a frame, 620 px high until it says more."""
    context = browser.new_context(viewport={"width": 1200, "height": 1000})

    def show(address, width):
        page = context.new_page()
        page.set_default_timeout(20_000)
        own = f'<iframe id="own" src="{address}" width="{width}" height="620" frameborder="0"></iframe>'
        page.set_content(f'{FITS}<iframe id="other"></iframe>{own}')
        return page, page.frame_locator("#own"), next(one for one in page.frames if one.url.startswith("http"))
    yield show
    context.close()


def fits(page, frame):
    """Once the frame is as high as its page, to a pixel or two."""
    page.wait_for_function("() => document.querySelector('#own').style.height")
    frame.wait_for_function("""() => { const e = document.documentElement, c = document.querySelector('main > .column');
        return e.scrollHeight <= innerHeight + 1 && innerHeight - c.getBoundingClientRect().bottom < 20; }""")
    return page.evaluate(ASKED)


@pytest.mark.parametrize("width", ["100%", "360"])
def test_a_frame_is_as_high_as_its_panel_and_grows_with_it(serve, cell, tmp_path, width):
    page, inside, frame = cell(serve("data"), width)
    inside.get_by_text("There are no labels yet.").wait_for()
    low = fits(page, frame)
    inside.get_by_role("button", name="Change the guidelines").click()
    inside.get_by_role("button", name="Save the guidelines").wait_for()
    page.wait_for_function(f"low => ({ASKED})() > low + 40", arg=low)
    inside.get_by_role("button", name="Change the guidelines").click()
    page.wait_for_function(f"low => ({ASKED})() <= low + 2", arg=low)
    assert frame.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert inside.locator("h1").inner_text() == Words("en", "studio")("title_data")


def test_a_long_panel_scrolls_in_a_frame_that_still_fits_the_screen(serve, cell):
    page, inside, _ = cell(serve("compare"), "100%")
    inside.locator(".rk-token").first.wait_for()
    page.wait_for_function(f"() => ({ASKED})() === 900")
    assert page.evaluate("() => document.querySelector('#other').style.height") == ""     # another's stays as it is
