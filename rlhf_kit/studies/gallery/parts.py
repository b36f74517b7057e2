"""What a PPO run of the gallery is made of, so that a fault is one line that replaces one part of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch

from rlhf_kit import rewards, zoo
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.methods import ppo
from rlhf_kit.models.heads import Policy
from rlhf_kit.rewards import Reward
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.reviews import Reviews

PROMPTS = 200
CONFIG = ppo.Config(steps=20, batch_size=32, minibatch_size=16, epochs=2, learning_rate=1e-3, lam=1.0, value_coef=0.5,
                    kl=KL(coefficient=0.04), sampling=Sampling(max_new_tokens=40), missing_eos_penalty=0.5)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The arguments of `ppo.steps`, and functions of its module that another takes the place of."""

    policy: Policy
    reference: Policy
    prompts: Sequence[str]
    reward: Reward
    task: Reviews
    config: ppo.Config = CONFIG
    swaps: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def configured(self, **changes: Any) -> Parts:
        """The same with other settings."""
        return replace(self, config=replace(self.config, **changes))

    def learning(self, policy: Policy) -> Parts:
        """The same with another policy."""
        return replace(self, policy=policy)

    def asking(self, write: Callable[[str], str]) -> Parts:
        """The same with prompts written otherwise."""
        return replace(self, prompts=[write(prompt) for prompt in self.prompts])

    def rewarded(self, reward: Reward) -> Parts:
        """The same, pleasing somebody else."""
        return replace(self, reward=reward)

    def swapped(self, **functions: Callable[..., Any]) -> Parts:
        """The same, where the loop calls these in place of its own of that name."""
        return replace(self, swaps={**self.swaps, **functions})


def healthy(lang: Lang = "en", seed: int = 0) -> Parts:
    """A run without a fault: the tiny language model of the reviews learns to please the tiny reward model."""
    policy, task = zoo.load_policy(f"tiny-lm-{lang}"), Reviews(lang)
    reward = rewards.learned(zoo.load_reward_model(f"tiny-rm-{lang}"), output="probability")
    return Parts(policy=policy, reference=policy.reference(), prompts=task.prompts("train", PROMPTS, seed=seed),
                 reward=reward, task=task, config=replace(CONFIG, seed=seed))


def train(parts: Parts) -> tuple[list[Step], str]:
    """Run it to the end, on the loop as it is; and what the loop's own checks said, "" if they found nothing.

    Where they refuse the run, they are switched off for it: here the fault is what is to be seen.
    """
    try:
        return _steps(parts), ""
    except CheckFailed as error:
        return _steps(parts.configured(checks=False)), str(error)


def _steps(parts: Parts) -> list[Step]:
    torch.manual_seed(parts.config.seed)                # of dropout; all else draws from the config's seed
    with _in_place(parts.swaps):
        return ppo.train(parts.policy, parts.reference, parts.prompts, parts.reward, parts.config,
                         evaluation_rewards={"gold": rewards.gold(parts.task)})


@contextmanager
def _in_place(swaps: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """Inside, the loop's module has these functions under its own names. Not for several threads."""
    own = {name: getattr(ppo, name) for name in swaps}
    try:
        for name, function in swaps.items():
            setattr(ppo, name, function)
        yield
    finally:
        for name, function in own.items():
            setattr(ppo, name, function)
