"""A text as a method reads it: its token ids, those that are learned from, and those that are cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rlhf_kit.models.chats import shared


@dataclass(frozen=True)
class AsRead:
    """One text of an example. What a method says of it comes from the functions that its `steps` ask."""

    part: str                       # what it is: "text", "response", "chosen", "rejected", "good", "prompt", or a rank
    ids: list[int]                  # of the whole text, closing tokens included
    read: list[bool]                # True on those that the model is given; the others are cut off
    learned: list[bool]             # True on those that the loss counts
    prompt: int                     # how many stand before the response

    @property
    def cut(self) -> int:
        """Tokens that the model is not given."""
        return len(self.ids) - sum(self.read)

    @property
    def given(self) -> list[int]:
        """The ids that the model is given."""
        return [token for token, read in zip(self.ids, self.read, strict=True) if read]


@dataclass(frozen=True)
class Example:
    """What one example became."""

    texts: tuple[AsRead, ...]
    left_out: bool = False          # nothing is learned from it: it is too long, or holds nothing to learn


def whole(part: str, ids: Sequence[int], prompt: int = 0, *, learned: bool = False) -> AsRead:
    """A text that is read to its end; `learned`: its response is learned from."""
    n = len(ids)
    return AsRead(part, list(ids), [True] * n, [learned and place >= prompt for place in range(n)], prompt)


def shortened(part: str, ids: Sequence[int], given: Sequence[int], prompt: int = 0) -> AsRead:
    """A text of which the model is given the ids `given`: all, or all but some in a row. Nothing is marked as learned.

    Raises: ValueError if it is neither.
    """
    gone, start = len(ids) - len(given), shared(given, ids)
    if gone < 0 or start + shared(given[::-1], ids[::-1]) < len(given):
        raise ValueError(f"{len(given)} tokens are no part of the {len(ids)} of the whole text.")
    return AsRead(part, list(ids), [not start <= place < start + gone for place in range(len(ids))],
                  [False] * len(ids), prompt)
