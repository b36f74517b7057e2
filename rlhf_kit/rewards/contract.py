"""A reward is a function `(prompts, responses) -> one number a response`: what it may answer, and how it is marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

Reward = Callable[[Sequence[str], Sequence[str]], Tensor | Sequence[float]]


class RewardError(ValueError):
    """A reward function returned something that cannot be a score; the message says what and what to return."""


def check_arguments(reference: object, *rewards: object) -> None:
    """What every loop asks of the two before it begins. Raises: ValueError with what to give instead."""
    if reference is None or isinstance(reference, str | bool):
        raise ValueError(f"the reference is {reference!r}; expected the policy as it was before training, "
                         f"policy.reference(), or another one, kit.load_policy(...).")
    for reward in rewards:
        if not callable(reward):
            shown = " ".join(repr(reward).split())[:60]
            raise ValueError(f"the reward is {shown}; expected a function (prompts, responses) -> one number a "
                             f"response. For a model: kit.rewards.classifier(...) or kit.rewards.learned(...).")


def checked(answer: object, size: int, reward: Reward) -> Tensor:
    """What a reward function returned for `size` responses as [size] float32 on the CPU. Raises: RewardError."""
    name = name_of(reward).partition("@")[0]                # without the fingerprint of its file
    if hasattr(answer, "to_numpy"):                         # a pandas Series, whatever its index
        answer = np.array(answer.to_numpy())                # a copy: pandas' own may not be written to
    try:
        score = torch.as_tensor(answer, dtype=torch.float32).detach().cpu()
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise RewardError(f"the reward function {name} returned {_short(answer)}; expected {size} numbers, "
                          f"one a response.") from error
    if score.shape != (size,):
        raise RewardError(f"the reward function {name} returned shape {tuple(score.shape)} for {size} responses; "
                          f"expected one number a response, shape ({size},).")
    if not torch.isfinite(score).all():
        row = int((~torch.isfinite(score)).nonzero()[0])
        raise RewardError(f"the reward function {name} returned {score[row].item()} for response {row}; "
                          f"expected finite numbers. Guard the division or logarithm that makes it.")
    return score


def _short(answer: object) -> str:
    text = " ".join(repr(answer).split())
    return f"{type(answer).__name__} {text if len(text) <= 40 else text[:37] + '...'}"


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
