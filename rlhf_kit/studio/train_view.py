"""What the page of trainings draws: a row for each, and one of them with its curves and what came of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from rlhf_kit.language import Lang
from rlhf_kit.studio.trainings import Look
from rlhf_kit.studio.words import Words, percent

ACTIVE = ("running", "stopping", "waiting")
SHOWN = 3                           # samples
OVERLAID = 2                        # other runs in the same charts; more are not told apart
CURVES = {"ppo": ("score", "kl", "entropy", "response_length"), "reward_model": ("pair_accuracy", "loss")}


def view(lang: Lang, looks: list[Look], shown: str | None = None, said: str = "", over: Sequence[str] = ()
         ) -> dict[str, Any]:
    """What the script draws: every training in a line of its own, and one of them in full.

    `version` is another whenever anything else is.

    Args: over: trainings of the same kind whose curves are laid over it, at most OVERLAID.
    """
    words = Words(lang, "train")
    newest, names = looks[::-1], {look.job.name: look for look in looks}
    telling = sorted(newest, key=lambda look: (look.state != "running", look.state != "done"))
    chosen = shown if shown in names else telling[0].job.name if telling else None
    jobs = [{**_row(words, look), "overlay": bool(look.steps) and look.job.kind == names[chosen].job.kind}
            for look in sorted(newest, key=lambda look: look.state not in ACTIVE)]
    others = [names[name] for name in over if name in names and name != chosen
              and names[name].job.kind == names[chosen].job.kind and names[name].steps][:OVERLAID]
    drawn = {"jobs": jobs, "shown": chosen, "full": detail(words, names[chosen], others) if chosen else None,
             "said": said, "over": [look.job.name for look in others],
             "busy": any(look.state in ACTIVE for look in looks), "example": False}
    return {**drawn, "version": hashlib.sha256(json.dumps(drawn).encode()).hexdigest()[:16]}


def _row(words: Words, look: Look) -> dict[str, Any]:
    done, job = len(look.steps), look.job
    text = {"waiting": lambda: words("waiting" if look.ahead else "next", ahead=look.ahead),
            "running": lambda: words("running", done=done, steps=job.steps) if done else words("getting_ready"),
            "stopping": lambda: words("stopping"),
            "stopped": lambda: words("stopped", done=done, steps=job.steps),
            "done": lambda: words("done"),
            "failed": lambda: words("failed", line=look.line or words("died")),
            "gone": lambda: words("gone")}[look.state]()
    return {"name": job.name, "kind": words(job.kind), "by": words("by", name=job.by), "state": look.state,
            "text": text, "done": job.steps if look.state == "done" else min(done, job.steps), "steps": job.steps,
            "bar": look.state in ("running", "stopping", "stopped"),
            "stop": look.state in ("waiting", "running"), "resume": look.state in ("stopped", "failed", "gone"),
            "compare": look.state == "done" and job.kind == "ppo"}


def detail(words: Words, look: Look, others: Sequence[Look] = ()) -> dict[str, Any]:
    """One training: its curves, with those of `others` laid over them, and once it is done what came of it."""
    kind, result = look.job.kind, look.result
    curves = [{"title": words(f"curve_{key}"), "unit": words(f"unit_{key}"), "about": words(f"about_{key}"),
               "points": points, "others": [{"name": _called(words, other), "points": _points(other, key)}
                                            for other in others]}
              for key in CURVES[kind] if (points := _points(look, key))]
    full = {"called": _called(words, look), "name": look.job.name, "kind": kind, "curves": curves,
            "steps": look.job.steps, "lines": [], "table": [], "samples": []}
    about = look.job.about
    if "judge" in about and "beta" in about:
        full["lines"].append(words("made_with", judge=_short(about["judge"]), beta=about["beta"]))
    if about.get("start"):
        full["lines"].append(words("gone_on", name=_short(about["start"])))
    if "lists" in about:
        full["lines"].append(words("made_of", n=about["lists"], whose=about.get("whose") or words("everybody")))
    try:
        if result is not None:
            {"ppo": _policy, "reward_model": _examined}[kind](words, result, full)
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        full["lines"].append(words("odd_result"))       # somebody else's, or edited by hand
    return full


def _points(look: Look, key: str) -> list[list[float]]:
    return [[row["step"], row[key]] for row in look.steps if key in row]


def _called(words: Words, look: Look) -> str:
    """Its name beside others, with the β that it was trained with."""
    beta = look.job.about.get("beta")
    return look.job.name if beta is None else words("with_beta", name=look.job.name, beta=beta)


def _short(judge: str) -> str:
    """The name of a reward model that was trained here; else as it is."""
    return judge.split("/")[1] if judge.startswith("runs/") and judge.count("/") == 2 else judge


def _examined(words: Words, result: dict[str, Any], full: dict[str, Any]) -> None:
    """How often the reward model agrees with lists that it did not learn from, and how sure that is."""
    seen = result["agreement"]["pair_accuracy"]
    full["lines"].append(words("held_out", mean=seen["mean"], low=seen["low"], high=seen["high"], pairs=seen["n"],
                               lists=result["held_out"]))
    full["lines"].append(words("above_chance" if seen["low"] > 0.5 else "not_above_chance"))
    full["lines"].append(words("length_only", mean=result["length_only"]))


def _policy(words: Words, result: dict[str, Any], full: dict[str, Any]) -> None:
    before, after = result["before"], result["after"]
    measured = [(f"row_{name}", *(side["scores"][name]["mean"] for side in (before, after)), "{:.2f}".format)
                for name in ("score", "gold") if name in before["scores"]]
    measured += [(f"row_{name}", before[name], after[name], form) for name, form in
                 (("kl", "{:z.1f}".format), ("length", "{:.1f}".format), ("eos_rate", percent), ("distinct", percent))]
    full["table"] = [[words(key), form(one), form(other)] for key, one, other, form in measured]
    full["about"] = [words(f"about_row_{key.removeprefix('row_')}") for key, *_ in measured]
    if said := _worth(before["scores"], after["scores"]):
        full["lines"].append(words(said))
    change = after["length"] / before["length"] - 1
    full["lines"].append(words("shorter" if change < 0 else "longer", share=abs(change)))
    full["samples"] = [[row["before"]["prompt"], row["before"]["response"], row["after"]["response"]]
                       for row in result["samples"][:SHOWN]]


def _worth(before: dict[str, Any], after: dict[str, Any]) -> str | None:
    """The sentence about what the reward is worth: what rose beyond the 95 % interval of before; None if unknown."""
    if not all("high" in side.get(name, {}) for side in (before, after) for name in ("score", "gold")):
        return None
    earned, truth = (after[name]["mean"] > before[name]["high"] for name in ("score", "gold"))
    return {(True, False): "cheats", (True, True): "honest"}.get((earned, truth), "no_gain")
