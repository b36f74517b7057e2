"""A run's folder: whose it is, what a failure or a stop leaves in it, and what it says a run has cost."""

import json
import os
from types import SimpleNamespace

import pytest

from rlhf_kit.loops.checkpoints import FILE
from rlhf_kit.runs import folder as module
from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.storage import StorageError, new_folder, write_text

SETTINGS = {"steps": 3, "model": "名字"}


def names(folder) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def stopped_by(place, error, write=()):
    """A run that writes these files and then ends with that error."""
    def work():
        with place.working(SETTINGS):
            for name in write:
                write_text(place.path / name, "x")
            raise error

    with pytest.raises(type(error)):
        work()


# Whose it is

def test_a_folder_is_claimed_by_its_settings(tmp_path):
    place = RunFolder(tmp_path / "out")
    place.claim(SETTINGS)
    RunFolder(tmp_path / "out").claim(dict(SETTINGS))
    assert json.loads((tmp_path / "out" / "settings.json").read_text(encoding="utf-8")) == SETTINGS
    with pytest.raises(StorageError, match=r"other settings.*--output.*--fresh"):
        place.claim({**SETTINGS, "steps": 4})


def test_somebody_elses_files_are_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    place = RunFolder(tmp_path)
    for attempt in (place.check, lambda: place.claim(SETTINGS), lambda: place.working(SETTINGS).__enter__()):
        with pytest.raises(StorageError, match="no run of the kit wrote"):
            attempt()
    place.clear()
    assert names(tmp_path) == ["letter.txt"]


def test_what_a_killed_claim_left_is_not_somebody_elses(tmp_path):
    (tmp_path / ".settings.json-abcdefgh.unfinished").write_text("{")
    RunFolder(tmp_path).check()
    with RunFolder(tmp_path).working(SETTINGS):
        assert ".settings.json-abcdefgh.unfinished" not in names(tmp_path)


def test_two_runs_do_not_write_at_once_and_the_second_may_follow(tmp_path):
    with RunFolder(tmp_path).working(SETTINGS):
        for attempt in (lambda: RunFolder(tmp_path).working(SETTINGS).__enter__(), RunFolder(tmp_path).clear):
            with pytest.raises(StorageError, match="in use by another run"):
                attempt()
        assert "settings.json" in names(tmp_path)
    with RunFolder(tmp_path).working(SETTINGS):
        pass


@pytest.mark.parametrize("place", ["file", "file/out", "file/deep/out"])
def test_a_file_in_the_way_is_named(tmp_path, place):
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"file is a file\. Name another folder"):
        RunFolder(tmp_path / place).check()


def test_a_place_that_is_not_there_yet_is_judged_by_the_nearest_folder_above(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(os, "access", lambda path, _: bool(asked.append(path)))
    with pytest.raises(StorageError, match=f"{tmp_path} is read-only for you"):
        RunFolder(tmp_path / "a" / "b").check()
    assert asked == [tmp_path]


# What is left

def test_a_failure_before_anything_was_saved_gives_the_folder_back(tmp_path):
    stopped_by(RunFolder(tmp_path / "new" / "out"), ValueError("no"), ["metrics.jsonl", "times.json"])
    assert names(tmp_path) == []
    (tmp_path / "mine").mkdir()
    stopped_by(RunFolder(tmp_path / "mine"), StorageError("no"))
    assert names(tmp_path / "mine") == []


@pytest.mark.parametrize("saved", ["checkpoints/checkpoint.safetensors", "language_model/model.safetensors",
                                   "updates/checkpoint.safetensors", "ratings.jsonl"])
def test_a_failure_keeps_what_can_be_gone_on_from(tmp_path, saved):
    stopped_by(RunFolder(tmp_path), ValueError("no"), [saved, "times.json"])
    assert {"settings.json", "times.json", saved.split("/")[0]} <= set(names(tmp_path))


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), GeneratorExit()])
def test_a_stop_is_no_failure_and_keeps_the_claim(tmp_path, stop):
    stopped_by(RunFolder(tmp_path), stop, ["times.json"])
    assert {"settings.json", "times.json"} <= set(names(tmp_path))


def test_a_refused_run_takes_nothing_of_the_one_that_is_there(tmp_path):
    RunFolder(tmp_path).claim(SETTINGS)
    with pytest.raises(StorageError, match="other settings"), RunFolder(tmp_path).working({"steps": 9}):
        pass
    assert names(tmp_path) == ["settings.json"]


def test_clearing_takes_all_that_runs_write_and_leaves_notes_beside_which_a_new_run_may_begin(tmp_path):
    place = RunFolder(tmp_path)
    place.claim(SETTINGS)
    for name in ("checkpoints/ppo/checkpoint.safetensors", "result.json", "metrics.jsonl", "report.html",
                 "updates/checkpoint.safetensors", "updates/after-3.safetensors", "ratings.jsonl", "notes.txt"):
        write_text(tmp_path / name, "x")
    for name in ("model", "policy", "judge", "snapshots/step-0010"):
        with new_folder(tmp_path / name) as made:
            (made / "model.safetensors").write_text("x")
    place.clear()
    assert names(tmp_path) == ["notes.txt"]
    place.check()
    with place.working({"steps": 9}):
        pass
    assert {"notes.txt", "settings.json"} <= set(names(tmp_path))


