"""What a small experiment found: numbers, and a picture of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rlhf_kit import plots


@dataclass(frozen=True)
class Study:
    """What an experiment found."""

    numbers: dict[str, Any]
    figure: plots.Figure
