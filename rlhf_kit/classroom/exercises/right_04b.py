"""The right answers of lesson 04b, made of the kit's own formulas: what an answer is compared with."""

from __future__ import annotations

import torch
from torch import Tensor

from rlhf_kit.formulas import offline


def kept_rows(reward: Tensor, original: Tensor, threshold: float) -> Tensor:
    """[N] bool: True for a drawn response whose reward is above the threshold, and for every original one."""
    return original | offline.above(reward, threshold)


def two_thresholds(reward: Tensor, percent: float, gamma: float) -> tuple[Tensor, Tensor]:
    """(the percentile, between neighbours interpolated; gamma · max + (1 - gamma) · mean)."""
    return (torch.tensor(offline.percentile_threshold(reward, percent)),
            torch.tensor(offline.interpolated_threshold(reward, gamma)))


def rest_clock(update: int, improves: int, updates: int, drawn: int) -> tuple[int, int, int]:
    """(Grow, Improve, reward calls so far) of an update that is counted from 0; Grow and Improve count from 1."""
    grow = update // (improves * updates)
    return grow + 1, update // updates % improves + 1, (grow + 1) * drawn


def bc_loss(logprob: Tensor, mask: Tensor, kept: Tensor) -> Tensor:
    """Minus the mean log-probability over the real tokens of the kept responses; 0 without any."""
    counted = mask & kept[:, None]
    return -torch.where(counted, logprob, 0.0).sum() / counted.sum().clamp(min=1)


def gold_loss(logprob: Tensor, quality: Tensor, mask: Tensor, floor: float) -> Tensor:
    """- mean over real tokens of max(u, sg[π]) · sg[Q] · log π, one number."""
    return offline.gold(logprob, quality, mask, floor)


def improve_plan(reward: Tensor, thresholds: list[float], size: int, share: float,
                 updates: int) -> tuple[Tensor, Tensor]:
    """(responses above each threshold, how often an Improve goes through them), [I] each."""
    kept = torch.tensor([int(offline.above(reward, one).sum()) for one in thresholds])
    return kept, updates * (size - old(size, share)) / kept.double()


def old(size: int, share: float) -> int:
    return min(round(size * share), size - 1)
