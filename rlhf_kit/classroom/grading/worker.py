"""The process that asks the answers: waits warm in its cell, and forks twice for every exercise of every submission.

    grader --socket--> worker --fork--> guard --fork--> child, which runs a student's code
       ^                                 |  ^                |
       +---------------pipe--------------+  +------pipe------+

The guard has the clock; the child has limits, and hands in arrays. The worker holds no reference, and no code or result
of anybody: each guard reads one job, and dies with it; what a child has learnt, written or shared dies with the child.
Started by its path, with an interpreter that does not know the kit; the neighbours that it needs are read as texts
before it goes where no file of the kit can be seen.

Settings, JSON in the first argument: `socket` (a descriptor), `paths` (sys.path), `asking` (the file of that name),
`cell` (whether to build one), `root` (an empty folder), `visible` and `hidden` (paths), `memory` (bytes beyond what
torch needs).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import NoReturn

REFUSED = ("rlhf_kit", "trl")                              # an answer is written, not imported
ABSENT = ("pyarrow",)                                      # pandas does without; it reserves more than our limit
RESULTS = 3                                                # the one descriptor, but for /dev/null, that a child has
USEFUL = ("math", "random", "collections", "functools", "itertools", "typing", "dataclasses", "statistics", "numpy",
          "torch", "torch.nn.functional", "torch.distributions")       # imported once, before anybody is asked
ON_DEMAND = {b"s": ("scipy", "scipy.special", "scipy.stats"), b"p": ("pandas",),
             b"k": ("sklearn", "sklearn.linear_model", "sklearn.metrics", "sklearn.model_selection"),
             b"m": ("matplotlib", "matplotlib.pyplot")}    # imported once somebody's notebook names them
# messages of a child, and their largest size: what the system lacks, "an import comes", "a definition comes" (both with
# the number of the statement), what could not be defined, and the answers
LACKS, IMPORTING, DEFINING, PROBLEMS, ANSWERS = b"m", b"i", b"d", b"l", b"a"
NOTES = 12_000                                             # messages that an honest notebook never reaches


class Refusal:
    """A finder that finds nothing of what must not be imported."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in ABSENT:
            raise ModuleNotFoundError(f"No module named {name!r}")
        if name.split(".")[0] in REFUSED:
            raise ImportError(f"{name} is not there while grading: an answer is written, not imported")


def main(settings: SimpleNamespace) -> None:
    """Build the cell, say how it went, and fork for everyone who comes."""
    door = socket.socket(fileno=settings.socket)
    try:
        kit = prepare(settings)
    except Exception as error:                             # whatever it was: the grader knows what to do then
        door.send(f"{type(error).__name__}: {error}".encode()[:1000])
        return
    door.send(b"ready")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)          # nobody asks how a guard ended
    me, base = os.getpid(), settings.memory
    settings.memory = base + kit.walls.address_space(kit.counted)       # what is mapped already is not the answer's
    while True:
        message, descriptors, *_ = socket.recv_fds(door, 1, 2)
        if not message:
            return
        if message in ON_DEMAND:
            bring(ON_DEMAND[message])
            settings.memory = base + kit.walls.address_space(kit.counted)
        elif len(descriptors) == 2 and os.fork() == 0:
            door.close()
            guard(*descriptors, me, settings, kit)
        for descriptor in descriptors:
            os.close(descriptor)


def prepare(settings: SimpleNamespace) -> SimpleNamespace:
    """Import what answers need, go into the cell, and load the neighbours. Raises: anything.

    The imports come first, so that the cell needs no library of the system and no /proc: what is loaded stays loaded.
    """
    files = [Path(__file__).with_name(f"{name}.py") for name in ("walls", "system_calls", "picking", "parcels")]
    texts = {path: path.read_text(encoding="utf-8") for path in (*files, Path(settings.asking))}
    walls = loaded(files[0], texts.pop(files[0]))
    walls.die_with_parent()
    sys.path[:] = settings.paths
    sys.meta_path.insert(0, Refusal)
    sys.modules["dill"] = None                             # torch takes it along, and it wants a folder to write in
    for name in USEFUL:
        importlib.import_module(name)
    del sys.modules["dill"]
    warm(sys.modules["torch"])
    counted = walls.count_memory()
    walls.go_first()
    if settings.cell:
        walls.enter_cell(settings.root, settings.visible, settings.hidden)
    sys.argv[:], sys.orig_argv[:] = ["notebook"], []             # whose folder is graded is nobody's business
    settings.visible = settings.hidden = ()
    neighbours = {path.stem: loaded(path, text) for path, text in texts.items()}
    walls.keep_private()
    gc.collect()
    gc.freeze()                                            # so that a fork copies less
    return SimpleNamespace(walls=walls, counted=counted, **neighbours)


