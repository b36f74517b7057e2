"""One picture and one page: who does what best, every number, what each lab did, and answers to the same requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__, plots
from rlhf_kit.evaluate import Estimate
from rlhf_kit.language import Lang, say, typed
from rlhf_kit.storage import write_text
from rlhf_kit.studies.labs.exam import MEASURES, REFERENCES

PICTURE = "labs.png"
PANELS = ("helpful", "honest", "harmless", "rules", "balked", "invented")       # less of the last two is better
ROWS = ("gold", "helpful", "honest", "harmless", "rules", "balked", "invented", "runs_on", "length", "kl",
        "translation", "reviews", "forum")
DID = ("labels", "loss", "start", "prompts", "optimiser", "loop", "centring")


def write(folder: Path, lang: Lang, result: Mapping[str, Any]) -> None:
    """Leave labs.png and report.html in the folder of a run."""
    with plots.spoken(lang) as drawn:
        plots.save(picture(result, drawn), folder / PICTURE)
        write_text(folder / "report.html", _page(result, lang, drawn))


def picture(result: Mapping[str, Any], lang: Lang) -> plots.Figure:
    """A panel for each of `PANELS`, a bar for each policy; what is better the less there is of it is turned round."""
    titles = {name: say(lang, f"labs_panel_{name}") for name in PANELS}
    panels = {titles[name]: {one["policy"]: _longer(name, one["measures"][name]) for one in result["policies"]}
              for name in PANELS}
    return plots.labs(panels, names=names(result, lang), best={titles[name]: first(_ours(result), name)[0]
                                                               for name in PANELS},
                      title=say(lang, "labs_drawn_title", budget=f"{result['size']['budget']:,}"))


def _longer(name: str, measured: Mapping[str, Any]) -> Estimate:
    if MEASURES[name].better == "more":
        return Estimate(**measured)
    return Estimate(1 - measured["mean"], 1 - measured["high"], 1 - measured["low"], measured["n"])


def names(result: Mapping[str, Any], lang: Lang) -> dict[str, str]:
    """What the policies are called."""
    return {one["policy"]: say(lang, f"labs_name_{one['policy']}") for one in result["policies"]}


def headline(result: Mapping[str, Any], lang: Lang) -> list[str]:
    """What the numbers say, of the labs alone."""
    ours = _ours(result)
    base, prompted = (one["measures"] for one in result["policies"] if one["policy"] in REFERENCES)
    called, comma = names(result, lang), say(lang, "labs_comma")
    best = max(ours, key=lambda one: one["measures"]["gold"]["mean"])
    found = [say(lang, "labs_best", name=called[best["policy"]], gold=str(Estimate(**best["measures"]["gold"])),
                 base=base["gold"]["mean"], prompted=prompted["gold"]["mean"])]
    if len(ours) > 1:
        sure = {name: first(ours, name) for name in PANELS}
        for key, wanted in (("labs_ahead", True), ("labs_close", False)):
            if those := [say(lang, "labs_first", name=called[lab], measure=say(lang, f"labs_panel_{name}"))
                         for name, (lab, apart) in sure.items() if apart is wanted]:
                found.append(say(lang, key, those=comma.join(those)))
        balks = max(ours, key=lambda one: one["measures"]["balked"]["mean"])
        found.append(say(lang, "labs_refuses", name=called[balks["policy"]], share=balks["measures"]["balked"]["mean"]))
    forgets = max(ours, key=lambda one: one["measures"]["reviews"]["mean"])
    found.append(say(lang, "labs_forgets", name=called[forgets["policy"]], base=base["reviews"]["mean"],
                     loss=forgets["measures"]["reviews"]["mean"]))
    return found


def _ours(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in result["policies"] if one["policy"] not in REFERENCES]


def first(policies: list[Mapping[str, Any]], name: str) -> tuple[str, bool]:
    """The policy that is best by a measure of `PANELS`, and whether its interval lies apart from all others'."""
    values = {one["policy"]: _longer(name, one["measures"][name]) for one in policies}
    best = max(values, key=lambda policy: values[policy].mean)
    return best, all(value.high < values[best].low for policy, value in values.items() if policy != best)


