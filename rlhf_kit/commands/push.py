"""`rlhf-kit push RUN REPO`: a run's model and its card, on the Hugging Face hub or in a folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rlhf_kit.runs.publish import Parcel


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    push = commands.add_parser("push", help="share a run's model on the Hugging Face hub, with a model card",
                               description="Writes a model card (what the model learned from, numbers before and "
                                           "after, samples, the command, licences) and uploads it with what a model "
                                           "needs, in one commit: no checkpoints, no data.")
    push.add_argument("run_folder", metavar="RUN", help="the folder of a finished run")
    push.add_argument("repo", metavar="REPO", help="OWNER/NAME on the hub, or NAME of your own")
    push.add_argument("--dry-run", action="store_true", help="write everything that would go into a folder; nothing is "
                                                             "uploaded and nobody asked")
    push.add_argument("--output", metavar="DIR", help="that folder (default: RUN/hub)")
    push.add_argument("--private", action="store_true", help="a new repository that only you can see")
    push.add_argument("--license", metavar="ID", help="the model's licence, as the hub calls it, such as apache-2.0 "
                                                      "(default: that of the base and the data, where both are known)")
    push.add_argument("--samples", action="store_true", help="show samples in the card though they answer prompts of "
                                                             "your own; of made-up prompts they are shown anyway")
    push.add_argument("--lang", choices=LANGS, default=system_language(), help="of the card and of what is printed "
                                                                               "(default: the system's, %(default)s)")
    push.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    push.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Say what goes, and let it go."""
    if options.output is not None and not options.dry_run:
        raise ValueError("--output is where --dry-run writes, and it is not given. Add it, or leave --output out.")
    from rlhf_kit.commands.typed import command_of
    from rlhf_kit.runs import card, publish
    from rlhf_kit.runs.lineage import settings_in
    publish.check_name(options.repo)
    with publish.packed(options.run_folder) as what:
        place, lang = Path(options.run_folder).expanduser(), options.lang
        command = command_of(settings_in(place), f"runs/{place.absolute().name}")
        text, notes = card.write(place, options.repo, lang, command=command, size=what.size, adapter=what.adapter,
                                 licence=options.license, samples=options.samples, ask=not options.dry_run)
        if what.merged_into is not None:
            notes = [("push_merged", {"base": Path(what.merged_into).name, "dtype": what.dtype}), *notes]
        return _send(options, what, text, notes)


def _send(options: argparse.Namespace, what: Parcel, text: str, notes: list[tuple[str, dict[str, Any]]]) -> int:
    """Say it all, then write or upload."""
    from rlhf_kit.runs import publish
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit push[/] {__version__}")
    for key, values in [("push_goes", {"files": ", ".join((publish.CARD, *what.goes)), "size": what.size / 1e6}),
                        *([("push_stays", {"files": ", ".join(what.stays)})] if what.stays else []), *notes]:
        console.print(say(lang, key, **values), markup=False, soft_wrap=True)
    told = {"repo": options.repo, "files": [publish.CARD, *what.goes], "left_out": list(what.stays),
            "private": options.private, "notes": [key for key, _ in notes]}
    if options.dry_run:
        folder = publish.write(what, text, options.output or Path(options.run_folder).expanduser() / "hub")
        told["folder"] = str(folder)
        console.print(say(lang, "push_written", folder=folder), markup=False, soft_wrap=True)
    else:
        told["url"] = publish.upload(what, text, options.repo, private=options.private,
                                     message=f"A model trained with rlhf-kit {__version__}")
        console.print(say(lang, "push_done", url=told["url"]), markup=False, soft_wrap=True)
    if options.json:
        print(json.dumps(told))
    return 0
