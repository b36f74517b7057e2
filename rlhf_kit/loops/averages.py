"""A running mean of the weights that a loop leaves behind: smoother than the last ones, which carry its noise."""

from __future__ import annotations

import torch
from torch import nn


class WeightAverage(nn.Module):
    """A model, and beside each weight that learns its exponential moving average.

        w̄ ← d · w̄ + (1 - d) · w      after each update;  w̄ = w before the first

    Of an error that all weights keep from some update on, dⁿ is left after n more. It is a module, so that a checkpoint
    holds both.

    Args:
        model: trained elsewhere.
        decay: d, at least 0 and below 1: 0.992 remembers about 125 updates.

    Source: Ouyang et al. 2022, arXiv:2203.02155, appendix C.4.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        super().__init__()
        self.model, self.decay = model, decay
        self.mean = nn.ParameterList(weight.detach().clone() for weight in self._learning())

    @torch.no_grad()
    def update(self) -> None:
        """Take the model's weights in, after an update."""
        for mean, weight in zip(self.mean, self._learning(), strict=True):
            mean.lerp_(weight, 1 - self.decay)

    @torch.no_grad()
    def settle(self) -> None:
        """Give the model the averages for its weights."""
        for mean, weight in zip(self.mean, self._learning(), strict=True):
            weight.copy_(mean)

    def _learning(self) -> list[nn.Parameter]:
        return [weight for weight in self.model.parameters() if weight.requires_grad]
