"""What people said is there: once, as they said it, whoever else writes, and whenever somebody is killed."""

import os
import shutil
import signal
import sqlite3
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from children import small_disk, started

from rlhf_kit.formulas.records import Comparison, Ranking
from rlhf_kit.labels import BOTH_BAD, Labels, Response
from rlhf_kit.labels.database import SCHEMA, LabelsError
from rlhf_kit.storage import StorageError

ROOT = os.geteuid() == 0 if hasattr(os, "geteuid") else False
FOUR = [" is sturdy.", " broke.", " is fine.", " is 很好，\t\"quoted\"\n."]


@pytest.fixture
def labels(tmp_path):
    with Labels(tmp_path / "labels.db") as opened:
        yield opened


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


# Tasks

def test_a_task_comes_back_as_it_was_added(labels):
    responses = [Response(FOUR[3], "tiny", 7, {"temperature": 0.7}, 12), Response("")]
    task = labels.add_task("提示", responses, split="heldout")
    assert (task.prompt, task.responses, task.kind, task.split) == ("提示", tuple(responses), "vote", "heldout")
    assert labels.task(task.id) == task
    assert labels.tasks() == labels.tasks("heldout") == [task]
    assert labels.tasks("train") == []


def test_the_same_prompt_texts_and_models_are_one_task_in_any_order(labels):
    task = labels.add_task("It", FOUR)
    assert labels.add_task("It", FOUR[::-1]) == task
    named = labels.add_task("It", [Response(text, "m") for text in FOUR])
    assert labels.add_task("It.", FOUR) != task != named
    assert len(labels.tasks()) == 3


@pytest.mark.parametrize(("responses", "kind"), [(["a"], "score"), (["a", "b"], "vote"), (["a", "b", "c"], "rank")])
def test_how_many_responses_there_are_says_what_a_task_is_for(labels, responses, kind):
    assert labels.add_task("It", responses).kind == kind
    assert labels.next_task("ana", kind=kind).texts
    assert labels.next_task("ana", kind={"score": "vote"}.get(kind, "score")) is None


@pytest.mark.parametrize(("arguments", "said"), [
    (("It", []), "at least one text"), (("It", "abc"), "expected a list"), (("It", ["a", 3]), "no text"),
    (("\ud83d", ["a"]), "half a character"), (("It", ["a\udc00"]), "half a character")])
def test_what_is_no_task_is_refused_and_leaves_nothing(labels, arguments, said):
    with pytest.raises(ValueError, match=said):
        labels.add_task(*arguments)
    assert labels.tasks() == []


# Saving

def test_a_ranking_comes_back_with_everything_that_was_said(labels):
    labels.add_task("It", FOUR)
    shown = labels.next_task("ana", "helpful")
    saved = labels.save_ranking(shown, [[2], [3, 0], [1]], seconds=4.25, flags=["rude"], lang="zh")
    [found] = labels.judgements()
    assert found == saved
    assert (found.annotator, found.kind, found.question, found.repeat) == ("ana", "rank", "helpful", 0)
    assert (found.groups, found.ranks) == (((2,), (0, 3), (1,)), (2, 3, 1, 2))
    assert (found.shown_order, found.seconds, found.flags, found.lang) == (shown.order, 4.25, ("rude",), "zh")
    assert labels.rankings() == labels.rankings("ana", "helpful") == [Ranking("It", tuple(FOUR), (2, 3, 1, 2))]
    assert labels.rankings("ben") == labels.rankings("ana", "harmless") == labels.rankings(split="heldout") == []
    assert Comparison("It", FOUR[2], FOUR[1]) in labels.comparisons()
    assert len(labels.comparisons()) == 5


@pytest.mark.parametrize(("winner", "ranks"), [(0, (1, 2)), (1, (2, 1)), (None, (1, 1))])
def test_a_vote_is_a_ranking_of_two(labels, winner, ranks):
    labels.add_task("It", ["a", "b"])
    saved = labels.save_vote(labels.next_task("ana"), winner, flags=[BOTH_BAD])
    assert (saved.kind, saved.ranks, saved.flags) == ("vote", ranks, (BOTH_BAD,))
    assert labels.rankings() == [Ranking("It", ("a", "b"), ranks)]
    again = labels.save_ranking(labels.show(saved.task_id, "ana"), [[1], [0]], flags=[BOTH_BAD])
    assert (again.kind, len(labels.judgements())) == ("vote", 1)


