"""The verdict: what came out of the cell, compared with the references, on inputs drawn from the teacher's seed."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rlhf_kit.classroom.exercises.answers import Case, Exercise, Verdict, compare
from rlhf_kit.classroom.exercises.checking import EXERCISES, lesson_of, likely
from rlhf_kit.classroom.grading.outside import Answer, Worker
from rlhf_kit.classroom.grading.starting import Limits, Process
from rlhf_kit.classroom.grading.submissions import Submission, collect, twice
from rlhf_kit.language import Lang, say

STATUSES = ("unreadable", "timeout", "crash", "not found", "not attempted", "ok")      # the first that applies is shown


@dataclass(frozen=True)
class Mark:
    """What one exercise of one student is worth, and why."""

    exercise: Exercise
    status: str                     # "right", "wrong", "not attempted", "not found", "timeout", "crash", "unreadable"
    remark: str = ""                # one line; may quote the student's code

    @property
    def points(self) -> int:
        return self.exercise.points if self.status == "right" else 0


@dataclass(frozen=True)
class Row:
    """One submission."""

    student: str
    file: str
    marks: tuple[Mark, ...]
    note: str = ""                  # why the file cannot be read

    @property
    def status(self) -> str:
        """Why points may be missing for another reason than a wrong answer."""
        seen = {"ok" if mark.status in ("right", "wrong") else mark.status for mark in self.marks}
        return next(status for status in STATUSES if status in seen)

    @property
    def total(self) -> int:
        return sum(mark.points for mark in self.marks)


@dataclass(frozen=True)
class Grades:
    """A class, one lesson."""

    lesson: str
    seed: int
    isolation: str                  # "netns": walls on all sides; "none": limits only
    why_not: str                    # what was in the way of isolation
    exercises: tuple[Exercise, ...]
    rows: tuple[Row, ...]
    twice: dict[str, list[str]]     # students with several files

    @property
    def out_of(self) -> int:
        return sum(exercise.points for exercise in self.exercises)


def grade(folder: Path, lesson: str, seed: int, lang: Lang = "en", *, limits: Limits | None = None,
          cell: bool = True, started: Process | None = None) -> Grades:
    """Grade every submission in a folder.

    Args:
        lesson: such as "01".
        seed: of the random inputs; the same seed gives the same grades.
        lang: of the remarks.
        limits: of what an answer may use.
        cell: False runs answers without walls, with limits only.
        started: a process that was started for this before, to save time.
    """
    exercises, submissions, limits = of_lesson(lesson), collect(folder, lesson), limits or Limits()
    cases = [exercise.all_cases(seed) for exercise in exercises]
    with closing(Worker(limits, [folder], cell=cell, started=started)) as worker:
        def row(submission: Submission) -> Row:
            answers = _answers(worker, submission, exercises, cases)
            marks = (_mark(*one, lang, limits) for one in zip(exercises, cases, answers, strict=True))
            return Row(submission.student, submission.file, tuple(marks), submission.problem)

        with ThreadPoolExecutor(min(8, 2 * (os.cpu_count() or 1))) as pool:    # who sleeps does not hold up the others
            rows = tuple(pool.map(row, submissions))
        return Grades(lesson, seed, "netns" if worker.cell else "none", worker.why_not, exercises, rows,
                      twice(submissions))


def of_lesson(lesson: str) -> tuple[Exercise, ...]:
    """Its exercises. Raises: ValueError if there are none."""
    known = sorted({lesson_of(number) for number in EXERCISES})
    if lesson not in known:
        raise ValueError(f"there is no lesson {lesson!r} with exercises; there are {', '.join(known)}.")
    return tuple(e for number, e in EXERCISES.items() if lesson_of(number) == lesson)


def _answers(worker: Worker, submission: Submission, exercises: Sequence[Exercise],
             cases: Sequence[Sequence[Case]]) -> list[Answer]:
    if submission.problem:
        return [Answer(trouble="unreadable")] * len(exercises)
    return worker.ask(submission.cells, [(e.name, drawn) for e, drawn in zip(exercises, cases, strict=True)])


def _mark(exercise: Exercise, cases: Sequence[Case], answer: Answer, lang: Lang, limits: Limits) -> Mark:
    """The mark for what came out; arrays that torch stumbles over are the student's doing."""
    if answer.trouble:
        words = {"unreadable": "", "timeout": say(lang, "grade_timeout", seconds=limits.seconds),
                 "crash": answer.words, "not found": _also(say(lang, "grade_not_found", name=exercise.name),
                                                           answer.words)}
        return Mark(exercise, answer.trouble, words[answer.trouble])
    try:
        verdict = compare(exercise, cases, answer.outcomes)
        return Mark(exercise, verdict.status, _remark(verdict, lang))
    except Exception as error:                              # an odd type of array, for instance
        return Mark(exercise, "crash", f"what came back cannot be compared ({type(error).__name__})")


def _remark(verdict: Verdict, lang: Lang) -> str:
    if verdict.status == "right":
        return ""
    if verdict.status == "not attempted":
        return say(lang, "check_not_attempted")
    if verdict.status == "crash":
        return " · ".join(filter(None, (verdict.yours, likely(verdict, lang))))
    return likely(verdict, lang) or say(lang, "grade_differs", yours=_short(verdict.yours),
                                        expected=_short(verdict.expected))


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


def _also(sentence: str, words: str) -> str:
    return f"{sentence} ({words})" if words else sentence
