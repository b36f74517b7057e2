"""Questions with pairs of a better and a worse answer, whatever they come from: what the StackLLaMA recipe learns from.

    stack = Stack.read("Posts.xml")                         # a dump
    stack = Stack.read("runs/cooking")                      # a folder that `rlhf-kit posts read` wrote
    stack = Stack.read("pairs.parquet")                     # lvwerra/stack-exchange-paired's columns; or .jsonl
    stack = Stack.read("lvwerra/stack-exchange-paired", limit=10_000)      # that set itself, from the hub
    stack.comparisons(n=1000)

The columns: qid, question, date, metadata (links to the question, its site and its author), response_j (the better
one), response_k (the worse). What the kit writes has more, so that every author can be named; what it reads needs no
more.
This is the only door to `datasets`.
"""

from __future__ import annotations

import gzip
import heapq
import json
import random
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rlhf_kit.datasets.reading import LONGEST_CELL, refused, same_text, shorten, tidy
from rlhf_kit.datasets.stack_exchange.posts import LEFT_OUT, Pair, read_posts, share_of
from rlhf_kit.datasets.stack_exchange.threads import prompt_of, response_of
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.formulas.votes import MOST_PAIRS
from rlhf_kit.storage import new_file

HELD_OUT = 0.05                         # share of the questions
SPLITS = ("train", "heldout")
NEEDED = ("qid", "question", "response_j", "response_k")
POST = {"id": int, "score": int, "author": int, "licence": str, "link": str}
COLUMNS = {"qid": int, "question": str, "date": str, "metadata": list, "response_j": str, "response_k": str,
           "author": int, "licence": str, "tags": list,
           **{f"{name}_{side}": kind for side in "jk" for name, kind in POST.items()}}
ABOUT, CLAIM = "about.json", "conversion.json"      # of a folder that `tasks.conversion` has finished, and begun
LONGEST_LINE = 8 * LONGEST_CELL                     # bytes: three texts, as JSON escapes them
MALFORMED_ALLOWED = 0.01                            # share of the rows
BATCH = 1000                                        # rows of a parquet file at once
_HUB = re.compile(r"[\w.-]+/[\w.-]+")
Item = TypeVar("Item")


@dataclass(frozen=True)
class Asked:
    """A question and its pairs."""

    qid: int
    question: str
    pairs: tuple[tuple[str, str], ...]          # (better, worse), the best answers first


