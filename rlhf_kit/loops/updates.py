"""The last lines of every gradient: it is finite or it is not taken."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from rlhf_kit.loops.sanity_checks import CheckFailed

REWARD = ("a score or a KL coefficient that overflows, or too high a learning rate. Bound the reward with "
          "kit.rewards.clipped, or lower learning_rate.")


def update(model: nn.Module, optimizer: Optimizer, max_grad_norm: float, number: int, *, loss: Tensor | None = None,
           cause: str = REWARD) -> float:
    """Scale the gradient down to norm `max_grad_norm` and take the optimizer's step; returns the norm before.

    Args:
        max_grad_norm: of all gradients together; math.inf leaves them as they are.
        number: of the run's step, for the message.
        loss: what the gradient is of; it has to be finite, too.
        cause: what is likely, and what to do.

    Raises: CheckFailed if loss or gradient is NaN or infinite; neither weights nor optimizer have changed then.
    """
    norm = clip_grad_norm_(model.parameters(), max_grad_norm)
    for name, seen in (("loss", loss), ("gradient", norm)):
        if seen is not None and not torch.isfinite(seen):
            optimizer.zero_grad()
            what = f"is {seen.item()}" if name == "loss" else "is not finite"
            raise CheckFailed(f"the {name} of step {number + 1} {what}, and the step was not taken: the weights are "
                              f"those of step {number}. Cause: {cause}")
    optimizer.step()
    return norm.item()


def diverged(learning_rate: float) -> str:
    """The likely cause where nothing but the model's own numbers can overflow."""
    return f"the model has diverged. Start again with a lower learning_rate than {learning_rate}."
