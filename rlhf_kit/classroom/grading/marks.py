"""The verdict: what came out of the cell, compared with the references, on inputs drawn from the teacher's seed."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Verdict, compare, show
from rlhf_kit.classroom.exercises.checking import EXERCISES, lesson_of, likely
from rlhf_kit.classroom.grading import apart
from rlhf_kit.classroom.grading.definitions import defining
from rlhf_kit.classroom.grading.likeness import alike
from rlhf_kit.classroom.grading.outside import Answer, Gone, Worker
from rlhf_kit.classroom.grading.roster import Roster
from rlhf_kit.classroom.grading.starting import Limits, Process
from rlhf_kit.classroom.grading.submissions import Submission, collect
from rlhf_kit.language import Lang, say

# The first that applies is shown.
STATUSES = ("not graded", "nothing handed in", "unreadable", "wrong lesson", "timeout", "crash", "not found",
            "not attempted", "ok")
LONGEST = 2_000                                             # characters of a value that a page shows


@dataclass(frozen=True)
class Mark:
    """What one exercise of one student is worth, and why."""

    exercise: Exercise
    status: str                     # "right", "wrong", "not attempted", "not found", or the submission's own
    remark: str = ""                # one line in the student's language; may quote the student's code
    told: str = ""                  # the same in the teacher's
    given: str = ""                 # the arguments of the case that is shown
    yours: str = ""
    expected: str = ""
    right: int = 0                  # cases beyond the worked example that are right,
    asked: int = 0                  # and all of them
    known: bool = False             # the remark names the mistake

    @property
    def points(self) -> int:
        return self.exercise.points if self.status == "right" else 0

    @property
    def partial(self) -> float:
        """For an answer that is not right: half of the points, shared by the cases, rounded down to half points.

            floor(2 · points/2 · right/asked) / 2

        The worked example is no case of these: its answer stands in the text.
        """
        return 0.0 if self.points or not self.asked else math.floor(self.exercise.points * self.right / self.asked) / 2


@dataclass(frozen=True)
class Row:
    """One student."""

    submission: Submission
    marks: tuple[Mark, ...]
    alike: str = ""                 # with whom which answers are the same: a hint, no verdict

    @property
    def student(self) -> str:
        return self.submission.student

    @property
    def file(self) -> str:
        return self.submission.file

    @property
    def note(self) -> str:
        """Why there are no points, and what the teacher should know of the choice."""
        return f"{self.submission.problem} {self.submission.note}".strip()

    @property
    def status(self) -> str:
        """Why points may be missing for another reason than a wrong answer."""
        seen = {"ok" if mark.status in ("right", "wrong") else mark.status for mark in self.marks}
        return next(status for status in STATUSES if status in seen)

    @property
    def total(self) -> int:
        return sum(mark.points for mark in self.marks)

    @property
    def partial(self) -> float:
        return sum(mark.partial for mark in self.marks)

    def late(self, due: datetime | None) -> timedelta | None:
        """By how much; nothing for one in time, or of unknown time. Zero: the platform says so, and not by how much."""
        when = self.submission.when
        if due and when and when > due:
            return when - due
        return timedelta(0) if self.submission.late else None


@dataclass(frozen=True)
class Grades:
    """A class, one lesson."""

    lesson: str
    seed: int
    isolation: str                  # "netns": walls on all sides; "none": limits only
    why_not: str                    # what was in the way of isolation
    exercises: tuple[Exercise, ...]
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()   # limits that this system does not have
    due: datetime | None = None
    partial: bool = False           # points for cases are given
    passed_over: tuple[tuple[str, str], ...] = ()           # files that are no student's, with the reason
    names_alike: tuple[tuple[str, ...], ...] = ()

    @property
    def out_of(self) -> int:
        return sum(exercise.points for exercise in self.exercises)

    def points(self, row: Row) -> float:
        """What the student gets."""
        return row.total + row.partial if self.partial else row.total


def grade(folder: Path, lesson: str, seed: int, lang: Lang | None = None, *, teacher: Lang = "en",
          limits: Limits | None = None, cell: bool = True, started: Process | None = None, roster: Roster | None = None,
          due: datetime | None = None, partial: bool = False, grown: Callable[[Grades], None] | None = None) -> Grades:
    """Grade every student's hand-in in a folder.

    Args:
        lesson: such as "01".
        seed: of the random inputs; the same seed gives the same grades.
        lang: of the remarks; by default each student's, as their notebook is written.
        teacher: language of what only the teacher reads.
        limits: of what an answer may use.
        cell: False runs answers without walls, with limits only.
        started: a process that was started for this before, to save time.
        due: later hand-ins are marked as late.
        grown: called with all that is known whenever one more student is graded; the others are "not graded".
    """
    exercises, limits = of_lesson(lesson), limits or Limits()
    collection = collect(folder, lesson, lang or teacher, wanted=_names(), roster=roster)
    submissions = collection.submissions
    rows = [Row(submission, _without_asking(submission, exercises), same) for submission, same
            in zip(submissions, alike(submissions, exercises, lesson), strict=True)]
    cases = [exercise.all_cases(seed) for exercise in exercises]
    with closing(Worker(limits, [folder], cell=cell, started=started)) as worker:
        def grades() -> Grades:
            return Grades(lesson, seed, "netns" if worker.cell else "none", worker.why_not, exercises, tuple(rows),
                          tuple(worker.missing), due, partial, collection.passed_over, collection.alike)

        def work(submission: Submission) -> list[tuple]:
            answers = worker.ask(submission.cells, [(e.name, c) for e, c in zip(exercises, cases, strict=True)])
            return [_mark(*one, submission.cells, lang or submission.lang, teacher, limits)
                    for one in zip(exercises, cases, answers, strict=True)]

        left = [place for place, submission in enumerate(submissions) if not submission.problem]
        for place, given in _given(worker, work, [submissions[place] for place in left]):
            told = [("crash", given.words, given.words)] * len(exercises) if isinstance(given, apart.Ended) else given
            marks = tuple(Mark(exercise, *fields) for exercise, fields in zip(exercises, told, strict=True))
            rows[left[place]] = replace(rows[left[place]], marks=marks)
            if grown:
                grown(grades())
        return grades()


def _given(worker: Worker, work: Callable[[Submission], object], submissions: Sequence[Submission]
           ) -> Iterator[tuple[int, Any]]:
    """(place, what work gave) as they are done, each in a process of its own; a worker that has gone is replaced."""
    def attempt(submission: Submission) -> object:
        try:
            return work(submission)
        except Gone:
            return None

    left = list(enumerate(submissions))
    seconds = 60 + 2 * worker.limits.in_all[1]              # a busy machine; nobody honest comes near it
    at_once = min(8, 2 * (os.cpu_count() or 1))             # who sleeps does not hold up the others
    for together in (at_once, at_once, 1):
        gone = []
        for place, given in apart.each(attempt, [submission for _, submission in left], together,
                                       seconds=seconds):
            if given is None:
                gone.append(left[place])
            else:
                yield left[place][0], given
        if not gone:
            return
        left = gone
        worker.revive()
    yield from ((place, apart.Ended("the process that runs the answers has ended")) for place, _ in left)


def of_lesson(lesson: str) -> tuple[Exercise, ...]:
    """Its exercises. Raises: ValueError if there are none."""
    known = sorted({lesson_of(number) for number in EXERCISES})
    if lesson not in known:
        raise ValueError(f"there is no lesson {lesson!r} with exercises; there are {', '.join(known)}.")
    return tuple(e for number, e in EXERCISES.items() if lesson_of(number) == lesson)


def _names() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, exercise in EXERCISES.items():
        found.setdefault(lesson_of(number), []).append(exercise.name)
    return found


def _without_asking(submission: Submission, exercises: Sequence[Exercise]) -> tuple[Mark, ...]:
    return tuple(Mark(exercise, submission.status or "not graded") for exercise in exercises)


def _mark(exercise: Exercise, cases: Sequence[Case], answer: Answer, cells: Sequence[str], lang: Lang, teacher: Lang,
          limits: Limits) -> tuple:
    """The fields of the mark behind its exercise; arrays that torch stumbles over are the student's doing."""
    if answer.trouble:
        said = [_trouble(exercise, answer, cells, limits, one) for one in (lang, teacher)]
        return answer.trouble, *said
    try:
        verdict = compare(exercise, cases, answer.outcomes)
        if verdict.status in ("right", "not attempted"):
            said = "" if verdict.right else say(lang, "check_not_attempted")
            return verdict.status, said, said and say(teacher, "check_not_attempted")
        right = sum(compare(exercise, [case], [outcome]).right
                    for case, outcome in zip(cases[1:], answer.outcomes[1:], strict=True))
    except Exception as error:                              # an odd type of array, for instance
        said = f"what came back cannot be compared ({type(error).__name__})"
        return "crash", said, said
    given = ", ".join(f"{name} = {show(value)}" for name, value
                      in zip(exercise.names, verdict.case.arguments, strict=True)) if verdict.case else ""
    return (verdict.status, _remark(verdict, lang), _remark(verdict, teacher), given[:LONGEST],
                verdict.yours[:LONGEST], verdict.expected[:LONGEST], right, len(cases) - 1,
                bool(likely(verdict, teacher)))


