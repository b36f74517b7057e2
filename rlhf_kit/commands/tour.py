"""`rlhf-kit tour`: the main job, from nothing to a report."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import TASK, labelled_columns, look_labelled, tracked, world_of
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.runs import trackers

if TYPE_CHECKING:
    from rlhf_kit.jobs.tour import TourJob


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    tour = commands.add_parser("tour", help="train a language model, a judge and a policy, and see what changed",
                               description="Trains a language model, a judge and a policy, and writes a report. "
                                           "Run again, it goes on where it stopped.")
    tour.add_argument("--lang", choices=LANGS, default=system_language(),
                      help="of the made-up reviews and of the report (default: the system's, %(default)s)")
    tour.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    tour.add_argument("--reviews", metavar="FILE", help="your own reviews: .csv, .tsv or .jsonl, plain or .gz")
    labelled_columns(tour)
    tour.add_argument("--judge", choices=("classifier", "ranked"), default="classifier",
                      help="learn the judge from labels, or from rankings as a reward model (default: %(default)s)")
    tour.add_argument("--output", metavar="DIR", default="runs/tour", help="where results go (default: %(default)s)")
    tour.add_argument("--kl", metavar="BETA", type=float,
                      help="KL coefficient (default: 0.04; 0.15 for your own reviews, in the loss)")
    tour.add_argument("--steps", metavar="N", type=int, help="PPO steps (default: 50; 70 for your own reviews)")
    tour.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, another run (default: 0)")
    tracked(tour)
    tour.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    tour.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    tour.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Make the tour, or show the one that is finished."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit tour[/] {__version__}")
    if not options.json:
        console.file.flush()                                # shown before the seconds that importing torch takes
    check_what(options)
    trackers.check(options.track)
    look_labelled(options.reviews, options)
    from rlhf_kit.jobs.tour import EVALUATED
    from rlhf_kit.runs import pipeline, report
    from rlhf_kit.runs.folder import RunFolder
    job = settings(options)
    if not options.fresh and pipeline.finished(job, options.output):
        console.print(say(lang, "finished", command=_again(options)), markup=False, soft_wrap=True)
    else:
        device = say(lang, "device_cpu", n=os.cpu_count())  # also where there is a GPU: models this small gain nothing
        console.print(say(lang, "here", lang_name=say(lang, "lang_name"), device=device))
        console.print(say(lang, "working", folder=options.output), markup=False)
        showing.watch(job.run(options.output, options.fresh, track=options.track), lang, console, n=EVALUATED)
    result = RunFolder(options.output).result()
    if options.json:
        print(json.dumps(result))
        return 0
    showing.texts(console, result["samples"][:4], lang)
    showing.measures(console, report.measures(result, lang), lang)
    for line in report.headline(result, lang):
        console.print(line)
    showing.took(console, result, lang)
    console.print(say(lang, "open_report", path=Path(options.output, "report.html")), markup=False,
                  soft_wrap=True)
    console.print(say(lang, "open_studio", command=report.studio_command(options.output)), markup=False,
                  soft_wrap=True)
    return 0


def check_what(options: argparse.Namespace) -> None:
    """Raises ValueError for options that contradict each other."""
    if options.reviews is not None and options.task is not None:
        raise ValueError("--task names a made-up world and --reviews a file of yours; a tour is about one of them. "
                         "Leave one out.")
    if options.reviews is not None and options.judge == "ranked":
        raise ValueError("--judge ranked learns from rankings, and a file of reviews has labels. Leave out --judge, or "
                         "train on rankings of yours with rlhf-kit train reward-model --rankings FILE.")
    if options.reviews is None and (options.text, options.label, options.positive, options.positive_from) != (
            "text", "label", None, None):
        raise ValueError("--text-column, --label-column, --positive and --positive-from are about a file of reviews, "
                         "and there is none. Name it with --reviews.")


def settings(options: argparse.Namespace) -> TourJob:
    """The tour that the options ask for. Raises: ValueError for values that mean nothing."""
    check_what(options)
    from rlhf_kit.jobs import tour
    if options.reviews is not None:
        found = tour.for_file(options.reviews, text=options.text, label=options.label, lang=options.lang,
                              positive=options.positive, positive_from=options.positive_from, seed=options.seed)
    else:
        lang, task = world_of(options)
        found = tour.embedded(lang, options.seed, options.judge, task)
    changed = found.ppo
    if options.kl is not None:
        changed = replace(changed, kl=replace(changed.kl, coefficient=options.kl))
    if options.steps is not None:
        changed = replace(changed, steps=options.steps)
    return replace(found, ppo=changed)


def _again(options: argparse.Namespace) -> str:
    """The command as the user typed it, but anew."""
    from rlhf_kit.runs import report
    changed = {name: value for name in ("kl", "steps") if (value := getattr(options, name)) is not None}
    changed |= {"output": options.output} if options.output != "runs/tour" else {}
    return f"{report.command(vars(options), **changed)} --fresh"
