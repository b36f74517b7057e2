"""What makes a run this run and no other: a checkpoint of another is refused, and what differs is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from torch import nn

from rlhf_kit.loops.checkpoints import fingerprint, fingerprint_of
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.rewards import Reward, name_of

FREE = ("tokens_per_pass", "activation_checkpointing")      # how a step fits into memory changes none of its numbers


def identity(method: str, config: Any, group: ProcessGroup | None = None,
             **parts: nn.Module | Reward | Sequence[object]) -> dict[str, Any]:
    """The settings of a run, and for each model, reward and list of texts that it learns from what stands for it.

    Args:
        config: a dataclass; what only decides how a step fits into memory is left out.
        group: the processes, whose number decides what is drawn.
        parts: by name, such as `prompts=`, `reward=`, `reference=`.
    """
    settings = {name: value for name, value in asdict(config).items() if name not in FREE}
    return {"method": method, **{name: _of(part) for name, part in parts.items()}, **settings,
            **(group.identity if group else {})}


def _of(part: nn.Module | Reward | Sequence[object]) -> str:
    if isinstance(part, nn.Module):
        return fingerprint_of(part)
    return name_of(part) if callable(part) else fingerprint(part)
