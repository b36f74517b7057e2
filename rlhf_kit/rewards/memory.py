"""What rewards remember from call to call, for checkpoints and between processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from rlhf_kit.rewards.marks import Reward, RewardError, name_of, wants_tokens


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
