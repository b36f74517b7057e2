"""`rlhf-kit human-loop`: a person types scores or picks, and the policy learns from each batch of them."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import unicodedata
from typing import TYPE_CHECKING

from rlhf_kit import __version__
from rlhf_kit.commands import showing
from rlhf_kit.commands.choices import (
    TASK,
    changes_in,
    check_models,
    device_of,
    renamed,
    small,
    template_option,
    tracked,
    world_of,
)
from rlhf_kit.commands.train import MODEL
from rlhf_kit.language import LANGS, say, system_language
from rlhf_kit.runs import trackers

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.formulas.records import Step
    from rlhf_kit.jobs.human_loop import HumanLoopJob, Item, Loop

PICKS = {"1": "1", "2": "2", "=": "tie", "t": "tie", "tie": "tie"}
SKIPS, UNDOES, QUITS, HELPS = ("s", "skip"), ("u", "undo"), ("q", "quit", "exit"), ("?", "h", "help")


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    human = commands.add_parser("human-loop", help="be the judge yourself: score responses, or pick the better of two",
                                description="Shows responses, reads your scores or picks from standard input, a line "
                                            "each, and makes a PPO update of every batch. Everything is saved at once. "
                                            "Run again, it goes on where it stopped.")
    human.add_argument("--model", help=f"{MODEL} (default: tiny-lm-en or tiny-lm-zh)")
    human.add_argument("--prompts", metavar="FILE", help=".txt, .csv, .tsv, .json, .jsonl or .parquet; prompts, or "
                                                         "conversations (default: openings of the made-up reviews)")
    template_option(human)
    human.add_argument("--prompt-column", dest="column", metavar="COLUMN", default="prompt",
                       help="its column of prompts (default: %(default)s)")
    renamed(human, "--column", "--prompt-column")
    human.add_argument("--mode", choices=("score", "pick"), default="score",
                       help="score each response from -2 to 2, or pick the better of two (default: %(default)s)")
    human.add_argument("--batch", metavar="N", type=int, default=6, help="ratings per update (default: %(default)s)")
    human.add_argument("--ratings", metavar="N", type=int, help="stop after so many (default: when you type q)")
    human.add_argument("--output", metavar="DIR", default="runs/human", help="where results go (default: %(default)s)")
    human.add_argument("--kl", dest="coefficient", metavar="BETA", type=float,
                      help="KL coefficient: what a nat of drift costs")
    human.add_argument("--epochs", metavar="N", type=int, help="passes over each batch")
    human.add_argument("--learning-rate", metavar="RATE", type=float, help="(default: by the model's size)")
    human.add_argument("--max-new-tokens", metavar="N", type=int, help="length of a response at most")
    human.add_argument("--seed", metavar="N", type=int, help="another seed, other responses (default: 0)")
    human.add_argument("--device", default="auto", help="cpu, cuda, ... (default: a GPU if there is one, unless the "
                                                        "model is tiny)")
    human.add_argument("--lang", choices=LANGS, default=system_language(),
                       help="of what is printed, and of the made-up reviews (default: the system's, %(default)s)")
    human.add_argument("--task", metavar="NAME", help=f"{TASK} (default: made-up reviews)")
    tracked(human)
    human.add_argument("--fresh", action="store_true",
                       help="throw away what is in the output folder, ratings included, and start anew")
    human.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    human.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask until enough was said, then show what changed."""
    console, lang = showing.console_for(options.json), options.lang
    console.print(f"[bold]rlhf-kit human-loop[/] {__version__}")
    if not options.json:
        console.file.flush()
    if options.ratings is not None and options.ratings < 1:
        raise ValueError(f"--ratings is {options.ratings}; it must be at least 1.")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="replace")
    check_models(options.model)
    trackers.check(options.track)
    if small(options.prompts):
        from rlhf_kit.datasets.door import OPTIONS, bring, named
        bring(options.prompts, "prompts", named(None, prompt=None if options.column == "prompt" else options.column),
              OPTIONS)
    from rlhf_kit.jobs import cores
    from rlhf_kit.runs.folder import RunFolder
    job = _job(options)
    console.print(say(lang, "training", model=job.model, device=job.device), markup=False)
    console.print(say(lang, "human_saved", folder=options.output), markup=False, soft_wrap=True)
    if (account := job.understood()) is not None:
        showing.lines(console, account.lines(lang))
    threads = None if options.threads_chosen else cores()
    with job.session(options.output, options.fresh, threads, track=options.track) as loop:
        showing.lines(console, [say(lang, key, **values) for key, values in loop.notes])
        if loop.followed is not None:
            key, values = loop.followed
            console.print(say(lang, key, **values), markup=False, soft_wrap=True)
        _talk(loop, options.ratings, lang, console)
        console.print(say(lang, "human_end"))
    result = RunFolder(options.output).result()
    if options.json:
        print(json.dumps(result))
        return 0
    if result["updates"]:
        showing.texts(console, result["samples"][:4], lang)
    console.print(say(lang, "human_result", **{name: result[name] for name in ("ratings", "updates", "kl")}))
    if result["waiting"]:
        console.print(say(lang, "human_waiting", n=result["waiting"]))
    folder = os.path.join(options.output, "policy")
    console.print(say(lang, "load_it", door="load_policy", folder=folder), markup=False, soft_wrap=True)
    return 0


