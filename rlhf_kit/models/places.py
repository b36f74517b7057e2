"""Where a model may stand: a folder here, looked at without opening anything, or a name to ask the hub for.

Nothing here imports torch, so a wrong path is told at once.
"""

from __future__ import annotations

import json
from pathlib import Path

from rlhf_kit.language import nearest

ADAPTER = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")


class ModelUnavailable(OSError):
    """A model cannot be loaded; the message says what was looked for, where, and what to do."""


def found(source: str | Path) -> str | Path:
    """A folder that may hold a model, as a path, or a name to ask the hub for. Raises: ModelUnavailable."""
    if not isinstance(source, str | Path):
        raise ModelUnavailable(f"the model is {' '.join(repr(source).split())[:60]}; expected a folder, a name on the "
                               f"Hugging Face hub, or a tiny model, such as 'tiny-lm-en'.")
    local = Path(source).expanduser()
    if local.exists():
        check_folder(local)
        return local
    name = str(source)
    if isinstance(source, Path) or name.startswith((".", "/", "~")) or "\\" in name or name.count("/") > 1:
        raise ModelUnavailable(f"{source} does not exist; give a folder with config.json and model.safetensors, "
                               f"or a name on the Hugging Face hub.")
    if "/" in name and local.parent.is_dir():               # runs/tuor, where runs/tour is: nobody means the hub
        beside = [entry.name for entry in local.parent.iterdir() if entry.is_dir()]
        if (near := nearest(local.name, beside, cutoff=0.7)) is not None:
            raise ModelUnavailable(f"{source} does not exist. Did you mean {local.parent / near}?")
    return source


def is_adapter(folder: Path) -> bool:
    """True of a folder with an adapter and no model beside it: it stands for its base with the adapter added."""
    return (folder / ADAPTER).is_file() and not (folder / "config.json").is_file()


def check_folder(folder: Path) -> None:
    """Raises ModelUnavailable unless config.json and weights lie there, or an adapter, with what lies there instead."""
    if not folder.is_dir():
        raise ModelUnavailable(f"{folder} is a file; expected a folder with config.json and model.safetensors.")
    if is_adapter(folder):
        if not (folder / ADAPTER_WEIGHTS).is_file():
            raise ModelUnavailable(f"{folder} holds {ADAPTER} and no {ADAPTER_WEIGHTS}; copy the adapter again, or "
                                   f"save it with save_pretrained, which writes that file.")
        return
    if not (folder / "config.json").is_file():
        inside = sorted(str(place.parent) for place in folder.glob("*/config.json"))
        hint = f" Models lie in {', '.join(inside[:6])}: name one of these." if inside else ""
        raise ModelUnavailable(f"{folder} is not a model: it has no config.json. Expected a folder made by "
                               f"save_pretrained, with config.json and model.safetensors.{hint}")
    try:
        if not isinstance(json.loads((folder / "config.json").read_text(encoding="utf-8")), dict):
            raise ValueError("expected an object, {...}")
    except ValueError as error:
        raise ModelUnavailable(f"{folder / 'config.json'} is not JSON ({error}); copy the model again.") from error
    if any(folder.glob("model*.safetensors")):
        return
    if pickles := sorted(f.name for pattern in PICKLES for f in folder.glob(pattern)):
        raise ModelUnavailable(f"{folder} has its weights in a pickle ({pickles[0]}), which can run code when it is "
                               f"opened. Convert it where you trust it: model.save_pretrained(folder) writes "
                               f"model.safetensors.")
    raise ModelUnavailable(f"{folder} has no weights; expected model.safetensors beside config.json.")
