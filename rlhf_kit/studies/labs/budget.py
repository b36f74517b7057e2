"""One budget of labels for all: what counts as one, how each recipe keeps within it, and how many it used.

A label is one answer that a person wrote or judged: a demonstration is one, each response of a ranked page, both of a
comparison, each candidate of a turn of which one is picked, and an answer with the rule that it is held against. What a
recipe asks for beyond that is not counted: labels that only examine its reward models, a forum's votes, which are there
for nothing, and pairs of which whoever compared them saw no difference.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rlhf_kit.jobs.recipe_runs import RecipeJob
from rlhf_kit.jobs.train_anthropic import AnthropicJob
from rlhf_kit.jobs.train_instructgpt import InstructGptJob
from rlhf_kit.jobs.train_sparrow import SparrowJob
from rlhf_kit.language import Lang, some_of
from rlhf_kit.recipes import anthropic, instructgpt, sparrow

Counts = dict[str, int]                 # kind of label -> how many
OWN_EXAM = 60                           # prompts of the recipe's own examination: the one that counts comes after it


# -- within the budget -------------------------------------------------------------------------------------------------

def pages_within(preset: instructgpt.Preset, budget: int) -> instructgpt.Preset:
    """The preset's demonstrations, and as many pages as the rest allows; one holds 4 to 9 responses, 6.5 on average."""
    each = (instructgpt.FEWEST + instructgpt.MOST) / 2
    return replace(preset, rankings=_some(int((budget - preset.demonstrations) / each), budget), held_out=OWN_EXAM)


def comparisons_within(preset: anthropic.Preset, budget: int) -> anthropic.Preset:
    """Half as many comparisons as labels, of each kind the preset's share."""
    whole, n = preset.helpful + preset.harmless + preset.sampled, budget // 2
    harmless, sampled = n * preset.harmless // whole, n * preset.sampled // whole
    return replace(preset, harmless=harmless, sampled=sampled, helpful=_some(n - harmless - sampled, budget),
                   held_out=OWN_EXAM // 2)


def turns_within(preset: sparrow.Preset, budget: int) -> sparrow.Preset:
    """Of turns and of rule labels the preset's shares."""
    whole = preset.candidates * (preset.turns + preset.by_people) + preset.labels
    turns, by_people = preset.turns * budget // whole, preset.by_people * budget // whole
    labels = budget - preset.candidates * (turns + by_people)
    return replace(preset, turns=_some(turns, budget), by_people=by_people, labels=labels, held_out=OWN_EXAM,
                   reranked=OWN_EXAM // 3)


def _some(n: int, budget: int) -> int:
    if n < 1:
        raise ValueError(f"the budget is {budget} labels, and a recipe needs more; give some hundreds.")
    return n


@dataclass(frozen=True, kw_only=True)
class InstructGptWithin(InstructGptJob):
    """The recipe with so many labels."""

    budget: int

    def settings(self) -> instructgpt.Preset:
        return pages_within(super().settings(), self.budget)


@dataclass(frozen=True, kw_only=True)
class AnthropicWithin(AnthropicJob):
    """The recipe with so many labels."""

    budget: int

    def settings(self) -> anthropic.Preset:
        return comparisons_within(super().settings(), self.budget)


@dataclass(frozen=True, kw_only=True)
class SparrowWithin(SparrowJob):
    """The recipe with so many labels."""

    budget: int

    def settings(self) -> sparrow.Preset:
        return turns_within(super().settings(), self.budget)


# -- what was used -----------------------------------------------------------------------------------------------------

def of_instructgpt(folder: Path) -> Counts:
    demonstrations = json.loads((folder / "result.json").read_text(encoding="utf-8"))["demonstrations"]
    return {"demonstrations": demonstrations, "ranked": _answers(folder / "labels" / "rankings.jsonl")}


def of_anthropic(folder: Path) -> Counts:
    files = [file for place in ("labels", "sampled") for file in sorted((folder / place).glob("*-train.jsonl"))]
    return {"compared": 2 * sum(len(_rows(file)) for file in files)}


def of_sparrow(folder: Path) -> Counts:
    return {"picked": _answers(folder / "labels" / "turns.jsonl"),
            "rules": len(_rows(folder / "labels" / "rules.jsonl"))}


def _answers(file: Path) -> int:
    return sum(len(json.loads(row)["responses"]) for row in _rows(file))


def _rows(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines()


# -- the table ---------------------------------------------------------------------------------------------------------

@dataclass(frozen=True, kw_only=True)
class Lab:
    """A way from the base to an assistant."""

    job: Callable[..., RecipeJob] | None = None         # (lang, seed, budget) by name; None: SFT alone
    used: Callable[[Path], Counts] | None = None        # of its folder


LABS: Mapping[str, Lab] = {
    "sft": Lab(),                                       # every label is a demonstration
    "instructgpt": Lab(job=InstructGptWithin, used=of_instructgpt),
    "anthropic": Lab(job=AnthropicWithin, used=of_anthropic),
    "sparrow": Lab(job=SparrowWithin, used=of_sparrow),
}


def recipe(name: str, lang: Lang, seed: int, budget: int) -> RecipeJob:
    """The job of a recipe of the table."""
    job = LABS[name].job
    assert job is not None, f"{name} is no recipe"
    return job(lang=lang, seed=seed, budget=budget)


def chosen(names: str | Sequence[str] | None) -> tuple[str, ...]:
    """The labs of these names in the order of the table; None: all. Raises: ValueError."""
    return some_of(names, LABS, "--labs")
