"""A run followed elsewhere: every step once, whatever happened on the way, and nothing changed by being watched."""

import json
import subprocess
import sys
import types
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rlhf_kit import cli
from rlhf_kit.formulas.records import Step
from rlhf_kit.runs import pipeline, trackers
from rlhf_kit.runs.pipeline import Job, Metrics, Plan, Run, Stage
from rlhf_kit.storage import StorageError, new_folder


@dataclass(frozen=True, kw_only=True)
class Climb(Job):
    """Two stages; the second goes on where it was, and so yields its past steps again."""

    name: ClassVar[str] = "climb"
    steps: int = 6
    fails_at: int | None = None

    def claim(self) -> dict[str, Any]:
        return {"job": self.name, "steps": self.steps}

    def plan(self, run: Run) -> Plan:
        def base() -> Iterator[Step]:
            for n in range(2):
                yield Step(n, {"loss": 2.0 - n})
            with new_folder(run.at("model")) as folder:
                (folder / "weights").write_text("w")

        def ppo() -> Iterator[Step]:
            for n in range(self.steps):
                if n == self.fails_at:
                    raise RuntimeError("the cable was pulled")
                yield Step(n, {"score": n / 10, "gold": float("nan"), "kl": 1.0 + n})
        return Plan([Stage("language_model", base, total=2, leaves=("model",)),
                     Stage("ppo", ppo, total=self.steps, metrics=Metrics(every=1))], lambda: {})


class Notebook:
    """A tracker that keeps everything, also what comes twice; a new one in the same folder finds what is there."""

    pages: ClassVar[dict[Path, list]] = {}

    def __init__(self, folder, settings):
        self.points = self.pages.setdefault(folder, [])
        self.settings, self.closed = settings, False
        self.last = {stage: max(step for other, step, _ in self.points if other == stage)
                     for stage in {stage for stage, *_ in self.points}}
        self.where = ("track_tensorboard", {"command": "look"})

    def write(self, stage, step, values):
        self.points.append((stage, step, dict(values)))

    def close(self):
        self.closed = True


@pytest.fixture
def notebook(monkeypatch):
    """Stands where TensorBoard would."""
    monkeypatch.setattr(trackers, "_TensorBoard", Notebook)
    monkeypatch.setattr(trackers, "find_spec", lambda name: True)
    return Notebook.pages


EXPECTED = [*(("language_model", n) for n in (1, 2)), *(("ppo", n) for n in range(1, 7))]


def go(job, folder, stop_after=None, **options) -> list:
    seen, stream = [], pipeline.run(job, folder, **options)
    for event in stream:
        seen.append(event)
        if (event.stage, event.done) == stop_after:
            stream.close()
    return seen


def test_every_step_of_every_stage_is_a_point_with_the_stage_in_its_name(notebook, tmp_path):
    events = go(Climb(), tmp_path, track="tensorboard")
    points = notebook[tmp_path]
    assert [(stage, step) for stage, step, _ in points] == EXPECTED
    assert points[0][2] == {"language_model/loss": 2.0}
    assert points[-1][2] == {"ppo/score": 0.5, "ppo/kl": 6.0}             # a NaN is no point
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row["score"] for row in rows] == [values["ppo/score"] for stage, _, values in points if stage == "ppo"]
    assert events[0].note == ("track_tensorboard", {"command": "look"})


@pytest.mark.parametrize("moment", [("language_model", 1), ("language_model", 2), ("ppo", 0), ("ppo", 3), ("ppo", 6)])
def test_a_run_that_goes_on_sends_no_step_twice(notebook, tmp_path, moment):
    go(Climb(), tmp_path, stop_after=moment, track="tensorboard")
    go(Climb(), tmp_path, track="tensorboard")
    assert [(stage, step) for stage, step, _ in notebook[tmp_path]] == EXPECTED


def test_one_that_is_tracked_from_the_middle_on_gets_its_past_steps_too(notebook, tmp_path):
    go(Climb(), tmp_path, stop_after=("ppo", 3))
    go(Climb(), tmp_path, track="tensorboard")
    assert [(stage, step) for stage, step, _ in notebook[tmp_path]] == EXPECTED[2:]


