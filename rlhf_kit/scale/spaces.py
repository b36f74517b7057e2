"""A panel as a Hugging Face Space: the three files that it needs, in a folder to be pushed there."""

from __future__ import annotations

from pathlib import Path

from rlhf_kit import REPOSITORY
from rlhf_kit.storage import write_files

SDK = "6.31.0"                      # of Gradio, as in constraints.txt
CODE = "CLASS_CODE"                 # the Space's secret
TITLES = {"studio": "rlhf-kit studio", "compare": "Before and after RLHF", "rank": "Rank answers",
          "probe": "Fool a reward model", "vote": "Blind vote", "data": "Who agrees with whom",
          "train": "From ranks to a policy"}

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
named `{code}`, of at least 6 characters. What people label is in `data/labels.db`, which a Space forgets when it
restarts unless it has persistent storage; take it home in the Data panel before.
"""

APP = '''"""Starts {what} where Hugging Face expects it."""

import os
import sys

from rlhf_kit.cli import main

code = os.environ.get("{code}", "")
sys.exit(main(["studio", *{panels}, "--host", "0.0.0.0", "--port", "7860", "--class-code", code,
               "--data", "data"]))
'''


def write_space(name: str, folder: Path | str) -> list[Path]:
    """Write README.md, requirements.txt and app.py for one panel, or "studio" for all; what else is there stays.

    Raises: ValueError for a name that there is not; StorageError, also for somebody's own files of these names.
    """
    if name not in TITLES:
        raise ValueError(f"there is no panel {name!r}; expected one of {', '.join(TITLES)}.")
    panels = [] if name == "studio" else ["--panel", name]
    content = {"README.md": README.format(title=TITLES[name], sdk=SDK, repository=REPOSITORY, code=CODE),
               "requirements.txt": f"rlhf-kit[ui] @ git+{REPOSITORY}\n",
               "app.py": APP.format(what=TITLES[name], code=CODE, panels=panels)}
    return write_files(Path(folder).expanduser(), content)
