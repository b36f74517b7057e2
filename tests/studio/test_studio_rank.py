"""The panel that ranks, without a browser: what it shows, keeps, refuses and takes back."""

import json
import sqlite3
from types import SimpleNamespace

import pytest

gr = pytest.importorskip("gradio")

from studio_example import NINE, example  # noqa: E402

from rlhf_kit import zoo  # noqa: E402
from rlhf_kit.labels import Labels, LabelsError  # noqa: E402
from rlhf_kit.studio import rank_tasks  # noqa: E402
from rlhf_kit.studio import workspace as shared  # noqa: E402
from rlhf_kit.studio.answers import BadAnswer, about, order, why  # noqa: E402
from rlhf_kit.studio.rank import Rank, echo, pairs  # noqa: E402
from rlhf_kit.studio.rank_lists import Lists  # noqa: E402
from rlhf_kit.studio.shelf import Shelf  # noqa: E402
from rlhf_kit.studio.verdicts import opinion  # noqa: E402
from rlhf_kit.studio.words import Words  # noqa: E402
from rlhf_kit.studio.workspace import Workspace  # noqa: E402
from rlhf_kit.tasks.reviews import Reviews  # noqa: E402

ALONE, CLASS = SimpleNamespace(username=None), SimpleNamespace(username="小明")
PLAIN = (4, "one", False)                                     # cards, questions, scores


@pytest.fixture
def panel(tmp_path, monkeypatch):
    monkeypatch.setattr(shared, "example", example)
    workspace = Workspace(tmp_path)
    yield Rank("en", workspace)
    workspace.labels.close()


def answer(cards, groups, **more):
    """What the page would send."""
    about = {key: cards[key] for key in ("annotator", "task", "repeat", "question")}
    return {**about, "groups": groups, "touched": True, "seconds": 3.5, **more}


def skipped(update):
    return update == gr.skip()


def test_what_is_saved_is_the_order_of_the_texts_on_the_screen(panel):
    cards, notice = panel.show("ana", *PLAIN, ALONE)
    assert notice is None
    after, notice, last = panel.save("ana", answer(cards, [[3], [0, 1], [2]]), *PLAIN, ALONE)
    said, = panel.workspace.labels.judgements("ana")
    texts = panel.workspace.labels.task(said.task_id).texts
    shown = cards["texts"]
    assert [{texts[i] for i in group} for group in said.groups] == [{shown[3]}, {shown[0], shown[1]}, {shown[2]}]
    assert [texts[i] for i in said.shown_order] == shown
    assert (said.seconds, said.lang, said.question) == (3.5, "en", "")
    assert notice == "Saved: D > A = B > C (5 pairs). Undo (Ctrl+Z) takes it back."
    assert after["task"] != cards["task"]
    assert last["groups"] == said.groups


def test_lists_of_each_size_in_each_language_come_from_the_saved_example(panel):
    for k in (4, 9):
        cards, _ = panel.show("ana", k, "one", False, ALONE)
        assert sorted(cards["texts"]) == sorted(NINE["en"][:k])
    chinese, _ = Rank("zh", panel.workspace).show("ana", *PLAIN, ALONE)
    assert set(chinese["texts"]) < set(NINE["zh"])
    assert panel.workspace.labels.count(kind="rank", k=4) == 40
    assert not {"model", "seed", "order"} & set(cards)


def test_an_untouched_order_is_not_saved(panel):
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    for touched in (False, None, 1, "true"):
        kept, notice, last = panel.save("ana", answer(cards, [[0], [1], [2], [3]], touched=touched), *PLAIN, ALONE)
        assert skipped(kept)
        assert skipped(last)
        assert notice == 'Move a card, or press "All equal".'
    assert not panel.workspace.labels.judgements()