def test_what_somebody_put_into_a_runs_folders_survives_all_of_it(tmp_path):
    """A note in policy/ and one in checkpoints/, through the run's end, a second look, and --fresh."""
    place = RunFolder(tmp_path)
    mine = ("policy/notes.txt", "checkpoints/notes.txt", "snapshots/notes.txt", "updates/mine")
    with place.working(SETTINGS):
        with new_folder(tmp_path / "policy") as made:
            (made / "model.safetensors").write_text("x")
        write_text(tmp_path / "checkpoints" / "ppo" / FILE, "x")
        for name in mine:
            write_text(tmp_path / name, "mine")
        place.finish({"stages": {}})
    RunFolder(tmp_path).claim(SETTINGS)
    assert not (tmp_path / "checkpoints" / "ppo").exists()
    place.clear()
    with place.working(SETTINGS), new_folder(tmp_path / "policy") as made:      # and a new run may write around them
        (made / "model.safetensors").write_text("y")
    assert [(tmp_path / name).read_text() for name in mine] == ["mine"] * 4
    assert (tmp_path / "policy" / "model.safetensors").read_text() == "y"


def test_a_folder_of_somebodys_where_the_model_will_go_is_refused_before_the_work(tmp_path):
    RunFolder(tmp_path).claim(SETTINGS)
    write_text(tmp_path / "policy" / "thesis.txt", "mine")
    with pytest.raises(StorageError, match=r"policy holds files that the kit did not write \(thesis.txt\)"), \
            RunFolder(tmp_path).working(SETTINGS):
        raise AssertionError("no work is done")
    assert (tmp_path / "policy" / "thesis.txt").read_text() == "mine"


def test_a_failure_gives_back_nothing_of_somebodys(tmp_path):
    place = RunFolder(tmp_path)
    with pytest.raises(ValueError, match="no"), place.working(SETTINGS):        # noqa: PT012
        write_text(tmp_path / "snapshots" / "notes.txt", "mine")
        raise ValueError("no")
    assert (tmp_path / "snapshots" / "notes.txt").read_text() == "mine"


# What it has cost

def clock(monkeypatch, *moments):
    """Wall clock and processor time at each look, in turn."""
    wall, cpu = iter([m for m, _ in moments]), iter([c for _, c in moments])
    clocks = SimpleNamespace(perf_counter=lambda: next(wall), process_time=lambda: next(cpu))
    monkeypatch.setattr(module, "time", clocks)


def test_a_stage_that_was_interrupted_counts_both_parts(tmp_path, monkeypatch):
    """10 to 13 s, stopped; again 100 to 104 s: 7 s together, and of the processor 2 + 1."""
    clock(monkeypatch, (10, 5), (13, 7), (100, 0), (104, 1), (104, 1), (105, 3))
    with pytest.raises(KeyboardInterrupt), RunFolder(tmp_path).timed("ppo"):
        raise KeyboardInterrupt
    with RunFolder(tmp_path).timed("ppo"):
        pass
    with RunFolder(tmp_path).timed("evaluate"):
        pass
    assert RunFolder(tmp_path).spent() == {
        "stages": {"ppo": {"cpu": 3.0, "wall": 7.0}, "evaluate": {"cpu": 2.0, "wall": 1.0}},
        "cpu_seconds": 5.0, "seconds": 8.0}


def test_the_result_comes_with_its_cost_and_takes_the_checkpoints(tmp_path, monkeypatch):
    clock(monkeypatch, (0, 0), (2, 1))
    place = RunFolder(tmp_path)
    with place.working(SETTINGS):
        with place.timed("sft"):
            write_text(tmp_path / "checkpoints" / "checkpoint.safetensors", "x")
        assert not place.finished
        place.finish({"loss": 1.5})
    assert place.finished
    assert place.result() == {"loss": 1.5, "stages": {"sft": {"cpu": 1.0, "wall": 2.0}}, "cpu_seconds": 1.0,
                              "seconds": 2.0}
    assert "checkpoints" not in names(tmp_path)


def test_a_run_is_finished_when_all_its_results_are_there(tmp_path):
    place = RunFolder(tmp_path, results=("result.json", "report.html"))
    for name in ("settings.json", "report.html", "result.json"):
        assert not place.finished
        write_text(tmp_path / name, "{}")
    assert place.finished


@pytest.mark.parametrize("content", ["", "{", '{"loss": 1'])
def test_a_damaged_result_is_said_in_one_line(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(StorageError, match=r"result\.json is damaged.*--fresh") as caught:
        RunFolder(tmp_path).result()
    assert "\n" not in str(caught.value)