def test_being_followed_changes_no_file_of_the_run(notebook, tmp_path):
    go(Climb(), tmp_path / "alone")
    go(Climb(), tmp_path / "followed", track="tensorboard")
    for name in ("settings.json", "metrics.jsonl"):
        assert (tmp_path / "alone" / name).read_text() == (tmp_path / "followed" / name).read_text()
    assert pipeline.finished(Climb(), tmp_path / "followed")


def test_a_run_that_fails_closes_its_tracker(monkeypatch, notebook, tmp_path):
    made = []
    monkeypatch.setattr(trackers, "_TensorBoard", lambda *all: made.append(Notebook(*all)) or made[0])
    with pytest.raises(RuntimeError, match="cable"):
        go(Climb(fails_at=3), tmp_path, track="tensorboard")
    assert made[0].closed
    assert made[0].settings["steps"] == 6


@pytest.mark.parametrize("name", trackers.TRACKERS)
def test_one_that_is_not_installed_is_refused_before_anything_runs(monkeypatch, tmp_path, name, capsys):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=f"pip install {name}"):
        go(Climb(), tmp_path / "run", track=name)
    typed = {"tour": ["tour"], "sft": ["train", "sft", "--model", "tiny-lm-en"],
             "stackllama": ["train", "stackllama"], "human-loop": ["human-loop"]}
    for words in typed.values():
        assert cli.main([*words, "--output", str(tmp_path / "run"), "--track", name]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert f"pip install {name}" in err
    assert not (tmp_path / "run").exists()


def test_a_name_that_is_none():
    with pytest.raises(ValueError, match="--track is 'mlflow'; expected one of trackio, tensorboard, wandb"):
        trackers.check("mlflow")


# The programs themselves, where they are installed.

KILLED = """
import os, sys, time
sys.path[:0] = {path!r}
import test_trackers as ours
from rlhf_kit.runs import pipeline
for event in pipeline.run(ours.Climb(), {folder!r}, track={track!r}):
    if event.stage == "ppo" and event.done in (0, 3):
        time.sleep({pause})
    if (event.stage, event.done) == ("ppo", 4):
        os._exit(9)
"""


def in_its_own_process(folder, track, pause=0.0, killed=True) -> str:
    """The run, killed in the middle or to its end; what it printed."""
    program = (KILLED if killed else KILLED.replace("os._exit(9)", "pass")).format(
        path=[str(Path(__file__).parent), str(Path(__file__).parents[2])], folder=str(folder), track=track, pause=pause)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 9 * killed, done.stderr[-2000:]
    return done.stdout


def tensorboard_points(folder) -> Counter:
    loading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    found = loading.EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0}).Reload()
    return Counter((tag, point.step, round(point.value, 4)) for tag in found.Tags()["scalars"]
                   for point in found.Scalars(tag))


AS_POINTS = Counter([*(("language_model/loss", n + 1, 2.0 - n) for n in range(2)),
                     *(("ppo/score", n + 1, n / 10) for n in range(6)),
                     *(("ppo/kl", n + 1, 1.0 + n) for n in range(6))])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_each_point_once_after_a_kill(tmp_path):
    pytest.importorskip("tensorboard")
    in_its_own_process(tmp_path, "tensorboard")
    assert 0 < tensorboard_points(tmp_path).total() < AS_POINTS.total()
    go(Climb(), tmp_path, track="tensorboard")
    assert tensorboard_points(tmp_path) == AS_POINTS
    (tmp_path / "tensorboard" / "events.out.tfevents.mine").write_text("somebody's own")
    go(Climb(steps=3), tmp_path, fresh=True, track="tensorboard")
    assert tensorboard_points(tmp_path).total() == 2 + 3 + 3
    assert (tmp_path / "tensorboard" / "events.out.tfevents.mine").exists()


@pytest.mark.slow
def test_trackio_has_each_point_once_after_a_kill(tmp_path, monkeypatch):
    """It writes twice a second, so what is younger goes with a process that is killed; the step comes again."""
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "database"))
    in_its_own_process(tmp_path / "run", "trackio", pause=1.2)
    assert 0 < trackio_points().total() < AS_POINTS.total()
    assert in_its_own_process(tmp_path / "run", "trackio", killed=False) == ""      # its own lines would be in the JSON
    assert trackio_points() == AS_POINTS


