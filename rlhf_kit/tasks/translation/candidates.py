"""Translations of one source for a metric to learn from, each of a named kind, from faithful to useless."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rlhf_kit.tasks.grammar import Grammar, Tree, join
from rlhf_kit.tasks.translation.noise import CHANCES, Kind, translate

Candidate = Literal["faithful", "careless", "turned", "aspect", "dropped", "added", "repeated", "another", "copied"]
CANDIDATES: tuple[Candidate, ...] = get_args(Candidate)

# What happens to the clauses of those that have one fault, with one of these probabilities each.
FAULTS: Mapping[Candidate, tuple[Kind, tuple[float, ...]]] = {
    "turned": ("turned", (0.3, 0.5, 1.0)), "aspect": ("aspect", (0.3, 0.6)), "dropped": ("dropped", (0.3, 0.5)),
    "repeated": ("twice", (0.3, 0.6, 1.0))}
TRIES = 20                                              # at a text in which the fault happens


@dataclass(frozen=True)
class Scored:
    """Several translations of one source, with what each is worth."""

    prompt: str
    responses: tuple[str, ...]      # K different ones, the order says nothing
    kinds: tuple[str, ...]          # K, what each was made to be
    gold: tuple[float, ...]         # K, in [0, 1]


def candidate(kind: Candidate, trees: Sequence[Tree], grammar: Grammar, other: Sequence[Tree],
              rng: random.Random) -> str:
    """One translation of `trees`, without the space in front.

        faithful    what a careful translator writes
        careless    by one who errs half as often as the original data's, as often, or twice as often
        turned      some or all clauses judge the other way round;   aspect, dropped: of other things, left out
        added       faithful, with a sentence or two of another source before or behind
        repeated    some or all clauses twice, or the whole up to four times
        another     a faithful translation of the other source
        copied      the source, or a part of it, left in Chinese

    Args:
        other: the sentences of another source.
    """
    if kind == "another":
        return _english(other)
    if kind == "careless":
        care = rng.choice((0.5, 1.0, 2.0))
        return translate(trees, grammar, rng, {name: care * chance for name, chance in CHANCES.items()})[0]
    if kind == "added":
        more = list(other)[:rng.choice((1, 1, 2))]
        return _english([*more, *trees] if rng.random() < 0.3 else [*trees, *more])
    if kind == "repeated" and rng.random() < 0.4:
        return " ".join([_english(trees)] * rng.choice((2, 2, 3, 4)))
    if kind == "copied":
        return translate(trees, grammar, rng, {"chinese": rng.choice((0.5, 1.0))})[0]
    if kind in FAULTS:
        fault, chances = FAULTS[kind]
        for _ in range(TRIES):
            text, errors = translate(trees, grammar, rng, {fault: rng.choice(chances)})
            if errors and text:
                return text
    return _english(trees)


def kinds_of(wanted: Collection[str]) -> tuple[Candidate, ...]:
    """The same, in the order of `CANDIDATES`. Raises: ValueError for a name that is none, or fewer than two."""
    unknown = sorted(set(wanted) - set(CANDIDATES))
    if unknown or len(set(wanted)) < 2:
        raise ValueError(f"the kinds of candidates are {', '.join(map(repr, wanted)) or 'none'}; give at least two of "
                         f"{', '.join(CANDIDATES)}.")
    return tuple(kind for kind in CANDIDATES if kind in wanted)


def _english(trees: Sequence[Tree]) -> str:
    return join([token for tree in trees for token in tree.tokens("en")], "en")
