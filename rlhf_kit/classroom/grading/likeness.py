"""Answers that are the same but for names and comments: a hint to look at both, and no verdict about anybody."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Sequence

from rlhf_kit.classroom.exercises.answers import Exercise
from rlhf_kit.classroom.grading import statements
from rlhf_kit.classroom.grading.definitions import definitions
from rlhf_kit.classroom.grading.submissions import Submission

SHORT = 30                          # tokens; below that two people write the same by chance
COMMON = 1 / 4                      # of those who wrote something: what so many write is the common way to say it


def alike(submissions: Sequence[Submission], exercises: Sequence[Exercise], lesson: str) -> list[str]:
    """For each submission, with whom it shares answers: "1.3, 1.5: Ben; 1.3: Cleo, Dan"; empty for most.

    An answer counts if it has at least 30 tokens, is not the lesson's own solution or reference, and if no more than
    three, or a quarter of those who wrote one, wrote it so.
    """
    wanted = [exercise.name for exercise in exercises]
    known = _published(exercises, lesson)
    groups: dict[tuple[str, str], list[int]] = defaultdict(list)
    wrote: dict[str, int] = defaultdict(int)
    for place, submission in enumerate(submissions):
        for name, one in definitions(submission.cells, wanted).items():
            if one.written:
                wrote[name] += 1
                if one.size >= SHORT and one.fingerprint not in known:
                    groups[name, one.fingerprint].append(place)
    shared: list[dict[int, list[str]]] = [defaultdict(list) for _ in submissions]
    number = {exercise.name: exercise.number for exercise in exercises}
    for (name, _), places in groups.items():
        if 2 <= len(places) <= max(3, COMMON * wrote[name]):
            for one in places:
                for other in places:
                    if other != one:
                        shared[one][other].append(number[name])
    return [_told(with_whom, submissions) for with_whom in shared]


def _told(with_whom: dict[int, list[str]], submissions: Sequence[Submission]) -> str:
    """Exercises, then everybody with whom it is these."""
    people: dict[str, list[str]] = defaultdict(list)
    for other, numbers in sorted(with_whom.items()):
        people[", ".join(sorted(numbers))].append(submissions[other].student)
    return "; ".join(f"{numbers}: {', '.join(names)}" for numbers, names in people.items())


def _published(exercises: Sequence[Exercise], lesson: str) -> set[str]:
    """What everybody may have read: the solutions in the lesson and the kit's own functions."""
    texts = [one.solution for one in statements.asked(lesson, "en").values()]
    for exercise in exercises:
        try:
            texts.append(inspect.getsource(exercise.reference))
        except (OSError, TypeError):
            continue
    return {one.fingerprint for text in texts for one in definitions([text], [e.name for e in exercises]).values()}