def _job(options: argparse.Namespace) -> HumanLoopJob:
    from rlhf_kit import tasks
    from rlhf_kit.jobs import JOBS
    from rlhf_kit.tasks import tiny_name
    lang, task = world_of(options)
    if options.model is None:
        options.model = tiny_name("lm", f"reviews-{lang}" if task is None else tasks.find(task).name)
    return JOBS["human-loop"](
        model=options.model, prompts=options.prompts, column=options.column, template=options.template,
        mode=options.mode, batch=options.batch, lang=lang, task=task, device=device_of(options),
        changes=changes_in(options, "seed", "coefficient", "learning_rate", "epochs", "max_new_tokens"))


def _talk(loop: Loop, ratings: int | None, lang: str, console: Console) -> None:
    """Show and ask until `ratings` are given, the person quits, or the input ends."""
    console.print(say(lang, f"human_keys_{loop.mode}"), markup=False, soft_wrap=True)
    if loop.history or loop.waiting:
        console.print(say(lang, "human_goes_on", ratings=len(loop.ratings), updates=len(loop.history)))
    shown = None
    while ratings is None or len(loop.ratings) < ratings:
        if loop.item is not shown:
            shown = loop.item
            _show(shown, loop, lang, console)
        line = _line(console)
        if line is None or line in QUITS:
            return
        if line in HELPS:
            console.print(say(lang, f"human_keys_{loop.mode}"), markup=False, soft_wrap=True)
        elif line in UNDOES:
            console.print(say(lang, _undone(loop)))
        elif line:
            try:
                answer = loop.checked("skip" if line in SKIPS else PICKS.get(line, line))
            except ValueError:
                console.print(say(lang, f"human_wrong_{loop.mode}"), markup=False)
                continue
            _report(loop.answer(answer), loop, lang, console)
    _report(loop.learn(), loop, lang, console)


def _undone(loop: Loop) -> str:
    """Take something back, and what to say about it."""
    updates = len(loop.history)
    if not loop.undo():
        return "human_undo_nothing"
    return "human_undo_update" if len(loop.history) < updates else "human_undo_answer"


def _line(console: Console) -> str | None:
    """What was typed, in small letters and narrow digits; None at the end of the input."""
    if sys.stdin.isatty() and not console.quiet:
        console.file.write("> ")
    console.file.flush()
    line = sys.stdin.readline()
    return unicodedata.normalize("NFKC", line).strip().lower() if line else None


def _show(item: Item, loop: Loop, lang: str, console: Console) -> None:
    from rich.text import Text
    many = len(item.responses) > 1
    console.print(f"\n[bold]{say(lang, 'human_item', n=len(loop.ratings) + 1)}[/]")
    for number, response in enumerate(item.responses, 1):
        console.print(Text.assemble((f"{number}  ", "bold") if many else "",
                                    (showing.plain(loop.read(item.prompt)), "dim"),
                                    showing.plain(response)), soft_wrap=True)


def _report(step: Step | None, loop: Loop, lang: str, console: Console) -> None:
    """After an update: how the scores went and how far the policy is; after a batch that is all alike: why none."""
    if step is not None:
        trend = " → ".join(f"{past.metrics['score']:.2f}" for past in loop.history[-6:])
        key = "human_update" if loop.mode == "score" else "human_update_pick"
        console.print(say(lang, key, n=len(loop.history), trend=trend, kl=step.metrics["kl"]), style="green")
    elif len(loop.waiting) == loop.batch:
        console.print(say(lang, "human_alike", n=loop.batch))
