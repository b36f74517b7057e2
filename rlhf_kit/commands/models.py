"""`rlhf-kit models`: the names that work, what they are, and which of them are here already."""

from __future__ import annotations

import argparse
import json

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    models = commands.add_parser("models", help="list models by name",
                                 description="Lists the models that the kit knows by name. Any folder made by "
                                             "save_pretrained, and any name on the hub, will do as well.")
    models.add_argument("--lang", choices=LANGS, default=system_language(), help="of what is printed (%(default)s)")
    models.add_argument("--json", action="store_true", help="print a list of objects")
    models.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the table."""
    from rich.table import Table

    from rlhf_kit import zoo
    known = zoo.names()
    if options.json:
        print(json.dumps(known))
        return 0
    lang, console = options.lang, showing.console_for(json=False)
    table = Table(show_edge=False)
    for column in ("name", "lang", "here"):
        table.add_column(say(lang, f"models_{column}"), overflow="fold")
    for kind in ("writer", "judge", "reward_model"):
        table.add_section()
        table.add_row(f"[bold]{say(lang, f'models_{kind}')}[/]")
        for row in (row for row in known if row["kind"] == kind):
            here = "models_here_yes" if row["here"] else "models_here_train" if row["tiny"] else "models_here_fetch"
            label = f", --label {row['label']!r}" if row["label"] else ""
            about = say(lang, "models_tiny", task=zoo.task_of(row["name"])) if row["tiny"] else say(
                lang, f"models_{row['name']}")
            table.add_row(f"{row['name']}\n[dim]{about}{label}[/]", row["lang"], say(lang, here))
    console.print(table)
    console.print(say(lang, "models_note", cache=zoo.cache_folder()), markup=False, soft_wrap=True)
    return 0
