"""The picture, and a page around it: point at a mark, and its settings and four of its texts stand beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__, plots
from rlhf_kit.evaluate import Estimate
from rlhf_kit.language import Lang, say, typed
from rlhf_kit.storage import write_text

PICTURE = "frontier.png"
REWARDS = ("proxy", "gold")
SETTINGS = ("steps", "grows", "updates", "batch_size", "group_size", "minibatch_size", "epochs", "n", "learning_rate",
            "beta", "kl", "thresholds", "responses")            # of a point, in this order, where it has them


def write(folder: Path, lang: Lang, result: Mapping[str, Any]) -> None:
    """Leave frontier.png and report.html in the folder of a run whose points are `result`'s."""
    with plots.spoken(lang) as drawn:
        plots.save(plots.frontier(panels(result, drawn), across=across(drawn), names=names(drawn)),
                   folder / PICTURE)
        write_text(folder / "report.html", _page(result, lang, drawn))


def panels(result: Mapping[str, Any], lang: Lang) -> dict[str, dict[str, list[plots.Mark]]]:
    """What `plots.frontier` draws: title -> method -> marks; every line begins where the start stands."""
    points, many = result["points"], len(result["seeds"]) > 1
    start = points[0]
    said = {place: what for what, place in ringed(points).items()}
    found: dict[str, dict[str, list[plots.Mark]]] = {}
    for reward in REWARDS:
        lines: dict[str, list[plots.Mark]] = {}
        for place, point in enumerate(points):
            begins = [plots.Mark(start["root_kl"], Estimate(**start[reward]))] if point is not start else []
            each = [(one["root_kl"], one[reward]) for one in point["seeds"]] if many else []
            text = say(lang, f"frontier_ring_{said[place]}_{reward}",
                       reward=point[reward]["mean"]) if place in said else ""
            lines.setdefault(point["method"], begins).append(
                plots.Mark(point["root_kl"], Estimate(**point[reward]), each, f"{reward}-{place}", text))
        lines["sft"] = lines.pop("sft")                 # drawn last, on top of where all lines begin
        found[say(lang, f"frontier_panel_{reward}")] = lines
    return found


