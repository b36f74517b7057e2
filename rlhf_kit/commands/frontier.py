"""`rlhf-kit frontier`: every method on one world, from one start, with one reward model, in one picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK
from rlhf_kit.language import LANGS, say, system_language


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    frontier = commands.add_parser("frontier", help="all methods in one picture: what the reward model says, and what "
                                                    "is true, against drift",
                                   description="Best-of-n, rejection-sampling SFT, ReST, PPO, A2C, RLOO, GRPO, DPO and "
                                               "KTO, each at several settings of its dial. Run again, it goes on where "
                                               "it stopped; with more methods or seeds, what is there is kept.")
    frontier.add_argument("--methods", metavar="NAMES", help="some of them, such as ppo,dpo (default: sft,best-of-n,"
                                                             "rs-sft,rest,ppo,a2c,rloo,grpo,dpo,kto)")
    frontier.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    frontier.add_argument("--seeds", metavar="N", type=int, default=1, help="how many: 0, 1, … (default: 1)")
    frontier.add_argument("--output", metavar="DIR", default="runs/frontier", help="where results go (default: "
                                                                                   "%(default)s)")
    frontier.add_argument("--lang", choices=LANGS, default=system_language(), help="of the page, and of the made-up "
                                                                                   "reviews (default: the system's, "
                                                                                   "%(default)s)")
    frontier.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    frontier.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    frontier.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the points that are not there yet, and say where the picture is."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit frontier[/] {__version__}")
    from rlhf_kit.runs.folder import RunFolder
    from rlhf_kit.studies import frontier
    from rlhf_kit.studies.frontier import page
    names = None if options.methods is None else [name.strip() for name in options.methods.split(",")]
    job = frontier.FrontierJob(task=frontier.resolved(options.task, lang), lang=lang, seeds=options.seeds,
                               methods=frontier.chosen(names))
    dials = {name.replace("-", "_"): len(method.values) for name, method in frontier.METHODS.items()}
    console.print(say(lang, "frontier_working", world=job.task, folder=options.output, seeds=options.seeds,
                      methods=len(job.methods), points=job.points), markup=False, soft_wrap=True)
    showing.watch(job.run(options.output, options.fresh), lang, console, **dials)
    result = RunFolder(options.output).result()
    if options.json:
        print(json.dumps(result, ensure_ascii=False))
        return 0
    for point in result["points"]:
        console.print(page.row(point, lang), markup=False, soft_wrap=True)
    for sentence in page.headline(result, lang):
        console.print(sentence, markup=False, soft_wrap=True)
    showing.took(console, result, lang)
    written = {"page": "report.html", "picture": page.PICTURE, "numbers": "result.json"}
    console.print(say(lang, "frontier_written", **{what: Path(options.output, name) for what, name in written.items()}),
                  markup=False, soft_wrap=True)
    return 0
