"""The pairs of the blind vote: two models on the same prompt, written beforehand so that nobody waits."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from rlhf_kit.labels import Labels, Response
from rlhf_kit.language import Lang
from rlhf_kit.studio import workspace as shared

PAIRS = 40                          # of the saved example
SPLIT = "heldout"                   # of these tasks: votes judge models, and are not for reward models to learn from


def fill(labels: Labels, lang: Lang) -> None:
    """Put the saved example's pairs into the file if it has none in that language.

    Raises: LabelsError; FileNotFoundError or KeyError if there is no saved example.
    """
    if not labels.count(kind="vote", lang=lang):
        labels.add_tasks([(one["prompt"], [Response(r["text"], r["model"]) for r in one["responses"]])
                          for one in shared.example(lang)["vote"]], kind="vote", split=SPLIT)


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
