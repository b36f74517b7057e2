"""A synchronous grammar: one derivation, read out in Chinese or in English, and parsed back from either.

A rule has a symbol and two right-hand sides that share their slots, so that each language says the same thing in its
own way and its own order. A grammar here is finite (no symbol contains itself) and no side is empty; that is what makes
exact counting and fast parsing possible. What a rule *means* is a small table of words that the task interprets.
"""

import math
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, product
from typing import NamedTuple

from rlhf_kit.language import LANGS, Lang

_SLOT = re.compile(r"\{(\w+)(?::([^}]+))?\}")
_VARIABLE = re.compile(r"\$([a-z_]+)")
_WORD = re.compile(r"\w+(?:['’-]\w+)*|[^\w\s]")
_CLOSING = frozenset(",.;:!?")


class Slot(NamedTuple):
    """A gap in a right-hand side; the slot of the same name on the other side holds the same subtree."""

    name: str
    symbol: str


@dataclass(frozen=True, eq=False)
class Rule:
    """One way to write a symbol. Compared by identity: a grammar holds each rule once."""

    symbol: str
    en: tuple[str | Slot, ...]   # words and slots
    zh: tuple[str | Slot, ...]   # characters and slots
    weight: float = 1.0          # relative frequency among the rules of this symbol
    meaning: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """The slots in the order of their names, which is the order of a tree's children."""
        return tuple(sorted(item for item in self.en if isinstance(item, Slot)))

    def side(self, lang: Lang) -> tuple[str | Slot, ...]:
        return self.en if lang == "en" else self.zh


@dataclass(frozen=True)
class Tree:
    """A derivation: a rule and one subtree per slot, in the order of the slots' names."""

    rule: Rule
    children: tuple[tuple[str, "Tree"], ...] = ()

    def tokens(self, lang: Lang) -> list[str]:
        """Words (en, with the capitals the data has) or characters (zh), in order."""
        below = dict(self.children)
        found: list[str] = []
        for item in self.rule.side(lang):
            found.extend([item] if isinstance(item, str) else below[item.name].tokens(lang))
        return found

    def text(self, lang: Lang) -> str:
        return join(self.tokens(lang), lang)

    def walk(self) -> Iterator["Tree"]:
        """This tree and every tree inside it."""
        yield self
        for _, child in self.children:
            yield from child.walk()


def tokenize(text: str, lang: Lang) -> list[str]:
    """What the parser reads: lower-case words and punctuation marks (en), or characters without the spaces (zh)."""
    return _WORD.findall(text.lower()) if lang == "en" else [c for c in text if not c.isspace()]


def join(tokens: Sequence[str], lang: Lang) -> str:
    """The text of tokens; English gets its spaces, and a capital at the start of each sentence."""
    if lang == "zh":
        return "".join(tokens)
    text = "".join(token if token in _CLOSING else " " + token for token in tokens).strip()
    return re.sub(r"(^|\. )([a-z])", lambda m: m[1] + m[2].upper(), text)


def make_rules(symbol: str, en: str, zh: str, weight: float = 1.0, meaning: str = "", *,
               domains: Sequence[Sequence[Mapping[str, str]]] = ()) -> list[Rule]:
    """Write a rule as text, once for every record of the domains whose `$variables` it mentions.

    Args:
        en, zh: words, `{slot:symbol}` and `$variable`s; a slot's symbol may be left out where the other side gives it.
        meaning: `key=value` pairs separated by spaces.
        domains: each a list of records with the same keys. `$a` takes the value under `a`; two variables of one domain
            vary together (an aspect and its verb form), variables of two domains vary freely.

    Raises: ValueError for an unknown variable, an empty side, or slots that the two sides do not share.
    """
    source = "\t".join((symbol, en, zh, meaning))
    wanted = set(_VARIABLE.findall(source))
    used = [domain for domain in domains if wanted & set(domain[0])]
    known = {key for domain in used for key in domain[0]}
    if wanted - known:
        raise ValueError(f"{sorted(wanted - known)} in the rule {source!r} is no variable; known: {sorted(known)}.")
    rules = []
    for records in product(*used):
        values = {key: value for record in records for key, value in record.items()}
        filled = _VARIABLE.sub(lambda m, values=values: values[m[1]], source)
        rules.append(_one_rule(*filled.split("\t"), weight))
    return rules


