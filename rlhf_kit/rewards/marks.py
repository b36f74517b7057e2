"""What is known of a reward beside what it says: its name, its bounds, whether it wants token ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

Reward = Callable[[Sequence[str], Sequence[str]], Tensor | Sequence[float]]


class RewardError(ValueError):
    """A reward function returned something that cannot be a score; the message says what and what to return."""


def name_of(reward: Reward) -> str:
    """What to call it in messages."""
    return getattr(reward, "__name__", type(reward).__name__)


def on_tokens(reward: Reward) -> Reward:
    """Mark a reward function that wants token ids (lists of int) and not texts."""
    reward.tokens = True
    return reward


def wants_tokens(reward: Reward) -> bool:
    """True if `on_tokens` marked it, or what it is made of."""
    return getattr(reward, "tokens", False)


def bounded(reward: Reward, low: float, high: float) -> Reward:
    """Mark a reward whose scores lie between these: the interval of their mean will, too. Returns the same reward."""
    if not low < high:
        raise ValueError(f"low is {low} and high is {high}; low must be the smaller.")
    reward.bounds = float(low), float(high)
    return reward


def range_of(reward: Reward) -> tuple[float, float] | None:
    """The least and the most that it says, if `bounded` marked it."""
    return getattr(reward, "bounds", None)
