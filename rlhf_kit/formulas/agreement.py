"""How far people agree: percent of pairs, Krippendorff's alpha, Kendall's W, Cohen's kappa, and what they imply.

A rank is 1 for the best; equal ranks are a tie. NaN stands where somebody said nothing. All results are float64.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

Level = Literal["nominal", "ordinal", "interval"]


def verdicts(rank: Tensor) -> Tensor:
    """Who wins each pair of responses.

        v_ij = sign(rank_j - rank_i),   i < j:   1 if i is better, -1 if j is, 0 for a tie

    Args: rank: [..., K], 1 = best; NaN for a response that was not ranked.
    Returns: [..., K(K-1)/2] in the order (0, 1), (0, 2), ..., (K-2, K-1); NaN where one of the two has no rank.
    """
    rank = rank.to(torch.float64)
    i, j = torch.triu_indices(rank.shape[-1], rank.shape[-1], offset=1)
    gap = rank[..., j] - rank[..., i]
    return torch.where(gap.isnan(), gap, gap.sign())                 # torch says that the sign of NaN is 0


def pairwise_agreement(rank: Tensor, ties: Literal["half", "drop"] = "half") -> tuple[Tensor, Tensor]:
    """How often two annotators give the same verdict on two responses: (sum of agreement, comparisons).

        1 if the verdicts are equal, 1/2 if one of them is a tie and the other is not, 0 if they are opposite

    The share is sum / comparisons; sums of several tasks can be added before dividing.

    Args:
        rank: [..., A, K], A annotators on the K responses of a task; NaN where somebody said nothing.
        ties: "half" as above; "drop" leaves out every comparison in which somebody saw a tie.

    Returns: two numbers a task, [...]; (0, 0) if no two annotators ranked the same two responses.
    Source: as Stiennon et al. 2020, arXiv:2009.01325, count (they forced a choice, as "drop" does).
    """
    verdict = verdicts(rank)                                                            # [..., A, pairs]
    a, b = torch.triu_indices(verdict.shape[-2], verdict.shape[-2], offset=1)
    first, second = verdict[..., a, :], verdict[..., b, :]
    counted = ~(first.isnan() | second.isnan())
    if ties == "drop":
        counted &= first * second != 0
    agreement = 1 - (first - second).abs() / 2
    return agreement.masked_fill(~counted, 0).sum((-2, -1)), counted.sum((-2, -1))


def krippendorff_alpha(rating: Tensor, level: Level = "nominal") -> Tensor:
    """Agreement beyond chance of any number of annotators, with gaps.

        α = 1 - D_o / D_e,   D_o = (1/n) Σ_vw o_vw δ²_vw,   D_e = 1/(n(n-1)) Σ_vw n_v n_w δ²_vw

        o_vw = Σ over units of (pairs of annotators who said v and w) / (m_u - 1),   n_v = Σ_w o_vw,   n = Σ_v n_v
        δ²   nominal: 1 if v ≠ w.   interval: (v - w)².   ordinal: (n_v/2 + n_between + n_w/2)²

    m_u is how many annotators rated unit u; units with fewer than two do not count. 1 is perfect agreement, 0 what
    chance gives, below 0 is systematic disagreement.

    Args:
        rating: [A, U], one row an annotator, one column a unit; NaN where nothing was said.
        level: what the distance between two values is.

    Returns: a scalar; NaN if everybody always said the same one value, since then nothing could differ.
    Raises: ValueError if no unit was rated twice.
    Source: Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", repository.upenn.edu/asc_papers/43.
    """
    rating = rating.to(torch.float64)
    rated = (~rating.isnan()).sum(0) if rating.dim() == 2 else rating.new_zeros(())
    if not (rated >= 2).any():
        raise ValueError(f"ratings of shape {tuple(rating.shape)} have no unit that two annotators rated; expected "
                         f"[annotators, units], NaN where nothing was said. Let two people rate the same.")
    rating, rated = rating[:, rated >= 2], rated[rated >= 2]
    value = rating[~rating.isnan()].unique()                                            # [V], in order
    said = torch.stack([(rating == v).sum(0) for v in value], -1).to(torch.float64)     # [U, V] votes
    weighted = said / (rated - 1).unsqueeze(-1)
    coincidence = weighted.T @ said - torch.diag(weighted.sum(0))                       # [V, V] o
    total = said.sum(0)                                                                 # [V] n_v
    n = total.sum()
    distance = _distance(value, total, level)
    expected = (total.outer(total) * distance).sum() / (n * (n - 1))
    return 1 - (coincidence * distance).sum() / n / expected                            # 0/0 is the NaN promised


def kendall_w(rank: Tensor) -> Tensor:
    """Concordance of m complete rankings of the same k things, corrected for ties.

        W = 12 Σ_i (R_i - R̄)² / (m² (k³ - k) - m Σ over groups of ties of (t³ - t))

    R_i is the sum of thing i's ranks, tied things sharing the mean of their places. 1: all rank alike. Rankings at
    random give 1/m on average, not 0; with two rankings without ties W = (1 + ρ)/2, ρ Spearman's correlation.

    Args: rank: [..., m, k], 1 = best; any numbers in that order will do, equal ones are ties.
    Returns: one number a table, [...]; NaN if everybody ties everything. Raises: ValueError for fewer than 2 rankings
        or things, or a gap.
    Source: Kendall and Babington Smith 1939, doi:10.1214/aoms/1177732186; ties: Siegel and Castellan 1988, ch. 9.
    """
    if rank.dim() < 2 or min(rank.shape[-2:]) < 2 or rank.isnan().any():
        raise ValueError(f"ranks of shape {tuple(rank.shape)}{' with gaps' * bool(rank.isnan().any())} have no W; "
                         f"expected [..., m, k], at least 2 complete rankings of at least 2 things.")
    m, k = rank.shape[-2:]
    below = (rank.unsqueeze(-2) < rank.unsqueeze(-1)).sum(-1)                           # [..., m, k] better than this
    equal = (rank.unsqueeze(-2) == rank.unsqueeze(-1)).sum(-1).to(torch.float64)        # [..., m, k] itself included
    sums = (below + (equal + 1) / 2).sum(-2)                                            # [..., k]
    tied = (equal.square() - 1).sum((-2, -1))                   # Σ over things of t² - 1 is Σ over groups of t³ - t
    return 12 * (sums - sums.mean(-1, keepdim=True)).square().sum(-1) / (m * m * (k**3 - k) - m * tied)


def cohen_kappa(first: Tensor, second: Tensor) -> Tensor:
    """Agreement beyond chance of two annotators on named categories.

        κ = (p_o - p_e) / (1 - p_e),   p_e = Σ_c p_first(c) · p_second(c)

    Args: first, second: what each said, [N], N things that both rated.
    Returns: a scalar; NaN if both always said the same one thing. Raises: ValueError if shapes differ or N is 0.
    Source: Cohen 1960, doi:10.1177/001316446002000104.
    """
    if first.shape != second.shape or first.dim() != 1 or not first.numel():
        raise ValueError(f"ratings of shapes {tuple(first.shape)} and {tuple(second.shape)} cannot be compared; "
                         f"expected [N] twice, one rating of each thing.")
    observed = (first == second).to(torch.float64).mean()
    shares = [torch.stack([(x == c).to(torch.float64).mean() for c in torch.cat([first, second]).unique()])
              for x in (first, second)]
    chance = (shares[0] * shares[1]).sum()
    return (observed - chance) / (1 - chance)


def annotator_quality(agreement: float) -> float:
    """How often an annotator is right, if two who err independently agree that often on which of two is better.

        a = q² + (1 - q)²,   so   q = (1 + √(2a - 1)) / 2

    A reward model examined on single labels of such annotators cannot look better than q.

    Args: agreement: a, a share in [0, 1], ties left out.
    Returns: q in [0.5, 1]; NaN below a = 0.5, which no two independent annotators of equal quality have.
    Raises: ValueError outside [0, 1].
    Source: two lines of algebra; a = 0.63 (arXiv:2204.05862) gives q = 0.755, a = 0.77 (arXiv:2009.01325) 0.867.
    """
    if not 0 <= agreement <= 1:
        raise ValueError(f"agreement is {agreement}; expected a share from 0 to 1.")
    return (1 + math.sqrt(2 * agreement - 1)) / 2 if agreement >= 0.5 else math.nan


def _distance(value: Tensor, total: Tensor, level: Level) -> Tensor:
    """δ², [V, V]."""
    if level == "nominal":
        return 1 - torch.eye(len(value), dtype=torch.float64, device=value.device)
    if level == "interval":
        return (value.unsqueeze(0) - value.unsqueeze(1)).square()
    if level == "ordinal":
        middle = total.cumsum(0) - total / 2                       # half of its own and all below it
        return (middle.unsqueeze(0) - middle.unsqueeze(1)).square()
    raise ValueError(f"level is {level!r}; expected 'nominal', 'ordinal' or 'interval'.")