def _one_rule(symbol: str, en: str, zh: str, meaning: str, weight: float) -> Rule:
    symbols = {name: target for name, target in _SLOT.findall(en) + _SLOT.findall(zh) if target}
    sides = {lang: _items(text, symbols, lang) for lang, text in (("en", en), ("zh", zh))}
    names = {lang: sorted(item.name for item in side if isinstance(item, Slot)) for lang, side in sides.items()}
    if not (sides["en"] and sides["zh"]) or names["en"] != names["zh"] or len(set(names["en"])) < len(names["en"]):
        raise ValueError(f"the rule {symbol}: {en!r} / {zh!r} is uneven; write two non-empty sides with the same "
                         "slots, each used once.")
    return Rule(symbol, sides["en"], sides["zh"], weight, dict(pair.split("=", 1) for pair in meaning.split()))


def _items(text: str, symbols: Mapping[str, str], lang: Lang) -> tuple[str | Slot, ...]:
    found: list[str | Slot] = []
    split = _WORD.findall if lang == "en" else (lambda piece: [c for c in piece if not c.isspace()])
    for i, piece in enumerate(re.split(r"\{(\w+)(?::[^}]+)?\}", text)):
        found.extend([Slot(piece, symbols[piece])] if i % 2 else split(piece))
    return tuple(found)


class _Node:
    """A place inside the right-hand sides of one symbol, with equal beginnings shared."""

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.slots: dict[Slot, _Node] = {}
        self.ends: list[tuple[Rule, ...]] = []                # rules complete here, each inside the ones before it
        self.enter: dict[str, list[tuple[Slot, _Node]]] = {}   # next token -> the slots that can begin with it

    def grow(self, chain: tuple[Rule, ...], lang: Lang) -> None:
        node = self
        for item in chain[-1].side(lang):
            if isinstance(item, Slot):
                node = node.slots.setdefault(item, _Node())
            else:
                node = node.words.setdefault(item.lower(), _Node())
        node.ends.append(chain)

    def after(self) -> list["_Node"]:
        return [*self.words.values(), *self.slots.values()]


