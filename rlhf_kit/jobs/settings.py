"""What the jobs share: threads by the size of the model, settings changed by name, metrics, and a run's identity."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rlhf_kit.formulas.records import Step
from rlhf_kit.models.tiny import parameters
from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.storage import write_json_lines

SMALL = 20_000_000                  # parameters; below, a model takes a tiny one's settings and a single thread
WRITTEN_EVERY = 10                  # steps between two writings of metrics.jsonl
FILES = ("data", "prompts", "rankings", "pairs", "pretrain")        # fields of a job that name files


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(threads: int | None, model: nn.Module) -> None:
    """Work on that many threads, unless the model is tiny: there they get in each other's way."""
    if threads is not None and parameters(model) >= SMALL:
        torch.set_num_threads(threads)


def claimed(job: Any) -> dict[str, Any]:
    """What makes a run this one: the settings of its job, a dataclass, and the content of the files that they name."""
    named = [getattr(job, name) for name in FILES if getattr(job, name, None)]
    if getattr(job, "reward", None):
        named.append(job.reward.rpartition(":")[0])
    return {"job": type(job).__name__.lower(), **asdict(job),
            "files": {path: _content(Path(path).expanduser()) for path in named}}


def _content(path: Path) -> str:
    """Sixteen characters that stand for a file's bytes, or for the names and sizes of a folder's; "" for a name."""
    if path.is_dir():
        inside = sorted(f"{file.relative_to(path)} {file.stat().st_size}" for file in path.rglob("*") if file.is_file())
        return hashlib.sha256("\n".join(inside).encode()).hexdigest()[:16]
    if not path.exists():
        return ""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def changed(config: Any, changes: dict[str, Any]) -> Any:
    """`config` with the changes, those of its sampling and its KL price included."""
    nested = {name: value for name, value in vars(config).items() if hasattr(value, "__dataclass_fields__")}
    own, left = {}, dict(changes)
    for name, part in nested.items():
        theirs = {key: left.pop(key) for key in [f.name for f in fields(part)] if key in left}
        own[name] = replace(part, **theirs)
    return replace(config, **own, **left)


def described(job: Any, config: Any) -> dict[str, Any]:
    """Both as plain JSON values."""
    return json.loads(json.dumps({**asdict(job), "config": asdict(config)}, default=str))


def steps_written(place: RunFolder) -> int:
    """Steps in metrics.jsonl, those that a killed run has to do again included: they will be the same."""
    try:
        return (place.path / "metrics.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def write_metrics(place: RunFolder, history: Sequence[Step], last: int, *, every: int = WRITTEN_EVERY,
                  written: int = 0) -> None:
    """A line a step into metrics.jsonl, after `every` steps and at the `last`; `written` are there already."""
    if (len(history) > written and len(history) % every == 0) or len(history) == last:
        write_json_lines(place.path / "metrics.jsonl", [{"step": s.number + 1, **s.metrics} for s in history])
