"""A run's numbers in a program that draws them while it goes on: trackio, TensorBoard or Weights & Biases.

Every step of every stage becomes a point at its own step, named as in metrics.jsonl with the stage before it:
`ppo/score`. Past steps of a run that goes on come again; what the tracker has already is not sent twice. Nothing
leaves the machine, unless the tracker's own variables say so: `WANDB_MODE=online`, `TRACKIO_SPACE_ID=...`.
"""

from __future__ import annotations

import io
import json
import math
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from rlhf_kit.language import typed
from rlhf_kit.storage import StorageError, write_text

TRACKERS = ("trackio", "tensorboard", "wandb")
PROJECT = "rlhf-kit"
KNOWN = "tracking.json"             # under which name a tracker knows this run, and what it was sent
EVENTS = "tensorboard"              # the folder of event files in the run's
SUFFIX = ".rlhf-kit"                # how the names of those end that the kit wrote


class Tracker(Protocol):
    """What the pipeline asks of a tracked run."""

    last: dict[str, int]            # stage -> the last step that is there, counted from 1
    where: tuple[str, dict[str, Any]]       # how to look at it: key of a sentence, its values

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Put one step there."""

    def close(self) -> None:
        """Wait until all is there."""


def check(name: str | None) -> None:
    """Whether a tracker of that name is there; nothing is imported. Raises: ValueError, one line, with what to do."""
    if name is None:
        return
    if name not in TRACKERS:
        raise ValueError(f"--track is {name!r}; expected one of {', '.join(TRACKERS)}.")
    if find_spec(name) is None:
        raise ValueError(f"--track is {name!r}, and {name} is not installed. Install it (pip install {name}), or "
                         f"leave --track out.")


class Followed:
    """A run that a tracker follows, or none."""

    def __init__(self, tracker: Tracker | None = None) -> None:
        self.tracker = tracker

    @property
    def where(self) -> tuple[str, dict[str, Any]] | None:
        """How to look at it: the key of a sentence in the language tables, and its values."""
        return None if self.tracker is None else self.tracker.where

    def step(self, stage: str, row: Mapping[str, Any]) -> None:
        """Send a line of metrics.jsonl, {"step": 1, "score": 0.4, ...}, unless the tracker has that step.

        What is no finite number is left out: a tracker would draw it as 0 or not at all.
        """
        if self.tracker is None or row["step"] <= self.tracker.last.get(stage, 0):
            return
        values = {f"{stage}/{name}": float(value) for name, value in row.items() if name != "step" and _finite(value)}
        self.tracker.write(stage, row["step"], values)
        self.tracker.last[stage] = row["step"]


@contextmanager
def following(name: str | None, folder: Path, settings: Mapping[str, Any]) -> Iterator[Followed]:
    """A run in `folder` followed by the tracker of that name, by none if it is None; all is there at the end.

    Raises: ValueError, one line, if the tracker is not installed or refuses.
    """
    check(name)
    if name is None:
        yield Followed()
        return
    opened = {"trackio": _Trackio, "tensorboard": _TensorBoard, "wandb": _Wandb}[name](folder, settings)
    try:
        yield Followed(opened)
    finally:
        opened.close()


class _TensorBoard:
    """Event files in the run's folder. The files themselves say what they hold."""

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        from torch.utils.tensorboard import SummaryWriter
        place = folder / EVENTS
        place.mkdir(parents=True, exist_ok=True)
        there = EventAccumulator(str(place), size_guidance={"scalars": 0}).Reload()
        self.last = {}
        for tag in there.Tags()["scalars"]:
            stage = tag.partition("/")[0]
            self.last[stage] = max(self.last.get(stage, 0), *(point.step for point in there.Scalars(tag)))
        self.writer = SummaryWriter(str(place), filename_suffix=SUFFIX)
        self.where = ("track_tensorboard", {"command": typed(["tensorboard", "--logdir", place])})

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()                             # a killed run has shown all its steps

    def close(self) -> None:
        self.writer.close()


