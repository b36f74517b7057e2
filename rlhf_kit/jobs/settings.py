"""What the jobs share: threads by the size of the model, settings changed by name, and both as plain values."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from rlhf_kit import tasks
from rlhf_kit.language import Lang
from rlhf_kit.models.text import unknown_share
from rlhf_kit.models.tiny import parameters
from rlhf_kit.runs.pipeline import Job, settings_of
from rlhf_kit.tasks import Task

LOOKED_AT = 2000                    # texts in which unknown tokens are counted
SMALL = 20_000_000                  # parameters; below, a model takes a tiny one's settings and a single thread


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_threads(threads: int | None, model: nn.Module) -> None:
    """Work on that many threads, unless the model is tiny: there they get in each other's way."""
    if threads is not None and parameters(model) >= SMALL:
        torch.set_num_threads(threads)


def claimed(job: Job) -> dict[str, Any]:
    """What makes a run this one: the settings of its job, and the content of the files that they name."""
    return job.claim()


def world(task: str | None, lang: Lang) -> Task:
    """The made-up world of that name, or the reviews of that language. Raises: ValueError, one line."""
    return tasks.find(f"reviews-{lang}" if task is None else task)


def check_task(task: str | None, file: str | None, option: str) -> None:
    """Raises ValueError if a job is told to learn from a made-up world and from a file."""
    if task is not None and file is not None:
        raise ValueError(f"--task names a made-up world and {option} a file; a run learns from one of them. Leave one "
                         f"out.")


def changed(config: Any, changes: dict[str, Any]) -> Any:
    """`config` with the changes, those of its sampling and its KL coefficient included.

    A batch smaller than the minibatches that nobody named is learned from whole.
    """
    nested = {name: value for name, value in vars(config).items() if hasattr(value, "__dataclass_fields__")}
    own, left = {}, dict(changes)
    if 0 < (changes.get("batch_size") or 0) < (getattr(config, "minibatch_size", None) or 0):
        left.setdefault("minibatch_size", changes["batch_size"])
    for name, part in nested.items():
        theirs = {key: left.pop(key) for key in [f.name for f in fields(part)] if key in left}
        own[name] = replace(part, **theirs)
    return replace(config, **own, **left)


def with_task_room(config: Any, task: Task) -> Any:
    """`config`, or a `Sampling`, with the room for a response that the made-up world's texts take, if that is more."""
    own = vars(config).get("max_new_tokens") or config.sampling.max_new_tokens
    return changed(config, {"max_new_tokens": tasks.room(task.name, own)})


def unread(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """A note about texts of which the tokenizer knows a part only, with what it does not know; none if it knows all."""
    share, examples = unknown_share(tokenizer, texts[:LOOKED_AT])
    if not share:
        return []
    return [("unknown_tokens", {"share": share, "examples": " ".join(examples)})]


def described(job: Job, config: Any) -> dict[str, Any]:
    """Both as plain JSON values."""
    return json.loads(json.dumps({**settings_of(job), "config": asdict(config)}, default=str))
