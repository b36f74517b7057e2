"""A panel below a notebook's cell, or how to start it where that cannot be."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.language import Lang, say, typed
from rlhf_kit.studio import PANELS

if TYPE_CHECKING:
    from rlhf_kit.models.heads import Policy, RewardModel
    from rlhf_kit.studio.opening import Opening

SWITCH = "RLHF_KIT_PANELS"          # "off" where a program runs the notebook: nobody would see it
# A frame that a cell shows becomes as high as its page says it is (page.js), within reason; no other frame is touched.
FITS = """<script>
if (!window.rlhfKitFits) {
    window.rlhfKitFits = true;
    window.addEventListener('message', event => {
        const height = event.data && event.data.rlhfKitHeight;
        if (!Number.isFinite(height)) return;
        for (const frame of document.querySelectorAll('iframe'))
            if (frame.contentWindow === event.source) frame.style.height = Math.min(Math.max(height, 160), 900) + 'px';
    });
}
</script>"""
FOLDER = "runs/studio"              # the studio's own, where no other is named

_open: dict[str, tuple] = {}        # panel -> pages and workspace of the cell that has opened it


def panel(name: str, lang: Lang = "en", *, models: Mapping[str, Policy | RewardModel | str | Path] | None = None,
          prompts: Sequence[str] = (), task: str | None = None, lists: Iterable[tuple[str, Sequence[str]]] = (),
          folder: str | Path = FOLDER) -> None:
    """Show a panel of the studio below the cell: "compare", "rank", "probe", "vote", "data" or "train".

    It is served to this machine only, until the kernel stops; the same cell again opens it anew. Where Gradio is not
    installed, or `RLHF_KIT_PANELS=off` says that nobody looks, the command that starts it is printed instead: it opens
    with the same models, for they are kept in `folder`.

    Args:
        models: what to offer besides the tiny ones, by name: models of this notebook as they are now, folders, or
            names. The drift of policies is measured from the first; the first that scores is the judge.
        prompts: to choose from, instead of the panel's own; of the panel "probe" the text to begin with.
        task: the world that the truth is known of, such as "forum-en"; None = reviews in the page's language.
        lists: (prompt, responses), to be ranked.
        folder: where labels, runs and these models are kept.

    Raises: ValueError for a panel that there is not; StorageError where nothing can be kept.
    """
    if name not in PANELS:
        raise ValueError(f"there is no panel {name!r}; expected one of {', '.join(PANELS)}.")
    from rlhf_kit.studio import opening
    close(name)
    if models or prompts or task:
        opening.Opening(task, _kept(models or {}, Path(folder) / "models"), tuple(prompts)).write(folder)
    if lists := list(lists):
        from rlhf_kit.labels import Labels
        with Labels(Path(folder) / "labels.db") as labels:
            labels.add_tasks(lists, kind="rank")
    elsewhere = [] if str(folder) == FOLDER else ["--data", Path(folder).as_posix()]
    command = typed(["rlhf-kit", "studio", "--panel", name, "--lang", lang, *elsewhere])
    if os.environ.get(SWITCH, "").lower() == "off":
        print(say(lang, "panel_off", command=command))
    elif importlib.util.find_spec("gradio") is None:
        print(say(lang, "panel_missing", command=command))
    else:
        address = _serve(name, lang, folder, opening.read(folder))
        print(say(lang, "panel_open", address=address, command=command))


def _serve(name: str, lang: Lang, folder: str | Path, begins: Opening) -> str:
    from rlhf_kit.studio.serving import prepare
    prepare()
    from rlhf_kit.studio import pages
    from rlhf_kit.studio.workspace import Workspace
    from rlhf_kit.studio.worlds import world_of
    workspace = Workspace(folder, begins.models, world=world_of(begins.task), prompts=begins.prompts)
    served, address = pages.serve(workspace, [name], inline=True, lang=lang)
    _open[name] = (served, workspace)
    if importlib.util.find_spec("IPython") is not None:
        from IPython.display import HTML, display
        display(HTML(FITS))
    return address


def close(name: str) -> None:
    """Close the panel that a cell has opened; nothing happens if there is none."""
    if name in _open:
        pages, workspace = _open.pop(name)
        pages.close(verbose=False)
        workspace.close()


def _kept(models: Mapping[str, Policy | RewardModel | str | Path], folder: Path) -> dict[str, str]:
    """The name of each -> its place; a model of this notebook is saved in a folder of its name."""
    places = {}
    for name, model in models.items():
        if isinstance(model, str | Path):
            found = Path(model).expanduser()
            places[name] = str(found.resolve()) if found.is_dir() else str(model)
            continue
        from rlhf_kit import zoo
        from rlhf_kit.models.heads import RewardModel
        place = (folder / name).resolve()
        (zoo.save_reward_model if isinstance(model, RewardModel) else zoo.save_policy)(model, place)
        places[name] = str(place)
    return places
