"""A training run's whole state in one file: weights, optimizer, and the steps so far."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from rlhf_kit.formulas.records import Step
from rlhf_kit.storage import StorageError, load_tensors, save_tensors, sweep

FILE = "checkpoint.safetensors"


def steps_in(folder: Path | str) -> list[Step]:
    """The steps that the checkpoint in `folder` has behind it; none where there is no checkpoint."""
    path = Path(folder) / FILE
    return _steps(load_tensors(path)[1]) if path.exists() else []


class Checkpoint:
    """Saves a run every few steps and brings it back.

    Random numbers need no saving: every step draws from (seed, step number). So weights, optimizer moments and the
    list of past steps are all that a run is made of, and a killed run ends with the same numbers as one that was
    left alone.

    Args:
        folder: where `checkpoint.safetensors` lies; None saves nothing.
        run: what identifies the run (its config, its data by `fingerprints`); a checkpoint of another is refused.
        every: steps between saves; the last step is always saved.
        writes: False in all but the first of several processes.
    """

    def __init__(self, folder: Path | str | None, run: dict[str, Any], every: int, *, writes: bool = True) -> None:
        if every < 1:
            raise ValueError(f"checkpoint_every is {every} steps; it must be at least 1.")
        self.path = None if folder is None else Path(folder) / FILE
        self.run, self.every, self.writes, self.history = _plain(run), every, writes, []

    def resume(self, model: nn.Module, optimizer: Optimizer, extra: Any = None) -> tuple[list[Step], dict]:
        """Load what was saved into the arguments; returns the past steps and what `save` was given as `state`."""
        if self.path is None:
            return [], {}
        if self.writes:
            sweep(self.path)
        if not self.path.exists():
            return [], {}
        tensors, about = load_tensors(self.path)
        self._same_run(about)
        weights = {name[6:]: tensor for name, tensor in tensors.items() if name.startswith("model.")}
        try:
            _restore(model, weights)
        except (RuntimeError, KeyError) as error:
            raise StorageError(f"{self.path} holds a model of another shape. Train it in another folder, or delete "
                               f"the file to start again.") from error
        _load_optimizer(optimizer, tensors)
        if extra is not None and about.get("extra") is not None:
            extra.load_state_dict(about["extra"])
        self.history = _steps(about)
        return list(self.history), about["state"]

    def record(self, step: Step, last: int, model: nn.Module, optimizer: Optimizer, state: dict | None = None,
               extra: Any = None) -> None:
        """Remember a finished step (numbered from 0; `last` is the final one) and save when it is time."""
        if self.path is None or not self.writes:
            return
        self.history.append(step)
        if (step.number + 1) % self.every and step.number != last:
            return
        about = {"run": self.run, "state": state or {}, "extra": None if extra is None else extra.state_dict(),
                 "history": [asdict(s) for s in self.history]}
        save_tensors(self.path, {**{f"model.{n}": t for n, t in _learning(model).items()},
                                 **_optimizer_tensors(optimizer)}, about)

    def _same_run(self, about: dict) -> None:
        other = about.get("run")
        if other != self.run:
            changed = [f"{key}: {other.get(key)!r} then, {value!r} now" for key, value in self.run.items()
                       if isinstance(other, dict) and other.get(key) != value]
            raise StorageError(f"{self.path} was made with other settings ({'; '.join(changed) or 'another method'}). "
                               f"Use another folder, or delete the file to start again.")


def _steps(about: dict) -> list[Step]:
    return [Step(s["number"], s["metrics"], tuple(s["samples"])) for s in about["history"]]


def _learning(model: nn.Module) -> dict[str, Tensor]:
    """What a run changes: everything, or only what learns where a part is frozen (an adapter on a large base)."""
    if all(p.requires_grad for p in model.parameters()):
        return _unique(model)
    return {name: p for name, p in model.named_parameters() if p.requires_grad}


def _restore(model: nn.Module, weights: dict[str, Tensor]) -> None:
    """Put back what `_learning` named. Raises: RuntimeError or KeyError if it is not the same model."""
    ours = _learning(model)
    if len(ours) == len(_unique(model)):
        model.load_state_dict(_shared(model, weights))
        return
    if ours.keys() != weights.keys():
        raise KeyError(next(iter(ours.keys() ^ weights.keys())))
    with torch.no_grad():
        for name, parameter in ours.items():
            parameter.copy_(weights[name])


def _unique(model: nn.Module) -> dict[str, Tensor]:
    """Every tensor once: tied weights (input and output embeddings) are stored under their first name."""
    seen, unique = set(), {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            unique[name] = tensor
    return unique


def _shared(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give tied names back the tensor that was stored once."""
    first, full = {}, dict(weights)
    for name, tensor in model.state_dict(keep_vars=True).items():
        source = first.setdefault(id(tensor), name)
        if source in weights:
            full[name] = weights[source]
    return full


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{i}.{key}": tensor for i, entry in state.items() for key, tensor in entry.items()}


def _load_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _plain(value: Any) -> Any:
    """As JSON gives it back, so that comparing with a saved run is fair."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else repr(value)
