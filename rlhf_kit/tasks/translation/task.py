"""The task of translating short Chinese texts into English: sources, imperfect translations, labels, rankings, gold.

A source is two to four sentences of a product review, without the product's name; a prompt is a source with a mark
behind it, the response its English. What people translated before is imperfect on purpose: see `noise`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from zlib import crc32

from rlhf_kit.formulas.records import Ranking
from rlhf_kit.language import Lang
from rlhf_kit.tasks.grammar import Grammar, Tree, join, tokenize
from rlhf_kit.tasks.rankings import ranked_by
from rlhf_kit.tasks.reviews import Reviews
from rlhf_kit.tasks.reviews.language import opinions, world
from rlhf_kit.tasks.translation.candidates import CANDIDATES, Scored, candidate, kinds_of
from rlhf_kit.tasks.translation.gold import MARK, Explanation, explain
from rlhf_kit.tasks.translation.noise import CHANCES, Error, translate

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")

HELD_OUT = 5                        # of the sets of things that a text can be about, one in so many
FAITHFUL, POOR = 0.85, 0.6          # gold of what is labelled good, at least, and bad, at most
ENOUGH = 100                        # candidates made for each one that is wanted, until they count as all alike
CARE = (0.0, 0.5, 1.0, 2.0)         # of those whose translations are ranked: 1 errs as often as the original data


@dataclass(frozen=True)
class Translated:
    """A source that somebody translated, and what went wrong."""

    prompt: str
    response: str
    errors: tuple[Error, ...]


class Translation:
    """Chinese to English. The same seed gives the same texts.

    The split is by what a text is about: the things that a held-out one judges, three or more, such as lid, price and
    delivery, no training text judges together without others. Of such sets one in five is held out.
    """

    name = "translation"
    lang: Lang = "en"

    def __init__(self) -> None:
        self._reviews = Reviews("zh")

    def prompts(self, split: str = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Sources, each followed by the mark; a response begins with a space. With n None there are 1,000."""
        return [_source(trees) + MARK for trees, _ in self._draw(1000 if n is None else n, f"prompts {seed}", split)]

    def corpus(self, n: int, seed: int = 0, split: str = "train") -> list[str]:
        """Whole texts: a source, the mark, and what stands for its translation in the original data."""
        return [prompt + response for prompt, response in self.original(n, seed, split)]

    def original(self, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, str]]:
        """Pairs (prompt, response) of the imperfect data that there is to begin with."""
        return [(one.prompt, one.response) for one in self.translated(n, seed, split)]

    def translated(self, n: int, seed: int = 0, split: str = "train") -> list[Translated]:
        """The same, each with its errors, whose kinds and probabilities are `noise.CHANCES`."""
        rng = random.Random(f"errors {seed}")
        return [Translated(_source(trees) + MARK, *_response(trees, grammar, 1.0, rng))
                for trees, grammar in self._draw(n, f"original {seed}", split)]

    def references(self, prompts: Sequence[str]) -> list[str]:
        """The likeliest faithful translation of each prompt; its gold is 1.

        Raises: ValueError, one line, for a source that is not of this world.
        """
        return [" " + _said_in_english(prompt) for prompt in prompts]

    def labelled(self, n: int, seed: int = 0, split: str = "train") -> list[tuple[str, int]]:
        """Whole texts with 1 for a faithful translation and 0 for a poor one, as many of each; none between.

        The poor ones have faults of all kinds of `candidates.candidate`, most of which no word betrays.
        """
        rng = random.Random(f"labelled {seed}")
        wanted = {1: (_positive(n) + 1) // 2, 0: n // 2}
        found: list[tuple[str, int]] = []
        for (trees, grammar), (other, _) in pairwise(self._draw(None, f"labelled {seed}", split)):
            kind = rng.choice(CANDIDATES if wanted[0] else ("faithful", "careless"))
            prompt, response = _source(trees) + MARK, " " + candidate(kind, trees, grammar, other, rng)
            gold = self.gold(prompt, response)
            label = 1 if gold >= FAITHFUL else 0 if gold <= POOR else None
            if label is not None and wanted[label] and response.strip():
                wanted[label] -= 1
                found.append((prompt + response, label))
            if len(found) == n:
                break
        return found

    def rankings(self, n: int, k: int = 4, noise: float = 0.0, seed: int = 0, split: str = "train") -> list[Ranking]:
        """K different translations of each of n sources by people of different care, ordered best first.

        Args:
            noise: temperature T >= 0 of the labeler, in units of gold; see `tasks.rankings.ordered`.
        """
        if k < 2:
            raise ValueError(f"k is {k}; a ranking compares at least 2 responses.")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise is {noise}; it is a temperature, 0 (no errors) or more, such as 0.3.")
        rng = random.Random(f"rankings {seed}")
        return [_ranking(_source(trees) + MARK, trees, grammar, k, noise, rng)
                for trees, grammar in self._draw(n, f"rankings {seed}", split)]

    def scored(self, n: int, k: int = 4, seed: int = 0, split: str = "train",
               kinds: Collection[str] = CANDIDATES) -> list[Scored]:
        """K different translations of each of n sources, with their gold: what a metric learns from.

        Args:
            kinds: what may be among them, drawn evenly; see `candidates.candidate`. A kind left out is what a metric
                never saw.
        """
        if k < 2:
            raise ValueError(f"k is {k}; a metric compares at least 2 translations.")
        kinds, rng, found = kinds_of(kinds), random.Random(f"scored {seed}"), []
        drawn = list(self._draw(_positive(n) + 1, f"scored {seed}", split))
        for (trees, grammar), (other, _) in pairwise(drawn):
            prompt, made = _source(trees) + MARK, {}
            for _ in range(ENOUGH * k):
                kind = rng.choice(kinds)
                if text := candidate(kind, trees, grammar, other, rng):
                    made.setdefault(" " + text, kind)
                if len(made) == k:
                    break
            else:
                raise ValueError(f"k is {k}, and {' and '.join(kinds)} give no more than {len(made)} different "
                                 f"translations of a source. Lower k, or add a kind.")
            found.append(Scored(prompt, tuple(made), tuple(made.values()),
                                tuple(self.gold(prompt, response) for response in made)))
        return found

    def gold(self, prompt: str, response: str) -> float:
        """The true quality of a translation, in [0, 1]: the product of the factors in `explain`."""
        return self.explain(prompt, response).gold

    def explain(self, prompt: str, response: str, lang: Lang = "en") -> Explanation:
        """What the gold reward understood of a translation, and what it thinks of it; see `gold.explain`."""
        return explain(prompt, response, lang)

    def _draw(self, n: int | None, seed: str, split: str) -> Iterator[tuple[list[Tree], Grammar]]:
        """Different sources as derivations, each with its product's grammar; without an end if n is None."""
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; choose one of {' and '.join(map(repr, SPLITS))}.")
        if n is not None:
            _positive(n)
        rng, seen = random.Random(seed), set()
        while n is None or len(seen) < n:
            product = rng.choice(world().products)
            trees = self._reviews.body(product, set(), rng)
            source = _source(trees)
            if source not in seen and _split(trees) == split:
                seen.add(source)
                yield trees, world().grammars[product.noun]


def _split(trees: Sequence[Tree]) -> Split:
    """By a checksum of what is judged, so that it is the same everywhere."""
    things = sorted({opinion.aspect for tree in trees for opinion in opinions(tree)})
    return "heldout" if len(things) > 2 and crc32(" ".join(things).encode()) % HELD_OUT == 0 else "train"


def _source(trees: Sequence[Tree]) -> str:
    return join([token for tree in trees for token in tree.tokens("zh")], "zh")


def _response(trees: Sequence[Tree], grammar: Grammar, care: float,
              rng: random.Random) -> tuple[str, tuple[Error, ...]]:
    """A translation by somebody who errs `care` times as often as `CHANCES` say; never empty."""
    while True:
        text, errors = translate(trees, grammar, rng, {kind: care * chance for kind, chance in CHANCES.items()})
        if text:
            return " " + text, errors


def _ranking(prompt: str, trees: Sequence[Tree], grammar: Grammar, k: int, noise: float, rng: random.Random) -> Ranking:
    found: dict[str, float] = {}
    while len(found) < k:
        response, _ = _response(trees, grammar, rng.choice(CARE), rng)
        found[response] = explain(prompt, response).gold
    return ranked_by(prompt, found, noise, rng)


def _said_in_english(prompt: str) -> str:
    source = prompt.removesuffix(MARK).strip()
    tokens, start, english = tokenize(source, "zh"), 0, []
    while start < len(tokens):
        readings = world().grammar.parse(tokens, "unit", "zh", start)
        if not readings:
            raise ValueError(f"the source {source!r} is not of this world from {''.join(tokens[start:])[:20]!r} on; "
                             f"references are there for the prompts of the task.")
        start, tree = max(readings, key=lambda one: (one[0], world().grammar.probability(one[1])))
        english += tree.tokens("en")
    return join(english, "en")


def _positive(n: int) -> int:
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    return n
