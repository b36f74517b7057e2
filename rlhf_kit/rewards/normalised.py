"""A reward in units of its own spread so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.rewards.asking import checked
from rlhf_kit.rewards.marks import Reward, name_of, wants_tokens
from rlhf_kit.rewards.memory import Memory, Sums


class Normalised:
    """`reward` in units of its own spread so far: (score - mean) / standard deviation, then clipped to ±`clip`.

    Mean and deviation run over every score seen, this batch included (arXiv:2307.04964 section 5.3); of several
    processes, over those of all. A training checkpoint keeps them (`state_dict`), so a resumed run goes on with the
    same scale.
    """

    def __init__(self, reward: Reward, *, clip: float = math.inf, centre: bool = True) -> None:
        self.reward, self.clip, self.centre, self.moments = reward, clip, centre, RunningMoments()
        self.tokens, self.__name__ = wants_tokens(reward), f"normalised({name_of(reward)}, {clip}, {centre})"
        self._group: tuple[Sums | None, torch.device | str] = None, "cpu"

    @property
    def run_identity(self) -> tuple:
        """What a run is known by: the settings, not the statistics."""
        return "normalised", self.reward, self.clip, self.centre

    def __call__(self, prompts: Sequence[str], responses: Sequence[str]) -> Tensor:
        score = checked(self.reward(prompts, responses), len(responses), self.reward)
        self.moments.update(score, *self._group)
        shifted = score - self.moments.mean if self.centre else score
        return (shifted / (self.moments.std + torch.finfo(torch.float32).eps)).clamp(-self.clip, self.clip)

    def share(self, group: Sums | None, device: torch.device | str) -> None:
        """From now on the scores are a shard of what these processes see together; None ends that."""
        self._group = group, device
        Memory({"reward": self.reward}).share(group, device)

    def state_dict(self) -> dict[str, Any]:
        """The running statistics as plain numbers, and what the reward inside remembers."""
        inside = Memory({"reward": self.reward}).state_dict()
        return {**vars(self.moments), **({"inside": inside} if inside else {})}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict()`."""
        Memory({"reward": self.reward}).load_state_dict(state.get("inside", {}))
        self.moments = RunningMoments(**{name: number for name, number in state.items() if name != "inside"})


class RunningMoments:
    """Mean and variance of a stream of batches, joined exactly (Chan, Golub and LeVeque 1979)."""

    def __init__(self, count: float = 0.0, mean: float = 0.0, squares: float = 0.0) -> None:
        self.count, self.mean, self.squares = count, mean, squares      # squares = Σ (x - mean)²

    def update(self, x: Tensor, group: Sums | None = None, device: torch.device | str = "cpu") -> None:
        """Add a batch of numbers, or this process's shard of one: the others' come in through the group's sums.

            n = Σ n_p      mean = Σ Σ x / n      squares = Σ Σ (x - mean)²        over processes p and their x
        """
        total = (lambda y: y) if group is None else (lambda y: group.sum(y.to(device)).cpu())
        x = x.double()
        new, summed = total(torch.stack([torch.tensor(x.numel(), dtype=torch.float64), x.sum()])).tolist()
        mean = summed / new
        squares = total(((x - mean) ** 2).sum()[None]).item()
        gap, count = mean - self.mean, self.count + new
        self.squares += squares + gap**2 * self.count * new / count
        self.mean += gap * new / count
        self.count = count

    @property
    def std(self) -> float:
        """Unbiased standard deviation so far; 1 before there are two numbers."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else 1.0
