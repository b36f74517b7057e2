"""The README as the package index shows it, where nothing lies beside it: links and pictures lead to the repository.

Asked by hatchling when it builds the kit; pyproject.toml names it.
"""

from __future__ import annotations

import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)(\[(?:[^][]|\[[^]]*\])*\])\((?![a-z]+:|#)([^)\s]+)\)")


class PackagePage(MetadataHookInterface):
    """Fills `readme`, which pyproject.toml leaves open."""

    def update(self, metadata: dict) -> None:
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": linked(text, metadata["urls"]["Repository"])}


def linked(text: str, address: str) -> str:
    """The same text with every relative link led to the repository at that address, and every picture to its file."""
    def led(found: re.Match) -> str:
        return f"{found[1]}{found[2]}({address}/{'raw' if found[1] else 'blob'}/main/{found[3]})"
    return LINK.sub(led, text)
