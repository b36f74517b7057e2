"""The right answers of lesson 02, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.formulas import losses, preference
from rlhf_kit.formulas.agreement import annotator_quality


def rank_to_pairs(ranks: list[int]) -> Tensor:
    """(better, worse), the places of every pair with a winner, [P, 2], sorted by the first place, then the second."""
    return preference.preference_mask(torch.tensor([ranks]))[0].nonzero()


def pair_loss(chosen: Tensor, rejected: Tensor) -> Tensor:
    """Mean over pairs of -log σ(chosen - rejected)."""
    return losses.pairwise(chosen, rejected)


def ranking_loss(score: Tensor, rank: Tensor, mask: Tensor) -> Tensor:
    """-log σ(r_i - r_j), mean over the pairs i ≻ j of each ranking, then over the rankings that have any."""
    return losses.ranking(score, rank, mask)


def accuracies(score: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """(share of all pairs whose winner scores higher, equal scores counting half; share of rankings wholly right)."""
    right, pairs = preference.pairs_right(score, rank)
    return right.sum() / pairs.sum(), preference.exact_order(score, rank).float().mean()


def labeler_quality(agreement: float) -> float:
    """How often a labeler is right, if two agree this often: q of q² + (1 - q)² = agreement; 1/2 below 1/2."""
    return annotator_quality(max(agreement, 0.5))


def calibration_error(probability: Tensor, happened: Tensor, bins: int) -> Tensor:
    """By how much stated probabilities miss what happened: bins of equal width, each weighing what it holds."""
    return preference.calibration_error(probability, happened, bins)


def centre(score: Tensor, demonstration: Tensor) -> Tensor:
    """Scores shifted by one number, such that demonstrations average 0."""
    return score - demonstration.mean()
