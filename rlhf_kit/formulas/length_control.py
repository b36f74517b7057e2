"""How often one model wins at equal length: a logistic regression of the win on the difference in length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 50                           # Newton's steps; five are usual
CLOSE = 1e-10                       # of a step, where they end


@dataclass(frozen=True)
class LengthControl:
    """The fitted regression."""

    intercept: float                # θ, log-odds of a win at equal length
    slope: float                    # φ, what a longer answer adds to them
    standard_error: float           # of θ


@torch.no_grad()
def length_control(win: Tensor, difference: Tensor) -> LengthControl | None:
    """Fit the log-odds of a win as those at equal length, plus what the difference in length adds.

        P(win_i) = σ(θ + φ·z_i),   z_i = tanh(d_i / s),   s = standard deviation of d

    σ(θ) is the length-controlled win rate: z is 0 at equal length. As in AlpacaEval 2, but for its third term, the
    difficulty of each instruction, which takes many models' answers to the same instructions. Maximum likelihood, with
    a log-F(1, 1) prior on φ alone, so that φ stays finite where length tells wins from losses without a mistake. The
    standard error is that of the curvature at the maximum, the prior's included: where length and model say the same,
    it is large.

    Args:
        win: [N], 1 where ours is better, 0 where theirs is, 1/2 for a tie.
        difference: [N], length of ours minus length of theirs, in any unit.

    Returns: None where nothing can be fitted: every pair ends alike, so θ is infinite, or all differences are equal.
    Source: Dubois et al. 2024, arXiv:2404.04475 §3; the prior: Greenland and Mansournia 2015, doi:10.1002/sim.6537.
    """
    win, difference = win.double(), difference.double()
    if win.shape != difference.shape or win.dim() != 1:
        raise ValueError(f"win has shape {tuple(win.shape)} and difference {tuple(difference.shape)}; expected [N] "
                         f"each.")
    if len(win) < 2 or ((win == win[0]).all() and win[0] != 0.5) or (spread := difference.std(correction=0)) == 0:
        return None
    z = torch.tanh(difference / spread)
    # The prior is one more row: no intercept, z = 1, half a win and half a loss.
    x = torch.stack([torch.cat([torch.ones_like(z), z.new_zeros(1)]), torch.cat([z, z.new_ones(1)])], 1)    # [N+1, 2]
    y = torch.cat([win, win.new_full((1,), 0.5)])

    def likelihood(weight: Tensor) -> Tensor:
        logit = x @ weight
        return (y * logit - torch.nn.functional.softplus(logit)).sum()

    def curvature(weight: Tensor) -> Tensor:
        p = torch.sigmoid(x @ weight)
        return x.T @ (x * (p * (1 - p))[:, None])                                      # [2, 2]
    weight = x.new_zeros(2)
    for _ in range(MOST):
        step = torch.linalg.solve(curvature(weight), x.T @ (y - torch.sigmoid(x @ weight)))
        while likelihood(weight + step) < likelihood(weight) and step.abs().max() > CLOSE:     # too far: half of it
            step = step / 2
        weight = weight + step
        if step.abs().max() < CLOSE:
            break
    error = torch.linalg.inv(curvature(weight))[0, 0].sqrt()
    return LengthControl(*weight.tolist(), error.item())
