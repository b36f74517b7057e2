"""The gold reward of reviews: it reads a text back by the grammar and says how good it is, and why."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rlhf_kit.language import Lang, say
from rlhf_kit.tasks.grammar import Tree, join, tokenize
from rlhf_kit.tasks.reviews.language import Product, World, mentioned, opinions

STEEPNESS = 2.2           # of the sigmoid over the valence; one plain opinion scores 0.9 or 0.1
UNFINISHED = 0.5          # completeness of a text that stops in the middle of a sentence
NO_OPINION = 0.3          # completeness of a text that judges nothing about the product itself
_TELLING = frozenset({"own", "hearsay", "repeated", "off-product"})   # notes; neutral facts do not dilute the others
_STOPS = frozenset(".。,，;；!?！？")
_ENDS = frozenset(".。!?！？")


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
    lang: Lang = "en"    # in which `str` says it

    @property
    def valence(self) -> float:
        """The valences felt, summed over the root of their number: a second opinion adds less than the first."""
        felt = [clause.valence for clause in self.clauses if clause.note == "own"]
        return sum(felt) / math.sqrt(max(len(felt), 1))

    @property
    def gold(self) -> float:
        return self.sentiment * self.coverage * self.repetition * self.relevance * self.complete

    def __str__(self) -> str:
        said = lambda key: say(self.lang, f"gold_{key}")                                            # noqa: E731
        factors = ("sentiment", "coverage", "repetition", "relevance", "complete")
        lines = [f"{said('gold')} {self.gold:.2f} = "
                 + " x ".join(f"{said(name)} {getattr(self, name):.2f}" for name in factors),
                 said("product") + (self.product or said("no_product"))]
        notes = {note: said(note.replace(" ", "_").replace("-", "_")) for note in {c.note for c in self.clauses}}
        if self.lang == "zh":                                   # a clause names its aspect, in few characters
            lines += [f"  {c.valence:+.1f}  {notes[c.note]}  {c.text}" for c in self.clauses]
        else:
            lines += [f"  {c.valence:+.1f}  {notes[c.note]:14s} {c.aspect or '-':11s} {c.text}" for c in self.clauses]
        return "\n".join(lines)


@dataclass(frozen=True)
class Reader:
    """Reads responses in one language."""

    world: World
    lang: Lang

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
        spans = self.spans(tokens)
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
            complete=(1 if whole else UNFINISHED) * (1 if grounds else NO_OPINION), lang=self.lang)
        return replace(draft, sentiment=1 / (1 + math.exp(-STEEPNESS * draft.valence)))

    def spans(self, tokens: Sequence[str]) -> list[tuple[Tree | None, int, int]]:
        """Cut a text into the longest units the grammar reads; what it cannot read ends at the next comma or stop."""
        grammar, spans, start = self.world.grammar, [], 0
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
        named = [name for tree, _, _ in spans if tree and (name := mentioned(tree))]
        text = join(tokens, self.lang).lower()
        fitting = [p for p in self.world.products if (p.zh == named[0] if named else p.name(self.lang) in text)]
        return max(fitting, key=lambda p: len(p.name(self.lang)), default=None)

    def _clauses(self, spans: Sequence[tuple[Tree | None, int, int]], tokens: Sequence[str],
                 product: Product | None) -> tuple[Clause, ...]:
        fitting = self.world.aspects[product.noun] if product else None   # an unknown product may have any aspect
        clauses: list[Clause] = []
        said: set[str] = set()
        for tree, start, end in spans:
            text = tree.text(self.lang) if tree else join(tokens[start:end], self.lang)
            if tree is None:
                clauses.append(Clause(text, None, 0.0, "not understood"))
                continue
            found = opinions(tree)
            if not found:
                other = product is not None and mentioned(tree) not in (None, product.zh)
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


def _share(clauses: Sequence[Clause], note: str, of: frozenset[str]) -> float:
    """The share of the clauses with a note among those with any of several; 0 if there are none."""
    counted = [clause.note for clause in clauses if clause.note in of]
    return counted.count(note) / max(len(counted), 1)
