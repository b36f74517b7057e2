"""What a long study has made so far: each piece a folder of the run, whole or not at all, never made twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rlhf_kit.storage import new_folder, write_text

POINTS, FILE = "points", "points.json"      # the run's folder for all of them; what each has


def keep(folder: Path, piece: Any) -> None:
    """Leave plain JSON values in a new folder. Raises: StorageError."""
    with new_folder(folder) as unfinished:
        write_text(unfinished / FILE, json.dumps(piece, ensure_ascii=False))


def kept(folder: Path) -> Any:
    """What `keep` left."""
    return json.loads((folder / FILE).read_text(encoding="utf-8"))