@pytest.mark.parametrize("sent", [
    None, "order", 7, [], {}, {"task": 1}, {"task": "1"}, {"task": True}, {"task": -1}, {"task": 2**70},
    {"task": 999_999}, {"repeat": 2}, {"repeat": -1}, {"repeat": 0.5}, {"question": "who?"}, {"question": ["helpful"]},
    {"annotator": ""}, {"annotator": 5}, {"annotator": "a\nb"}, {"annotator": "\ud800"}, {"seconds": float("nan")},
    {"seconds": "3"}, {"groups": None}, {"groups": []}, {"groups": [[0], [1], [2]]}, {"groups": [[0], [1], [2], [2]]},
    {"groups": [[0], [1], [2], [4]]}, {"groups": [[0, 1, 2, 3], []]}, {"groups": [[0.0], [1], [2], [3]]},
    {"groups": [["A"], ["B"], ["C"], ["D"]]}, {"groups": [0, 1, 2, 3]}, {"groups": [[0]] * 100_000},
    {"groups": {"0": [1]}}, {"groups": [[{}], [1], [2], [3]]}])
def test_anything_may_come_from_the_browser(panel, sent):
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    good = answer(cards, [[0], [1], [2], [3]])
    bad = {**good, **sent} if isinstance(sent, dict) and sent and set(sent) <= set(good) else sent
    if sent == {"task": 1}:
        bad = sent
    kept, notice, _ = panel.save("ana", bad, *PLAIN, ALONE)
    assert skipped(kept)
    assert notice == Words("en", "labels")("bad_answer")
    assert not panel.workspace.labels.judgements()


def test_a_name_that_cannot_be_one_is_refused_and_the_page_keeps_the_cards(panel):
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    for name in ("", "  ", "a\nb", "x" * 101):
        kept, notice, _ = panel.save(name, answer(cards, [[0], [1], [2], [3]]), *PLAIN, ALONE)
        assert skipped(kept)
        assert notice.startswith("Write a name")


def test_in_a_class_the_name_is_the_one_given_at_the_door(panel):
    cards, _ = panel.show("somebody else", *PLAIN, CLASS)
    panel.save("somebody else", answer(cards, [[0], [1], [2], [3]]), *PLAIN, CLASS)
    assert [said.annotator for said in panel.workspace.labels.judgements()] == ["小明"]


def test_a_name_typed_after_the_list_was_shown_keeps_the_order_that_was_seen(panel):
    cards, _ = panel.show("me", *PLAIN, ALONE)
    panel.save("ana", answer(cards, [[2], [0], [1], [3]]), *PLAIN, ALONE)
    said, = panel.workspace.labels.judgements("ana")
    texts = panel.workspace.labels.task(said.task_id).texts
    assert [texts[i] for group in said.groups for i in group] == [cards["texts"][i] for i in (2, 0, 1, 3)]


def test_undo_brings_the_list_back_as_it_was(panel):
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    panel.save("ana", answer(cards, [[3], [0, 1], [2]]), *PLAIN, ALONE)
    back, notice = panel.undo("ana", *PLAIN, ALONE)
    assert (back["task"], back["texts"], back["touched"]) == (cards["task"], cards["texts"], True)
    assert back["groups"] == [[3], [0, 1], [2]]
    assert notice.startswith("Taken back")
    assert not panel.workspace.labels.judgements()
    assert panel.undo("ana", *PLAIN, ALONE)[1] == "There is nothing left to undo."


def test_undo_leaves_votes_alone_and_brings_back_what_was_skipped(panel):
    labels = panel.workspace.labels
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    after, notice = panel.skip("ana", answer(cards, []), *PLAIN, ALONE)
    assert notice.startswith("Skipped")
    assert after["task"] != cards["task"]
    labels.save_vote(labels.show(labels.add_task("It", ["a", "b"]).id, "ana"), 0)
    assert panel.undo("ana", *PLAIN, ALONE)[0]["task"] == cards["task"]
    assert [said.kind for said in labels.judgements("ana")] == ["vote"]