@dataclass(frozen=True)
class Stack:
    """Questions with pairs, from a dump, a converted folder, or files with the paired columns."""

    source: str
    train: tuple[Asked, ...] = field(repr=False)
    heldout: tuple[Asked, ...] = field(repr=False)
    licences: tuple[str, ...]                   # empty if nothing says
    left_out: tuple[tuple[str, int], ...]       # (what, how many)

    @classmethod
    def read(cls, source: str | Path, *, held_out: float = HELD_OUT, seed: int = 0, most_pairs: int = MOST_PAIRS,
             limit: int | None = None) -> Stack:
        """Read it all into memory; `limit` says how much that may be.

        Args:
            source: Posts.xml; a folder or file made by `rlhf-kit posts read`; a file, or a folder of files, with the
                paired columns (.jsonl, .jsonl.gz, .parquet); or the name of such a set on the hub.
            held_out: share of the questions that nothing is learned from, by a hash of the question's id and the seed.
                A question to learn from whose text is that of one held out is dropped.
            seed: of the split and of what is drawn.
            most_pairs: of one question.
            limit: at most so many questions: those whose hash is smallest; from the hub those that come first.

        Raises: datasets.reading.FileError, one line.
        """
        if not 0 <= held_out <= 0.5:
            raise ValueError(f"held_out is {held_out}; expected a share from 0 to 0.5, such as 0.05.")
        for name, value in (("most_pairs", most_pairs), ("limit", limit)):
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1.")
        left_out, licences = Counter(), Counter()
        if _is_dump(source):
            rows = map(row_of, read_posts(source, most_pairs=most_pairs, seed=seed, limit=limit, left_out=left_out))
        else:
            rows = _rows(source, limit, left_out)
        asked = _questions(rows, most_pairs, seed, limit, licences, left_out)
        if not asked:
            raise refused(source, f"has no pair of two different answers. Expected rows with {', '.join(NEEDED)}.")
        out = tuple(one for one in asked if share_of(one.qid, seed) < held_out)
        texts = {same_text(one.question) for one in out}
        learn = tuple(one for one in asked if same_text(one.question) not in texts)
        left_out["shared"] += len(asked) - len(out) - len(learn)
        named = tuple((LEFT_OUT[what], count) for what, count in sorted(left_out.items()) if count)
        return cls(str(source), learn, out, tuple(sorted(licences)), named)

    def answered(self, n: int | None = None, seed: int = 0, split: str = "train") -> list[tuple[str, str]]:
        """At most n different (prompt, response): a question, and an answer that was better than another."""
        found = dict.fromkeys((prompt_of(one.question), response_of(better))
                              for one in self._of(split) for better, _ in one.pairs)
        return _draw(list(found), n, seed)

    def comparisons(self, n: int | None = None, seed: int = 0, split: str = "train") -> list[Comparison]:
        """At most n pairs."""
        found = [Comparison(prompt_of(one.question), response_of(better), response_of(worse))
                 for one in self._of(split) for better, worse in one.pairs]
        return _draw(found, n, seed)

    def prompts(self, split: str = "train", n: int | None = None, seed: int = 0) -> list[str]:
        """At most n different prompts."""
        return _draw(list(dict.fromkeys(prompt_of(one.question) for one in self._of(split))), n, seed)

    def summary(self) -> str:
        """What was read, what was left out and under which licences it is, in two or three lines, for a person."""
        pairs = sum(len(one.pairs) for one in (*self.train, *self.heldout))
        licences = ", ".join(self.licences) or "not said in the file; Stack Exchange's posts are under CC BY-SA"
        lines = [f"{self.source}: {len(self.train) + len(self.heldout):,} questions with {pairs:,} pairs; "
                 f"{len(self.train):,} questions to learn from, {len(self.heldout):,} held out.",
                 f"Licences: {licences}. Name the authors and share alike if you hand it on."]
        if self.left_out:
            lines.append("Left out: " + ", ".join(f"{count:,} {what}" for what, count in self.left_out) + ".")
        return "\n".join(lines)

    def _of(self, split: str) -> tuple[Asked, ...]:
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}; expected 'train' or 'heldout'.")
        found = self.train if split == "train" else self.heldout
        if not found:
            raise refused(self.source, f"has no question in the split {split!r}. Add more, or change held_out or seed.")
        return found


def _draw(items: list[Item], n: int | None, seed: int) -> list[Item]:
    if n is not None and n < 0:
        raise ValueError(f"n is {n}; expected 0 or more, or None for all.")
    return random.Random(seed).sample(items, len(items) if n is None else min(n, len(items)))


# Writing

def row_of(pair: Pair) -> dict[str, Any]:
    """A pair in the paired columns, and in ours that name authors and licences."""
    link, asked = pair.question.link, pair.question
    site = "" if link is None else link.rpartition("/questions/")[0]
    page = [f"{site}/users/{asked.author}"] if site and asked.author is not None else []
    row = {"qid": pair.qid, "question": asked.text, "date": asked.date, "metadata": [link, site, *page] if site else [],
           "response_j": pair.better.text, "response_k": pair.worse.text, "author": asked.author,
           "licence": asked.licence, "tags": list(pair.tags)}
    for side, post in (("j", pair.better), ("k", pair.worse)):
        row |= {f"{name}_{side}": getattr(post, name) for name in POST}
    return row


def write_pairs(path: str | Path, pairs: Iterable[Pair]) -> int:
    """Write pairs with the paired columns, as .jsonl or as .parquet; returns how many."""
    return write_rows(path, map(row_of, pairs), COLUMNS)


def write_rows(path: str | Path, rows: Iterable[dict[str, Any]], columns: dict[str, type]) -> int:
    """Write rows piece by piece as .jsonl or .parquet, whole or not at all; returns how many.

    Raises: ValueError, one line, if pyarrow is missing; StorageError.
    """
    count = 0
    if not str(path).endswith(".parquet"):
        with new_file(path) as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False).encode(errors="replace") + b"\n")
                count += 1
        return count
    arrow, parquet = check_arrow()
    kinds = {int: arrow.int64(), str: arrow.string(), list: arrow.list_(arrow.string())}
    schema = arrow.schema([(name, kinds[kind]) for name, kind in columns.items()])
    with new_file(path) as file, parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in _batches(rows):
            writer.write_table(arrow.Table.from_pylist(batch, schema))
            count += len(batch)
    return count


