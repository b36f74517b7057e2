"""The base of the assistants: what it costs, what it can do, and how far a preamble that says how to answer moves it.

The gate of context distillation: under the preamble of a helpful, honest and harmless assistant the base earns at least
0.1 more gold than without, by at least 3 standard errors; what cannot be prompted cannot be distilled. A response ends
where somebody else begins to speak, as whoever serves a base that has read whole dialogues cuts it; without the cut the
lift is smaller; it is kept beside it, in `base.json`.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import zoo
from rlhf_kit.evaluate import Estimate, mean
from rlhf_kit.evaluate.tax import tax
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.models.chats import first_turn
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, generate
from rlhf_kit.storage import is_complete, write_text
from rlhf_kit.tasks import BASES
from rlhf_kit.tasks.assistant import Assistant
from rlhf_kit.tasks.assistant.corpus import preamble
from rlhf_kit.tasks.assistant.prompts import MARKS, under
from tests.benchmarks.differences import about

FILE = Path(__file__).with_name("base.json")
HEAD = {"en": "| `make bench ARGS=base` | temperature | gold without | under the careful description | lift "
              "| lift, uncut |",
        "zh": "| `make bench ARGS=base` | 温度 | 没有描述时的真值 | 有谨慎的描述时 | 提高 | 不截断时的提高 |"}
TEMPERATURES = (1.0, 0.7)
PROMPTS, SEEDS = 200, (0, 1, 2)         # held-out plain prompts, and draws of responses to each
DRAWN = Sampling(max_new_tokens=64)     # temperature 1, as the tiny preset of InstructGPT draws


def gold(policy: Policy, task: Assistant, above: str | None, sampling: Sampling = DRAWN, seeds: Sequence[int] = SEEDS,
         n: int = PROMPTS, *, cut: bool = True) -> list[float]:
    """Gold of each held-out prompt's responses under a preamble or none, the mean over the seeds of the draws."""
    marks = (MARKS[task.lang].user, MARKS[task.lang].assistant) if cut else None
    asked = [prompt.text for prompt in task.asked(n, seed=5, split="heldout", types=("plain",))]
    prompts = [under(above, one) for one in asked] if above else asked
    drawn = [generate(policy, prompts, sampling, seed=seed) for seed in seeds]
    return [sum(task.gold(prompt, first_turn(one, marks)) for one in responses) / len(seeds)
            for prompt, *responses in zip(prompts, *drawn, strict=True)]


def gate(policy: Policy, task: Assistant, sampling: Sampling = DRAWN, n: int = PROMPTS, *,
         cut: bool = True) -> dict[str, Estimate]:
    """Gold without a preamble, under the careful one, and the difference prompt by prompt."""
    without, careful = (gold(policy, task, above, sampling, n=n, cut=cut)
                        for above in (None, preamble(task, "careful")))
    lift = mean([b - a for a, b in zip(without, careful, strict=True)])
    return {"without": mean(without, (0, 1)), "careful": mean(careful, (0, 1)), "lift": lift}


def table(found: Mapping[str, Any], lang: Lang = "en") -> list[str]:
    """The page's rows: how far the careful description lifts gold, at two temperatures."""
    rows = [HEAD[lang], "|---|---|---|---|---|---|"]
    for base in found["bases"].values():
        for temperature, gold in base["gates"].items():
            cells = (f"{mean:.3f} ({low:.3f}–{high:.3f})" for mean, low, high in gold.values())
            rows.append(f"| `{base['name']}` | {temperature} | {' | '.join(cells)} |")
    return rows


def measured(lang: Lang) -> dict[str, Any]:
    """All of one base; CPU-seconds are None where it was in the cache already."""
    there, began = is_complete(zoo.place(BASES[lang])), time.process_time()
    zoo.cached(BASES[lang])
    spent = None if there else round(time.process_time() - began)
    policy, task, gates = zoo.load_policy(BASES[lang], value_head=False), Assistant(lang), {}
    for temperature in TEMPERATURES:
        drawn = Sampling(max_new_tokens=DRAWN.max_new_tokens, temperature=temperature)
        found = {**gate(policy, task, drawn), "lift, uncut": gate(policy, task, drawn, cut=False)["lift"]}
        gates[f"{temperature:g}"] = {name: [one.mean, one.low, one.high] for name, one in found.items()}
    return {"name": BASES[lang], "place": zoo.place(BASES[lang]).name, "cpu_seconds": spent, "gates": gates,
            "tax": {name: one["mean"] if isinstance(one, dict) else one
                    for name, one in tax(policy, lang).numbers().items()}}


def main() -> None:
    """LANGUAGES (default "en zh"): each is stored as soon as it is done, beside the other."""
    torch.set_num_threads(1)
    for lang in os.environ.get("LANGUAGES", " ".join(LANGS)).split():
        bases = json.loads(FILE.read_text(encoding="utf-8"))["bases"] if FILE.exists() else {}
        found = {"about": about("base"), "bases": dict(sorted({**bases, lang: measured(lang)}.items()))}
        write_text(FILE, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    print(*table(found), *(f"{lang}: {base['cpu_seconds']} CPU-seconds, {base['tax']}"
                           for lang, base in found["bases"].items()), sep="\n")


if __name__ == "__main__":
    main()
