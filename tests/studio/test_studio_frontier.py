"""The panel All methods: a run of one's own is found, the lesson's points stand in for one, what is broken is said."""

import json

import pytest

from rlhf_kit.language import say
from rlhf_kit.studio.frontier import STORED, Frontier
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace


def estimate(mean):
    return {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "n": 8}


def point(method, value, x, proxy, gold):
    return {"method": method, "dial": "kl", "value": value, "root_kl": x, "proxy": estimate(proxy),
            "gold": estimate(gold), "drawn": 64, "reward_calls": 64, "cpu_seconds": 1.5, "draws_per_answer": 1,
            "distinct": 1.0, "config": {"steps": 5, "learning_rate": 0.001}, "seeds": [],
            "texts": [{"prompt": "A lamp", "response": " works.", "proxy": 0.9, "gold": 0.4}]}


RESULT = {"job": "frontier", "world": "reviews-en", "start": "tiny-lm-en", "judge": "tiny-rm-en", "seeds": [0],
          "size": {"held_out": 8}, "methods": ["sft", "ppo"], "lang": "en",
          "points": [point("sft", None, 0.0, 0.3, 0.25), point("ppo", 0.1, 1.5, 0.6, 0.5),
                     point("ppo", 0.01, 3.0, 0.9, 0.2)]}


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "runs" / "studio")
    yield made
    made.close()


@pytest.fixture
def run(workspace):
    """A finished run beside the studio's folder."""
    folder = workspace.folder.parent / "mine"
    folder.mkdir()
    (folder / "settings.json").write_text('{"job": "frontier"}')
    (folder / "result.json").write_text(json.dumps(RESULT))
    return folder


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_without_a_run_the_points_of_the_lesson_are_shown(workspace, lang):
    listed, shown = Frontier(lang, workspace).open("")
    assert listed["value"] == STORED
    assert len(shown["points"]) == 35                   # of nine methods, and the start
    assert [one["name"] for one in shown["methods"]] == ["sft", "best-of-n", "rs-sft", "rest", "ppo", "a2c", "rloo",
                                                          "grpo", "dpo", "kto"]
    assert not any(one["texts"] for one in shown["points"])


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_ones_own_run_comes_first_and_a_point_says_what_the_page_says(workspace, run, lang):
    panel = Frontier(lang, workspace)
    listed, shown = panel.open("")
    assert listed["value"] == "mine"
    assert next(name for _, name in listed["choices"]) == "mine"
    assert shown["begin"] == 1                              # the one with the most gold
    best = shown["points"][1]
    assert (best["x"], best["gold"], best["proxy"]) == (1.5, [0.5, 0.4, 0.6], [0.6, 0.5, 0.7])
    assert [say(lang, "frontier_col_root"), "1.50"] in [list(one) for one in best["numbers"]]
    assert [list(one) for one in best["settings"]] == [["steps", "5"], ["learning_rate", "0.001"]]
    assert best["texts"][0]["response"] == " works."
    assert json.loads(json.dumps(shown))["headline"] == shown["headline"]
    assert panel.open(STORED)[0]["value"] == "mine"         # nobody has picked yet
    assert panel.show(STORED)["points"][0]["method"] == "sft"


def test_what_is_gone_broken_or_no_such_run_is_a_line(workspace, run):
    panel = Frontier("en", workspace)
    gone = Words("en", "frontier")
    for broken in ("{", '{"points": []}', '{"points": [{}]}', "[]"):
        (run / "result.json").write_text(broken)
        assert panel.show("mine")["gone"] == gone("gone", name="mine")
    assert panel.show("../mine")["gone"] == gone("gone", name="../mine")
    other = run.parent / "other"
    other.mkdir()
    (other / "settings.json").write_text('["frontier"]')
    assert list(panel.runs()) == ["mine"]
