"""`rlhf-kit lessons`: the notebooks, copied to where one works on them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language, typed
from rlhf_kit.storage import write_bytes

PACKAGE = Path(__file__).parents[1]


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    lessons = commands.add_parser("lessons", help="copy the lessons' notebooks into a folder",
                                  description="Copies the lessons' notebooks into a folder, to be worked on there. One "
                                              "that is there already stays as it is.")
    lessons.add_argument("folder", metavar="DIR", help="where they go; made if it is not there")
    lessons.add_argument("--lang", choices=LANGS, default=system_language(),
                         help="of the notebooks, and of what is printed (default: the system's, %(default)s)")
    lessons.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    lessons.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Copy what is not there yet, and say what was."""
    copied, kept = [], []
    for source in notebooks(options.lang):
        place = Path(options.folder).expanduser() / source.name
        if place.exists():
            kept.append(place)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(place, source.read_bytes())
        copied.append(place)
    if options.json:
        print(json.dumps({"copied": [str(place) for place in copied], "kept": [str(place) for place in kept]}))
        return 0
    console = showing.console_for(json=False)
    if copied:
        console.print(say(options.lang, "lessons_copied", n=len(copied), folder=options.folder,
                          command=typed(["jupyter", "lab", options.folder])), markup=False,
                      soft_wrap=True)
    if kept:
        console.print(say(options.lang, "lessons_kept", names=", ".join(place.name for place in kept)), markup=False,
                      soft_wrap=True)
    return 0


def notebooks(lang: str) -> list[Path]:
    """The lessons of that language: in the installed package, or in the clone that it runs from.

    Raises: ValueError if neither has them.
    """
    clone = PACKAGE.parent / "notebooks"
    for folder in (PACKAGE / "notebooks" / lang, clone if lang == "en" else clone / lang):
        if found := sorted(folder.glob("[0-9]*.ipynb")):
            return found
    raise ValueError("this installation has no notebooks. Install the kit anew (pip install --force-reinstall "
                     "rlhf-kit), or take them from its repository.")