def test_a_score_is_about_one_response(labels):
    labels.add_task("It", ["a"])
    labels.save_score(labels.next_task("ana"), 6, flags=["helpful"])
    [said] = labels.scores()
    assert (said.score, said.flags, labels.task(said.task_id).texts) == (6.0, ("helpful",), ("a",))
    assert labels.rankings() == []


def test_saying_the_same_twice_changes_nothing_and_saying_something_else_replaces_it(labels):
    shown = labels.show(labels.add_task("It", FOUR).id, "ana")
    first = labels.save_ranking(shown, [[2], [3, 0], [1]], seconds=1.0)
    assert labels.save_ranking(shown, [[2], [0, 3], [1]], seconds=9.0) == first     # within a tie there is no order
    assert len(labels.events()) == 1
    labels.save_ranking(shown, [[0], [1], [2], [3]])
    assert [r.ranks for r in labels.rankings()] == [(1, 2, 3, 4)]
    assert [event["before"] for event in labels.events()] == [None, first]


def test_each_annotator_question_and_repeat_has_its_own(labels):
    task = labels.add_task("It", FOUR)
    for annotator in ("ana", "ben", "陈"):
        for question in ("helpful", "harmless"):
            for repeat in (0, 1):
                labels.save_ranking(labels.show(task.id, annotator, question, repeat), [[0, 1], [2, 3]])
    assert len(labels.judgements()) == 12
    assert len(labels.rankings()) == 6                                              # repeats are not learnt from
    assert labels.progress() == {"tasks": 1, "judged": 1, "judgements": 12, "repeats": 6, "skips": 0,
                                 "annotators": {"ana": 4, "ben": 4, "陈": 4}}


@pytest.mark.parametrize("groups", [[[0], [1]], [[0], [1], [2], [2]], [[0], [1], [2], [4]], [[0, 1, 2, 3], []], [],
                                    [[0, 0], [1], [2], [3]], [[-1], [0], [1], [2]]])
def test_groups_that_are_no_order_of_all_responses_are_refused(labels, groups):
    shown = labels.show(labels.add_task("It", FOUR).id, "ana")
    with pytest.raises(ValueError, match="expected every position from 0 to 3 once, best first"):
        labels.save_ranking(shown, groups)
    assert labels.judgements() == labels.events() == []


def test_whatever_else_means_nothing_is_refused_in_a_line(labels):
    four, one = labels.show(labels.add_task("It", FOUR).id, "ana"), labels.show(labels.add_task("It", ["a"]).id, "ana")
    for refused, said in [
            (lambda: labels.save_vote(four, 0), "of 4 responses"), (lambda: labels.save_score(four, 3), "for one"),
            (lambda: labels.save_score(one, float("nan")), "finite"),
            (lambda: labels.save_ranking(one, [[0]]), "0 to 0"),
            (lambda: labels.save_score(one, 3, seconds=-1), "seconds is -1"),
            (lambda: labels.save_score(one, 3, flags="bad"), "list of words"), (lambda: labels.next_task(" "), "name"),
            (lambda: labels.next_task("a\nb"), "printable"), (lambda: labels.show(99, "ana"), "has no task 99"),
            (lambda: labels.show(1, "ana", repeat=-1), "repeat is -1"),
            (lambda: labels.next_task("ana", repeats=2), "repeats is 2")]:
        with pytest.raises(ValueError, match=said) as error:
            refused()
        assert "\n" not in str(error.value)
    assert labels.judgements() == []


def test_a_task_of_another_file_is_refused(labels, tmp_path):
    with Labels(tmp_path / "other.db") as other:
        shown = other.show(other.add_task("It", FOUR).id, "ana")
    with pytest.raises(ValueError, match=r"labels\.db has no task 1"):
        labels.save_ranking(shown, [[0], [1], [2], [3]])


# Undo and skip

def test_undo_restores_the_former_ranking_and_keeps_the_one_taken_back(labels):
    shown = labels.show(labels.add_task("It", FOUR).id, "ana")
    first = labels.save_ranking(shown, [[0], [1], [2], [3]], seconds=3.0, flags=["x"])
    second = labels.save_ranking(shown, [[3], [2], [1], [0]])
    undone = labels.undo("ana")
    assert (undone.action, undone.took_back, undone.restored) == ("save", second, first)
    assert labels.judgements() == [first]
    assert labels.events()[-1]["action"] == "undo"
    assert labels.events()[-1]["before"] == second
    assert labels.undo("ana").restored is None
    assert labels.judgements() == []
    assert labels.undo("ana") is None
    assert [(e["action"], e["undone"]) for e in labels.events()] == [("save", True), ("save", True), ("undo", False),
                                                                     ("undo", False)]


