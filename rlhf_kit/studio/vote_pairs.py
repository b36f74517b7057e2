"""The pairs of the blind vote: two models on the same prompt, written beforehand so that nobody waits."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_kit.labels import Labels, Response
from rlhf_kit.language import Lang
from rlhf_kit.studio import workspace as shared
from rlhf_kit.studio.rank_tasks import fitting
from rlhf_kit.studio.worlds import REVIEWS, World

if TYPE_CHECKING:
    from rlhf_kit.models.heads import Policy

AT_ONCE = 8                         # prompts of a new match between two reports of progress
PAIRS = 40                          # of the saved example
SPLIT = "heldout"                   # of these tasks: votes judge models, and are not for reward models to learn from


def fill(labels: Labels, lang: Lang, world: World = REVIEWS) -> None:
    """Put pairs into the file if it has none in that language: the saved example's, in a world of reviews.

    Another world may have candidates: responses by its own people, of which nobody is named.

    Raises: LabelsError; FileNotFoundError or KeyError if there is no saved example.
    """
    candidates = None if world == REVIEWS else getattr(world.of(lang), "candidates", None)
    if candidates and not labels.count(kind="vote", lang=lang):
        labels.add_tasks(candidates(PAIRS, 2, split=SPLIT), kind="vote", split=SPLIT)
    if world == REVIEWS and not labels.count(kind="vote", lang=lang):
        labels.add_tasks([(one["prompt"], [Response(r["text"], r["model"]) for r in one["responses"]])
                          for one in shared.example(lang)["vote"]], kind="vote", split=SPLIT)


def matches(labels: Labels, lang: Lang) -> dict[tuple[str, str], list[int]]:
    """Two models, by name in order -> the numbers of the pairs that they wrote, the match that is newest last."""
    found: dict[tuple[str, str], list[int]] = {}
    for task in labels.tasks():
        models = sorted({response.model for response in task.responses if response.model is not None})
        own = any(response.seed is not None for response in task.responses)         # the example's have none
        if task.kind == "vote" and (own or task.lang == lang) and len(models) == 2:
            found.setdefault((models[0], models[1]), []).append(task.id)
    return dict(sorted(found.items(), key=lambda one: one[1][-1]))


def write(labels: Labels, models: Mapping[str, Policy], prompts: Sequence[str], seed: int
          ) -> Iterator[tuple[int, int, int]]:
    """Let two models answer prompts and add the pairs that differ; yields (prompts done, all, new pairs so far).

    Args:
        models: name -> policy, two of them.
    """
    from rlhf_kit.sampling import sample_rollout
    new = 0
    for start in range(0, len(prompts), AT_ONCE):
        some = list(prompts[start:start + AT_ONCE])
        written = {}
        for name, policy in models.items():
            written[name] = sample_rollout(policy, some, fitting(policy, some), seed + start).responses
        pairs = [(prompt, [Response(texts[i], name, seed + start) for name, texts in written.items()])
                 for i, prompt in enumerate(some) if len({texts[i] for texts in written.values()}) == 2]
        new += labels.add_tasks(pairs, kind="vote", split=SPLIT)
        yield start + len(some), len(prompts), new


def rewards(lang: Lang) -> dict[tuple[str, str], float]:
    """(prompt, text) → what the reward model says of it, for the saved example's pairs; empty if there is none."""
    try:
        return {(one["prompt"], r["text"]): r["reward"] for one in shared.example(lang)["vote"]
                for r in one["responses"]}
    except (FileNotFoundError, KeyError):
        return {}


def example(lang: Lang, policy: Path | str, name: str | None = None, pairs: int = PAIRS,
            seed: int = 0) -> list[dict[str, Any]]:
    """The part "vote" of the saved example: the tiny language model against a policy, one response each.

    Args:
        policy: a folder or a name that `zoo.load_policy` takes.
        name: that people see after their vote; by default the base's with "+ PPO".

    Returns: [{"prompt": ..., "responses": [{"text": ..., "model": ..., "reward": ...}, the same]}, ...], which of
        both comes first by chance; pairs that read the same are left out. "reward" is tiny-rm's.
    """
    from rlhf_kit import zoo
    from rlhf_kit.rewards import learned
    from rlhf_kit.sampling import sample_rollout
    from rlhf_kit.tasks.reviews import Reviews
    base, rng = f"tiny-lm-{lang}", random.Random(f"vote {seed}")
    prompts = Reviews(lang).prompts("heldout", n=pairs + pairs // 4, seed=seed + 1)
    written = {model: sample_rollout(zoo.load_policy(place, value_head=False), prompts, seed=seed).responses
               for model, place in ((base, base), (name or f"{base} + PPO", policy))}
    judge = learned(zoo.load_reward_model(f"tiny-rm-{lang}"))
    score = {model: judge(prompts, responses).tolist() for model, responses in written.items()}
    found = [{"prompt": prompt,
              "responses": rng.sample([{"text": texts[i], "model": model, "reward": round(score[model][i], 4)}
                                       for model, texts in written.items()], 2)}
             for i, prompt in enumerate(prompts) if len({texts[i] for texts in written.values()}) == 2]
    return found[:pairs]
