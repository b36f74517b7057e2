"""Where labels come from: people are hired by a trial day, and pages of responses are handed out to them."""

from __future__ import annotations

import random
from collections.abc import Sequence

from rlhf_kit.tasks.assistant.labelers import FEWEST, MOST, Explain, Labeler, Page, applicants, screened
from rlhf_kit.tasks.assistant.task import Assistant

APPLICANTS = 16
TRIAL = 20                              # pages of the trial day


def hired(task: Assistant, n: int = APPLICANTS, least: float = 0.75, seed: int = 0) -> list[Labeler]:
    """Of n applicants those who agree with the truth often enough on the pages of a trial day.

    Raises: ValueError if that is nobody.
    """
    found = screened(applicants(n, seed), task.candidates(TRIAL, FEWEST, seed=seed), task.explain, least, seed)
    if not found:
        raise ValueError(f"none of {n} applicants agrees with the truth in {least:.0%} of the pairs; ask more people, "
                         f"or less of them.")
    return found


def sizes(n: int, seed: int = 0) -> list[int]:
    """How many responses each of n pages has: 4 to 9, all as likely (arXiv:2203.02155)."""
    rng = random.Random(f"assistant sizes {seed}")
    return [rng.randint(FEWEST, MOST) for _ in range(n)]


def pages(asked: Sequence[tuple[str, Sequence[str]]], labelers: Sequence[Labeler], explain: Explain,
          seed: int = 0) -> list[Page]:
    """What one of the labelers, drawn at random, says of the responses to each prompt.

    The same response is shown once. A prompt to which fewer than 4 are different gets no page.
    """
    rng, found = random.Random(f"assistant pages {seed}"), []
    for prompt, responses in asked:
        shown = list(dict.fromkeys(responses))
        if len(shown) >= FEWEST:
            found.append(rng.choice(labelers).page(prompt, shown, explain, rng))
    return found
