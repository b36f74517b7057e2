"""What somebody sees within ten seconds of the page: before and after side by side, and what the numbers mean."""

import pytest
from playwright.sync_api import expect
from test_studio import still

from rlhf_kit.language import LANGS
from rlhf_kit.studio import PANELS, problems
from rlhf_kit.studio import pages as studio
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace


@pytest.fixture(scope="module")
def everything(tmp_path_factory, port):
    """The address of all panels, in a folder that no test here writes to."""
    workspace = Workspace(tmp_path_factory.mktemp("everything") / "studio")
    pages, address = studio.serve(workspace, port=port)
    yield address
    pages.close(verbose=False)
    workspace.close()


def place(page, locator):
    """Its box, with what is below the screen's edge as negative room."""
    box = locator.bounding_box()
    return {**box, "room": page.viewport_size["height"] - box["y"] - box["height"]}


@pytest.mark.parametrize(("width", "height", "path"), [(1280, 800, ""), (1280, 800, "zh"), (390, 844, ""),
                                                       (390, 844, "zh")])
def test_before_and_after_are_on_the_first_screen_side_by_side(everything, visit, width, height, path):
    page = visit(everything, path, width=width, height=height, touch=width < 500)
    page.locator(".rk-token").first.wait_for()
    page.locator(".rk-sample").nth(5).wait_for()
    before, after = (place(page, page.locator(".rk-tokens").nth(i)) for i in (0, 1))
    assert abs(before["y"] - after["y"]) < 2                    # of one row
    assert before["x"] + before["width"] <= after["x"]
    assert place(page, page.locator(".rk-column").nth(1))["room"] > 0
    assert before["y"] < height - 40                            # two lines of the first sample can be read
    if width > 1000:
        assert place(page, page.locator(".rk-sample").nth(1))["room"] > 0
    assert page.locator(".rk-asked").inner_text().startswith(Words("zh" if path else "en", "compare")("prompt"))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_differs_from_the_first_policy_is_bold(serve, visit, monkeypatch):
    monkeypatch.setattr(problems, "example", lambda lang: told(0.2, 0.9, 0.1, 0.1, ("It", " is", " good", "."),
                                                               ("It", " was", " so", " good", ".")))
    page = visit(serve("compare"))
    page.locator(".rk-token").first.wait_for()
    assert page.locator(".rk-other").all_inner_texts() == [" was", " so"]
    assert page.locator(".rk-sample").first.locator(".rk-other").count() == 0


def told(reward, reward_after, gold, gold_after, first=("a",), second=("b",), kl=2.0):
    """A saved example of two policies with these means."""
    def column(name, texts, reward, kl, gold):
        sample = {"pieces": [[text, 0.1, 0.0, 1.0] for text in texts], "reward": reward, "kl": kl, "tokens": len(texts),
                  "gold": gold, "ended": True}
        return {"name": name, "step": None, "steps": None, "reference": "before", "samples": [sample]}
    columns = [column("before", first, reward, 0.0, gold), column("after", second, reward_after, kl, gold_after)]
    view = {"prompt": "p", "beta": 0.05, "reward": "tiny-rm-en", "columns": columns}
    return {"compare": {"views": [view] * 6, "histogram": None}}


@pytest.mark.parametrize(("numbers", "said"), [
    ((0.2, 0.9, 0.1, 0.12), "after: reward +0.70, truth +0.02. Reward up, truth flat: on these 1 samples it cheats."),
    ((0.2, 0.9, 0.5, 0.1), "after: reward +0.70, truth −0.40. Reward up, truth flat: on these 1 samples it cheats."),
    ((0.2, 0.9, 0.1, 0.3), "after: reward +0.70, truth only +0.20. Part of the gain is not real on these 1 samples."),
    ((0.2, 0.9, 0.1, 0.7), "after: reward +0.70, truth +0.60. On these 1 samples both went up."),
    ((0.5, 0.5, 0.1, 0.7), "after: reward +0.00, truth +0.60. On these 1 samples the reward hardly moved."),
    ((0.9, 0.2, 0.1, 0.7), "after: reward −0.70, truth +0.60. On these 1 samples the reward went down.")])
def test_it_is_said_whether_the_reward_is_worth_anything(serve, visit, monkeypatch, numbers, said):
    monkeypatch.setattr(problems, "example", lambda lang: told(*numbers))
    page = visit(serve("compare"))
    page.locator(".rk-token").first.wait_for()
    assert page.locator(".rk-verdict").inner_text().removeprefix("⚠ ") == said


def test_every_number_says_what_it_is_to_a_mouse_and_to_keys(serve, visit, monkeypatch):
    monkeypatch.setattr(problems, "example", lambda lang: told(0.2, 0.9, 0.1, 0.7, kl=-0.4))
    page = visit(serve("compare"))
    page.locator(".rk-token").first.wait_for()
    line = page.locator(".rk-explain")
    assert not line.is_visible()
    for group in page.locator(".rk-numbers").all():
        for number in group.locator("> dl").all():
            number.hover()
            expect(line).to_be_visible()
            assert len(line.inner_text()) > 40
    page.mouse.move(2, 2)
    expect(line).to_be_hidden()
    page.locator(".rk-numbers").nth(1).focus()
    page.keyboard.press("End")
    assert "Reward up and truth flat: it cheats." in line.inner_text()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    assert "Below 0 only because few samples estimate it" in line.inner_text()
    page.keyboard.press("Escape")
    expect(line).to_be_hidden()


