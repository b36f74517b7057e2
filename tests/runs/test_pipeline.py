"""The pipeline with stages that count: what is checked before anything is written, what is gone on from, who waits."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import pytest

from rlhf_kit.formulas.records import Step
from rlhf_kit.runs import pipeline
from rlhf_kit.runs.folder import Event
from rlhf_kit.runs.pipeline import Job, Metrics, Plan, Run, Stage
from rlhf_kit.storage import StorageError, is_complete, new_folder, write_text


def leave(run: Run, name: str, text: str) -> None:
    with new_folder(run.at(name)) as folder:
        (folder / "weights").write_text(text)


@dataclass(frozen=True, kw_only=True)
class Rounds(Job):
    """Two rounds of a model and a judge, each made of what the one before left, and a count of both."""

    name: ClassVar[str] = "rounds"
    steps: int = 3
    worst: int = 0                                      # the stage whose check refuses, counted from 1
    most: int = 8                                       # processes
    ran: list = field(default_factory=list, compare=False)

    def claim(self) -> dict[str, Any]:
        return {"job": self.name, "steps": self.steps}

    def plan(self, run: Run) -> Plan:
        self.ran.append("plan")
        seen: list[int] = []

        def stage(number: int) -> Stage:
            ours, before = f"model-{number}", f"model-{number - 1}"

            def work() -> Iterator[Step]:
                base = (run.at(before) / "weights").read_text() if number > 1 else ""
                for step in range(self.steps):
                    self.ran.append((number, step))
                    yield Step(step, {"loss": number + step / 10})
                leave(run, ours, f"{base}{number}")
            return Stage(f"round-{number}", work, total=self.steps, leaves=(ours,),
                         needs=(before,) if number > 1 else (), check=lambda n: self.check(number, n),
                         metrics=Metrics(every=2))

        def count() -> Iterator[Event]:
            yield Event("count", 1, 2)
            seen.append(len((run.at("model-2") / "weights").read_text()))
        return Plan([stage(1), stage(2), Stage("count", count, total=2)], lambda: {"characters": seen[0]})

    def check(self, number: int, processes: int) -> None:
        self.ran.append(f"check {number}")
        if number == self.worst or processes > self.most:
            raise ValueError(f"round {number} cannot be")


def events(job, folder, stop_at=None, **options) -> list[tuple]:
    """(stage, done, total, kept) to the end, or until everything is dropped there."""
    seen, stream = [], pipeline.run(job, folder, **options)
    for event in stream:
        seen.append((event.stage, event.done, event.total, event.kept))
        if seen[-1][:2] == stop_at:
            stream.close()
    return seen


def result(folder) -> dict:
    return json.loads((folder / "result.json").read_text())


def test_the_stages_run_in_order_and_the_result_comes_last(tmp_path):
    job = Rounds()
    stream = pipeline.run(job, tmp_path / "run")
    seen = [(event.stage, event.done, (tmp_path / "run" / "result.json").exists()) for event in stream]
    assert seen == [*(("round-1", n, False) for n in range(4)), *(("round-2", n, False) for n in range(4)),
                    *(("count", n, False) for n in range(3))]
    assert result(tmp_path / "run")["characters"] == 2
    assert list(result(tmp_path / "run")["stages"]) == ["round-1", "round-2", "count"]
    assert job.ran[:3] == ["plan", "check 1", "check 2"]


def test_whatever_it_was_stopped_at_the_same_job_ends_with_the_same_files(tmp_path):
    """Stopped at each event in turn, in one folder after the other; what is complete is not done again."""
    events(Rounds(), tmp_path / "whole")
    moments = [("round-1", 0), ("round-1", 2), ("round-2", 0), ("round-2", 3), ("count", 0), ("count", 2)]
    for number, moment in enumerate(moments):
        job, folder = Rounds(), tmp_path / str(number)
        events(job, folder, stop_at=moment)
        assert not pipeline.finished(job, folder)
        first = len(job.ran)
        again = events(job, folder)
        assert result(folder)["characters"] == result(tmp_path / "whole")["characters"]
        assert (folder / "metrics.jsonl").read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()
        kept = {stage for stage, *_, kept in again if kept}
        assert kept == {name for name, when in (("round-1", 2), ("round-2", 4)) if number >= when}
        assert all((int(name[-1]), 0) not in job.ran[first:] for name in kept)
        assert pipeline.finished(job, folder)


def test_all_stages_are_checked_before_the_first_begins(tmp_path):
    job = Rounds(worst=2)
    with pytest.raises(ValueError, match="round 2 cannot be"):
        events(job, tmp_path / "run")
    assert job.ran == ["plan", "check 1", "check 2"]
    assert not (tmp_path / "run").exists()


def test_fresh_throws_away_nothing_before_all_is_checked(tmp_path):
    events(Rounds(), tmp_path)
    with pytest.raises(ValueError, match="round 1 cannot be"):
        events(Rounds(worst=1), tmp_path, fresh=True)
    with pytest.raises(ValueError, match="--stage round-2 needs what --stage round-1 leaves"):
        events(Rounds(), tmp_path, fresh=True, stage="round-2")
    assert result(tmp_path)["characters"] == 2
    assert not any(kept for *_, kept in events(Rounds(steps=2), tmp_path, fresh=True))
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_one_stage_at_a_time_ends_as_in_one_go(tmp_path):
    for number, stage in enumerate(("round-1", "round-2", "count")):
        assert not pipeline.finished(Rounds(), tmp_path / "run"), number
        events(Rounds(), tmp_path / "run", stage=stage)
    assert result(tmp_path / "run")["characters"] == 2
    with pytest.raises(ValueError, match="--stage is 'merge'; expected one of round-1, round-2, count"):
        events(Rounds(), tmp_path / "other", stage="merge")


def test_a_damaged_model_is_made_again(tmp_path):
    job = Rounds()
    events(job, tmp_path, stop_at=("round-2", 1))
    (tmp_path / "model-1" / "weights").write_text("longer than it was")
    assert not is_complete(tmp_path / "model-1")
    events(job, tmp_path)
    assert (tmp_path / "model-2" / "weights").read_text() == "12"


def test_another_job_in_its_place_is_refused(tmp_path):
    events(Rounds(), tmp_path)
    with pytest.raises(StorageError, match="other settings"):
        events(Rounds(steps=9), tmp_path)
    with pytest.raises(StorageError, match="other settings"):
        pipeline.finished(Rounds(steps=9), tmp_path)
    write_text(tmp_path / "elsewhere" / "letter.txt", "dear")
    with pytest.raises(StorageError, match="no run of the kit wrote"):
        events(Rounds(), tmp_path / "elsewhere")


def test_a_job_for_one_process_refuses_to_be_started_as_two(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    job = Rounds()
    with pytest.raises(ValueError, match="2 processes were started, and rounds is a job for one"):
        events(job, tmp_path / "run")
    assert job.ran == []
    assert not (tmp_path / "run").exists()


def test_stages_hear_how_many_processes_there_are(tmp_path, monkeypatch):
    monkeypatch.setattr(Rounds, "several", True)
    monkeypatch.setattr(pipeline, "wait", lambda device: None)
    monkeypatch.setenv("WORLD_SIZE", "16")
    with pytest.raises(ValueError, match="round 1 cannot be"):
        events(Rounds(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_others_do_not_write_and_skip_what_is_the_main_one_s(tmp_path, monkeypatch):
    """As process 1 of 2, which meets nobody here: no result, no metrics, no claim, and the last stage not at all."""
    monkeypatch.setattr(Rounds, "several", True)
    monkeypatch.setattr(pipeline, "wait", lambda device: None)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")

    class Shared(Rounds):
        def plan(self, run):
            plan = super().plan(run)
            return replace(plan, stages=[*plan.stages[:2], replace(plan.stages[2], main_only=True)])
    seen = events(Shared(), tmp_path)
    assert {stage for stage, *_ in seen} == {"round-1", "round-2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model-1", "model-2"]


def test_a_file_that_is_named_belongs_to_the_run_and_a_task_only_if_it_is_named(tmp_path):
    @dataclass(frozen=True, kw_only=True)
    class Reads(Rounds):
        files: ClassVar[tuple[str, ...]] = ("data",)
        data: str | None = None
        task: str | None = None
        claim = Job.claim
    place = tmp_path / "a.txt"
    place.write_text("one")
    before = Reads(data=str(place)).claim()
    assert "task" not in before
    assert Reads(data=str(place), task="weather-en").claim()["task"] == "weather-en"
    place.write_text("two")
    assert Reads(data=str(place)).claim() != before
    assert Reads().claim()["files"] == {}


def test_a_folder_of_data_is_known_by_names_and_bytes(tmp_path):
    """Another digit in a file of the same size counts; so does a name with a line break that looks like two files."""
    def made(**files):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text)
        return pipeline.content(str(folder))
    assert made(a="1", b="2") == made(a="1", b="2")
    assert len({made(a="1", b="2"), made(a="1", b="3"), made(a="1"), made(b="1", a="2"), made(**{"a 1\nb": "2"})}) == 5
