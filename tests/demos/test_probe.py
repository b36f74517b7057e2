"""Reward model in a browser: scored by keys, fooled by a button, read word by word."""

import pytest

from rlhf_kit import zoo
from rlhf_kit.models import tiny
from rlhf_kit.studio import probing, problems
from rlhf_kit.studio.workspace import Workspace

EVIL = "<img src=x onerror=window.pwned=1> ${window.pwned=1} {{7*7}}"
SAVED = {"probe": {"judge": "tiny-rm-en", "kind": "reward_model", "text": "It is good.", "score": 2.1,
                   "probability": 0.89, "gold": 0.1, "parts": [["It", 0.25], [" is", -0.5], [" good", 2.0], [".", 0.0]],
                   "length": 11, "held_out": [[10, 0.0], [20, 1.0], [30, 2.0], [40, 3.0]], "was": None,
                   "accuracy": {"mean": 0.75, "low": 0.7, "high": 0.8, "n": 600}}}


@pytest.fixture
def workspace(tokenizer, tmp_path, monkeypatch):
    monkeypatch.setattr(problems, "example", lambda lang: SAVED)
    monkeypatch.setattr(probing, "REVIEWS", 20)
    monkeypatch.setattr(probing, "RANKINGS", 8)
    zoo.save_reward_model(tiny.reward_model(tokenizer, layers=1, width=16), tmp_path / "scores")
    return Workspace(tmp_path / "studio", [str(tmp_path / "scores")])


def ready(page):
    page.wait_for_function("document.querySelector('#rk-probe-judge input')?.value === 'scores'")


def test_the_saved_example_says_what_both_say(serve, visit, workspace):
    page = visit(serve("probe", workspace=workspace))
    page.get_by_text("The reward model says 2.10, the truth says 0.10.").wait_for()
    page.get_by_text("Among 4 held-out reviews: 75 % score lower.").wait_for()
    page.get_by_text("Correlation +1.00").wait_for()
    page.get_by_text("Right on 0.75 of 600 held-out pairs (95 %: 0.70 to 0.80)").wait_for()
    page.locator(".rk-tokens").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.locator(".rk-number").inner_text() == "“ good” +2.00"
    assert workspace.shelf.loaded() == 0


def test_scoring_by_keys_fooling_and_measuring(serve, visit, workspace):
    page = visit(serve("probe", workspace=workspace))
    ready(page)
    text = page.locator("#rk-probe-text textarea")
    text.fill("")
    text.press("Control+Enter")
    page.get_by_text("Write a text first.").wait_for()
    text.fill(EVIL)
    text.press("Control+Enter")
    page.get_by_text("Done in").wait_for()
    assert "".join(page.locator(".rk-token").all_text_contents()) == EVIL
    assert page.evaluate("window.pwned") is None
    before = page.locator(".rk-says").inner_text()
    assert "since" not in before                        # the example's score is another model's
    page.get_by_role("button", name="Polite words").click()
    page.wait_for_function("before => document.querySelector('.rk-says')?.textContent !== before", arg=before)
    assert text.input_value() == EVIL + " Thank you very much, dear seller, with my kindest regards."
    assert "since the last score" in page.locator(".rk-says").inner_text()
    page.get_by_role("button", name="held-out pairs again").click()
    page.get_by_text("Measured on 48 pairs.").wait_for()


def test_on_a_telephone_in_chinese(serve, visit, workspace):
    page = visit(serve("probe", workspace=workspace), "zh", width=390, height=844, locale="zh-CN")
    page.get_by_text("奖励模型说 2.10，真值是 0.10。").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
