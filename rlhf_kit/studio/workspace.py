"""What the panels share: a folder with labels and runs, the models that can be shown, and the trainings that go on."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

from rlhf_kit.labels import Labels
from rlhf_kit.language import Lang
from rlhf_kit.studio.line import Line
from rlhf_kit.studio.serving import Bucket
from rlhf_kit.studio.shelf import Shelf, called
from rlhf_kit.studio.trainings import Jobs
from rlhf_kit.studio.worlds import REVIEWS, World

OVERLAP, MOST_OVERLAP = 3, 1000     # people asked about each list: enough that agreement can be measured
DOWNLOADS = 50                      # pages whose file is kept


class Workspace:
    """One folder, opened once by each server. Nothing is loaded or trained until a panel asks for it.

        DIR/labels.db       what people said
        DIR/runs/NAME/      reward models and policies trained here
        DIR/jobs/NAME/      how each of them was asked for, see `rlhf_kit.studio.trainings`

    Args:
        folder: made if it is not there.
        models: folders and names that the panels offer besides the tiny ones, such as a tour's folder; or the name
            that each is shown by -> its place.
        teacher: who sees everybody's labels where a class code guards the page.
        world: what people rank texts of, and models are trained in.
        prompts: to choose from, instead of the world's own.
        overlap: how many people are asked about a list or a pair before others are begun.
    """

    def __init__(self, folder: Path | str, models: Sequence[str] | Mapping[str, str] = (), *,
                 teacher: str | None = None, world: World = REVIEWS, prompts: Sequence[str] = (),
                 overlap: int = OVERLAP) -> None:
        self.folder, self.named = Path(folder).expanduser(), called(models)
        if not 1 <= overlap <= MOST_OVERLAP:
            raise ValueError(f"overlap is {overlap}; expected how many people are asked about each list, from 1 to "
                             f"{MOST_OVERLAP}. Try {OVERLAP}.")
        self.teacher, self.world, self.prompts, self.overlap = teacher, world, tuple(prompts), overlap
        self.folder.mkdir(parents=True, exist_ok=True)
        self._making = threading.Lock()
        self.line = Line()                                  # who waits for a model
        self.shelf = Shelf(self.folder, self.named, world)         # the models that can be shown
        self.generating = Bucket(size=6, seconds=5.0)       # how often one person may ask a model to write

    @cached_property
    def labels(self) -> Labels:
        """The file of labels. Raises: LabelsError, one line, each time it cannot be opened."""
        return self._once("labels", lambda: Labels(self.folder / "labels.db"))

    @cached_property
    def jobs(self) -> Jobs:
        """The trainings, which are processes of their own and outlive the server."""
        return self._once("jobs", lambda: Jobs(self.folder))

    def downloads(self, page: str) -> Path:
        """An empty folder for what that page takes away, into which no other user may look; gone with `close`."""
        everything = self._once("_downloads", lambda: Path(tempfile.mkdtemp(prefix="rlhf-kit-")))
        folder = everything / hashlib.sha256(page.encode()).hexdigest()[:16]
        shutil.rmtree(folder, ignore_errors=True)
        for old in sorted(everything.iterdir(), key=lambda one: one.stat().st_mtime)[:-DOWNLOADS]:
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(mode=0o700)
        return folder

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """Several panels ask at the same time, and `cached_property` does not wait (from Python 3.12 on)."""
        with self._making:
            if name not in vars(self):
                vars(self)[name] = make()
            return vars(self)[name]

    def close(self) -> None:
        """Let go of the file of labels. Trainings go on: they are processes of their own."""
        if "jobs" in vars(self):
            self.jobs.close()
        if "labels" in vars(self):
            self.labels.close()
        if "_downloads" in vars(self):
            shutil.rmtree(vars(self)["_downloads"], ignore_errors=True)


@cache
def example(lang: Lang) -> dict[str, Any]:
    """What the panels show before anybody has pressed anything: see `rlhf_kit.studio.example`, which made it."""
    return json.loads((files("rlhf_kit") / "data" / f"studio_example_{lang}.json").read_text(encoding="utf-8"))
