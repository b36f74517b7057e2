"""A small model after RLHF against one of four times its width after SFT, both of one reduced corpus: signature (b).

    make bench ARGS=instructgpt_sizes           after instructgpt, whose reward models it takes; SEEDS=3 changes it

The two language models read the same texts, as often; then both see the same demonstrations, the large one 16 epochs,
the small one 2 before PPO. The reward model and with it the critic are those of the base, as InstructGPT's of 6 billion
parameters served policies of 1.3. The numbers go into `instructgpt.json` beside the others.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rlhf_kit import zoo
from rlhf_kit.methods import sft
from rlhf_kit.models import tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.recipes import instructgpt
from rlhf_kit.storage import is_complete, write_text
from rlhf_kit.tasks.assistant.corpus import pretraining
from tests.benchmarks.differences import mean
from tests.benchmarks.instructgpt import FILE, MEASURES, Seed, Size, place

SMALL, LARGE, LAYERS = 32, 128, 2
TEXTS = 3000                        # of the reduced corpus
READ = sft.Config(steps=3000, batch_size=8, learning_rate=5e-3, min_lr_ratio=0.03, max_length=160, beta2=0.98)


class Sizes(Seed):
    """The same seed with two models of its own."""

    def language_model(self, width: int) -> Path:
        """What the reduced corpus makes of that width."""
        folder = self.folder / f"width-{width}"
        if not is_complete(folder):
            base = self.policy("base")
            lm = tiny.llama(base.tokenizer, layers=LAYERS, width=width, context=base.context, seed=self.seed)
            policy = Policy(lm, base.tokenizer, value_head=False)
            texts = pretraining(self.data.task, TEXTS, seed=self.seed)
            self.trained(f"width-{width}", policy, sft.steps(policy, texts, replace(READ, seed=self.seed)))
        return folder

    def run_sizes(self) -> None:
        """SFT of the large one; start, PPO-ptx of the small one; and what SFT alone makes of it."""
        for width in (SMALL, LARGE):
            policy = zoo.load_policy(self.language_model(width), value_head=False)
            self.trained(f"sft-{width}", policy,
                         instructgpt.sft_steps(self.preset, policy, self.demonstrations))
            self.examined(f"sft-{width}")
        small = zoo.load_policy(self.language_model(SMALL), value_head=False)
        mixed = instructgpt.start_mix(self.preset, self.data, self.demonstrations)
        self.trained(f"start-{SMALL}", small, instructgpt.start_steps(self.preset, small, mixed))
        if not is_complete(self.folder / f"ppo-{SMALL}"):
            start, judge = self.policy(f"start-{SMALL}"), self.judge("judge")
            policy = instructgpt.actor(self.preset, start, judge)
            self.trained(f"ppo-{SMALL}", policy, instructgpt.ppo_steps(self.preset, self.data, policy,
                                                                       start.reference(), judge))
        self.examined(f"ppo-{SMALL}")

    def sizes(self) -> dict[str, Any]:
        """What the JSON gets."""
        found = {}
        for name, of, width in (("small", f"ppo-{SMALL}", SMALL), ("large", f"sft-{LARGE}", LARGE),
                                ("small, SFT alone", f"sft-{SMALL}", SMALL)):
            seen, policy = self.examined(of), self.policy(of)
            found[name] = {"width": width, "parameters": tiny.parameters(policy.lm),
                           **{key: mean(seen[key]) for key in MEASURES}}
        for key in ("gold", "helpful"):
            ours, theirs = self.examined(f"ppo-{SMALL}")[key], self.examined(f"sft-{LARGE}")[key]
            found[f"{key}, small - large"] = mean([a - b for a, b in zip(ours, theirs, strict=True)])
        return found


def main() -> None:
    """SEEDS (default 3), each stored as soon as it is done."""
    torch.set_num_threads(1)
    size = Size()
    for number in range(int(os.environ.get("SEEDS", 3))):
        seed = Sizes(place(size), number, size)
        seed.run_sizes()
        stored = json.loads(FILE.read_text(encoding="utf-8"))
        stored["parts"].setdefault(str(number), {})["sizes"] = seed.sizes()
        write_text(FILE, json.dumps(stored, indent=1, ensure_ascii=False) + "\n")
        print(number, json.dumps(stored["parts"][str(number)]["sizes"]), flush=True)
