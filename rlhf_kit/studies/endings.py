"""Negative KL: what happens to its estimate when responses are kept from ending, and how a mask mends it.

    E[log π(y) - log ρ(y)] is KL(π‖ρ) and at least 0 only where y is drawn from π itself

A response that must not end yet (a least length, or an end token that the sampler does not know) is drawn from
something else: π without its end. If the policy likes to end more than the reference does, everything else is less
likely under it, and the estimate falls below 0. PPO then takes that for a saving, and is paid for it.

Source: StackLLaMA (Hugging Face, 2023), "negative KL".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from rlhf_kit import plots
from rlhf_kit.evaluate import Estimate, mean
from rlhf_kit.formulas.kl_penalty import estimate_k1
from rlhf_kit.formulas.records import Rollout
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from rlhf_kit.studies.altered import Altered
from rlhf_kit.studies.study import Study


def expected(policy: Sequence[float], reference: Sequence[float], end: int = 0) -> dict[str, float]:
    """The estimate of one token's KL, exactly: with free draws from `policy`, and with `end` forbidden.

        free      Σ π(y) log(π(y)/ρ(y))                 forbidden   Σ π(y)/(1 - π(end)) log(π(y)/ρ(y)) over y ≠ end

    (.3, .35, .35) against (.05, .475, .475) gives +0.324 and -0.305.
    """
    gaps = [math.log(p / r) for p, r in zip(policy, reference, strict=True)]
    free = sum(p * gap for p, gap in zip(policy, gaps, strict=True))
    others = [i for i in range(len(policy)) if i != end]
    return {"free": free, "forbidden": sum(policy[i] * gaps[i] for i in others) / sum(policy[i] for i in others)}


def forbidden_to_end(policy: Policy, prompts: Sequence[str], first: int, sampling: Sampling | None = None,
                     seed: int = 0) -> Rollout:
    """Responses whose first `first` tokens cannot be the end token, with the log-probabilities of the policy itself.

    This is a least length as generation libraries offer it, and what training must not do.
    """
    if first < 1:
        raise ValueError(f"first is {first}; forbid the end in at least 1 token.")
    rollout = sample_rollout(_unending(policy, first), prompts, sampling, seed)
    with torch.no_grad():
        return replace(rollout, logprob=response_logprob(policy, rollout))


def drawn_freely(rollout: Rollout, first: int) -> Tensor:
    """The mask that mends it: True on the response tokens that were drawn from the policy as it is, [B, T]."""
    return rollout.mask & (torch.arange(rollout.mask.shape[1], device=rollout.mask.device) >= first)[None]


def negative_kl(policy: Policy, reference: Policy, prompts: Sequence[str], first: int,
                sampling: Sampling | None = None, seed: int = 0) -> Study:
    """The KL as measured on free responses, on responses kept from ending, and on those with the mask that mends it.

    Numbers: "free", "forbidden" and "mended", each an `Estimate` of nats per response, and the "length" of both kinds
    of response in tokens.
    """
    free = sample_rollout(policy, prompts, sampling, seed)
    kept = forbidden_to_end(policy, prompts, first, sampling, seed)
    found: dict[str, Any] = {"free": _kl(policy, reference, free, free.mask),
                             "forbidden": _kl(policy, reference, kept, kept.mask),
                             "mended": _kl(policy, reference, kept, drawn_freely(kept, first))}
    figure = plots.bars(found, unit="KL, nats per response")
    return Study({**found, "length": (free.length.float().mean().item(), kept.length.float().mean().item())}, figure)


@torch.no_grad()
def _kl(policy: Policy, reference: Policy, rollout: Rollout, mask: Tensor) -> Estimate:
    each = estimate_k1(response_logprob(policy, rollout), response_logprob(reference, rollout))          # [B, T]
    return mean(torch.where(mask, each, 0.0).sum(-1))


def _unending(policy: Policy, first: int) -> Altered:
    """A policy that says the probability of each of its end tokens is 0 while it writes its first tokens."""
    width = 0                                           # of the prompts

    def change(logits: Tensor, mask: Tensor, begins: bool) -> Tensor:
        nonlocal width
        width = mask.shape[1] if begins else width
        if mask.shape[1] - width >= first:
            return logits
        logits = logits.clone()
        logits[..., list(policy.ends)] = -math.inf
        return logits
    return Altered(policy, change)
