"""Product reviews in English and Chinese, with a gold reward that reads what it judges.

The grammar is built from the tables in `data/`. A review is an opening that names the product and a body of opinions;
the gold reward parses a text back and multiplies five factors, each in [0, 1]: sentiment, coverage, repetition,
relevance, completeness.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from rlhf_kit.formulas.records import Ranking
from rlhf_kit.tasks.grammar import LANGS, Grammar, Lang, Rule, Tree, join, make_rules, tokenize

Split = Literal["train", "heldout"]
SPLITS: tuple[Split, ...] = ("train", "heldout")

STEEPNESS = 2.2           # of the sigmoid over the valence; one plain opinion scores 0.9 or 0.1
MARGIN = 0.8              # a labelled review has at least this much valence, either way
UNFINISHED = 0.5          # completeness of a text that stops in the middle of a sentence
NO_OPINION = 0.3          # completeness of a text that judges nothing about the product itself
MOST_TOKENS = {"en": 45, "zh": 60}   # of a review; longer ones are drawn again
CHILD = "children's"      # such a product is bought for nobody's father
_TELLING = frozenset({"own", "hearsay", "repeated", "off-product"})   # notes; neutral facts do not dilute the others
_STOPS = frozenset(".。,，;；!?！？")
_ENDS = frozenset(".。!?！？")


class Opinion(NamedTuple):
    """What one clause says about one aspect; valence 0 is somebody else's opinion."""

    aspect: str
    valence: float
    tree: Tree


@dataclass(frozen=True)
class Clause:
    """One thing a text says, as the gold reward understood it."""

    text: str
    aspect: str | None   # None for neutral facts and for what was not understood
    valence: float       # negative is bad; about 1 for a plain opinion
    note: str            # own | neutral | hearsay | repeated | off-product | not understood


@dataclass(frozen=True)
class Explanation:
    """Why a response got its gold score; `gold` is the product of the five factors."""

    product: str | None
    clauses: tuple[Clause, ...]
    sentiment: float     # each factor in [0, 1]
    coverage: float
    repetition: float
    relevance: float
    complete: float

    @property
    def valence(self) -> float:
        """The valences felt, summed over the root of their number: a second opinion adds less than the first."""
        felt = [clause.valence for clause in self.clauses if clause.note == "own"]
        return sum(felt) / math.sqrt(max(len(felt), 1))

    @property
    def gold(self) -> float:
        return self.sentiment * self.coverage * self.repetition * self.relevance * self.complete

    def __str__(self) -> str:
        factors = ("sentiment", "coverage", "repetition", "relevance", "complete")
        lines = [f"gold {self.gold:.2f} = " + " x ".join(f"{name} {getattr(self, name):.2f}" for name in factors),
                 f"product: {self.product or 'none recognised'}"]
        lines += [f"  {c.valence:+.1f}  {c.note:14s} {c.aspect or '-':11s} {c.text}" for c in self.clauses]
        return "\n".join(lines)


class Product(NamedTuple):
    """A kind and a noun, in both languages."""

    noun: str
    en: str
    zh: str
    split: str

    def name(self, lang: Lang) -> str:
        return self.en if lang == "en" else self.zh


@dataclass(frozen=True)
class World:
    """The language of reviews: its grammar, what is sold, and which aspects each noun has."""

    grammar: Grammar
    products: tuple[Product, ...]
    aspects: Mapping[str, frozenset[str]]   # noun -> aspects that a review of it may judge
    grammars: Mapping[str, Grammar]         # noun -> the part of the grammar that keeps to those aspects


