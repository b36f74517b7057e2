"""A fault of the gallery run and shown: a page, a picture and the numbers, beside a healthy run of the same seed."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__, plots
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang, fault_words, say
from rlhf_kit.runs import explain
from rlhf_kit.runs.curves import PAGE, Rows, series
from rlhf_kit.storage import StorageError, check_replaces, write_text
from rlhf_kit.studies.gallery.faults import named
from rlhf_kit.studies.gallery.parts import healthy, train

HEALTHY = "healthy"
DRAWN = ("score", "gold", "kl", "response_length")          # of every fault; and those in which it shows
TEXTS = 3                                                   # of the last step, on the page


def check_folder(folder: str | Path, name: str) -> None:
    """Raises: ValueError for a name that the gallery has not, StorageError for a file that is somebody else's."""
    named(name)
    place = Path(folder).expanduser()
    if place.is_file():
        raise StorageError(f"--output is {str(folder)!r}, a file; name a folder, and the page, the picture and the "
                           f"numbers go there.")
    if (page := place / f"{name}.html").exists():
        check_replaces(page, PAGE)


def show(name: str, folder: str | Path, lang: Lang = "en", seed: int = 0) -> dict[str, Any]:
    """Run a fault and, unless the folder holds it already, the healthy run; leave NAME.html, NAME.png and NAME.json.

    Returns: what is in NAME.json. Raises: ValueError, StorageError, one line, before anything is trained.
    """
    check_folder(folder, name)
    fault, place = named(name), Path(folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    well = _kept(place / f"{HEALTHY}-{lang}-{seed}.json", lang, seed)
    steps, check = train(fault.spoil(healthy(lang, seed)))
    ill = _told(steps)
    found = explain.findings(explain.Record(ill["rows"]))
    shown = {"fault": name, "lang": lang, "seed": seed, "line": fault.line, "check": check,
             "findings": [{"fault": one.fault, "evidence": one.evidence} for one in found], **ill}
    with plots.spoken(lang) as spoken:
        drawn = _drawn({say(spoken, "gallery_healthy"): well["rows"], name: ill["rows"]}, (*DRAWN, *fault.shows))
        plots.save(plots.overlay(drawn), place / f"{name}.png")
        write_text(place / f"{name}.json", json.dumps(shown, ensure_ascii=False))
        write_text(place / f"{name}.html", _page(shown, well, drawn, lang))
    return shown


def _kept(file: Path, lang: Lang, seed: int) -> dict[str, Any]:
    """The healthy run of that language and seed, read or made; what was made by other numbers is made anew."""
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        if kept["version"] == __version__ and kept["rows"]:
            return kept
    except (OSError, ValueError, KeyError, TypeError):
        pass
    made = {"version": __version__, **_told(train(healthy(lang, seed))[0])}
    write_text(file, json.dumps(made, ensure_ascii=False))
    return made


def _told(steps: Sequence[Step]) -> dict[str, Any]:
    rows = [{"step": step.number + 1, **{name: value if math.isfinite(value) else None
                                         for name, value in step.metrics.items()}} for step in steps]
    return {"rows": rows, "samples": list(steps[-1].samples)}


def _drawn(runs: Mapping[str, Rows], names: Sequence[str]) -> dict[str, dict[str, tuple[list[int], list[float]]]]:
    return {name: {run: series(rows, name) for run, rows in runs.items()} for name in dict.fromkeys(names)}


def _page(shown: Mapping[str, Any], well: Mapping[str, Any], drawn: Mapping[str, Any], lang: Lang) -> str:
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("rlhf_kit") / "data" / "gallery.html.j2").read_text(encoding="utf-8"))
    words = fault_words(lang)
    said = [{"title": words[one["fault"]]["title"], "evidence": words[one["fault"]]["evidence"].format(
        **one["evidence"]), "mend": words[one["fault"]]["mend"]} for one in shown["findings"]]
    charts = [{"name": metric, "svg": plots.svg(plots.overlay({metric: lines}, legend=False))}
              for metric, lines in drawn.items()]
    colours = plots.run_colours(list(next(iter(drawn.values()))))
    return template.render(lang=lang, say=partial(say, lang), words=words[shown["fault"]], shown=shown, said=said,
                           charts=charts, colours=colours, version=__version__,
                           texts=list(zip(well["samples"], shown["samples"], strict=False))[:TEXTS])
