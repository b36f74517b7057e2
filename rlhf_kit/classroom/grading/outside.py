"""The grader's side of the wall: hand in code and inputs, take out what the functions gave."""

from __future__ import annotations

import os
import select
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from rlhf_kit.classroom.exercises.answers import Case, Outcome
from rlhf_kit.classroom.grading import parcels
from rlhf_kit.classroom.grading.starting import Limits, NoGrading, Process

TRIAL = parcels.pack_job(["def one(x):\n    return x + 1"], [parcels.Question("one", [([1.0], [])])])


@dataclass(frozen=True)
class Answer:
    """What came out for one exercise: an outcome for each case, or why there is none."""

    outcomes: tuple[Outcome, ...] = ()
    trouble: str = ""               # "", "not found", "timeout", "crash"
    words: str = ""                 # what is known about the trouble; may come from the student


@dataclass
class _Reply:
    """What came through one pipe, in order."""

    problems: list[str] | None = None               # cells that cannot be parsed; None: the child never got so far
    parcels: list[bytes] = field(default_factory=list)
    end: bytes = b""                                # why it ended; empty: the worker itself failed
    status: str = ""                                # the child's exit code
    guard: int = 0                                  # process id


class Worker:
    """A process that asks submissions; `cell` says whether it lives behind walls, `why_not` what was in the way."""

    def __init__(self, limits: Limits, hidden: Sequence[Path] = (), *, cell: bool = True,
                 started: Process | None = None) -> None:
        """Start it, in a cell if that is wanted and possible; or take one that was started so. Raises: NoGrading."""
        self.limits, self.hidden = limits, hidden
        self.cell, self.why_not = cell, "" if cell else "not asked for"
        self._lock = threading.Lock()
        self._begin(started or Process(limits, hidden, cell=cell))

    def ask(self, cells: Sequence[str], questions: Sequence[tuple[str, Sequence[Case]]]) -> list[Answer]:
        """What the functions of one submission give; what ends the child costs that exercise and no other."""
        answers: list[Answer] = []
        while len(answers) < len(questions):
            left = [parcels.Question(name, [(list(case.arguments), list(case.gradient)) for case in cases])
                    for name, cases in questions[len(answers):]]
            reply = self._patiently(parcels.pack_job(cells, left), len(left))
            read = [_read(parcel, cases, reply.problems or []) for parcel, (_, cases)
                    in zip(reply.parcels, questions[len(answers):], strict=False)]
            if len(read) < len(left):
                ended = _trouble(reply)
                read += [ended] * (1 if reply.problems is not None else len(left))
            answers += read
        return answers

    def close(self) -> None:
        """End it and everything that it started."""
        self._process.close()

    def _begin(self, process: Process) -> None:
        """Prove on a trial that it answers; where no cell can be built, go on without one."""
        self._process = process
        failure = process.ready()
        if not failure and self._once(TRIAL, 1).end == b"x":
            return
        process.close()
        if not self.cell:
            raise NoGrading(f"the process that runs the answers does not start: {failure or 'it gave no answer'}. "
                            f"Try: rlhf-kit doctor.")
        self.cell, self.why_not = False, failure or "a trial gave no answer"
        self._begin(Process(self.limits, self.hidden, cell=False))

    # One job

    def _patiently(self, job: bytes, exercises: int) -> _Reply:
        """Once, and if the worker itself failed, once more with a new one: it may have been a neighbour's doing."""
        process = self._process
        reply = self._once(job, exercises)
        if reply.end:
            return reply
        with self._lock:
            if self._process is process:            # nobody else has replaced it yet
                self.close()
                self._begin(Process(self.limits, self.hidden, cell=self.cell))
        return self._once(job, exercises)

    def _once(self, job: bytes, exercises: int) -> _Reply:
        """Hand a job in and read until it ends, or until it should have ended long ago."""
        deadline = time.monotonic() + (exercises + 1) * self.limits.patience + 20
        reply, came = _Reply(), bytearray()
        ours, theirs = os.pipe()
        with tempfile.TemporaryFile() as file, open(ours, "rb", buffering=0) as results:
            file.write(job)
            file.flush()
            try:
                socket.send_fds(self._process.door, [b"j"], [file.fileno(), theirs])
            except OSError:
                return reply
            finally:
                os.close(theirs)
            while select.select([results], [], [], max(0.0, deadline - time.monotonic()))[0]:
                piece = results.read(1 << 20)
                if not piece:
                    break
                came += piece
                _sort(came, reply)
        if not reply.end and reply.guard and not self.cell:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(reply.guard, signal.SIGKILL)
        return reply


def _sort(came: bytearray, reply: _Reply) -> None:
    """Take whole parcels off what came, by their first byte: see `worker.guard`."""
    while len(came) >= 9 and len(came) >= (end := 9 + int.from_bytes(came[1:9], "little")):
        kind, parcel = bytes(came[:1]), bytes(came[9:end])
        del came[:end]
        if kind == b"a":
            reply.parcels.append(parcel)
        elif kind == b"l":
            reply.problems = _problems(parcel)
        elif kind == b"p":
            reply.guard = int(parcel)
        else:
            reply.end, reply.status = kind, parcel.decode()


def _problems(parcel: bytes) -> list[str]:
    try:
        told, _ = parcels.unpack(parcel)
    except parcels.Damaged:
        return []
    return [str(line)[:200] for line in told[:20]] if isinstance(told, list) else []


def _read(parcel: bytes, cases: Sequence[Case], problems: Sequence[str]) -> Answer:
    """The outcomes in a parcel, if they are as many as the cases and have the gradients that were asked for."""
    try:
        replies = parcels.unpack_replies(parcel)
    except parcels.Damaged as error:
        return Answer(trouble="crash", words=str(error))
    if not replies:
        return Answer(trouble="not found", words="; ".join(problems))
    gradients = [0 if reply.error or reply.untouched else len(case.gradient)
                 for reply, case in zip(replies, cases, strict=False)]
    if len(replies) != len(cases) or [len(reply.gradients) for reply in replies] != gradients:
        return Answer(trouble="crash", words="what came back is not an answer to what was asked")
    return Answer(tuple(Outcome(*reply) for reply in replies))


def _trouble(reply: _Reply) -> Answer:
    """Why the exercise that was being asked has no outcome."""
    if reply.end == b"t":
        return Answer(trouble="timeout")
    if reply.end == b"g":
        return Answer(trouble="crash", words="it returned too much")
    code = int(reply.status or 0)
    return Answer(trouble="crash", words=f"the process was ended by {signal.Signals(-code).name}"
                  if code < 0 and -code in set(signal.Signals) else "the process ended before it answered")
