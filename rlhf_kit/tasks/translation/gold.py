"""The gold reward of translation: it reads both sides back and counts what was said of what there is to say."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rlhf_kit.language import Lang, say
from rlhf_kit.tasks.translation.meaning import Reading, Unit, read

MARK = " ="                 # between a source and its translation: a prompt ends with it


@dataclass(frozen=True)
class Match:
    """One unit of the source, what the response makes of it, or one unit that only the response has."""

    note: str               # right | partly | turned | dropped | repeated | added
    credit: float           # in [0, 1]
    source: Unit | None
    response: Unit | None


@dataclass(frozen=True)
class Explanation:
    """Why a translation got its gold score; `gold` is the product of the three factors, each in [0, 1]."""

    matches: tuple[Match, ...]
    lost: tuple[str, ...]   # what was not understood as English
    f1: float
    fluency: float
    repetition: float
    lang: Lang = "en"       # in which `str` says it

    @property
    def gold(self) -> float:
        return self.f1 * self.fluency * self.repetition

    def count(self, note: str) -> int:
        """How many units got that note."""
        return sum(match.note == note for match in self.matches)

    def __str__(self) -> str:
        said = lambda key: say(self.lang, f"translated_{key}")                                      # noqa: E731
        factors = " x ".join(f"{said(name)} {getattr(self, name):.2f}" for name in ("f1", "fluency", "repetition"))
        lines = [f"{say(self.lang, 'gold_gold')} {self.gold:.2f} = {factors}"]
        for match in self.matches:
            sides = [side.text for side in (match.source, match.response) if side]
            lines.append(f"  {match.credit:.1f}  {said(match.note):12s} {' = '.join(sides)}")
        return "\n".join([*lines, *(f"  0.0  {said('lost'):12s} {text}" for text in self.lost)])


def explain(prompt: str, response: str, lang: Lang = "en") -> Explanation:
    """What the gold reward understood of a translation, and what it thinks of it.

        gold = F1 · fluency · repetition,        F1 = 2 · Σ credit / (units of the source + units of the response)

    credit: of each unit of the source, what the best unit of the response about the same thing says of it; see
        `meaning.Unit.credit`. Each unit is matched once.
    fluency: share of the response's words and marks that the English grammar derives; a full stop that is missing at
        the end is a mark that was not understood.
    repetition: units of the response without those that take up a thing more often than the source does, over all.

    0 for an empty response, and for a source that the Chinese grammar does not read.
    """
    source, said = read(prompt.removesuffix(MARK).strip(), "zh"), read(response.strip(), "en")
    matches = _matched(source, said)
    total = len(source.units) + len(said.units)
    repeated = sum(match.note == "repeated" for match in matches)
    return Explanation(
        matches, said.lost, f1=2 * sum(match.credit for match in matches) / max(total, 1),
        fluency=said.understood / max(said.tokens + (not said.whole), 1),
        repetition=1 - repeated / max(len(said.units), 1), lang=lang)


def _matched(source: Reading, said: Reading) -> tuple[Match, ...]:
    """Every unit of both sides once, those of the source first, in its order."""
    pairs = sorted((-one.credit(other), i, j) for i, one in enumerate(source.units)
                   for j, other in enumerate(said.units) if one.about == other.about)
    partner: dict[int, tuple[int, float]] = {}              # of a unit of the source: which of the response, its credit
    used: set[int] = set()
    for credit, i, j in pairs:
        if i not in partner and j not in used:
            partner[i] = j, -credit
            used.add(j)
    wanted = Counter(unit.about for unit in source.units)
    found = [_of_source(unit, partner.get(i), said) for i, unit in enumerate(source.units)]
    seen = Counter(said.units[j].about for j in used)
    for j, unit in enumerate(said.units):
        if j not in used:
            again = seen[unit.about] >= max(wanted[unit.about], 1)
            seen[unit.about] += 1
            found.append(Match("repeated" if again else "added", 0.0, None, unit))
    return tuple(found)


def _of_source(unit: Unit, partner: tuple[int, float] | None, said: Reading) -> Match:
    if partner is None:
        return Match("dropped", 0.0, unit, None)
    other, credit = said.units[partner[0]], partner[1]
    note = "right" if credit == 1 else "partly" if credit else "turned"
    return Match(note, credit, unit, other)
