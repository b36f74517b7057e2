"""`rlhf-kit labs`: SFT and the recipes of three labs from one base, with one budget of labels, on one examination."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rlhf_kit.commands import studies
from rlhf_kit.language import Lang, say

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
    studies.add_options(labs, "labs", "made-up assistant's world", run)


def run(options: argparse.Namespace) -> int:
    """Make what is not there yet, and say what came of it."""
    console, lang = studies.begun(options, "labs"), options.lang
    from rlhf_kit.studies import labs
    from rlhf_kit.studies.labs import page
    job = labs.LabsJob(lang=lang, seeds=options.seeds, labs=labs.chosen(options.labs))
    budget = f"{job.size.budget:,}"
    called = say(lang, "labs_comma").join(say(lang, f"labs_name_{name}") for name in job.labs)
    working = say(lang, "labs_working", base=job.base, budget=budget, labs=called, seeds=options.seeds,
                  folder=options.output)
    return studies.follow(console, options, job, page, working, lambda result: _table(console, result, lang),
                          budget=budget)


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
