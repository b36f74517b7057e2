"""The panel that trains, without a browser: what is learnt from, what a press does, what is shown."""

import errno
import json
import re
from dataclasses import replace
from types import SimpleNamespace

import gradio as gr
import pytest

from rlhf_kit.cli import _parser
from rlhf_kit.datasets.rankings import read_rankings
from rlhf_kit.formulas.records import Ranking
from rlhf_kit.labels import Response
from rlhf_kit.labels.database import LabelsError
from rlhf_kit.language import LANGS
from rlhf_kit.storage import StorageError
from rlhf_kit.studio import scripted, train, train_runs
from rlhf_kit.studio import trainings as jobs
from rlhf_kit.studio.fields import NOBODY as NONE
from rlhf_kit.studio.train import ANY, Panel
from rlhf_kit.studio.train_runs import ALL, MINE, judges, lists, start_ppo, start_reward_model
from rlhf_kit.studio.train_view import view
from rlhf_kit.studio.trainings import Job, JobError, Jobs, Look
from rlhf_kit.studio.words import sentences
from rlhf_kit.studio.workspace import Workspace
from rlhf_kit.studio.worlds import world_of
from rlhf_kit.tasks import BASES

NOBODY = SimpleNamespace(username=None)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """One whose trainings are only written down."""
    monkeypatch.setattr(Jobs, "watch", lambda self: None)
    made = Workspace(tmp_path / "studio")
    yield made
    made.jobs.close()
    made.labels.close()


def ranked(workspace, n: int, by: str = "ana", question: str = "", prompt: str = "The lamp {i}") -> None:
    rows = [Ranking(prompt.format(i=i), (" is fine.", " broke at once.", " is"), (2, 3, 1)) for i in range(n)]
    workspace.labels.add_rankings(rows, by, question)


def finished(workspace, name: str, kind: str, **result) -> None:
    """As if the training of that name had ended well."""
    folder = workspace.jobs.run_folder(name)
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text("{}")
    (folder / "result.json").write_text(json.dumps({"job": kind, "stages": {}, **result}))


def job_of(workspace, name: str) -> Job:
    return next(look.job for look in workspace.jobs.all() if look.job.name == name)


def pressed(panel: Panel, how: str, *values, board=None, request=NOBODY):
    return getattr(panel, how)(*values, board or {}, request)


# What is learnt from

def test_only_lists_with_a_winner_in_the_page_s_language_count(workspace):
    ranked(workspace, 2)
    ranked(workspace, 3, by="bo", question="harmless")
    ranked(workspace, 4, prompt="这盏灯 {i}")
    workspace.labels.add_rankings([Ranking("The bag", (" a", " b"), (1, 1)), Ranking("The pen", (" a", " "), (1, 2)),
                                   Ranking("The hat", (" A  b", " a b"), (1, 2))], "ana")
    assert [len(lists(workspace, lang)) for lang in LANGS] == [5, 4]
    assert len(lists(workspace, "en", "ana")) == 2
    assert len(lists(workspace, "en", "bo", "harmless")) == len(lists(workspace, "en", None, "harmless")) == 3
    workspace.labels.add_rankings([Ranking("The cup", (" x", " y"), (1, 2))], "ana", split="heldout")
    assert len(lists(workspace, "en")) == 5


def test_a_text_that_occurs_twice_counts_once_and_a_blank_one_never(workspace):
    workspace.labels.add_rankings([Ranking("The lamp", (" Is good", " broke", " is  good", "  "), (1, 2, 3, 4))], "ana")
    assert lists(workspace, "en") == [Ranking("The lamp", (" Is good", " broke"), (1, 2))]


def test_too_few_lists_are_counted_and_nothing_starts(workspace):
    ranked(workspace, 11)
    with pytest.raises(JobError) as error:
        start_reward_model(workspace, "en", by="ana")
    assert (error.value.key, error.value.values) == ("too_few", {"n": 11, "missing": 1})
    assert workspace.jobs.all() == []


# What a press does

def test_the_run_s_rankings_are_those_of_the_moment_of_the_press(workspace):
    ranked(workspace, 12)
    ranked(workspace, 12, by="bo")
    assert start_reward_model(workspace, "en", by="ana", whose=MINE) == "rm-1"
    assert start_reward_model(workspace, "en", by="ana") == "rm-2"
    ranked(workspace, 1, by="cy")
    files = [workspace.jobs.place(name) / train_runs.RANKINGS for name in ("rm-1", "rm-2")]
    assert [len(read_rankings(file)) for file in files] == [12, 24]
    assert read_rankings(files[0]) == lists(workspace, "en", "ana")