# -- tables ------------------------------------------------------------------------------------------------------------

def measured(result: Mapping[str, Any], lang: Lang) -> Iterator[tuple[str, list[str]]]:
    """A row for each measure, then labels and seconds: its name, an arrow to what is better, a cell a policy."""
    for name in ROWS:
        what, better = say(lang, f"labs_measure_{name}"), MEASURES[name].better if name in MEASURES else ""
        yield (say(lang, f"labs_better_{better}", what=what) if better else what,
               [_cell(one["kl"] if name == "kl" else one["measures"].get(name)) for one in result["policies"]])
    yield say(lang, "labs_measure_labels"), [f"{sum(one['labels'].values()):,}" if one["labels"] else "–"
                                             for one in result["policies"]]
    yield say(lang, "labs_measure_cpu"), [f"{one['cpu_seconds']:.0f}" if one["labels"] else "–"
                                          for one in result["policies"]]


def did(result: Mapping[str, Any], lang: Lang) -> Iterator[tuple[str, list[str]]]:
    """A row for each thing in which the labs differ, a cell for each lab."""
    for what in DID:
        yield say(lang, f"labs_did_{what}"), [say(lang, f"labs_did_{what}_{lab}") for lab in result["labs"]]


def kinds(labels: Mapping[str, int], lang: Lang) -> str:
    """Labels of a lab in words: "256 demonstrations, 2,741 ranked answers"."""
    return say(lang, "labs_comma").join(say(lang, f"labs_kind_{kind}", n=f"{n:,}") for kind, n in labels.items())


def _cell(estimate: Mapping[str, float] | None) -> str:
    """mean ± half an interval, or the mean alone where there is none."""
    if estimate is None:
        return "–"
    half, digits = (estimate["high"] - estimate["low"]) / 2, 1 if estimate["mean"] >= 10 else 2
    return f"{round(estimate['mean'], digits) + 0.0:.{digits}f}" + (f" ± {half:.{digits}f}" if half else "")


# -- the page ----------------------------------------------------------------------------------------------------------

def _page(result: Mapping[str, Any], lang: Lang, drawn: Lang) -> str:
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("rlhf_kit") / "data" / "labs.html.j2").read_text(encoding="utf-8"))
    size, called, seeds = result["size"], names(result, lang), len(result["seeds"])
    over = say(lang, "labs_over_seeds", n=seeds) if seeds > 1 else say(lang, "labs_over_requests")
    answers = [{"prompt": asked["prompt"], "said": [{"name": called[one["policy"]], **one["texts"][place]}
                                                    for one in result["policies"]]}
               for place, asked in enumerate(result["policies"][0]["texts"])]
    return template.render(
        lang=lang, say=partial(say, lang), headline=headline(result, lang), columns=list(called.values()),
        lead=say(lang, "labs_lead", base=result["base"], **{name: f"{size[name]:,}" for name in (
            "budget", "asked", "mild", "red_team")}),
        svg=_themed(plots.svg(picture(result, drawn))), reading=say(lang, "labs_reading", over=over),
        rows=list(measured(result, lang)), did=list(did(result, lang)), labs=[called[lab] for lab in result["labs"]],
        labels=[(called[one["policy"]], kinds(one["labels"], lang)) for one in result["policies"] if one["labels"]],
        answers=answers, command=command(result), version=__version__)


def command(result: Mapping[str, Any]) -> str:
    """What makes these numbers, as one would type it."""
    some = [] if len(result["labs"]) == len(plots.LABS) - len(REFERENCES) else ["--labs", ",".join(result["labs"])]
    seeds = ["--seeds", len(result["seeds"])] if len(result["seeds"]) > 1 else []
    return typed(["rlhf-kit", "labs", "--lang", result["lang"], *some, *seeds])


def _themed(svg: str) -> str:
    """The same in the page's own colours, light or dark."""
    return svg.replace(plots.INK, "var(--ink)").replace(plots.QUIET, "var(--faint)")
