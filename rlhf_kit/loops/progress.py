"""One line that follows a training while a notebook's cell is busy."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator

from rlhf_kit.formulas.records import Step

OFTEN = 0.5                         # seconds between two looks
SHOWN = ("score", "loss")           # of a step's metrics, the first that is there


def progress(steps: Iterable[Step], total: int) -> Iterator[Step]:
    """Yield the steps as they come and rewrite one line on stderr: which step of how many, its score, seconds left.

    It goes to stderr, so that it never becomes a part of what a cell has said.
    """
    began = last = time.monotonic()
    for done, step in enumerate(steps, 1):
        now = time.monotonic()
        if done == total or now - last >= OFTEN:
            last = now
            shown = next((f" · {name} {step.metrics[name]:.2f}" for name in SHOWN if name in step.metrics), "")
            left = (now - began) / done * (total - done)
            print(f"\r{done}/{total}{shown} · {left:.0f} s ", end="\n" if done == total else "", file=sys.stderr,
                  flush=True)
        yield step
