"""What rewards remember from call to call: statistics of their scores, for checkpoints and between processes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from rlhf_kit.rewards.contract import Reward, RewardError, checked, name_of, wants_tokens


class Sums(Protocol):
    """What a reward asks of several processes: see `loops.process_group.ProcessGroup`."""

    size: int

    def sum(self, x: Tensor) -> Tensor: ...


class Memory:
    """What rewards remember from call to call, by name, for a checkpoint; a network's weights are no memory."""

    def __init__(self, parts: Mapping[str, Reward]) -> None:
        self.keepers = {name: part for name, part in parts.items()
                        if hasattr(part, "state_dict") and not isinstance(part, torch.nn.Module)}

    def share(self, group: Sums | None, device: torch.device | str) -> None:
        """Tell each of them which processes ask together. Raises: RewardError for one that cannot be told."""
        for part in self.keepers.values():
            if hasattr(part, "share"):
                part.share(group, device)
            elif group is not None:
                raise RewardError(f"the reward {name_of(part)} remembers (it has state_dict), which would be something "
                                  f"else in each of {group.size} processes. Give it share(group, device), as "
                                  f"kit.rewards.Normalised has, or train in one process.")

    def state_dict(self) -> dict[str, dict]:
        """What each of them says it remembers, as plain numbers."""
        return {name: part.state_dict() for name, part in self.keepers.items()}

    def load_state_dict(self, state: dict[str, dict]) -> None:
        """Go on from `state_dict()`; who was not there then begins anew."""
        for name in self.keepers.keys() & state.keys():
            self.keepers[name].load_state_dict(state[name])


def made_of(reward: Reward, name: str, parts: Sequence[Reward]) -> Reward:
    """Give a reward made of others a name, their wish for tokens, and their state, which checkpoints keep."""
    reward.__name__, reward.tokens = name, wants_tokens(parts[0])
    memory = Memory({str(i): part for i, part in enumerate(parts)})
    if memory.keepers:
        reward.state_dict, reward.load_state_dict = memory.state_dict, memory.load_state_dict
        reward.share = memory.share
    return reward


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
