"""A task made of your own reviews: the interface of `tasks.reviews`, over a CSV, TSV or JSON lines file.

There is no gold reward here: nobody knows the true quality of real text. What stands in for it is a second
judge, trained on the half of the reviews that the first never saw (`labelled(half=0)`, `labelled(half=1)`).

    reviews = FileReviews.read("reviews.csv", text="review", label="label")
    print(reviews.summary())
    reviews.prompts(n=8)
"""

from __future__ import annotations

import hashlib
import math
import random
import unicodedata
from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from rlhf_kit.datasets.openings import cutter, language
from rlhf_kit.datasets.reading import (
    LONGEST_CELL,
    TOO_LONG,
    FileError,
    Table,
    check_column,
    read_table,
    refuse_if_many,
    refused,
    same_text,
    shorten,
    tidy,
)

__all__ = ["FileError", "FileReviews"]

FEWEST = 50                             # usable reviews
FEWEST_PROMPTS = 2                      # different openings of each split, else prompts are made shorter
LONGEST_PROMPT = {"zh": 8, "en": 6}     # characters, words; the shortest prompt is half as long
MISSING = {"", "nan", "null", "none"}   # labels that say nothing
FAMILIES: tuple[dict[str, int | None], ...] = (         # None: neither good nor bad, dropped
    {"0": 0, "1": 1}, {"-1": 0, "1": 1}, {"negative": 0, "positive": 1}, {"neg": 0, "pos": 1},
    {"负面": 0, "正面": 1}, {"差评": 0, "好评": 1}, {"false": 0, "true": 1},
    {"1": 0, "2": 0, "3": None, "4": 1, "5": 1},
    {"0.5": 0, "1": 0, "1.5": 0, "2": 0, "2.5": None, "3": None, "3.5": None, "4": 1, "4.5": 1, "5": 1},
    {"1": 0, "2": 0, "3": 0, "4": 0, "5": None, "6": None, "7": None, "8": 1, "9": 1, "10": 1},
)
KNOWN = "0/1, -1/1, negative/positive, neg/pos, 负面/正面, 差评/好评, false/true, or ratings 1-5, 0.5-5 or 1-10"
_NAMES = ("negative", "positive")
HELDOUT = 2                             # in `parts`; 0 and 1 are the two halves of the training split
Item = TypeVar("Item")


