"""One policy gradient for GRPO, RLOO, Dr. GRPO and REINFORCE: what differs is what the ratio is of, and the average.

Each response has one advantage, from `advantages.group_advantage`; where it is learnt from once, before the policy has
moved, all of them are REINFORCE, Â · ∇ log π, with other weights for long and short responses.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from rlhf_kit.formulas.losses import surrogates
from rlhf_kit.formulas.masked import keep, masked_mean, masked_sum

Ratio = Literal["token", "response"]
Average = Literal["response", "token", "constant", "sum"]


def policy_gradient(logprob: Tensor, old_logprob: Tensor, advantage: Tensor, mask: Tensor, clip: float, *,
                    ratio: Ratio = "token", average: Average = "response", longest: int | None = None,
                    penalty: Tensor | None = None) -> Tensor:
    """The clipped objective as a loss to minimise, with a ratio for each token or for each response.

        token:     x_it = -min(r_it·Â_i, clip(r_it, 1-ε, 1+ε)·Â_i) + p_it,    r_it = π(y_t) / π_old(y_t)
        response:  x_i  = -min(r_i·Â_i, clip(r_i, 1-ε, 1+ε)·Â_i) + Σ_t p_it,  r_i = Π_t r_it;    L = mean of x_i

    | average    | L of the tokens of a batch of B                 | what a token of a long response weighs         |
    |------------|-------------------------------------------------|------------------------------------------------|
    | "response" | mean over responses of the mean over its tokens | less than one of a short one (GRPO)            |
    | "token"    | mean over all tokens (DAPO)                     | as much, but of a batch of long ones less      |
    | "constant" | Σ over all tokens / (B · longest) (Dr. GRPO)    | always as much                                 |
    | "sum"      | Σ over all tokens / B (REINFORCE)               | as much: the gradient of the expected score    |

    Args:
        logprob, old_logprob: of each response token, now and when sampled, [B, T], nats.
        advantage: Â, one number per response, [B]; no gradient flows into it.
        mask: True on response tokens, the closing EOS included, [B, T].
        clip: ε; `math.inf` switches clipping off.
        longest: tokens that a response may have, for "constant".
        penalty: p, such as β·k3 of each token, [B, T]; gradients flow.

    Returns: a scalar. Raises: ValueError if shapes or settings do not fit, or no token is marked.
    Source: Shao et al. 2024, arXiv:2402.03300, Eq. 3; Yu et al. 2025, arXiv:2503.14476, Eq. 8 ("token"); Liu et al.
        2025, arXiv:2503.20783, Eq. 5 ("constant"); Ahmadian et al. 2024, arXiv:2402.14740 ("response" ratio).
    """
    if ratio not in get_args(Ratio) or average not in get_args(Average):
        raise ValueError(f"ratio is {ratio!r} and average {average!r}; expected one of {', '.join(get_args(Ratio))} "
                         f"and one of {', '.join(get_args(Average))}.")
    if advantage.shape != mask.shape[:1]:
        raise ValueError(f"the advantages have shape {tuple(advantage.shape)}, the mask {tuple(mask.shape)}; expected "
                         f"one number per response, [B] = [{mask.shape[0]}].")
    now, old, units = in_units(logprob, old_logprob, mask, ratio)
    plain, clipped = surrogates(now, old, advantage[:, None].expand_as(units), units, clip)
    x = -torch.minimum(plain, clipped)
    if ratio == "response":
        return (x[:, 0] if penalty is None else x[:, 0] + masked_sum(penalty, mask)).mean()
    return averaged(x if penalty is None else x + keep(penalty, mask), mask, average, longest)


def in_units(logprob: Tensor, old_logprob: Tensor, mask: Tensor, ratio: Ratio) -> tuple[Tensor, Tensor, Tensor]:
    """Log-probabilities now and when sampled, and the mask, of what has a ratio of its own: tokens, [B, T] as they are,
    or whole responses, [B, 1], Σ over its tokens."""
    if ratio == "token":
        return logprob, old_logprob, mask
    return masked_sum(logprob, mask)[:, None], masked_sum(old_logprob, mask)[:, None], mask.any(-1, keepdim=True)


def averaged(x: Tensor, mask: Tensor, average: Average, longest: int | None = None) -> Tensor:
    """A number of each token as one: the four averages of `policy_gradient`, a scalar."""
    if average == "token":
        return masked_mean(x, mask)
    summed = masked_sum(x, mask)                                                        # [B]
    if average == "response":
        return (summed / mask.sum(-1).clamp(min=1)).mean()
    if average == "sum":
        return summed.mean()
    if longest is None or longest < mask.shape[-1]:
        raise ValueError(f"longest is {longest} and the responses have {mask.shape[-1]} tokens; 'constant' divides by "
                         f"the tokens that a response may have, at least those it has.")
    return summed.mean() / longest
