"""The process that asks the answers: waits warm in its cell, and forks twice for every submission.

    grader --socket--> worker --fork--> guard --fork--> child, which runs a student's code
       ^                                 |  ^                |
       +---------------pipe--------------+  +------pipe------+

The guard has the clock; the child has limits, and hands in arrays. The worker holds no reference, and no code or result
of anybody: each guard reads one submission, and dies with it. Started by its path, with an interpreter that does not
know the kit; the neighbours that it needs are read as texts before it goes where no file of the kit can be seen.

Settings, JSON in the first argument: `socket` (a descriptor), `paths` (sys.path), `asking` (the file of that name),
`cell` (whether to build one), `root` (an empty folder), `visible` and `hidden` (folders), `seconds` (of processor, for
an exercise), `patience` (seconds in all, for an exercise), `memory` (bytes beyond what torch needs).
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
RESULTS = 3                                                # the one descriptor, but for /dev/null, that a child has
LONGEST = 600                                              # seconds of processor, should the guard itself fail
USEFUL = ("math", "random", "collections", "functools", "itertools", "typing", "dataclasses", "statistics", "numpy",
          "torch", "torch.nn.functional", "torch.distributions")       # imported once, before anybody is asked


class Refusal:
    """A finder that finds nothing of what must not be imported."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name.split(".")[0] in REFUSED:
            raise ImportError(f"{name} is not there while grading: an answer is written, not imported")


def main(settings: SimpleNamespace) -> None:
    """Build the cell, say how it went, and fork for everyone who comes."""
    door = socket.socket(fileno=settings.socket)
    try:
        kit = prepare(settings)
    except Exception as error:                             # whatever it was: the grader knows what to do without a cell
        door.send(f"{type(error).__name__}: {error}".encode()[:1000])
        return
    door.send(b"ready")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)          # nobody asks how a guard ended
    while True:
        message, descriptors, *_ = socket.recv_fds(door, 1, 2)
        if not message:
            return
        if os.fork() == 0:
            door.close()
            guard(*descriptors, settings, kit)
        for descriptor in descriptors:
            os.close(descriptor)


def prepare(settings: SimpleNamespace) -> SimpleNamespace:
    """Go into the cell, import what answers need, and load the neighbours. Raises: anything."""
    files = [Path(__file__).with_name(f"{name}.py") for name in ("walls", "picking", "parcels")]
    texts = {path: path.read_text(encoding="utf-8") for path in (*files, Path(settings.asking))}
    walls = loaded(files[0], texts.pop(files[0]))
    walls.die_with_parent()
    sys.path[:] = settings.paths
    if settings.cell:
        walls.enter_cell(settings.root, settings.visible, settings.hidden)
    sys.modules["dill"] = None                             # torch takes it along, and it wants a folder to write in
    for name in USEFUL:
        importlib.import_module(name)
    del sys.modules["dill"]
    neighbours = {path.stem: loaded(path, text) for path, text in texts.items()}
    settings.memory += walls.address_space()               # what torch has mapped already is not the answer's
    warm(sys.modules["torch"])
    if settings.cell:
        walls.hide_processes()
    walls.keep_private()
    gc.collect()
    gc.freeze()                                            # so that a fork copies less
    return SimpleNamespace(walls=walls, **neighbours)


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

