"""A run's folder: claimed by its settings, so that the same command goes on there and another is refused."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlhf_kit.storage import StorageError, alone, check_new_folder, remove, sweep, write_text

FOLDERS = ("checkpoints", "updates", "snapshots", "model", "policy", "language_model", "judge", "second_judge",
           "reward_model", "sft_adapter", "sft", "reward_adapter", "policy_adapter", "tensorboard", "hub", "points",
           "labs")
FILES = ("settings.json", "result.json", "times.json", "metrics.jsonl", "ratings.jsonl", "report.html", "tracking.json",
         "more_steps.json", "frontier.png", "overoptimisation.png", "labs.png")
STATES = ("checkpoint.safetensors", "after-*.safetensors", "grown-*.safetensors",       # files in `checkpoints`,
          "events.out.tfevents.*.rlhf-kit")                                             # `updates`, `tensorboard`
PIECEMEAL = ("checkpoints", "updates", "snapshots", "tensorboard", "points", "labs")    # filled bit by bit
WORK = "ratings.jsonl"              # what a person gave is not thrown away when a run fails
SHOWN = ("snapshots", "tensorboard")        # are there to be looked at; no run goes on from them
MORE = "more_steps.json"            # how many updates a finished run was told to take after its last
LOCK = ".lock"                      # held while a run writes; the system lets go of it when the process dies


@dataclass(frozen=True)
class Event:
    """Something to show while a run goes on."""

    stage: str                      # language_model, judge, second_judge, reward_model, sft, ppo, evaluate, ...
    done: int                       # steps of the stage so far
    total: int
    metrics: dict[str, float] = field(default_factory=dict)
    kept: bool = False              # the stage was finished earlier
    note: tuple[str, dict[str, Any]] | None = None      # of the stage "note": a sentence's key in the language tables


class RunFolder:
    """The folder of one run.

    Args:
        path: made when the run claims it.
        results: the files that a finished run has.
        keeps: a finished run keeps its checkpoints, to go on from.
    """

    def __init__(self, path: str | Path, *, results: Sequence[str] = ("result.json",), keeps: bool = False) -> None:
        self.path, self.results, self.keeps = Path(path), ("settings.json", *results), keeps
        self.folders, self.files, self.cleared = FOLDERS, FILES, False

    @property
    def finished(self) -> bool:
        """True once the result and the run's own files are written."""
        return all((self.path / name).is_file() for name in self.results)

    def check(self) -> None:
        """Raises StorageError if nothing can be written here, before time is spent on what would be lost."""
        there = next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())
        if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
            raise StorageError(f"{self.path} cannot be written: {there} is "
                               f"{'read-only for you' if there.is_dir() else 'a file'}. Name another folder "
                               f"with --output.")
        if not (self.path / "settings.json").is_file():
            self._check_empty()

    @contextmanager
    def working(self, settings: dict[str, Any]) -> Iterator[None]:
        """Claim the folder and keep other processes out while the run writes there; sweep up after a killed one.

        A run that fails before it saved anything to go on from gives the folder back as it was.

        Raises: StorageError if the folder is another run's, somebody else's, or in use.
        """
        made = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        try:
            with self._claimed(settings):
                yield
        except Exception:
            with suppress(OSError):                     # what is not empty stays
                for folder in made:
                    folder.rmdir()
            raise

    @contextmanager
    def _claimed(self, settings: dict[str, Any]) -> Iterator[None]:
        self.claim(settings)
        with self._alone():
            self.claim(settings)                        # nobody else came between
            for name in (*self.folders, *self.files):
                sweep(self.path / name)
            for name in self.folders:                   # before time is spent on what goes there at the end
                if name not in PIECEMEAL:
                    check_new_folder(self.path / name)
            try:
                yield
            except Exception:
                self._give_back()
                raise

    def _give_back(self) -> None:
        """Remove the claim, unless something was saved that a run could go on from."""
        if (self.path / WORK).exists() or any(file.is_file() for name in self.folders if name not in SHOWN
                                              for file in (self.path / name).rglob("*")):
            return
        with suppress(OSError):
            for name in self.folders:
                remove(self.path / name, STATES)
            for name in (*self.files, LOCK):
                (self.path / name).unlink(missing_ok=True)

    def claim(self, settings: dict[str, Any]) -> None:
        """Write the settings, or refuse a folder that holds something else. Raises: StorageError.

        A finished run is tidied, since a kill may have come between its result and the end of its checkpoints.
        """
        place, ours = self.path / "settings.json", json.dumps(settings, indent=1, ensure_ascii=False)
        if not place.is_file():
            self._check_empty()
            write_text(place, ours)
        elif (theirs := place.read_text(encoding="utf-8", errors="replace")) != ours:
            raise StorageError(f"{self.path} holds a run with other settings{_differing(theirs, settings)}; name "
                               f"another folder with --output, or start anew with --fresh.")
        if self.finished and not self.keeps:
            remove(self.path / "checkpoints", STATES)

    @property
    def more(self) -> int:
        """How many updates were asked for after the last of the run's settings, in all."""
        try:
            return int(json.loads((self.path / MORE).read_text(encoding="utf-8"))["more_steps"])
        except OSError:                                     # none, or no folder at all, which `check` tells
            return 0
        except (ValueError, TypeError, KeyError) as error:
            raise StorageError(f"{self.path / MORE} is damaged ({error}); expected {{\"more_steps\": N}}. Write how "
                               f"many updates were asked for in all, or start anew with --fresh.") from error

    def go_on(self, more: int) -> None:
        """Be an unfinished run again, of so many updates more than its settings say; what it left stays till then."""
        (self.path / "result.json").unlink(missing_ok=True)     # first: killed here, it only has to be run again
        write_text(self.path / MORE, json.dumps({"more_steps": more}))

    def result(self) -> dict[str, Any]:
        """What the finished run measured."""
        try:
            result = json.loads((self.path / "result.json").read_text(encoding="utf-8"))
            if not isinstance(result, dict) or "stages" not in result:
                raise ValueError("expected the object that a run wrote")
            return result
        except ValueError as error:
            raise StorageError(f"{self.path / 'result.json'} is damaged ({error}). "
                               f"Start anew with --fresh.") from error

    def spent(self) -> dict[str, Any]:
        """What the stages cost so far, one by one and together."""
        times = self._times()
        return {"stages": times, "cpu_seconds": sum(t["cpu"] for t in times.values()),
                "seconds": sum(t["wall"] for t in times.values())}

    def finish(self, result: dict[str, Any]) -> None:
        """Write the result with what it cost, and drop the checkpoints, unless the run `keeps` them.

        The result is written last of all, so a run killed before has simply not finished.
        """
        write_text(self.path / "result.json", json.dumps({**result, **self.spent()}, indent=1, ensure_ascii=False))
        if not self.keeps:
            remove(self.path / "checkpoints", STATES)

    def clear(self) -> None:
        """Remove what a run wrote here, and nothing else, from its folders neither.

        The result goes first and the settings last: killed on the way, this is a run's folder that is not finished.
        """
        if not (self.path / "settings.json").is_file():
            return
        first, last = "result.json", "settings.json"
        with self._alone():
            for name in (first, *self.folders, *(set(self.files) - {first, last}), LOCK, last):
                sweep(self.path / name)
                if (self.path / name).is_dir():
                    remove(self.path / name, STATES)
                else:
                    (self.path / name).unlink(missing_ok=True)
        self.cleared = True

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add what the stage cost to times.json, so that a resumed run counts all of it but what a kill took along."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            times = self._times()
            spent = times.get(stage, {"cpu": 0.0, "wall": 0.0})
            times[stage] = {"cpu": spent["cpu"] + time.process_time() - cpu,
                            "wall": spent["wall"] + time.perf_counter() - wall}
            write_text(self.path / "times.json", json.dumps(times))

    def _alone(self) -> AbstractContextManager[None]:
        return alone(self.path / LOCK, f"{self.path} is in use by another run of the kit; wait until it ends, or name "
                                       f"another folder with --output.")

    def _times(self) -> dict[str, dict[str, float]]:
        """What times.json holds; a damaged one begins anew, since no other number comes from it."""
        try:
            times = json.loads((self.path / "times.json").read_text(encoding="utf-8"))
            return {stage: {kind: float(spent[kind]) for kind in ("cpu", "wall")} for stage, spent in times.items()}
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _check_empty(self) -> None:
        """Never write over what somebody else made: a run replaces folders such as `policy/`.

        Hidden files do not count: a run killed while it wrote its first file leaves one. Nor do notes that somebody
        put beside a run which has just been cleared away.
        """
        if self.cleared or not self.path.is_dir():
            return
        if any(not entry.name.startswith(".") for entry in self.path.iterdir()):
            raise StorageError(f"{self.path} holds files that no run of the kit wrote; "
                               f"name a new or empty folder with --output.")