def bring(names: tuple[str, ...]) -> None:
    """Import what is large, once for all; what is not installed, or broken, its importers will see for themselves."""
    if names[0] not in sys.modules:
        for name in names:
            with contextlib.suppress(BaseException):
                importlib.import_module(name)
        gc.collect()
        gc.freeze()


def warm(torch: ModuleType) -> None:
    """Let torch look at the processor once, which it does when it first computes; one thread, as forks need it."""
    torch.set_num_threads(1)
    torch.log_softmax(torch.rand(8, 8) @ torch.rand(8, 8), -1).exp().sum()


def loaded(path: Path, text: str) -> ModuleType:
    """A file of ours that stands alone, as a module."""
    module = sys.modules[path.stem] = ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(text, str(path), "exec"), vars(module))
    return module


# The guard

def guard(job: int, results: int, worker: int, settings: SimpleNamespace, kit: SimpleNamespace) -> NoReturn:
    """Read the job, let a child do it, and pass on what it hands in, until it is done or has used up what it may."""
    child, folder = 0, Path(settings.root, str(os.getpid()))
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        kit.walls.die_with_parent()
        if os.getppid() != worker:                         # it died before we could ask to die with it
            return
        terms, rest = kit.parcels.unpack_terms(os.pread(job, os.fstat(job).st_size, 0))
        os.close(job)
        if settings.cell:
            kit.walls.begin_child()
        else:
            folder.mkdir()
            folder.chmod(0o777)
        mine, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            work(rest, terms, theirs, folder, settings, kit)
        os.close(theirs)
        watch = Watch(child, terms, kit.walls.cpu_seconds)
        end = relay(mine, results, watch, kit)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        told = {"status": status, "at": watch.at, "processor": watch.processor, "seconds": watch.seconds}
        kit.parcels.send(results, end, json.dumps(told).encode())
    finally:
        if child:
            with contextlib.suppress(OSError):
                os.kill(child, signal.SIGKILL)
        try:
            if folder.is_dir():
                kit.walls.clear(str(folder))
                folder.rmdir()
        finally:
            os._exit(0)


class Watch:
    """What a child has used, apart for imports, definitions and answers; no message ever adds to what it may use."""

    def __init__(self, child: int, terms: tuple, cpu_seconds: object) -> None:
        slower = terms.patience / terms.seconds            # seconds in all for each of processor
        self.child, self.cpu_seconds, self.phase, self.at = child, cpu_seconds, IMPORTING, 0
        self.left = {IMPORTING: [terms.imports, terms.imports * slower], DEFINING: [terms.seconds, terms.patience],
                     PROBLEMS: [terms.seconds, terms.patience]}
        self.began, self.processor = time.monotonic(), 0.0
        self.now = self.began

    @property
    def seconds(self) -> float:
        return self.now - self.began

    def spent(self) -> bool:
        """Count what was used since the last look; True if it is too much for what the child is doing."""
        now, processor = time.monotonic(), max(self.processor, self.cpu_seconds(self.child))
        left = self.left[self.phase]
        left[0] -= processor - self.processor
        left[1] -= now - self.now
        self.now, self.processor = now, processor
        return min(left) < 0


def relay(mine: int, results: int, watch: Watch, kit: SimpleNamespace) -> bytes:
    """Pass on what may be passed on; returns why it ended.

    b"t": time is up; b"g": it handed in what nobody asked for, or too much of it; b"x": the child is gone, or done.
    """
    largest = {LACKS: 1000, IMPORTING: 4, DEFINING: 4, PROBLEMS: 8000, ANSWERS: kit.parcels.LARGEST + (1 << 16)}
    came, notes = bytearray(), 0
    while True:
        if watch.spent():
            return b"t"
        if not select.select([mine], [], [], 0.02)[0]:
            continue
        piece = os.read(mine, 1 << 16)
        if not piece:
            return b"x"
        came += piece
        while came:
            kind = bytes(came[:1])
            if kind not in largest or int.from_bytes(came[1:5], "little") > largest[kind] or notes > NOTES:
                return b"g"
            message = kit.parcels.take_message(came)
            if message is None:
                break
            notes += 1
            if watch.spent():
                return b"t"
            if kind in (IMPORTING, DEFINING) and watch.phase != PROBLEMS:
                watch.phase, watch.at = kind, int.from_bytes(message[1], "little")
            elif kind == ANSWERS:
                kit.parcels.send(results, *message)
                return b"x"                                # whatever it would do now, it does not
            elif kind in (LACKS, PROBLEMS) and watch.phase != PROBLEMS:
                kit.parcels.send(results, *message)
                watch.phase = PROBLEMS if kind == PROBLEMS else watch.phase
                del largest[kind]
            else:
                return b"g"


