"""What a text of the review language says, unit by unit, so that two texts can be held against each other.

A unit is one clause about one thing: "the lid isn't tight at all". Both languages are read by one grammar, so what a
unit says is written down in Chinese whichever of them it was read in, and one clause said in both is the same unit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from rlhf_kit.language import Lang
from rlhf_kit.tasks.grammar import Slot, Tree, join, tokenize
from rlhf_kit.tasks.reviews.language import Opinion, opinions, valence_of, world

WORDS, DEGREE, MANNER = 0.4, 0.2, 0.2       # what else is right of a unit whose thing and judgement are; these give 0.2
_ENDS = frozenset(".。!?！？")
_LEAVES = ("adj", "peer")                   # what is said of the thing, and who says so


@dataclass(frozen=True)
class Unit:
    """One clause, as it was understood."""

    about: str              # the aspect, "lid"; of a neutral fact the whole fact
    judged: int             # 1 well, -1 badly, 0 a neutral fact
    own: bool               # False for what others say
    degree: float           # how strongly, as "very" (1), "really" (1.2) or a "but" (0.4) make it
    manner: str             # "plain", "negated", or the turn of the sentence: expected, at first, others say
    words: tuple[str, ...]  # adjectives and persons in Chinese, in order; of an idiom the idiom
    text: str = field(compare=False)        # as it stands in the text

    def credit(self, other: Unit) -> float:
        """How much of this unit `other` says, in [0, 1]: 0 for another thing or the other judgement, 1 for all of it.

            credit = 0.2 + 0.4 · words + 0.2 · degree + 0.2 · manner        each 1 if it agrees, words by their share
        """
        if (self.about, self.judged, self.own) != (other.about, other.judged, other.own):
            return 0.0
        same = sum(mine == theirs for mine, theirs in zip(self.words, other.words, strict=False))
        words = same / len(self.words) if len(self.words) == len(other.words) else 0.0
        wrong = WORDS * (1 - words) + DEGREE * (self.degree != other.degree) + MANNER * (self.manner != other.manner)
        return 1.0 - wrong


@dataclass(frozen=True)
class Reading:
    """A text as the grammar reads it."""

    units: tuple[Unit, ...]
    lost: tuple[str, ...]   # stretches that were not understood
    understood: int         # tokens (English words and marks, Chinese characters) of `tokens`
    tokens: int
    whole: bool             # ends with a full stop


@lru_cache(maxsize=20_000)
def read(text: str, lang: Lang) -> Reading:
    """Read a text: whole sentences where they are, else clauses, else the next word is not understood."""
    grammar, tokens = world().grammar, tokenize(text, lang)
    whole = bool(tokens) and tokens[-1] in _ENDS
    closed = tokens if whole else [*tokens, "." if lang == "en" else "。"]          # a full stop is added, to read it
    found: list[Unit] = []
    lost: list[list[str]] = []
    start, last = 0, -2
    while start < len(tokens):
        readings = grammar.parse(closed, "unit", lang, start) or grammar.parse(closed, "piece", lang, start)
        if readings:
            start, tree = max(readings, key=lambda reading: reading[0])
            found += units(tree, lang)
            if closed[start - 1] not in _ENDS and closed[start] in _ENDS:
                start += 1                                  # the full stop behind a clause
            continue
        if start - 1 != last:
            lost.append([])
        lost[-1].append(tokens[start])
        last, start = start, start + 1
    missed = sum(map(len, lost))
    return Reading(tuple(found), tuple(join(words, lang) for words in lost), len(tokens) - missed, len(tokens), whole)


def units(tree: Tree, lang: Lang) -> list[Unit]:
    """What a sentence, or a piece of one, says; `lang` is that of the units' texts."""
    found = opinions(tree)
    if not found:
        fact = tree.text("zh")
        return [Unit(fact, 0, True, 0.0, "plain", (fact,), tree.text(lang))]
    return [_unit(opinion, lang) for opinion in found]


def _unit(opinion: Opinion, lang: Lang) -> Unit:
    tree = opinion.tree
    said = opinion.valence or sum(valence_of(child) for _, child in tree.children)      # of hearsay, what was heard
    words = tuple(leaf.text("zh") for leaf in _leaves(tree)) or (tree.text("zh"),)
    return Unit(opinion.aspect, 1 if said > 0 else -1, bool(opinion.valence), round(abs(said), 3), _manner(tree),
                words, tree.text(lang))


def _leaves(tree: Tree) -> Iterator[Tree]:
    """Adjectives and persons, in the order of the slots' names, which is the same in both languages."""
    if tree.rule.symbol.split("/")[0] in _LEAVES:
        yield tree
    for _, child in tree.children:
        yield from _leaves(child)


def _manner(tree: Tree) -> str:
    rule = tree.rule
    if rule.symbol.split("/")[0] in ("turn", "hearsay"):
        return "".join("…" if isinstance(item, Slot) else item for item in rule.zh)
    turned = any(float(rule.meaning.get(slot.name, 1)) < 0 for slot in rule.slots)
    return "negated" if turned else "plain"
