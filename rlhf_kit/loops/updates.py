"""The last lines of every gradient: it is finite or it is not taken."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from rlhf_kit.loops.sanity_checks import CheckFailed


def update(model: nn.Module, optimizer: Optimizer, max_grad_norm: float, number: int) -> float:
    """Scale the gradient down to norm `max_grad_norm` and take the optimizer's step; returns the norm before.

    Args:
        max_grad_norm: of all gradients together; math.inf leaves them as they are.
        number: of the run's step, for the message.

    Raises: CheckFailed if the gradient holds NaN or infinity; neither weights nor optimizer have changed then.
    """
    norm = clip_grad_norm_(model.parameters(), max_grad_norm)
    if not torch.isfinite(norm):
        optimizer.zero_grad()
        raise CheckFailed(f"the gradient of step {number + 1} is not finite, and the step was not taken: the weights "
                          f"are those of step {number}. Cause: a score or a KL coefficient that overflows, or too "
                          f"high a learning rate. Bound the reward with kit.rewards.clipped, or lower learning_rate.")
    optimizer.step()
    return norm.item()
