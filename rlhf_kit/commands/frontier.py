"""`rlhf-kit frontier`: every method on one world, from one start, with one reward model, in one picture."""

from __future__ import annotations

import argparse
from typing import Any

from rlhf_kit.commands import studies
from rlhf_kit.commands.choices import TASK
from rlhf_kit.language import say


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
    studies.add_options(frontier, "frontier", "made-up reviews", run)


def run(options: argparse.Namespace) -> int:
    """Make the points that are not there yet, and say where the picture is."""
    console, lang = studies.begun(options, "frontier"), options.lang
    from rlhf_kit.studies import frontier
    from rlhf_kit.studies.frontier import page
    job = frontier.FrontierJob(task=frontier.resolved(options.task, lang), lang=lang, seeds=options.seeds,
                               methods=frontier.chosen(options.methods))
    dials = {name.replace("-", "_"): len(method.values) for name, method in frontier.METHODS.items()}
    working = say(lang, "frontier_working", world=job.task, folder=options.output, seeds=options.seeds,
                  methods=len(job.methods), points=job.points)

    def show(result: dict[str, Any]) -> None:
        for point in result["points"]:
            console.print(page.row(point, lang), markup=False, soft_wrap=True)
    return studies.follow(console, options, job, page, working, show, **dials)
