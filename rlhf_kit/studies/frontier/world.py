"""What all methods share: one start, one reward model, the same prompts, and the truth, which nobody is shown."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

from rlhf_kit import rewards, tasks, zoo
from rlhf_kit.evaluate import evaluate
from rlhf_kit.jobs.settings import with_task_room, world
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks import tiny_name

SHOWN = 4                           # held-out prompts whose answers a point shows


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much is drawn, learned and examined: the same for all methods."""

    prompts: int = 200              # that policies learn on
    held_out: int = 256             # examined, one answer each
    chosen: int = 128               # of them: best-of-n answers so many, `most` times each
    most: int = 64
    judged: int = 600               # prompts whose draws DPO and KTO learn from,
    answers: int = 4                # so many of each, the best against the worst
    steps: int | None = None        # of every training; None: each method's own
    sampling: Sampling = field(default_factory=lambda: Sampling(max_new_tokens=48))

    def fitted(self, config: Any) -> Any:
        """A method's configuration with this size's sampling and number of steps."""
        room = {"sampling": self.sampling} if hasattr(config, "sampling") else {}
        steps = {} if self.steps is None else {"updates" if hasattr(config, "updates") else "steps": self.steps}
        return replace(config, **room, **steps)


class World:
    """A made-up world with its start, the language model that imitates its texts, and its reward model."""

    def __init__(self, name: str, size: Size) -> None:
        self.task = world(name, "en")
        self.size = replace(size, sampling=with_task_room(size.sampling, self.task))
        self.start, self.judge = tiny_name("lm", self.task.name), tiny_name("rm", self.task.name)
        self.prompts: Sequence[str] = self.task.prompts("train", self.size.prompts)
        self.held_out: Sequence[str] = self.task.prompts("heldout", self.size.held_out)

    @cached_property
    def reference(self) -> Policy:
        """The start, which never learns."""
        return zoo.load_policy(self.start, value_head=False).reference()

    def fresh(self, value_head: bool = False) -> Policy:
        """A policy that stands at the start."""
        return Policy(copy.deepcopy(self.reference.lm).requires_grad_(True), self.reference.tokenizer,
                      value_head=value_head)

    @cached_property
    def proxy(self) -> rewards.Reward:
        """What everybody is taught by: the probability of beating an average good answer, says the reward model."""
        return rewards.learned(zoo.load_reward_model(self.judge), output="probability")

    @cached_property
    def measured(self) -> dict[str, rewards.Reward]:
        """Both, by name."""
        return {"proxy": self.proxy, "gold": rewards.gold(self.task)}

    def examined(self, policy: Policy, seed: int) -> dict[str, Any]:
        """Where a policy stands: drift, both rewards prompt by prompt, and the first few answers."""
        return self.examined_by(policy, self.measured, seed)

    def examined_by(self, policy: Policy, measured: dict[str, rewards.Reward], seed: int,
                    shown: int = SHOWN) -> dict[str, Any]:
        """The same by rewards of one's own."""
        seen = evaluate(policy, self.reference, self.held_out, measured, self.size.sampling, 1000 + seed)
        return {"kl": seen.kl, "length": seen.length, "distinct": seen.distinct, "eos_rate": seen.eos_rate,
                "each": {name: list(numbers) for name, numbers in seen.each.items()},
                "texts": seen.per_prompt()[:shown]}


def plain(config: Any) -> dict[str, Any]:
    """A configuration as plain values, without what is off."""
    return {name: value for name, value in asdict(config).items() if value not in (None, False, ())}


def resolved(task: str | None, lang: str) -> str:
    """The world's own name. Raises: ValueError, one line."""
    name = f"reviews-{lang}" if task is None else tasks.in_language(task, lang)
    tasks.find(name)
    return name
