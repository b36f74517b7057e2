"""What labels are made of: responses, tasks, how a task was shown, and what somebody said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlhf_kit.language import Lang

LONGEST_NAME = 100                  # characters of an annotator's name
KINDS = ("rank", "vote", "score")
BOTH_BAD = "both bad"               # the flag of a vote that ties because neither will do


@dataclass(frozen=True)
class Response:
    """One text to be judged, and where it comes from as far as is known."""

    text: str
    model: str | None = None
    seed: int | None = None
    sampling: dict[str, Any] | None = None      # temperature and so on
    n_tokens: int | None = None


def language_of(text: str) -> Lang:
    """Chinese if it holds a Chinese character: labels of both languages lie in one file."""
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"


@dataclass(frozen=True)
class Task:
    """A prompt and the responses that people are asked about."""

    id: int
    prompt: str
    responses: tuple[Response, ...]             # K, in the order in which they were added
    kind: str                                   # rank, vote or score: what it was made for
    split: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The K texts; groups and winners are positions in here."""
        return tuple(response.text for response in self.responses)

    @property
    def lang(self) -> Lang:
        """"zh" if its prompt or first response has Chinese characters; else "en"."""
        return language_of(self.prompt + self.texts[0])


@dataclass(frozen=True)
class Shown:
    """A task as one annotator sees it; hand it back to a `save_...` or to `skip`."""

    task: Task
    annotator: str
    question: str
    repeat: int                                 # 0 the first time; 1, 2, ... ask again, to measure self-agreement
    order: tuple[int, ...]                      # K positions in task.responses, first shown first

    @property
    def texts(self) -> tuple[str, ...]:
        """The K texts in the order shown."""
        return tuple(self.task.texts[i] for i in self.order)


@dataclass(frozen=True)
class Judgement:
    """What one annotator said about one task."""

    task_id: int
    annotator: str
    kind: str                                   # rank, vote or score
    question: str                               # such as "helpful"; "" if there is only one
    repeat: int
    groups: tuple[tuple[int, ...], ...]         # best first, positions in task.responses; several in one are a tie
    score: float | None                         # of a score only
    flags: tuple[str, ...]
    shown_order: tuple[int, ...]                # positions in task.responses, first shown first; () if not known
    seconds: float | None                       # that the annotator took
    lang: str                                   # of the interface
    app_version: str
    created: str                                # UTC, ISO 8601

    @property
    def ranks(self) -> tuple[int, ...]:
        """K numbers in the order of task.responses, 1 = best; equal ranks are a tie."""
        place = {i: rank for rank, group in enumerate(self.groups, 1) for i in group}
        return tuple(place[i] for i in sorted(place))


@dataclass(frozen=True)
class Undone:
    """What `undo` took back."""

    task_id: int
    action: str                                 # save or skip
    took_back: Judgement | None                 # None for a skip
    restored: Judgement | None                  # what counts again; None if there was nothing before
    question: str = ""
    repeat: int = 0


@dataclass(frozen=True)
class Imported:
    """What `add_rankings` did."""

    tasks: int                                  # that are new
    judgements: int                             # that are new
    replaced: int                               # that now say something else; the old ones are kept as events
    unchanged: int                              # that were there already


def check_name(annotator: str) -> None:
    """Raises: ValueError, one line, if this cannot be an annotator's name."""
    if not annotator.strip() or len(annotator) > LONGEST_NAME or not annotator.isprintable():
        raise ValueError(f"the annotator's name is {annotator[:24]!r}; expected 1 to {LONGEST_NAME} printable "
                         f"characters.")