@pytest.mark.parametrize("width", [1920, 1280, 390])
def test_the_page_is_centred_at_any_width(serve, visit, width):
    page = visit(serve("compare"), width=width, height=900)
    page.locator(".rk-token").first.wait_for()
    box = page.locator("main").bounding_box()
    assert abs(box["x"] - (width - box["x"] - box["width"])) <= 16          # a scroll bar's width
    assert box["width"] >= min(width - 60, 1150)


def test_the_prompt_and_the_buttons_stay_in_sight_while_one_ranks(serve, visit, stand_in):
    page = visit(serve("rank", workspace=stand_in), width=390, height=520, touch=True)
    page.locator(".card").nth(3).wait_for()
    assert 0 <= place(page, page.locator(".bar"))["room"] <= 4          # the cards go on behind it
    page.evaluate("scrollTo(0, document.querySelector('.card').getBoundingClientRect().top)")
    page.wait_for_timeout(300)
    assert 0 <= page.locator(".pinned").bounding_box()["y"] <= 4
    assert place(page, page.locator(".bar"))["room"] >= 0


def test_the_lists_are_filled_in_the_page_that_is_sent_and_nothing_idle_can_be_stopped(serve, visit, tmp_path):
    workspace = Workspace(tmp_path / "studio")
    page = visit(serve("compare", "probe", workspace=workspace))
    # Nothing that the server says later is waited for.
    assert page.evaluate("""window.gradio_config.components.filter(c => ['rk-compare-first', 'rk-compare-judge',
        'rk-probe-judge'].includes(c.props.elem_id)).map(c => c.props.value)""") == ["tiny-lm-en", "tiny-judge-en",
                                                                                    "tiny-rm-en"]
    stop = page.get_by_role("button", name="Stop").first
    stop.wait_for()
    assert stop.is_disabled()


@pytest.mark.parametrize("lang", LANGS)
def test_on_a_telephone_all_tabs_are_there_targets_are_large_and_no_key_is_named(everything, visit, lang):
    """Nor does anything need scrolling sideways."""
    page = visit(everything, "zh" if lang == "zh" else "", width=390, height=844, touch=True)
    words = Words(lang, "studio")
    for name in PANELS:
        page.get_by_role("tab", name=words(name), exact=True).click()
        still(page)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 1, name
        small = page.evaluate("""[...document.querySelectorAll('button, a, input, select, textarea, summary')]
            .filter(e => e.offsetParent && !e.closest('.rk-tokens'))
            .map(e => [e, e.matches('[type=radio], [type=checkbox]') && e.closest('label') || e])
            .map(([e, target]) => [e, target.getBoundingClientRect()])
            .filter(([e, box]) => box.height > 0 && box.height < (e.type === 'range' ? 24 : 44))
            .map(([e, box]) => [e.tagName, e.type, e.innerText, Math.round(box.height)].join(' '))""")
        assert small == [], name
        shown = page.locator("[role=tabpanel]:visible").inner_text()
        assert [key for key in ("Ctrl", "(Esc)", "Tab ", "(S)", "方向键") if key in shown] == [], name


@pytest.mark.parametrize("path", ["", "zh"])
@pytest.mark.parametrize("dark", [False, True])
def test_the_saved_example_is_there_before_gradio_and_then_gives_way_to_the_page(everything, browser, path, dark):
    """No script of Gradio's may come until the example has been seen; then the page shows the same, and only once."""
    page = browser.new_context(color_scheme="dark" if dark else "light").new_page()
    held = []
    page.route("**/assets/*.js", lambda route: held.append(route) if held is not None else route.continue_())
    page.goto(everything + path, wait_until="commit")
    page.locator("#rk-early .rk-token").first.wait_for()
    early = page.locator("#rk-early .rk-tokens").all_inner_texts()
    background = page.locator("#rk-early").evaluate("e => getComputedStyle(e).backgroundColor")
    assert sum(map(int, background[4:-1].split(","))) < 100 if dark else background == "rgb(255, 255, 255)"
    waiting, held = held, None
    for route in waiting:
        route.continue_()
    page.locator("#rk-early").wait_for(state="detached")
    assert page.locator(".rk-tokens").all_inner_texts() == early
    assert len(early) == 6
    page.context.close()


@pytest.mark.parametrize("address", ["#data", "#compare/0123456789"])
def test_what_is_asked_for_by_its_address_is_not_announced_by_the_example(serve, browser, address):
    page = browser.new_page()
    page.route("**/assets/*.js", lambda route: None)
    page.goto(serve("compare", "data") + address, wait_until="commit")
    page.wait_for_function("document.querySelector('gradio-app')")
    assert page.locator("#rk-early").count() == 0
    page.close()
