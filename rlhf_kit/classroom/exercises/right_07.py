"""The right answers of lesson 07, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

from torch import Tensor

from rlhf_kit.formulas import direct_alignment
from rlhf_kit.formulas.advantages import group_advantage, leave_one_out
from rlhf_kit.formulas.kl_penalty import estimate_k3
from rlhf_kit.formulas.masked import keep, masked_sum
from rlhf_kit.formulas.policy_gradient import policy_gradient


def dpo_loss(chosen: Tensor, ref_chosen: Tensor, rejected: Tensor, ref_rejected: Tensor, beta: float,
             smoothing: float) -> Tensor:
    """Bradley-Terry on implicit rewards, a share of the labels taken to be wrong."""
    return direct_alignment.dpo(chosen - ref_chosen, rejected - ref_rejected, beta, smoothing)


def ipo_loss(chosen: Tensor, chosen_mask: Tensor, rejected: Tensor, rejected_mask: Tensor, beta: float) -> Tensor:
    """A margin of 1/(2β) between mean log-ratios."""
    return direct_alignment.ipo(per_token(chosen, chosen_mask), per_token(rejected, rejected_mask), beta)


def per_token(x: Tensor, mask: Tensor) -> Tensor:
    """The mean over the marked tokens of each response, [B]."""
    return masked_sum(keep(x, mask), mask) / mask.sum(-1)


def kto_loss(ratio: Tensor, mismatched: Tensor, good: Tensor, beta: float, good_weight: float,
             bad_weight: float) -> Tensor:
    """Gains and losses against what is usual."""
    z = direct_alignment.kto_reference_point(mismatched)
    return direct_alignment.kto(ratio, good, z, beta, good_weight=good_weight, bad_weight=bad_weight)


def rloo_advantage(score: Tensor, kl: Tensor, beta: float, group: int) -> Tensor:
    """Against the mean of the others, drifting paid for, [B]."""
    return leave_one_out(score - beta * kl, group)


def grpo_advantage(score: Tensor, group: int, scale: bool) -> Tensor:
    """Against the mean of all, in standard deviations (GRPO) or as it is (Dr. GRPO), [B]."""
    return group_advantage(score, group, baseline="group", scale="group" if scale else "none")


def grpo_loss(logprob: Tensor, old_logprob: Tensor, ref_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float,
              beta: float) -> Tensor:
    """The clipped objective with k3 as a price, averaged over the tokens of each response, then over responses."""
    penalty = beta * estimate_k3(keep(logprob, mask), keep(ref_logprob, mask))
    return policy_gradient(logprob, old_logprob, advantage, mask, clip, penalty=penalty)


def teaches(p: Tensor, group: int) -> Tensor:
    """How likely a group is to hold both right and wrong answers, [N]."""
    return 1 - p ** group - (1 - p) ** group
