"""Judged answers in another form: under ratings (PMP), with replies from elsewhere, with the question turned round."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import replace

from rlhf_kit.formulas.records import Comparison, Ranking

GOOD, BAD = "GOOD: ", "BAD: "
TRIES = 50                          # draws of a distractor, before a turn does with fewer


def binarised(pairs: Sequence[Comparison], good: str = GOOD, bad: str = BAD) -> list[Comparison]:
    """Of each pair two, in which one text is put under a right and under a wrong rating.

        A ≻ B   ->   GOOD: A ≻ BAD: A   and   BAD: B ≻ GOOD: B

    A model that learns from these learns to tell good from bad as it reads, and not only which of two is better; that
    is reported to carry over better to other preferences. The text under the rating is prompt and answer.

    Args: good, bad: what stands before a text, such as the ratings that a base model has read.
    Source: Askell et al. 2021, arXiv:2112.00861, section 4 (preference model pretraining, PMP).
    """
    if good == bad:
        raise ValueError(f"good and bad are both {good!r}; a rating has to tell them apart.")
    found = []
    for one in pairs:
        better, worse = one.prompt + one.chosen, one.prompt + one.rejected
        found += [Comparison("", good + better, bad + better), Comparison("", bad + worse, good + worse)]
    return found


def turned(pairs: Sequence[Comparison]) -> list[Comparison]:
    """What was picked as the worse one is the rejected one: for pairs that people made by the opposite question.

    Who tries to make a model do harm is asked which of two answers is the *more harmful*; a preference model learns
    that the other one is better. Twice turned is as it was.

    Source: Bai et al. 2022, arXiv:2204.05862, section 2.2.
    """
    return [replace(one, chosen=one.rejected, rejected=one.chosen) for one in pairs]


def choices(items: Sequence[Ranking | Comparison]) -> list[Ranking]:
    """As choices: the best answer, or those that tie for it, was picked, and among the others nothing is known."""
    found = []
    for one in items:
        if isinstance(one, Comparison):
            one = Ranking(one.prompt, (one.chosen, one.rejected), (1, 2))
        best = min(one.ranks)
        found.append(replace(one, ranks=tuple(1 if rank == best else 2 for rank in one.ranks)))
    return found


def with_distractors(turns: Sequence[Ranking], n: int = 2, seed: int = 0,
                     dialogues: Sequence[Hashable] | None = None) -> list[Ranking]:
    """Each turn with n replies that were given in other dialogues, ranked last: off the topic, and never picked.

    Args:
        turns: choices, such as those of `choices`.
        n: at most; a turn has fewer where no other dialogue is to be found.
        dialogues: which dialogue each turn belongs to; None: turns whose prompts begin alike are of one, one prompt
            being the beginning of the other.

    Raises: ValueError if n is negative, or the dialogues are not as many as the turns.
    Source: Glaese et al. 2022, arXiv:2209.14375, as its digests describe it.
    """
    if n < 0:
        raise ValueError(f"n is {n}; a turn gets 0 distractors or more.")
    if dialogues is not None and len(dialogues) != len(turns):
        raise ValueError(f"there are {len(turns)} turns and {len(dialogues)} dialogues; give one for each.")

    def apart(i: int, j: int) -> bool:
        if dialogues is not None:
            return dialogues[i] != dialogues[j]
        one, other = turns[i].prompt, turns[j].prompt
        return not (one.startswith(other) or other.startswith(one))

    rng, found = random.Random(f"distractors {seed}"), []
    for i, turn in enumerate(turns):
        more: dict[str, None] = {}
        for _ in range(TRIES * n):
            if len(more) == n:
                break
            j = rng.randrange(len(turns))
            reply = rng.choice(turns[j].responses)
            if apart(i, j) and reply not in turn.responses:
                more[reply] = None
        last = max(turn.ranks)
        last += last == min(turn.ranks)                     # all tied: what is off the topic is below them
        found.append(Ranking(turn.prompt, (*turn.responses, *more), (*turn.ranks, *(last,) * len(more))))
    return found
