"""What the training commands take from their options: a device that is there, and the settings that were named."""

from __future__ import annotations

import argparse
from typing import Any


def language_of(options: argparse.Namespace) -> str:
    """Of the made-up reviews: the model's, if it is one that knows only one."""
    from rlhf_kit.zoo import TINY
    return TINY[options.model][1] if options.model in TINY else options.lang


def changes_in(options: argparse.Namespace, *names: str) -> dict[str, Any]:
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def device_of(options: argparse.Namespace) -> str:
    """The device asked for. Raises: ValueError if this machine has none of that name."""
    import torch

    from rlhf_kit.zoo import TINY
    if options.device == "auto":
        return "cuda" if torch.cuda.is_available() and options.model not in (*TINY, "new") else "cpu"
    try:
        torch.zeros(1, device=options.device).item()
    except (RuntimeError, AssertionError) as error:
        there = "cpu and cuda" if torch.cuda.is_available() else "cpu only"
        raise ValueError(f"--device is {options.device!r}; this machine has {there}. Leave --device out, and the kit "
                         f"chooses.") from error
    return options.device