def test_undo_goes_back_over_tasks_and_touches_nobody_else(labels):
    tasks = [labels.add_task(f"prompt {i}", FOUR) for i in range(3)]
    for task in tasks:
        for name in ("ana", "ben"):
            labels.save_ranking(labels.show(task.id, name), [[0], [1], [2], [3]])
    assert [labels.undo("ana").task_id for _ in range(2)] == [tasks[2].id, tasks[1].id]
    assert Counter(j.annotator for j in labels.judgements()) == {"ana": 1, "ben": 3}
    labels.save_ranking(labels.show(tasks[1].id, "ana"), [[1], [0], [2], [3]])
    assert labels.undo("ana").task_id == tasks[1].id
    assert labels.undo("ana").task_id == tasks[0].id


def test_a_skipped_task_is_not_offered_again_until_the_skip_is_undone(labels):
    labels.add_task("It", FOUR)
    shown = labels.next_task("ana")
    labels.skip(shown)
    labels.skip(shown)
    assert labels.next_task("ana") is None
    assert labels.next_task("ben").task == shown.task
    assert labels.next_task("ana", "another question").task == shown.task
    assert labels.progress()["skips"] == 1
    assert labels.undo("ana").action == "skip"
    assert labels.next_task("ana") == shown


# What is shown

def test_the_order_shown_is_a_permutation_of_its_own_that_the_seed_repeats(labels, tmp_path):
    ids = [labels.add_task(f"prompt {i}", FOUR).id for i in range(200)]
    orders = [labels.show(i, "ana").order for i in ids]
    assert all(sorted(order) == [0, 1, 2, 3] for order in orders)
    assert len(set(orders)) == 24
    firsts = Counter(order[0] for order in orders)
    assert min(firsts.values()) > 30                            # of 50 expected: nobody's place is fixed
    assert orders != [labels.show(i, "ben").order for i in ids]
    with Labels(tmp_path / "labels.db") as again, Labels(tmp_path / "labels.db", seed=1) as other:
        assert orders == [again.show(i, "ana").order for i in ids] != [other.show(i, "ana").order for i in ids]
    shown = labels.show(ids[0], "ana")
    assert shown.texts == tuple(FOUR[i] for i in shown.order)
    assert labels.show(ids[0], "ana", repeat=1).order == shown.order[::-1]


def test_everybody_gets_every_task_once_and_all_tasks_get_as_many(labels):
    for i in range(12):
        labels.add_task(f"prompt {i}", FOUR)
    paths = {name: [] for name in ("ana", "ben", "cleo")}
    for turn in range(12):
        for name, path in paths.items():
            shown = labels.next_task(name)
            assert shown == labels.next_task(name)              # a page loaded anew
            labels.save_ranking(shown, [[0], [1], [2], [3]])
            path.append(shown.task.id)
            counts = Counter(j.task_id for j in labels.judgements())
            spread = [counts[i] for i in range(1, 13)]
            assert max(spread) - min(spread) <= 2 - (turn < 4)
    assert all(sorted(path) == list(range(1, 13)) for path in paths.values())
    assert paths["ana"] != paths["ben"]
    assert labels.next_task("ana") is None


def test_repeats_come_in_the_share_asked_for_turned_round_and_no_sooner_than_others(labels):
    for i in range(20):
        labels.add_task(f"prompt {i}", FOUR)
    path = []
    while shown := labels.next_task("ana", repeats=0.2):
        labels.save_ranking(shown, [[0], [1], [2], [3]])
        path.append(shown)
    again = [shown for shown in path if shown.repeat]
    assert (len(path), len(again)) == (24, 4)
    for second in again:
        first = next(shown for shown in path if shown.task == second.task)
        assert second.order == first.order[::-1]
        assert path.index(second) - path.index(first) >= 5
    assert [shown.repeat for shown in path][:6] == [0, 0, 0, 0, 0, 1]


def test_repeats_are_of_the_kind_and_split_asked_for(labels):
    for i in range(4):
        labels.save_ranking(labels.show(labels.add_task(f"list {i}", FOUR).id, "ana"), [[0], [1], [2], [3]])
    vote, held_out = labels.add_task("pair", FOUR[:2]), labels.add_task("late", FOUR, split="heldout")
    assert labels.next_task("ana", kind="vote", repeats=0.5).task == vote
    assert labels.next_task("ana", split="heldout", repeats=0.5).task == held_out
    assert labels.next_task("ana", repeats=0.5).repeat == 1


# Import

