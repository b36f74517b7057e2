"""The command line in processes of their own, with small models, where a kill or a full disk comes as planned.

They are forked from a process that does nothing but import `warm.py`, so each starts in a moment.
"""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, wraps
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path

import pytest

DEADLINE = 120                                                      # seconds, for a busy machine
NO_SPACE = errno.ENOSPC, os.strerror(errno.ENOSPC)
WRITES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate")       # audit events
GROWING = ("os.mkdir",)


@dataclass(frozen=True)
class Trouble:
    """What happens to a process on its way; counts begin at 1."""

    die_at_change: int = 0              # killed before its n-th change of a file below `places`
    die_in_save: int = 0                # killed in its n-th writing of tensors ...
    half: bool = False                  # ... with half of them on the disk, and not before
    die_after_replace: int = 0          # killed after its n-th renaming of something into place ...
    named: str = ""                     # ... whose name begins so
    die_at_event: tuple[str, int] = ("", 0)     # killed when this stage has made so many steps
    full_from: int = 0                  # from its n-th change on the disk takes nothing new
    largest: int = 0                    # bytes that a file may have
    places: tuple[str, ...] = ()


@cache
def _forking() -> BaseContext:
    """Whence children come."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["warm"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=os.pathsep)      # before 3.13 it knows no other
        forkserver.ensure_running()
    return context


class Run:
    """A command in a process of its own; what it prints and which events it saw are in files. `typed` is its input."""

    def __init__(self, arguments: list[str], logs: Path, kept: Path, trouble: Trouble | None = None,
                 typed: str = "") -> None:
        logs.mkdir(parents=True, exist_ok=True)
        number = len(list(logs.glob("*.out")))
        self.out, self.err, self.log = (logs / f"{number}.{kind}" for kind in ("out", "err", "events"))
        for path in (self.out, self.err, self.log):
            path.touch()
        self.process = _forking().Process(target=_child, args=(arguments, self.out, self.err, self.log, kept,
                                                               trouble or Trouble(), typed))
        self.process.start()

    def events(self) -> list[tuple[str, int, bool]]:
        """(stage, steps done, finished earlier) so far."""
        return [tuple(json.loads(line)) for line in self.log.read_text().splitlines(keepends=True)
                if line.endswith("\n")]

    def wait(self, deadline: float = DEADLINE) -> int:
        """Its exit code; -9 if it was killed."""
        self.process.join(deadline)
        assert self.process.exitcode is not None, self.said()
        return self.process.exitcode

    def wait_for(self, seen: Callable[[], bool]) -> bool:
        """True when something was seen, False if the process ended before."""
        limit = time.monotonic() + DEADLINE
        while time.monotonic() < limit:
            if seen():
                return True
            if not self.process.is_alive():
                return False
            time.sleep(0.002)
        raise AssertionError(self.said())

    def pause(self) -> None:
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self) -> int:
        self.process.kill()
        return self.wait()

    def said(self) -> str:
        return self.out.read_text(encoding="utf-8") + self.err.read_text(encoding="utf-8")

    def refusal(self) -> str:
        """The one line of an error, after exit code 2."""
        code, line = self.wait(), self.err.read_text(encoding="utf-8")
        assert code == 2, (code, self.said())
        assert line.startswith("rlhf-kit: "), line
        assert line.count("\n") == 1, line
        return line


def started(target: Callable, *arguments: object) -> multiprocessing.Process:
    """A function of a test module in a process of its own."""
    process = _forking().Process(target=target, args=arguments)
    process.start()
    return process


def _child(arguments: list[str], out: Path, err: Path, log: Path, kept: Path, trouble: Trouble, typed: str) -> None:
    sys.stdin = io.StringIO(typed)
    for path, number in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_TRUNC), number)
    os.environ["RLHF_KIT_CACHE"] = str(kept)
    import torch

    from rlhf_kit import cli
    torch.set_num_threads(1)
    _shrink()
    _listen(log, trouble)
    _prepare(trouble)
    sys.exit(cli.main(arguments))


def _shrink() -> None:
    """A tour that takes seconds, and saves more than once in each of its stages."""
    from rlhf_kit import zoo
    from rlhf_kit.commands import tour as command
    from rlhf_kit.jobs import questions, tour
    from rlhf_kit.methods import classifier, ppo, sft
    from rlhf_kit.sampling import Sampling
    lm = zoo.LanguageModel(texts=100, vocabulary=300, layers=1, width=16, sft=sft.Config(steps=60, batch_size=4))
    judge = zoo.Judge(texts=100, vocabulary=300, layers=1, width=16,
                      classifier=classifier.Config(steps=60, batch_size=4), dropout=0.1)
    small = ppo.Config(steps=24, batch_size=8, minibatch_size=4, epochs=1, learning_rate=1e-3,
                       sampling=Sampling(max_new_tokens=8))
    full = command.settings
    command.settings = lambda options: replace(full(options), language_model=lm, judge=judge, ppo=small)
    tour.EVALUATED, tour.EXAMINED, questions.EVALUATED = 24, 160, 24
    zoo.TINY = {"tiny-lm-en": (lm, "en"), "tiny-judge-en": (judge, "en")}


def _listen(log: Path, trouble: Trouble) -> None:
    from rlhf_kit.commands import showing
    watch = showing.watch

    def heard(events: Iterator, *rest, **numbers) -> None:
        watch(passing(events), *rest, **numbers)

    def passing(events: Iterator) -> Iterator:
        with open(log, "a", buffering=1) as file:
            for event in events:
                file.write(json.dumps([event.stage, event.done, event.kept]) + "\n")
                if (event.stage, event.done) == trouble.die_at_event:
                    _die()
                yield event

    showing.watch = heard


def _prepare(trouble: Trouble) -> None:
    if trouble.die_at_change or trouble.full_from:
        sys.addaudithook(_Watchman(trouble))
    if trouble.die_in_save:
        _die_in_save(trouble)
    if trouble.die_after_replace:
        _die_after_replace(trouble)
    if trouble.largest:
        resource.setrlimit(resource.RLIMIT_FSIZE, (trouble.largest, trouble.largest))


class _Watchman:
    """Hears of every file that Python is about to change, and counts those below the places."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble, self.changes = trouble, 0

    def __call__(self, event: str, arguments: tuple) -> None:
        writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if not (writing or event in WRITES) or not str(arguments[0]).startswith(self.trouble.places):
            return
        self.changes += 1
        if self.changes == self.trouble.die_at_change:
            _die()
        if 0 < self.trouble.full_from <= self.changes and (writing or event in GROWING):
            raise OSError(*NO_SPACE)