class _Trackio:
    """A run in trackio's database on this machine (TRACKIO_DIR), which says what it holds.

    It writes twice a second: a kill takes along what is younger, and of a stage that was finished it does not come
    again.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        with _silent():
            import trackio
            from trackio.sqlite_storage import SQLiteStorage
            name = _known(folder, "trackio")["run"]
            self.run = trackio.init(project=PROJECT, name=name, resume="allow", config=dict(settings), embed=False,
                                    auto_log_gpu=False)
            rows = SQLiteStorage.get_logs(PROJECT, name)
        self.finish = trackio.finish                    # of the run itself would be done again when Python ends
        self.last = {}
        for row in rows:
            for stage in {key.partition("/")[0] for key in row if "/" in key}:
                self.last[stage] = max(self.last.get(stage, 0), row["step"])
        self.where = ("track_trackio", {"run": name, "command": typed(["trackio", "show", "--project", PROJECT])})

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        with _silent():
            self.finish()


class _Wandb:
    """A run of Weights & Biases: offline, in ./wandb (WANDB_DIR), unless WANDB_MODE says otherwise.

    An offline run cannot be asked what it holds, so tracking.json remembers. A step that a kill kept from being
    remembered is sent again under the same number of wandb's own, which counts as the same point.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")         # its crash reports would leave the machine
        self.folder, self.known = folder, _known(folder, "wandb")
        mode = os.environ.get("WANDB_MODE") or "offline"
        with _silent():
            import wandb
            quiet = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True)
            try:
                self.run = wandb.init(project=os.environ.get("WANDB_PROJECT", PROJECT), id=self.known["run"],
                                      name=self.known["run"], resume="allow", mode=mode, config=dict(settings),
                                      settings=quiet)
            except wandb.errors.Error as error:
                raise ValueError(f"--track wandb: {_one_line(error)} Leave WANDB_MODE unset to stay offline, or log "
                                 f"in (wandb login).") from error
        self.last = self.known.setdefault("sent", {})
        self.sent, self.drawn = sum(self.last.values()), set()
        place = Path(self.run.dir).parent
        self.where = (("track_wandb", {"folder": str(place), "command": typed(["wandb", "sync", place])})
                      if mode == "offline" else ("track_wandb_online", {"mode": mode, "run": self.known["run"]}))

    def write(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        if stage not in self.drawn:                     # each stage against its own steps
            self.run.define_metric(f"{stage}/step")
            self.run.define_metric(f"{stage}/*", step_metric=f"{stage}/step")
            self.drawn.add(stage)
        self.run.log({**values, f"{stage}/step": step}, step=self.sent)
        self.sent += 1
        self.last[stage] = step
        _remember(self.folder, "wandb", self.known)

    def close(self) -> None:
        with _silent():
            self.run.finish()


def _known(folder: Path, tracker: str) -> dict[str, Any]:
    """What was remembered of this run for a tracker; a name that no other run has, if nothing was."""
    known = _all_known(folder)
    if tracker not in known:
        known[tracker] = {"run": f"{folder.absolute().name}-{uuid.uuid4().hex[:6]}"}
        write_text(folder / KNOWN, json.dumps(known, indent=1))
    return known[tracker]


def _remember(folder: Path, tracker: str, what: Mapping[str, Any]) -> None:
    write_text(folder / KNOWN, json.dumps({**_all_known(folder), tracker: what}, indent=1))


def _all_known(folder: Path) -> dict[str, Any]:
    try:
        known = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
        if not isinstance(known, dict) or not all(isinstance(one, dict) and isinstance(one.get("run"), str)
                                                  for one in known.values()):
            raise ValueError("expected the names of tracked runs")
        return known
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StorageError(f"{folder / KNOWN} is damaged ({error}). Delete it, and the run is tracked under a new "
                           f"name.") from error


@contextmanager
def _silent() -> Iterator[None]:
    """What a tracker prints would stand between the kit's own lines, or in the JSON."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text.endswith((".", "!", "?")) else f"{text}."
