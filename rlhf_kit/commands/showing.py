"""How a run is shown while it goes on, and what it changed: progress bars, texts side by side, a table of measures."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from itertools import takewhile
from time import monotonic
from typing import TYPE_CHECKING, Any

from rlhf_kit.language import Lang, say

if TYPE_CHECKING:
    import argparse

    from rich.console import Console

    from rlhf_kit.runs.folder import Event


MEASURED = 2.0                      # seconds of a stage, before the rest of it is estimated
WORTH_TELLING = 60.0                # seconds that are left


def console_for(json: bool) -> Console:
    """Where a command writes; silent where the result is for a machine."""
    from rich.console import Console
    return Console(quiet=json, highlight=False)


def outcome(console: Console, options: argparse.Namespace, show: Callable[..., None]) -> int:
    """The end of a command that trains: the result as JSON or as `show` shows it, or that a stage alone is done."""
    from rlhf_kit.runs.folder import RunFolder
    place = RunFolder(options.output)
    if not place.finished:
        console.print(say(options.lang, "stack_stage_done", stage=options.stage, folder=options.output), soft_wrap=True)
    elif options.json:
        print(json.dumps(place.result()))
    else:
        show(console, place.result(), options)
    return 0


def watch(events: Iterable[Event], lang: Lang, console: Console, *, clock: Callable[[], float] = monotonic,
          **numbers: object) -> None:
    """Iterate a run behind progress bars; into a file, a line when a stage begins.

    Once a few updates of a stage have been measured, a line says how long the rest will take, if that is a minute or
    more. `numbers` fill the `{fields}` in the stages' descriptions.
    """
    title, left = partial(_title, lang=lang, numbers=numbers), _Left(clock)
    if not console.is_terminal:
        seen: set[str] = set()
        for event in events:
            if event.note is not None:
                note(console, event, lang)
                continue
            if event.stage not in seen:
                seen.add(event.stage)
                console.print(title(event.stage))
                console.file.flush()
            if (seconds := left.after(event)) is not None:
                console.print(_estimate(seconds, lang))
                console.file.flush()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeRemainingColumn(),
               TextColumn("[dim]{task.fields[note]}"))
    with Progress(*columns, console=console, transient=False) as progress:
        bars: dict[str, int] = {}
        for event in events:
            if event.note is not None:
                note(progress.console, event, lang)
                continue
            if event.stage not in bars:
                bars[event.stage] = progress.add_task(title(event.stage), total=event.total, note="")
            progress.update(bars[event.stage], completed=event.done, note=_note(event, lang))
            if (seconds := left.after(event)) is not None:
                progress.console.print(_estimate(seconds, lang))


class _Left:
    """How long the rest of a stage takes, by its first updates here; those of before a stop come back in no time.

    The very first is not counted: what is loaded with it takes many times as long as what it does.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.stage, self.told = clock, None, False

    def after(self, event: Event) -> float | None:
        """Seconds, once for each stage: when two have gone by and an update is done; None at all other times."""
        now = self.clock()
        if event.stage != self.stage:
            self.stage, self.told, self.each = event.stage, event.kept, []
            self.began = self.last = now
            self.done, self.warm = event.done, False
            return None
        steps = event.done - self.done
        if steps > 0:
            if self.warm:
                self.each.append((now - self.last) / steps)
            elif not event.kept:
                self.warm, self.began = True, now
            self.last, self.done = now, event.done
        if self.told or not self.each or now - self.began < MEASURED:
            return None
        self.told = True
        usual = list(takewhile(lambda seconds: seconds > 0.1 * max(self.each), reversed(self.each)))
        seconds = sum(usual) / max(len(usual), 1) * (event.total - event.done)
        return seconds if seconds >= WORTH_TELLING else None


def _estimate(seconds: float, lang: Lang) -> str:
    """In words, rounded as far as an estimate goes."""
    if seconds < 90 * 60:
        return say(lang, "left_minutes" if seconds >= 90 else "left_minute", n=round(seconds / 60))
    return say(lang, "left_hours", n=f"{seconds / 3600:.1f}")


