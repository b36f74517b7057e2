"""Starts the process behind the wall; imports nothing heavy, so that both sides can load torch at the same time."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rlhf_kit.classroom.grading import walls

KIT = Path(__file__).parents[1]


class NoGrading(OSError):
    """No worker can be started on this machine; the message is one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one exercise of one student may use."""

    seconds: float = 2.0            # of processor, so that a busy machine costs nobody a point
    patience: float = 4.0           # seconds in all, for an answer that sleeps
    memory: int = 2**30             # bytes beyond what torch needs


class Process:
    """A worker that is coming up: its door, and a folder that goes when it goes."""

    def __init__(self, limits: Limits, hidden: Sequence[Path] = (), *, cell: bool = True) -> None:
        """Start it, in a cell or not; `ready` says what came of it."""
        walls.keep_private()                        # the references will be in this process
        self._folder = tempfile.TemporaryDirectory(prefix="rlhf-kit-", ignore_cleanup_errors=True)
        os.chmod(self._folder.name, 0o755)
        self.door, theirs = socket.socketpair()
        settings = {"socket": theirs.fileno(), "paths": paths(), "asking": str(KIT / "exercises" / "asking.py"),
                    "cell": cell, "root": self._folder.name, "visible": [*paths(), *prefixes()],
                    "hidden": [str(KIT.resolve()), *(str(path.resolve()) for path in hidden)],
                    "seconds": limits.seconds, "patience": limits.patience, "memory": limits.memory}
        environment = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "LANG": "C.UTF-8",
                       **{name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}}
        self.program = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("worker.py")), json.dumps(settings)],
            pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("RLHF_KIT_DEBUG") else subprocess.DEVNULL, start_new_session=True,
            cwd=self._folder.name)
        theirs.close()

    def ready(self) -> str:
        """Wait until it waits for work; returns what went wrong, or nothing."""
        self.door.settimeout(120)                   # importing torch from a slow disk
        try:
            said = self.door.recv(2000).decode(errors="replace")
        except TimeoutError:
            said = "it said nothing for two minutes"
        return "" if said == "ready" else said or "it ended at once"

    def close(self) -> None:
        """End it and everything that it started."""
        self.door.close()
        if self.program.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.program.pid, signal.SIGKILL)
            self.program.wait()
        self._folder.cleanup()
        walls.keep_private(False)


# What a worker may see

def prefixes() -> list[str]:
    """The folders that Python is installed in."""
    found = {os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix)}
    libraries = {os.path.realpath(p) for p in os.environ.get("LD_LIBRARY_PATH", "").split(":") if p}
    return sorted(p for p in found | libraries if os.path.isdir(p))


def paths() -> list[str]:
    """Where Python finds its own library and torch, and nothing of ours, of the course, or of this folder."""
    found = dict.fromkeys(os.path.realpath(p) for p in sys.path if p and os.path.exists(p))
    needed = ("torch", "numpy", "safetensors", "typing_extensions.py")
    return [p for p in found if any(p.startswith(f"{prefix}/") for prefix in prefixes())
            or any(os.path.exists(os.path.join(p, name)) for name in needed)]
