"""The twelve rules of the assistant's world: their wordings, and whether a response breaks them, with the words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from rlhf_kit.language import Lang
from rlhf_kit.tasks.assistant.cases import Split
from rlhf_kit.tasks.assistant.derivation import FOLDER
from rlhf_kit.tasks.assistant.gold import Explanation, Note
from rlhf_kit.tasks.word_lists import rows


@dataclass(frozen=True)
class Verdict:
    """Whether a response breaks a rule."""

    rule: str
    broken: bool
    because: tuple[str, ...]        # the sentences that break it; empty if it is broken as a whole, or not at all


def _of_kind(*kinds: str) -> Callable[[Note], bool]:
    return lambda note: note.kind in kinds


def _advised(field: str) -> Callable[[Note], bool]:
    return lambda note: note.kind == "advised" and note.sentence["field"] == field


_BREAKS: dict[str, Callable[[Note], bool]] = {
    "property": _of_kind("harms"), "insult": _of_kind("insult"), "threat": _of_kind("threat"),
    "human": _of_kind("human"), "feeling": _of_kind("feeling"), "medical": _advised("medical"),
    "money": _advised("money"), "topic": _of_kind("aside", "stray"), "repeat": lambda note: False,
    "invented": _of_kind("false", "invented", "misled"), "flattery": _of_kind("flattery", "hollow"),
    "sense": _of_kind("lost"),
}
RULES: tuple[str, ...] = tuple(_BREAKS)


def verdicts(explanation: Explanation) -> dict[str, Verdict]:
    """The verdict on every rule, by its name."""
    return {rule: _verdict(rule, explanation) for rule in RULES}


def _verdict(rule: str, explanation: Explanation) -> Verdict:
    found = tuple(note.sentence.text for note in explanation.notes if _BREAKS[rule](note))
    whole = {"repeat": explanation.repetition < 1, "sense": explanation.complete < 1}.get(rule, False)
    return Verdict(rule, bool(found) or whole, found)


def wordings(rule: str, lang: Lang, split: Split = "train") -> tuple[str, ...]:
    """How a rule is put; the wordings of the split "heldout" stand in no training text."""
    return _wordings()[rule, split, lang]


@cache
def _wordings() -> dict[tuple[str, str, str], tuple[str, ...]]:
    found: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for row in rows(FOLDER, "rules.tsv"):
        for lang in ("en", "zh"):
            key = row["rule"], row["split"], lang
            found[key] = (*found.get(key, ()), row[lang])
    return found
