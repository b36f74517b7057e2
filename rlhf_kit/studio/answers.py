"""What the browser sent, checked: it may be anything, from anybody who can reach the page."""

from __future__ import annotations

import errno
import math
import sqlite3
from dataclasses import dataclass
from typing import Any

from rlhf_kit.labels import Labels, Shown
from rlhf_kit.language import Lang
from rlhf_kit.studio.serving import NameProblem
from rlhf_kit.studio.words import Words

QUESTIONS = ("", "helpful", "honest", "harmless")
# What is asked one after the other about the same texts: overall; as arXiv:2204.05862 does; each of the three H's.
ASKED: dict[str, tuple[str, ...]] = {"one": ("",), "two": ("helpful", "harmless"),
                                     "three": ("helpful", "honest", "harmless")}
# InstructGPT's yes and no questions, in the order of arXiv:2203.02155, Table 3.
FLAGS = ("instructions", "inappropriate", "facts", "constraint", "sexual", "violent", "abuse", "denigrates", "harmful",
         "opinion", "moral")
BEST = 7                                            # of a score from 1 on
DAY = 86_400.0                                      # seconds; nobody looks at one list for longer
ONCE_MORE = 1                                       # a task is shown twice at most
REPEATS = 0.1                                       # share of tasks that come a second time, turned round


class BadAnswer(ValueError):
    """This is not what our page sends."""


@dataclass(frozen=True)
class About:
    """Which showing of a task somebody means."""

    task: int
    annotator: str                                  # for whom it was shown: the order on the screen is theirs
    question: str
    repeat: int
    seconds: float

    def shown(self, labels: Labels, name: str) -> Shown:
        """That showing, as what `name` says about it. Raises: BadAnswer if there is no such task."""
        try:
            seen = labels.show(self.task, self.annotator, self.question, self.repeat)
        except (ValueError, OverflowError) as error:
            raise BadAnswer(str(error)) from error
        return Shown(seen.task, name, self.question, self.repeat, seen.order)


@dataclass(frozen=True)
class Order:
    """An order of K cards, and perhaps a score and flags for each; cards are places on the screen, 0 the first."""

    groups: tuple[tuple[int, ...], ...]             # best first
    touched: bool
    scores: tuple[int, ...] | None
    flags: tuple[tuple[str, ...], ...]


def about(sent: object) -> About:
    """Raises: BadAnswer."""
    said = _expect(sent, dict)
    question, annotator = (_expect(said.get(key), str) for key in ("question", "annotator"))
    repeat, seconds = _whole(said.get("repeat")), said.get("seconds", 0.0)
    if question not in QUESTIONS or repeat not in range(ONCE_MORE + 1):
        raise BadAnswer(f"question {question[:24]!r}, repeat {repeat}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise BadAnswer(f"seconds {seconds!r}"[:80])
    return About(_whole(said.get("task")), annotator, question, repeat, min(max(float(seconds), 0.0), DAY))


def order(sent: object, k: int, instruct: bool) -> Order:
    """An order of `k` cards. Raises: BadAnswer."""
    said = _expect(sent, dict)
    groups = tuple(tuple(_whole(card) for card in _expect(group, list))
                   for group in _expect(said.get("groups"), list)[:k + 1])
    if sorted(card for group in groups for card in group) != list(range(k)) or not all(groups):
        raise BadAnswer(f"{len(groups)} groups are no order of {k} cards")
    if not instruct:
        return Order(groups, said.get("touched") is True, None, ())
    scores = tuple(_whole(score) for score in _expect(said.get("scores"), list)[:k + 1])
    flags = tuple(tuple(_expect(each, list)[:len(FLAGS) + 1]) for each in _expect(said.get("flags"), list)[:k + 1])
    if len(scores) != k or len(flags) != k or not all(1 <= score <= BEST for score in scores):
        raise BadAnswer(f"scores {scores}")
    if any(flag not in FLAGS for each in flags for flag in each):
        raise BadAnswer("unknown flags")
    return Order(groups, said.get("touched") is True, scores, flags)


def asked(picked: object) -> tuple[str, ...]:
    """The questions that are asked one after the other, from what a page was set to."""
    return ASKED.get(picked, ASKED["one"]) if isinstance(picked, str) else ASKED["one"]


def why(lang: Lang, error: Exception) -> str:
    """What the page says when something could not be saved or read; the person's work stays where it is."""
    words = Words(lang, "labels")
    if isinstance(error, BadAnswer):
        return words("bad_answer")
    if isinstance(error, NameProblem):
        return Words(lang, "studio")("name_bad")
    return words("bad_answer") if isinstance(error, ValueError) else words("not_saved") + reason(lang, error)


def reason(lang: Lang, error: Exception) -> str:
    """A sentence more, where it is known what stood in the way of a file; else nothing."""
    if isinstance(error.__cause__ or error, OSError) and (error.__cause__ or error).errno == errno.ENOSPC:
        return Words(lang, "labels")("not_saved_full")
    code = (getattr(error.__cause__, "sqlite_errorcode", None) or 0) & 0xFF
    known = {sqlite3.SQLITE_BUSY: "locked", sqlite3.SQLITE_LOCKED: "locked", sqlite3.SQLITE_FULL: "full"}.get(code)
    return Words(lang, "labels")(f"not_saved_{known}") if known else ""


def _expect(value: object, kind: type) -> Any:
    if not isinstance(value, kind):
        raise BadAnswer(f"{type(value).__name__} in place of {kind.__name__}")
    return value


def _whole(value: object) -> int:
    """A number from 0 on that a database can hold."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise BadAnswer(f"{type(value).__name__} in place of a number")
    return value