@cache
def world() -> World:
    """Read the tables and build the grammar, once per process (it never changes)."""
    nouns, aspects = _table("nouns.tsv"), [_aspect(row) for row in _table("aspects.tsv")]
    products = tuple(Product(**row) for row in _table("products.tsv"))
    shared = {a["a"] for a in aspects if a["own"] == "no"}
    owned = {row["noun"]: frozenset(shared.union(row["aspects"].split(), ["verdict"])) for row in nouns}
    grammar = Grammar([*_sentences(nouns, aspects), *_words(products, nouns)])
    grammars = {noun: grammar.restrict(lambda rule, own=own: rule.meaning.get("aspect", "verdict") in own)
                for noun, own in owned.items()}
    return World(grammar, products, owned, grammars)


def _table(name: str) -> list[dict[str, str]]:
    """Rows of a tab-separated file in `data/`; lines that begin with # are remarks, short rows are filled with ''."""
    text = resources.files("rlhf_kit.tasks").joinpath("data", name).read_text(encoding="utf-8")
    head, *rows = [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]
    return [dict(zip(head, row + [""] * (len(head) - len(row)), strict=True)) for row in rows]


def _aspect(row: Mapping[str, str]) -> dict[str, str]:
    """The variables that a template may use about an aspect: its names and the verb forms that agree with it."""
    plural, past = row["number"] == "pl", row["kind"] == "shop"
    was = "were" if plural else "was"
    be = was if past else ("are" if plural else "is")
    return {"a": row["aspect"], "en": row["en"], "zh": row["zh"], "kind": row["kind"], "shop": "yes" if past else "no",
            "own": "yes" if row["kind"] in ("part", "wear") else "no", "be": be, "isnt": be + "n't", "was": was,
            "it": "they" if plural else "it", "new": "these" if plural else "this one"}


def _noun(row: Mapping[str, str]) -> dict[str, str]:
    """The variables that a template may use about a noun."""
    plural = row["number"] == "pl"
    return {"n": row["noun"], "m": row["measure"], "use_zh": row["use_zh"], "use_en": row["use_en"],
            "this": "these" if plural else "this", "these": "these are" if plural else "this is",
            "are": "are" if plural else "is", "one": row["article"].split()[1] if plural else "one"}


def _sentences(nouns: Sequence[Mapping[str, str]], aspects: Sequence[Mapping[str, str]]) -> Iterator[Rule]:
    """The rules of the templates and of the idioms."""
    polarity = [{"p": "+", "q": "-"}, {"p": "-", "q": "+"}]
    for row in _table("templates.tsv"):
        where = dict([row["where"].split("=")]) if row["where"] else {}
        fitting = [a for a in aspects if where.items() <= a.items()]
        yield from make_rules(row["symbol"], row["en"], row["zh"], float(row["weight"]), row["meaning"],
                              domains=(fitting, polarity, [_noun(n) for n in nouns]))
    for row in _table("idioms.tsv"):
        symbol = f"fact/{'-' if row['value'].startswith('-') else '+'}/{row['aspect']}"
        yield from make_rules(symbol, row["en"], row["zh"], 3.0, f"aspect={row['aspect']} value={row['value']}")


def _words(products: Sequence[Product], nouns: Sequence[Mapping[str, str]]) -> Iterator[Rule]:
    """The rules of adjectives, and of product names: bare, and counted ("a pair of wool gloves", "双羊毛手套")."""
    row_of = {row["noun"]: row for row in nouns}
    for row in _table("aspects.tsv"):
        for sign, column in (("+", "good"), ("-", "bad")):
            for pair in row[column].split(","):
                yield from make_rules(f"adj/{sign}/{row['aspect']}", *pair.split("|"), 1.0, f"value={sign}1")
    for product in products:
        noun = row_of[product.noun]
        article = "an" if noun["article"] == "a" and product.en[0] in "aeiou" else noun["article"]
        counted = (f"{article} {product.en}", noun["measure"] + product.zh)
        meaning = f"product={product.zh} age={'child' if product.en.startswith(CHILD) else 'any'}"
        yield from make_rules(f"product/{product.noun}", product.en, product.zh, 1.0, meaning)
        yield from make_rules(f"one/{product.noun}", *counted, 1.0, meaning)


