"""What a bench keeps of one seed: each part as a JSON file, made once, so that a stopped bench goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rlhf_kit.storage import write_text


class Kept:
    """Parts of one seed, each a file `name.json` in `folder`, with the CPU seconds that it took."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.seed = folder / f"seed-{seed}", seed
        self.folder.mkdir(parents=True, exist_ok=True)

    def kept(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, as JSON, made once."""
        path = self.folder / f"{name}.json"
        if not path.exists():
            began = time.process_time()
            found = make()
            write_text(path, json.dumps({"cpu_seconds": time.process_time() - began, "found": found}))
            print(f"seed {self.seed}: {name}, {time.process_time() - began:.0f} CPU s", flush=True)
        return json.loads(path.read_text(encoding="utf-8"))["found"]

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.json").exists()

    @property
    def cpu_seconds(self) -> float:
        return sum(json.loads(path.read_text(encoding="utf-8"))["cpu_seconds"] for path in self.folder.glob("*.json"))