def _batches(rows: Iterable[dict]) -> Iterator[list[dict]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def check_arrow() -> tuple[Any, Any]:
    """pyarrow and its parquet. Raises: ValueError, one line, if it is missing."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ValueError("pyarrow is not installed; parquet files need it. pip install \"rlhf-kit[scale]\", or use "
                         ".jsonl.") from error
    return pyarrow, parquet


# Reading

def _is_dump(source: str | Path) -> bool:
    place = Path(source).expanduser()
    return place.suffix.lower() in (".xml", ".7z") and not place.is_dir()


def _questions(rows: Iterable[dict[str, Any]], most_pairs: int, seed: int, limit: int | None,
               licences: Counter[str], left_out: Counter[str]) -> list[Asked]:
    """Rows by question, in the order of their ids; no more than `limit` questions are ever in memory."""
    found: dict[tuple[int, str], dict[tuple[str, str], None]] = {}
    largest: list[tuple[float, tuple[int, str]]] = []           # a heap of the questions that are kept, by -hash
    for row in rows:
        key, better, worse = (row["qid"], row["question"]), row["response_j"], row["response_k"]
        if key not in found:
            share = share_of(row["qid"], seed, "limit")
            if limit is not None and len(found) == limit:
                if -largest[0][0] <= share:
                    continue
                del found[heapq.heappop(largest)[1]]
            heapq.heappush(largest, (-share, key))
            found[key] = {}
        if tidy(better) == tidy(worse) or not tidy(row["question"]) or not (tidy(better) and tidy(worse)):
            left_out["unread"] += 1
        elif (better, worse) not in found[key] and (worse, better) not in found[key]:
            found[key][better, worse] = None
            licences.update(row[name] for name in ("licence", "licence_j", "licence_k")
                            if isinstance(row.get(name), str) and row[name])
    asked = []
    for (qid, question), all_pairs in sorted((key, pairs) for key, pairs in found.items() if pairs):
        pairs = list(all_pairs)
        if len(pairs) > most_pairs:
            kept = random.Random(f"pairs {seed} {qid}").sample(range(len(pairs)), most_pairs)
            pairs = [pairs[i] for i in sorted(kept)]
        asked.append(Asked(qid, question, tuple(pairs)))
    return asked


def _rows(source: str | Path, limit: int | None, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """The sound rows of a file, a folder or a set of the hub."""
    place = Path(source).expanduser()
    if place.is_dir():
        for path in _files_in(source):
            yield from _sound(path, left_out)
    elif place.exists() or not _HUB.fullmatch(str(source)) or place.suffix in (".jsonl", ".gz", ".parquet", ".json"):
        yield from _sound(source, left_out)
    else:
        yield from _hub_rows(str(source), limit, left_out)


def _files_in(folder: str | Path) -> list[Path]:
    """Its files of pairs, below it too, such as data/finetune, data/reward, data/rl and data/evaluation."""
    place = Path(folder).expanduser()
    if (place / CLAIM).exists() and not (place / ABOUT).exists():
        raise refused(folder, "holds a conversion that was stopped. Run the same `rlhf-kit posts read` again; it goes "
                              "on from there.")
    found = [path for path in sorted(place.rglob("*")) if path.name.endswith((".jsonl", ".jsonl.gz", ".parquet"))
             and not any(part.startswith(".") for part in path.relative_to(place).parts)
             and path.name.split(".")[0] not in ("answers", "prompts")]
    if not found:
        raise refused(folder, "is a folder without .jsonl or .parquet files; expected rows with "
                              f"{', '.join(NEEDED)}. Name a dump's Posts.xml, or such files.")
    return found


def _sound(path: str | Path, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """The rows that have what is needed; FileError at the end of the file if more than 1 in 100 have not."""
    seen, wrong, first = 0, 0, (1, "")
    for line, row in _file_rows(path):
        seen += 1
        what = row if isinstance(row, str) else _wrong(row)
        if what and not wrong:
            first = (line, what)
        if what:
            wrong += 1
            if wrong > 100 and wrong > seen / 2:            # no need to read gigabytes of something else
                break
        else:
            yield {**row, "qid": int(row["qid"])}
    if wrong > MALFORMED_ALLOWED * seen:
        raise refused(path, f"{first[1]}. {wrong:,} of {seen:,} rows are malformed; at most 1 in 100 is skipped. "
                            f"Expected the columns {', '.join(NEEDED)}.", first[0])
    if not seen:
        raise refused(path, f"is empty; expected rows with {', '.join(NEEDED)}.")
    left_out["malformed"] += wrong


def _wrong(row: dict[str, Any]) -> str:
    """What is wrong with a row, "" if nothing."""
    for name in NEEDED:
        cell = row.get(name)
        if name == "qid":
            try:
                int(cell)
            except (TypeError, ValueError, OverflowError):
                return f"'qid' is {shorten(cell)}, not the question's number" if name in row else "there is no 'qid'"
        elif not isinstance(cell, str):
            return f"{name!r} is {shorten(cell)}, not text" if name in row else f"there is no {name!r}"
        elif len(cell) > 2 * LONGEST_CELL:
            return f"{name!r} has more than {2 * LONGEST_CELL:,} characters"
    return ""


def _file_rows(path: str | Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """(line or row, its cells, or what is wrong with it)."""
    place = Path(path).expanduser()
    try:
        if not place.is_file():
            seen = "is not an ordinary file" if place.exists() else "does not exist"
            raise refused(path, f"{seen}; expected a dump's Posts.xml, .jsonl or .parquet files with "
                                f"{', '.join(NEEDED)}, or a folder of them. Check the name.")
        with open(place, "rb") as file:
            head = file.read(4)
        if head == b"PAR1":
            yield from _parquet_rows(path, place)
        else:
            yield from _json_rows(path, place, packed=head[:2] == b"\x1f\x8b")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise refused(path, f"is a damaged gzip file ({error}). Fetch or pack it again.") from error
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or error}.") from error


def _json_rows(path: str | Path, place: Path, *, packed: bool) -> Iterator[tuple[int, dict[str, Any] | str]]:
    with (gzip.open if packed else open)(place, "rb") as file:
        line = 0
        while source := file.readline(LONGEST_LINE):
            line += 1
            if len(source) == LONGEST_LINE and not source.endswith(b"\n"):
                raise refused(path, f"a line of more than {LONGEST_LINE >> 20} MB; expected a JSON object.", line)
            if not source.strip():
                continue
            try:
                row = json.loads(source.decode("utf-8-sig"))
            except (ValueError, RecursionError):
                row = None
            sound = isinstance(row, dict)
            yield line, row if sound else f"not a JSON object: {shorten(source.decode(errors='replace').strip())}"


def _parquet_rows(path: str | Path, place: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    arrow, parquet = check_arrow()
    try:
        with parquet.ParquetFile(place) as file:
            there = set(file.schema_arrow.names)
            if missing := [name for name in NEEDED if name not in there]:
                raise refused(path, f"has no column {', '.join(map(repr, missing))}; it has "
                                    f"{', '.join(map(shorten, sorted(there)[:12]))}.")
            wanted = [name for name in (*NEEDED, "licence", "licence_j", "licence_k") if name in there]
            row = 0
            for batch in file.iter_batches(batch_size=BATCH, columns=wanted):
                for cells in batch.to_pylist():
                    row += 1
                    yield row, cells
    except (arrow.ArrowException, OSError) as error:
        raise refused(path, f"is a damaged parquet file ({tidy(str(error))[:80]}). Fetch it again.") from error


def _hub_rows(name: str, limit: int | None, left_out: Counter[str]) -> Iterator[dict[str, Any]]:
    """The first `limit` questions of a set on the hub, streamed; the sets' rows are shuffled as they are."""
    if limit is None:
        raise refused(name, "is a set on the hub and may hold millions of pairs. Say how many questions with limit, "
                            "such as 10000.")
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise ValueError("datasets is not installed; sets on the hub are read with it. "
                         "pip install \"rlhf-kit[scale]\".") from error
    seen = set()
    try:
        for row in load_dataset(name, split="train", streaming=True):
            if _wrong(row):
                raise refused(name, f"{_wrong(row)}; expected a set with the columns {', '.join(NEEDED)}.")
            seen.add(row["qid"])
            if len(seen) > limit:
                return
            yield {**row, "qid": int(row["qid"])}
    except (OSError, RuntimeError) as error:                    # no network, no such set, a name of something else
        why = tidy(str(error)).split(". ")[0][:120]
        raise refused(name, f"is no file here, and cannot be read from the hub ({why}). Check the name or the network, "
                            f"or name a file.") from error
