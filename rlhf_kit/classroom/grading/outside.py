"""The grader's side of the wall: hand in code and inputs, take out what the functions gave."""

from __future__ import annotations

import json
import os
import random
import re
import select
import signal
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rlhf_kit.classroom.exercises.answers import Case, Outcome
from rlhf_kit.classroom.grading import parcels
from rlhf_kit.classroom.grading.starting import Limits, NoCell, NoGrading, Process

TRIAL = parcels.Job(["def one(x):\n    return x + 1"], ["one"], parcels.Question("one", [([1.0], [])]))
PACKAGES = {"scipy": b"s", "sklearn": b"k", "pandas": b"p", "matplotlib": b"m"}     # see `worker.ON_DEMAND`
SKIPS = 2                           # definitions of one submission that may hang, or end the process, and be left out
REST = 8                            # a submission that has used what it may still has this part of it for each exercise


@dataclass(frozen=True)
class Answer:
    """What came out for one exercise: an outcome for each case, or why there is none."""

    outcomes: tuple[Outcome, ...] = ()
    trouble: str = ""               # "", "not found", "timeout", "crash"
    words: str = ""                 # what is known about the trouble; may come from the student
    problems: tuple[str, ...] = ()  # of a function that was not found: what could not be defined, a line each


class Gone(RuntimeError):
    """The worker is not there any more, which is no submission's fault alone: `revive` it and ask again."""


@dataclass
class _Reply:
    """What came through one pipe."""

    problems: list[str] | None = None               # what could not be defined; None: the child never got so far
    answers: bytes | None = None
    missing: tuple[str, ...] = ()
    end: bytes = b""                                # why it ended; empty: the worker itself failed
    status: int = 0                                 # the child's exit code
    at: int = 0                                     # the statement that it was at
    processor: float = 0.0                          # seconds that it used
    seconds: float = 0.0


@dataclass
class _Budget:
    """What is left to one submission, whatever it does."""

    limits: Limits
    processor: float = 0.0                          # seconds used
    seconds: float = 0.0
    skip: tuple[int, ...] = ()
    skipped: tuple[Answer, ...] = ()                # why

    def terms(self) -> parcels.Terms | None:
        """For the next exercise: the usual; a small part of it once all is used; nothing if that was abused too."""
        most, whole = self.limits.in_all
        used = max(self.processor / most, self.seconds / whole)
        if used > 1.25:
            return None
        part = 1.0 if used < 1.0 else 1 / REST
        return parcels.Terms(self.limits.seconds * part, self.limits.patience * part, self.limits.imports * part,
                             self.skip)