def test_rankings_become_tasks_and_judgements_once(labels):
    rankings = [Ranking("q", ("x", "y", "z"), (1, 2, 2)), Ranking("p", ("b", "a"), (1, 2))]
    assert labels.add_rankings(rankings).tasks == 2
    assert labels.judgements() == []
    done = labels.add_rankings(rankings, "ana")
    assert (done.tasks, done.judgements, done.replaced, done.unchanged) == (0, 2, 0, 0)
    assert labels.rankings() == rankings
    assert labels.add_rankings(rankings, "ana").unchanged == 2
    assert labels.rankings() == rankings


def test_two_people_who_list_the_same_texts_in_another_order_judged_the_same_task(labels):
    labels.add_rankings([Ranking("", ("a", "b", "c"), (1, 2, 3))], "ana")
    labels.add_rankings([Ranking("", ("c", "a", "b"), (1, 2, 3))], "ben")
    assert len(labels.tasks()) == 1
    assert labels.rankings("ben") == [Ranking("", ("a", "b", "c"), (2, 3, 1))]


def test_texts_that_are_alike_keep_their_ranks(labels):
    twice = Ranking("q", ("same", "other", "same"), (1, 2, 3))
    labels.add_rankings([twice], "ana")
    labels.add_rankings([Ranking("q", ("other", "same", "same"), (2, 1, 3))], "ben")
    assert labels.rankings() == [twice, twice]


def test_the_same_task_twice_in_one_import_is_a_repeat_and_another_opinion_later_replaces(labels):
    first, second = Ranking("q", ("x", "y"), (1, 2)), Ranking("q", ("y", "x"), (1, 2))
    labels.add_rankings([first, second], "ana")
    assert [(j.repeat, j.ranks) for j in labels.judgements()] == [(0, (1, 2)), (1, (2, 1))]
    assert labels.add_rankings([second], "ana").replaced == 1
    assert [event["before"].ranks for event in labels.events() if event["action"] == "import"] == [(1, 2)]
    assert labels.undo("ana") is None


def test_an_import_is_all_or_nothing(labels):
    rankings = [Ranking("q", ("x", "y"), (1, 2)), Ranking("p", ("a\ud800", "b"), (1, 2))]
    with pytest.raises(ValueError, match="half a character"):
        labels.add_rankings(rankings, "ana")
    assert labels.tasks() == []


# Several at once

def annotate(path: str, name: str, n: int) -> None:
    with Labels(path) as mine:
        for i in range(n):
            mine.add_task(f"prompt {i}", FOUR)
            mine.save_ranking(mine.show(i + 1, name), [[0, 1], [2], [3]])
            mine.save_ranking(mine.show(i + 1, name), [[i % 4], [j for j in range(4) if j != i % 4]])


def all_there(path: Path, people: int, n: int) -> None:
    processes = [started(annotate, str(path), f"person {i}", n) for i in range(people)]
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    with Labels(path, read_only=True) as labels:
        assert len(labels.tasks()) == n
        said = labels.judgements()
        assert Counter(j.annotator for j in said) == {f"person {i}": n for i in range(people)}
        assert all(j.groups[0] == ((j.task_id - 1) % 4,) for j in said)
        assert len(labels.events()) == 2 * people * n
    assert sound(path)


def sound(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)] and not db.execute(
            "PRAGMA foreign_key_check").fetchall()


@pytest.mark.slow
def test_what_four_processes_write_at_once_is_all_there(tmp_path):
    """They make the file, its tables and the tasks at once too."""
    all_there(tmp_path / "labels.db", people=4, n=25)


@pytest.mark.slow
def test_what_sixteen_processes_write_at_once_is_all_there(tmp_path):
    all_there(tmp_path / "labels.db", people=16, n=50)          # 100 saves each, and as many tasks that are there