def _differing(theirs: str, ours: dict[str, Any]) -> str:
    """Which settings differ, the first three, as " (steps was 50, is now 30)"; "" if theirs cannot be read."""
    try:
        before, now = flat(json.loads(theirs)), flat(json.loads(json.dumps(ours)))
    except (ValueError, AttributeError):
        return ""
    if before.get("job") != now.get("job"):
        return f" (it is a {before.get('job', 'tour')} run, this is a {now.get('job', 'tour')} run)"
    said = [_change(name, before.get(name, UNSET), now.get(name, UNSET)) for name in {**before, **now}
            if before.get(name, UNSET) != now.get(name, UNSET)]
    more = f", and {len(said) - 3} more" if len(said) > 3 else ""
    return f" ({', '.join(said[:3])}{more})" if said else ""


UNSET = "not given"


def _change(name: str, before: object, now: object) -> str:
    *above, last = name.split("/")
    if "files" in above or name == "file":
        path = "/".join([*above[above.index("files") + 1:], last]) if above else "the file"
        return f"the content of {path} has changed"
    return f"{last} was {_said(before)}, is now {_said(now)}"


def _said(value: object) -> str:
    text = " ".join((value if value is UNSET else json.dumps(value, ensure_ascii=False)).split())
    return text if len(text) <= 60 else text[:57] + "..."


def flat(settings: dict[str, Any], above: str = "") -> dict[str, Any]:
    """{"ppo/kl/coefficient": 0.04, ...}."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inside = isinstance(value, dict) and value
        found.update(flat(value, f"{above}{name}/") if inside else {f"{above}{name}": value})
    return found
