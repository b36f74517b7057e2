"""The front door: `rlhf-kit COMMAND`. Bad input gets one line and exit code 2; Ctrl-C loses nothing."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit import __version__
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.tour import Event, Settings, Tour

USER_ERRORS = (ValueError, OSError)         # FileError, RewardError, ModelUnavailable, StorageError are among them


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 the input is wrong, 130 stopped by Ctrl-C."""
    options = _parser().parse_args(arguments)
    _be_quiet()
    for stream in (sys.stdout, sys.stderr):                 # a console that cannot show Chinese gets ?, not an error
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print(f"\n{say(options.lang, 'stopped')}", file=sys.stderr)
        return 130
    except USER_ERRORS as error:
        if os.environ.get("RLHF_KIT_DEBUG"):
            raise
        print(f"rlhf-kit: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rlhf-kit", description="Learn RLHF by doing it.",
                                     epilog="RLHF_KIT_CACHE: where tiny models are kept. "
                                            "RLHF_KIT_DEBUG=1: show the traceback of an error.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    tour = commands.add_parser("tour", help="train a language model, a judge and a policy, and see what changed",
                               description="Trains a language model, a judge and a policy, and writes a report. "
                                           "Run again, it goes on where it stopped.")
    tour.add_argument("--lang", choices=LANGS, default=system_language(),
                      help="of the made-up reviews and of the report (default: the system's, %(default)s)")
    tour.add_argument("--reviews", metavar="FILE", help="your own reviews: .csv, .tsv or .jsonl, plain or .gz")
    tour.add_argument("--text", metavar="COLUMN", default="text", help="its column of texts (default: %(default)s)")
    tour.add_argument("--label", metavar="COLUMN", default="label", help="its column of labels (default: %(default)s)")
    tour.add_argument("--output", metavar="DIR", default="runs/tour", help="where results go (default: %(default)s)")
    tour.add_argument("--kl", metavar="BETA", type=float, help="price of a nat of drift (default: 0.04)")
    tour.add_argument("--steps", metavar="N", type=int, help="PPO steps (default: 50; 70 for your own reviews)")
    tour.add_argument("--positive", metavar="VALUE", help="the label of a good review, where its name does not say so")
    tour.add_argument("--seed", metavar="N", type=int, default=0, help="another seed, another run (default: 0)")
    tour.add_argument("--fresh", action="store_true", help="throw away what is in the output folder and start anew")
    tour.add_argument("--json", action="store_true", help="print the result as JSON and nothing else")
    tour.set_defaults(run=_tour)
    return parser