class Worker:
    """A process that asks submissions; `cell` says whether it lives behind walls, `missing` what the system lacks."""

    def __init__(self, limits: Limits, hidden: Sequence[Path] = (), *, cell: bool = True,
                 started: Process | None = None) -> None:
        """Start it, in a cell or not; or take one that was started so.

        Raises: NoCell if a cell is wanted and cannot be built: nothing is graded without walls unless that was asked
        for. NoGrading if no worker starts at all.
        """
        self.limits, self.hidden, self.cell = limits, hidden, cell
        self.why_not = "" if cell else "not asked for"
        self.missing: tuple[str, ...] = ()
        self._begin(started or Process(limits, hidden, cell=cell))

    def ask(self, cells: Sequence[str], questions: Sequence[tuple[str, Sequence[Case]]]) -> list[Answer]:
        """What the functions of one submission give.

        Each exercise has a process of its own, in which its cases come in an order that nobody can know; what ends the
        process costs that exercise, and a definition that ends it is left out. Raises: Gone.
        """
        self._bring(cells)
        budget, names = _Budget(self.limits), [name for name, _ in questions]
        return [self._ask_one(list(cells), names, name, cases, budget) for name, cases in questions]

    def revive(self) -> None:
        """After Gone: a new worker, behind the same walls. Raises: NoCell, NoGrading."""
        self.close()
        self._begin(Process(self.limits, self.hidden, cell=self.cell))

    def close(self) -> None:
        """End it and everything that it started."""
        self._process.close()

    def _begin(self, process: Process) -> None:
        """Prove on a trial that it answers."""
        self._process = process
        failure = process.ready()
        reply = _Reply() if failure else self._once(TRIAL, parcels.Terms(30, 60, 30))
        if reply.answers:
            self.missing = reply.missing
            return
        process.close()
        failure = failure or "a trial gave no answer"
        if self.cell:
            raise NoCell(f"this system does not allow the walls behind which answers run ({failure}). Grade in a "
                         f"container that you throw away, or on Linux; or, if you trust the code, pass --no-walls.")
        raise NoGrading(f"the process that runs the answers does not start: {failure}. Try: rlhf-kit doctor.")

    def _bring(self, cells: Sequence[str]) -> None:
        """Let the worker import the large packages that these cells name: once for all, and on nobody's time."""
        text = "\n".join(cells)
        with suppress(OSError):                     # then the next step will find it gone
            for package, letter in PACKAGES.items():
                if re.search(rf"^[ \t]*(?:import|from)\b[^\n#]*\b{package}\b", text, re.M):
                    self._process.door.send(letter)

    # One exercise

    def _ask_one(self, cells: list[str], names: list[str], name: str, cases: Sequence[Case],
                 budget: _Budget) -> Answer:
        order = random.sample(range(len(cases)), len(cases))
        question = parcels.Question(name, [(list(cases[i].arguments), list(cases[i].gradient)) for i in order])
        while (terms := budget.terms()) is not None:
            reply = self._once(parcels.Job(cells, names, question), terms)
            if not reply.end:
                raise Gone("the process that runs the answers has ended")
            budget.processor += reply.processor
            budget.seconds += reply.seconds
            if reply.answers is not None:
                answer = _read(reply.answers, [cases[i] for i in order], reply.problems or [])
                if answer.trouble == "not found" and budget.skipped:
                    return budget.skipped[-1]
                if answer.trouble:
                    return answer
                return Answer(tuple(outcome for _, outcome in sorted(zip(order, answer.outcomes, strict=True),
                                                                     key=lambda pair: pair[0])))
            trouble = _trouble(reply)
            if reply.problems is not None or not reply.at or len(budget.skip) == SKIPS:
                return trouble
            budget.skip += (reply.at,)              # it never came to the question: once more, without what held it up
            budget.skipped += (trouble,)
        return Answer(trouble="timeout")

    def _once(self, job: parcels.Job, terms: parcels.Terms) -> _Reply:
        """Hand a job in and read until it ends, or until it should have ended long ago."""
        slower = terms.patience / terms.seconds
        deadline = time.monotonic() + 2 * terms.patience + terms.imports * slower + 30
        reply, came, left = _Reply(), bytearray(), parcels.LARGEST + (1 << 17)
        ours, theirs = os.pipe()
        with tempfile.TemporaryFile() as file, open(ours, "rb", buffering=0) as results:
            file.write(parcels.pack_job(job, terms))
            file.flush()
            try:
                socket.send_fds(self._process.door, [b"j"], [file.fileno(), theirs])
            except OSError:
                return reply
            finally:
                os.close(theirs)
            while left > 0 and not reply.end:
                if not select.select([results], [], [], max(0.0, deadline - time.monotonic()))[0]:
                    break
                piece = results.read(1 << 16)
                if not piece:
                    break
                left -= len(piece)
                came += piece
                while message := parcels.take_message(came):
                    _sort(*message, reply)
        return reply


def _sort(kind: bytes, parcel: bytes, reply: _Reply) -> None:
    """Put a message where it belongs: see `worker.relay`."""
    if kind == b"a":
        reply.answers = parcel
    elif kind == b"l":
        reply.problems = parcels.lines(parcel, 20)
    elif kind == b"m":
        reply.missing = tuple(parcels.lines(parcel, 20))
    else:
        told = json.loads(parcel)                   # the guard's own words
        reply.end, reply.status, reply.at = kind, told["status"], told["at"]
        reply.processor, reply.seconds = told["processor"], told["seconds"]


def _read(parcel: bytes, cases: Sequence[Case], problems: Sequence[str]) -> Answer:
    """The outcomes in a parcel, if they are as many as the cases and have the gradients that were asked for."""
    try:
        replies = parcels.unpack_replies(parcel, len(cases))
    except parcels.Damaged as error:
        return Answer(trouble="crash", words=str(error))
    if not replies:
        return Answer(trouble="not found", problems=tuple(problems))
    gradients = [0 if reply.error or reply.untouched else len(case.gradient)
                 for reply, case in zip(replies, cases, strict=True)]
    if [len(reply.gradients) for reply in replies] != gradients:
        return Answer(trouble="crash", words="what came back is not an answer to what was asked")
    return Answer(tuple(Outcome(**reply._asdict()) for reply in replies))


def _trouble(reply: _Reply) -> Answer:
    """Why the exercise that was being asked has no outcome."""
    if reply.end == b"t":
        return Answer(trouble="timeout")
    if reply.end == b"g":
        return Answer(trouble="crash", words="what came back cannot be read: it is not what was asked for, or too much")
    code = reply.status
    return Answer(trouble="crash", words=f"the process was ended by {signal.Signals(-code).name}"
                  if code < 0 and -code in set(signal.Signals) else "the process ended before it answered")
