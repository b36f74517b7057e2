"""A rule is drawn, a person tries to make a model break it, and what is said about it becomes a label to learn from."""

import json
from types import SimpleNamespace

import pytest

from rlhf_kit import cli
from rlhf_kit.datasets.rule_labels import read_rule_labels, write_rule_labels
from rlhf_kit.formulas.records import RuleLabel
from rlhf_kit.formulas.rule_reward import LEVELS
from rlhf_kit.labels import Labels, Response
from rlhf_kit.labels.rule_breaking import rule_labels, save_level
from rlhf_kit.studio import red_team
from rlhf_kit.studio.data import Data
from rlhf_kit.studio.red_team import RedTeam
from rlhf_kit.studio.words import Words
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import world_of
from rlhf_kit.tasks.assistant.rules import RULES, wordings

ALONE = SimpleNamespace(username=None, session_hash="page")


@pytest.fixture
def workspace(tmp_path):
    made = Workspace(tmp_path / "studio", world=world_of("assistant"))
    yield made
    made.close()


@pytest.fixture(params=["en", "zh"])
def panel(request, workspace):
    return RedTeam(request.param, workspace)


def answered(panel, prompt, text, rule="insult"):
    """An attempt as `ask` leaves it."""
    return {"name": rule, "rule": panel.rules()[rule], "prompt": prompt, "text": text, "model": "m", "seed": 1,
            "asked": 1, "since": 0.0}


def test_a_world_without_rules_shows_nothing(tmp_path):
    with_none = Workspace(tmp_path / "reviews")
    assert not red_team.has_rules(with_none, "en")


def test_all_twelve_rules_come_before_one_comes_again(panel):
    seen, attempt = [], None
    for _ in range(len(RULES)):
        _, attempt, _ = panel.another("ana", attempt, ALONE)
        seen.append(attempt["name"])
        save_level(panel.workspace.labels, "p", Response(f"r{len(seen)}"), attempt["rule"], "unsure", "ana")
    assert sorted(seen) == sorted(RULES)
    assert attempt["rule"] == wordings(attempt["name"], panel.lang)[0]


def test_another_is_another(panel):
    _, first, _ = panel.another("", None, ALONE)
    for _ in range(20):
        _, second, _ = panel.another("", first, ALONE)
        assert second["name"] != first["name"]
        first = second


def test_the_truth_is_said_after_the_level_and_not_before(panel):
    task = panel.workspace.world.of(panel.lang)
    prompt, rude = next((ask, response) for ask, responses in task.candidates(300, 4) for response in responses
                        if task.rules(ask, response)["insult"].broken)
    attempt = answered(panel, prompt, rude)
    assert "truth" not in json.dumps(panel._shown(attempt))
    shown, now, line = panel.save("ana", {"level": 0}, attempt, ALONE)
    verdict = task.rules(prompt, rude)["insult"]
    assert verdict.broken
    assert line.startswith(panel.words("attack_broken", because=" ".join(f"“{one}”" for one in verdict.because)))
    assert line.endswith(panel.words("attack_tally", n=1, broken=1))
    assert (shown["level"], now["level"]) == (0, 0)
    said, = rule_labels(panel.workspace.labels)
    assert said == RuleLabel(prompt, rude, panel.rules()["insult"], "definitely broken")


def test_who_thinks_better_of_it_says_it_anew(panel):
    attempt = answered(panel, "p", "r")
    for level in (0, 3):
        _, _, line = panel.save("ana", {"level": level}, attempt, ALONE)
    assert [one.level for one in rule_labels(panel.workspace.labels)] == ["probably followed"]
    assert line == f"{panel.words('attack_unknown')} {panel.words('attack_tally', n=1, broken=0)}"


@pytest.mark.parametrize("sent", [None, 3, "0", [], {}, {"level": -1}, {"level": 5}, {"level": True}, {"level": 1.0}])
def test_anything_may_come_from_the_browser(panel, sent):
    _, _, line = panel.save("ana", sent, answered(panel, "p", "r"), ALONE)
    assert line == Words(panel.lang, "labels")("bad_answer")
    assert not panel.workspace.labels.judgements()


def test_what_cannot_be_asked_is_said_before_a_model_is_loaded(panel):
    assert panel.refused("ana", "  ", "tiny-base-en", ALONE) == panel.words("attack_empty")
    assert panel.refused("ana", "hello", "no such model", ALONE) == panel.words("no_writer")
    assert panel.refused("a\nb", "hello", "no such model", ALONE) == Words(panel.lang, "studio")("name_bad")
    assert panel.save("ana", {"level": 0}, None, ALONE)[2] == panel.words("attack_first")
    assert panel.save("ana", {"level": 0}, {"name": "insult", "rule": "x"}, ALONE)[2] == panel.words("attack_first")


def test_a_policy_answers_and_its_answer_ends_where_it_speaks_for_the_person(panel, policy, monkeypatch):
    marks = {"en": ("User:", "Assistant:"), "zh": ("用户：", "助手：")}[panel.lang]
    shelf = type(panel.workspace.shelf)
    monkeypatch.setattr(shelf, "names", lambda *_: ["m"])
    monkeypatch.setattr(shelf, "prepare", lambda *_: iter(()))
    monkeypatch.setattr(shelf, "policy", lambda *_: policy)
    monkeypatch.setattr(red_team.rank_tasks, "sample", lambda *_: [f" No.\n\n{marks[0]} And now?\n\n{marks[1]} Yes."])
    *_, (found, line) = panel.ask("Hello?", "m", {"name": "insult", "rule": "Do not."})
    assert found[1]["text"].strip() == "No."
    assert found[0]["chat"]["turns"] == [["user", "Hello?"]]
    assert line == panel.words("attack_level")
    *_, (found, line) = panel.ask("Hello?", "m", None)
    assert (found, line) == (None, panel.words("attack_lost"))


def test_levels_go_to_a_file_that_a_rule_model_learns_from(workspace, tmp_path):
    labels = [RuleLabel("p", f"r {i}", "Do not.", level) for i, level in enumerate(LEVELS)]
    assert write_rule_labels(tmp_path / "own.jsonl", labels) == 5
    assert read_rule_labels(tmp_path / "own.jsonl") == labels
    for one in labels:
        save_level(workspace.labels, one.prompt, Response(one.response), one.rule, one.level, "ana")
    assert rule_labels(workspace.labels, "ana") == labels
    assert rule_labels(workspace.labels, "ben") == []
    with pytest.raises(ValueError, match="expected one of definitely broken"):
        save_level(workspace.labels, "p", Response("r"), "Do not.", "broken", "ana")
    made, line = Data("en", workspace).export("ana", "*", "*", "rules", ALONE)
    assert read_rule_labels(made["value"]) == labels
    assert line == Words("en", "data")("made", rows=5, file="rule_labels.jsonl")


def test_the_command_writes_the_same(tmp_path, capsys):
    with Labels(tmp_path / "labels.db") as labels:
        save_level(labels, "p", Response("r"), "Do not.", "unsure", "ana")
    command = ["labels", "export", "--database", str(tmp_path / "labels.db"), "--format", "rules", "--output",
               str(tmp_path / "rules.jsonl")]
    assert cli.main(command) == 0
    assert read_rule_labels(tmp_path / "rules.jsonl") == [RuleLabel("p", "r", "Do not.", "unsure")]
    assert cli.main([*command, "--annotator", "ben"]) == 2
    assert "has no labels of rules by 'ben'" in capsys.readouterr().err
