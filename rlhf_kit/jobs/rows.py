"""What a file's rows become before anything is learned: the first of them token by token, and counts of them all."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from transformers import PreTrainedTokenizerBase

from rlhf_kit.datasets.door import Account
from rlhf_kit.jobs.written import NOTE
from rlhf_kit.loops.as_read import AsRead, Example
from rlhf_kit.models.chats import ending
from rlhf_kit.models.text import end_ids, spelled_out

Side = Literal["learn", "held_out", "left_out"]
Marked = Literal["prompt", "learned", "read", "cut"]


@dataclass(frozen=True)
class Piece:
    """Neighbouring tokens of a text that share a fate."""

    mark: Marked                    # "read": given to the model, and not learned from
    ids: list[int]
    text: str                       # special tokens visible


@dataclass(frozen=True)
class Shown:
    """One example."""

    line: int | None                # of the file, from 1; None where there is none, or several
    side: Side
    texts: tuple[AsRead, ...]
    label: str | None = None        # of a whole text: its class


@dataclass(frozen=True)
class Spread:
    """Least, median and most."""

    least: int
    median: float
    most: int

    @classmethod
    def of(cls, numbers: Sequence[int]) -> Spread:
        return cls(min(numbers), statistics.median(numbers), max(numbers))


@dataclass(frozen=True)
class Rows:
    """The first examples and what is to be said of all."""

    job: str
    model: str
    tokenizer: PreTrainedTokenizerBase
    shown: list[Shown]
    sides: dict[Side, int]          # examples of each
    texts: int                      # of all examples
    cut: int                        # of the texts, shortened
    prompt: Spread                  # tokens before a response
    response: Spread | None         # tokens behind it, the closing one included; None of prompts alone
    limit: int | None               # tokens that are read of a text
    ends: dict[int, str]            # what ends a response: id -> token
    account: Account | None         # of the file, with all that training says of it
    notes: Sequence[NOTE] = ()      # what training says besides
    max_new_tokens: int | None = None               # of a response that will be drawn

    def pieces(self, text: AsRead) -> list[Piece]:
        """The text in runs of one mark."""
        runs: list[tuple[Marked, list[int]]] = []
        for place, token in enumerate(text.ids):
            mark: Marked = ("cut" if not text.read[place] else "prompt" if place < text.prompt else
                            "learned" if text.learned[place] else "read")
            if not runs or runs[-1][0] != mark:
                runs.append((mark, []))
            runs[-1][1].append(token)
        spelled = spelled_out(self.tokenizer, [ids for _, ids in runs])
        return [Piece(mark, ids, said) for (mark, ids), said in zip(runs, spelled, strict=True)]

    def ended(self, text: AsRead) -> list[int]:
        """Where a token that ends a response is learned; counted from 0."""
        return [place for place, token in enumerate(text.ids) if text.learned[place] and token in self.ends]

    def closed(self, text: AsRead) -> int | None:
        """Where the token stands that ends the text as it is read, with nothing behind it but what the chat template
        writes behind a turn; None = nowhere."""
        if not (ended := self.ended(text)):
            return None
        behind = [token for place, token in enumerate(text.ids) if place > ended[-1] and text.read[place]]
        end = ending(self.tokenizer)
        usual = () if end is None else end.behind
        return ended[-1] if tuple(behind) == usual[:len(behind)] else None

    def numbers(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"job": self.job, "model": self.model, "limit": self.limit, "max_new_tokens": self.max_new_tokens,
                "ends": [{"id": token, "token": said} for token, said in self.ends.items()],
                "rows": [{"line": one.line, "side": one.side, "label": one.label,
                          "texts": [{"part": text.part, "prompt_tokens": text.prompt,
                                     "response_tokens": len(text.ids) - text.prompt, "cut_tokens": text.cut,
                                     "ids": text.ids, "read": text.read, "learned": text.learned,
                                     "ends_at": self.ended(text),
                                     "pieces": [{"mark": piece.mark, "text": piece.text, "ids": piece.ids}
                                                for piece in self.pieces(text)]} for text in one.texts]}
                         for one in self.shown],
                "all": {"examples": dict(self.sides), "texts": self.texts, "cut": self.cut,
                        "prompt_tokens": _numbers(self.prompt),
                        "response_tokens": None if self.response is None else _numbers(self.response)},
                "read": None if self.account is None else self.account.numbers(),
                "notes": [[key, dict(values)] for key, values in self.notes]}


@dataclass(frozen=True)
class Of:
    """Examples of one kind, before they are counted."""

    items: Sequence[Any]                                    # as the method takes them, in the file's order
    lines: Sequence[int | None]                             # of each, its line
    read: Callable[[list[Any]], Iterable[Example]]          # the method's `as_read`
    learn: Sequence[Any]                                    # those of the items that are learned from,
    held_out: Sequence[Any]                                 # and those that are examined on
    apart: Callable[[list[Any]], list[Any]] = list          # an item as the examples that it is taken apart into
    label: Callable[[Any], str | None] = lambda item: None


def rows(kinds: Sequence[Of], n: int, *, job: str, model: str, tokenizer: PreTrainedTokenizerBase,
         generation: Any = None, **more: Any) -> Rows:
    """The first `n` items of each kind, and counts of all. `more`: further fields of `Rows`."""
    shown, sides, counted = [], {"learn": 0, "held_out": 0, "left_out": 0}, []
    for kind in kinds:
        found, each = _of_items(kind)
        first = dict.fromkeys(("line", line) if line is not None else ("place", place)
                              for place, (_, line, _) in enumerate(found))
        first = set(list(first)[:n])                    # a line may have become several items
        for place, (item, line, side) in enumerate(found):
            examples = each[place]
            left_out = all(one.left_out for one in examples)
            sides["left_out" if left_out else side] += 1
            if ("place", place) in first or ("line", line) in first:
                shown.append(Shown(line, "left_out" if left_out else side,
                                   tuple(text for one in examples for text in one.texts), kind.label(item)))
            counted += [(text.prompt, len(text.ids) - text.prompt, text.cut) for one in examples for text in one.texts
                        if text.part != "teacher"]
    prompts, responses, cut = zip(*counted, strict=True)
    ends = end_ids(tokenizer, generation)
    behind = [length for length in responses if length]
    return Rows(job, model, tokenizer, shown, sides, len(counted), sum(map(bool, cut)), Spread.of(prompts),
                Spread.of(behind) if behind else None,
                ends=dict(zip(ends, tokenizer.convert_ids_to_tokens(list(ends)), strict=True)), **more)


def _of_items(kind: Of) -> tuple[list[tuple[Any, int | None, Side]], list[list[Example]]]:
    """Each item with its line and its side, and the examples that it became."""
    learn, held_out = ({id(one) for one in some} for some in (kind.learn, kind.held_out))
    found = [(item, line, "learn" if id(item) in learn else "held_out" if id(item) in held_out else "left_out")
             for item, line in zip(kind.items, kind.lines, strict=True)]
    apart = [kind.apart([item]) for item in kind.items]
    read = iter(kind.read([one for some in apart for one in some]))
    return found, [[next(read) for _ in some] for some in apart]


def _numbers(spread: Spread) -> dict[str, float]:
    return {"least": spread.least, "median": spread.median, "most": spread.most}
