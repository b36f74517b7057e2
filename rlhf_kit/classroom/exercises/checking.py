"""`kit.check("1.2", answer)`: says at once whether an answer is right and what the likely mistake is."""

from __future__ import annotations

import os

from rlhf_kit.classroom.exercises import (
    lesson_00,
    lesson_01,
    lesson_02,
    lesson_03a,
    lesson_03b,
    lesson_03c,
    lesson_04a,
    lesson_04b,
    lesson_05a,
    lesson_05b,
    lesson_05c,
    lesson_06,
    lesson_07,
)
from rlhf_kit.classroom.exercises.answers import (
    Exercise,
    Function,
    Told,
    Verdict,
    converted,
    is_reference,
    judge,
    show,
)
from rlhf_kit.classroom.exercises.session import lang
from rlhf_kit.language import say

LESSONS = (lesson_00, lesson_01, lesson_02, lesson_03a, lesson_03b, lesson_03c, lesson_04a, lesson_04b, lesson_05a,
           lesson_05b, lesson_05c, lesson_06, lesson_07)
EXERCISES: dict[str, Exercise] = {e.number: e for lesson in LESSONS for e in lesson.EXERCISES}


def lesson_of(number: str) -> str:
    """The lesson of an exercise: "01" of "1.2", "03a" of "3a.2"."""
    return "0" + number.split(".")[0]


class CheckError(AssertionError):
    """Only under RLHF_KIT_STRICT=1, where an exercise that is not solved is an error."""


def check(number: str, answer: Function | None = None) -> Function:
    """Check an answer and print what came of it; returns it if it is right, else the reference, and says so.

    So a notebook always runs to its end. Nothing is raised, whatever the answer does, unless RLHF_KIT_STRICT=1. A right
    answer that gives a number where the next cell needs a tensor, or the other way round, comes back wrapped so that it
    fits (see `answers`). The reference itself, from a check cell that is run twice, counts as not attempted.

    Args:
        number: of the exercise, such as "1.2".
        answer: the function you wrote, or anything that can be called like it.
    """
    if number not in EXERCISES:
        raise ValueError(f"there is no exercise {number!r}; there are {', '.join(EXERCISES)}.")
    exercise = EXERCISES[number]
    if answer is None:
        verdict = Verdict(exercise, "not attempted")
    elif is_reference(answer, exercise):
        verdict = Verdict(exercise, "not attempted", symptom="check_rerun")
    elif callable(answer):
        verdict = judge(exercise, answer)
    else:
        verdict = Verdict(exercise, "wrong", symptom="check_no_function", values={"seen": type(answer).__name__})
    print(in_words(verdict, lang()))
    if verdict.right:
        return converted(answer, exercise, verdict)
    if os.environ.get("RLHF_KIT_STRICT") == "1":
        raise CheckError(in_words(verdict, "en"))
    print(say(lang(), "check_reference"))
    return exercise.reference


def in_words(verdict: Verdict, language: str) -> str:
    """The verdict as a person reads it."""
    exercise, words = verdict.exercise, lambda key, **values: say(language, key, **values)
    title = f"{exercise.number} · {exercise.name}"
    if verdict.status == "right":
        return f"✅ {title}: {words('check_right', cases=len(exercise.all_cases(0)))}"
    if verdict.status == "not attempted":
        return f"⏳ {title}: {words(verdict.symptom or 'check_not_attempted')}"
    rows = []
    if verdict.case:
        shown = ", ".join(f"{name}={show(value)}" for name, value in zip(exercise.names, verdict.case.arguments,
                                                                         strict=True))
        about = verdict.case.zh if language == "zh" else verdict.case.about
        rows = [(words("check_input"), f"{shown} ({about})" if about else shown),
                (words("check_yours"), verdict.yours), (words("check_expected"), verdict.expected)]
    if why := likely(verdict, language):
        rows.append((words("check_likely"), why))
    return "\n".join([f"❌ {title}", *(f"   {name}: {text}" for name, text in rows)])


def likely(verdict: Verdict, language: str) -> str:
    """What probably went wrong, in one or two sentences; empty if nothing is known."""
    if verdict.mistake:
        return verdict.mistake.zh if language == "zh" else verdict.mistake.en
    if not verdict.symptom:
        return ""
    fields = {name: _said(value, language) for name, value in verdict.values.items()}
    between = "" if language == "zh" else " "
    return f"{say(language, verdict.symptom, **fields)}{between}{fields.get('way', '')}".strip()


def _said(value: object, language: str) -> object:
    """A field that is itself a sentence's key, with its own fields or none, or said in both languages: in words."""
    if isinstance(value, Told):
        return value.zh if language == "zh" else value.en
    if isinstance(value, tuple) and value and isinstance(value[0], str):
        return say(language, value[0], **dict(value[1]))
    return say(language, value) if isinstance(value, str) and value.startswith("check_") else value