def test_the_command_is_one_that_a_person_could_type(workspace):
    ranked(workspace, 20)
    start_reward_model(workspace, "en", by="ana", steps=70)
    finished(workspace, "rm-1", "reward_model")
    start_ppo(workspace, "en", by="ana", judge="runs/rm-1/model", beta=0.1, steps=4, name="短")
    options = [_parser().parse_args(list(job_of(workspace, name).arguments)) for name in ("rm-1", "短")]
    assert (options[0].model, options[0].held_out, options[0].steps, options[0].output) == (
        "tiny-lm-en", 4, 70, "runs/rm-1")
    assert (options[1].judge, options[1].coefficient, options[1].steps, options[1].output) == (
        "runs/rm-1/model", 0.1, 4, "runs/短")
    assert not any(option.fresh for option in options)
    assert job_of(workspace, "短").about == {"lang": "en", "judge": "runs/rm-1/model", "beta": 0.1}


def test_a_judge_is_one_of_this_language_that_is_ready(workspace):
    ranked(workspace, 12)
    start_reward_model(workspace, "en", by="ana")
    assert [value for _, value in judges(workspace.jobs.all(), "en")] == ["tiny-rm-en", "tiny-judge-en"]
    finished(workspace, "rm-1", "reward_model")
    assert [value for _, value in judges(workspace.jobs.all(), "en")] == [
        "runs/rm-1/model", "tiny-rm-en", "tiny-judge-en"]
    assert [value for _, value in judges(workspace.jobs.all(), "zh")] == ["tiny-rm-zh", "tiny-judge-zh"]
    for judge in ("runs/rm-1/model", "/etc/passwd", "../x", "", None, 3):
        with pytest.raises(JobError, match="no_judge"):
            start_ppo(workspace, "zh", by="ana", judge=judge)


def test_a_second_round_goes_on_from_my_policy(workspace):
    panel = Panel("en", workspace)
    assert panel.starts()["choices"] == [("tiny-lm-en", NONE)]
    start_ppo(workspace, "en", by="ana", judge="tiny-rm-en")
    for start in ("runs/policy-1/policy", "../x", None):            # not yet, and never
        with pytest.raises(JobError, match="no_start"):
            start_ppo(workspace, "en", by="ana", judge="tiny-rm-en", start=start)
    finished(workspace, "policy-1", "ppo")
    assert [value for _, value in panel.starts()["choices"]] == [NONE, "runs/policy-1/policy"]
    assert panel.starts("runs/policy-1/policy")["value"] == "runs/policy-1/policy"
    board, _ = panel.run("ana", "tiny-rm-en", "", 0.1, 5, False, {}, NOBODY, "runs/policy-1/policy")
    options = _parser().parse_args(list(job_of(workspace, board["shown"]).arguments))
    assert (options.model, options.judge) == ("runs/policy-1/policy", "tiny-rm-en")
    assert "Goes on from policy-1; drift is measured from it." in board["full"]["lines"]
    assert panel.starts()["value"] == ""
    assert Panel("zh", workspace).starts()["choices"] == [("tiny-lm-zh", NONE)]


@pytest.mark.parametrize("lang", LANGS)
def test_a_second_round_on_the_assistant_learns_from_all_labels_and_goes_on_from_my_policy(tmp_path, monkeypatch, lang):
    """Each command names the world once; the page's language says which of the two it is."""
    monkeypatch.setattr(Jobs, "watch", lambda self: None)
    workspace = Workspace(tmp_path / "studio", world=world_of("assistant"))
    task = workspace.world.of(lang)
    for start, writer in ((0, "people"), (40, "policy-1")):
        for prompt, texts in task.candidates(16, 4, seed=start):
            list_ = workspace.labels.add_task(prompt, [Response(text, writer) for text in texts])
            shown = workspace.labels.show(list_.id, "ana")
            workspace.labels.save_ranking(shown, scripted.groups([-len(text) for text in shown.task.texts]), lang=lang)
        if writer == "people":
            learnt = len(lists(workspace, lang))
            start_reward_model(workspace, lang, by="ana")
            finished(workspace, "rm-1", "reward_model")
            start_ppo(workspace, lang, by="ana", judge="runs/rm-1/model")
            finished(workspace, "policy-1", "ppo")
    start_reward_model(workspace, lang, by="ana")
    assert job_of(workspace, "rm-2").about["lists"] > learnt > 12
    finished(workspace, "rm-2", "reward_model")
    start_ppo(workspace, lang, by="ana", judge="runs/rm-2/model", start="runs/policy-1/policy")
    options = {name: _parser().parse_args(list(job_of(workspace, name).arguments))
               for name in ("rm-1", "policy-1", "rm-2", "policy-2")}
    assert {(one.task, one.lang) for one in options.values()} == {("assistant", lang)}
    assert [one.model for one in options.values()] == [*[BASES[lang]] * 3, "runs/policy-1/policy"]
    assert options["policy-2"].judge == "runs/rm-2/model"
    workspace.close()


