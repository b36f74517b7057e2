"""What a lesson says of its own numbers: sentences, guesses held against results, and tables, in its language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from unicodedata import east_asian_width

from rlhf_kit.classroom.exercises import session
from rlhf_kit.language import lesson_sentences, say

Guess = float | str | Sequence[str] | set[str] | Mapping[str, object] | None


def words(key: str, **values: object) -> str:
    """The sentence of that key of the lesson that runs, with its `{fields}` filled in; KeyError for an unknown key."""
    return lesson_sentences(session.lesson())[session.lang()][key].format(**values)


def tell(key: str, **values: object) -> None:
    """Print `words`: a lesson's conclusions are made from the numbers of this machine."""
    print(words(key, **values))


def guessed(guess: Guess, found: Guess, unit: str = "") -> None:
    """Hold a guess against what came out, in a line each; a guess that was not made is not held against anybody.

    Args:
        guess: as it was entered: a number, a text, several texts, a dictionary of these, or None.
        found: the same of what came out.
        unit: said behind the numbers.
    """
    rows = found.items() if isinstance(found, Mapping) else [("", found)]
    for name, truth in rows:
        one = guess.get(name) if isinstance(guess, Mapping) else guess
        head = say(session.lang(), "guess_of", name=_spoken(name)) if name else ""
        if one is None or (isinstance(one, str | Sequence | set) and not one):
            print(head + say(session.lang(), "guess_none", found=_said(truth, unit)))
        else:
            one = float(one) if isinstance(truth, float) and isinstance(one, int) else one
            key = "guess_right" if _said(one, unit) == _said(truth, unit) else "guess_other"
            print(head + say(session.lang(), key, guess=_said(one, unit), found=_said(truth, unit)))


def _said(x: object, unit: str) -> str:
    if isinstance(x, bool) or not isinstance(x, int | float):
        return x if isinstance(x, str) else ", ".join(sorted(map(str, x))) if isinstance(x, Sequence | set) else str(x)
    return (f"{x:.2f}" if isinstance(x, float) else str(x)) + (f" {unit}" if unit else "")


def table(columns: Mapping[str, Sequence[object]], digits: int = 3) -> None:
    """Print columns side by side, numbers with so many digits; a Chinese character is as wide as two letters.

    In a Chinese lesson a head or a cell that its pictures say in Chinese is said so here, too.
    """
    shown = {_spoken(name): [f"{x:.{digits}f}" if isinstance(x, float) else _spoken(str(x)) for x in column]
             for name, column in columns.items()}
    widths = {name: max(map(_width, [name, *column])) for name, column in shown.items()}
    for row in [list(shown), *zip(*shown.values(), strict=True)]:
        print("  ".join(" " * (widths[name] - _width(x)) + x for name, x in zip(shown, row, strict=True)))


def _spoken(text: str) -> str:
    """What the lesson's pictures write in place of an English label."""
    return lesson_sentences(session.lesson())["labels"].get(text, text) if session.lang() == "zh" else text


def _width(text: str) -> int:
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
