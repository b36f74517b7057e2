"""Trainings that the server starts and does not hold: processes of their own, in one line, resumed after a restart.

    DIR/jobs/NAME/job.json        what is to run, who asked for it, and whether it is wanted
    DIR/jobs/NAME/ended.json      how it ended, unless it was killed
    DIR/jobs/NAME/log.txt         what it printed
    DIR/jobs/NAME/.lock           held by its process as long as that lives
    DIR/runs/NAME/                the run itself, see `rlhf_kit.runs.folder`

All that is known stands in these files, so every page, every server and every restart sees the same. A run goes on
where it stopped because `rlhf-kit train` does: the same command, started again, ends with the same numbers.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.storage import StorageError, remove, write_text
from rlhf_kit.studio.running import ENDED, JOB, LOCK, LOG, PID

State = Literal["waiting", "running", "stopping", "stopped", "done", "failed", "gone"]
Kind = Literal["reward_model", "ppo"]

NAME = re.compile(r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)$)\w[\w-]{0,39}")     # of a run: a folder's name, on any disk
MODULE = "rlhf_kit.cli"
MOST_WAITING = 20                           # in line; more would wait for an hour
MOST_STARTS = 5                             # of a process that dies again and again
FRESH = 0.5                                 # seconds that a look at everything may be old, for pages that only watch
DECIDING = 10.0                             # seconds to wait for another server that is deciding what to start
FIRM = 5.0                                  # seconds from the polite signal to the other
KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
CREATE_NEW_PROCESS_GROUP = 0x200             # of Windows' CreateProcess
LAST = 4096                                 # bytes of a log in which its last line is looked for
OURS = (JOB, LOG, PID, ENDED, LOCK)          # in a job's folder
_CHILDREN: dict[Path, subprocess.Popen] = {}        # of this process, by the job's folder: to be reaped


class JobError(ValueError):
    """A training that cannot be started, stopped or resumed; `key` names the sentence that says why."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(f"{key}: {values}")
        self.key, self.values = key, values


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is written in job.json."""

    name: str
    kind: Kind
    arguments: tuple[str, ...]      # of the module; paths are those seen from the workspace's folder
    steps: int                      # planned
    by: str                         # who pressed the button
    module: str = MODULE
    wanted: bool = True             # False once somebody has stopped it
    queued: str = ""                # UTC; the line is in this order
    starts: int = 0                 # of its process, since somebody asked for it
    about: dict[str, Any] = field(default_factory=dict)     # to be shown beside it


@dataclass(frozen=True)
class Look:
    """A job as it is now."""

    job: Job
    state: State
    ahead: int                      # jobs that come before it, if it waits
    steps: list[dict[str, float]]   # a row for each step so far, of metrics.jsonl
    result: dict[str, Any] | None   # of a finished run
    line: str                       # the last one of the log, where it failed


class Jobs:
    """The trainings of one workspace. Threads and servers may share its folder; each makes its own `Jobs`.

    Args:
        folder: the workspace's.
        module: what is run with a job's arguments, as by `python -m`.
        every: seconds between two looks at what is to be started.
    """

    def __init__(self, folder: Path | str, *, module: str = MODULE, every: float = 1.0) -> None:
        self.folder, self.module, self.every = Path(folder).expanduser().absolute(), module, every
        self._guard, self._looking, self._closing = threading.Lock(), threading.Lock(), threading.Event()
        self._keeper: threading.Thread | None = None
        self._seen: tuple[float, list[Look]] = (-FRESH, [])

    def place(self, name: str) -> Path:
        """The job's own folder, where `start` puts the files that its command names."""
        return self.folder / "jobs" / name

    def run_folder(self, name: str) -> Path:
        """Where the run writes."""
        return self.folder / "runs" / name

    # -- to be pressed

    def check(self, name: str, anew: bool = False) -> None:
        """Raises: JobError if none of that name can begin; with `anew`, an older one that rests may be there."""
        if not NAME.fullmatch(name):
            raise JobError("bad_name")
        ours, there = self.place(name).exists(), self.run_folder(name).exists() or self.place(name).exists()
        if there and not (anew and ours):               # a run that was not begun here is nobody's to throw away here
            raise JobError("taken", name=name)
        if there and self._alive(name):
            raise JobError("in_use", name=name)
        if len([look for look in self.all() if look.state == "waiting"]) >= MOST_WAITING:
            raise JobError("line_full", n=MOST_WAITING)

    def start(self, kind: Kind, name: str, arguments: Sequence[str], *, steps: int, by: str, anew: bool = False,
              files: dict[str, str] | None = None, about: dict[str, Any] | None = None) -> None:
        """Put a training at the end of the line; it begins as soon as no other runs.

        Args:
            arguments: of `rlhf-kit`, without --output.
            anew: throw away an older run of that name.
            files: name -> text, written into `place(name)` first.

        Raises: JobError; storage.StorageError if the disk is full, and then nothing has begun.
        """
        with self._deciding():
            self.check(name, anew)
            if anew:
                RunFolder(self.run_folder(name)).clear()
                remove(self.place(name), self._wrote(name))
            try:
                for file, text in (files or {}).items():
                    write_text(self.place(name) / file, text)
                self._write(Job(name=name, kind=kind, arguments=(*arguments, "--output", f"runs/{name}"), steps=steps,
                                by=by, module=self.module, queued=_now(), about=about or {}))
            except OSError:
                remove(self.place(name), (*OURS, *(files or {})))
                raise
        self.watch()

    def _wrote(self, name: str) -> tuple[str, ...]:
        """The files that `start` and the process put into the job's folder."""
        with suppress(JobError):
            return (*OURS, *(Path(word).name for word in self._read(name).arguments
                             if Path(word).parent == Path("jobs", name)))
        return OURS

    def stop(self, name: str) -> None:
        """End the process, or take it out of the line; what it saved last stays. Raises: JobError."""
        with self._deciding():
            self._write(replace(self._read(name), wanted=False))
        self._end(name)

    def resume(self, name: str) -> None:
        """To the end of the line again: it goes on from what it saved last. Raises: JobError."""
        with self._deciding():
            job = self._read(name)
            (self.place(name) / ENDED).unlink(missing_ok=True)
            self._write(replace(job, wanted=True, queued=_now(), starts=0))
        self.watch()

    # -- to be looked at

    def all(self) -> list[Look]:
        """Every job, in the order in which they were asked for last."""
        jobs = self._jobs()
        alive = {job.name for job in jobs if self._alive(job.name)}
        line = [job.name for job in jobs if job.name in alive] + [job.name for job in jobs if job.name not in alive
                                                                and self._waits(job)]
        return [self._look(job, job.name in alive, line) for job in jobs]

    def lately(self) -> list[Look]:
        """The same, at most half a second old: for a class whose pages all ask again and again."""
        if time.monotonic() - self._seen[0] > FRESH:
            self._seen = (time.monotonic(), self.all())
        return self._seen[1]

    # -- to be kept going

    def watch(self) -> None:
        """See to it, in a thread of its own, that the line moves until it is empty. What a dead server left goes on."""
        with self._guard:
            if self._keeper is None and not self._closing.is_set() and (self.folder / "jobs").is_dir():
                self._keeper = threading.Thread(target=self._keep, name="trainings", daemon=True)
                self._keeper.start()

    def close(self) -> None:
        """Look after them no longer; they go on."""
        self._closing.set()
        with self._guard:
            keeper = self._keeper
        if keeper is not None:
            keeper.join()

    def tend(self) -> bool:
        """Start whoever is next if nobody runs, and end who is not wanted; False if there is nothing to wait for."""
        for folder, child in list(_CHILDREN.items()):
            if child.poll() is not None:
                _CHILDREN.pop(folder, None)
        with self._deciding():
            jobs = self._jobs()
            alive = [job for job in jobs if self._alive(job.name)]
            line = [job for job in jobs if job not in alive and self._waits(job)]
            if line and not alive:
                self._launch(line[0])
        return bool(alive or line)

    def _keep(self) -> None:
        try:
            while not self._closing.is_set():
                with self._guard:                       # whoever adds a job either sees this thread, or is seen by it
                    try:
                        more = self.tend()
                    except OSError:                     # a full disk, a busy lock: the next time perhaps
                        more = True
                    if not more:
                        self._keeper = None
                        return
                self._closing.wait(self.every)
        finally:                                        # whatever it was, the next press starts another thread
            if self._keeper is threading.current_thread():
                self._keeper = None

    def _launch(self, job: Job) -> None:
        """Begin its process, which outlives this one: in its own session, so that Ctrl-C here does not reach it."""
        place = self.place(job.name)
        self._write(replace(job, starts=job.starts + 1))
        (place / PID).unlink(missing_ok=True)
        home = str(Path(__file__).parents[2])           # of the kit, wherever this server was started
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8",
                       "PYTHONPATH": os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))}
        with open(place / LOG, "ab") as log:
            _CHILDREN[place] = subprocess.Popen(
                [sys.executable, "-P", "-m", "rlhf_kit.studio.running", str(place)], cwd=self.folder, env=environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, **_apart())

    def _end(self, name: str) -> None:
        """SIGTERM, and SIGKILL to one that does not listen. Runs survive both."""
        polite, limit = True, time.monotonic() + FIRM
        while self._alive(name) and time.monotonic() < limit + FIRM:
            child, pid = _CHILDREN.get(self.place(name)), _number(self.place(name) / PID)
            firm = time.monotonic() > limit
            if (polite or firm) and (pid or child):
                with suppress(OSError):                 # it has ended; Windows has a word of its own for that
                    _signal(pid or child.pid, KILL if firm else signal.SIGTERM)
                polite = False
            time.sleep(0.05)

    # -- what the files say

    def _jobs(self) -> list[Job]:
        found = []
        for path in (self.folder / "jobs").glob(f"*/{JOB}"):
            with suppress(JobError):                    # removed in this moment, or damaged
                found.append(self._read(path.parent.name))
        return sorted(found, key=lambda job: (job.queued, job.name))

    def _read(self, name: str) -> Job:
        try:
            if not NAME.fullmatch(name):
                raise ValueError(name)
            about = json.loads((self.place(name) / JOB).read_text(encoding="utf-8"))
            return Job(**{**about, "arguments": tuple(about["arguments"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise JobError("unknown", name=name) from error

    def _write(self, job: Job) -> None:
        write_text(self.place(job.name) / JOB, json.dumps(asdict(job), indent=1, ensure_ascii=False))

    def _waits(self, job: Job) -> bool:
        """True if its process is to be started, now or when it is its turn."""
        return (job.wanted and job.starts < MOST_STARTS and not (self.place(job.name) / ENDED).exists()
                and not RunFolder(self.run_folder(job.name)).finished)

    def _alive(self, name: str) -> bool:
        """True while its process lives: it holds the lock, or was born a moment ago and has not got there."""
        child = _CHILDREN.get(self.place(name))
        if child is not None and child.poll() is None:
            return True
        lock = self.place(name) / LOCK
        if not lock.exists():
            return False
        with self._looking:
            held = FileLock(lock, timeout=0)
            try:
                held.acquire()
            except Timeout:
                return True
            except OSError:                             # a folder that goes away in this moment
                return False
            held.release()
            return False

    def _look(self, job: Job, alive: bool, line: list[str]) -> Look:
        run = self.run_folder(job.name)
        state, result, said = self._state(job, alive), None, ""
        if state == "done":
            try:
                result = RunFolder(run).result()
            except StorageError as error:
                state, said = "failed", str(error)
        if state == "failed":
            said = said or _last_line(self.place(job.name) / LOG)
        ahead = line.index(job.name) if state == "waiting" else 0
        return Look(job, state, ahead, _rows(run / "metrics.jsonl"), result, said)

    def _state(self, job: Job, alive: bool) -> State:
        if alive:
            return "running" if job.wanted else "stopping"
        if RunFolder(self.run_folder(job.name)).finished:
            return "done"
        ended = self.place(job.name) / ENDED
        if ended.exists():
            return "gone" if _code(ended) == 0 else "failed"
        if not job.wanted:
            return "stopped"
        return "waiting" if job.starts < MOST_STARTS else "failed"

    @contextmanager
    def _deciding(self) -> Iterator[None]:
        """Nobody else starts, stops or adds one meanwhile, in this server or another. Raises: StorageError."""
        folder = self.folder / "jobs"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held = FileLock(folder / LOCK, timeout=DECIDING)
            held.acquire()
        except Timeout as error:
            raise StorageError(f"{folder} is being written by another server; try again.") from error
        except OSError as error:
            raise StorageError(f"{folder} cannot be written: {error.strerror or error}.") from error
        try:
            yield
        finally:
            held.release()


def _apart(windows: bool = os.name == "nt") -> dict[str, Any]:
    """What keeps Ctrl-C in this console from a process: a session of its own; on Windows a group."""
    return {"creationflags": CREATE_NEW_PROCESS_GROUP} if windows else {"start_new_session": True}


def _signal(pid: int, number: int) -> None:
    (os.killpg if hasattr(os, "killpg") else os.kill)(pid, number)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _code(path: Path) -> int:
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["code"])
    except (OSError, ValueError, TypeError, KeyError):
        return 1


def _rows(path: Path) -> list[dict[str, float]]:
    """The lines of a file that is replaced as a whole, so what is there is whole; [] if there is none."""
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if isinstance(row, dict) and isinstance(row.get("step"), int)]
    except (OSError, ValueError):
        return []


def _last_line(path: Path) -> str:
    """The last line that is not empty, without our name in front; "" if there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(path.stat().st_size - LAST, 0))
            lines = file.read().decode("utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return said[-1].removeprefix("rlhf-kit: ") if said else ""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