def test_threads_may_share_one(labels):
    task = labels.add_task("It", FOUR)
    errors = []

    def work(name: str) -> None:
        try:
            for i in range(10):
                labels.save_ranking(labels.show(task.id, name, repeat=i), [[i % 4, (i + 1) % 4],
                                                                           [(i + 2) % 4, (i + 3) % 4]])
        except Exception as error:
            errors.append(error)
    threads = [threading.Thread(target=work, args=(f"person {i}",)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(labels.judgements()) == 60


# Killed

def stream(path: str, told: str, n: int, changes: bool) -> None:
    """Save label after label, and tell of each that it is saved; each second task is judged twice."""
    with Labels(path) as labels, open(told, "a", buffering=1) as acknowledged:
        for i in range(1, n + 1):
            shown = labels.show(i, "ana")
            labels.save_ranking(shown, [[0], [1], [2], [3]])
            if changes and i % 2:
                labels.save_ranking(shown, [[3], [2], [1], [0]])
            acknowledged.write(f"{i}\n")


@pytest.mark.parametrize("after", [17, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 60))])
def test_a_kill_loses_no_label_that_was_acknowledged_and_doubles_none(tmp_path, after):
    path, told = tmp_path / "labels.db", tmp_path / "told"
    with Labels(path) as labels:
        labels.add_rankings([Ranking(f"prompt {i}", FOUR, (1, 2, 3, 4)) for i in range(400)])
    told.touch()
    process = started(stream, str(path), str(told), 400, True)
    limit = time.monotonic() + 60
    while told.read_text().count("\n") < after and time.monotonic() < limit:
        time.sleep(0.001)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    acknowledged = [int(line) for line in told.read_text().splitlines(keepends=True) if line.endswith("\n")]
    assert len(acknowledged) >= after
    with Labels(path) as labels:
        said = {j.task_id: j.ranks for j in labels.judgements()}
        assert len(said) == len(labels.judgements())
        assert {i: said[i] for i in acknowledged} == {i: (4, 3, 2, 1) if i % 2 else (1, 2, 3, 4) for i in acknowledged}
        assert len(said) <= len(acknowledged) + 1               # at most the one that was under way
        events = labels.events()
        assert len(said) == sum(event["before"] is None for event in events)
    assert sound(path)


def killed_in_import(path: str, rows: int) -> None:
    from rlhf_kit.labels import store as module
    add, calls = module.add_task_row, []

    def add_and_die(*arguments):
        calls.append(1)
        if len(calls) == rows:
            os.kill(os.getpid(), signal.SIGKILL)
        return add(*arguments)
    module.add_task_row = add_and_die
    with Labels(path) as labels:
        labels.add_rankings([Ranking(f"prompt {i}", FOUR, (1, 2, 3, 4)) for i in range(1000)], "ana")


def test_a_kill_in_the_middle_of_an_import_leaves_nothing_of_it(tmp_path):
    path = tmp_path / "labels.db"
    with Labels(path) as labels:
        labels.save_ranking(labels.show(labels.add_task("It", FOUR).id, "ana"), [[0], [1], [2], [3]])
    process = started(killed_in_import, str(path), 700)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    with Labels(path) as labels:
        assert labels.progress() == {"tasks": 1, "judged": 1, "judgements": 1, "repeats": 0, "skips": 0,
                                     "annotators": {"ana": 1}}
        assert labels.add_rankings([Ranking("q", ("x", "y"), (1, 2))], "ana").judgements == 1


# Files that cannot be used

def refused(folder: Path, open_it, *said: str) -> None:
    """One line that says all of this, and nothing in the folder is another than before."""
    before = files(folder)
    with pytest.raises(LabelsError) as error:
        open_it()
    line = str(error.value)
    assert "\n" not in line
    assert line.endswith(".")
    assert all(text in line for text in said), line
    assert files(folder) == before
    assert isinstance(error.value, StorageError)


@pytest.fixture
def filled(tmp_path) -> Path:
    """A file with one label, closed."""
    folder = tmp_path / "folder"
    folder.mkdir()
    with Labels(folder / "labels.db") as labels:
        labels.save_ranking(labels.show(labels.add_task("It", FOUR).id, "ana"), [[0], [1], [2], [3]])
    assert list(files(folder)) == ["labels.db"]
    return folder / "labels.db"


