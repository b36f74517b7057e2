"""Silence around TRL: no progress bars, no chatter, and of its warnings those left out that tell a user nothing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rlhf_kit.models import loading

LOGGERS = ("trl", "accelerate", "datasets", "peft")
KNOWN = (                                               # of libraries about each other, and nothing that a user can do
    (FutureWarning, ".*gradient_checkpointing.* is deprecated"),
)


@contextmanager
def quiet() -> Iterator[None]:
    """What it was before comes back."""
    import datasets
    their_bars = datasets.utils.are_progress_bars_disabled()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    with warnings.catch_warnings(), loading.quiet():
        for kind, message in KNOWN:
            warnings.filterwarnings("ignore", category=kind, message=message)
        datasets.disable_progress_bars()
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            if not their_bars:
                datasets.enable_progress_bars()
            for name, value in levels.items():
                logging.getLogger(name).setLevel(value)
