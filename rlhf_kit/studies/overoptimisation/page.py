"""What the curves say: the picture, a table, sentences made of the numbers, and a page around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__, plots
from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.overoptimisation import gold_at
from rlhf_kit.language import Lang, say, typed
from rlhf_kit.storage import write_text
from rlhf_kit.studies.overoptimisation.proxies import METHODS, SIZES

PICTURE = "overoptimisation.png"
FORMS = {"best-of-n": "best-of-n", "ppo": "rl"}
START = Estimate(0.0, 0.0, 0.0, 30)
COLUMNS = ("curve", "alpha", "beta", "peak", "best", "gold", "lost", "single")


def write(folder: Path, lang: Lang, result: Mapping[str, Any]) -> None:
    """Leave overoptimisation.png and report.html in the folder of a run whose curves are `result`'s."""
    with plots.spoken(lang) as drawn:
        plots.save(picture(result, drawn), folder / PICTURE)
        write_text(folder / "report.html", _page(result, lang, drawn))


def picture(result: Mapping[str, Any], lang: Lang):
    """The main panels together: of ensembles, those of the fewest comparisons."""
    return plots.overoptimisation(panels(result, lang, few=True), across=say(lang, "overoptimisation_across"),
                                  unit=say(lang, "overoptimisation_unit"), styles=styles(lang))


def styles(lang: Lang) -> list[str]:
    """What the three kinds of line are."""
    return [say(lang, f"overoptimisation_line_{kind}") for kind in ("gold", "fitted", "proxy")]


def panels(result: Mapping[str, Any], lang: Lang, few: bool = False) -> dict[str, list[plots.Optimised]]:
    """Title -> lines: few against many comparisons, without and with flipped labels; ensembles; the KL penalty."""
    found: dict[str, list[plots.Optimised]] = {}
    for (key, fields), curves in _grouped(result["curves"], few):
        title = say(lang, f"overoptimisation_panel_{key}", **fields)
        found[title] = [_line(one, _short(one, key, lang)) for one in curves]
    return found


def _grouped(curves: Sequence[Mapping[str, Any]], few: bool) -> Iterator[tuple[tuple[str, dict], list]]:
    """The curves of each panel, those panels that have any."""
    for method in ("best-of-n", "ppo"):
        own = [one for one in curves if one["method"] == method]
        flips = sorted({one["flipped"] for one in own})
        for flipped in flips:
            singles = [one for one in own if one["kind"] == "single" and one["flipped"] == flipped]
            if singles and not (method == "ppo" and flipped):
                yield (method, {"flipped": flipped}), singles
        sizes = sorted({one["comparisons"] for one in own if one["kind"] != "single"})
        for size in sizes[:1] if few else sizes:
            for flipped in flips[-1:] if few and method == "best-of-n" else flips:
                those = [one for one in own if (one["comparisons"], one["flipped"]) == (size, flipped)
                         and not one["penalty"]]
                if any(one["kind"] != "single" for one in those):
                    yield (f"{method}_ensembles", {"comparisons": size, "flipped": flipped}), those


def _line(curve: Mapping[str, Any], name: str) -> plots.Optimised:
    form, fitted = FORMS[curve["method"]], curve["fit"]
    last = max(curve["distance"])
    d = torch.linspace(0, last, 60, dtype=torch.float64)
    drawn, top = ([], []), None
    if fitted["alpha"] is not None:
        at = partial(gold_at, alpha=fitted["alpha"]["value"], beta=fitted["beta"]["value"], form=form)
        drawn, place = (d.tolist(), at(d).tolist()), fitted["peak"]["value"]
        if place is not None and 0 < place <= last:
            top = place, at(torch.tensor(place, dtype=torch.float64)).item()
    return plots.Optimised(name, [0.0, *curve["distance"]], [START, *(Estimate(**one) for one in curve["gold"])],
                           [0.0, *(one["mean"] for one in curve["proxy"])], drawn, top)


def _short(curve: Mapping[str, Any], key: str, lang: Lang) -> str:
    """What a line is called inside its panel."""
    if key.endswith("_ensembles"):
        return say(lang, f"overoptimisation_kind_{curve['kind']}")
    price = say(lang, "overoptimisation_price", penalty=f"{curve['penalty']:g}") if curve["method"] == "ppo" else ""
    return f"{curve['comparisons']:,}" + (f", {price}" if price else "")


def label(curve: Mapping[str, Any], lang: Lang) -> str:
    """A curve in words."""
    parts = [say(lang, f"overoptimisation_name_{curve['method']}"),
             say(lang, "overoptimisation_comparisons", n=curve["comparisons"])]
    if curve["flipped"]:
        parts.append(say(lang, "overoptimisation_flipped", share=curve["flipped"]))
    if curve["kind"] != "single":
        parts.append(say(lang, f"overoptimisation_kind_{curve['kind']}"))
    if curve["penalty"]:
        parts.append(say(lang, "overoptimisation_price", penalty=f"{curve['penalty']:g}"))
    return say(lang, "frontier_comma").join(parts)


def heads(lang: Lang) -> list[str]:
    """The columns of the table."""
    return [say(lang, f"overoptimisation_col_{name}") for name in COLUMNS]


