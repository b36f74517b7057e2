"""Silence around TRL: no progress bars, no chatter, and of its warnings those left out that tell a user nothing."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from transformers.utils import logging as transformers_logging

LOGGERS = ("trl", "accelerate", "datasets", "peft")
KNOWN = (                                               # of libraries about each other, and nothing that a user can do
    (FutureWarning, ".*gradient_checkpointing.* is deprecated"),
)


@contextmanager
def quiet() -> Iterator[None]:
    """What it was before comes back."""
    import datasets
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    their_bars = datasets.utils.are_progress_bars_disabled()
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    with warnings.catch_warnings():
        for kind, message in KNOWN:
            warnings.filterwarnings("ignore", category=kind, message=message)
        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        datasets.disable_progress_bars()
        for name in LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)
        try:
            yield
        finally:
            transformers_logging.set_verbosity(level)
            if bars:
                transformers_logging.enable_progress_bar()
            if not their_bars:
                datasets.enable_progress_bars()
            for name, value in levels.items():
                logging.getLogger(name).setLevel(value)