@pytest.mark.parametrize("number", [-1, 201, 1e9, float("nan"), float("inf"), "9", None, [], {}])
def test_numbers_from_the_browser_are_checked(workspace, number):
    for wrong in ({"steps": number}, {"beta": -0.1 if number is None else number}, {"steps": 0}):
        with pytest.raises(JobError, match="bad_number"):
            start_ppo(workspace, "en", by="ana", judge="tiny-rm-en", **wrong)


def test_a_press_says_what_happened_in_the_page_s_language(workspace):
    ranked(workspace, 12)
    for lang in LANGS:
        panel, said = Panel(lang, workspace), sentences("train")[lang]
        board, _ = pressed(panel, "train", "", ALL, ANY, "", 60, False)
        assert board["said"] == sentences("studio")[lang]["name_bad"]
        board, ticked = pressed(panel, "run", "ana", f"tiny-rm-{lang}", "", 0.04, 30, True)
        assert board["said"] == said["said_start"].format(name=board["shown"])
        assert ticked is False                                      # throwing away is asked for each time
        board, _ = pressed(panel, "run", "ana", f"tiny-rm-{lang}", board["shown"], 0.04, 30, False)
        assert board["said"] == said["taken"].format(name=board["full"]["name"])
    board, _ = pressed(Panel("en", workspace), "train", "ana", ALL, ANY, "my rm!", 60, False)
    assert board["said"] == sentences("train")["en"]["bad_name"]
    board, _ = pressed(Panel("zh", workspace), "train", "ana", ALL, ANY, "", 60, False)
    assert board["said"] == sentences("train")["zh"]["too_few"].format(n=0, missing=12)


def test_a_full_disk_and_locked_labels_are_said_and_nothing_starts(workspace, monkeypatch):
    ranked(workspace, 12)
    panel = Panel("en", workspace)
    with monkeypatch.context() as patch:
        full = StorageError("x: No space left.")
        full.__cause__ = OSError(errno.ENOSPC, "No space left on device")
        patch.setattr(Jobs, "start", lambda *_, **__: (_ for _ in ()).throw(full))
        board, _ = pressed(panel, "train", "ana", ALL, ANY, "", 60, False)
        assert board["said"] == ("The folder of the studio cannot be written; nothing was changed. The disk is full: "
                                 "free some space first.")
    with monkeypatch.context() as patch:
        for name in ("rankings", "revision"):
            patch.setattr(type(workspace.labels), name,
                          lambda *_, **__: (_ for _ in ()).throw(LabelsError("labels.db is locked.")))
        board, _ = pressed(panel, "train", "ana", ALL, ANY, "", 60, False)
        assert not board["lists"]
        assert board["said"] == sentences("train")["en"]["no_labels"]
    assert workspace.jobs.all() == []


def event(**data) -> gr.EventData:
    return gr.EventData(None, data)


def test_in_a_class_only_the_starter_and_the_teacher_stop_a_training(workspace):
    start_ppo(workspace, "en", by="ana", judge="tiny-rm-en")
    panel, workspace.teacher = Panel("en", workspace), "ms li"
    for name, state in (("bo", "waiting"), ("ana", "stopped")):
        board = panel.act(event(act="stop", name="policy-1"), SimpleNamespace(username=name))
        assert board["jobs"][0]["state"] == state
    assert panel.act(event(act="resume", name="policy-1"),
                     SimpleNamespace(username="ms li"))["jobs"][0]["state"] == "waiting"
    assert panel.act(event(act="stop", name="policy-1"), NOBODY)["jobs"][0]["state"] == "stopped"
    refused = sentences("train")["en"]["not_yours"].format(name="ana")
    for who, said in (("bo", refused), ("ana", sentences("train")["en"]["said_start"].format(name="policy-1"))):
        board, _ = pressed(panel, "run", "ana", "tiny-rm-en", " policy-1", 0.04, 30, True,
                           request=SimpleNamespace(username=who))
        assert board["said"] == said