def ringed(points: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The places of the point with the most gold, and of the one that the reward model overrates most."""
    best = max(range(len(points)), key=lambda i: points[i]["gold"]["mean"])
    worst = max(range(len(points)), key=lambda i: points[i]["proxy"]["mean"] - points[i]["gold"]["mean"])
    return {"best": best, **({"overrated": worst} if worst != best else {})}


def turned(points: Sequence[Mapping[str, Any]]) -> dict[str, bool]:
    """Of each method with a dial: whether its last setting is worth less than its best, their intervals apart."""
    found = {}
    for method in dict.fromkeys(point["method"] for point in points if point["value"] is not None):
        gold = [point["gold"] for point in points if point["method"] == method]
        found[method] = gold[-1]["high"] < max(gold, key=lambda g: g["mean"])["low"]
    return found


def names(lang: Lang) -> dict[str, str]:
    """What the methods are called."""
    return {method: say(lang, f"frontier_name_{method}") for method in plots.METHODS}


def across(lang: Lang) -> str:
    """What the horizontal axis is called."""
    return say(lang, "frontier_across")


def setting(point: Mapping[str, Any], lang: Lang) -> str:
    """The dial of a point, in words: "KL coefficient 0.04"."""
    return "" if point["value"] is None else say(lang, f"frontier_dial_{point['dial']}", value=f"{point['value']:g}")


def title(point: Mapping[str, Any], lang: Lang) -> str:
    """A point in words: "PPO, KL coefficient 0.04"."""
    return say(lang, "frontier_titled" if point["value"] is not None else "frontier_untitled",
               method=say(lang, f"frontier_name_{point['method']}"), setting=setting(point, lang))


def row(point: Mapping[str, Any], lang: Lang) -> str:
    """A point as a line of the terminal."""
    return say(lang, "frontier_row", what=title(point, lang), root=point["root_kl"], proxy=point["proxy"]["mean"],
               gold=str(Estimate(**point["gold"])))


def headline(result: Mapping[str, Any], lang: Lang) -> list[str]:
    """What the picture shows, from its numbers."""
    points, rings = result["points"], ringed(result["points"])
    start, best = points[0], points[rings["best"]]
    found = [say(lang, "frontier_best", what=title(best, lang), gold=str(Estimate(**best["gold"])),
                 start=start["gold"]["mean"])]
    if "overrated" in rings:
        worst = points[rings["overrated"]]
        found.append(say(lang, "frontier_overrated", what=title(worst, lang), proxy=worst["proxy"]["mean"],
                         gold=worst["gold"]["mean"]))
    turns = turned(points)
    comma = say(lang, "frontier_comma")
    for key, wanted in (("frontier_turned", True), ("frontier_not_turned", False)):
        if those := [say(lang, f"frontier_name_{method}") for method, has in turns.items() if has is wanted]:
            found.append(say(lang, key, methods=comma.join(those)))
    return found


def _page(result: Mapping[str, Any], lang: Lang, drawn: Lang) -> str:
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        _data("frontier.html.j2"))
    charts = [{"title": head, "svg": _themed(plots.svg(plots.frontier(
        {say(drawn, "frontier_value"): lines}, across=say(drawn, "frontier_across"), names={}, legend=False,
        size=(4.6, 3.9))))} for head, lines in zip((say(lang, f"frontier_panel_{reward}") for reward in REWARDS),
                                                   panels(result, drawn).values(), strict=True)]
    points = [{**point, "title": title(point, lang)} for point in result["points"]]
    shown = {"all": [{"title": point["title"], "texts": point["texts"], "numbers": numbers(point, lang),
                      "settings": settings(point.get("config", {}))} for point in points],
             "begin": ringed(points)["best"],
             "names": {reward: say(lang, f"frontier_col_{reward}") for reward in REWARDS}}
    lead = say(lang, "frontier_lead", world=result["world"], judge=result["judge"], start=result["start"],
               n=result["size"]["held_out"])
    return template.render(
        lang=lang, say=partial(say, lang), lead=lead, headline=headline(result, lang), charts=charts, points=points,
        shown=shown, names=names(lang), colours={method: colour for method, (colour, _) in plots.METHODS.items()},
        methods=result["methods"], seeds=len(result["seeds"]), command=command(result), version=__version__,
        estimate=_estimate, script=_data("frontier.js"))


def _data(name: str) -> str:
    return (files("rlhf_kit") / "data" / name).read_text(encoding="utf-8")


def _estimate(e: Mapping[str, float]) -> str:
    return f"{e['mean']:.3f} ({e['low']:.3f}–{e['high']:.3f})"


def numbers(point: Mapping[str, Any], lang: Lang) -> list[tuple[str, str]]:
    """What stands beside a mark."""
    cells = {"root": f"{point['root_kl']:.2f}", **{reward: _estimate(point[reward]) for reward in REWARDS},
             "drawn": f"{point['drawn']:,}", "calls": f"{point['reward_calls']:,}",
             "cpu": f"{point['cpu_seconds']:.0f}", "answer": str(point["draws_per_answer"]),
             "distinct": f"{point['distinct']:.0%}"}
    return [(say(lang, f"frontier_col_{name}"), text) for name, text in cells.items()]


def command(result: Mapping[str, Any]) -> str:
    """What makes these numbers, as one would type it."""
    some = [] if len(result["methods"]) == len(plots.METHODS) else ["--methods", ",".join(m for m in result["methods"]
                                                                                   if m != "sft")]
    seeds = ["--seeds", len(result["seeds"])] if len(result["seeds"]) > 1 else []
    return typed(["rlhf-kit", "frontier", "--task", result["world"], "--lang", result["lang"], *some, *seeds])


def settings(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The settings of a mark, by name."""
    def text(value: Any) -> str:
        return (", ".join(f"{key} {text(v)}" for key, v in value.items() if v not in (None, False))
                if isinstance(value, Mapping) else ", ".join(map(text, value)) if isinstance(value, list | tuple)
                else f"{value:g}" if isinstance(value, float) else str(value))
    return [(name, text(config[name])) for name in SETTINGS if name in config]


def _themed(svg: str) -> str:
    """The same in the page's own colours, light or dark."""
    return svg.replace(plots.INK, "var(--ink)").replace(plots.QUIET, "var(--faint)")
