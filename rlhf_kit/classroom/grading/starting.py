"""Starts the process behind the wall; imports nothing heavy, so that both sides can load torch at the same time."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from rlhf_kit.classroom.grading import walls

KIT = Path(__file__).parents[1]
PACKAGES = ("torch", "numpy", "safetensors", "scipy", "scikit-learn", "pandas", "matplotlib",
            "tqdm")                                                             # and what these need
UNRECORDED = {"scikit-learn": "sklearn", "python-dateutil": "dateutil", "pillow": "PIL"}    # folders of other names
# All that an answer finds in its environment: one thread, as it may start no other; places where there are some.
CONSTANTS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1",
             "BLIS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "LANG": "C.UTF-8",
             "MPLBACKEND": "Agg", "JOBLIB_MULTIPROCESSING": "0"}


class NoGrading(OSError):
    """No worker can be started on this machine; the message is one line for the user."""


class NoCell(NoGrading):
    """The walls were asked for and cannot be built; the message says what failed and what to do."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one exercise of one student may use, and what all of them together."""

    seconds: float = 2.0            # of processor, so that a busy machine costs nobody a point
    patience: float = 4.0           # seconds in all, for an answer that sleeps
    imports: float = 5.0            # seconds of processor, for the imports alone
    memory: int = 2**30             # bytes beyond what torch needs

    @property
    def in_all(self) -> tuple[float, float]:
        """Seconds of processor and seconds in all that one submission may use before its exercises get a rest."""
        slower = self.patience / self.seconds
        return 2 * self.seconds + self.imports, 2 * self.patience + slower * self.imports


class Process:
    """A worker that is coming up: its door, and a folder that goes when it goes."""

    def __init__(self, limits: Limits, hidden: Sequence[Path] = (), *, cell: bool = True) -> None:
        """Start it, in a cell or not; `ready` says what came of it."""
        walls.keep_private()                        # the references will be in this process
        self._folder = tempfile.TemporaryDirectory(prefix="rlhf-kit-", ignore_cleanup_errors=True)
        os.chmod(self._folder.name, 0o755)
        self.door, theirs = socket.socketpair()
        place = walls.SCRATCH if cell else self._folder.name
        constants = CONSTANTS | {"HOME": place, "TMPDIR": place, "MPLCONFIGDIR": place}
        paths, visible, empty = allowed()
        settings = {"socket": theirs.fileno(), "paths": paths, "asking": str(KIT / "exercises" / "asking.py"),
                    "cell": cell, "root": self._folder.name, "visible": visible,
                    "hidden": [*empty, str(KIT.resolve()), *(str(path.resolve()) for path in hidden)],
                    "memory": limits.memory, "constants": [*constants]}
        needed = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "PATH") if name in os.environ}
        self.program = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("worker.py")), json.dumps(settings)],
            pass_fds=[theirs.fileno()], env=needed | constants, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
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
        with suppress(OSError):
            walls.clear(self._folder.name)
        self._folder.cleanup()
        walls.keep_private(False)


# What a worker may see: an allow-list, for what lies beside it may be last week's hand-ins, or the solution

def allowed() -> tuple[list[str], list[str], list[str]]:
    """Where Python looks for modules; what of it is visible; and folders inside of the visible that must look empty."""
    library = os.path.realpath(os.path.dirname(os.__file__))
    extensions = [p for p in map(os.path.realpath, sys.path) if os.path.basename(p) == "lib-dynload"]
    places: dict[str, None] = {}
    visible = dict.fromkeys([library, *extensions])
    for place, entry in _entries():
        places.setdefault(place)
        path = os.path.join(place, entry)
        visible.update(dict.fromkeys([path, os.path.realpath(path)]))    # a link is shown, and where it leads
    inside = [os.path.join(library, name) for name in ("site-packages", "dist-packages")]
    return [library, *extensions, *places], [*visible], [p for p in inside if os.path.isdir(p)]


def _entries() -> Iterator[tuple[str, str]]:
    """(folder on sys.path, name in it) of every package that answers may use, and of what these need in turn."""
    left, seen = list(PACKAGES), set()
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        left += [re.match(r"[\w.-]+", need)[0] for need in found.requires or () if "extra ==" not in need]
        place = os.path.realpath(str(found.locate_file("")))
        record = found.read_text("RECORD") or ""           # a line a file, the path first
        tops = {re.split(r"[/,]", line)[0].strip('"') for line in record.splitlines()} - {"..", "", "__pycache__"}
        module = UNRECORDED.get(name, name.replace("-", "_"))
        for top in sorted(tops) or (module, f"{module}.py", f"{module}.libs"):
            if os.path.lexists(os.path.join(place, top)) and not top.endswith(".pth"):
                yield place, top
