"""Which token deserves the credit: how much better things went than expected.

A response earns most of its reward at its last token; an advantage spreads that over the tokens before it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.formulas.masked import count, keep, masked_mean, masked_var


@torch.no_grad()
def gae(reward: Tensor, value: Tensor, mask: Tensor,
        gamma: float = 1.0, lam: float = 0.95) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation, and what the critic should have said.

        δ_t = r_t + γ·V_{t+1} - V_t,   Â_t = δ_t + γλ·Â_{t+1},   target_t = Â_t + V_t

    After the last marked token there is nothing: V = 0 and Â = 0.

    Args:
        reward: score and KL price per token, [B, T].
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
    group = score.reshape(-1, group_size)
    others = (group.sum(-1, keepdim=True) - group) / (group_size - 1)
    return (group - others).reshape(-1)


def _inverse_deviation(x: Tensor, mask: Tensor) -> Tensor:
    return torch.rsqrt(masked_var(x, mask) + 1e-8)
