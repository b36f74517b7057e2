"""Prompts out of real reviews: where to cut an opening off so that it reads like one, in Chinese and in English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from itertools import pairwise

MORE_AFTER = 4                          # letters or digits that must follow a prompt in its review


def language(texts: tuple[str, ...]) -> str:
    letters = [letter for letter in "".join(texts[:2000]) if letter.isalpha()]
    return "zh" if 2 * sum(map(_is_han, letters)) > len(letters) else "en"


def _is_han(letter: str) -> bool:
    return "\u3400" <= letter <= "\u9fff"


def cutter(lang: str, longest: int, texts: tuple[str, ...]) -> Callable[[str], str]:
    """The function that cuts an opening off a review, "" where there is no good one."""
    shortest = (longest + 1) // 2
    if lang == "en":
        return partial(_cut_words, shortest=shortest, longest=longest)
    heads = [review[:longest + 1] for review in texts]
    single = Counter("".join(heads))
    pairs = Counter(pair for head in heads for pair in pairwise(head))

    def grip(left: str, right: str) -> float:       # how much oftener together than by chance
        return pairs[left, right] / (single[left] * single[right])
    return partial(_cut_characters, shortest=shortest, longest=longest, grip=grip)


def _cut_characters(review: str, shortest: int, longest: int, grip: Callable[[str, str], float]) -> str:
    """Up to the first punctuation mark at the right distance, else to where two neighbours hold together
    least, which is mostly between two words."""
    places = [at for at in range(shortest, longest + 1) if at < len(review) and _between_words(review, at)]
    if not places or not review[:2].isalpha():
        return ""
    marks = [at for at in places if not review[at].isalnum()]
    at = marks[0] if marks else min(places, key=lambda at: grip(review[at - 1], review[at]))
    opening = review[:at]
    wordy = 2 * sum(map(_is_han, opening)) >= len(opening) and len(set(opening)) > len(opening) // 2
    return opening if wordy and _stands_alone(opening, review) else ""


def _between_words(review: str, at: int) -> bool:
    """Not inside a Latin word or a number ("3.5", "e-mail"), nor between a number and its unit, nor one
    character after a punctuation mark."""
    before, after, next_after = review[at - 1], review[at], review[at + 1: at + 2]
    if not review[at - 2: at].isalnum():
        return False
    if _is_han(before):
        return True
    if after.isalnum():
        return _is_han(after) and not before.isdigit()
    return _is_han(next_after) or not next_after.isalnum()


def _cut_words(review: str, shortest: int, longest: int) -> str:
    """Up to the first punctuation mark at the right distance, else as many words as the length decides."""
    words = review.split(" ")
    places = range(shortest, min(longest, len(words) - 1) + 1)
    if not places or not review[0].isalnum():
        return ""
    marks = [at for at in places if not (words[at - 1][-1].isalnum() and words[at][0].isalnum())]
    at = marks[0] if marks else places[len(review) % len(places)]
    opening = " ".join(words[:at]).rstrip(" .,;:!?…-–—")
    wordy = 2 * sum(any(map(str.isalpha, word)) for word in words[:at]) > at
    return opening if wordy and _stands_alone(opening, review) else ""


def _stands_alone(opening: str, review: str) -> bool:
    """Enough of the review follows, and no bracket or quotation is left open."""
    follows = sum(map(str.isalnum, review[len(opening): len(opening) + 40]))
    pairs = ("()", "[]", "<>", "（）", "《》", "【】", "“”")
    closed = all(opening.count(left) == opening.count(right) for left, right in pairs)
    return follows >= MORE_AFTER and closed and opening.count('"') % 2 == 0
