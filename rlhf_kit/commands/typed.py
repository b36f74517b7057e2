"""The command that makes a run, from the settings that it was claimed with; of paths on this machine only the ends."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlhf_kit.commands import human_loop, tour, train
from rlhf_kit.datasets.sources import is_hub_name
from rlhf_kit.language import typed

ELSEWHERE = ("output", "device", "json", "fresh", "track", "stage", "processes", "help", "example", "ratings")
PATHS = ("reviews", "data", "prompts", "rankings", "pairs", "pretrain", "reward", "task", "model", "judge", "reference",
         "preamble", "teacher", "votes", "red_team", "test_judge")
NAMES = {"rewardmodel": "reward-model", "rulemodel": "rule-model"}     # called so in its settings -> as it is typed
ALONE = ("tour", "human")                   # jobs that are no method of `train`


def command_of(settings: Mapping[str, Any], output: str) -> str:
    """As one would type it; where the parts of a Python job cannot be typed, they are left out."""
    job = settings.get("job", "tour")
    words = [*_words(job, settings), "--output", output]
    return typed(["rlhf-kit", *words])


def _words(job: str, settings: Mapping[str, Any]) -> list[str]:
    if job == "tour":
        from rlhf_kit.runs.report import ranked
        own = {**settings, "kl": settings["ppo"]["kl"]["coefficient"], "steps": settings["ppo"]["steps"],
               "judge": "ranked" if ranked(settings) else "classifier"}
        return ["tour", *_options(_parser(tour.add, "tour"), own)]
    if job == "human":
        return ["human-loop", *_options(_parser(human_loop.add, "human-loop"), settings)]
    name = NAMES.get(job, job)
    methods = _parser(train.add, "train")
    [action] = [one for one in methods._actions if isinstance(one, argparse._SubParsersAction)]
    if name not in action.choices:
        return ["train", name]
    return ["train", name, *_options(action.choices[name], settings)]


def _parser(add: Any, name: str) -> argparse.ArgumentParser:
    commands = argparse.ArgumentParser().add_subparsers()
    add(commands)
    return commands.choices[name]


def _options(parser: argparse.ArgumentParser, settings: Mapping[str, Any]) -> list[str]:
    """Each option whose setting is not its default, in the order of the help."""
    words, known = [], {**(settings.get("changes") or {}), **settings}
    for action in parser._actions:
        value = known.get(action.dest)
        hidden = action.help == argparse.SUPPRESS or not action.option_strings or action.dest in ELSEWHERE
        if hidden or value is None or (value == action.default and action.dest != "lang"):
            continue
        option = action.option_strings[0]
        if isinstance(action, argparse._StoreTrueAction | argparse._StoreFalseAction):
            words.append(option)
        elif isinstance(value, list | tuple):
            if all(isinstance(one, int | float) for one in value):
                words += [option, ",".join(map(str, value))]
        elif isinstance(value, str | int | float):
            words += [option, _shown(action.dest, value)]
    return words


def _shown(name: str, value: Any) -> str:
    """A value as it is typed; of a path its last part, of a folder the last two."""
    if name not in PATHS or not isinstance(value, str) or is_hub_name(value):
        return str(value)
    parts = Path(value).parts
    return str(Path(*parts[-1 if Path(value).suffix else -2:])) if len(parts) > 1 else value
