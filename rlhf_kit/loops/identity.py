"""What makes a run this run and no other: a checkpoint of another is refused, and what differs is named."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from torch import nn

from rlhf_kit.loops.fingerprints import fingerprint, fingerprint_of, identity_of
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.rewards import Reward, name_of

FREE = ("tokens_per_pass", "micro_batch", "activation_checkpointing",       # how a step fits into memory changes none
        "more_steps")                                       # of its numbers, nor does how many are to follow the last


def identity(method: str, config: Any, group: ProcessGroup | None = None,
             **parts: nn.Module | Reward | Sequence[object]) -> dict[str, Any]:
    """The settings of a run, and for each model, reward and list of texts that it learns from what stands for it.

    Args:
        config: a dataclass; what only decides how a step fits into memory is left out.
        group: the processes, whose number decides what is drawn.
        parts: by name, such as `prompts=`, `reward=`, `reference=`.
    """
    return {"method": method, **{name: _of(part) for name, part in parts.items()}, **settings_of(config),
            **(group.identity if group else {})}


def settings_of(config: Any) -> dict[str, Any]:
    """The settings that a run is known by. Of those that came later, which their records do not show (`repr=False`),
    only what is not as it was before there were such."""
    return {name: value for name, value in asdict(config).items() if name not in FREE and name not in unchanged(config)}


def unchanged(config: Any) -> set[str]:
    """The fields of a record that came later and stand at their defaults."""
    return {field.name for field in fields(config) if not field.repr and getattr(config, field.name) == field.default}


def _of(part: nn.Module | Reward | Sequence[object]) -> str:
    if isinstance(part, nn.Module):
        return fingerprint_of(part)
    return identity_of_reward(part) if callable(part) else fingerprint(part)


def identity_of_reward(reward: Reward) -> str:
    """Its name and what stands for all that it is made of: code, settings, a judge's weights (see `fingerprints`).

    What no run can recognise in it, such as a connection, is said once; give such a reward a `run_identity`, any text
    that you change when it changes.
    """
    digest, unknown = identity_of(reward)
    name = name_of(reward)
    if unknown and (name, *unknown) not in _SAID:
        _SAID.add((name, *unknown))
        print(f"{name} holds something of which no run can tell whether it is the same ({', '.join(unknown)}): with "
              f"another one a run would go on unnoticed. Set {name}.run_identity to a text that you change with it.",
              file=sys.stderr)
    return f"{name}#{digest}"


_SAID: set[tuple[str, ...]] = set()                         # per process
