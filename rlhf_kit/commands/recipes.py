"""What the commands of recipes share: options, how a run is followed, a column for each policy."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import changes_in, check_models, device_of, tracked
from rlhf_kit.datasets.sources import is_hub_name
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.runs import trackers

if TYPE_CHECKING:
    from rich.console import Console

PPO = ("coefficient", "steps", "batch_size", "minibatch_size", "learning_rate", "max_new_tokens")


def add_preset(method: argparse.ArgumentParser, stages: str) -> None:
    """At which scale, and how much of the recipe; `stages` in words."""
    method.add_argument("--preset", default="tiny", help="tiny: offline, on a CPU; colab: half a billion parameters, a "
                                                         "free GPU; 7b: one GPU of 80 GB (default: %(default)s)")
    method.add_argument("--stage", metavar="STAGE", help=f"only this one: {stages} (default: all, one after the other)")


def add_base(method: argparse.ArgumentParser) -> None:
    """What a run begins with."""
    method.add_argument("--template", metavar="NAME", help="how conversations of --data are written: own (the model's; "
                                                           "the default), chatml, llama-3, gemma, mistral, zephyr")
    method.add_argument("--model", help="another base: a folder, or a name on the Hugging Face hub")
    method.add_argument("--kl", dest="coefficient", metavar="BETA", type=float,
                        help="PPO: KL coefficient, what a nat of drift costs")


def add_ppo(method: argparse.ArgumentParser) -> None:
    """How long PPO learns, and from how much at a time."""
    method.add_argument("--steps", metavar="N", type=int, help="PPO: updates")
    method.add_argument("--batch-size", metavar="N", type=int, help="PPO: responses per step")
    method.add_argument("--minibatch-size", metavar="N", type=int, help="PPO: responses per gradient")
    method.add_argument("--learning-rate", metavar="RATE", type=float, help="PPO: of policy and critic")
    method.add_argument("--max-new-tokens", metavar="N", type=int, help="length of a response at most")


def add_run(method: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    """Where a run lies, how it is made, followed and shown."""
    method.add_argument("--output", metavar="DIR", required=True, help="where results go")
    method.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, another run (default: 0)")
    method.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless the "
                                                         "model is tiny)")
    method.add_argument("--lang", choices=LANGS, default=system_language(),
                        help="of what is printed, and of the made-up world (default: the system's, %(default)s)")
    tracked(method)
    method.add_argument("--fresh", action="store_true", help="throw away the run in the output folder and start anew")
    method.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    method.set_defaults(run=run)


def settings(options: argparse.Namespace, *changes: str) -> dict[str, Any]:
    """What every recipe's job takes, with PPO's changed settings, `changes` among them."""
    if options.preset == "tiny" and options.device == "auto":
        options.device = "cpu"
    return {"preset": options.preset, "model": options.model, "data": options.data, "template": options.template,
            "lang": options.lang, "seed": options.seed, "device": device_of(options),
            "changes": changes_in(options, *PPO, *changes)}


def follow(job: Any, options: argparse.Namespace,
           show: Callable[[Console, dict[str, Any], argparse.Namespace], None]) -> int:
    """Run the recipe, or show the run that is finished."""
    from rlhf_kit.jobs import cores
    from rlhf_kit.runs import pipeline
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit train {job.name}[/] {__version__}")
    if not options.fresh and pipeline.finished(job, options.output):
        console.print(say(lang, "train_finished"))
    else:
        console.print(say(lang, "recipe_begins", base=job.settings().base, device=job.device), markup=False,
                      soft_wrap=True)
        console.print(say(lang, "working", folder=options.output), markup=False)
        threads = None if options.threads_chosen else cores()
        showing.watch(job.run(options.output, options.fresh, threads, stage=options.stage, track=options.track), lang,
                      console, n=job.settings().held_out)
    return showing.outcome(console, options, show)


def check(options: argparse.Namespace, read: Callable[[str], object], hub: bool = False) -> None:
    """A slip in a name or in --data is told before the seconds that torch takes. Raises: FileError, one line.

    With `hub` --data may name a set there, which nothing here opens.
    """
    check_models(options.model)
    trackers.check(options.track)
    if options.data is not None and not (hub and is_hub_name(options.data)):
        read(options.data)


def policies(console: Console, found: dict[str, Any], lang: str) -> None:
    """A column for each policy, a row for each measure."""
    from rich.table import Table

    from rlhf_kit.runs.stages_report import MEASURES, called, cell
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    for name in found:
        table.add_column(called(name, lang), justify="right", no_wrap=True)
    for measure in MEASURES:
        seen = [one["scores"].get(measure, one.get(measure)) for one in found.values()]
        if seen[0] is not None:
            table.add_row(say(lang, f"measure_{measure}"), *(cell(x, short=len(found) > 3) for x in seen))
    console.print(table)


def where(console: Console, options: argparse.Namespace) -> None:
    """Where the pictures are, and how the policy is loaded."""
    lang, folder = options.lang, options.output
    console.print(say(lang, "recipe_report", file=f"{folder}/report.html"), markup=False, soft_wrap=True)
    console.print(say(lang, "load_it", door="load_policy", folder=f"{folder}/policy"), markup=False, soft_wrap=True)
