"""The report of a tour: one HTML file with pictures and samples in it, which opens offline in any browser."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from rlhf_kit import __version__
from rlhf_kit.evaluate import Estimate
from rlhf_kit.formulas.records import Step
from rlhf_kit.language import Lang, say, typed
from rlhf_kit.plots import COLOURS, curves, reward_against_kl, spoken, svg
from rlhf_kit.storage import write_text

COLLAPSED = 0.25                    # of the different responses lost: worth a warning

PYTHON = '''import rlhf_kit as kit

policy = kit.load_policy("{name}")
prompts = kit.Reviews("{lang}").prompts("train")
config = kit.ppo.Config(steps=20, learning_rate=1e-3)

def shouting(prompts, responses):
    return [response.count("{mark}") for response in responses]

for step in kit.ppo.steps(policy, policy.reference(), prompts, shouting, config):
    print(step.number + 1, step.metrics["score"], step.samples[0])'''


def write(path: Path, result: dict[str, Any], history: Sequence[Step], lang: Lang) -> None:
    """Fill the template with what a tour measured and put it at `path`."""
    template = Environment(autoescape=True, undefined=StrictUndefined).from_string(
        (files("rlhf_kit") / "data" / "report.html.j2").read_text(encoding="utf-8"))
    words, other = partial(say, lang), second_opinion(result)
    write_text(path, template.render(
        lang=lang, say=words, lead=_lead(result, words), headline=headline(result, lang), cards=_cards(result, words),
        has_gold=other == "gold", rows=[[_side(row[side], words) for side in ("before", "after")]
                                        for row in result["samples"]],
        cheats_note=_cheats_note(result, words), cheats=[_side(c, words) for c in result["cheats"]["found"]],
        charts=_charts(result, history, lang), measures=measures(result, lang), next=_next(result, words, lang),
        words=[words(f"word_{name}") for name in
               ("policy", "ranked" if ranked(result["settings"]) else "judge", "kl", *(["gold"] * (other == "gold")))],
        settings=json.dumps(result["settings"], indent=1, ensure_ascii=False), version=__version__,
        stages=[{"name": words(f"stage_{name}"), **spent} for name, spent in result["stages"].items()]))


def command(settings: dict[str, Any], **changes: object) -> str:
    """The command that makes a tour with these settings, as one would type it; `changes` are further options."""
    words = [_program(), "tour", "--lang", settings["lang"]]
    for option, name in (("reviews", "reviews"), ("text-column", "text"), ("label-column", "label"),
                         ("positive", "positive"), ("positive-from", "positive_from")):
        value = settings.get(name) if settings["reviews"] else None
        words += [f"--{option}", f"{value:g}" if isinstance(value, float) else value] if value is not None else []
    words += ["--task", settings["task"]] if settings.get("task") else []
    words += ["--judge", "ranked"] if ranked(settings) else []
    words += ["--seed", str(settings["seed"])] if settings["seed"] else []
    return typed([*words, *(str(word) for name, value in changes.items() for word in (f"--{name}", value))])


def studio_command(folder: object) -> str:
    """The command that opens what a tour left in a browser; after `make run`, the one that installs the panels too."""
    options = typed(["--model", folder])
    return f"rlhf-kit studio {options}" if _program() == "rlhf-kit" else f'make studio ARGS="{options}"'


def ranked(settings: dict[str, Any]) -> bool:
    """True if the judge learned from rankings; `settings` of a tour's result, or as they were typed."""
    judge = settings.get("judge")
    return judge == "ranked" or (isinstance(judge, dict) and "reward_model" in judge)


def _program() -> str:
    """How to start the kit: by its name, or as it was started if the shell would not find the name (`make run`)."""
    started = sys.argv[0]
    return started if Path(started).name == "rlhf-kit" and not shutil.which("rlhf-kit") else "rlhf-kit"


def second_opinion(result: dict[str, Any]) -> str:
    """What the judge is compared with: "gold" for the embedded task, "second_judge" for real reviews."""
    return "gold" if "gold" in result["after"]["scores"] else "second_judge"


def headline(result: dict[str, Any], lang: Lang) -> list[str]:
    """What changed and what it cost, in three sentences, and one more for each warning."""
    before, after, other = result["before"], result["after"], second_opinion(result)
    gap = {side: (result[side]["scores"]["score"]["mean"], result[side]["scores"][other]["mean"])
           for side in ("before", "after")}
    key = "headline_task" if result["settings"].get("task") else "headline"
    return [say(lang, key, before=gap["before"][0], after=gap["after"][0]),
            say(lang, {"gold": "headline_gold", "second_judge": "headline_second"}[other],
                before=gap["before"][1], after=gap["after"][1]),
            say(lang, "cost", kl=after["kl"], distinct=after["distinct"], distinct_before=before["distinct"]),
            *(say(lang, f"warning_{name}", lost=_lost(before, after)) for name in warnings(before, after))]


