"""Where a model comes from: the run that made it, what that run left, and the model that it began with."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from rlhf_kit import tasks
from rlhf_kit.models.places import ModelUnavailable
from rlhf_kit.storage import is_complete

MODELS = ("policy", "model")        # the folder of what a run was for; a policy, where there are both
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
# In these the first model is made by the run itself; so is the judge, the first of those that are there.
BEGAN = {"tour": "language_model", "stackllama": "sft", "instructgpt": "start",
         "anthropic": "distilled", "sparrow": "sft"}
JUDGES = {"tour": ("judge", "reward_model"), "stackllama": ("reward_adapter",), "instructgpt": ("reward_model",),
          "anthropic": ("reward_model",), "sparrow": ("preference_model",)}


def model_in(folder: str | Path) -> Path | None:
    """The model that a run left; None if the folder is no run's, or has none yet."""
    place = Path(folder).expanduser()
    if not (place / "settings.json").is_file():
        return None
    return next((place / name for name in MODELS if is_complete(place / name)), None)


def model_of(name: str | None) -> str | None:
    """The folder of the model that a run left, if a run's folder is named; any other name as it is.

    Raises: ModelUnavailable, one line, for a run that has left none.
    """
    if name is None or (left := model_in(name)) is not None:
        return name if name is None else str(left)
    place = Path(name).expanduser()
    if (place / "settings.json").is_file() and not (place / "config.json").is_file():
        raise ModelUnavailable(f"{name} is a run that has left no whole model; let it finish, or name the folder of a "
                               f"model.")
    return name


def is_hub_model(name: str) -> bool:
    """True of what can only be a model's name on the hub: neither tiny nor a folder here."""
    return (name not in tasks.tiny_names() and name != "new" and not Path(name).expanduser().exists()
            and _HUB.fullmatch(name) is not None)


def run_of(model: str | Path) -> Path | None:
    """The run whose folder a model lies in; None if it lies elsewhere."""
    above = Path(model).expanduser().absolute().parent
    return above if (above / "settings.json").is_file() and Path(model).expanduser().is_dir() else None


def settings_in(run: str | Path) -> dict[str, Any]:
    """The settings of a run as they were claimed; {} where they cannot be read."""
    try:
        found = json.loads((Path(run).expanduser() / "settings.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def job_of(settings: dict[str, Any]) -> str:
    """Which job the settings are of; a tour's do not name one."""
    return settings.get("job", "tour")


def began_with(run: str | Path) -> str | None:
    """The model that a run trained further, by the name or folder it was given as, or the folder of one it made.

    None for a run that began with nothing, or whose first model is gone.
    """
    settings, place = settings_in(run), Path(run).expanduser()
    if not settings:
        return None
    if (own := BEGAN.get(job_of(settings))) is not None:
        return str(place / own) if is_complete(place / own) else None
    name = settings.get("reference") or settings.get("model")
    return None if name in (None, "new") else name
