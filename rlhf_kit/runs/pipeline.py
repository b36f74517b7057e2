"""One pipeline for every job: read and check everything, claim the folder, do what is left, write the result last.

A job is a frozen dataclass, the settings of a run. Its `plan` reads what they name and says in which stages the work is
done; a stage is a generator of steps that leaves something in the run's folder. The rest is here, once: nothing is
written before the inputs are read and every stage has been checked; what a killed run left is gone on from; the result
is written when all else is there.

    class MyJob(Job):
        name = "mine"
        def plan(self, run: Run) -> Plan:
            policy = zoo.load_policy(self.model)
            def train() -> Iterator[Step]:
                yield from sft.steps(policy, texts, config, checkpoint=run.checkpoint())
                zoo.save_policy(policy, run.at("model"))
            return Plan([Stage("sft", train, total=config.steps, metrics=Metrics())], lambda: {"job": "mine"})
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rlhf_kit import tasks
from rlhf_kit.datasets.python_file import is_place
from rlhf_kit.formulas.records import Step
from rlhf_kit.loops.checkpoints import FILE as STATE
from rlhf_kit.loops.identity import unchanged
from rlhf_kit.loops.process_group import here, wait
from rlhf_kit.runs.folder import Event, RunFolder
from rlhf_kit.runs.snapshots import Kept, Snapshots
from rlhf_kit.runs.trackers import Followed, check, following
from rlhf_kit.storage import is_complete, write_json_lines

if TYPE_CHECKING:
    from rlhf_kit.datasets.door import Account
    from rlhf_kit.models.heads import Policy

METRICS = "metrics.jsonl"
LATER = ("task", "columns", "template", "reference", "positive_from", "rollouts",
         "lora", "quantize", "dtype", "votes", "votes_form", "red_team", "harmless_weight",
         "distractors", "top", "half", "test_judge")               # fields that jobs got later; None: as before
FREE = ("micro_batch", "activation_checkpointing", "save_every")    # change none of a run's numbers


def nothing(processes: int) -> None:
    """The check of a stage that has nothing to check."""


@dataclass(frozen=True)
class Metrics:
    """How the steps of a stage are written to metrics.jsonl."""

    every: int = 10                                     # steps between two writings; the last step is always written
    row: Callable[[Step], dict[str, Any]] = lambda step: {"step": step.number + 1, **step.metrics}
    shrinks: bool = True                                # a resumed run begins the file anew; False: when it has more


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A part of a run."""

    name: str = field(kw_only=False)                    # of its events, and in times.json
    work: Callable[[], Iterator[Step | Event]] = field(kw_only=False)       # does it, and leaves what it made
    total: int = 0                                      # steps; 0: too short to be shown
    part: str = ""                                      # what --stage calls it, where that is not its name
    needs: tuple[str, ...] = ()                         # folders that earlier parts leave
    leaves: tuple[str, ...] = ()                        # folders; where all are complete the stage is skipped
    check: Callable[[int], None] = nothing              # its settings against data and number of processes: ValueError
    metrics: Metrics | None = None
    again: bool = False                                 # gone through even if complete: what it yields is needed
    main_only: bool = False                             # done by the main process while the others wait
    silent: bool = False                                # skipped without a word


@dataclass(frozen=True)
class Plan:
    """What a job is going to do."""

    stages: Sequence[Stage]
    result: Callable[[], dict[str, Any]]                # of result.json; asked for when all stages are done
    report: Callable[[dict[str, Any]], None] | None = None      # writes what else shows the result, before it
    notes: Sequence[tuple[str, dict[str, Any]]] = ()    # what to say before the first stage: keys of sentences, fields