@pytest.mark.parametrize("data", [None, [], {}, {"act": "stop"}, {"act": "stop", "name": ["x"]},
                                  {"act": "stop", "name": "../../etc"}, {"act": "rm -rf", "name": "policy-1"}])
def test_what_a_browser_may_send_changes_nothing(workspace, data):
    start_ppo(workspace, "en", by="ana", judge="tiny-rm-en")
    board = Panel("en", workspace).act(gr.EventData(None, data), NOBODY)
    assert board["jobs"][0]["state"] == "waiting"


def test_news_is_sent_only_where_there_is_some(workspace, monkeypatch):
    monkeypatch.setattr(jobs, "FRESH", -1.0)                        # look anew each time
    panel = Panel("en", workspace)

    def tick(**asked):
        return panel.tick("ana", ALL, "tiny-rm-en", ANY, event(**asked), NOBODY)
    board, judges, questions = tick()
    assert (board["lists"], len(judges.choices), len(questions.choices)) == (
        sentences("train")["en"]["too_few"].format(n=0, missing=12), 2, 2)
    known = {**{name: board[name] for name in ("version", "judges", "questions")}, "said": ""}
    assert all(part == gr.skip() for part in tick(**known))
    ranked(workspace, 12, question="harmless")
    board, _, questions = tick(**known)
    assert board["lists"] == "12 ranked lists to learn from."
    assert [value for _, value in questions.choices] == [ANY, "harmless"]
    start_reward_model(workspace, "en", by="ana")
    finished(workspace, "rm-1", "reward_model")
    _, judges, _ = tick(**known)
    assert (judges.value, len(judges.choices)) == ("runs/rm-1/model", 3)          # the one that is new


def test_a_page_that_opens_has_the_newest_reward_model_chosen(workspace):
    panel = Panel("en", workspace)
    assert panel.open("ana", NOBODY)[1]["value"] == "tiny-rm-en"
    ranked(workspace, 12)
    for name in ("rm-1", "rm-2"):
        start_reward_model(workspace, "en", by="ana")
        finished(workspace, name, "reward_model")
    offered = panel.open("ana", NOBODY)[1]
    assert (offered["value"], [name for name, _ in offered["choices"]][:2]) == ("runs/rm-2/model", ["rm-2", "rm-1"])


# What is shown

def look(state: str = "done", kind: str = "ppo", done: int = 3, result: dict | None = None, **more) -> Look:
    job = Job(name="mine", kind=kind, arguments=(), steps=3, by="<b>ana</b>")
    rows = [{"step": i + 1, "score": i / 3, "kl": i * 1.5, "loss": 0.6} for i in range(done)]
    return Look(job, state, more.get("ahead", 0), rows, result, more.get("line", ""))


AFTER = {"scores": {"score": {"mean": 0.9}, "gold": {"mean": 0.5}}, "kl": 5.0, "length": 10.0, "eos_rate": 1.0,
         "distinct": 0.5}
POLICY = {"before": {**AFTER, "kl": 0.0, "length": 20.0}, "after": AFTER,
          "samples": [{"before": {"prompt": "It", "response": " is <b>long</b>."},
                       "after": {"prompt": "It", "response": ""}}] * 9}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize(("state", "stop", "resume"), [
    ("waiting", True, False), ("running", True, False), ("stopping", False, False), ("stopped", False, True),
    ("done", False, False), ("failed", False, True), ("gone", False, True)])
def test_every_state_has_its_sentence_and_its_buttons(lang, state, stop, resume):
    drawn = view(lang, [look(state, line="no <i>room</i>", ahead=2)])
    row = drawn["jobs"][0]
    assert (row["stop"], row["resume"]) == (stop, resume)
    assert row["text"]
    assert not re.search(r"[{}]", row["text"])
    assert drawn["busy"] == (state in ("waiting", "running", "stopping"))
    assert ("no <i>room</i>" in row["text"]) == (state == "failed")


def test_a_policy_shows_its_curves_its_table_and_what_it_wrote():
    full = view("en", [look(result=POLICY)])["full"]
    assert [curve["points"] for curve in full["curves"]] == [[[1, 0], [2, 1 / 3], [3, 2 / 3]],
                                                             [[1, 0], [2, 1.5], [3, 3.0]]]
    assert full["table"][2:4] == [["KL, nats per response", "0.0", "5.0"], ["Tokens per response", "20.0", "10.0"]]
    assert "Responses are 50 % shorter than before." in full["lines"]
    assert full["samples"] == [["It", " is <b>long</b>.", ""]] * 3


