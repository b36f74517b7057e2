"""Scripted users: they rank lists by one rule, so that what a loop has learnt can be told from what it should learn."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from rlhf_kit.labels import Labels
from rlhf_kit.language import Lang
from rlhf_kit.studio.trainings import Jobs, Look

Rule = Callable[[Sequence[str]], list[float]]       # responses -> a number each, the smallest is best
PATIENCE = 900.0                                    # seconds for a training on a busy machine


def shortest(texts: Sequence[str]) -> list[float]:
    """The fewer characters the better."""
    return [float(len(text)) for text in texts]


def mentions(word: str) -> Rule:
    """Those that have the word in them tie for the first place, all others for the second."""
    return lambda texts: [float(word not in text) for text in texts]


def groups(costs: Sequence[float]) -> list[list[int]]:
    """Positions, best first, equal ones together: what `Labels.save_ranking` takes."""
    return [[i for i, cost in enumerate(costs) if cost == level] for level in sorted(set(costs))]


def rank(labels: Labels, lang: Lang, rule: Rule, decided: int, *, k: int = 4, seed: int = 0, by: str = "script",
         most: int = 100) -> int:
    """Have the small language model answer prompts K times and rank the answers, until `decided` lists have a winner.

    Returns: how many lists were ranked, those with nothing but ties included; at most `most`.
    """
    from rlhf_kit import zoo
    from rlhf_kit.sampling import generate
    from rlhf_kit.tasks.reviews import Reviews
    policy, won = zoo.load_policy(f"tiny-lm-{lang}"), 0
    for number, prompt in enumerate(Reviews(lang).prompts("train", most, seed=100 + seed)):
        texts = list(dict.fromkeys(generate(policy, [prompt] * k, seed=1000 * (seed + 1) + number)))
        if len(texts) > 2:
            shown = labels.show(labels.add_task(prompt, texts).id, by)
            won += len(labels.save_ranking(shown, groups(rule(shown.task.texts)), lang=lang).groups) > 1
        if won >= decided:
            return number + 1
    return most


def wait(jobs: Jobs, name: str) -> Look:
    """Until that training rests. Raises: TimeoutError."""
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        look = next(look for look in jobs.all() if look.job.name == name)
        if look.state not in ("waiting", "running", "stopping"):
            return look
        time.sleep(0.2)
    raise TimeoutError(f"{name} is still {look.state} after {PATIENCE:.0f} s.")