def trackio_points() -> Counter:
    read = """import json
from trackio.sqlite_storage import SQLiteStorage
[name] = SQLiteStorage.get_runs("rlhf-kit")
print(json.dumps(SQLiteStorage.get_logs("rlhf-kit", name)))"""
    rows = json.loads(subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True).stdout)
    return Counter((key, row["step"], value) for row in rows for key, value in row.items() if "/" in key)


# Weights & Biases, as far as the kit asks of it.

class Desk:
    """What wandb.init was asked for, and what was logged, in order."""

    def __init__(self, folder):
        self.asked, self.logged, self.refuses, self.folder = [], [], None, folder

    def module(self) -> types.ModuleType:
        module = types.ModuleType("wandb")
        module.errors = types.SimpleNamespace(Error=type("Error", (Exception,), {}))
        module.Settings = dict
        module.init = self.init
        self.error = module.errors.Error
        return module

    def init(self, **options):
        if self.refuses:
            raise self.error(self.refuses)
        self.asked.append(options)
        run = types.SimpleNamespace(dir=str(self.folder / "offline-run-1" / "files"), finish=lambda: None,
                                    define_metric=lambda *names, **more: None)
        run.log = lambda values, step: self.logged.append((step, values))
        return run


@pytest.fixture
def desk(monkeypatch, tmp_path):
    found = Desk(tmp_path / "wandb")
    monkeypatch.setitem(sys.modules, "wandb", found.module())
    monkeypatch.setattr(trackers, "find_spec", lambda name: True)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return found


def test_wandb_is_offline_unless_a_person_says_otherwise(desk, tmp_path, monkeypatch):
    [note, *_] = go(Climb(), tmp_path / "a", track="wandb")
    assert desk.asked[0]["mode"] == "offline"
    assert note.note[0] == "track_wandb"
    assert "wandb sync" in note.note[1]["command"]
    monkeypatch.setenv("WANDB_MODE", "online")
    [note, *_] = go(Climb(), tmp_path / "b", track="wandb")
    assert desk.asked[1]["mode"] == "online"
    assert note.note[0] == "track_wandb_online"


def test_wandb_goes_on_under_the_same_name_and_a_step_that_was_not_remembered_gets_the_same_number(desk, tmp_path):
    """Two runs of wandb's own, which it puts together by their id; its steps count on and never go back."""
    go(Climb(), tmp_path, stop_after=("ppo", 3), track="wandb")
    known = json.loads((tmp_path / "tracking.json").read_text())
    assert known["wandb"]["sent"] == {"language_model": 2, "ppo": 3}
    known["wandb"]["sent"]["ppo"] = 2                                   # killed between the two
    (tmp_path / "tracking.json").write_text(json.dumps(known))
    go(Climb(), tmp_path, track="wandb")
    assert desk.asked[0]["id"] == desk.asked[1]["id"]
    steps = [step for step, _ in desk.logged]
    assert steps == [0, 1, 2, 3, 4, 4, 5, 6, 7]
    by_step = dict(desk.logged)
    assert [values.get("ppo/step") for values in by_step.values()] == [None, None, 1, 2, 3, 4, 5, 6]


def test_what_wandb_refuses_is_one_line_and_leaves_nothing(desk, tmp_path):
    desk.refuses = "No API key configured. Use\n`wandb login` to log in"
    with pytest.raises(ValueError, match=r"--track wandb: No API key configured\. Use `wandb login` to log in\. Leave"):
        go(Climb(), tmp_path / "run", track="wandb")
    assert not (tmp_path / "run").exists()


def test_a_fresh_run_is_another_one_for_the_tracker(desk, tmp_path):
    go(Climb(), tmp_path, track="wandb")
    go(Climb(steps=3), tmp_path, fresh=True, track="wandb")
    assert desk.asked[0]["id"] != desk.asked[1]["id"]
    assert [step for step, _ in desk.logged[-5:]] == [0, 1, 2, 3, 4]


def test_damaged_names_are_said_and_not_replaced(desk, tmp_path):
    go(Climb(), tmp_path, stop_after=("ppo", 3), track="wandb")
    (tmp_path / "tracking.json").write_text("[")
    with pytest.raises(StorageError, match=r"tracking\.json is damaged .* Delete it"):
        go(Climb(), tmp_path, track="wandb")
    assert (tmp_path / "tracking.json").read_text() == "["
