"""What a bench keeps of one seed: each part as a JSON file, made once, so that a stopped bench goes on where it was."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rlhf_kit import plots, zoo
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.models.heads import Policy
from rlhf_kit.runs.folder import RunFolder
from rlhf_kit.runs.pipeline import Job
from rlhf_kit.storage import is_complete, write_text

DOCS = Path(__file__).parents[2] / "docs"


def folder_of(bench: str, made_of: str) -> Path:
    """Where the runs of a bench are kept: another size, recipe or base has another place."""
    return zoo.cache_folder() / f"bench-{bench}-{hashlib.sha256(made_of.encode()).hexdigest()[:10]}"


def result_of(job: Job, bench: str) -> dict[str, Any]:
    """The result of a study whose run is kept in the cache's folder `bench-NAME`, so that a stopped one goes on."""
    folder = zoo.cache_folder() / f"bench-{bench}"
    print(f"kept in {folder}", flush=True)
    for event in job.run(folder):
        if event.done == event.total:
            print(event.stage, flush=True)
    return RunFolder(folder).result()


def save_pictures(name: str, picture: Callable[[Lang], Any]) -> None:
    """docs/NAME.en.png and docs/NAME.zh.png; in Chinese only where there is a font for it."""
    for lang in LANGS:
        with plots.spoken(lang) as drawn:
            if drawn == lang:
                plots.save(picture(lang), DOCS / f"{name}.{lang}.png")


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

    def get(self, name: str) -> Any:
        """What is there under that name, or None."""
        return self.kept(name, lambda: None) if self.has(name) else None

    def trained(self, name: str, policy: Policy, steps: Iterable[Step]) -> None:
        """Run the steps to their end, once, and keep the policy and what they reported."""
        if not is_complete(self.folder / name):
            def make() -> list[dict[str, float]]:
                rows = [step.metrics for step in steps]
                zoo.save_policy(policy, self.folder / name)
                return rows
            (self.folder / f"trained-{name}.json").unlink(missing_ok=True)
            self.kept(f"trained-{name}", make)

    def has(self, name: str) -> bool:
        return (self.folder / f"{name}.json").exists()

    @property
    def cpu_seconds(self) -> float:
        return sum(json.loads(path.read_text(encoding="utf-8"))["cpu_seconds"] for path in self.folder.glob("*.json"))
