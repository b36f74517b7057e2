"""Which token deserves the credit: how much better things went than expected.

A response earns most of its reward at its last token; an advantage spreads that over the tokens before it.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from rlhf_kit.formulas.masked import count, keep, masked_mean, masked_var

Baseline = Literal["group", "others", "batch", "none"]
Scale = Literal["group", "batch", "none"]


@torch.no_grad()
def gae(reward: Tensor, value: Tensor, mask: Tensor,
        gamma: float = 1.0, lam: float = 0.95) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation, and what the critic should have said.

        δ_t = r_t + γ·V_{t+1} - V_t,   Â_t = δ_t + γλ·Â_{t+1},   target_t = Â_t + V_t

    After the last marked token there is nothing: V = 0 and Â = 0.

    Args:
        reward: score and KL penalty per token, [B, T].
        value: the critic's guess before each token, when sampled, [B, T].
        mask: True on response tokens, the closing EOS included, [B, T].
        gamma: γ; 1 means that a reward later is worth as much as now.
        lam: λ; 0 trusts the critic (low variance), 1 trusts what happened (no bias).

    Returns: advantage and value_target, both [B, T], 0 where masked out, without gradient. The target is
        taken before any whitening. Raises: ValueError if no token is marked.
    Source: Schulman et al. 2016, arXiv:1506.02438, Eq. 16.
    """
    count(mask)
    reward, value, marked = keep(reward, mask), keep(value, mask), mask.bool()
    later_value = later_advantage = value.new_zeros(value.shape[:-1])
    backwards = []
    for t in reversed(range(value.shape[-1])):
        delta = reward[..., t] + gamma * later_value - value[..., t]
        advantage = delta + gamma * lam * later_advantage
        # Unmarked positions are not in time at all: both memories pass over them unchanged.
        later_value = torch.where(marked[..., t], value[..., t], later_value)
        later_advantage = torch.where(marked[..., t], advantage, later_advantage)
        backwards.append(advantage)
    advantage = keep(torch.stack(backwards[::-1], -1), mask)
    return advantage, advantage + value


