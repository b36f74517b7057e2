"""From scores to preferences: which pairs a ranking holds, how many of them scores get right, and how sure they are.

A batch of B rankings is three [B, K] tensors: scores, ranks (1 = best, equal ranks tie) and a mask, True where there
is a response; rankings of fewer responses are padded anywhere. Only pairs with a winner count, ties say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def as_batch(ranks: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(rank, mask), [B, K] each, of B rankings whose K may differ."""
    width = max(map(len, ranks))
    rank = torch.tensor([[*one, *[0] * (width - len(one))] for one in ranks])
    return rank, torch.arange(width)[None] < torch.tensor([[len(one)] for one in ranks])


def preference_mask(rank: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B, K, K] bool: True at (b, i, j) where response i was ranked above response j.

    Raises: ValueError if the shapes differ.
    """
    if mask is None:
        mask = torch.ones_like(rank, dtype=torch.bool)
    if rank.dim() != 2 or rank.shape != mask.shape:
        raise ValueError(f"rank has shape {tuple(rank.shape)} and mask {tuple(mask.shape)}; expected [B, K] each.")
    there = mask.bool()
    return (rank[:, :, None] < rank[:, None, :]) & there[:, :, None] & there[:, None, :]


def margins(score: Tensor, better: Tensor) -> Tensor:
    """[B, K, K] score i - score j where i beats j, 0 elsewhere; what stands in the padding reaches nobody."""
    there = better.any(2) | better.any(1)                          # [B, K] in a pair at all
    score = torch.where(there, score, 0.0)
    return torch.where(better, score[:, :, None] - score[:, None, :], 0.0)


def preference_probability(chosen: Tensor | float, rejected: Tensor | float) -> Tensor:
    """P(chosen ≻ rejected) = σ(r_c - r_r): Bradley and Terry 1952, doi:10.2307/2334029."""
    return torch.sigmoid(torch.as_tensor(chosen) - torch.as_tensor(rejected))


@torch.no_grad()
def pairs_right(score: Tensor, rank: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """(right, pairs), [B] each: pairs of a ranking whose winner has the higher score, equal scores counting half.

    Their sums' ratio is the pair accuracy; 1/2 for a scorer that guesses.
    """
    better = preference_mask(rank, mask)
    gap = margins(score, better)
    right = (gap > 0).to(gap) + 0.5 * (gap == 0).to(gap)
    return (right * better).sum((1, 2)), better.sum((1, 2))


@torch.no_grad()
def exact_order(score: Tensor, rank: Tensor, mask: Tensor | None = None) -> Tensor:
    """[B] bool: True where every pair of the ranking has its winner above; 1/K! by guessing among K without ties."""
    better = preference_mask(rank, mask)
    return ((margins(score, better) > 0) | ~better).all(2).all(1)


@torch.no_grad()
def auc(score: Tensor, happened: Tensor) -> Tensor:
    """How well a score tells what happened from what did not: the area under the ROC curve.

        AUC = P(score of one that happened > score of one that did not) + 1/2 P(equal)

    1/2 for a score that knows nothing, whatever the share that happened, and 1 where one threshold separates all.

    Args:
        score: of any scale, [N].
        happened: whether it did, bool or 0/1, [N].

    Returns: a scalar. Raises: ValueError for shapes that differ or if nothing, or everything, happened.
    Source: Hanley and McNeil 1982, doi:10.1148/radiology.143.1.7063747.
    """
    happened = happened.bool()
    if score.shape != happened.shape or score.dim() != 1:
        raise ValueError(f"scores have shape {tuple(score.shape)}, labels {tuple(happened.shape)}; expected the same "
                         f"[N].")
    yes, no = score[happened].double(), score[~happened].double()
    if not len(yes) or not len(no):
        raise ValueError(f"{len(yes)} of {len(score)} happened; an AUC compares those that did with those that did "
                         f"not, and needs both.")
    below, upto = (torch.searchsorted(no.sort().values, yes, right=right) for right in (False, True))
    return (below + upto).double().mean() / (2 * len(no))


@torch.no_grad()
def calibration_error(probability: Tensor, happened: Tensor, bins: int = 10) -> Tensor:
    """Expected calibration error: by how much stated probabilities miss what happened, on average.

        ECE = Σ_b  n_b / N · | mean of `happened` in b - mean of `probability` in b |

    Args:
        probability: of the event, as stated, in [0, 1], [N].
        happened: whether it did, bool or 0/1, [N].
        bins: of equal width over [0, 1].

    For preferences hand over the side that the scores favour, p = σ(|gap|), and whether it had won: then half of the
    bins stay empty and no pair is counted twice.

    Returns: a scalar. Raises: ValueError for shapes that differ or an empty input.
    Source: Guo et al. 2017, arXiv:1706.04599, Eq. 3.
    """
    counts, stated, seen = reliability(probability, happened, bins)
    missed = torch.where(counts > 0, counts * (seen - stated).abs(), 0.0)          # empty bins hold NaN
    return missed.sum() / counts.sum()


@torch.no_grad()
def reliability(probability: Tensor, happened: Tensor, bins: int = 10) -> tuple[Tensor, Tensor, Tensor]:
    """What `calibration_error` sums, to be drawn: (how many, mean probability, share that happened), [bins] each.

    Empty bins hold NaN in the last two.
    """
    if probability.shape != happened.shape or probability.dim() != 1 or not probability.numel():
        raise ValueError(f"probability has shape {tuple(probability.shape)}, happened {tuple(happened.shape)}; "
                         f"expected the same [N] with at least one entry.")
    place = (probability * bins).long().clamp(0, bins - 1)
    total = lambda x: x.new_zeros(bins, dtype=torch.float64).index_add_(0, place, x.double())        # noqa: E731
    counts = total(torch.ones_like(probability))
    return counts, total(probability) / counts, total(happened) / counts
