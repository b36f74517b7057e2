"""A translator who makes mistakes: each clause goes wrong with a stated probability, and what went wrong is said."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from rlhf_kit.tasks.grammar import Grammar, Slot, Tree, join
from rlhf_kit.tasks.reviews.language import opinions
from rlhf_kit.tasks.translation.meaning import units

Kind = Literal["dropped", "turned", "aspect", "chinese", "twice"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Of a clause, the probability that it is left out, judged the other way round, said of another thing, left in Chinese,
# or said a second time in a sentence of its own. One at most happens to a clause.
CHANCES: Mapping[Kind, float] = {"dropped": 0.06, "turned": 0.05, "aspect": 0.05, "chinese": 0.04, "twice": 0.05}


@dataclass(frozen=True)
class Error:
    """What happened to one clause."""

    kind: Kind
    clause: str             # in Chinese


@dataclass(frozen=True)
class Clause:
    """A part of a sentence that may go wrong by itself, and what can happen to it."""

    tree: Tree
    slot: str | None        # where it stands in the sentence; None = it is the sentence
    kinds: tuple[Kind, ...]


def clauses(sentence: Tree) -> list[Clause]:
    """The clauses of a sentence; a neutral fact can be neither turned round nor said of something else."""
    inside = [(slot, child) for slot, child in sentence.children if child.rule.symbol.startswith("any")]
    return [Clause(tree, slot, _possible(tree)) for slot, tree in inside or [(None, sentence)]]


def _possible(tree: Tree) -> tuple[Kind, ...]:
    found = opinions(tree)
    if not found:
        return "dropped", "chinese", "twice"
    return ("dropped", "turned", "chinese", "twice") if found[0].aspect == "verdict" else KINDS


def translate(trees: Sequence[Tree], grammar: Grammar, rng: random.Random,
              chances: Mapping[Kind, float] = CHANCES) -> tuple[str, tuple[Error, ...]]:
    """The English of these sentences with mistakes, and the mistakes.

    Args:
        grammar: of the product that is spoken of: another aspect is one of its own that the text does not take up.
        chances: probability of each kind for each clause that it can happen to.
    """
    taken = {opinion.aspect for tree in trees for opinion in opinions(tree)}
    tokens: list[str] = []
    errors: list[Error] = []
    for tree in trees:
        said: dict[str | None, list[str]] = {}
        again: list[str] = []
        for clause in clauses(tree):
            kind = _drawn(clause, chances, rng)
            if kind:
                errors.append(Error(kind, clause.tree.text("zh")))
            said[clause.slot] = _said(clause.tree, kind, grammar, taken, rng)
            if kind == "twice":
                again += clause.tree.tokens("en") + ["."] * (clause.slot is not None)
        tokens += [*_sentence(tree, said), *again]
    return join(tokens, "en"), tuple(errors)


def _drawn(clause: Clause, chances: Mapping[Kind, float], rng: random.Random) -> Kind | None:
    draw = rng.random()
    for kind in clause.kinds:
        draw -= chances.get(kind, 0.0)
        if draw < 0:
            return kind
    return None


def _said(tree: Tree, kind: Kind | None, grammar: Grammar, taken: set[str], rng: random.Random) -> list[str]:
    """The tokens of a clause after what happened to it; none if it was dropped."""
    if kind == "dropped":
        return []
    if kind == "chinese":
        return [tree.text("zh")]
    if kind == "turned":
        tree = _turned(tree, grammar, rng)
    if kind == "aspect":
        tree = _elsewhere(tree, grammar, taken, rng)
    return tree.tokens("en")


def _symbol(tree: Tree) -> str:
    """What a clause was derived from: any/+ holds a fact/+/lid, a verdict/+ is one."""
    return tree.children[0][1].rule.symbol if tree.rule.symbol.startswith("any") else tree.rule.symbol


def _turned(tree: Tree, grammar: Grammar, rng: random.Random) -> Tree:
    """Something of the same kind about the same thing that judges it the other way."""
    [was] = units(tree, "zh")
    symbol = _symbol(tree)
    other = symbol.replace("/+", "/?").replace("/-", "/+").replace("/?", "/-")
    while True:
        made = grammar.derive(other, rng)
        if units(made, "zh")[0].judged == -was.judged:
            return made


def _elsewhere(tree: Tree, grammar: Grammar, taken: set[str], rng: random.Random) -> Tree:
    """Something of the same kind and judgement about a thing that the text does not take up."""
    [was] = units(tree, "zh")
    family = _symbol(tree).rpartition("/")[0] + "/"         # fact/+/ of fact/+/lid
    fitting = [symbol for symbol in grammar.symbols
               if symbol.startswith(family) and symbol.removeprefix(family) not in taken]
    while True:
        made = grammar.derive(rng.choice(fitting), rng)
        if units(made, "zh")[0].judged == was.judged:
            taken.add(units(made, "zh")[0].about)
            return made


def _sentence(tree: Tree, said: Mapping[str | None, list[str]]) -> list[str]:
    """The sentence with its clauses as they were said; of two of which one is gone, the other with a full stop."""
    if None in said:
        return said[None] + ["."] * bool(said[None] and said[None][-1][-1] not in ".。")
    left = [words for words in said.values() if words]
    if len(left) < len(said):
        return [*left[0], "."] if left else []
    return [word for item in tree.rule.en for word in (said[item.name] if isinstance(item, Slot) else [item])]