def note(console: Console, event: Event, lang: Lang) -> None:
    """Something that a run says before it begins."""
    key, values = event.note
    console.print(say(lang, key, **values), markup=False, soft_wrap=True)


def lines(console: Console, said: Iterable[str]) -> None:
    """What was understood of a person's file, a line each."""
    for line in said:
        console.print(plain(line), markup=False, soft_wrap=True)


def _title(stage: str, lang: Lang, numbers: dict[str, object]) -> str:
    name, _, seed = stage.partition("@")                        # of the second seed on it is said
    which = f" ({say(lang, 'stage_seed', seed=seed)})" if seed not in ("", "0") else ""
    return f"[bold]{say(lang, f'stage_{name}')}[/]{which} {say(lang, f'about_{name}', **numbers)}"


def _note(event: Event, lang: Lang) -> str:
    if event.kept:
        return say(lang, "kept")
    known = {"step_metrics": ("score", "kl"), "accuracy_metrics": ("accuracy",), "pair_metrics": ("pair_accuracy",),
             "loss_metrics": ("loss",)}
    for key, needed in known.items():
        if all(name in event.metrics for name in needed):
            return say(lang, key, **{name: event.metrics[name] for name in needed})
    return ""


def texts(console: Console, samples: list[dict[str, Any]], lang: Lang, score: str = "meter_score",
          titles: tuple[str, str] | None = None) -> None:
    """Responses before and after, side by side, with their scores; `score` is what the score is called.

    `titles` stand above the two instead, where they are no before and after.
    """
    from rich.table import Table
    from rich.text import Text
    table = Table(show_lines=True, expand=True)
    for title in titles or (say(lang, "column_before"), say(lang, "column_after")):
        table.add_column(Text(title), ratio=1, overflow="fold")
    for row in samples:
        table.add_row(*(Text.assemble((plain(row[side]["prompt"]), "dim"), plain(row[side]["response"]),
                                      (_marks(row[side], lang, score), "bold")) for side in ("before", "after")))
    console.print(table)


def plain(text: str) -> str:
    """A model's text for a terminal: what would steer it (escapes, bells, turned writing) becomes �, the rest stays."""
    steering = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
    return "".join("�" if unicodedata.category(c) in steering and c not in "\n\t" else c for c in text)


def measures(console: Console, rows: list[dict[str, str]], lang: Lang,
             after: str = "column_after") -> None:
    """A table of numbers before and after, from `report.measures`."""
    from rich.table import Table
    table = Table(show_edge=False)
    for column in ("column_measure", "column_before", after):
        name = column == "column_measure"
        table.add_column(say(lang, column), justify="left" if name else "right", no_wrap=not name)
    for row in rows:
        table.add_row(row["name"], row["before"], row["after"])
    console.print(table)


def values(console: Console, rows: list[tuple[str, str]], lang: Lang, column: str = "column_value") -> None:
    """A table of names and numbers; `column` is what the numbers are called."""
    from rich.table import Table
    table = Table(show_edge=False)
    table.add_column(say(lang, "column_measure"))
    table.add_column(say(lang, column), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def few(console: Console, n: int, lang: Lang) -> None:
    """A warning, if so few were examined that the numbers say little."""
    from rlhf_kit.evaluate import FEW
    if n < FEW:
        console.print(say(lang, "few_examined", n=n, few=FEW), soft_wrap=True)


def took(console: Console, result: dict[str, Any], lang: Lang) -> None:
    """How long it took, and how much of the processor."""
    minutes, seconds = divmod(round(result["seconds"]), 60)
    console.print(say(lang, "took", minutes=f"{minutes}:{seconds:02d}", cpu=result["cpu_seconds"]))


def _marks(sample: dict[str, Any], lang: Lang, score: str) -> str:
    labels = {"score": score, "gold": "meter_gold", "second_judge": "meter_second_judge"}
    marks = [f"{say(lang, label)} {sample[name]:.2f}" for name, label in labels.items() if name in sample]
    return "\n" * bool(marks) + "  ".join(marks)
