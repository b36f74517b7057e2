"""The right answers of lesson 05b, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rlhf_kit.formulas.distillation import binned, context_distillation, likeliest
from rlhf_kit.formulas.losses import pairwise
from rlhf_kit.formulas.preference import preference_probability
from rlhf_kit.formulas.root_kl import line, root_kl_line

ELO = 400 / math.log(10)                    # points of one nat


def what_counts(picked: Tensor, strength: Tensor, red_team: Tensor) -> Tensor:
    """[M, 3]: number, response to be ranked higher, the other one; a red team's choice is turned round."""
    row = (strength > 0).nonzero()[:, 0]
    chosen = torch.where(red_team, 1 - picked, picked)[row]
    return torch.stack([row, chosen, 1 - chosen], 1)


def article_mended(good: Tensor, bad: Tensor, red_team: Tensor, lam: float) -> Tensor:
    """L_help + λ · L_harm, of each set the mean of log(1 + e^(bad - good)); 0 without a pair."""
    help_, harm = (pairwise(good[kind], bad[kind]) if kind.any() else 0.0 * good.sum()
                   for kind in (~red_team, red_team))
    return help_ + lam * harm


def rated(pair: Tensor, winner: Tensor, good: int, bad: int) -> Tensor:
    """[2M, 2, L + 1]: GOOD winner above BAD winner, BAD loser above GOOD loser, pair by pair; ties make none."""
    there = winner >= 0
    first = pair[there, winner[there]]                                                  # [M, L]
    second = pair[there, 1 - winner[there]]
    under = lambda rating, answer: torch.cat([torch.full_like(answer[:, :1], rating), answer], 1)    # noqa: E731
    of_winner = torch.stack([under(good, first), under(bad, first)], 1)                 # [M, 2, L + 1]
    of_loser = torch.stack([under(bad, second), under(good, second)], 1)
    return torch.stack([of_winner, of_loser], 1).flatten(0, 1)


def in_bins(student: Tensor, teacher: Tensor, k: int, mask: Tensor) -> Tensor:
    """Mean over marked tokens of the KL in k + 1 bins; no gradient flows into the teacher."""
    ids = likeliest(teacher.detach(), k)
    return context_distillation(binned(student, ids), binned(teacher.detach(), ids), mask)


def won(score: Tensor, baseline: Tensor, beats: Tensor) -> tuple[float, float, float, float]:
    """(predicted, measured, and both in Elo): how often the first policy wins."""
    found = preference_probability(score.double(), baseline.double()).mean().item(), beats.double().mean().item()
    return (*found, *(ELO * math.log(p / (1 - p)) for p in found))


def apart(train: Tensor, test: Tensor, train_heldout: Tensor, test_heldout: Tensor,
          most: float) -> tuple[Tensor, int]:
    """([S] gap, the step from which on it stays above `most`; S if it never does)."""
    gap = (train - train_heldout.mean()) - (test - test_heldout.mean())
    below = (gap <= most).nonzero()[:, 0]
    return gap, int(below[-1]) + 1 if len(below) else 0


def root_kl_fit(kl: Tensor, score: Tensor, first: int) -> tuple[float, float, float]:
    """(slope along √KL, its R², R² along KL) of the first steps; what lies below 0 counts as 0."""
    root = root_kl_line(kl[:first], score[:first])
    return root.slope, root.r2, line(kl[:first].clamp(min=0), score[:first]).r2