# The child

def work(job: bytes, terms: tuple, results: int, folder: Path, settings: SimpleNamespace,
         kit: SimpleNamespace) -> NoReturn:
    """Put the walls up, define the student's functions, and hand in what one of them gives."""
    leave, send = os._exit, kit.parcels.send               # an answer may put something else in their place
    try:
        longest = int(2 * terms.seconds + terms.imports) + 5             # of processor, should the guard itself fail
        send(RESULTS, LACKS, "\n".join(confine(results, longest, folder, settings, kit)).encode())
        cells, names, question = kit.parcels.unpack_job(job)
        del job
        torch, notebook = sys.modules["torch"], ModuleType("__main__")
        sys.modules["__main__"] = notebook                 # as in a notebook, and without what is in ours
        vars(notebook).update(torch=torch, Tensor=torch.Tensor, math=sys.modules["math"])

        def note(number: int, importing: bool) -> None:
            send(RESULTS, IMPORTING if importing else DEFINING, number.to_bytes(4, "little"))

        problems = kit.picking.define(cells, names, vars(notebook), terms.skip, note)
        send(RESULTS, PROBLEMS, "\n".join(line.replace("\n", " ") for line in problems).encode()[:8000])
        send(RESULTS, ANSWERS, replies(question, vars(notebook).get(question.name), kit))
    finally:
        leave(0)


def confine(results: int, longest: int, folder: Path, settings: SimpleNamespace, kit: SimpleNamespace) -> list[str]:
    """Nothing open but the pipe, an empty place to be in, no powers, small limits, no environment.

    Returns what this system does not offer for it, in words.
    """
    missing = [] if settings.cell else ["namespaces"]
    if not sys.platform.startswith("linux"):
        missing.append("clock of another process's processor time")
    os.setsid()
    os.dup2(results, RESULTS)
    os.closerange(RESULTS + 1, 4096)
    if settings.cell:
        kit.walls.give_scratch()
    else:
        os.chdir(folder)
    for name in set(os.environ) - set(settings.constants):
        del os.environ[name]
    kit.system_calls.forget_keys()
    kit.walls.give_up_powers(int(folder.name))
    kit.walls.keep_private()
    missing += kit.walls.limit(settings.memory, longest)
    return missing + ([] if kit.system_calls.refuse() else ["filter on system calls"])


def replies(question: tuple, answer: object, kit: SimpleNamespace) -> bytes:
    """What one function gives for every case, each packed before the next is asked; nothing for a missing function."""
    if not callable(answer):
        return b""
    packed = []
    for arguments, places in question.cases:
        outcome = asked_once(answer, arguments, places, kit)
        try:
            packed.append(kit.parcels.pack_reply(outcome))
        except Exception as error:                         # an array that cannot be written down
            outcome = kit.asking.Outcome(error=f"{question.name}: {type(error).__name__}: {error}"[:300])
            packed.append(kit.parcels.pack_reply(outcome))
    whole = b"".join(packed)
    if len(whole) > kit.parcels.LARGEST:
        failed = kit.parcels.pack_reply(kit.asking.Outcome(error=f"{question.name}: it returned more than 1 MiB"))
        return failed * len(packed)
    return whole


def asked_once(answer: object, arguments: list, places: list[int], kit: SimpleNamespace) -> object:
    """One outcome; leaving the program is an error like any other."""
    try:
        return kit.asking.ask(answer, kit.asking.Case(tuple(arguments), "", tuple(places)))
    except BaseException as error:                         # SystemExit, KeyboardInterrupt, or an error while asking
        return kit.asking.Outcome(error=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main(SimpleNamespace(**json.loads(sys.argv[1])))
