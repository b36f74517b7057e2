"""Learning from preferences without a reward model: DPO, IPO, KTO, losses of log-ratios of policy and reference.

All of them take d = log π(y|x) - log ρ(y|x), one number a response: by how much likelier it is to the policy π than to
the reference ρ. β·d is the *implicit reward*: up to a constant of the prompt, the reward whose KL-regularised optimum π
is. The sign is always the same: d above 0 is what the policy says more often than before.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def dpo(chosen: Tensor, rejected: Tensor, beta: float, label_smoothing: float | Tensor = 0.0) -> Tensor:
    """Direct preference optimisation: Bradley-Terry on implicit rewards.

        L = mean over pairs of  -(1-ε) log σ(β·Δ) - ε log σ(-β·Δ),    Δ = d_chosen - d_rejected

    Only the difference counts: both log-probabilities may fall, and usually do.

    Args:
        chosen, rejected: d of the better and of the worse response of each pair, [B], nats.
        beta: β, reward per nat; a large one holds the policy close to the reference.
        label_smoothing: ε, the share of labels that are taken to be wrong (cDPO); with it the best Δ is finite. Or one
            of each pair, [B]: where scores are known, σ(r_rejected - r_chosen) says how often such a pair goes the
            other way, and the optimum is that of these rewards.

    Returns: a scalar; ln 2 where policy and reference agree.
    Raises: ValueError if shapes differ, β is not positive or ε is not below 1/2 (of a pair: above it).
    Source: Rafailov et al. 2023, arXiv:2305.18290, Eq. 7; ε: Mitchell 2023, "A note on DPO with noisy preferences".
    """
    delta = beta * _difference(chosen, rejected, beta, label_smoothing)
    return (-(1 - label_smoothing) * logsigmoid(delta) - label_smoothing * logsigmoid(-delta)).mean()


def robust_dpo(chosen: Tensor, rejected: Tensor, beta: float, label_smoothing: float) -> Tensor:
    """DPO on labels of which a known share is wrong, without bias.

        L = mean over pairs of  (-(1-ε) log σ(β·Δ) + ε log σ(-β·Δ)) / (1 - 2ε)

    Averaged over such labels it is the loss of `dpo` on the right ones; a pair alone may have a loss below 0.

    Args: as for `dpo`. Source: Chowdhury, Kini and Natarajan 2024, arXiv:2403.00409, Eq. 10.
    """
    delta = beta * _difference(chosen, rejected, beta, label_smoothing)
    each = -(1 - label_smoothing) * logsigmoid(delta) + label_smoothing * logsigmoid(-delta)
    return (each / (1 - 2 * label_smoothing)).mean()


def ipo(chosen: Tensor, rejected: Tensor, beta: float) -> Tensor:
    """Identity preference optimisation: a margin to be met, neither missed nor exceeded.

        L = mean over pairs of  (Δ - 1/(2β))²,    Δ = d_chosen - d_rejected

    Where one response always wins, DPO drives Δ to infinity whatever β is; here it stops at 1/(2β).

    Args:
        chosen, rejected: d of each response, [B], nats. TRL hands over means over the tokens of a response instead of
            sums: β is then a price per token.
        beta: the paper's τ.

    Returns: a scalar; 1/(4β²) where policy and reference agree. Raises: ValueError as `dpo`.
    Source: Azar et al. 2023, arXiv:2310.12036, Eq. 17.
    """
    return (_difference(chosen, rejected, beta) - 1 / (2 * beta)).square().mean()


def kto(ratio: Tensor, good: Tensor, reference_point: Tensor | float, beta: float, *, good_weight: float = 1.0,
        bad_weight: float = 1.0) -> Tensor:
    """Kahneman-Tversky optimisation: single responses, each called good or bad.

        L = mean over responses of  λ_y · (1 - v),    v = σ(β·(d - z))  if good,   σ(β·(z - d))  if bad

    Gains and losses are felt against what is usual, z, and less and less the further they go: a response that the
    policy finds hopeless pulls no more.

    Args:
        ratio: d of each response, [B], nats.
        good: True where it was called good, [B].
        reference_point: z ≥ 0, from `kto_reference_point`, nats; no gradient flows into it.
        beta: β, how fast value saturates.
        good_weight, bad_weight: λ. Where one kind is rarer, weigh it up: the paper keeps
            (good_weight · goods) / (bad_weight · bads) between 1 and 4/3.

    Returns: a scalar; half of the mean weight where policy and reference agree and z is 0.
    Raises: ValueError if shapes differ, β is not positive or a weight is negative.
    Source: Ethayarajh et al. 2024, arXiv:2402.01306, Eq. 7 and 8.
    """
    if ratio.shape != good.shape or ratio.dim() != 1 or not len(ratio):
        raise ValueError(f"log-ratios have shape {tuple(ratio.shape)} and labels {tuple(good.shape)}; expected the "
                         f"same [B], at least one.")
    if not beta > 0 or good_weight < 0 or bad_weight < 0:
        raise ValueError(f"beta is {beta}, good_weight {good_weight} and bad_weight {bad_weight}; beta must be above 0 "
                         f"and no weight below.")
    good = good.bool()
    z = torch.as_tensor(reference_point, dtype=ratio.dtype, device=ratio.device).detach()
    value = torch.sigmoid(beta * torch.where(good, ratio - z, z - ratio))
    weight = torch.where(good, ratio.new_tensor(good_weight), ratio.new_tensor(bad_weight))
    return (weight * (1 - value)).mean()


@torch.no_grad()
def kto_reference_point(ratio: Tensor) -> Tensor:
    """z of KTO: how far the policy has drifted, by responses that belong to other prompts.

        z = max(0, mean over the batch of  log π(y'|x) - log ρ(y'|x)),    y' the response to another x of the batch

    Args: ratio: d of the mismatched pairs, [B], nats. Returns: a scalar, without gradient.
    Source: Ethayarajh et al. 2024, arXiv:2402.01306, section 4.1; a biased estimate of KL(π ‖ ρ), as they say.
    """
    return ratio.mean().clamp(min=0)


def _difference(chosen: Tensor, rejected: Tensor, beta: float, label_smoothing: float | Tensor = 0.0) -> Tensor:
    if chosen.shape != rejected.shape or chosen.dim() != 1 or not len(chosen):
        raise ValueError(f"log-ratios have shapes {tuple(chosen.shape)} and {tuple(rejected.shape)}; expected the same "
                         f"[B], one of each pair, and at least one pair.")
    if not beta > 0:
        raise ValueError(f"beta is {beta}; it must be above 0, such as 0.1.")
    if isinstance(label_smoothing, Tensor):
        if label_smoothing.shape != chosen.shape or not ((label_smoothing >= 0) & (label_smoothing <= 0.5)).all():
            raise ValueError(f"label_smoothing has shape {tuple(label_smoothing.shape)} and goes from "
                             f"{label_smoothing.min():.3g} to {label_smoothing.max():.3g}; expected one number of each "
                             f"pair, [B], from 0 to 1/2.")
    elif not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing is {label_smoothing}; it is the share of wrong labels, at least 0 and below "
                         f"1/2: at 1/2 they say nothing.")
    return chosen - rejected