class Job:
    """The settings of a run, a frozen dataclass, and what follows from them."""

    name: ClassVar[str]                                 # in settings.json
    results: ClassVar[tuple[str, ...]] = ("result.json",)       # what a finished run has
    files: ClassVar[tuple[str, ...]] = ()               # fields that name files; their content belongs to the identity
    several: ClassVar[bool] = False                     # whether several processes may share the work
    goes_on: ClassVar[bool] = False                     # whether a finished run can take more steps
    device: str = "cpu"

    def plan(self, run: Run) -> Plan:
        """Read what the settings name, and say what is to be done. Raises: ValueError, OSError; writes nothing."""
        raise AssertionError(f"{type(self).__name__} has no plan")

    def claim(self) -> dict[str, Any]:
        """What makes a run this one: the settings, and the content of the files that they name."""
        named = [value for name in self.files if (value := getattr(self, name))]
        return {"job": self.name, **settings_of(self),
                "files": {**{one: content(one) for one in named}, **task_content(getattr(self, "task", None))}}

    def understood(self) -> Account | None:
        """What was understood of the file to learn from, and what was left out; None without one. Raises: FileError."""
        return None

    def run(self, folder: str | Path, fresh: bool = False, threads: int | None = None, *, stage: str | None = None,
            track: str | None = None, more_steps: int | None = None) -> Iterator[Event]:
        """Do what is left in `folder`, all stages or the one of that name; it may be stopped at any moment.

        `fresh` throws away the run that is there, once everything that the new one needs is in hand. `threads` are
        for a model that is not tiny; None leaves torch's own number. `track` is the program that draws the numbers
        meanwhile, see `runs.trackers`; it belongs to nobody's settings and changes no number. `more_steps` lets a
        finished run go on from its checkpoint for so many updates.
        """
        return run(self, folder, fresh, threads, stage=stage, track=track, more_steps=more_steps)


class Run:
    """One run of a job in its folder, as the job's plan sees it."""

    def __init__(self, folder: str | Path, results: Sequence[str] = ("result.json",),
                 threads: int | None = None, *, keeps: bool = False) -> None:
        self.place, self.threads = RunFolder(folder, results=results, keeps=keeps), threads
        self.folder = self.place.path
        self.rank, self.processes = here()
        self.histories: dict[str, list[Step]] = {}
        self.followed = Followed()
        self.more = self.place.more                         # updates after the last of the settings

    @property
    def main(self) -> bool:
        """True in the one process that writes."""
        return self.rank == 0

    def at(self, name: str) -> Path:
        """Something in the run's folder."""
        return self.folder / name

    def checkpoint(self, stage: str = "") -> Path:
        """Where a stage keeps its checkpoint; all go when the result is there, unless the job `goes_on`."""
        return self.folder / "checkpoints" / stage

    def history(self, stage: str) -> list[Step]:
        """The steps that a stage has taken, past ones included."""
        return self.histories.setdefault(stage, [])

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Count what the stage costs."""
        return self.place.timed(stage) if self.main else nullcontext()

    def with_snapshots(self, policy: Policy, total: int, checkpoint: Path, steps: Iterator[Step],
                       every: int | None = None) -> Iterator[Step]:
        """The same steps, while the policy of a few of them is saved, or of each `every`, see `runs.snapshots`."""
        return self._watched(Snapshots(self.folder, policy, total, checkpoint, every) if self.main else None, steps)

    def with_models(self, save: Callable[[Path], None], every: int | None, total: int, checkpoint: Path,
                    steps: Iterator[Step]) -> Iterator[Step]:
        """The same steps, while the model is saved after each `every`, if that is a number: snapshots/step-0050."""
        watch = self.main and every is not None
        return self._watched(Kept(self.folder, save, every, total, checkpoint) if watch else None, steps)

    @staticmethod
    def _watched(kept: Kept | None, steps: Iterator[Step]) -> Iterator[Step]:
        for step in steps:
            if kept is not None:
                kept.after(step.number + 1)
            yield step


def run(job: Job, folder: str | Path, fresh: bool = False, threads: int | None = None, *,
        stage: str | None = None, track: str | None = None, more_steps: int | None = None) -> Iterator[Event]:
    """Do what is left of a job in a folder: all stages, or those of the part `stage`.

    The same job in the same folder goes on where it was stopped and ends with the same numbers.

    Raises: ValueError for settings, data or a number of processes that some stage cannot work with, before anything is
        written or thrown away; StorageError if the folder is another run's, somebody else's, or in use.
    """
    with opened(job, folder, fresh, threads, stage=stage, track=track, more_steps=more_steps) as (run, plan):
        chosen = _chosen(plan, stage)
        if more_steps is not None and run.main:
            yield Event("note", 0, 0, note=("more_steps", {"n": more_steps}))
        where = run.followed.where
        for note in (*plan.notes, *([] if where is None else [where])) if run.main else ():
            yield Event("note", 0, 0, note=note)
        for one in chosen:
            yield from _worked(run, one)
            wait(job.device)
        if plan.stages[-1] in chosen:
            finish(run, plan)


@contextmanager
def opened(job: Job, folder: str | Path, fresh: bool = False, threads: int | None = None, *,
           stage: str | None = None, track: str | None = None,
           more_steps: int | None = None) -> Iterator[tuple[Run, Plan]]:
    """Everything read and checked, and the folder held as long as this lasts; the stages are the caller's to do."""
    check(track)
    run = Run(folder, job.results, threads, keeps=job.goes_on)
    if fresh:
        run.more = 0
    _check_processes(job, run)
    wait(job.device)                    # where they meet is agreed on at once: reading may take one of them long
    run.place.check()
    further = more_steps is not None and _check_more(job, run, more_steps, fresh)
    if further:
        run.more += more_steps
    plan = job.plan(run)
    run.place.folders = tuple(dict.fromkeys((*run.place.folders, *_folders(plan))))
    _check(run, plan, fresh, stage)
    wait(job.device)
    if fresh and run.main:
        run.place.clear()
    wait(job.device)
    claim = job.claim()
    with (run.place.working(claim) if run.main else nullcontext(),
          following(track if run.main else None, run.folder, claim) as run.followed):
        wait(job.device)
        if further and run.main:
            run.place.go_on(run.more)
        yield run, plan


