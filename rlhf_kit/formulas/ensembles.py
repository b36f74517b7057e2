"""Several reward models, one score: what an ensemble says of a response, from what each of its members says."""

from __future__ import annotations

import math
from typing import Literal, get_args

from torch import Tensor

Combination = Literal["mean", "worst", "uwo"]


def combined(score: Tensor, combination: Combination, weight: float = 0.5) -> Tensor:
    """One score for each response.

        mean: 1/K Σ r_i          worst: min r_i          uwo: 1/K Σ r_i - λ · 1/K Σ (r_i - r̄)²

    The mean is dragged along by one member that errs far. The worst, and the mean less λ times the variance
    ("uncertainty-weighted"), ask that all members agree. Where all share an error, none of them helps. Members must
    have one scale, such as mean 0 and deviation 1 on the same responses (`reward_model.standardise`).

    Args:
        score: what each of K >= 1 members says, [K, ...].
        combination: how they become one.
        weight: λ >= 0 of uwo; 0.5 for best-of-n and 0.1 for PPO in the paper.

    Returns: [...]. Raises: ValueError for another combination, no member, or a negative weight.
    Source: Coste et al. 2023, arXiv:2310.02743, section 3 (mean optimisation, worst-case optimisation, UWO).
    """
    if combination not in get_args(Combination):
        raise ValueError(f"combination is {combination!r}; it is one of {', '.join(get_args(Combination))}.")
    if score.dim() < 1 or not score.shape[0]:
        raise ValueError(f"the scores have shape {tuple(score.shape)}; expected [K, ...] with at least one member.")
    if not 0 <= weight < math.inf:
        raise ValueError(f"weight is {weight}; λ is 0 or more, such as 0.5.")
    if combination == "worst":
        return score.amin(0)
    mean = score.mean(0)
    return mean if combination == "mean" else mean - weight * score.var(0, correction=0)
