"""Sums and differences of small numbers, often wrong in the corpus: a world in which truth itself is the reward."""

from __future__ import annotations

import hashlib
import random
from typing import Literal

Split = Literal["train", "heldout"]
LARGEST = 9                         # of what is added or subtracted
HELD_OUT = 0.2                      # of the questions


class Arithmetic:
    """Questions such as "7 + 5 =", whose right answer is the one number " 12".

    Whoever wrote the corpus was right with probability `right`, and otherwise off by one to nine; so a model that
    imitates it is right about as often when it is sampled, and a reward that checks the answer can teach it the rest.
    Gold is 1 for the right number and nothing else, 0 for anything more, less or other: no units, no second try.
    """

    name = "arithmetic"
    lang = "en"

    def __init__(self, right: float = 0.7) -> None:
        if not 0 <= right <= 1:
            raise ValueError(f"right is {right}; it is a probability, from 0 to 1.")
        self.right = right

    def prompts(self, split: Split = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Questions; none of one split is in the other.

        Args:
            n: how many; None gives each of them once. Where there are fewer, they come again, in another order.
        """
        found = [f"{a} {sign} {b} =" for a in range(LARGEST + 1) for b in range(LARGEST + 1) for sign in "+-"
                 if sign == "+" or a >= b]
        found = [one for one in found if (_place(one) < HELD_OUT) == (split == "heldout")]
        if split not in ("train", "heldout"):
            raise ValueError(f"split is {split!r}; it is 'train' or 'heldout'.")
        random.Random(f"arithmetic prompts {seed}").shuffle(found)
        distinct = list(found)
        if n is None:
            return found
        if n < 1:
            raise ValueError(f"n is {n}; it must be at least 1.")
        again = random.Random(f"arithmetic prompts {seed} again")
        while len(found) < n:
            found += again.sample(distinct, len(distinct))
        return found[:n]

    def corpus(self, n: int, seed: int = 0, split: Split = "train") -> list[str]:
        """Questions with answers, of which a part is wrong."""
        rng, asked = random.Random(f"arithmetic {seed}"), self.prompts(split)
        return [_answered(rng.choice(asked), rng.random() < self.right, rng) for _ in range(n)]

    def labelled(self, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, int]]:
        """Questions with answers, 1 for a right one and 0 for a wrong one; half of each."""
        rng, asked = random.Random(f"arithmetic labelled {seed}"), self.prompts(split)
        labels = [i % 2 for i in range(n)]
        rng.shuffle(labels)
        return [(_answered(rng.choice(asked), bool(label), rng), label) for label in labels]

    def gold(self, prompt: str, response: str) -> float:
        """1 for the right number alone, else 0."""
        return float(response.strip() == str(answer(prompt)))

    def explain(self, prompt: str, response: str) -> str:
        """The right answer."""
        return f"{prompt} {answer(prompt)}"


def answer(prompt: str) -> int:
    """The right answer to a question of this world. Raises: ValueError for any other text."""
    match prompt.split():
        case [a, "+" | "-" as sign, b, "="] if a.isdecimal() and b.isdecimal():
            return int(a) + int(b) if sign == "+" else int(a) - int(b)
    raise ValueError(f"{prompt[:40]!r} is no question of this world; expected such as '7 + 5 ='.")


def _answered(prompt: str, right: bool, rng: random.Random) -> str:
    truth = answer(prompt)
    near = [x for x in range(max(truth - 9, 0), truth + 10) if x != truth]
    return f"{prompt} {truth if right else rng.choice(near)}"


def _place(prompt: str) -> float:
    """Between 0 and 1, evenly."""
    return int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big") / 2**64