class Grammar:
    """A finite set of rules to derive from, to count, and to parse with."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        groups: dict[str, list[Rule]] = {}
        for rule in rules:
            groups.setdefault(rule.symbol, []).append(rule)
        self._rules = {symbol: tuple(group) for symbol, group in groups.items()}
        self._weights = {symbol: list(accumulate(rule.weight for rule in group)) for symbol, group in groups.items()}

    @property
    def symbols(self) -> tuple[str, ...]:
        return tuple(self._rules)

    def rules(self, symbol: str) -> tuple[Rule, ...]:
        """The rules of a symbol. Raises ValueError for a symbol without any."""
        if symbol not in self._rules:
            raise ValueError(f"{symbol!r} is no symbol of this grammar; it has {', '.join(sorted(self._rules)[:20])}.")
        return self._rules[symbol]

    def restrict(self, keep: Callable[[Rule], bool]) -> "Grammar":
        """A grammar of the kept rules only, without those that can no longer be finished."""
        rules = [rule for group in self._rules.values() for rule in group if keep(rule)]
        while True:
            alive = {rule.symbol for rule in rules}
            left = [rule for rule in rules if all(slot.symbol in alive for slot in rule.slots)]
            if len(left) == len(rules):
                return Grammar(left)
            rules = left

    def derive(self, symbol: str, rng: random.Random) -> Tree:
        """Draw a derivation, each rule in proportion to its weight."""
        rule = rng.choices(self.rules(symbol), cum_weights=self._weights[symbol])[0]
        return Tree(rule, tuple((slot.name, self.derive(slot.symbol, rng)) for slot in rule.slots))

    def probability(self, tree: Tree) -> float:
        """How likely `derive` draws this derivation of its symbol: the product of its rules' relative weights."""
        return math.prod(part.rule.weight / self._weights[part.rule.symbol][-1] for part in tree.walk())

    def count(self, symbol: str) -> int:
        """How many derivations a symbol has: the sum over its rules of the product over their slots."""
        return sum(math.prod(self.count(slot.symbol) for slot in rule.slots) for rule in self.rules(symbol))

    def trees(self, symbol: str) -> Iterator[Tree]:
        """Every derivation of a symbol, one after the other; look at `count` first."""
        for rule in self.rules(symbol):
            for children in product(*(tuple(self.trees(slot.symbol)) for slot in rule.slots)):
                yield Tree(rule, tuple((slot.name, child) for slot, child in zip(rule.slots, children, strict=True)))

    def parse(self, tokens: Sequence[str], symbol: str, lang: Lang, start: int = 0) -> list[tuple[int, Tree]]:
        """Every way to read `symbol` from tokens[start:]: pairs of the token index where it ends, and its tree.

        Top-down, each (symbol, position) read once; equal beginnings of rules are read once for all of them, and a slot
        is only entered when the next token can begin it.
        """
        self.rules(symbol)   # an unknown symbol is an error, not an empty answer
        return self._readers[lang].read(tokens, symbol, start, {})

    @cached_property
    def _readers(self) -> dict[Lang, "_Reader"]:
        return {lang: _Reader(self, lang) for lang in LANGS}

    def chains(self, symbol: str) -> Iterator[tuple[Rule, ...]]:
        """The rules of a symbol; one that is nothing but a slot is followed by each rule of that slot's symbol."""
        for rule in self.rules(symbol):
            if len(rule.en) == len(rule.zh) == len(rule.slots) == 1:
                yield from ((rule, *chain) for chain in self.chains(rule.slots[0].symbol))
            else:
                yield (rule,)


class _Reader:
    """The parser of one language. Its tables are made per symbol, when first needed."""

    def __init__(self, grammar: Grammar, lang: Lang) -> None:
        self._grammar = grammar
        self._lang: Lang = lang
        self._roots: dict[str, _Node] = {}

    def root(self, symbol: str) -> _Node:
        if symbol not in self._roots:
            root = _Node()
            for chain in self._grammar.chains(symbol):
                root.grow(chain, self._lang)
            todo = [root]
            while todo:
                node = todo.pop()
                self._index(node)
                todo.extend(node.after())
            self._roots[symbol] = root
        return self._roots[symbol]

    def _index(self, node: _Node) -> None:
        for slot, after in node.slots.items():
            root = self.root(slot.symbol)
            for token in {*root.words, *root.enter}:   # what the slot can begin with
                node.enter.setdefault(token, []).append((slot, after))

    def read(self, tokens: Sequence[str], symbol: str, start: int,
             chart: dict[tuple[str, int], list[tuple[int, Tree]]]) -> list[tuple[int, Tree]]:
        """All readings of a symbol at a position; `chart` remembers those already made for this text."""
        if (symbol, start) in chart:
            return chart[symbol, start]
        found: list[tuple[int, Tree]] = []
        todo: list[tuple[_Node, int, tuple[tuple[str, Tree], ...]]] = [(self.root(symbol), start, ())]
        while todo:
            node, at, children = todo.pop()
            found.extend((at, _nest(chain, children)) for chain in node.ends)
            if at == len(tokens):
                continue
            token = tokens[at]
            if token in node.words:
                todo.append((node.words[token], at + 1, children))
            for slot, after in node.enter.get(token, ()):
                for end, tree in self.read(tokens, slot.symbol, at, chart):
                    todo.append((after, end, (*children, (slot.name, tree))))
        chart[symbol, start] = found
        return found


def _nest(chain: tuple[Rule, ...], children: tuple[tuple[str, Tree], ...]) -> Tree:
    """The tree of a chain of rules, the last of which has the children (in any order)."""
    tree = Tree(chain[-1], tuple(sorted(children, key=lambda child: child[0])))
    for rule in reversed(chain[:-1]):
        tree = Tree(rule, ((rule.slots[0].name, tree),))
    return tree