def finish(run: Run, plan: Plan) -> None:
    """Write the report, if there is one, and the result."""
    if not run.main:
        return
    result = plan.result()
    if plan.report is not None:
        plan.report({**result, **run.place.spent()})
    run.place.finish(result)


def finished(job: Job, folder: str | Path) -> bool:
    """True once the job's result is written there. Raises: StorageError if it is that of another run."""
    place = RunFolder(folder, results=job.results, keeps=job.goes_on)
    if place.finished:
        place.claim(job.claim())
    return place.finished


# -- one stage ---------------------------------------------------------------------------------------------------------

def _worked(run: Run, stage: Stage) -> Iterator[Event]:
    """Do a stage, or say that it is done; its steps go into its history and into metrics.jsonl."""
    if stage.main_only and not run.main:
        return
    done = bool(stage.leaves) and all(is_complete(run.at(name)) for name in stage.leaves)
    if done and not stage.again:
        if stage.total and not stage.silent:
            yield Event(stage.name, stage.total, stage.total, kept=True)
        return
    if stage.total:
        yield Event(stage.name, 0, stage.total)
    seen, history = 0, []
    run.histories[stage.name] = history
    write = _Writer(run, stage, history)
    with run.timed(stage.name):
        for item in stage.work():
            if isinstance(item, Step):
                history.append(item)
                write()
                run.followed.step(stage.name, (stage.metrics or Metrics()).row(item))
                item = Event(stage.name, item.number + 1, max(stage.total, item.number + 1), item.metrics, kept=done)
            seen = item.done
            yield item
    if seen < stage.total:
        yield Event(stage.name, stage.total, stage.total)


class _Writer:
    """Writes a stage's history to metrics.jsonl, a line a step."""

    def __init__(self, run: Run, stage: Stage, history: list[Step]) -> None:
        self.path, self.history, self.last = run.at(METRICS), history, stage.total
        self.how = stage.metrics if run.main else None
        self.written = 0 if self.how is None or self.how.shrinks else _lines(self.path)

    def __call__(self) -> None:
        n = len(self.history)
        if self.how is not None and ((n > self.written and n % self.how.every == 0) or n == self.last):
            write_json_lines(self.path, [self.how.row(step) for step in self.history])


def _lines(path: Path) -> int:
    """Lines that a killed run left, those of steps that have to be taken again included: they will be the same."""
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0


# -- before the first one ----------------------------------------------------------------------------------------------

def _chosen(plan: Plan, part: str | None) -> list[Stage]:
    return [stage for stage in plan.stages if part in (None, stage.part or stage.name)]


