"""Comparisons of the start's own answers, labelled by gold, a share of them the wrong way round."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations

from rlhf_kit.formulas.records import Comparison
from rlhf_kit.methods.best_of_n import Draws


def compared(judged: Sequence[Draws]) -> list[Comparison]:
    """Every two answers to a prompt, the one with more gold chosen; of equal gold nobody says which is better."""
    found = []
    for one in judged:
        for i, j in combinations(range(len(one.responses)), 2):
            if one.scores[i] != one.scores[j]:
                best, worst = (i, j) if one.scores[i] > one.scores[j] else (j, i)
                found.append(Comparison(one.prompt, one.responses[best], one.responses[worst]))
    return found


def labelled(pairs: Sequence[Comparison], flipped: float, seed: int) -> list[Comparison]:
    """The same with a share of the labels turned round, each by its own draw.

    Whoever asks for fewer pairs, or for a smaller share, has some of the same pairs turned.
    """
    rng = random.Random(f"flipped {seed}")
    return [Comparison(one.prompt, one.rejected, one.chosen) if rng.random() < flipped else one for one in pairs]
