"""The panel All methods in a browser: pointed at, by keys, by touch; texts of a run stay texts."""

import json

import pytest
from playwright.sync_api import expect

from rlhf_kit.studio.frontier import Frontier
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace

EVIL = "<img src=x onerror=window.pwned=1> ${Object.assign(window,{pwned:1}).pwned}"


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "runs" / "studio")
    yield made
    made.close()


@pytest.mark.parametrize(("lang", "width"), [("en", 1280), ("zh", 390)])
def test_a_mark_that_is_pointed_at_says_its_settings(serve, visit, workspace, lang, width):
    page = visit(serve("frontier", workspace=workspace), "zh" if lang == "zh" else "", width=width, height=900,
                 touch=width < 500)
    title, points = page.locator(".rk-frontier .card h3"), page.locator(".rk-frontier figure").nth(1).locator(".point")
    shown = Frontier(lang, workspace).show("")
    expect(points).to_have_count(len(shown["points"]))
    expect(title).to_have_text(shown["points"][shown["begin"]]["title"])
    for place in (3, 20):
        mark = points.nth(place)
        mark.scroll_into_view_if_needed()
        mark.tap(force=True) if width < 500 else mark.hover(force=True)
        expect(title).to_have_text(shown["points"][place]["title"])
    page.locator(".rk-frontier svg").first.focus()
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text(shown["points"][21]["title"])
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_texts_of_a_run_are_text(serve, visit, workspace):
    folder = workspace.folder.parent / "mine"
    folder.mkdir()
    estimate = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 4}
    point = {"method": "sft", "dial": "", "value": None, "root_kl": 0.0, "proxy": estimate, "gold": estimate,
             "drawn": 1, "reward_calls": 1, "cpu_seconds": 1.0, "draws_per_answer": 1, "distinct": 1.0,
             "seeds": [], "config": {},
             "texts": [{"prompt": EVIL, "response": EVIL, "proxy": 0.5, "gold": 0.5}]}
    (folder / "settings.json").write_text('{"job": "frontier"}')
    (folder / "result.json").write_text(json.dumps({
        "world": EVIL, "start": "a", "judge": "b", "size": {"held_out": 4}, "seeds": [0], "methods": ["sft"],
        "points": [point]}))
    page = visit(serve("frontier", workspace=workspace))
    expect(page.locator(".rk-frontier .answer")).to_contain_text(EVIL)
    expect(page.locator(".rk-frontier .lead")).to_contain_text(EVIL)
    assert page.evaluate("window.pwned") is None
    (folder / "result.json").write_text("{")
    page.locator("#rk-frontier-run-en input").click()
    page.get_by_role("option", name="mine").click()
    expect(page.get_by_text(Words("en", "frontier")("gone", name="mine"))).to_be_visible()
