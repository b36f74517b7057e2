"""The metrics that runs left, over each other: read back, smoothed, drawn, and what the settings differ in."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__
from rlhf_kit.language import Lang, did_you_mean, say
from rlhf_kit.plots import overlay, run_colours, save, svg
from rlhf_kit.runs.folder import flat
from rlhf_kit.storage import StorageError, check_replaces, write_text

Rows = Sequence[Mapping[str, Any]]
FIRST = ("score", "gold", "second_judge", "kl", "loss", "pair_accuracy", "accuracy", "entropy", "response_length",
         "eos_rate")                # what most people look at, in this order; other metrics are drawn when asked for
LAST = 10                           # steps whose mean is a run's last value
PAGE = "<!doctype html>"
PICTURES = (".png", ".svg", ".html")


def read(folder: str | Path) -> list[dict[str, Any]]:
    """The lines of a run's metrics.jsonl; a run that goes on has those that it wrote so far.

    Raises: StorageError, one line, if it is no run's folder or holds no step.
    """
    place = Path(folder).expanduser()
    try:
        lines = (place / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        near = place if place.is_dir() else place.parent
        there = sorted(str(file.parent) for file in near.glob("*/metrics.jsonl"))
        hint = f" Runs lie in {', '.join(there[:6])}." if there else ""
        raise StorageError(f"{folder} is no run with steps: it has no metrics.jsonl. Name a folder that rlhf-kit "
                           f"trained into.{hint}") from error
    rows = [_row(place / "metrics.jsonl", number, line) for number, line in enumerate(lines, 1)]
    if not rows:
        raise StorageError(f"{place / 'metrics.jsonl'} holds no step yet; wait until the run has taken some.")
    return rows


def named(folders: Sequence[str | Path]) -> dict[str, Path]:
    """Each run under the shortest end of its path that tells it apart. Raises: ValueError for one named twice."""
    places = [Path(folder).expanduser() for folder in folders]
    parts = [place.absolute().parts for place in places]
    if twice := {part for part in parts if parts.count(part) > 1}:
        raise ValueError(f"{Path(*min(twice))} is named twice; name each run once.")
    length = next(n for n in range(1, max(map(len, parts)) + 1) if len({part[-n:] for part in parts}) == len(parts))
    return {"/".join(part[-length:]): place for part, place in zip(parts, places, strict=True)}


def chosen(runs: Mapping[str, Rows], wanted: Sequence[str] | None = None) -> list[str]:
    """The metrics to be drawn: those asked for, or those of `FIRST` that some run has, or all of another method's.

    Raises: ValueError, one line, for a name that no run has.
    """
    there = list(dict.fromkeys(name for rows in runs.values() for row in rows for name, value in row.items()
                               if name != "step" and isinstance(value, int | float)))
    for name in wanted or ():
        if name not in there:
            raise ValueError(f"--metrics names {name!r}, which no run has. {did_you_mean(name, there)}There are "
                             f"{', '.join(there)}.")
    return list(dict.fromkeys(wanted)) if wanted else [name for name in FIRST if name in there] or there[:len(FIRST)]


def series(rows: Rows, name: str, smooth: int = 1) -> tuple[list[int], list[float]]:
    """Steps and values of a metric, each value the mean of the last `smooth` ones; what is no finite number is left
    out."""
    points = [(row["step"], float(row[name])) for row in rows if _finite(row.get(name))]
    values = [value for _, value in points]
    means = [sum(values[max(i - smooth + 1, 0):i + 1]) / min(i + 1, smooth) for i in range(len(values))]
    return [step for step, _ in points], means


def write(file: str | Path, runs: Mapping[str, Path], metrics: Sequence[str] | None = None, smooth: int = 1,
          lang: Lang = "en") -> dict[str, Any]:
    """Draw the runs' curves over each other into a .png, .svg or .html; returns what stands in the table below them.

    Raises: ValueError, OSError, one line, before anything is written.
    """
    path = Path(file).expanduser()
    if path.suffix.lower() not in PICTURES:
        raise ValueError(f"--output is {str(file)!r}; its name must end in {', '.join(PICTURES)}.")
    if smooth < 1:
        raise ValueError(f"--smooth is {smooth}; it is a number of steps, at least 1.")
    rows = {name: read(place) for name, place in runs.items()}
    names = chosen(rows, metrics)
    drawn = {metric: {run: series(each, metric, smooth) for run, each in rows.items()} for metric in names}
    table = {run: {"steps": each[-1]["step"], **{metric: _end(each, metric) for metric in names}}
             for run, each in rows.items()}
    if path.suffix.lower() != ".html":
        save(overlay(drawn), path)
        return table
    check_replaces(path, PAGE)
    write_text(path, _page(drawn, table, differing(runs), smooth, lang))
    return table


def differing(runs: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """The settings that are not the same in all runs: name -> run -> value as text; without those of one run."""
    found = {run: _settings(place) for run, place in runs.items()}
    names = dict.fromkeys(name for settings in found.values() for name in settings)
    return {name: values for name in names
            if len(set((values := {run: _text(one.get(name)) for run, one in found.items()}).values())) > 1}


def _page(drawn: Mapping[str, Any], table: Mapping[str, Any], differences: Mapping[str, Any], smooth: int,
          lang: Lang) -> str:
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("rlhf_kit") / "data" / "curves.html.j2").read_text(encoding="utf-8"))
    charts = [{"name": metric, "svg": svg(overlay({metric: lines}, legend=False))} for metric, lines in drawn.items()]
    return template.render(lang=lang, say=partial(say, lang), charts=charts, table=table, differences=differences,
                           colours=run_colours(list(table)), metrics=list(drawn), smooth=smooth, last=LAST,
                           version=__version__)


def _row(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
        if not isinstance(row, dict) or not isinstance(row.get("step"), int):
            raise ValueError("expected an object with a step")
        return row
    except ValueError as error:
        raise StorageError(f"{path}, line {number}, is damaged ({error}). The command that trained the run writes it "
                           f"anew.") from error


def _end(rows: Rows, name: str) -> float | None:
    """The mean of the last steps; None where the run has no such metric."""
    _, values = series(rows, name)
    return sum(values[-LAST:]) / len(values[-LAST:]) if values else None


def _settings(place: Path) -> dict[str, Any]:
    try:
        return flat(json.loads((place / "settings.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError):
        return {}


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