def opinions(tree: Tree, felt: float = 1.0) -> list[Opinion]:
    """The opinions in a derivation, each with its valence after negation, contrast and hearsay.

    A rule's `meaning` says how: `value` is its own valence, `degree` multiplies, and a slot's name gives how much of
    that slot is felt (`x=0.4` before a "but", `k=0` for what was only expected, `j=-1.1` under "not at all").
    """
    aspect = tree.rule.meaning.get("aspect")
    if aspect:
        return [Opinion(aspect, felt * _valence(tree), tree)]
    return [opinion for slot, child in tree.children
            for opinion in opinions(child, felt * float(tree.rule.meaning.get(slot, 1)))]


def _valence(tree: Tree) -> float:
    meaning = tree.rule.meaning
    degree = math.prod(float(part.get("degree", 1)) for part in (meaning, *(c.rule.meaning for _, c in tree.children)))
    below = sum(float(meaning.get(slot, 1)) * _valence(child) for slot, child in tree.children)
    return degree * (float(meaning.get("value", 0)) + below)


class Reviews:
    """The task of writing reviews. The two languages share their derivations: the same seed gives translations.

    Products of the split "heldout" (about one in five) never occur in the split "train", in either language.
    """

    def __init__(self, lang: Lang) -> None:
        if lang not in LANGS:
            raise ValueError(f"lang is {lang!r}; reviews exist in {' and '.join(map(repr, LANGS))}.")
        self.lang: Lang = lang
        self.name = f"reviews-{lang}"
        self._world = world()

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
        """K responses to each of n prompts, ordered best first as a labeller would.

        Args:
            noise: temperature T >= 0 of the labeller, in units of gold. At 0 the order is that of gold; equals tie.
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

    def _ranking(self, product: Product, k: int, noise: float, rng: random.Random) -> Ranking:
        opening = self._opening(product, rng)
        prompt = opening.text(self.lang)
        bodies = [self._body(product, _marks(opening, "topic"), rng) for _ in range(k)]
        responses = [self._text([opening, *body])[len(prompt):] for body in bodies]
        gold = [self.gold(prompt, response) for response in responses]
        # Adding Gumbel noise and sorting draws from Plackett-Luce.
        key = [g - noise * math.log(-math.log(rng.random() or 0.5)) if noise else g for g in gold]
        order = sorted(range(k), key=lambda i: -key[i])
        ranks = [1 + sum(other > key[i] for other in key) for i in order]
        return Ranking(prompt, tuple(responses[i] for i in order), tuple(ranks))

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
            if _mentioned(tree) == product.zh and not {"child", "adult"} <= _marks(tree, "age"):
                return tree

    def _review(self, product: Product, rng: random.Random) -> list[Tree]:
        opening = self._opening(product, rng)
        return [opening, *self._body(product, _marks(opening, "topic"), rng)]

    def _body(self, product: Product, taken: set[str], rng: random.Random) -> list[Tree]:
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
            topics = [opinion.aspect for opinion in opinions(tree)] + sorted(_marks(tree, "topic"))
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
        """What the gold reward understood of a response, and what it thinks of it.

        sentiment: sigmoid of the valence of the writer's own opinions on this product; 0.5 without any.
        coverage: share of the response's tokens (words and marks, or characters) that the grammar derives.
        repetition: distinct clauses / clauses, neutral facts aside unless repeated; a second opinion on an aspect is a
            repetition, whatever its words.
        relevance: share of those clauses that are about the named product.
        complete: 1; times UNFINISHED without a full stop at the end, times NO_OPINION if no aspect is judged.
        """
        tokens, before = tokenize(prompt + response, self.lang), len(tokenize(prompt, self.lang))
        spans = self._spans(tokens)
        product = self._product(spans, tokens)
        clauses = self._clauses(spans, tokens, product)
        understood = sum(end - max(start, before) for tree, start, end in spans if tree and end > before)
        whole = bool(response.strip()) and tokens[-1] in _ENDS
        grounds = any(clause.note == "own" and clause.aspect != "verdict" for clause in clauses)
        draft = Explanation(
            product.name(self.lang) if product else None, clauses, sentiment=0.5,
            coverage=understood / max(len(tokens) - before, 1),
            repetition=1 - _share(clauses, "repeated", of=_TELLING),
            relevance=1 - _share(clauses, "off-product", of=_TELLING),
            complete=(1 if whole else UNFINISHED) * (1 if grounds else NO_OPINION))
        return replace(draft, sentiment=1 / (1 + math.exp(-STEEPNESS * draft.valence)))

    def _spans(self, tokens: Sequence[str]) -> list[tuple[Tree | None, int, int]]:
        """Cut a text into the longest units the grammar reads; what it cannot read ends at the next comma or stop."""
        grammar, spans, start = self._world.grammar, [], 0
        while start < len(tokens):
            mark = next((i for i in range(start, len(tokens)) if tokens[i] in _STOPS), len(tokens))
            readings = grammar.parse(tokens, "unit", self.lang, start)
            if not readings:
                pieces = grammar.parse(tokens, "piece", self.lang, start)
                readings = [(mark + 1, tree) for end, tree in pieces if end == mark]
            end, tree = max(readings, key=lambda reading: reading[0], default=(mark + 1, None))
            spans.append((tree, start, min(end, len(tokens))))
            start = end
        return spans

    def _product(self, spans: Sequence[tuple[Tree | None, int, int]], tokens: Sequence[str]) -> Product | None:
        """The product of the first opening; in a text without one, the longest product name that occurs."""
        named = [name for tree, _, _ in spans if tree and (name := _mentioned(tree))]
        text = join(tokens, self.lang).lower()
        fitting = [p for p in self._world.products if (p.zh == named[0] if named else p.name(self.lang) in text)]
        return max(fitting, key=lambda p: len(p.name(self.lang)), default=None)

    def _clauses(self, spans: Sequence[tuple[Tree | None, int, int]], tokens: Sequence[str],
                 product: Product | None) -> tuple[Clause, ...]:
        fitting = self._world.aspects[product.noun] if product else None   # an unknown product may have any aspect
        clauses: list[Clause] = []
        said: set[str] = set()
        for tree, start, end in spans:
            text = tree.text(self.lang) if tree else join(tokens[start:end], self.lang)
            if tree is None:
                clauses.append(Clause(text, None, 0.0, "not understood"))
                continue
            found = opinions(tree)
            if not found:
                other = product is not None and _mentioned(tree) not in (None, product.zh)
                note = "off-product" if other else "repeated" if text in said else "neutral"
                clauses.append(Clause(text, None, 0.0, note))
                said.add(text)
            for aspect, valence, part in found:
                words = part.text(self.lang)
                key = aspect if valence else words
                note = ("off-product" if fitting and aspect not in fitting else "repeated" if key in said
                        else "own" if valence else "hearsay")
                clauses.append(Clause(words, aspect, valence, note))
                said.add(key)
        return tuple(clauses)


def _mentioned(tree: Tree) -> str | None:
    """The Chinese name of the product in a derivation, or None."""
    return next(iter(_marks(tree, "product")), None)


def _marks(tree: Tree, key: str) -> set[str]:
    """What the rules of a derivation say under `key`."""
    return {part.rule.meaning[key] for part in tree.walk() if key in part.rule.meaning}


def _share(clauses: Sequence[Clause], note: str, of: frozenset[str]) -> float:
    """The share of the clauses with a note among those with any of several; 0 if there are none."""
    counted = [clause.note for clause in clauses if clause.note in of]
    return counted.count(note) / max(len(counted), 1)


def _positive(n: int) -> int:
    if n <= 0:
        raise ValueError(f"n is {n}; ask for at least 1.")
    return n
