"""The report of a recipe: every stage's policy side by side, in pictures, numbers and words; one file, offline."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__
from rlhf_kit.evaluate import Estimate
from rlhf_kit.language import Lang, say
from rlhf_kit.plots import bars, spoken, svg
from rlhf_kit.storage import write_text

MEASURES = ("gold", "helpful", "honest", "harmless", "invented", "broken", "balked", "explained",
            "score", "kept", "kl", "length", "eos_rate", "distinct")
SIZE = 5.2, 2.7                     # inches of a picture of all stages


@dataclass(frozen=True)
class Chart:
    """A picture, drawn in the language that it is given, and the keys of its title and of what is said below it."""

    title: str
    note: str
    draw: Callable[[Lang], Any]


def write(path: Path, result: Mapping[str, Any], lang: Lang, *, first: str, lead: Sequence[str] = (),
          charts: Sequence[Chart] = ()) -> None:
    """Fill the template with what the run measured and put it at `path`.

    Args:
        first: the policy that the last one is compared with.
        lead: what the recipe says besides.
        charts: its own pictures.
    """
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("rlhf_kit") / "data" / "stages.html.j2").read_text(encoding="utf-8"))
    words, policies = partial(say, lang), result["policies"]
    with spoken(lang) as drawn:
        pictures = [{"title": words(one.title), "note": words(one.note), "svg": svg(one.draw(drawn))}
                    for one in (*_charts(result), *charts)]
    write_text(path, template.render(
        lang=lang, say=words, title=words(f"stages_title_{result['job']}"), version=__version__,
        lead=[*_gold(policies, first, words), *lead], beside=words(f"stages_samples_{result['job']}"),
        columns=[called(name, lang) for name in policies], rows=_rows(policies, lang), charts=pictures,
        samples=[[one["before"], one["after"]] for one in result["samples"]],
        settings=json.dumps(result["settings"], indent=1, ensure_ascii=False),
        stages=[{"name": words(f"stage_{name}"), **spent} for name, spent in result["stages"].items()]))


def called(policy: str, lang: Lang) -> str:
    """What a policy's folder is called for people: "policy-1" is that of the first of several rounds."""
    name, _, number = policy.partition("-")
    return say(lang, "policy_round", n=number) if number else say(lang, f"policy_{name}")


def cell(measured: Mapping[str, float] | float, *, short: bool = False) -> str:
    """A number of the table, with its interval where it has one and there is room."""
    if isinstance(measured, Mapping):
        return f"{measured['mean']:.3f}" if short else str(Estimate(**measured))
    return f"{measured + 0.0:.2f}" if abs(measured) >= 0.005 else "0.00"


def _gold(policies: Mapping[str, Any], first: str, words: partial) -> list[str]:
    """What came of it, in a sentence, where the truth is known."""
    if "gold" not in policies["policy"]["scores"]:
        return []
    before, between, after = (policies[name]["scores"]["gold"]["mean"] for name in ("base", first, "policy"))
    return [words("stages_gold", base=before, name=words(f"policy_{first}"), between=between, policy=after)]


def table(policies: Mapping[str, Any], lang: Lang) -> list[list[str]]:
    """A column for each policy and a row for each measure, the header first."""
    rows = _rows(policies, lang)
    return [[say(lang, "column_measure"), *(called(name, lang) for name in policies)],
            *([row["name"], *row["cells"]] for row in rows)]


def _rows(policies: Mapping[str, Any], lang: Lang) -> list[dict[str, Any]]:
    found = []
    for measure in MEASURES:
        seen = [one["scores"].get(measure, one.get(measure)) for one in policies.values()]
        if seen[0] is not None:
            found.append({"name": say(lang, f"measure_{measure}"), "cells": [cell(x) for x in seen]})
    return found


def _charts(result: Mapping[str, Any]) -> list[Chart]:
    """Gold stage by stage, what the reward model says, and the tax."""
    policies, taxed = result["policies"], result.get("tax", {})
    return [*(beside(policies, measure, f"stages_{measure}") for measure in ("gold", "score")
              if measure in policies["policy"]["scores"]),
            *(Chart(f"tax_{measure}", "note_tax", partial(_bars, {
                name: one[measure] for name, one in taxed.items()}, f"tax_{measure}"))
              for measure in next(iter(taxed.values()), {}))]


def beside(policies: Mapping[str, Any], measure: str, name: str) -> Chart:
    """A bar for each policy; `chart_` and `note_` before `name` are the keys of what is said of it."""
    return Chart(f"chart_{name}", f"note_{name}", partial(
        _bars, {policy: one["scores"][measure] for policy, one in policies.items()}, f"measure_{measure}"))


def _bars(measured: Mapping[str, Mapping[str, float]], unit: str, lang: Lang) -> Any:
    return bars({called(name, lang): Estimate(**one) for name, one in measured.items()}, unit=say(lang, unit),
                size=SIZE)