def _be_quiet() -> None:
    """Nothing but what a newcomer can use: the libraries' own switches, set before they are imported."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("OMP_NUM_THREADS", "1")           # two threads get in each other's way on tiny models


def _tour(options: argparse.Namespace) -> int:
    from rich.console import Console
    console = Console(quiet=options.json, highlight=False)
    console.print(f"[bold]rlhf-kit tour[/] {__version__}")
    if not options.json:
        console.file.flush()                                # shown before the seconds that importing torch takes
    from rlhf_kit.tour import Tour
    settings = _settings(options)
    tour = Tour(options.output, settings)
    if options.fresh:
        tour.start_anew()
    if tour.finished:
        console.print(say(options.lang, "finished", command=_again(options)), markup=False, soft_wrap=True)
    else:
        console.print(say(options.lang, "here", lang_name=say(options.lang, "lang_name"), device=_device(options.lang)))
        console.print(say(options.lang, "working", folder=options.output), markup=False)
        _watch(tour, options.lang, console)
    result = tour.result()
    if options.json:
        print(json.dumps(result))
    else:
        _show(console, result, options)
    return 0


def _settings(options: argparse.Namespace) -> Settings:
    from rlhf_kit import tour
    if options.reviews:
        settings = tour.for_file(options.reviews, text=options.text, label=options.label, lang=options.lang,
                                 positive=options.positive, seed=options.seed)
    else:
        settings = tour.embedded(options.lang, options.seed)
    changed = settings.ppo
    if options.kl is not None:
        changed = replace(changed, kl=replace(changed.kl, coefficient=options.kl))
    if options.steps is not None:
        changed = replace(changed, steps=options.steps)
    return replace(settings, ppo=changed)


def _watch(tour: Tour, lang: str, console: Console) -> None:
    """Run the tour behind progress bars with the time that is left; into a file, a line when a stage begins."""
    if not console.is_terminal:
        seen: set[str] = set()
        for event in tour.run():
            if event.stage not in seen:
                seen.add(event.stage)
                console.print(_title(event, lang))
                console.file.flush()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("[dim]{task.fields[note]}"))
    with Progress(*columns, console=console, transient=False) as progress:
        bars: dict[str, int] = {}
        for event in tour.run():
            if event.stage not in bars:
                bars[event.stage] = progress.add_task(_title(event, lang), total=event.total, note="")
            progress.update(bars[event.stage], completed=event.done, note=_note(event, lang))


def _title(event: Event, lang: str) -> str:
    from rlhf_kit.tour import EVALUATED
    about = say(lang, f"about_{event.stage}", **({"n": EVALUATED} if event.stage == "evaluate" else {}))
    return f"[bold]{say(lang, f'stage_{event.stage}')}[/] {about}"


def _note(event: Event, lang: str) -> str:
    if event.kept:
        return say(lang, "kept")
    known = {"step_metrics": ("score", "kl"), "accuracy_metrics": ("accuracy",), "loss_metrics": ("loss",)}
    for key, needed in known.items():
        if all(name in event.metrics for name in needed):
            return say(lang, key, **{name: event.metrics[name] for name in needed})
    return ""


def _show(console: Console, result: dict, options: argparse.Namespace) -> None:
    from rich.markup import escape
    from rich.table import Table

    from rlhf_kit import report
    lang = options.lang
    table = Table(show_lines=True, expand=True)
    table.add_column(say(lang, "column_before"), ratio=1, overflow="fold")
    table.add_column(say(lang, "column_after"), ratio=1, overflow="fold")
    for row in result["samples"][:4]:
        table.add_row(*(f"[dim]{escape(row[side]['prompt'])}[/]{escape(row[side]['response'])}\n"
                        f"[bold]{_marks(row[side], lang)}[/]" for side in ("before", "after")))
    console.print(table)
    numbers = Table(show_edge=False)
    for column in ("column_measure", "column_before", "column_after"):
        numbers.add_column(say(lang, column), justify="left" if column == "column_measure" else "right")
    for measure in report.measures(result, lang):
        numbers.add_row(measure["name"], measure["before"], measure["after"])
    console.print(numbers)
    for line in report.headline(result, lang):
        console.print(line)
    minutes, seconds = divmod(round(result["seconds"]), 60)
    console.print(say(lang, "took", minutes=f"{minutes}:{seconds:02d}", cpu=result["cpu_seconds"]))
    console.print(say(lang, "open_report", path=Path(options.output, "report.html")), markup=False)


def _marks(sample: dict, lang: str) -> str:
    return "  ".join(f"{say(lang, f'meter_{name}')} {sample[name]:.2f}"
                     for name in ("score", "gold", "second_judge") if name in sample)


def _device(lang: str) -> str:
    return say(lang, "device_cpu", n=os.cpu_count())        # also where there is a GPU: models this small gain nothing


def _again(options: argparse.Namespace) -> str:
    """The command as the user typed it, but anew."""
    from rlhf_kit import report
    changed = {name: value for name in ("kl", "steps") if (value := getattr(options, name)) is not None}
    changed |= {"output": options.output} if options.output != "runs/tour" else {}
    return f"{report.command(vars(options), **changed)} --fresh"


if __name__ == "__main__":
    sys.exit(main())