def warnings(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of what went wrong, of two `Evaluation.numbers()`: "diversity", if a quarter or more of it is lost."""
    return ["diversity"] if _lost(before, after) >= COLLAPSED else []


def _lost(before: dict[str, Any], after: dict[str, Any]) -> float:
    """The part of the share of different responses that is gone."""
    return 1 - after["distinct"] / before["distinct"]


def measures(result: dict[str, Any], lang: Lang) -> list[dict[str, str]]:
    """The table of numbers before and after, as text."""
    before, after, words = result["before"], result["after"], partial(say, lang)
    learned = {"ppo": "row_reward", "rest": "row_reward_rest", "grpo": "row_reward_grpo", "online-dpo":
               "row_reward_grpo", "dpo": "row_reward_examined", "kto": "row_reward_examined"}.get(result.get("job"))
    by_rank = ranked(result["settings"]) and learned is None
    labels = {"score": learned} if learned else {"score": "row_ranked"} if by_rank else {}
    won = "row_win_rest" if learned not in (None, "row_reward") else "row_win"
    rows = [{"name": words(labels.get(name, f"row_{name}")), "before": _estimate(before["scores"][name]),
             "after": _estimate(after["scores"][name])} for name in after["scores"]]
    if told := result.get("told"):                          # of methods that learn from judged answers
        rows.insert(0, {"name": words(f"row_told_{result['job']}"), **{side: _estimate(told[side]) for side in told}})
    for name, form in (("kl", "{:.2f}"), ("eos", "{:.0%}"), ("length", "{:.1f}"), ("distinct", "{:.0%}"),
                       ("distinct_2", "{:.0%}")):
        key = {"eos": "eos_rate"}.get(name, name)
        rows.append({"name": words(f"row_{name}"), "before": form.format(abs(before[key])),
                     "after": form.format(after[key])})
    for name, key in (("score", won), ("gold", "row_win_gold")):
        if name in result["win_rate"]:
            rows.append({"name": words(key), "before": "", "after": _estimate(result["win_rate"][name])})
    for name, accuracy in result["judge_accuracy"].items():
        name = "ranked" if by_rank and name == "judge" else name
        rows.append({"name": words(f"row_{name}_accuracy"), "before": _estimate(accuracy), "after": ""})
    return rows


def _estimate(e: dict[str, float]) -> str:
    return str(Estimate(**e))


def _lead(result: dict[str, Any], words: partial) -> str:
    if task := result["settings"].get("task"):
        return words("report_lead_task", task=task)
    if not result["settings"]["reviews"]:
        return words("report_lead_ranked" if ranked(result["settings"]) else "report_lead")
    return words("report_lead_file", n=f"{result['texts']:,}", file=Path(result["settings"]["reviews"]).name)


def _cards(result: dict[str, Any], words: partial) -> list[dict[str, str]]:
    other = second_opinion(result)
    labels = {"score": "row_ranked"} if ranked(result["settings"]) else {}
    cards = [{"name": words(labels.get(name, f"row_{name}")), "colour": COLOURS[name],
              "before": f"{result['before']['scores'][name]['mean']:.2f}",
              "after": f"{result['after']['scores'][name]['mean']:.2f}"} for name in ("score", other)]
    return [*cards, {"name": words("row_kl"), "colour": COLOURS["kl"], "before": "0",
                     "after": f"{result['after']['kl']:.1f}"}]


def _side(sample: dict[str, Any], words: partial) -> dict[str, Any]:
    meters = [{"name": words(f"meter_{name}"), "value": sample[name], "colour": COLOURS[name]}
              for name in ("score", "gold", "second_judge") if name in sample]
    why = sample.get("why")
    first, _, rest = (why or "").partition("\n")
    return {"prompt": sample["prompt"], "response": sample["response"], "meters": meters,
            "why": (first, rest) if why else None}


def _cheats_note(result: dict[str, Any], words: partial) -> str:
    cheats = result["cheats"]
    if cheats["against"] == "second_judge":
        return words("note_cheats_file", n=cheats["of"])
    return words("note_cheats" if cheats["found"] else "no_cheats", n=cheats["of"])


def _charts(result: dict[str, Any], history: Sequence[Step], lang: Lang) -> list[dict[str, str]]:
    other = second_opinion(result)
    began = {name: result["before"]["scores"][name]["mean"] for name in ("score", other)}
    about = "note_score" if other == "gold" else "note_score_file"
    with spoken(lang):
        pictures = [
            ("score", curves(history, ("score", other), before=began), about),
            ("kl", curves(history, ("kl",)), "note_kl"), ("entropy", curves(history, ("entropy",)), "note_entropy"),
            ("length", curves(history, ("response_length",)), "note_length"),
            ("eos", curves(history, ("eos_rate",)), "note_eos"),
            ("frontier", reward_against_kl(history, ("score", other)), "note_frontier")]
        return [{"title": say(lang, f"chart_{name}"), "svg": svg(figure), "note": say(lang, note)}
                for name, figure, note in pictures]


def _next(result: dict[str, Any], words: partial, lang: Lang) -> list[dict[str, str]]:
    settings = result["settings"]
    runs = "runs/ranked-" if ranked(settings) else "runs/"         # a folder holds runs of one judge
    entries = [{"text": words("next_kl"), "code": command(settings, kl=0, output=f"{runs}no-price")},
               {"text": words("next_price"), "code": command(settings, kl=1, output=f"{runs}dear")}]
    if not settings["reviews"]:
        there = "en" if lang == "zh" else "zh"
        mine = {**settings, "reviews": "FILE.csv", "text": "review", "label": "label", "judge": None}     # has labels
        entries += [{"text": words("next_lang"),
                     "code": command({**settings, "lang": there}, output=f"{runs}tour-{there}")},
                    {"text": words("next_reviews"), "code": command(mine, output="runs/mine")}]
    python = PYTHON.format(name=f"tiny-lm-{lang}", lang=lang, mark="really" if lang == "en" else "真")
    return [*entries, {"text": words("next_python"), "code": python}]
