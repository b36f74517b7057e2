"""The word lists of a world: tab-separated files in the `data/` of its folder."""

from __future__ import annotations

from importlib import resources


def rows(world: str, name: str) -> list[dict[str, str]]:
    """Rows of `rlhf_kit/tasks/WORLD/data/NAME`; lines that begin with # are remarks, short rows are filled with ""."""
    text = resources.files(f"rlhf_kit.tasks.{world}").joinpath("data", name).read_text(encoding="utf-8")
    head, *found = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [dict(zip(head, row + [""] * (len(head) - len(row)), strict=True)) for row in found]
