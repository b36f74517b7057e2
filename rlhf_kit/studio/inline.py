"""A panel below a notebook's cell, or how to start it where that cannot be."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.language import Lang, say
from rlhf_kit.studio import PANELS

if TYPE_CHECKING:
    from rlhf_kit.models.heads import Policy

SWITCH = "RLHF_KIT_PANELS"          # "off" where a program runs the notebook: nobody would see it

_open: dict[str, tuple] = {}        # panel -> pages, workspace and saved policies of the cell that has opened it


def panel(name: str, lang: Lang = "en", *, models: Sequence[str | Path] | Mapping[str, Policy] = (),
          folder: str | Path = "runs/studio") -> None:
    """Show a panel of the studio below the cell: "compare", "rank", "probe", "vote", "data" or "train".

    It is served to this machine only, until the kernel stops; the same cell again opens it anew. Where Gradio is not
    installed, or `RLHF_KIT_PANELS=off` says that nobody looks, the command that starts it is printed instead.

    Args:
        models: what to offer besides the tiny ones: folders or names, or policies of this notebook by name, as they
            are now. The first is where the drift of the others is measured from.
        folder: where labels and runs are kept.

    Raises: ValueError for a panel that there is not.
    """
    if name not in PANELS:
        raise ValueError(f"there is no panel {name!r}; expected one of {', '.join(PANELS)}.")
    command = f"rlhf-kit studio --panel {name} --lang {lang}"
    if os.environ.get(SWITCH, "").lower() == "off":
        print(say(lang, "panel_off", command=command))
        return
    if importlib.util.find_spec("gradio") is None:
        print(say(lang, "panel_missing", command=command))
        return
    from rlhf_kit.studio.serving import prepare
    prepare()
    from rlhf_kit.studio import pages
    from rlhf_kit.studio.workspace import Workspace
    close(name)
    saved = tempfile.TemporaryDirectory(prefix="rlhf-kit-")
    workspace = Workspace(folder, _named(models, Path(saved.name)))
    pages, address = pages.serve(workspace, [name], inline=True, lang=lang)
    _open[name] = (pages, workspace, saved)
    print(say(lang, "panel_open", address=address, command=command))


def close(name: str) -> None:
    """Close the panel that a cell has opened; nothing happens if there is none."""
    if name in _open:
        pages, workspace, saved = _open.pop(name)
        pages.close(verbose=False)
        workspace.close()
        saved.cleanup()


def _named(models: Sequence[str | Path] | Mapping[str, Policy], folder: Path) -> list[str]:
    """Folders and names; policies are saved in folders of their names."""
    if not isinstance(models, Mapping):
        return [str(model) for model in models]
    from rlhf_kit.zoo import save_policy
    for name, policy in models.items():
        save_policy(policy, folder / name)
    return [str(folder / name) for name in models]