def _folders(plan: Plan) -> list[str]:
    """What the stages leave in the run's own folder; a base in the cache is not the run's to clear away."""
    return [name for stage in plan.stages for name in stage.leaves if not Path(name).is_absolute()]


def _check_processes(job: Job, run: Run) -> None:
    if run.processes > 1 and not job.several:
        raise ValueError(f"{run.processes} processes were started, and {job.name} is a job for one. Start it without "
                         f"torchrun or accelerate launch.")


def _check_more(job: Job, run: Run, more: int, fresh: bool) -> bool:
    """Whether a finished run is to take `more` steps; False for one that was stopped while it took them.

    Raises: ValueError, one line, where there is no finished run, or nothing left of it to go on from; StorageError for
        other settings.
    """
    place = run.place
    if not job.goes_on:
        raise ValueError(f"--more-steps is for runs of one method; {job.name} has several stages. Leave it out.")
    if more < 1:
        raise ValueError(f"--more-steps is {more}; it must be at least 1.")
    if fresh:
        raise ValueError("--more-steps goes on from a run and --fresh throws it away. Leave one of them out.")
    if not place.finished:
        if place.more:
            return False
        there = "one that is not finished" if (place.path / "settings.json").is_file() else "none"
        raise ValueError(f"--more-steps goes on from a finished run, and {place.path} holds {there}. Leave it out, and "
                         f"the run starts or goes on.")
    place.claim(job.claim())
    if stopped := place.result().get("stopped"):
        raise ValueError(f"the run in {place.path} was ended by --stop-kl {stopped['stop_kl']} at {stopped['kl']:.2f} "
                         f"nats; with the same settings it would end at once. Train its policy/ in another folder.")
    if not any(run.checkpoint().rglob(STATE)):
        raise ValueError(f"the run in {place.path} has no checkpoint left to go on from. Name what it left as --model, "
                         f"and another folder with --output.")
    return True


def _check(run: Run, plan: Plan, fresh: bool, part: str | None) -> None:
    """What each chosen stage needs is there or left by one before it, and its settings can be worked with."""
    chosen, coming = _chosen(plan, part), set()
    if not chosen and part is not None:
        parts = dict.fromkeys(stage.part or stage.name for stage in plan.stages)
        raise ValueError(f"--stage is {part!r}; expected one of {', '.join(parts)}.")
    for stage in chosen:
        for name in stage.needs:
            if name not in coming and (fresh or not is_complete(run.at(name))):
                by = next(other.part or other.name for other in plan.stages if name in other.leaves)
                raise ValueError(f"--stage {part} needs what --stage {by} leaves in {run.folder}, and it is not there. "
                                 f"Run that stage first, or all by leaving --stage out.")
        coming |= {*stage.leaves}
    for stage in chosen:
        stage.check(run.processes)


# -- what makes a run this one -----------------------------------------------------------------------------------------

def settings_of(job: Job) -> dict[str, Any]:
    """The fields of a job. Of `LATER` what nobody named is left out: runs of before there were such stay the same."""
    return {name: value for name, value in _plain(job).items()
            if name not in FREE and (name not in LATER or value is not None)}


def _plain(record: Any) -> dict[str, Any]:
    """`asdict`, without what records in it got later and nobody has set."""
    found = asdict(record)
    for name in found:
        inside = getattr(record, name)
        if is_dataclass(inside):
            later = unchanged(inside)
            found[name] = {key: value for key, value in _plain(inside).items() if key not in later}
    return found


def task_content(task: str | None) -> dict[str, str]:
    """What stands for a task that is not the kit's own: its file's bytes, or its class and a few of its texts."""
    if task is None:
        return {}
    if is_place(task):
        file = task.rpartition(":")[0]
        return {file: content(file)}
    return {task: tasks.identity(tasks.find(task))} if tasks.is_registered(task) else {}


def content(place: str) -> str:
    """Sixteen characters that stand for a file's bytes, or for names and bytes of a folder's; "" for a name."""
    path = Path(place).expanduser()
    if path.is_dir():
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        inside = [(str(file.relative_to(path)), content(str(file))) for file in files]
        return hashlib.sha256(json.dumps(inside).encode()).hexdigest()[:16]
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
