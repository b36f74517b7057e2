"""The language of product reviews: its grammar, built from the tables in `data/`, and what its sentences mean."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from rlhf_kit.language import Lang
from rlhf_kit.tasks.grammar import Grammar, Rule, Tree, make_rules
from rlhf_kit.tasks.word_lists import rows

CHILD = "children's"      # such a product is bought for nobody's father


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


class Opinion(NamedTuple):
    """What one clause says about one aspect; valence 0 is somebody else's opinion."""

    aspect: str
    valence: float
    tree: Tree


@cache
def world() -> World:
    """Read the tables and build the grammar, once per process (it never changes)."""
    nouns, aspects = rows("reviews", "nouns.tsv"), [_aspect(row) for row in rows("reviews", "aspects.tsv")]
    products = tuple(Product(**row) for row in rows("reviews", "products.tsv"))
    shared = {a["a"] for a in aspects if a["own"] == "no"}
    owned = {row["noun"]: frozenset(shared.union(row["aspects"].split(), ["verdict"])) for row in nouns}
    grammar = Grammar([*_sentences(nouns, aspects), *_words(products, nouns)])
    grammars = {noun: grammar.restrict(lambda rule, own=own: rule.meaning.get("aspect", "verdict") in own)
                for noun, own in owned.items()}
    return World(grammar, products, owned, grammars)


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
    for row in rows("reviews", "templates.tsv"):
        where = dict([row["where"].split("=")]) if row["where"] else {}
        fitting = [a for a in aspects if where.items() <= a.items()]
        yield from make_rules(row["symbol"], row["en"], row["zh"], float(row["weight"]), row["meaning"],
                              domains=(fitting, polarity, [_noun(n) for n in nouns]))
    for row in rows("reviews", "idioms.tsv"):
        symbol = f"fact/{'-' if row['value'].startswith('-') else '+'}/{row['aspect']}"
        yield from make_rules(symbol, row["en"], row["zh"], 3.0, f"aspect={row['aspect']} value={row['value']}")


def _words(products: Sequence[Product], nouns: Sequence[Mapping[str, str]]) -> Iterator[Rule]:
    """The rules of adjectives, and of product names: bare, and counted ("a pair of wool gloves", "双羊毛手套")."""
    row_of = {row["noun"]: row for row in nouns}
    for row in rows("reviews", "aspects.tsv"):
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
        return [Opinion(aspect, felt * valence_of(tree), tree)]
    return [opinion for slot, child in tree.children
            for opinion in opinions(child, felt * float(tree.rule.meaning.get(slot, 1)))]


def valence_of(tree: Tree) -> float:
    """How good what a clause says is, before what surrounds it is counted."""
    meaning = tree.rule.meaning
    degree = math.prod(float(part.get("degree", 1)) for part in (meaning, *(c.rule.meaning for _, c in tree.children)))
    below = sum(float(meaning.get(slot, 1)) * valence_of(child) for slot, child in tree.children)
    return degree * (float(meaning.get("value", 0)) + below)


def mentioned(tree: Tree) -> str | None:
    """The Chinese name of the product in a derivation, or None."""
    return next(iter(marks(tree, "product")), None)


def marks(tree: Tree, key: str) -> set[str]:
    """What the rules of a derivation say under `key`."""
    return {part.rule.meaning[key] for part in tree.walk() if key in part.rule.meaning}
