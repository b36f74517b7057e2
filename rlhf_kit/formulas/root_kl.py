"""How reward grows with drift while a policy learns: along the root of the KL, for as long as the policy is near.

To first order in a small change of the policy the reward changes linearly and the KL quadratically, so reward against
√KL is a line. Tilting by a reward that is Gaussian with deviation s gives exactly E[r] - E_ref[r] = s · √(2 KL).
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Line:
    """A least-squares line."""

    intercept: float
    slope: float
    r2: float                       # the share of the variance that it explains; NaN if there is none to explain
    n: int


def line(x: Tensor, y: Tensor) -> Line:
    """y ≈ a + b·x by least squares, with R² = 1 - Σ (y - a - b·x)² / Σ (y - ȳ)².

    Raises: ValueError for shapes that differ, fewer than 3 points, or an x that never varies.
    """
    if x.shape != y.shape or x.dim() != 1 or len(x) < 3:
        raise ValueError(f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}; a line is fitted to the same [N] with "
                         f"at least 3 points.")
    x, y = x.double(), y.double()
    dx, dy = x - x.mean(), y - y.mean()
    if not dx.square().sum() > 0:
        raise ValueError("x never varies; a line needs points that lie apart.")
    slope = ((dx * dy).sum() / dx.square().sum()).item()
    left, whole = (dy - slope * dx).square().sum().item(), dy.square().sum().item()
    return Line((y.mean() - slope * x.mean()).item(), slope, 1 - left / whole if whole > 0 else float("nan"), len(x))


def root_kl_line(kl: Tensor, reward: Tensor) -> Line:
    """reward ≈ a + b·√KL of the steps of a run.

    Args: kl: nats per response from the policy that the run began with, [N]; what an estimate puts below 0 counts as 0.
        reward: mean score of each step, [N].
    Returns: the line; its slope is s·√2 where the reward is Gaussian with deviation s and the policy its tilt.
    Source: Bai et al. 2022, arXiv:2204.05862, section 4.3.
    """
    return line(kl.double().clamp(min=0).sqrt(), reward)