def _die_in_save(trouble: Trouble) -> None:
    import safetensors.torch
    import transformers.modeling_utils

    from rlhf_kit.models import loading
    real, calls = safetensors.torch.save_file, []

    @wraps(real)
    def save_file(tensors, filename, metadata=None) -> None:
        calls.append(filename)
        if len(calls) < trouble.die_in_save:
            return real(tensors, filename, metadata)
        if trouble.half:                            # the library writes into a file of its own first, then renames it
            whole = safetensors.torch.save(tensors, metadata)
            (Path(filename).parent / ".tmphalf00").write_bytes(whole[:len(whole) // 2])
        _die()

    safetensors.torch.save_file = loading.save_file = transformers.modeling_utils.safe_save_file = save_file


def _die_after_replace(trouble: Trouble) -> None:
    real, calls = os.replace, []

    def replace_and_die(source, target) -> None:
        real(source, target)
        if Path(target).name.startswith(trouble.named):
            calls.append(target)
            if len(calls) == trouble.die_after_replace:
                _die()

    os.replace = replace_and_die


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """A disk of so many bytes, mounted at `folder`. Raises: PermissionError where that is not allowed."""
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    folder.mkdir()
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, f"size={size}".encode()):
        raise PermissionError(ctypes.get_errno(), "mounting a tmpfs is not allowed here")
    try:
        yield folder
    finally:
        libc.umount2(bytes(folder), 2)                              # MNT_DETACH


# -- what a run leaves behind ------------------------------------------------------------------------------------------

def left_by(*folders: Path) -> dict[str, object]:
    """Everything that must be equal between two runs, by name: all files, without the times that are in some."""
    return {f"{number}/{path.relative_to(folder)}": _content(path) for number, folder in enumerate(folders)
            for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in ("times.json", "report.html")
            and not path.name.endswith(".lock")}


def _content(path: Path) -> object:
    if path.name == "result.json":
        return {k: v for k, v in json.loads(path.read_text()).items() if k not in ("stages", "cpu_seconds", "seconds")}
    if path.name == "metrics.jsonl":
        rows = map(json.loads, path.read_text().splitlines())
        return [{name: number for name, number in row.items() if name != "seconds"} for row in rows]
    if path.name == "checkpoint.safetensors":                       # of a finished run that could go on
        from rlhf_kit.storage import load_tensors
        return {name: tensor.tolist() for name, tensor in load_tensors(path)[0].items()}
    return path.read_bytes()


def strays(*folders: Path) -> list[str]:
    """Temporary files and folders, checkpoints of what cannot go on: nothing of that may be left."""
    return [str(path) for folder in folders for path in folder.rglob("*")
            if (path.name.startswith(".") and path.name != ".lock") or path.name.endswith(".training")
            or (path.name == "checkpoints" and not _goes_on(path.parent))]


def _goes_on(run: Path) -> bool:
    """True of a finished run of one method: `--more-steps` takes its checkpoint."""
    job = json.loads((run / "settings.json").read_text()).get("job") if (run / "settings.json").is_file() else None
    one = ("sft", "rewardmodel", "judge", "ppo", "grpo", "dpo", "online-dpo", "kto")
    return job in one and (run / "result.json").is_file()


