"""How a learning rate goes over a run: up linearly from almost nothing, then down."""

from __future__ import annotations

import torch


def stretched(number: int, steps: int, total: int) -> int:
    """Of how many steps the schedule of update `number` is: the first `steps` were taken before more were asked for."""
    return steps if number < steps else total


def cosine(peak: float, number: int, steps: int, warmup: int, final: float) -> float:
    """Learning rate of update `number`: linear warm-up, then half a cosine down to `final` times the peak."""
    if number < warmup:
        return peak * (number + 1) / warmup
    done = (number - warmup) / max(steps - warmup, 1)
    return peak * (final + (1 - final) * (1 + torch.cos(torch.tensor(done * torch.pi)).item()) / 2)


def linear(peak: float, number: int, steps: int, warmup: int) -> float:
    """The same with a straight line down to 0."""
    if number < warmup:
        return peak * (number + 1) / warmup
    return peak * (steps - number) / max(steps - warmup, 1)


def falling(peak: float, number: int, steps: int, least: float) -> float:
    """A straight line from `peak` at the first update to `least` · `peak` at the last."""
    left = 1 - number / max(steps - 1, 1)
    return peak * (least + (1 - least) * left)


def rising(number: int, warmup: int, first: float = 0.1) -> float:
    """Share of the rate that update `number` takes: from `first` in a straight line to 1 at number `warmup`.

    Source: Ouyang et al. 2022, arXiv:2203.02155, appendix C.4: ten iterations, from a tenth.
    """
    return 1.0 if number >= warmup else first + (1 - first) * number / warmup
