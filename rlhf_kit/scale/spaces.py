"""A panel as a Hugging Face Space: the three files that it needs, in a folder to be pushed there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rlhf_kit import REPOSITORY
from rlhf_kit.storage import write_files

SDK = "6.31.0"                      # of Gradio, as in constraints.txt
CODE = "CLASS_CODE"                 # the Space's secret
TITLES = {"studio": "rlhf-kit studio", "compare": "Before and after RLHF", "rank": "Rank answers",
          "probe": "Fool a reward model", "vote": "Blind vote", "data": "Who agrees with whom",
          "train": "From ranks to a policy", "frontier": "All methods in one picture"}
KEEPING = ("studio", "rank", "vote", "data", "train")       # panels in which people leave something

README = """---
title: {title}
emoji: 🪜
colorFrom: blue
colorTo: yellow
sdk: gradio
sdk_version: {sdk}
python_version: "3.11"
app_file: app.py
pinned: false
license: apache-2.0
---

{title}, from [rlhf-kit]({repository}). English at `/`, 简体中文 at `/zh`.

Whoever wants to use it types any name and the class code. Set the code once, in the Space's settings: a secret
named `{code}`, of at least 6 characters.
{kept}"""
KEPT = """
What people do here is kept in `data/`, which a Space forgets when it restarts unless it has persistent storage.{take}
"""
TAKE = " Take the labels home in the Data panel before."

APP = '''"""Starts {what} where Hugging Face expects it."""

import os
import sys

from rlhf_kit.cli import main

code = os.environ.get("{code}", "")
sys.exit(main(["studio", *{panels}, "--host", "0.0.0.0", "--port", "7860", "--class-code", code,
               {models}"--data", "data"]))
'''


def write_space(name: str, folder: Path | str, models: Sequence[str] = ()) -> list[Path]:
    """Write README.md, requirements.txt and app.py for one panel, or "studio" for all; what else is there stays.

    Args:
        models: that the panel offers besides the tiny ones: names on the hub, or folders that lie in `folder`.

    Raises: ValueError for a name that there is not, and for a model that the Space would not have; StorageError, also
        for somebody's own files of these names.
    """
    if name not in TITLES:
        raise ValueError(f"there is no panel {name!r}; expected one of {', '.join(TITLES)}.")
    folder = Path(folder).expanduser()
    panels = [] if name == "studio" else ["--panel", name]
    offered = "".join(f'"--model", {_place(model, folder)!r}, ' for model in models)
    kept = KEPT.format(take=TAKE if name in ("studio", "data") else "") if name in KEEPING else ""
    content = {"README.md": README.format(title=TITLES[name], sdk=SDK, repository=REPOSITORY, code=CODE, kept=kept),
               "requirements.txt": f"rlhf-kit[ui] @ git+{REPOSITORY}\n",
               "app.py": APP.format(what=TITLES[name], code=CODE, panels=panels, models=offered)}
    return write_files(folder, content)


def has_address() -> bool:
    """Whether the files name a repository that there is; else somebody has to write its address into them."""
    return "/OWNER/" not in REPOSITORY


def _place(model: str, folder: Path) -> str:
    """The model as the Space finds it."""
    here = Path(model).expanduser()
    if here.is_dir():
        if not here.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{model} is a folder of this machine, which a Space does not have. Copy it into {folder} "
                             f"and name it there, or name a model on the hub.")
        return f"./{here.resolve().relative_to(folder.resolve()).as_posix()}"
    if here.is_absolute() or model.startswith((".", "~")):
        raise ValueError(f"--model {model}: there is no such folder. Check the name, or name a model on the hub.")
    return model
