"""What the training commands take from their options: a device that is there, and the settings that were named."""

from __future__ import annotations

import argparse
from typing import Any

from rlhf_kit.language import Lang

TASK = ("a made-up world: reviews-en, reviews-zh, forum-en, or my_task.py:Weather, one in a Python file of yours, "
        "which is run")


def world_of(options: argparse.Namespace) -> tuple[Lang, str | None]:
    """Language and task of the made-up world that is asked for; None stands for the reviews of that language.

    A task that stands in a file is run and registered now. Without one, the model's language counts if it is a tiny
    one, else --lang. Raises: ValueError, one line.
    """
    from rlhf_kit import tasks
    from rlhf_kit.zoo import TINY
    if options.task is None:
        return TINY[model][1] if (model := getattr(options, "model", None)) in TINY else options.lang, None
    lang = getattr(tasks.find(options.task), "lang", options.lang)
    return lang, None if options.task == f"reviews-{lang}" and options.task in tasks.OWN else options.task


def changes_in(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def device_of(options: argparse.Namespace) -> str:
    """The device asked for. Raises: ValueError if this machine has none of that name."""
    import torch

    from rlhf_kit.zoo import is_tiny
    if options.device == "auto":
        tiny = options.model == "new" or (options.model is not None and is_tiny(options.model))
        return "cuda" if torch.cuda.is_available() and not tiny else "cpu"
    try:
        torch.zeros(1, device=options.device).item()
    except (RuntimeError, AssertionError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu only"
        raise ValueError(f"--device is {options.device!r}; this machine has {there}. Leave --device out, and the kit "
                         f"chooses.") from error
    return options.device