@dataclass(frozen=True)
class FileReviews:
    """Reviews read from a file, without repetitions, each in one of three parts by a hash of its text."""

    name: str                                       # the file's name without its extensions
    lang: str                                       # "zh" or "en": which rules cut a prompt
    path: str
    texts: tuple[str, ...] = field(repr=False)
    labels: tuple[int, ...] | None = field(repr=False)      # 1 = positive; None when read without labels
    parts: tuple[int, ...] = field(repr=False)      # 0 and 1: halves of the training split; 2: held out
    longest_prompt: int                             # characters (zh) or words (en)
    rows: int                                       # rows in the file, malformed ones included
    skipped: tuple[tuple[str, int], ...]            # (why, how many rows)
    encoding: str
    read_as: str = ""                               # labels by what they were taken for: "good 4, 5; bad 1, 2; ..."

    @classmethod
    def read(cls, path: str | Path, *, text: str = "text", label: str | None = "label",
             positive: object = None, positive_from: float | None = None, seed: int = 0, heldout: float = 0.1,
             prompt_length: int | None = None) -> FileReviews:
        """Read a file of reviews.

        Args:
            path: .csv, .tsv, .jsonl or .json, plain or gzipped.
            text, label: the columns to read; `label=None` for reviews without labels.
            positive: the label of a good review, when there are two labels whose names we cannot know.
            positive_from: labels are numbers, good from here on, such as 4; those below are bad, none is left out.
            seed: of the split; another seed deals the reviews into other parts.
            heldout: share of the texts kept out of the training split, at most 0.5.
            prompt_length: the longest prompt in characters (zh) or words (en); None = 8 or 6, or as many fewer as
                short reviews need to open two prompts of each split.

        Raises: FileError, one line, with `path` and `line`.
        """
        if not 0 < heldout <= 0.5:
            raise ValueError(f"heldout is {heldout}; expected a share above 0 and at most 0.5, such as 0.1.")
        if prompt_length is not None and prompt_length < 2:
            raise ValueError(f"prompt_length is {prompt_length}; expected at least 2.")
        table = read_table(path)
        _check_columns(table, text, label, path)
        skipped: Counter[str] = Counter()
        found = _usable(table, text, label, skipped, path)
        if positive is not None and positive_from is not None:
            raise refused(path, "cannot be read with --positive and --positive-from; one of them says what is good. "
                                "Leave the other out.")
        meaning = ({"": 0} if label is None else _from(found, label, positive_from, path)
                   if positive_from is not None else _meaning(found, label, positive, path))
        pairs = _distinct(found, meaning, skipped)
        rows = len(table.rows) + len(table.malformed)
        reasons = tuple((why, count) for why, count in skipped.items() if count)
        if len(pairs) < FEWEST:
            raise refused(path, f"has {len(pairs)} usable reviews in {rows:,} rows{_left_out(reasons)}; at "
                                f"least {FEWEST} are needed. Add more.")
        texts, labels = zip(*pairs.values(), strict=True)
        lang = language(texts)
        reviews = cls(
            name=Path(path).name.partition(".")[0], lang=lang, path=str(path), texts=texts,
            labels=None if label is None else labels,
            parts=tuple(_part(key, seed, heldout) for key in pairs),
            longest_prompt=prompt_length or LONGEST_PROMPT[lang], rows=rows, skipped=reasons,
            encoding=table.encoding, read_as="" if label is None else _read_as(found, meaning))
        reviews._check_parts()
        return reviews if prompt_length else reviews._able_to_open()

    def corpus(self, n: int | None = None, seed: int = 0, split: str = "train") -> list[str]:
        """At most n whole reviews, in an order drawn from the seed."""
        return _draw([self.texts[row] for row in self._rows(split)], n, seed)

    def labelled(self, n: int | None = None, seed: int = 0, split: str = "train",
                 half: int | None = None) -> list[tuple[str, int]]:
        """At most n pairs (review, label), 1 = positive.

        `half` 0 or 1 takes one of two halves of the training split that share no text, for two judges."""
        if self.labels is None:
            raise refused(self.path, "was read without labels. Name their column with --label-column.")
        return _draw([(self.texts[row], self.labels[row]) for row in self._rows(split, half)], n, seed)

    def prompts(self, split: str = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """At most n different openings of reviews, in an order drawn from the seed.

        A prompt is never a whole review, and no prompt of one split is among those of the other."""
        self._rows(split)
        found = self._openings[split]
        if not found:
            length = f"{self.longest_prompt} {'characters' if self.lang == 'zh' else 'words'}"
            raise refused(self.path, f"has no {split} review that can open a prompt of up to {length}. "
                                     f"Add longer reviews, or set a shorter prompt_length.")
        return _draw(found, n, seed)

    def summary(self) -> str:
        """What was read and what was left out, in two or three lines, for a person."""
        first, second, kept_out = (self.parts.count(part) for part in (0, 1, HELDOUT))
        marks = "without labels"
        if self.labels is not None:
            marks = f"{self.labels.count(1):,} positive and {self.labels.count(0):,} negative"
        spoken = {"zh": "Chinese", "en": "English or another spaced language"}[self.lang]
        marks += f" (labels: {self.read_as})" if self.read_as else ""
        lines = [f"{self.path}: {self.rows:,} rows, {len(self.texts):,} different reviews, {marks}.",
                 f"{spoken}, {self.encoding}. {first + second:,} for training (halves of {first:,} "
                 f"and {second:,}), {kept_out:,} held out."]
        if self.skipped:
            lines.append("Left out: " + ", ".join(f"{count:,} {why}" for why, count in self.skipped) + ".")
        return "\n".join(lines)

    def _rows(self, split: str, half: int | None = None) -> list[int]:
        if split not in ("train", "heldout"):
            raise ValueError(f"split is {split!r}; expected 'train' or 'heldout'.")
        if half not in (None, 0, 1) or (half is not None and split != "train"):
            raise ValueError(f"half is {half!r} of split {split!r}; expected 0 or 1 of 'train', or None.")
        wanted = (HELDOUT,) if split == "heldout" else (0, 1) if half is None else (half,)
        return [row for row, part in enumerate(self.parts) if part in wanted]

    @cached_property
    def _openings(self) -> dict[str, list[str]]:
        cut = cutter(self.lang, self.longest_prompt, self.texts)
        taken = {""} | {review for review in self.texts if len(review) < 100}   # "": no good place to cut
        found = {}
        for split in ("train", "heldout"):
            openings = (cut(self.texts[row]) for row in self._rows(split))
            found[split] = [opening for opening in dict.fromkeys(openings) if opening not in taken]
            taken.update(found[split])
        return found

    def _able_to_open(self) -> FileReviews:
        """The same with the longest prompts of which each split has some; as it is if no length gives any."""
        for length in range(self.longest_prompt, 1, -1):
            shorter = self if length == self.longest_prompt else replace(self, longest_prompt=length)
            if all(len(shorter._openings[split]) >= FEWEST_PROMPTS for split in ("train", "heldout")):
                return shorter
        return self

    def _check_parts(self) -> None:
        """Both halves need both labels; the hash sees to that when there are enough reviews of each."""
        if HELDOUT not in self.parts:
            raise refused(self.path, "has no review in the held-out split. Add more, or try another seed.")
        if self.labels is None:
            return
        filled = {place for place in zip(self.parts, self.labels, strict=True) if place[0] != HELDOUT}
        if len(filled) < 4:
            rare = min((0, 1), key=self.labels.count)
            raise refused(self.path, f"has only {self.labels.count(rare)} {_NAMES[rare]} reviews of "
                                     f"{len(self.labels):,}; two judges need some each. Add more.")


# Rows to reviews

def _check_columns(table: Table, text: str, label: str | None, path: str | Path) -> None:
    """Both columns are there, once each, or an error that names the nearest."""
    if text == label:
        raise refused(path, f"cannot be read with --text-column and --label-column both {text!r}; name two columns.")
    check_column(table, "--text-column", text, path)
    if label is not None:
        check_column(table, "--label-column", label, path)


def _usable(table: Table, text: str, label: str | None, skipped: Counter[str],
            path: str | Path) -> list[tuple[int, str, str]]:
    """[(line, tidy text, label in its plain spelling)] of the rows that have both."""
    found, malformed = [], list(table.malformed)
    for line, row in table.rows:
        review, mark = row.get(text) or "", "" if label is None else _plain(row.get(label))
        if not isinstance(review, str):
            malformed.append((line, f"{text!r} is {shorten(review)}, not text"))
        elif len(review) > LONGEST_CELL:
            malformed.append((line, TOO_LONG))
        elif not (review := tidy(review)):
            skipped["without text"] += 1
        elif label is not None and mark in MISSING:
            skipped["without a label"] += 1
        else:
            found.append((line, review, mark))
    refuse_if_many(malformed, len(table.rows) + len(table.malformed), path)
    skipped["malformed"] = len(malformed)
    return found


def _plain(label: object) -> str:
    """One spelling for 1, 1.0 and " 1 ", or True and "TRUE"."""
    shown = "" if label is None else unicodedata.normalize("NFKC", tidy(str(label))).casefold()
    return shown.removesuffix(".0")


def _meaning(found: list[tuple[int, str, str]], label: str, positive: object,
             path: str | Path) -> dict[str, int | None]:
    """{label: 1, 0, or None for neither}, from the one family that holds every label seen."""
    seen = Counter(mark for _, _, mark in found)
    holds = f"column {label!r} holds " + ", ".join(
        f"{shorten(mark)} ({count:,} times)" for mark, count in seen.most_common(5))
    holds += f" and {len(seen) - 5:,} more values" * (len(seen) > 5)
    if positive is not None and seen:
        good = _plain(positive)
        if len(seen) != 2 or good not in seen:
            raise refused(path, f"{holds}; --positive {positive} expects two values, {good!r} one of them.")
        return {mark: int(mark == good) for mark in seen}
    families = [family for family in FAMILIES if seen.keys() <= family.keys()
                and (not seen or any(family[mark] is not None for mark in seen))]
    family = next((family for family in families if {0, 1} <= {family[mark] for mark in seen}),
                  families[0] if families else None)
    if family is None:
        odd = next(line for line, _, mark in found if seen[mark] == min(seen.values()))
        raise refused(path, f"{holds}; expected {KNOWN}. If there are two values, name the good one with "
                            f"--positive; if this is the wrong column, name another with --label-column.", odd)
    kinds = {family[mark] for mark in seen} - {None}
    if len(kinds) == 1:
        hint = "If one of them is the good one, name it with --positive" if len(seen) == 2 else "Add some"
        raise refused(path, f"{holds}, so every review is {_NAMES[kinds.pop()]}; a judge needs both. {hint}.")
    return family


def _from(found: list[tuple[int, str, str]], label: str, least: float, path: str | Path) -> dict[str, int | None]:
    """{label: 1 from that number on, 0 below}."""
    meaning: dict[str, int | None] = {}
    for line, _, mark in found:
        try:
            value = float(mark)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise refused(path, f"column {label!r} holds {shorten(mark)}; --positive-from {least:g} expects numbers. "
                                f"Name another column with --label-column, or the good label with --positive.", line)
        meaning[mark] = int(value >= least)
    if len(set(meaning.values())) == 1:
        numbers = sorted(map(float, meaning))
        kind = _NAMES[next(iter(meaning.values()))]
        raise refused(path, f"column {label!r} holds numbers from {numbers[0]:g} to {numbers[-1]:g}, so with "
                            f"--positive-from {least:g} every review is {kind}; a judge needs both. Choose a number "
                            f"between.")
    return meaning


def _read_as(found: list[tuple[int, str, str]], meaning: dict[str, int | None]) -> str:
    """For a person: what the labels were taken for."""
    seen = {mark for _, _, mark in found}
    sides = {name: sorted((mark for mark in seen if meaning[mark] == side), key=_in_order)
             for name, side in (("good", 1), ("bad", 0), ("left out", None))}
    return "; ".join(f"{name} {', '.join(map(str, marks[:12]))}" for name, marks in sides.items() if marks)


def _in_order(mark: str) -> tuple[float, str]:
    try:
        return float(mark), mark
    except ValueError:
        return math.inf, mark


def _distinct(found: list[tuple[int, str, str]], meaning: dict[str, int | None],
              skipped: Counter[str]) -> dict[str, tuple[str, int]]:
    """{key of the text: (text, label)}: the first of equal texts, none of those whose labels contradict."""
    copies: dict[str, list[tuple[str, int]]] = {}
    for _, review, mark in found:
        if meaning[mark] is None:
            skipped[f"rated {mark}, neither good nor bad"] += 1
        else:
            copies.setdefault(same_text(review), []).append((review, meaning[mark]))
    pairs = {}
    for key, same in copies.items():
        if len({label for _, label in same}) > 1:
            skipped["copies whose labels contradict each other"] += len(same)
        else:
            skipped["repeated"] += len(same) - 1
            pairs[key] = same[0]
    return pairs


def _part(key: str, seed: int, heldout: float) -> int:
    """A share `heldout` of all texts is held out; the rest falls evenly into halves 0 and 1.

    Only the text and the seed decide, so rows added to the file later move nobody."""
    digest = hashlib.sha256(f"{seed}\n{key}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return HELDOUT if share < heldout else digest[8] & 1


def _left_out(reasons: tuple[tuple[str, int], ...]) -> str:
    return f" ({', '.join(f'{count:,} {why}' for why, count in reasons)})" if reasons else ""


def _draw(items: list[Item], n: int | None, seed: int) -> list[Item]:
    if n is not None and n < 0:
        raise ValueError(f"n is {n}; expected 0 or more, or None for all.")
    return random.Random(seed).sample(items, len(items) if n is None else min(n, len(items)))