def _trouble(exercise: Exercise, answer: Answer, cells: Sequence[str], limits: Limits, lang: Lang) -> str:
    if answer.trouble == "timeout":
        return say(lang, "grade_timeout", seconds=limits.seconds)
    if answer.trouble == "not found":
        return _not_found(exercise.name, answer.problems, cells, lang)
    return answer.words


def _not_found(name: str, problems: Sequence[str], cells: Sequence[str], lang: Lang) -> str:
    """What is wrong in the cells that should define it, of all that could not be defined; or that there is none."""
    places = defining(cells, name)
    told = [found for problem in problems if (found := re.match(r"cell (\d+)(?:, |: )(.*)", problem))]
    why = [found[2] for found in told if int(found[1]) in places]
    if why:
        return say(lang, "grade_not_defined", name=name, why="; ".join(dict.fromkeys(why)))
    return say(lang, "grade_not_taken" if places else "grade_not_found", name=name)


def _remark(verdict: Verdict, lang: Lang) -> str:
    why = likely(verdict, lang)
    if verdict.status == "crash":
        return _also(verdict.yours, why)
    return why or say(lang, "grade_differs", yours=_short(verdict.yours), expected=_short(verdict.expected))


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _also(sentence: str, words: str) -> str:
    return f"{sentence} ({words})" if words and sentence else sentence or words
