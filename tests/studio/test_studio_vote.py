"""The panel of blind votes, without a browser: blind before the vote, told after it, once."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

gr = pytest.importorskip("gradio")

from studio_example import example  # noqa: E402

from rlhf_kit import zoo  # noqa: E402
from rlhf_kit.labels import BOTH_BAD, LabelsError, Response  # noqa: E402
from rlhf_kit.studio import vote_pairs  # noqa: E402
from rlhf_kit.studio import workspace as shared  # noqa: E402
from rlhf_kit.studio.vote import Vote  # noqa: E402
from rlhf_kit.studio.vote_match import Match  # noqa: E402
from rlhf_kit.studio.vote_results import on_this_pair, results  # noqa: E402
from rlhf_kit.studio.words import Words  # noqa: E402
from rlhf_kit.studio.workspace import Workspace  # noqa: E402

ALONE = SimpleNamespace(username=None)


@pytest.fixture
def panel(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "example", example)
    workspace = Workspace(tmp_path)
    yield Vote("en", workspace)
    workspace.labels.close()


def answer(pair, vote):
    """What the page would send."""
    return {**{key: pair[key] for key in ("annotator", "task", "repeat", "question")}, "vote": vote, "seconds": 2.0}


def models(panel, pair):
    """Whose the texts on the screen are."""
    whose = {r.text: r.model for r in panel.workspace.labels.task(pair["task"]).responses}
    return [whose[text] for text in pair["texts"]]


def test_nothing_that_is_shown_before_the_vote_tells_whose_the_texts_are(panel):
    for _ in range(40):
        pair, _ = panel.show("ana", ALONE)
        assert set(pair) == {"annotator", "task", "repeat", "question", "prompt", "texts", "progress", "stamp"}
        sent = json.dumps({**pair, "texts": [], "prompt": ""})
        assert "tiny" not in sent
        assert "reward" not in sent
        panel.vote("ana", answer(pair, "a"), ALONE)


def test_sides_are_drawn_by_lot_and_stored(panel):
    first, again = {}, {}
    while "task" in (pair := panel.show("ana", ALONE)[0]):
        (again if pair["repeat"] else first)[pair["task"]] = models(panel, pair)[0]
        panel.vote("ana", answer(pair, "tie"), ALONE)
    assert len(again) == 4                                          # a tenth comes once more, with the sides changed
    assert all(first[task] != shown for task, shown in again.items())
    assert 10 <= list(first.values()).count("tiny-ppo") <= 30      # Binomial(40, 1/2) is outside once in 1500 times
    labels = panel.workspace.labels
    stored = {said.task_id: labels.task(said.task_id).responses[said.shown_order[0]].model
              for said in labels.judgements() if not said.repeat}
    assert stored == first
    assert panel.show("ana", ALONE)[0]["empty"] == "All 40 pairs done."


@pytest.mark.parametrize(("vote", "groups", "flags"), [
    ("a", 2, ()), ("b", 2, ()), ("tie", 1, ()), ("bad", 1, (BOTH_BAD,))])
def test_each_vote_is_kept_and_answered_with_names_and_rewards(panel, vote, groups, flags):
    pair, _ = panel.show("ana", ALONE)
    told, notice = panel.vote("ana", answer(pair, vote), ALONE)
    said, = panel.workspace.labels.judgements()
    assert (len(said.groups), said.flags, said.kind, said.seconds) == (groups, flags, "vote", 2.0)
    if groups == 2:
        won = panel.workspace.labels.task(said.task_id).texts[said.groups[0][0]]
        assert won == pair["texts"]["ab".index(vote)]
    assert notice == "Saved."
    assert told["texts"] == pair["texts"]
    assert told["reveal"]["models"] == models(panel, pair)
    assert told["reveal"]["rewards"] == [{"tiny-ppo": "+1.00", "tiny-base": "-1.00"}[m] for m in models(panel, pair)]
    assert told["reveal"]["vote"] == vote


def test_a_second_vote_after_the_names_changes_nothing(panel):
    pair, _ = panel.show("ana", ALONE)
    panel.vote("ana", answer(pair, "a"), ALONE)
    told, notice = panel.vote("ana", answer(pair, "b"), ALONE)
    assert told["reveal"]["vote"] == "a"
    assert "already" in notice
    assert len(panel.workspace.labels.judgements()) == 1


def test_undo_takes_the_vote_back_and_the_pair_is_not_asked_again(panel):
    pair, _ = panel.show("ana", ALONE)
    panel.vote("ana", answer(pair, "a"), ALONE)
    other, notice = panel.undo("ana", ALONE)
    assert "not asked again" in notice
    assert other["task"] != pair["task"]
    assert "reveal" not in other
    assert panel.vote("ana", answer(pair, "b"), ALONE) == (gr.skip(), Words("en", "vote")("seen_already"))
    assert panel.undo("ana", ALONE)[1] == "There is no vote to undo."
    assert not panel.workspace.labels.judgements()


@pytest.mark.parametrize("sent", [None, "a", [], {}, {"vote": "c"}, {"vote": ["a"]}, {"vote": None}, {"task": 10**9},
                                  {"task": "1"}, {"repeat": 7}, {"annotator": None}])
def test_anything_may_come_from_the_browser(panel, sent):
    pair, _ = panel.show("ana", ALONE)
    bad = {**answer(pair, "a"), **sent} if isinstance(sent, dict) and sent else sent
    kept, notice = panel.vote("ana", bad, ALONE)
    assert kept == gr.skip()
    assert notice == Words("en", "labels")("bad_answer")
    assert not panel.workspace.labels.judgements()


def test_a_list_cannot_be_voted_on(panel):
    task = panel.workspace.labels.add_task("It", ["a", "b", "c", "d"])
    sent = {"annotator": "ana", "task": task.id, "repeat": 0, "question": "", "vote": "a", "seconds": 1}
    assert panel.vote("ana", sent, ALONE)[0] == gr.skip()


def test_a_file_that_cannot_be_written_is_said(panel, monkeypatch):
    def full(*args, **options):
        raise LabelsError("full")
    pair, _ = panel.show("ana", ALONE)
    monkeypatch.setattr(panel.workspace.labels, "save_vote", full)
    kept, notice = panel.vote("ana", answer(pair, "a"), ALONE)
    assert kept == gr.skip()
    assert notice.startswith("Not saved.")


def test_results_by_hand(panel):
    """Six pairs of "aaa" by x and "b" by y: ana votes x, x, x, y, bo a tie and both bad."""
    labels = panel.workspace.labels
    tasks = [labels.add_task(f"It {i}", [Response("aaa", "x"), Response("b", "y")]) for i in range(6)]
    votes = [*[("ana", 0, ())] * 3, ("ana", 1, ()), ("bo", None, ()), ("bo", None, (BOTH_BAD,))]
    orders = [(1, 0), (1, 0), (0, 1), (0, 1), (0, 1), (1, 0)]      # of the four winners, only the third stood first
    shown = [replace(labels.show(task.id, name), order=order)
             for task, (name, *_), order in zip(tasks, votes, orders, strict=True)]
    for seen, (_, winner, flags) in zip(shown, votes, strict=True):
        labels.save_vote(seen, winner, flags=flags)
    rewards = {(f"It {i}", text): {"aaa": 1.0, "b": 0.0}[text] for i in range(3) for text in ("aaa", "b")}
    found = results(labels, "en", rewards)
    assert (found.votes, found.people, found.ties, found.both_bad) == (6, 2, 1, 1)
    assert {r.model: r.won for r in found.ratings} == pytest.approx({"x": 4 / 6, "y": 2 / 6})
    assert (found.longer.mean, found.longer.n) == (3 / 4, 4)
    assert (found.judge.mean, found.judge.n) == (1.0, 3)
    assert (found.first.mean, found.first.n) == (1 / 4, 4)


def test_votes_on_one_pair_are_counted_as_they_stand_on_the_screen(panel):
    labels = panel.workspace.labels
    task = labels.add_task("It", ["a", "b"])
    for name, winner in (("ana", 0), ("bo", 0), ("cy", 1), ("di", None)):
        labels.save_vote(labels.show(task.id, name), winner)
    assert on_this_pair(labels.judgements(), [0, 1]) == {"a": 2, "tie": 1, "b": 1, "bad": 0}
    assert on_this_pair(labels.judgements(), [1, 0]) == {"a": 1, "tie": 1, "b": 2, "bad": 0}


def test_results_are_for_those_who_have_voted_and_say_when_votes_are_few(panel):
    assert panel.results("ana", ALONE) is None
    pair, _ = panel.show("ana", ALONE)
    panel.vote("ana", answer(pair, "a"), ALONE)
    rates, ratings, habits = panel.results("ana", ALONE)["tables"]
    assert rates["rows"][0][:2] == ["tiny-base / tiny-ppo", "1"]
    assert "Only 1 vote: the intervals are still wide." in ratings["notes"]
    assert {row[0] for row in ratings["rows"]} == {"tiny-base", "tiny-ppo"}
    assert len(habits["rows"]) == 3
    assert panel.results("bo", ALONE) is None


def test_votes_do_not_teach_reward_models(panel):
    panel.show("ana", ALONE)
    assert {task.split for task in panel.workspace.labels.tasks()} == {"heldout"}


def test_without_a_saved_example_there_are_no_pairs_and_no_rewards(panel, monkeypatch):
    def missing(lang):
        raise FileNotFoundError
    monkeypatch.setattr(shared, "example", missing)
    assert panel.show("ana", ALONE)[0]["empty"].startswith("There are no pairs yet")
    assert vote_pairs.rewards("en") == {}


# A match of one's own

@pytest.fixture
def match(panel, policy, tmp_path):
    """Two policies on the shelf, of which one writes otherwise."""
    other = policy.reference()
    other.lm.transformer.wte.weight.data.mul_(1.3)
    for name, model in (("before", policy), ("after", other)):
        zoo.save_policy(model, tmp_path / name)
    panel.workspace.shelf.named = {name: str(tmp_path / name) for name in ("before", "after")}
    return Match("en", panel.workspace)


def test_two_models_of_the_shelf_answer_my_prompts_and_only_their_pairs_are_shown(panel, match):
    panel.show("ana", ALONE)                                        # the example's pairs are there
    *_, (there, line) = match.write("after", "before", 5, "the lamp\n\n  the bag \nthe lamp\n" + "x" * 3000)
    assert there == '["after", "before"]'
    assert line.endswith("2 lines were left out: too long, there twice, or beyond the first 50.")
    tasks = [task for task in panel.workspace.labels.tasks() if task.responses[0].seed is not None]
    assert {task.prompt for task in tasks} <= {"the lamp", "the bag"}
    assert {task.split for task in tasks} == {"heldout"}
    assert match.offered(there)["choices"][1] == (f"after / before ({len(tasks)})", there)
    seen = set()
    while "task" in (pair := panel.show("ana", ALONE, there)[0]):
        assert "after" not in json.dumps(pair)
        panel.vote("ana", answer(pair, "tie"), ALONE)
        seen.add(pair["task"])
    assert seen == {task.id for task in tasks}
    assert panel.show("ana", ALONE)[0]["task"] not in seen          # of all the pairs the others are left


def test_without_prompts_held_out_ones_are_taken_and_a_second_press_takes_others(panel, match):
    for _ in range(2):
        assert list(match.write("after", "before", 3, " "))[-1][0]
    assert len({task.prompt for task in panel.workspace.labels.tasks()}) > 3


@pytest.mark.parametrize(("first", "second", "prompts", "said"), [
    ("after", "after", "", "same_model"), ("after", "", "", "choose_two"), ("../../etc", "after", "", "choose_two"),
    ("after", "before", "y" * 3000, "no_prompts")])
def test_what_cannot_be_a_match_is_said_before_anything_is_loaded(match, first, second, prompts, said):
    assert match.refused(first, second, prompts) == match.words(said)
    assert list(match.write(first, second, 3, prompts)) == [(None, match.words(said))]
    assert match.workspace.shelf.loaded() == 0


def test_win_rate_by_hand(panel):
    """Of ten votes on new against old seven are won, one is a tie, one both bad: 8/10, by Wilson 0.49 to 0.94."""
    labels = panel.workspace.labels
    for i in range(10):
        task = labels.add_task(f"It {i}", [Response(f" a {i}", "new"), Response(f" b {i}", "old")], kind="vote")
        said = 0 if i < 7 else None if i < 9 else 1
        labels.save_vote(labels.show(task.id, "ana"), said, flags=[BOTH_BAD] if i == 8 else [])
    found, = results(labels, "en", {}).matches
    assert (found.first, found.second, found.won, found.tied, found.rate.n) == ("new", "old", 7, 2, 10)
    assert (found.rate.mean, round(found.rate.low, 3), round(found.rate.high, 3)) == (0.8, 0.490, 0.943)


@pytest.mark.parametrize("sent", [None, "", "x", "[1]", "[[], {}]", '["a", "b"]', 3, {"a": 1}])
def test_a_match_that_there_is_not_means_all(panel, sent):
    assert "task" in panel.show("ana", ALONE, sent)[0]