def test_another_run_of_the_same_kind_lies_over_it_and_nothing_else_does():
    looks = [replace(look(), job=replace(look().job, name=name, kind=kind, about={"beta": beta}))
             for name, kind, beta in (("a", "ppo", 0.1), ("b", "ppo", 0.3), ("rm", "reward_model", 0), ("c", "ppo", 0),
                                      ("d", "ppo", 0))]
    drawn = view("en", looks, "a", over=["rm", "a", "gone", "b", "c", "d"])
    assert drawn["over"] == ["b", "c"]
    assert [(one["name"], one["points"][-1]) for one in drawn["full"]["curves"][1]["others"]] == [
        ("b, β = 0.3", [3, 3.0]), ("c, β = 0", [3, 3.0])]
    assert [row["overlay"] for row in drawn["jobs"]] == [True, True, False, True, True]
    assert drawn["version"] != view("en", looks, "a")["version"]


@pytest.mark.parametrize(("score", "gold", "key"), [
    (1.0, 0.52, "cheats"), (1.0, 0.9, "honest"), (0.52, 0.9, "no_gain")])
def test_it_is_said_when_the_score_rises_and_the_truth_does_not(score, gold, key):
    def measured(score, gold):
        return {**AFTER, "scores": {name: {"mean": x, "low": x - 0.1, "high": x + 0.1}
                                    for name, x in (("score", score), ("gold", gold))}}
    full = view("en", [look(result={**POLICY, "before": measured(0.5, 0.5), "after": measured(score, gold)})])["full"]
    assert sentences("train")["en"][key] in full["lines"]
    assert len(full["about"]) == len(full["table"])


def test_a_reward_model_s_accuracy_comes_with_its_interval_and_an_honest_word():
    few = {"agreement": {"pair_accuracy": {"mean": 0.78, "low": 0.27, "high": 0.97, "n": 18}}, "held_out": 3,
           "length_only": 1.0}
    lines = view("en", [look(kind="reward_model", result=few)])["full"]["lines"]
    assert lines == ["On 3 lists kept apart it orders 78 % of 18 pairs right; the 95 % interval is 27 % to 97 %.",
                     sentences("train")["en"]["not_above_chance"], "Going by length alone would get 100 % right."]


def test_an_odd_result_is_said_and_not_a_crash():
    for result in ({}, {"before": 3}, {**POLICY, "before": {**AFTER, "length": 0}}):
        full = view("zh", [look(result=result)])["full"]
        assert full["lines"][-1] == sentences("train")["zh"]["odd_result"]


def test_what_runs_comes_first_and_is_shown_unless_somebody_chose_another():
    looks = [Look(Job(name=name, kind="ppo", arguments=(), steps=3, by="ana"), state, 0, [], None, "")
             for name, state in (("a", "done"), ("b", "running"), ("c", "failed"), ("d", "waiting"))]
    drawn = view("en", looks)
    assert [row["name"] for row in drawn["jobs"]] == ["d", "b", "c", "a"]
    assert (drawn["shown"], view("en", looks, "c")["shown"], view("en", looks, "gone")["shown"]) == ("b", "c", "b")
    assert drawn["version"] != view("en", looks, "c")["version"]
    assert drawn["version"] == view("en", looks)["version"]


def test_where_nothing_was_trained_the_saved_example_is_shown(workspace, monkeypatch):
    saved = {"job": {**vars(look().job)}, "steps": look().steps, "result": POLICY}
    monkeypatch.setattr(train.shared, "example", lambda lang: {"train": json.loads(json.dumps(saved))})
    drawn = train.first_view("en", workspace)
    assert (drawn["example"], drawn["jobs"], len(drawn["full"]["table"])) == (True, [], 6)
    monkeypatch.setattr(train.shared, "example", lambda lang: {})
    assert train.first_view("en", workspace)["example"] is False


def test_a_scripted_user_ranks_by_its_rule():
    assert scripted.groups(scripted.shortest(["ccc", "a", "bb", "d"])) == [[1, 3], [2], [0]]
    assert scripted.groups(scripted.mentions("x")(["ax", "b", "x"])) == [[0, 2], [1]]
    assert scripted.groups(scripted.mentions("x")(["a", "b"])) == [[0, 1]]
