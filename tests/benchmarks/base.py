"""The base of the assistants: what it costs, what it can do, and how far a preamble that says how to answer moves it.

The gate of context distillation: under the preamble of a helpful, honest and harmless assistant the base earns at least
0.1 more gold than without, by at least 3 standard errors; what cannot be prompted cannot be distilled.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from rlhf_kit import zoo
from rlhf_kit.evaluate import Estimate, mean
from rlhf_kit.evaluate.tax import tax
from rlhf_kit.language import LANGS
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.tasks import BASES
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.corpus import preamble
from rlhf_kit.tasks.assistant.prompts import under

PROMPTS, SEEDS = 200, (0, 1, 2)         # held-out plain prompts, and draws of responses to each
DRAWN = Sampling(max_new_tokens=64)     # temperature 1, as the tiny preset of InstructGPT draws


def gold(policy: Policy, task: Assistant, above: str | None, sampling: Sampling = DRAWN, seeds: Sequence[int] = SEEDS,
         n: int = PROMPTS) -> list[float]:
    """Gold of each held-out prompt's responses under a preamble or none, the mean over the seeds of the draws."""
    asked = [prompt.text for prompt in task.asked(n, seed=5, split="heldout", types=("plain",))]
    prompts = [under(above, one) for one in asked] if above else asked
    drawn = [generate(policy, prompts, sampling, seed=seed) for seed in seeds]
    return [sum(task.gold(prompt, one) for one in responses) / len(seeds)
            for prompt, *responses in zip(prompts, *drawn, strict=True)]


def gate(policy: Policy, task: Assistant, sampling: Sampling = DRAWN, n: int = PROMPTS) -> dict[str, Estimate]:
    """Gold without a preamble, under the careful one, and the difference prompt by prompt."""
    without, careful = (gold(policy, task, above, sampling, n=n) for above in (None, preamble(task, "careful")))
    lift = mean([b - a for a, b in zip(without, careful, strict=True)])
    return {"without": mean(without, (0, 1)), "careful": mean(careful, (0, 1)), "lift": lift}


def main() -> None:
    """Both languages; CPU-seconds are those of a base that is not in the cache yet."""
    torch.set_num_threads(1)
    for lang in LANGS:
        began = time.process_time()
        zoo.cached(BASES[lang])
        print(f"{BASES[lang]}: {time.process_time() - began:.0f} CPU-seconds to build", flush=True)
        policy, task = zoo.load_policy(BASES[lang], value_head=False), Assistant(lang)
        for temperature in (1.0, 0.7):
            found = gate(policy, task, Sampling(max_new_tokens=DRAWN.max_new_tokens, temperature=temperature))
            print(f"  temperature {temperature}: " + ", ".join(f"{name} {value}" for name, value in found.items()))
        print(f"  {tax(policy, lang)}", flush=True)


if __name__ == "__main__":
    main()
