"""The task of writing product reviews, in English and Chinese: prompts, texts, labels, rankings and the gold reward.

A review is an opening that names the product (the prompt) and a body of opinions. The gold reward reads a text back
and multiplies five factors, each in [0, 1]: sentiment, coverage, repetition, relevance, completeness.
"""

import math
import random
from collections.abc import Iterator, Sequence
from typing import Literal

from rlhf_kit.formulas.records import Ranking
from rlhf_kit.language import LANGS, Lang
from rlhf_kit.tasks.grammar import Tree, join
from rlhf_kit.tasks.rankings import ordered
from rlhf_kit.tasks.reviews.gold import Explanation, Reader
from rlhf_kit.tasks.reviews.language import Product, marks, mentioned, opinions, world

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")

MARGIN = 0.8              # a labelled review has at least this much valence, either way
GOOD = 0.6                # gold of a demonstration, at least
MOST_TOKENS = {"en": 45, "zh": 60}   # of a review; longer ones are drawn again


class Reviews:
    """The task of writing reviews. The two languages share their derivations: the same seed gives translations.

    Products of the split "heldout" (about one in four) never occur in the split "train", in either language.
    """

    def __init__(self, lang: Lang) -> None:
        if lang not in LANGS:
            raise ValueError(f"lang is {lang!r}; reviews exist in {' and '.join(map(repr, LANGS))}.")
        self.lang: Lang = lang
        self.name = f"reviews-{lang}"
        self._world = world()
        self._reader = Reader(self._world, lang)

    def products(self, split: Split = "train") -> list[str]:
        """The names of the products of a split."""
        return [product.name(self.lang) for product in self._products(split)]

    def _products(self, split: str) -> list[Product]:
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; choose one of {' and '.join(map(repr, SPLITS))}.")
        return [product for product in self._world.products if product.split == split]

    def prompts(self, split: Split = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """Openings of reviews, without a trailing space: an English response begins with one.

        Args:
            n: how many; None gives one for each product. They are distinct as long as the grammar has that many.
        """
        products, rng = self._products(split), random.Random(f"prompts {seed}")
        wanted = len(products) if n is None else _positive(n=n)
        found: dict[str, None] = {}
        for _ in range(20 * wanted):
            if len(found) == wanted:
                return list(found)
            found[self._opening(rng.choice(products), rng).text(self.lang)] = None
        distinct = list(found)
        return distinct + rng.choices(distinct, k=wanted - len(distinct))

    def corpus(self, n: int, seed: int = 0, split: Split = "train") -> list[str]:
        """Whole reviews, half of them in a good mood."""
        return [self._text(trees) for trees in self._draw(_positive(n=n), seed, split)]

    def labelled(self, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, int]]:
        """Whole reviews with the sign of their valence, 1 or 0: as many of one as of the other, none near zero."""
        wanted = {1: (_positive(n=n) + 1) // 2, 0: n // 2}
        found: list[tuple[str, int]] = []
        for trees in self._draw(None, seed, split):
            total = self.valence(trees)
            label = int(total > 0)
            if abs(total) >= MARGIN and wanted[label]:
                wanted[label] -= 1
                found.append((self._text(trees), label))
            if len(found) == n:
                return found
        raise AssertionError("the stream of reviews does not end")

    def rankings(self, n: int, k: int = 4, noise: float = 0.0, seed: int = 0, split: Split = "train") -> list[Ranking]:
        """K responses to each of n prompts, ordered best first as a labeler would.

        Args:
            noise: temperature T >= 0 of the labeler, in units of gold. At 0 the order is that of gold; equals tie.
                Above 0 the order is drawn from a Plackett-Luce model: of any two responses, the one with gold g is
                placed before the one with gold h with probability 1 / (1 + exp((h - g) / T)), which is Bradley-Terry.
        """
        _positive(n=n)
        if k < 2:
            raise ValueError(f"k is {k}; a ranking compares at least 2 responses.")
        if not 0 <= noise < math.inf:
            raise ValueError(f"noise is {noise}; it is a temperature, 0 (no errors) or more, such as 0.3.")
        rng, products = random.Random(f"rankings {seed}"), self._products(split)
        return [self._ranking(rng.choice(products), k, noise, rng) for _ in range(n)]

    def demonstrations(self, n: int, seed: int = 0, split: Split = "train") -> list[tuple[str, str]]:
        """Pairs (prompt, response) as people write them who were asked for a good review: gold is at least GOOD."""
        rng, products, found = random.Random(f"demonstrations {seed}"), self._products(split), []
        while len(found) < _positive(n=n):
            product = rng.choice(products)
            opening = self._opening(product, rng)
            prompt = opening.text(self.lang)
            trees = [opening, *self.body(product, marks(opening, "topic"), rng)]
            response = self._text(trees)[len(prompt):]
            if self.gold(prompt, response) >= GOOD:
                found.append((prompt, response))
        return found

    def _ranking(self, product: Product, k: int, noise: float, rng: random.Random) -> Ranking:
        opening = self._opening(product, rng)
        prompt = opening.text(self.lang)
        bodies = [self.body(product, marks(opening, "topic"), rng) for _ in range(k)]
        responses = [self._text([opening, *body])[len(prompt):] for body in bodies]
        gold = [self.gold(prompt, response) for response in responses]
        order, ranks = ordered(gold, noise, rng)
        return Ranking(prompt, tuple(responses[i] for i in order), ranks)

    def _draw(self, n: int | None, seed: int, split: str) -> Iterator[list[Tree]]:
        """Reviews as derivations; without an end if n is None."""
        rng, products = random.Random(f"reviews {seed}"), self._products(split)
        while n is None or n > 0:
            product = rng.choice(products)
            yield self._review(product, rng)
            n = None if n is None else n - 1

    def _opening(self, product: Product, rng: random.Random) -> Tree:
        while True:   # a noun has about four products, so this takes about four draws
            tree = self._world.grammars[product.noun].derive(f"opening/{product.noun}", rng)
            if mentioned(tree) == product.zh and not {"child", "adult"} <= marks(tree, "age"):
                return tree

    def _review(self, product: Product, rng: random.Random) -> list[Tree]:
        opening = self._opening(product, rng)
        return [opening, *self.body(product, marks(opening, "topic"), rng)]

    def body(self, product: Product, taken: set[str], rng: random.Random) -> list[Tree]:
        """Two or three sentences that take up no topic twice, nor one already taken, and perhaps a verdict.

        Drawn again while too long in either language, so that both tell the same reviews.
        """
        while True:
            trees = self._sentences(product, taken, rng)
            own = [opinion for tree in trees for opinion in opinions(tree) if opinion.valence]
            if own and rng.random() < 0.4:
                sign = "+" if sum(opinion.valence for opinion in own) > 0 else "-"
                trees.append(self._world.grammars[product.noun].derive(f"verdict/{sign}", rng))
            if own and all(sum(len(tree.tokens(lang)) for tree in trees) <= MOST_TOKENS[lang] - 12 for lang in LANGS):
                return trees

    def _sentences(self, product: Product, taken: set[str], rng: random.Random) -> list[Tree]:
        grammar = self._world.grammars[product.noun]
        mood, firmness = rng.choice("+-"), rng.choice((0.6, 0.85, 1.0))
        other = "-" if mood == "+" else "+"
        trees: list[Tree] = []
        said = set(taken)
        wanted = rng.choice((2, 2, 3, 3))
        while len(trees) < wanted:
            polarity = mood if rng.random() < firmness else other
            symbol = rng.choices(("filler", "hearsay", f"sentence/{polarity}"), (0.12, 0.06, 0.82))[0]
            tree = grammar.derive(symbol, rng)
            topics = [opinion.aspect for opinion in opinions(tree)] + sorted(marks(tree, "topic"))
            if len(said.union(topics)) == len(said) + len(topics):
                said.update(topics)
                trees.append(tree)
        return trees

    def _text(self, trees: Sequence[Tree]) -> str:
        return join([token for tree in trees for token in tree.tokens(self.lang)], self.lang)

    def valence(self, trees: Sequence[Tree]) -> float:
        """How good a review is that never repeats itself: own opinions summed, over the root of their number."""
        own = [opinion.valence for tree in trees for opinion in opinions(tree) if opinion.valence]
        return sum(own) / math.sqrt(max(len(own), 1))

    def gold(self, prompt: str, response: str) -> float:
        """The true quality of a response, in [0, 1]: the product of the factors in `explain`; 0 for an empty one."""
        return self.explain(prompt, response).gold

    def explain(self, prompt: str, response: str) -> Explanation:
        """What the gold reward understood of a response, and what it thinks of it; see `review_gold`."""
        return self._reader.explain(prompt, response)


def _positive(n: int) -> int:
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    return n
