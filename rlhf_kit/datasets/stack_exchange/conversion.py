"""A dump becomes a folder of pairs, answers and prompts; killed on the way it goes on, and ends with the same bytes.

    train/pairs.jsonl         the paired columns: a better and a worse answer, who wrote them, under which licence
    train/answers.jsonl       prompt and response, each better answer once, a question's best first
    train/prompts.jsonl       each prompt once
    heldout/...               the same of the questions that are held out
    about.json                what was asked for, what was found and left out; written last
    conversion.json, texts/   the claim to the folder; the texts so far, only while it runs

The second pass over the dump, HTML to Markdown, takes nearly all the time; it is what a killed conversion keeps.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from rlhf_kit.datasets.reading import FileError, refused, same_text
from rlhf_kit.datasets.stack_exchange import paired
from rlhf_kit.datasets.stack_exchange.markdown import check_installed
from rlhf_kit.datasets.stack_exchange.paired import ABOUT, CLAIM, COLUMNS, HELD_OUT, SPLITS, row_of, write_rows
from rlhf_kit.datasets.stack_exchange.posts import Pair, Texts, choose, finished, share_of, site_name
from rlhf_kit.datasets.stack_exchange.threads import prompt_of, response_of
from rlhf_kit.formulas.votes import MOST_PAIRS
from rlhf_kit.storage import StorageError, alone, remove, sweep, write_text

FORMATS = ("jsonl", "parquet")
KINDS: dict[str, dict[str, type]] = {
    "pairs": COLUMNS,
    "answers": {"qid": int, "prompt": str, "response": str, "id": int, "score": int, "author": int, "licence": str,
                "link": str},
    "prompts": {"qid": int, "prompt": str, "author": int, "licence": str, "link": str}}
TEXTS, GATHERED, LOCK = "texts", "texts.jsonl", ".lock"
ENDS = 2**20                                        # bytes at either end of the dump by which it is known again


class Progress(NamedTuple):
    """Something to show while it goes on."""

    stage: str                                      # votes, texts, files
    done: int                                       # megabytes; posts; files
    total: int


@dataclass(frozen=True, kw_only=True)
class Config:
    """What is made of the dump."""

    site: str | None = None                         # its address, for links
    most_pairs: int = MOST_PAIRS                    # of one question
    limit: int | None = None                        # questions; None = all
    held_out: float = HELD_OUT                      # share of the questions
    seed: int = 0
    format: str = "jsonl"

    def __post_init__(self) -> None:
        object.__setattr__(self, "site", site_name(self.site))
        if self.format not in FORMATS:
            raise ValueError(f"format is {self.format!r}; expected {' or '.join(FORMATS)}.")
        for name in ("most_pairs", "limit"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1.")
        if not 0 <= self.held_out <= 0.5:
            raise ValueError(f"held_out is {self.held_out}; expected a share from 0 to 0.5, such as 0.05.")


@dataclass(frozen=True)
class Converted:
    """What was made; also in about.json."""

    folder: str
    questions: dict[str, int]                       # by split
    pairs: dict[str, int]
    answers: dict[str, int]
    licences: dict[str, int]                        # posts under each
    left_out: dict[str, int]                        # the keys of `posts.LEFT_OUT`
    settings: dict[str, Any] = field(repr=False)


def convert(path: str | Path, folder: str | Path, config: Config = Config()) -> Converted:
    """Make the folder, or go on with it; one that is finished is only looked at.

    Raises: FileError about the dump, StorageError about the folder, ValueError if a library is missing, one
    line each. A dump that cannot be
    used leaves no folder behind.
    """
    return finished(steps(path, folder, config))


def steps(path: str | Path, folder: str | Path, config: Config = Config()) -> Iterator[Progress]:
    """The same, telling how far it is; the generator's return value is the `Converted`."""
    folder = Path(folder).expanduser()
    check_installed()
    if config.format == "parquet":
        paired.check_arrow()
    settings = {"dump": _print_of(path), **vars(config)}
    _check(folder, settings)
    if (folder / ABOUT).is_file():
        remove(folder / TEXTS, [GATHERED])                          # a kill may have come between the two
        return _about(folder)
    choice = yield from _votes(path, config)
    with _alone(folder, settings):
        for made in (*(place for _, _, place in _places(folder, config)), folder / ABOUT, folder / CLAIM):
            sweep(made)
        (folder / TEXTS).mkdir(exist_ok=True)
        with Texts(folder / TEXTS / GATHERED, choice) as texts:
            total = len(texts.ids)
            for done in texts.gather(path):
                yield Progress("texts", done, total)
            done = yield from _files(folder, texts, config)
        about = {**done, "left_out": {key: count for key, count in done["left_out"].items() if count},
                 "settings": settings}
        write_text(folder / ABOUT, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        remove(folder / TEXTS, [GATHERED])
    return _about(folder)


def _votes(path: str | Path, config: Config) -> Iterator[Progress]:
    """The first pass."""
    total, choosing = Path(path).expanduser().stat().st_size, choose(
        path, most_pairs=config.most_pairs, seed=config.seed, limit=config.limit)
    while True:
        try:
            done = next(choosing)
        except StopIteration as stop:
            return stop.value
        yield Progress("votes", done >> 20, total >> 20)


def _files(folder: Path, texts: Texts, config: Config) -> Iterator[Progress]:
    """Write every file that is not there yet, and count what is in them."""
    pairs = _Sorted(texts, config)
    if not pairs.counts["pairs"]["train"] + pairs.counts["pairs"]["heldout"]:
        raise refused(folder, "would be empty: no two answers of a question are different texts. Take a larger site.")
    places = _places(folder, config)
    for number, (split, kind, place) in enumerate(places):
        yield Progress("files", number, len(places))
        if not place.is_file():
            write_rows(place, _ROWS[kind](pairs.of(split)), KINDS[kind])
    yield Progress("files", len(places), len(places))
    return {**pairs.counts, "licences": dict(sorted(pairs.licences.items())), "left_out": dict(pairs.left_out)}


def _places(folder: Path, config: Config) -> list[tuple[str, str, Path]]:
    return [(split, kind, folder / split / f"{kind}.{config.format}") for split in SPLITS for kind in KINDS]


class _Sorted:
    """The pairs of both splits, read anew each time they are asked for."""

    def __init__(self, texts: Texts, config: Config) -> None:
        self.texts, self.config, self.left_out = texts, config, Counter(texts.choice.left_out)
        self.held = {_digest(pair) for pair in texts.pairs(None, Counter()) if self._out(pair)}
        self.counts = {name: dict.fromkeys(SPLITS, 0) for name in ("questions", "pairs", "answers")}
        self.licences: Counter[str] = Counter()
        shared: set[int] = set()
        for split, group in self._groups(self.left_out, shared):
            self.counts["questions"][split] += 1
            self.counts["pairs"][split] += len(group)
            self.counts["answers"][split] += len({pair.better.id for pair in group})
            posts = {post.id: post for pair in group for post in (pair.question, pair.better, pair.worse)}
            self.licences.update(post.licence for post in posts.values())
        self.left_out["shared"] += len(shared)

    def of(self, split: str) -> Iterator[list[Pair]]:
        """The pairs of each question of that split."""
        return (group for side, group in self._groups(Counter(), set()) if side == split)

    def _groups(self, left_out: Counter[str], shared: set[int]) -> Iterator[tuple[str, list[Pair]]]:
        group: list[Pair] = []
        for pair in self.texts.pairs(self.config.site, left_out):
            if group and group[0].qid != pair.qid:
                yield self._split(group[0]), group
                group = []
            if not self._out(pair) and _digest(pair) in self.held:
                shared.add(pair.qid)
            else:
                group.append(pair)
        if group:
            yield self._split(group[0]), group

    def _split(self, pair: Pair) -> str:
        return "heldout" if self._out(pair) else "train"

    def _out(self, pair: Pair) -> bool:
        return share_of(pair.qid, self.config.seed) < self.config.held_out


def _digest(pair: Pair) -> bytes:
    return hashlib.sha256(same_text(pair.question.text).encode()).digest()[:12]


def _pair_rows(groups: Iterator[list[Pair]]) -> Iterator[dict[str, Any]]:
    return (row_of(pair) for group in groups for pair in group)


def _answer_rows(groups: Iterator[list[Pair]]) -> Iterator[dict[str, Any]]:
    for group in groups:
        for post in {pair.better.id: pair.better for pair in group}.values():
            yield {"qid": group[0].qid, "prompt": prompt_of(group[0].question.text), "response": response_of(post.text),
                   **{name: getattr(post, name) for name in ("id", "score", "author", "licence", "link")}}


def _prompt_rows(groups: Iterator[list[Pair]]) -> Iterator[dict[str, Any]]:
    for group in groups:
        post = group[0].question
        yield {"qid": post.id, "prompt": prompt_of(post.text),
               **{name: getattr(post, name) for name in ("author", "licence", "link")}}


_ROWS = {"pairs": _pair_rows, "answers": _answer_rows, "prompts": _prompt_rows}


# The folder

def _print_of(path: str | Path) -> dict[str, Any]:
    """By what a dump is known again: its size, and a hash of its two ends."""
    place = Path(path).expanduser()
    if not place.is_file():
        finished(choose(path))                      # says in one line what it is instead
    with open(place, "rb") as file:
        size, head = place.stat().st_size, file.read(ENDS)
        file.seek(max(0, size - ENDS))
        return {"bytes": size, "sha256_of_ends": hashlib.sha256(head + file.read(ENDS)).hexdigest()}


def _check(folder: Path, settings: dict[str, Any]) -> None:
    """Raises StorageError if the folder is somebody else's or cannot be written, before time is spent."""
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        seen = "read-only for you" if there.is_dir() else "a file"
        raise StorageError(f"{folder} cannot be written: {there} is {seen}. Name another folder.")
    claim = folder / CLAIM
    if claim.is_file():
        if claim.read_text(encoding="utf-8", errors="replace") != _claim(settings):
            raise StorageError(f"{folder} holds a conversion of another dump or with other settings. Name another "
                               f"folder, or delete that one.")
    elif folder.is_dir() and any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise StorageError(f"{folder} holds files that no conversion wrote; name a new or empty folder.")


def _claim(settings: dict[str, Any]) -> str:
    return json.dumps(settings, indent=1, ensure_ascii=False) + "\n"


@contextmanager
def _alone(folder: Path, settings: dict[str, Any]) -> Iterator[None]:
    """Claim the folder and keep other processes out."""
    write_text(folder / CLAIM, _claim(settings))
    with alone(folder / LOCK, f"{folder} is in use by another conversion; wait until it ends, or name another folder."):
        try:
            _check(folder, settings)
            yield
        except FileError:                           # the dump is of no use, so there is nothing to go on with
            remove(folder / TEXTS, [GATHERED])
            for name in (CLAIM, LOCK):
                (folder / name).unlink(missing_ok=True)
            with suppress(OSError):                 # what is not empty stays
                folder.rmdir()
            raise


def _about(folder: Path) -> Converted:
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        return Converted(str(folder), **about)
    except (ValueError, TypeError) as error:
        raise StorageError(f"{folder / ABOUT} is damaged ({error}). Delete it; the same command goes on.") from error
