"""From the votes of a question's answers to pairs of a better and a worse one, as StackLLaMA and Askell et al. do."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import combinations

MOST_PAIRS = 10                 # of one question; answer counts are heavy-tailed, and a few questions would be the data


def answer_score(votes: int, accepted: bool = False) -> int:
    """What an answer's votes are worth.

        s = round(log2(1 + votes)) + (1 if accepted)        s = -1 if votes < 0

    A negative answer scores -1 even where it was accepted; the papers do not say. log2(1 + votes) of a whole number
    never ends in exactly .5, so the way of rounding does not matter.

    Args:
        votes: up minus down.

    Source: Askell et al. 2021, arXiv:2112.00861, section C.1; StackLLaMA (Hugging Face, 2023) takes it over.
    """
    return -1 if votes < 0 else round(math.log2(1 + votes)) + int(accepted)


def answer_pairs(scores: Sequence[int], most: int = MOST_PAIRS, seed: int | str = 0) -> list[tuple[int, int]]:
    """(better, worse) positions of a question's answers, no ties, at most `most` of them, drawn from `seed`.

    The same scores and seed give the same pairs, in the order of their positions.
    """
    if most < 1:
        raise ValueError(f"most is {most}; keep at least 1 pair of a question.")
    pairs = [(i, j) if scores[i] > scores[j] else (j, i)
             for i, j in combinations(range(len(scores)), 2) if scores[i] != scores[j]]
    if len(pairs) <= most:
        return pairs
    return [pairs[k] for k in sorted(random.Random(f"pairs {seed}").sample(range(len(pairs)), most))]
