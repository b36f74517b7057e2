"""`rlhf-kit overoptimisation`: gold against drift while reward models of few and many comparisons are optimised."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK
from rlhf_kit.language import LANGS, Lang, say, system_language

if TYPE_CHECKING:
    from types import ModuleType

    from rich.table import Table


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    study = commands.add_parser("overoptimisation", help="where gold turns while a reward model is optimised: by its "
                                                         "comparisons, label noise, ensembles and KL price",
                                description="Reward models learn from few and many comparisons, without and with a "
                                            "quarter of the labels flipped; best-of-n and PPO please them, or the "
                                            "mean, the worst or the UWO of three. Run again, it goes on where it "
                                            "stopped; with more methods, sizes or seeds, what is there is kept.")
    study.add_argument("--methods", metavar="NAMES", help="some of them, such as best-of-n (default: best-of-n,ppo,"
                                                          "best-of-n-ensembles,ppo-ensembles)")
    study.add_argument("--sizes", metavar="NUMBERS", help="comparisons that reward models learn from (default: 200,"
                                                          "1000,4000,20000)")
    study.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    study.add_argument("--seeds", metavar="N", type=int, default=1, help="how many: 0, 1, … (default: 1)")
    study.add_argument("--output", metavar="DIR", default="runs/overoptimisation", help="where results go (default: "
                                                                                        "%(default)s)")
    study.add_argument("--lang", choices=LANGS, default=system_language(), help="of the page, and of the made-up "
                                                                                "reviews (default: the system's, "
                                                                                "%(default)s)")
    study.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    study.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    study.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make what is not there yet, and say what it shows and where the picture is."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit overoptimisation[/] {__version__}")
    from rlhf_kit.runs.folder import RunFolder
    from rlhf_kit.studies import overoptimisation as study
    from rlhf_kit.studies.frontier import resolved
    from rlhf_kit.studies.overoptimisation import page
    job = study.OveroptimisationJob(task=resolved(options.task, lang), lang=lang, seeds=options.seeds,
                                    methods=study.chosen(
                                        None if options.methods is None
                                        else [name.strip() for name in options.methods.split(",")]),
                                    sizes=study.sizes(options.sizes))
    console.print(say(lang, "overoptimisation_working", world=job.task, folder=options.output, seeds=options.seeds,
                      curves=len(job.curves)), markup=False, soft_wrap=True)
    showing.watch(job.run(options.output, options.fresh), lang, console, **job.numbers())
    result = RunFolder(options.output).result()
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    console.print(_table(page, result, lang))
    for sentence in page.headline(result, lang):
        console.print(sentence, markup=False, soft_wrap=True)
    showing.took(console, result, lang)
    written = {"page": "report.html", "picture": page.PICTURE, "numbers": "result.json"}
    console.print(say(lang, "frontier_written", **{what: Path(options.output, name) for what, name in written.items()}),
                  markup=False, soft_wrap=True)
    return 0


def _table(page: ModuleType, result: dict, lang: Lang) -> Table:
    """Every curve in a row."""
    from rich.table import Table
    table = Table(show_edge=False)
    for place, head in enumerate(page.heads(lang)[:6]):
        table.add_column(head, overflow="fold", justify="right" if 0 < place < 4 else "left", no_wrap=0 < place < 4)
    for curve in result["curves"]:
        table.add_row(*page.cells(curve, lang))
    return table