def alter(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(statement)
        db.commit()


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_from_a_newer_version(filled, read_only):
    alter(filled, f"PRAGMA user_version = {SCHEMA + 1}")
    refused(filled.parent, lambda: Labels(filled, read_only=read_only), "labels.db has version 2, from a newer",
            "knows version 1", "Install a newer")


def test_a_newer_version_that_is_still_in_the_log(filled):
    """As after a kill of the newer program: the first bytes of the file are old."""
    with closing(sqlite3.connect(filled)) as db:
        db.execute(f"PRAGMA user_version = {SCHEMA + 7}")
        db.commit()
        for suffix in ("", "-wal"):
            shutil.copy(f"{filled}{suffix}", f"{filled.parent / 'copy.db'}{suffix}")
    with pytest.raises(LabelsError, match="has version 8, from a newer"):
        Labels(filled.parent / "copy.db")


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("content", [b"prompt,chosen\n", b"\x89PNG" * 99, b"SQLite format 3\0", b"x"])
def test_a_file_that_is_no_database(tmp_path, content, read_only):
    (tmp_path / "it").write_bytes(content)
    refused(tmp_path, lambda: Labels(tmp_path / "it", read_only=read_only), "it is no database of labels",
            "left as it is")


@pytest.mark.parametrize("mark", ["SELECT 1", "PRAGMA user_version = 3", "PRAGMA application_id = 77",
                                  "PRAGMA journal_mode = WAL"])
def test_a_database_of_somebody_else(tmp_path, mark):
    alter(tmp_path / "it", "CREATE TABLE task (mine TEXT)")
    alter(tmp_path / "it", mark)
    for read_only in (False, True):
        expected = "newer" if "user_version" in mark else "of another program"
        refused(tmp_path, lambda read_only=read_only: Labels(tmp_path / "it", read_only=read_only), expected,
                "left as it is", "ame another file")


def test_a_damaged_database(filled):
    raw = filled.read_bytes()
    filled.write_bytes(raw[:1000] + b"\xff" * (len(raw) - 1000))
    with pytest.raises(LabelsError, match=r"labels\.db is damaged .* Restore it from a copy"), Labels(filled) as labels:
        labels.judgements()
    filled.write_bytes(raw[:5000])
    with pytest.raises(LabelsError, match="is damaged"), Labels(filled) as labels:
        labels.judgements()


@pytest.mark.parametrize(("name", "said"), [
    ("nowhere/labels.db", "there is no folder"), (".", "is a folder"), ("file/labels.db", "there is no folder"),
    ("x" * 300, "File name too long"), ("/dev/null", "is not an ordinary file")])
def test_a_name_that_is_no_file_s(tmp_path, name, said):
    (tmp_path / "file").write_text("in the way")
    for read_only in (False, True):
        refused(tmp_path, lambda read_only=read_only: Labels(tmp_path / name, read_only=read_only), said)


def test_reading_needs_a_file_with_labels_and_changes_nothing(tmp_path, filled):
    refused(tmp_path, lambda: Labels(tmp_path / "none.db", read_only=True), "none.db does not exist")
    (tmp_path / "empty.db").touch()
    refused(tmp_path, lambda: Labels(tmp_path / "empty.db", read_only=True), "empty.db is empty; expected labels")
    before = files(filled.parent)
    with Labels(filled, read_only=True) as labels:
        assert len(labels.rankings()) == 1
        with pytest.raises(LabelsError, match="opened with read_only=True"):
            labels.undo("ana")
    assert files(filled.parent) == before
    with Labels(tmp_path / "empty.db") as labels:               # for writing an empty file is as good as none
        assert labels.tasks() == []


def test_a_file_that_somebody_else_is_writing(filled):
    with Labels(filled, timeout=0.1) as labels, closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for use in (lambda: labels.undo("ana"), lambda: Labels(filled, timeout=0.1)):
            refused(filled.parent, use, "labels.db is locked", "for more than 0.1 s", "Nothing of what was there is")
        assert len(labels.judgements()) == 1                    # who reads does not wait
        other.execute("ROLLBACK")
        assert labels.undo("ana").action == "save"


def test_a_file_that_somebody_has_for_himself(filled):
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        for read_only in (False, True):
            with pytest.raises(LabelsError, match=r"labels\.db is locked"):
                Labels(filled, timeout=0.1, read_only=read_only)


def test_a_short_wait_is_not_noticed(filled):
    with Labels(filled) as labels, closing(sqlite3.connect(filled, isolation_level=None,
                                                           check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        threading.Timer(0.3, lambda: other.execute("ROLLBACK")).start()
        assert labels.undo("ana").action == "save"


@contextmanager
def nobody():
    """Someone who is not root, to whom permissions mean something; yields a folder that they may look into."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def as_nobody():
    if ROOT:
        os.seteuid(65534)
    try:
        yield
    finally:
        if ROOT:
            os.seteuid(0)


@pytest.mark.parametrize("folder_mode", [0o755, 0o555])
def test_a_read_only_file_or_folder(filled, folder_mode):
    with nobody() as folder:
        place = folder / "labels.db"
        shutil.copy(filled, place)
        place.chmod(0o444)
        if folder_mode == 0o755 and ROOT:
            os.chown(folder, 65534, 65534)
        folder.chmod(folder_mode)
        with as_nobody():
            refused(folder, lambda: Labels(place), "labels.db cannot be written", "read-only", "Nothing was changed")
            with Labels(place, read_only=True) as labels:
                assert len(labels.rankings()) == 1              # reading works all the same
        folder.chmod(0o755)
        assert place.read_bytes() == filled.read_bytes()


def test_a_folder_in_which_nothing_can_be_made_and_a_file_that_cannot_be_read(filled):
    with nobody() as folder:
        folder.chmod(0o555)
        with as_nobody():
            refused(folder, lambda: Labels(folder / "new.db"), "new.db cannot be written", "folder is read-only")
        folder.chmod(0o755)
        shutil.copy(filled, folder / "secret.db")
        (folder / "secret.db").chmod(0)
        with as_nobody(), pytest.raises(LabelsError, match=r"secret\.db cannot be read: you may not"):
            Labels(folder / "secret.db")


def test_labels_in_the_log_of_a_read_only_folder_are_not_passed_over(filled):
    with nobody() as folder:
        with Labels(filled) as labels:
            labels.add_task("another", FOUR)
            for suffix in ("", "-wal"):
                shutil.copy(f"{filled}{suffix}", f"{folder / 'labels.db'}{suffix}")
        folder.chmod(0o555)
        with as_nobody(), pytest.raises(LabelsError, match=r"last labels lie beside it in labels\.db-wal"):
            Labels(folder / "labels.db", read_only=True)
        folder.chmod(0o755)


def test_a_full_disk_costs_the_label_under_way_and_no_other(filled):
    with Labels(filled) as labels:
        pages = labels._file._db.execute("PRAGMA page_count").fetchone()[0]
        labels._file._db.execute(f"PRAGMA max_page_count = {pages}")
        before = labels.judgements()
        with pytest.raises(LabelsError, match=r"the disk is full\. What was there before is unchanged"):
            labels.add_task("long", ["x" * 100_000])
        assert labels.judgements() == before
        labels._file._db.execute("PRAGMA max_page_count = 100000")
        labels.add_task("long", ["x" * 100_000])


def test_a_disk_that_is_really_full(tmp_path):
    try:
        with small_disk(tmp_path / "disk", 400_000) as disk, Labels(disk / "labels.db") as labels:
            def save(i: int) -> None:
                labels.save_vote(labels.show(labels.add_task(f"prompt {i}", ["x" * 5000, "y"]).id, "ana"), 0)
            saved = 0
            try:
                while saved < 1000:
                    save(saved)
                    saved += 1
            except LabelsError as error:
                assert "disk is full" in str(error)             # noqa: PT017
            assert 5 < saved < 1000
            assert len(labels.judgements()) == saved
    except PermissionError:
        pytest.skip("mounting is not allowed here")


def test_a_place_where_programs_cannot_share_a_file(tmp_path, monkeypatch):
    class Network(sqlite3.Connection):
        def execute(self, statement, *rest):
            return super().execute("SELECT 'delete'" if "journal_mode" in statement else statement, *rest)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Network))
    with pytest.raises(LabelsError, match="cannot share it"):
        Labels(tmp_path / "labels.db")


def test_looking_at_a_file_takes_no_lock_away_that_this_process_has_on_it(filled):
    """If it did, the other process would be the last to close, as it thinks, and throw the log away."""
    with Labels(filled) as labels:
        Labels(filled).close()
        Labels(filled, read_only=True).close()
        process = started(look, str(filled))
        process.join(60)
        assert process.exitcode == 0
        labels.save_ranking(labels.show(1, "ben"), [[0], [1], [2], [3]])
        with closing(sqlite3.connect(filled)) as other:
            assert other.execute("SELECT COUNT(*) FROM judgement").fetchone() == (2,)


def look(path: str) -> None:
    with Labels(path) as labels:
        labels.save_ranking(labels.show(1, "ana"), [[0, 1, 2, 3]])


def test_a_closed_one_says_so(filled):
    labels = Labels(filled)
    labels.close()
    labels.close()
    with pytest.raises(LabelsError, match="was closed here"):
        labels.tasks()


def test_an_interrupted_save_leaves_nothing_behind(labels, monkeypatch):
    shown = labels.show(labels.add_task("It", FOUR).id, "ana")

    def interrupted(*_):
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr("rlhf_kit.labels.store.note", interrupted)
        with pytest.raises(KeyboardInterrupt):
            labels.save_ranking(shown, [[0], [1], [2], [3]])
    assert labels.judgements() == []
    labels.save_ranking(shown, [[0], [1], [2], [3]])


def test_text_that_looks_like_sql_is_text(labels):
    name = "'); DROP TABLE judgement; --"
    task = labels.add_task(name, [name, "\0 NUL", "b"])
    labels.save_ranking(labels.show(task.id, name, name), [[0], [1], [2]], flags=[name])
    [found] = labels.judgements(name, name)
    assert (found.annotator, found.question, found.flags, labels.task(task.id).texts[1]) == (name, name, (name,),
                                                                                             "\0 NUL")


# Which tasks

def test_tasks_can_be_chosen_by_the_number_of_responses_and_the_language(labels):
    assert labels.add_tasks([("It", FOUR), ("It", FOUR[:3]), ("水壶", ["好。", "坏。", "行。"]), ("It", FOUR)]) == 3
    assert [labels.count(k=k) for k in (2, 3, 4)] == [0, 2, 1]
    assert (labels.count(lang="zh"), labels.count(k=3, lang="en"), labels.count(kind="vote")) == (1, 1, 0)
    assert labels.next_task("ana", k=4).task.prompt == "It"
    chinese = labels.next_task("ana", lang="zh")
    assert (chinese.task.prompt, chinese.task.lang) == ("水壶", "zh")
    labels.save_ranking(chinese, [[0], [1], [2]])
    assert labels.next_task("ana", lang="zh") is None
    assert labels.next_task("ana", lang="zh", repeats=1.0).repeat == 1
    assert labels.next_task("ana", lang="en", repeats=1.0).repeat == 0


def test_undo_can_leave_other_kinds_and_skips_alone(labels):
    vote, rank = (labels.show(labels.add_task("It", texts).id, "ana") for texts in (FOUR[:2], FOUR))
    labels.save_vote(vote, 0)
    labels.save_ranking(rank, [[0], [1], [2], [3]])
    labels.skip(labels.show(labels.add_task("Skipped", FOUR[:2]).id, "ana"))
    assert labels.said(vote).kind == "vote"
    assert labels.undo("ana", kinds=("vote",), skips=False).task_id == vote.task.id
    assert labels.undo("ana", kinds=("vote",)).action == "skip"
    assert labels.undo("ana", kinds=("vote",)) is None
    assert (labels.said(vote), labels.said(rank).kind) == (None, "rank")


@pytest.mark.parametrize(("overlap", "shared"), [(1, 0), (2, 5), (3, 9)])
def test_a_class_of_three_shares_as_much_as_it_is_asked_to(labels, overlap, shared):
    """Twenty lists, each person ranks three in turn with the others: nine rankings."""
    labels.add_tasks([(f"It {i}", ["a", "b", "c"]) for i in range(20)])
    for _ in range(3):
        for name in ("ana", "bo", "cy"):
            labels.save_ranking(labels.next_task(name, overlap=overlap), [[0], [1], [2]])
    judged = Counter(said.task_id for said in labels.judgements())
    assert sum(judged.values()) == 9
    assert sum(n for n in judged.values() if n > 1) >= shared
    assert max(judged.values()) <= overlap


def test_beyond_the_overlap_all_tasks_get_as_many(labels):
    labels.add_tasks([(f"It {i}", ["a", "b", "c"]) for i in range(4)])
    for name in ("ana", "bo", "cy", "di", "ed"):
        while shown := labels.next_task(name, overlap=2):
            labels.save_ranking(shown, [[0], [1], [2]])
    assert {*Counter(said.task_id for said in labels.judgements()).values()} == {5}


def test_tasks_can_be_chosen_by_number_repeats_too(labels):
    ids = [labels.add_task(f"It {i}", ["a", "b", "c"]).id for i in range(6)]
    for _ in range(2):
        labels.save_ranking(labels.next_task("ana", among=ids[:2]), [[0], [1], [2]])
    assert labels.next_task("ana", among=ids[:2]) is None
    assert labels.next_task("ana", among=ids[2:], repeats=1.0).task.id in ids[2:]
    assert labels.next_task("ana", among=[]) is None


def test_a_judgement_that_is_removed_is_kept_as_an_event_and_asked_again(labels):
    task = labels.add_task("It", ["a", "b", "c"])
    shown = labels.show(task.id, "ana")
    labels.save_ranking(shown, [[0], [1], [2]])
    said = labels.save_ranking(shown, [[2], [1], [0]])
    other = labels.save_ranking(labels.show(task.id, "bo"), [[0], [1], [2]])
    assert labels.remove(said)
    assert not labels.remove(said)
    assert labels.judgements() == [other]
    assert labels.events("ana")[-1]["before"] == said
    assert labels.undo("ana") is None                               # nothing comes back by itself
    assert labels.next_task("ana").task == task
    newer = labels.save_ranking(labels.show(task.id, "bo"), [[1], [0], [2]])
    assert not labels.remove(other)                                 # it says something else by now
    assert labels.judgements() == [newer]
