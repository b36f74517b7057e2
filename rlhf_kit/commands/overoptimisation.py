"""`rlhf-kit overoptimisation`: gold against drift while reward models of few and many comparisons are optimised."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rlhf_kit.commands import studies
from rlhf_kit.commands.choices import TASK
from rlhf_kit.language import Lang, say

if TYPE_CHECKING:
    from types import ModuleType

    from rich.table import Table


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    study = commands.add_parser("overoptimisation", help="where gold turns while a reward model is optimised: by its "
                                                         "comparisons, label noise, ensembles and KL coefficient",
                                description="Reward models learn from few and many comparisons, without and with a "
                                            "quarter of the labels flipped; best-of-n and PPO please them, or the "
                                            "mean, the worst or the UWO of three. Run again, it goes on where it "
                                            "stopped; with more methods, sizes or seeds, what is there is kept.")
    study.add_argument("--methods", metavar="NAMES", help="some of them, such as best-of-n (default: best-of-n,ppo,"
                                                          "best-of-n-ensembles,ppo-ensembles)")
    study.add_argument("--sizes", metavar="NUMBERS", help="comparisons that reward models learn from (default: 200,"
                                                          "1000,4000,20000)")
    study.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    studies.add_options(study, "overoptimisation", "made-up reviews", run)


def run(options: argparse.Namespace) -> int:
    """Make what is not there yet, and say what it shows and where the picture is."""
    console, lang = studies.begun(options, "overoptimisation"), options.lang
    from rlhf_kit.studies import overoptimisation as study
    from rlhf_kit.studies.frontier import resolved
    from rlhf_kit.studies.overoptimisation import page
    job = study.OveroptimisationJob(task=resolved(options.task, lang), lang=lang, seeds=options.seeds,
                                    methods=study.chosen(options.methods), sizes=study.sizes(options.sizes))
    working = say(lang, "overoptimisation_working", world=job.task, folder=options.output, seeds=options.seeds,
                  curves=len(job.curves))
    return studies.follow(console, options, job, page, working,
                          lambda result: console.print(_table(page, result, lang)), **job.numbers())


def _table(page: ModuleType, result: dict, lang: Lang) -> Table:
    """Every curve in a row."""
    from rich.table import Table
    table = Table(show_edge=False)
    for place, head in enumerate(page.heads(lang)[:6]):
        table.add_column(head, overflow="fold", justify="right" if 0 < place < 4 else "left", no_wrap=0 < place < 4)
    for curve in result["curves"]:
        table.add_row(*page.cells(curve, lang))
    return table
