"""What the panels of a folder begin with: a lesson's own models, prompts and world, kept beside its labels."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rlhf_kit.storage import write_text

FILE = "opening.json"


@dataclass(frozen=True)
class Opening:
    """What a page offers first; DIR/opening.json holds it, so that `rlhf-kit studio --data DIR` opens the same."""

    task: str | None = None                 # the world that prompts and truth are from; None = reviews
    models: Mapping[str, str] = field(default_factory=dict)     # name shown -> folder, or a model's own name
    prompts: tuple[str, ...] = ()           # to choose from

    def write(self, folder: Path | str) -> None:
        """Keep it in that folder, in place of an earlier one. Raises: StorageError."""
        write_text(Path(folder) / FILE, json.dumps(asdict(self), ensure_ascii=False, indent=1))


def read(folder: Path | str) -> Opening:
    """What was kept there; an empty one where nothing was. Raises: ValueError, one line, for a damaged file."""
    file = Path(folder).expanduser() / FILE
    if not file.is_file():
        return Opening()
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        task, models, prompts = found["task"], dict(found["models"]), tuple(found["prompts"])
        texts = [*models, *models.values(), *prompts, task or ""]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("something in it is no text")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} cannot be read as what the panels begin with ({error}). Run the lesson's last cell "
                         f"again, or delete the file to begin with the tiny models.") from error
    return Opening(task, models, prompts)