def test_two_tabs_of_one_annotator(panel):
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    panel.save("ana", answer(cards, [[0], [1], [2], [3]]), *PLAIN, ALONE)
    _, notice, _ = panel.save("ana", answer(cards, [[3], [2], [1], [0]]), *PLAIN, ALONE)
    assert "replaces the old one" in notice
    assert len(panel.workspace.labels.judgements("ana")) == 1
    back, _ = panel.undo("ana", *PLAIN, ALONE)
    assert back["groups"] == [[3], [2], [1], [0]]
    assert len(panel.workspace.labels.judgements("ana")) == 1            # the first tab's counts again


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_locked_file_is_said_and_the_order_stays(panel, lang, tmp_path):
    panel = Rank(lang, panel.workspace)
    panel.workspace.labels.close()
    panel.workspace.labels = Labels(tmp_path / "labels.db", timeout=0.05)
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    other = sqlite3.connect(tmp_path / "labels.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    kept, notice, _ = panel.save("ana", answer(cards, [[0], [1], [2], [3]]), *PLAIN, ALONE)
    other.close()
    assert skipped(kept)
    assert notice == Words(lang, "labels")("not_saved") + Words(lang, "labels")("not_saved_locked")
    assert panel.save("ana", answer(cards, [[0], [1], [2], [3]]), *PLAIN, ALONE)[1].startswith(("Saved", "已保存"))


def test_two_questions_are_asked_one_after_the_other_about_each_list(panel):
    two = (4, "two", False)
    helpful, _ = panel.show("ana", *two, ALONE)
    harmless, _, _ = panel.save("ana", answer(helpful, [[0], [1], [2], [3]]), *two, ALONE)
    assert (helpful["question"], harmless["question"]) == ("helpful", "harmless")
    assert (harmless["task"], harmless["texts"]) == (helpful["task"], helpful["texts"])
    other, _, _ = panel.save("ana", answer(harmless, [[3], [1], [2], [0]]), *two, ALONE)
    assert other["question"] == "helpful"
    assert other["task"] != helpful["task"]
    assert {said.question for said in panel.workspace.labels.judgements()} == {"helpful", "harmless"}


def test_scores_and_flags_are_tasks_of_their_own_and_undo_takes_them_back(panel):
    mode, labels = (4, "one", True), panel.workspace.labels
    cards, _ = panel.show("ana", *mode, ALONE)
    sent = answer(cards, [[0], [1], [2], [3]], scores=[7, 5, 3, 1], flags=[[], [], [], ["facts", "harmful"]])
    panel.save("ana", sent, *mode, ALONE)
    scores = {labels.task(said.task_id).texts[0]: (said.score, said.flags) for said in labels.scores("ana")}
    assert scores == {text: (score, flags) for text, score, flags in zip(
        cards["texts"], (7, 5, 3, 1), ((), (), (), ("facts", "harmful")), strict=True)}
    back, _ = panel.undo("ana", *mode, ALONE)
    assert (back["scores"], back["flags"][3]) == ([7, 5, 3, 1], ["facts", "harmful"])
    assert not labels.judgements()


@pytest.mark.parametrize("more", [
    {}, {"scores": [1, 2, 3], "flags": [[]] * 4}, {"scores": [0, 2, 3, 4], "flags": [[]] * 4},
    {"scores": [8, 2, 3, 4], "flags": [[]] * 4}, {"scores": [None] * 4, "flags": [[]] * 4},
    {"scores": [1, 2, 3, 4], "flags": [["=cmd"]] * 4}, {"scores": [1, 2, 3, 4], "flags": [[{}]] * 4}])
def test_scores_are_checked_too(more):
    with pytest.raises(BadAnswer):
        order({"groups": [[0], [1], [2], [3]], "touched": True, **more}, 4, instruct=True)


def test_seconds_are_kept_within_a_day():
    sent = {"task": 1, "annotator": "ana", "question": "", "repeat": 0}
    assert [about({**sent, "seconds": s}).seconds for s in (-5, 3, 1e12)] == [0.0, 3.0, 86_400.0]


def test_every_tenth_list_comes_again_turned_round_and_the_end_says_how_far_one_agrees(panel):
    seen, cards = {}, panel.show("ana", *PLAIN, ALONE)[0]
    while "empty" not in cards:
        if cards["repeat"]:
            assert cards["texts"] == seen[cards["task"]][::-1]
        seen.setdefault(cards["task"], cards["texts"])
        best_first = sorted(range(4), key=lambda i: NINE["en"].index(cards["texts"][i]))
        cards, _, _ = panel.save("ana", answer(cards, [[i] for i in best_first]), *PLAIN, ALONE)
    assert len(seen) == 20
    assert sum(said.repeat for said in panel.workspace.labels.judgements()) == 2
    assert cards["empty"] == "All 20 done. Your self-agreement: 100 %."


def test_without_a_saved_example_the_page_says_how_to_get_lists(panel, monkeypatch):
    def missing(lang):
        raise FileNotFoundError
    monkeypatch.setattr(shared, "example", missing)
    assert "Sample a new list" in panel.show("ana", *PLAIN, ALONE)[0]["empty"]


def test_more_adds_a_list_that_a_model_wrote_and_shows_it_if_nothing_else_is(panel, monkeypatch):
    def missing(lang):
        raise FileNotFoundError
    monkeypatch.setattr(shared, "example", missing)
    monkeypatch.setattr(rank_tasks, "sample", lambda writer, prompt, k, seed: [f" {seed} {i}" for i in range(k)])
    monkeypatch.setattr(Shelf, "prepare", lambda shelf, wanted, lang: iter(()))
    monkeypatch.setattr(Shelf, "policy", lambda shelf, name, lang: None)
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    *_, (shown, notice) = panel.more("ana", cards, *PLAIN, ALONE)
    assert len(shown["texts"]) == 4
    *_, (second, notice) = panel.more("ana", shown, *PLAIN, ALONE)
    assert second is None
    assert notice.startswith("A new list")
    assert panel.workspace.labels.count(k=4) == 2


def test_an_order_as_people_write_it():
    assert echo([[3], [1, 0], [2], [4]]) == "D > A = B > C > E"
    assert pairs([[3], [1, 0], [2], [4]]) == 9
    assert pairs([[0, 1, 2, 3]]) == 0


def test_the_reward_models_opinion_by_hand():
    import torch

    def reward(prompts, responses):
        return torch.tensor([2.0, 0.0, 1.0])
    found = opinion(reward, "It", ["a", "b", "c"], [[0], [1], [2]])
    assert (found["rank"], found["right"], found["pairs"]) == ([1, 3, 2], 2.0, 3)
    assert found["loss"] == pytest.approx((0.126928 + 0.313262 + 1.313262) / 3, abs=1e-5)      # ln(1 + e^-gap)
    assert opinion(reward, "It", ["a", "b", "c"], [[0, 1, 2]])["loss"] is None


def test_the_verdict_stands_beside_the_order_and_a_deleted_model_is_said(panel, monkeypatch, tmp_path):
    import torch
    judge = SimpleNamespace(score=lambda prompts, responses: torch.arange(4.0), reads_chats=False)
    find = Shelf.judge
    monkeypatch.setattr(Shelf, "judge", lambda shelf, name, lang: judge if name == "tiny-rm-en"
                        else find(shelf, name, lang))
    monkeypatch.setattr(Shelf, "untrained", lambda shelf, wanted, lang: [])
    cards, _ = panel.show("ana", *PLAIN, ALONE)
    *_, last = panel.save("ana", answer(cards, [[3], [0], [1], [2]]), *PLAIN, ALONE)
    *_, (verdict, notice) = panel.opinion_if_here(last, "tiny-rm-en")
    assert [row["card"] for row in verdict["rows"]] == ["D", "A", "B", "C"]
    assert [row["text"] for row in verdict["rows"]] == [cards["texts"][i] for i in (3, 0, 1, 2)]
    assert notice is None
    assert verdict["numbers"].startswith("tiny-rm-en has")
    asking, *_ = Rank("zh", panel.workspace).opinion(last, "mine · judge")
    assert asking[1].startswith("正在问 mine · 评判模型。")
    assert list(panel.opinion(last, "../../etc"))[-1][1].startswith("This reward model cannot be read")
    assert list(panel.opinion(None, "tiny-rm-en"))[-1][1] == "Save an order first."


def test_reward_models_trained_in_the_studio_can_be_asked(panel):
    scores = '{"architectures": ["XForSequenceClassification"], "id2label": {"0": "r"}}'
    for name, job, config in (("mine", "rewardmodel", scores), ("broken", "", "{"),
                              ("policy", "sft", '{"architectures": ["GPT2LMHeadModel"]}')):
        run = panel.workspace.folder / "runs" / name
        (run / "model").mkdir(parents=True)
        (run / "settings.json").write_text(json.dumps({"job": job, "lang": "en"}))
        (run / "model" / "config.json").write_text(config)
    offered = panel.open("ana", *PLAIN, ALONE)[1]
    assert ("mine", "mine") in offered["choices"]
    assert not {"policy", "broken"} & set(offered["choices"])
    assert offered["value"] == "mine"
    assert panel.judges("tiny-judge-en")["value"] == "tiny-judge-en"
    assert panel.judges("deleted since")["value"] == "mine"
    assert Rank("zh", panel.workspace).judges()["value"] == "tiny-rm-zh"


@pytest.mark.parametrize(("code", "said"), [(sqlite3.SQLITE_FULL, "The disk is full"), (sqlite3.SQLITE_BUSY, "Another"),
                                            (sqlite3.SQLITE_IOERR, "Try again.")])
def test_why_something_was_not_saved(code, said):
    cause, error = sqlite3.OperationalError("x"), LabelsError("x")
    cause.sqlite_errorcode = code | 2 << 8                     # SQLite's extended codes end with the plain one
    error.__cause__ = cause
    assert said in why("en", error)
    assert "kept on this page" in why("en", error)


# Lists of one's own

@pytest.fixture
def lists(panel, policy, tmp_path):
    zoo.save_policy(policy, tmp_path / "mine")
    panel.workspace.shelf.named = {"mine": str(tmp_path / "mine")}
    return Lists("en", panel.workspace)


def test_a_model_of_the_shelf_writes_lists_to_my_prompts_and_they_are_shown(panel, lists):
    panel.show("ana", *PLAIN, ALONE)                                # the example's lists are there
    *_, (there, line) = lists.write("mine", 12, 'the lamp\n{"prompt": "the bag"}\nthe lamp\n', 4)
    assert there == "mine"
    assert line.startswith("2 new lists of 2 prompts; they are shown now. 1 line was left out")
    assert lists.offered(there)["choices"][1] == ("mine (2)", "mine")
    seen = []
    for _ in range(2):
        cards, _ = panel.show("ana", *PLAIN, ALONE, "mine")
        seen.append(cards["prompt"])
        assert "of 2." in cards["asked"]
        panel.save("ana", answer(cards, [[0], [1], [2], [3]]), *PLAIN, ALONE, "mine")
    assert sorted(seen) == ["the bag", "the lamp"]
    assert "All 2 done." in panel.show("ana", *PLAIN, ALONE, "mine")[0]["empty"]
    assert {task.split for task in panel.workspace.labels.tasks()} == {"train"}
    assert len(panel.workspace.labels.rankings(split="train")) == 2         # a reward model learns from them


def test_prompts_of_the_world_are_those_to_train_on_and_others_each_time(lists):
    for _ in range(2):
        list(lists.write("mine", 3, "", 4))
    prompts = [task.prompt for task in lists.workspace.labels.tasks()]
    assert len({*prompts}) == len(prompts) > 3          # of some it may write too few that differ
    assert not {*prompts} & {*Reviews("en").prompts("heldout", 200)}


@pytest.mark.parametrize(("writer", "prompts", "said"), [
    ("", "", "no_writer"), ("../../etc", "", "no_writer"), ("mine", "x" * 3000, "no_prompts")])
def test_what_cannot_be_written_is_said_before_anything_is_loaded(lists, writer, prompts, said):
    assert lists.refused(writer, prompts) == lists.words(said)
    assert list(lists.write(writer, 3, prompts, 4)) == [(None, lists.words(said))]
    assert lists.workspace.shelf.loaded() == 0


def test_a_model_that_says_one_thing_only_makes_no_list_and_that_is_said(lists, monkeypatch):
    monkeypatch.setattr("rlhf_kit.studio.rank_tasks.ROUNDS", 0)
    *_, (there, line) = lists.write("mine", 3, "", 4)
    assert (there, line) == (None, "0 new lists of 3 prompts; they are shown now. For 3 prompts it wrote fewer than 4 "
                                   "different responses.")


def test_my_policy_writes_unless_i_pick_another(lists):
    assert lists.writers()["value"] == "mine"
    assert lists.writers("tiny-lm-en")["value"] == "tiny-lm-en"


def test_a_prompt_that_fills_the_context_is_said(lists):
    *_, (there, line) = lists.write("mine", 3, "the lamp is very pretty, " * 9, 4)
    assert there is None
    assert line.endswith("this model reads and writes at most 48 together. Shorten it.")
