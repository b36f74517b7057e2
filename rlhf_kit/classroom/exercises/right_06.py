"""The right answers of lesson 06, made of the kit's own formulas where it has them: what an answer is compared with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.formulas.kl_penalty import token_reward as priced
from rlhf_kit.formulas.masked import keep, masked_sum

LEAST_SPREAD = 1e-5                         # a standard deviation below it is rounding
HIGHEST_RATIO = 10.0                        # of a minibatch, on average, that is still learnt from


def fit_peak(distance: Tensor, gold: Tensor, rl: bool) -> tuple[float, float, float]:
    """(α, β, the d at which the curve is highest) of gold = d (α - β d), or with `rl` d (α - β log d)."""
    d = distance.double()
    columns = torch.stack([d, -d * (d.log() if rl else d)], -1)                                  # [N, 2]
    alpha, beta = torch.linalg.lstsq(columns, gold.double()[:, None]).solution[:, 0].tolist()
    return alpha, beta, peak(alpha, beta, rl)


def peak(alpha: float, beta: float, rl: bool) -> float:
    """Where the curve is highest, infinite if it never turns."""
    if beta <= 0:
        return math.inf
    return math.exp(alpha / beta - 1) if rl else max(alpha / (2 * beta), 0.0)


def ensemble(score: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """(mean, worst, mean - weight · variance) over the members, [N] each."""
    return score.mean(0), score.amin(0), score.mean(0) - weight * score.var(0, correction=0)


def lost_on_the_way(score: Tensor, token_reward: Tensor, logprob: Tensor, ref_logprob: Tensor, mask: Tensor,
                    beta: float) -> Tensor:
    """[B]: what tokens should have been given, score less β · KL, less what they were given."""
    due = priced(score, keep(logprob, mask), keep(ref_logprob, mask), mask, beta)
    return masked_sum(due, mask) - masked_sum(keep(token_reward, mask), mask)


def credit(advantage: Tensor, mask: Tensor, score: Tensor) -> Tensor:
    """The correlation over responses of score and mean advantage; 0 where one of them does not vary."""
    x, y = masked_sum(keep(advantage, mask), mask) / mask.sum(-1), score
    x, y = x - x.mean(), y - y.mean()
    spread = x.std(correction=0), y.std(correction=0)
    return (x * y).mean() / (spread[0] * spread[1]) if min(spread) > LEAST_SPREAD else x.new_zeros(())


def ends_learnt(ids: Tensor, mask: Tensor, eos: int) -> Tensor:
    """Of the responses that hold EOS, the share whose first one is marked; 1 if none holds it."""
    end = ids == eos
    first = end & (end.cumsum(-1) == 1)
    return (first & mask).sum() / end.any(-1).sum() if end.any() else torch.ones(())


def kl_pulls(logits: Tensor, ref_logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Expected gradients of k1, k2, k3 in the logits, tokens drawn from the policy and then fixed; [V] each."""
    probability, reference = logits.softmax(-1), ref_logits.softmax(-1)
    away = logits.log_softmax(-1) - ref_logits.log_softmax(-1)
    return (torch.zeros_like(logits), probability * (away - (probability * away).sum()), probability - reference)


def guarded_step(weight: Tensor, gradient: Tensor, logprob: Tensor, old_logprob: Tensor, mask: Tensor, rate: float,
                 most: float) -> Tensor:
    """The weights after a step along the gradient, cut to a norm; as they were if the minibatch cannot be trusted."""
    ratio = (keep(logprob, mask) - keep(old_logprob, mask)).exp()
    if not masked_sum(ratio, mask).sum() / mask.sum() <= HIGHEST_RATIO or not gradient.isfinite().all():
        return weight.clone()
    return weight - rate * gradient * (most / gradient.norm().clamp(min=most))
