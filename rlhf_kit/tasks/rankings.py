"""Rankings of a task's responses: the order that a labeler gives them, and lists made for tasks that have none."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence

from rlhf_kit.datasets.rankings import as_ranking
from rlhf_kit.formulas.records import Ranking

TEXTS = 40                          # labelled texts for each ranking that is wanted ...
MOST = 20_000                       # ... and no more than that


def ordered(quality: Sequence[float], noise: float, rng: random.Random) -> tuple[list[int], tuple[int, ...]]:
    """How a labeler orders responses: (their numbers, best first; their ranks in that order, 1 = best, equals tie).

        key_i = q_i - T · log(-log u_i),   u_i ~ U(0, 1)

    Adding Gumbel noise and sorting draws from Plackett-Luce: of any two, the one with quality g comes before the one
    with h with probability 1 / (1 + exp((h - g) / T)), which is Bradley-Terry.

    Args:
        quality: of each response, in units of gold.
        noise: T >= 0, in the same units; 0 is a labeler without errors.
    """
    key = [q - noise * math.log(-math.log(rng.random() or 0.5)) if noise else q for q in quality]
    order = sorted(range(len(key)), key=lambda i: -key[i])
    return order, tuple(1 + sum(other > key[i] for other in key) for i in order)


def ranked_by(prompt: str, quality: Mapping[str, float], noise: float, rng: random.Random) -> Ranking:
    """All these responses, best first, as a labeler of that noise orders them; see `ordered`."""
    responses = list(quality)
    order, ranks = ordered(list(quality.values()), noise, rng)
    return Ranking(prompt, tuple(responses[i] for i in order), ranks)


def rankings_of(task, n: int, k: int = 4, noise: float = 0.0, seed: int = 0, split: str = "train") -> list[Ranking]:
    """K responses to each of n prompts, best first: the task's own rankings, or else made of what it has.

    A task with `comparisons` gives pairs, whose noise is its own. Of any other the labelled texts are cut behind the
    prompt that they begin with, and different responses to the same prompt are ordered by gold as a labeler of that
    noise would. Texts that begin with no prompt are ranked as they are, by their labels. Where there are fewer than k
    different responses, the ranking is shorter.

    Raises: ValueError if no prompt has two different responses.
    """
    if hasattr(task, "rankings"):
        return task.rankings(n, k, noise, seed=seed, split=split)
    if hasattr(task, "comparisons"):
        return [as_ranking(pair) for pair in task.comparisons(n, seed=seed, split=split)]
    lists = [(prompt, items) for prompt, items in _responses(task, min(n * TEXTS, MOST), seed, split).items()
             if len(items) > 1]
    if not lists:
        raise ValueError(f"the task {task.name} has no two different texts to one prompt in the split {split!r}, so no "
                         f"rankings can be made of them. Give it a method rankings(n, k, noise, seed, split).")
    rng = random.Random(f"rankings {seed}")
    return [_ranking(*rng.choice(lists), k, noise, rng) for _ in range(n)]


def origin(task) -> str:
    """Where its rankings come from: "own", "comparisons", or "derived" from gold or labels."""
    return "own" if hasattr(task, "rankings") else "comparisons" if hasattr(task, "comparisons") else "derived"


def _ranking(prompt: str, items: dict[str, float], k: int, noise: float, rng: random.Random) -> Ranking:
    chosen = rng.sample(list(items), min(k, len(items)))
    return ranked_by(prompt, {one: items[one] for one in chosen}, noise, rng)


def _responses(task, n: int, seed: int, split: str) -> dict[str, dict[str, float]]:
    """prompt -> response -> quality: gold where the prompt is known, else the label under the prompt ""."""
    openings = sorted(set(task.prompts(split)), key=len, reverse=True)
    found: dict[str, dict[str, float]] = {}
    for text, label in dict.fromkeys(task.labelled(n, seed=seed, split=split)):
        prompt = next((one for one in openings if text.startswith(one) and len(text) > len(one)), "")
        response = text[len(prompt):]
        found.setdefault(prompt, {})[response] = task.gold(prompt, response) if prompt else float(label)
    return found