def guard(job: int, results: int, settings: SimpleNamespace, kit: SimpleNamespace) -> NoReturn:
    """Read the job, let a child do it, and pass on what it hands in, until it is done or its time is up."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        kit.walls.die_with_parent()
        parcel = os.pread(job, os.fstat(job).st_size, 0)
        os.close(job)
        number = os.getpid()
        kit.parcels.send(results, b"p", str(number).encode())
        if settings.cell:
            kit.walls.begin_child()
        mine, theirs = os.pipe()
        child = os.fork()
        if child == 0:
            work(parcel, theirs, number, settings, kit)
        os.close(theirs)
        end = relay(child, mine, results, settings, kit)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        kit.parcels.send(results, end, str(status).encode())
    finally:
        os._exit(0)


def relay(child: int, mine: int, results: int, settings: SimpleNamespace, kit: SimpleNamespace) -> bytes:
    """Pass parcels on; returns why it ended: b"t" time is up, b"g" a parcel is too large, b"x" the child is gone."""
    while True:
        deadline = time.monotonic() + settings.patience
        processor = kit.walls.cpu_seconds(child) + settings.seconds
        parcel, wanted = b"", 9
        while len(parcel) < wanted:
            if not select.select([mine], [], [], 0.02)[0]:
                if time.monotonic() > deadline or kit.walls.cpu_seconds(child) > processor:
                    return b"t"
                continue
            piece = os.read(mine, min(wanted - len(parcel), 1 << 20))
            if not piece:
                return b"x"
            parcel += piece
            if len(parcel) == 9:
                wanted += int.from_bytes(parcel[1:], "little")
                if wanted > kit.parcels.LARGEST + (1 << 20):
                    return b"g"
        if parcel[:1] in (b"l", b"a"):
            kit.parcels.send(results, parcel[:1], parcel[9:])


# The child

def work(parcel: bytes, results: int, number: int, settings: SimpleNamespace, kit: SimpleNamespace) -> NoReturn:
    """Put the walls up, define the student's functions, and hand in what they give."""
    leave = os._exit                                       # an answer may put something else in its place
    try:
        confine(results, number, settings, kit.walls)
        cells, questions = kit.parcels.unpack_job(parcel)
        sys.meta_path.insert(0, Refusal)
        torch = sys.modules["torch"]
        namespace = {"__name__": "answers", "torch": torch, "Tensor": torch.Tensor, "math": sys.modules["math"]}
        problems = kit.picking.define(cells, [question.name for question in questions], namespace)
        kit.parcels.send(RESULTS, b"l", kit.parcels.pack(problems, {}))
        for question in questions:
            kit.parcels.send(RESULTS, b"a", replies(question, namespace.get(question.name), kit))
    finally:
        leave(0)


def confine(results: int, number: int, settings: SimpleNamespace, walls: ModuleType) -> None:
    """Nothing open but the pipe, an empty place to be in, no powers, small limits, no environment."""
    os.setsid()
    os.dup2(results, RESULTS)
    os.closerange(RESULTS + 1, 4096)
    if settings.cell:
        walls.give_scratch()
    else:
        folder = Path(settings.root, str(number))
        folder.mkdir()
        folder.chmod(0o777)
        os.chdir(folder)
    os.environ.clear()
    walls.give_up_powers(number)
    walls.keep_private()
    walls.limit(settings.memory, LONGEST)


def replies(question: tuple, answer: object, kit: SimpleNamespace) -> bytes:
    """What one function gives for every case, packed; a missing function gives no reply at all."""
    name, cases = question
    if not callable(answer):
        return kit.parcels.pack_replies([])
    asked = [asked_once(answer, arguments, places, kit) for arguments, places in cases]
    try:
        return kit.parcels.pack_replies(asked)
    except Exception as error:                             # a tensor that cannot be written down
        failed = kit.asking.Outcome(error=f"{name}: {type(error).__name__}: {error}"[:300])
        return kit.parcels.pack_replies([failed] * len(cases))


def asked_once(answer: object, arguments: list, places: list[int], kit: SimpleNamespace) -> object:
    """One outcome; leaving the program is an error like any other."""
    try:
        return kit.asking.ask(answer, kit.asking.Case(tuple(arguments), "", tuple(places)))
    except BaseException as error:                         # SystemExit, KeyboardInterrupt, or an error while asking
        return kit.asking.Outcome(error=f"{type(error).__name__}: {error}"[:300])


if __name__ == "__main__":
    main(SimpleNamespace(**json.loads(sys.argv[1])))