def whiten(x: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and unbiased variance 1 over the marked tokens of the whole batch.

        x' = (x - x̄) / √(s² + 1e-8)

    Over the whole batch, not per response: a response that is good throughout must stay good.

    Args: x: [B, T]. mask: True on response tokens, [B, T].
    Returns: [B, T], 0 where masked out. Raises: ValueError if fewer than two tokens are marked.
    Source: Ziegler et al. 2019, arXiv:1909.08593 (their code); 1e-8 as in TRL 0.11.4.
    """
    x = keep(x, mask)
    return keep((x - masked_mean(x, mask)) * _inverse_deviation(x, mask), mask)


def rescale(x: Tensor, mask: Tensor) -> Tensor:
    """Unbiased variance 1 around the mean that was there, for rewards.

        x' = x̄ + (x - x̄) / √(s² + 1e-8)

    Rewards keep their mean because shifting them pays for every token more, and so changes how long a
    response should be. TRL 0.11.4 also gave padding a reward here, which leaked into real tokens; ours is 0.

    Args: x: [B, T]. mask: True on response tokens, [B, T].
    Returns: [B, T], 0 where masked out. Raises: ValueError if fewer than two tokens are marked.
    Source: `whiten(shift_mean=False)` in the code of Ziegler et al. 2019, arXiv:1909.08593.
    """
    x = keep(x, mask)
    mean = masked_mean(x, mask)
    return keep(mean + (x - mean) * _inverse_deviation(x, mask), mask)


def leave_one_out(score: Tensor, group_size: int) -> Tensor:
    """RLOO: a response is compared with its siblings, the other answers to the same prompt.

        Â_i = r_i - (1/(G-1)) Σ_{j≠i} r_j

    Args:
        score: one number per response, [B]; the answers to one prompt stand side by side.
        group_size: G, answers per prompt.

    Returns: [B], adding up to 0 in every group.
    Raises: ValueError if the score is not [B], G is less than 2, or B is not a multiple of G.
    Source: Kool et al. 2019, "Buy 4 REINFORCE samples, get a baseline for free"; Ahmadian et al. 2024,
        arXiv:2402.14740.
    """
    if score.dim() != 1 or group_size < 2 or len(score) % group_size:
        raise ValueError(f"scores of shape {tuple(score.shape)} cannot be split into groups of "
                         f"{group_size}; expected [B], B a multiple of the group size, and at least 2 "
                         f"answers per prompt. Try a batch size that is a multiple of {max(group_size, 2)}.")
    group = score.double().reshape(-1, group_size)      # in 32 bits the mean of equal scores may not be that score
    others = (group.sum(-1, keepdim=True) - group) / (group_size - 1)
    return (group - others).reshape(-1).to(score)


def group_advantage(score: Tensor, group_size: int, *, baseline: Baseline = "group", scale: Scale = "group",
                    epsilon: float = 1e-4) -> Tensor:
    """How much better a response is than what was to be expected, and in which units.

        Â_i = (r_i - b_i) / (s + e),    s the unbiased standard deviation; without scaling Â_i = r_i - b_i

    | baseline | b_i is the mean of                                     | scale   | s is that of              |
    |----------|--------------------------------------------------------|---------|---------------------------|
    | "group"  | all answers to this prompt (GRPO, Dr. GRPO)            | "group" | these answers (GRPO)      |
    | "others" | the other answers to this prompt (RLOO)                | "batch" | the whole batch           |
    | "batch"  | all other answers of the batch (REINFORCE)             | "none"  | nothing (Dr. GRPO, RLOO)  |
    | "none"   | nothing: b_i = 0                                       |         |                           |

    With "group" a response is compared with itself, too, which shrinks the gradient by (G-1)/G and changes nothing
    else. Dividing by the group's own deviation makes easy and hard prompts count as much as those in between.

    Args:
        score: one number per response, [B]; the answers to one prompt stand side by side.
        group_size: G, answers per prompt.
        epsilon: e, so that a group whose answers all score alike has advantages of 0.

    Returns: [B].
    Raises: ValueError if the score is not [B], B no multiple of G, or a mean or deviation would be of one number.
    Source: GRPO: Shao et al. 2024, arXiv:2402.03300, section 4.1.2; Dr. GRPO: Liu et al. 2025, arXiv:2503.20783,
        section 3.1; epsilon and the unbiased deviation as in TRL 1.16.
    """
    if baseline not in get_args(Baseline) or scale not in get_args(Scale):
        raise ValueError(f"baseline is {baseline!r} and scale {scale!r}; expected one of "
                         f"{', '.join(get_args(Baseline))} and one of {', '.join(get_args(Scale))}.")
    least = {"group": 2, "others": 2}.get(baseline, 2 if scale == "group" else 1)
    if score.dim() != 1 or group_size < least or not len(score) or len(score) % group_size:
        raise ValueError(f"scores of shape {tuple(score.shape)} cannot be split into groups of {group_size}; expected "
                         f"[B], B a multiple of the group size, and at least {least} answers per prompt with baseline "
                         f"{baseline!r} and scale {scale!r}.")
    if len(score) < 2 and "batch" in (baseline, scale):
        raise ValueError("there is one score; a batch that is compared with itself has at least 2.")
    exact = score.double()                      # for the same reason as in `leave_one_out`
    group = exact.reshape(-1, group_size)
    if baseline in ("others", "batch"):
        above = leave_one_out(exact, group_size if baseline == "others" else len(score)).reshape_as(group)
    else:
        above = group - group.mean(-1, keepdim=True) if baseline == "group" else group
    if scale == "none":
        return above.reshape(-1).to(score)
    spread = group.std(-1, keepdim=True) if scale == "group" else exact.std()
    return (above / (spread + epsilon)).reshape(-1).to(score)


def _inverse_deviation(x: Tensor, mask: Tensor) -> Tensor:
    return torch.rsqrt(masked_var(x, mask) + 1e-8)
