"""What the base of the assistants reads: pages of every world, so that what alignment costs elsewhere can be measured.

InstructGPT's alignment tax is a loss on *other* tasks than those it was trained for (arXiv:2203.02155, section 4.2).
So one base reads product reviews, forum pages, translations and the assistant's texts, in the proportions of `PARTS`;
PPO-ptx draws its pretraining text from the same mixture, and the tax is measured on its held-out texts.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from rlhf_kit.language import Lang
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.corpus import pretraining
from rlhf_kit.tasks.forum import Forum
from rlhf_kit.tasks.reviews import Reviews
from rlhf_kit.tasks.translation import Translation

Part = Callable[[Lang, int, int, str], list[str]]           # (language, how many, seed, split) -> texts


def _reviews(lang: Lang, n: int, seed: int, split: str) -> list[str]:
    return Reviews(lang).corpus(n, seed, split)


def _forum(lang: Lang, n: int, seed: int, split: str) -> list[str]:
    return Forum(lang).corpus(n, seed, split)


def _translation(lang: Lang, n: int, seed: int, split: str) -> list[str]:
    """Those without a fault: here nothing is to be filtered, as it is where ReST learns."""
    drawn, found = n, []
    while len(found) < n:
        drawn *= 2
        found = [one.prompt + one.response for one in Translation().translated(drawn, seed, split) if not one.errors]
    return found[:n]


def _assistant(lang: Lang, n: int, seed: int, split: str) -> list[str]:
    return pretraining(Assistant(lang), n, seed, split)


PARTS: dict[str, tuple[Part, float]] = {                    # name -> (how its texts are drawn, their share)
    "reviews": (_reviews, 0.08), "forum": (_forum, 0.05), "translation": (_translation, 0.15),
    "assistant": (_assistant, 0.72),
}


def texts(lang: Lang, n: int, seed: int = 0, split: str = "train") -> list[str]:
    """Whole texts of all worlds, mixed; the same seed gives the same.

    Raises: ValueError, one line, for n below 1 or another split.
    """
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    rng = random.Random(f"mixture {seed} {split}")
    drawn = rng.choices(list(PARTS), [share for _, share in PARTS.values()], k=n)
    waiting = {name: iter(part(name, lang, drawn.count(name), seed, split)) for name in dict.fromkeys(drawn)}
    return [next(waiting[name]) for name in drawn]


def part(name: str, lang: Lang, n: int, seed: int = 0, split: str = "train") -> list[str]:
    """Texts of one world alone. Raises: ValueError, one line, for a name that is not in `PARTS`."""
    if name not in PARTS:
        raise ValueError(f"there is no part {name!r}; the mixture is of {', '.join(PARTS)}.")
    return PARTS[name][0](lang, n, seed, split)
