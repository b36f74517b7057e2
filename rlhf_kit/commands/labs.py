"""`rlhf-kit labs`: SFT and the recipes of three labs from one base, with one budget of labels, on one examination."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, Lang, say, system_language

if TYPE_CHECKING:
    from rich.console import Console


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    labs = commands.add_parser("labs", help="InstructGPT, Anthropic and Sparrow from one base, with one budget of "
                                            "labels, side by side",
                               description="SFT and the recipes of three labs, then one examination of all: help, "
                                           "honesty, harm, rules, refusals, invented facts, drift, tax and cost. Run "
                                           "again, it goes on where it stopped; with more labs or seeds, what is there "
                                           "is kept.")
    labs.add_argument("--labs", metavar="NAMES", help="some of them, such as sft,sparrow (default: sft,instructgpt,"
                                                      "anthropic,sparrow)")
    labs.add_argument("--seeds", metavar="N", type=int, default=1, help="how many: 0, 1, … (default: 1)")
    labs.add_argument("--output", metavar="DIR", default="runs/labs", help="where results go (default: %(default)s)")
    labs.add_argument("--lang", choices=LANGS, default=system_language(), help="of the page, and of the made-up "
                                                                               "assistant's world (default: the "
                                                                               "system's, %(default)s)")
    labs.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    labs.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    labs.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make what is not there yet, and say what came of it."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit labs[/] {__version__}")
    from rlhf_kit.runs.folder import RunFolder
    from rlhf_kit.studies import labs
    from rlhf_kit.studies.labs import page
    chosen = None if options.labs is None else [name.strip() for name in options.labs.split(",")]
    job = labs.LabsJob(lang=lang, seeds=options.seeds, labs=labs.chosen(chosen))
    budget = f"{job.size.budget:,}"
    called = say(lang, "labs_comma").join(say(lang, f"labs_name_{name}") for name in job.labs)
    console.print(say(lang, "labs_working", base=job.base, budget=budget, labs=called, seeds=options.seeds,
                      folder=options.output), markup=False, soft_wrap=True)
    showing.watch(job.run(options.output, options.fresh), lang, console, budget=budget)
    result = RunFolder(options.output).result()
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    _table(console, result, lang)
    for sentence in page.headline(result, lang):
        console.print(sentence, markup=False, soft_wrap=True)
    showing.took(console, result, lang)
    written = {"page": "report.html", "picture": page.PICTURE, "numbers": "result.json"}
    console.print(say(lang, "labs_written", **{what: Path(options.output, name) for what, name in written.items()}),
                  markup=False, soft_wrap=True)
    return 0


def _table(console: Console, result: dict[str, Any], lang: Lang) -> None:
    """A column for each policy, a row for each measure."""
    from rich.table import Table

    from rlhf_kit.studies.labs import page
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    for name in page.names(result, lang).values():
        table.add_column(name, justify="right")
    for name, cells in page.measured(result, lang):
        table.add_row(name, *cells)
    console.print(table)