def row(curve: Mapping[str, Any], lang: Lang) -> list[str]:
    """A curve as a row of the table, with intervals."""
    name, *_, at, gold = cells(curve, lang)
    single = curve["above_single"]
    return [name, *(_fitted(curve["fit"][of]) for of in ("alpha", "beta", "peak")), at, gold,
            _signed(curve["lost"]) if curve["best"] + 1 < len(curve["at"]) else "–",
            "–" if single is None else _signed(single["at_the_end"])]


def cells(curve: Mapping[str, Any], lang: Lang) -> list[str]:
    """The same for a terminal: the first six columns, without intervals."""
    best = curve["best"]
    start, unit = curve["start"]["mean"], curve["deviation"]
    fitted = ["–" if one is None else _number(one["value"]) for one in map(curve["fit"].get, COLUMNS[1:4])]
    at = say(lang, f"overoptimisation_at_{curve['method']}", at=curve["at"][best], distance=curve["distance"][best])
    return [label(curve, lang), *fitted, at,
            f"{start + unit * curve['gold'][best]['mean']:.2f}, {start + unit * curve['gold'][-1]['mean']:.2f}"]


def _fitted(x: Mapping[str, float | None] | None) -> str:
    return "–" if x is None else f"{_number(x['value'])} ({_number(x['low'])} … {_number(x['high'])})"


def _number(x: float | None) -> str:
    return "∞" if x is None else f"{x:.2f}" if abs(x) < 100 else "> 100"


def _signed(x: Mapping[str, float]) -> str:
    return f"{x['mean']:+.2f} ({x['low']:+.2f} … {x['high']:+.2f})"


def headline(result: Mapping[str, Any], lang: Lang) -> list[str]:
    """What the curves show, in sentences made of their numbers."""
    curves, comma, found = result["curves"], say(lang, "frontier_comma"), []
    for flipped in sorted({one["flipped"] for one in curves}):
        singles = [one for one in curves if one["method"] == "best-of-n" and one["kind"] == "single"
                   and one["flipped"] == flipped]
        if singles:
            found.append(say(lang, "overoptimisation_says_best", share=flipped,
                             sizes=comma.join(f"{one['comparisons']:,}" for one in singles),
                             ns=comma.join(str(one["at"][one["best"]]) for one in singles)))
    turned = [label(one, lang) for one in curves if one["lost"]["low"] > 0]
    found.append(say(lang, "overoptimisation_says_turned", n=len(turned), of=len(curves),
                     those=say(lang, "overoptimisation_semicolon").join(turned) or "–"))
    for one in curves:
        if one["penalty"] and one["above_single"] and (gap := one["above_single"]["at_equal_drift"]):
            verdict = "more" if gap["low"] > 0 else "less" if gap["high"] < 0 else "same"
            found.append(say(lang, f"overoptimisation_says_penalty_{verdict}", penalty=f"{one['penalty']:g}",
                             n=one["comparisons"], gap=_signed(gap)))
    return found


def command(result: Mapping[str, Any]) -> str:
    """What makes these numbers, as one would type it."""
    methods = [] if tuple(result["methods"]) == METHODS else ["--methods", ",".join(result["methods"])]
    sizes = [] if tuple(result["sizes"]) == SIZES else ["--sizes", ",".join(map(str, result["sizes"]))]
    seeds = ["--seeds", len(result["seeds"])] if len(result["seeds"]) > 1 else []
    return typed(["rlhf-kit", "overoptimisation", "--task", result["world"], "--lang", result["lang"], *methods, *sizes,
                  *seeds])


def _page(result: Mapping[str, Any], lang: Lang, drawn: Lang) -> str:
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("rlhf_kit") / "data" / "overoptimisation.html.j2").read_text(encoding="utf-8"))
    kinds = {"across": say(drawn, "overoptimisation_across"), "unit": say(drawn, "overoptimisation_unit"),
             "styles": styles(drawn)}
    charts = [{"title": title, "svg": _themed(plots.svg(plots.overoptimisation(
        {"": lines}, **kinds, columns=1, size=(4.4, 3.6), legend=False)))} for title, lines in zip(
            panels(result, lang), panels(result, drawn).values(), strict=True)]
    rows = [{"cells": row(one, lang), "seeds": one["seeds"], "method": one["method"], "at": one["at"]}
            for one in result["curves"]]
    texts = [{"title": label(one, lang), "texts": one["texts"]} for one in result["curves"] if one["texts"]]
    lead = say(lang, "overoptimisation_lead", world=result["world"], start=result["start"],
               n=result["amounts"]["held_out"])
    return template.render(lang=lang, say=partial(say, lang), lead=lead, headline=headline(result, lang), charts=charts,
                           styles=styles(lang), heads=heads(lang), rows=rows, texts=texts, seeds=len(result["seeds"]),
                           accuracy=result["accuracy"], command=command(result), version=__version__)


def _themed(svg: str) -> str:
    """The same in the page's own colours, light or dark."""
    return svg.replace(plots.INK, "var(--ink)").replace(plots.QUIET, "var(--faint)")
