"""All panels on one page: as it opens, in both languages, on a small screen, in the dark, and for a screen reader."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from rlhf_kit import zoo
from rlhf_kit.language import LANGS
from rlhf_kit.models import tiny
from rlhf_kit.studio import PANELS
from rlhf_kit.studio import pages as studio
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
         "rules": {"heading-order": {"enabled": True}}, "resultTypes": ["violations"]}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("studio"))
    pages, address = studio.serve(workspace)
    yield address
    pages.close(verbose=False)
    workspace.close()


def still(page):
    """Once nothing has changed in the page for a third of a second; or after three seconds, where news go on coming."""
    page.evaluate("""() => new Promise(done => {
        let quiet;
        const end = () => { seen.disconnect(); clearTimeout(quiet); clearTimeout(late); done(); };
        const again = () => { clearTimeout(quiet); quiet = setTimeout(end, 333); };
        const seen = new MutationObserver(again), late = setTimeout(end, 3000);
        seen.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
        again();
    })""")


def open_tab(page, lang, name):
    """On a small screen the later ones are behind a button with three dots."""
    page.get_by_role("tab").first.wait_for()
    wanted = page.get_by_role("tab", name=Words(lang, "studio")(name))
    if wanted.count() == 0:
        page.locator(".overflow-menu > button").click()
        wanted = page.locator(".overflow-dropdown button", has_text=Words(lang, "studio")(name))
    wanted.click()
    still(page)


@pytest.mark.parametrize("lang", LANGS)
def test_every_panel_opens_with_something_to_see(address, visit, lang):
    page = visit(address, "zh" if lang == "zh" else "", locale="zh-CN" if lang == "zh" else "en-US")
    page.locator(".rk-compare").get_by_text("KL").first.wait_for()
    for name in PANELS:
        open_tab(page, lang, name)
        assert len(page.locator("[role=tabpanel]:visible").inner_text().strip()) > 80, name


@pytest.mark.parametrize(("lang", "dark", "width"), [("en", False, 1100), ("zh", True, 390)])
def test_nothing_that_a_screen_reader_or_a_pale_screen_trips_over(address, visit, lang, dark, width):
    page = visit(address, "zh" if lang == "zh" else "", dark=dark, width=width)
    found = {}
    for name in PANELS:
        open_tab(page, lang, name)
        for one in Axe().run(page, options=RULES).response["violations"]:
            found.setdefault(f"{name}: {one['id']}", [node["html"][:160] for node in one["nodes"][:3]])
    assert found == {}


@pytest.mark.parametrize(("dark", "touch"), [(False, False), (True, True)])
def test_nor_after_use(address, visit, dark, touch):
    """What is unfolded, pointed at, pressed and told stays readable too."""
    page = visit(address, dark=dark, width=390 if touch else 1280, touch=touch)
    page.locator(".rk-token").first.wait_for()
    found = {}

    def look(where):
        for one in Axe().run(page, options=RULES).response["violations"]:
            found.setdefault(f"{where}: {one['id']}", [node["html"][:160] for node in one["nodes"][:3]])
    page.locator("#rk-compare-more").click()
    page.get_by_label("KL", exact=True).check()
    page.locator(".rk-numbers").first.focus()
    page.keyboard.press("ArrowRight")
    look("compare")
    open_tab(page, "en", "rank")
    page.locator(".card").first.wait_for()
    page.locator(".rk-fold-button:visible").click()
    page.get_by_role("button", name="All equal").click()
    page.get_by_role("button", name="Save and next").click()
    page.get_by_text("Saved: ").wait_for()
    look("rank")
    open_tab(page, "en", "vote")
    page.get_by_role("button", name="A is better").click()
    page.get_by_text("Bradley-Terry").first.wait_for()
    look("vote")
    open_tab(page, "en", "train")
    page.locator(".rk-train .rk-chart").first.focus()
    look("train")
    assert found == {}


@pytest.mark.parametrize("lang", LANGS)
def test_nor_after_somebody_has_used_it(serve, visit, stand_in, policy, tokenizer, tmp_path, lang):
    """Ranked, voted, compared, scored, and looked at the labels one by one: in the light and in the dark."""
    for name in ("before", "writer"):
        zoo.save_policy(policy, tmp_path / name)
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), tmp_path / "scores")
    stand_in.shelf.named = {name: str(tmp_path / name) for name in ("before", "writer", "scores")}
    page = visit(serve(workspace=stand_in), "zh" if lang == "zh" else "")
    open_tab(page, lang, "rank")
    page.locator("[data-card]").first.focus()
    page.keyboard.press("2")
    page.keyboard.press("Control+Enter")
    page.locator(".rk-verdict .legend").wait_for(timeout=60_000)
    open_tab(page, lang, "vote")
    page.keyboard.press("1")
    page.locator(".rk-pair .whose", has_text="tiny").first.wait_for()
    page.locator(".rk-tables:visible caption").first.wait_for()
    open_tab(page, lang, "data")
    page.locator(".rk-tables:visible caption").first.wait_for()
    for panel, folded in (("data", "browse"), ("labels", "guide_edit")):
        page.get_by_role("button", name=Words(lang, panel)(folded)).click()
    page.locator(".rk-browse summary").first.click()
    page.locator(".rk-browse .edit").first.wait_for()
    open_tab(page, lang, "probe")
    page.keyboard.press("Control+Enter")
    page.locator(".rk-by", has_text="scores").wait_for(timeout=60_000)
    page.locator(".rk-says [data-about]").first.hover()
    open_tab(page, lang, "compare")
    page.keyboard.press("Control+Enter")
    page.locator(".rk-column h3", has_text="writer").wait_for(timeout=60_000)
    page.locator("#rk-compare-line", has_text=Words(lang, "compare")("done").split("{")[0]).wait_for()
    found = {}
    for dark in (False, True):
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", dark)
        for name in PANELS:
            open_tab(page, lang, name)
            for one in Axe().run(page, options=RULES).response["violations"]:
                found.setdefault(f"{name}: {one['id']}, {dark=}", [node["html"][:160] for node in one["nodes"][:3]])
    assert found == {}
