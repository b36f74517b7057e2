"""The mistakes themselves, each as it is found in the wild: what takes the place of a right function of the loop."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from rlhf_kit import rewards, zoo
from rlhf_kit.engine import read
from rlhf_kit.formulas import advantages, kl_penalty
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.methods import reward_model
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.rewards import Reward
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from rlhf_kit.studies.altered import Altered
from rlhf_kit.tasks.reviews import Reviews

WORDS = 10                          # that are worth one point to somebody who counts them


def wrong_way(score: Tensor, logprob: Tensor, ref_logprob: Tensor, *others: Any) -> Tensor:
    """`token_reward` with policy and reference exchanged, so that drifting is paid for."""
    return kl_penalty.token_reward(score, ref_logprob, logprob, *others)


def at_last_column(score: Tensor, logprob: Tensor, ref_logprob: Tensor, mask: Tensor, *others: Any) -> Tensor:
    """`token_reward` with the score at T - 1 and not at each response's own end: padding gets those of most."""
    reward = kl_penalty.token_reward(torch.zeros_like(score), logprob, ref_logprob, mask, *others)
    reward[:, -1] += score
    return reward


def each_alone(x: Tensor, mask: Tensor) -> Tensor:
    """`whiten` one response at a time: good and bad ones all get mean 0. transformers_tasks did so."""
    return torch.cat([advantages.whiten(row[None], kept[None]) if kept.sum() > 1 else torch.zeros_like(row)[None]
                      for row, kept in zip(x, mask, strict=True)])


def end_as_padding(*arguments: Any) -> Rollout:
    """`sample_rollout` whose mask is `ids != pad`, for a tokenizer whose padding is its end token."""
    rollout, ends = sample_rollout(*arguments), torch.tensor(arguments[0].ends)
    mask = rollout.mask & ~torch.isin(rollout.response_ids, ends)
    mask[:, 0] = True                                           # an empty response has nowhere to put its score
    return replace(rollout, mask=mask, logprob=torch.where(mask, rollout.logprob, 0.0),
                   value=torch.where(mask, rollout.value, 0.0))


def from_top(k: int) -> Callable[..., Rollout]:
    """`sample_rollout` of an engine that draws among the k likeliest tokens and tells how likely they were there."""
    def cut(logits: Tensor, *_: Any) -> Tensor:
        return logits.masked_fill(logits < logits.topk(k).values[..., -1:], -math.inf)

    def draw(policy: Policy, prompts: Sequence[str], sampling: Sampling, seed: int, _: Any = None) -> Rollout:
        rollout = sample_rollout(Altered(policy, cut), prompts, sampling, seed)
        with torch.no_grad():
            return replace(rollout, value=read(policy, rollout, value=True).value)
    return draw


def colder(temperature: float) -> Callable[..., Rollout]:
    """`sample_rollout` at a temperature that log-probabilities know nothing of. TRL's PPO did so up to 0.11.4."""
    def draw(policy: Policy, prompts: Sequence[str], sampling: Sampling, seed: int, _: Any = None) -> Rollout:
        altered = Altered(policy, lambda logits, *_: logits / temperature)
        return _as_believed(policy, sample_rollout(altered, prompts, sampling, seed))
    return draw


def never_told(engine: Policy) -> Callable[..., Rollout]:
    """`sample_rollout` of an engine that goes on with the weights of the beginning: nobody sends it the new ones."""
    def draw(policy: Policy, prompts: Sequence[str], sampling: Sampling, seed: int, _: Any = None) -> Rollout:
        return _as_believed(policy, sample_rollout(engine, prompts, sampling, seed))
    return draw


def in_eight_bits(policy: Policy, *others: Any) -> Rollout:
    """`sample_rollout` with weights rounded to 255 steps, while learning has them whole."""
    rounded = copy.deepcopy(policy)
    with torch.no_grad():
        for module in rounded.lm.modules():
            if isinstance(module, nn.Linear | Conv1D):
                step = module.weight.abs().amax(0, keepdim=True).clamp(min=1e-8) / 127
                module.weight.copy_((module.weight / step).round() * step)
    return sample_rollout(rounded, *others)


def against(reference: Policy) -> Callable[..., Rollout]:
    """`sample_rollout` whose minibatches call the reference's log-probabilities the old ones: π/π_ref is clipped."""
    def draw(*arguments: Any) -> Rollout:
        rollout = sample_rollout(*arguments)
        with torch.no_grad():
            ref_logprob = response_logprob(reference, rollout)
        return _Against(**vars(rollout), ref_logprob=ref_logprob)
    return draw


def dropping(policy: Policy, rate: float = 0.1) -> Policy:
    """The policy with dropout that nobody switches off."""
    for module in policy.modules():
        if isinstance(module, nn.Dropout):
            module.p = rate
    policy.eval = policy.train
    return policy.train()


def longer(prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
    """A reward that counts words."""
    return torch.tensor([len(response.split()) / WORDS for response in responses])


def learned_by_heart(task: Reviews, seed: int, rankings: int = 12, steps: int = 100) -> Reward:
    """The opinion of a reward model that has read a dozen rankings more than sixty times."""
    ranked = task.rankings(rankings, noise=0.3, seed=seed)
    tokenizer = text.train_tokenizer(task.corpus(2000, seed=seed), 700)
    model = tiny.reward_model(tokenizer, seed=seed)
    reward_model.train(model, ranked, replace(zoo.TinyRewardModel().reward_model, steps=steps, seed=seed))
    return rewards.learned(model, output="probability")


@dataclass(frozen=True, eq=False)
class _Against(Rollout):
    """A rollout whose rows have other old log-probabilities than itself."""

    ref_logprob: Tensor | None = None               # [B, T]

    def __getitem__(self, rows: Any) -> Rollout:
        whole = Rollout(**{f.name: getattr(self, f.name) for f in fields(Rollout)})
        return replace(whole, logprob=self.ref_logprob)[rows]


@torch.no_grad()
def _as_believed(policy: Policy, rollout: Rollout) -> Rollout:
    """With the policy's own log-probabilities, entropy and values at the temperature that the rollout names."""
    reading = read(policy, rollout, value=True, entropy=True)
    return replace(rollout, logprob=reading.logprob, value=reading.value, entropy=reading.entropy)
