"""From a Stack Exchange dump to pairs of a better and a worse answer: two passes over `Posts.xml`, little memory.

The first pass keeps three whole numbers a post and chooses pairs by votes (`formulas.votes`); the second turns the HTML
of the chosen posts, and of no others, into Markdown and lays it down in a file, whence the pairs are put together.

    for pair in read_posts("Posts.xml", site="cooking.stackexchange.com"):
        print(pair.question.text, pair.better.text, pair.worse.text, pair.better.link)

Licence. Posts belong to those who wrote them and are under CC BY-SA: 2.5, 3.0 or 4.0 by their date, as each row says.
Whoever hands them on, or something made from them, names the author and the source and shares under the same licence;
`Post` keeps what that needs. Since July 2024 the official dump is handed out to those who agree that it is for their
own use and "for projects that do not include training a large language model". Whether that binds you where CC BY-SA
permits more is for a lawyer and not for this page, which is no legal advice. The kit ships no post of anybody's: what
it shows and tests with is made up.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import random
import re
import tempfile
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from rlhf_kit.datasets.reading import LONGEST_CELL, refused, shorten, tidy
from rlhf_kit.datasets.stack_exchange.dump import ANSWER, QUESTION, line_at, read_rows, write_posts
from rlhf_kit.datasets.stack_exchange.markdown import check_installed, to_markdown
from rlhf_kit.formulas.votes import MOST_PAIRS, answer_pairs, answer_score
from rlhf_kit.storage import StorageError

__all__ = ["Pair", "Post", "read_posts", "write_posts"]

MALFORMED_ALLOWED = 0.01                # share of the rows
MOST_ANSWERS = 300                      # of one question; of more, so many are drawn, or its pairs would be millions
LEFT_OUT = {                            # what `left_out` counts, for people
    "other": "rows of other kinds", "malformed": "malformed rows", "orphans": "answers without their question",
    "long": f"posts of more than {LONGEST_CELL:,} characters", "repeated": "repeated posts",
    "unpaired": "questions without a pair", "unread": "pairs without two different texts",
    "shared": "questions to learn from that are also held out"}
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_SITE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")


@dataclass(frozen=True)
class Post:
    """A question or an answer, with what naming its author and source needs."""

    id: int
    text: str                           # Markdown; a question's title stands above its body
    score: int                          # of an answer `answer_score`; of a question its votes
    author: int | None                  # None where the account is gone
    date: str                           # ISO 8601
    licence: str
    link: str | None                    # None where the site was not named


@dataclass(frozen=True)
class Pair:
    """Two answers to one question, of which the voters preferred the first."""

    question: Post
    tags: tuple[str, ...]
    better: Post
    worse: Post

    @property
    def qid(self) -> int:
        """The question's id."""
        return self.question.id


def read_posts(path: str | Path, *, site: str | None = None, most_pairs: int = MOST_PAIRS, seed: int = 0,
               limit: int | None = None, left_out: Counter[str] | None = None) -> Iterator[Pair]:
    """The pairs of a dump, question by question in the order of their ids, the best answers first.

    Args:
        path: the unpacked Posts.xml of one site (7z x site.7z Posts.xml).
        site: its name, such as "cooking.stackexchange.com", from which links are made.
        most_pairs: of one question; more are drawn from the seed.
        limit: at most so many questions, those whose hash with the seed is smallest.
        left_out: is told how much was left out and why (the keys of `LEFT_OUT`).

    The texts wait in a temporary folder meanwhile; `tasks.conversion` keeps them, and goes on after a kill.
    Raises: datasets.reading.FileError, one line; ValueError if markdownify is missing.
    """
    check_installed()
    site, left_out = site_name(site), Counter() if left_out is None else left_out
    choice = finished(choose(path, most_pairs=most_pairs, seed=seed, limit=limit))
    left_out.update(choice.left_out)
    with tempfile.TemporaryDirectory(prefix="rlhf-kit-posts-", ignore_cleanup_errors=True) as folder, \
            Texts(Path(folder) / "texts.jsonl", choice) as texts:
        finished(texts.gather(path))
        yield from texts.pairs(site, left_out)


def finished(steps: Iterator[Any]) -> Any:
    """What a generator returns at its end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def site_name(site: str | None) -> str | None:
    """The host alone, "https://Cooking.stackexchange.com/" or not. Raises: ValueError if it is none."""
    if site is None:
        return None
    host = site.strip().lower().removeprefix("https://").removeprefix("http://").rstrip("/")
    if not _SITE.fullmatch(host):
        raise ValueError(f"the site is {shorten(site)}; expected its address, such as cooking.stackexchange.com.")
    return host


def share_of(qid: int, seed: int, what: str = "split") -> float:
    """A question's place between 0 and 1, evenly, by a hash of its id: whatever else the file holds moves nobody."""
    return int.from_bytes(hashlib.sha256(f"{what} {seed} {qid}".encode()).digest()[:8], "big") / 2**64


# First pass: numbers

@dataclass(frozen=True)
class Choice:
    """Which pairs were chosen, in numbers: five columns of equal length, by question, the best answers first."""

    question: array                     # ids
    better: array
    worse: array
    better_score: array
    worse_score: array
    left_out: Counter[str]

    def ids(self) -> array:
        """The posts whose texts are needed, ascending."""
        ids = np.unique(np.concatenate([_numpy(column) for column in (self.question, self.better, self.worse)]))
        return array("q", ids.tobytes())


def choose(path: str | Path, *, most_pairs: int = MOST_PAIRS, seed: int = 0,
           limit: int | None = None) -> Iterator[int]:
    """The first pass; yields the bytes read so far and returns a `Choice`. Raises: FileError."""
    for name, value in (("most_pairs", most_pairs), ("limit", limit)):
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}; expected at least 1.")
    numbers = _Numbers()
    for done, rows in read_rows(path):
        for place, row in rows:
            numbers.add(place, row)
        yield done
    numbers.check(path)
    choice = _choice(numbers, most_pairs, seed, limit)
    if not choice.question:
        raise refused(path, f"has no two answers to one question with different scores, in "
                            f"{len(numbers.questions) // 3:,} questions and {len(numbers.answers) // 3:,} answers. "
                            f"Take a larger site.")
    return choice


class _Numbers:
    """What the first pass keeps: three numbers of eight bytes a post."""

    def __init__(self) -> None:
        self.questions = array("q")                     # id, id of the accepted answer or 0, votes; id, ...
        self.answers = array("q")                       # id, id of the question, votes; id, ...
        self.left_out: Counter[str] = Counter()
        self.seen, self.first_wrong = 0, (0, "")

    def add(self, place: int, row: dict[str, str]) -> None:
        """Take a row's numbers, or count why not."""
        self.seen += 1
        try:
            kind, texts = row["PostTypeId"], None
            if kind == ANSWER:
                texts, kept = (row["Id"], row["ParentId"], row["Score"]), self.answers
            elif kind == QUESTION:
                texts, kept = (row["Id"], row.get("AcceptedAnswerId", "0"), row["Score"]), self.questions
            elif int(kind) > 0:
                self.left_out["other"] += 1
                return
            numbers = array("q", map(int, texts))
            if numbers[0] < 1 or numbers[1] < 0:
                raise ValueError("ids are positive")
            if len(row["Body"]) + (len(row["Title"]) if kind == QUESTION else 0) > LONGEST_CELL:
                self.left_out["long"] += 1
            else:
                kept += numbers
        except KeyError as error:
            self._wrong(place, f"a post without {error.args[0]}")
        except (ValueError, OverflowError, TypeError):
            self._wrong(place, f"{shorten(kind if texts is None else ', '.join(texts), 60)} where "
                              f"{'a kind of post' if texts is None else 'ids and votes'} should be")

    def _wrong(self, place: int, what: str) -> None:
        self.first_wrong = self.first_wrong if self.left_out["malformed"] else (place, what)
        self.left_out["malformed"] += 1

    def check(self, path: str | Path) -> None:
        """Raises FileError, about the first of them, when more than 1 row in 100 is malformed; or without a row."""
        wrong = self.left_out["malformed"]
        if wrong > MALFORMED_ALLOWED * self.seen:
            place, what = self.first_wrong
            raise refused(path, f"{what}. {wrong:,} of {self.seen:,} rows are malformed; at most 1 in 100 is skipped. "
                                f"Unpack or fetch the dump again.", line_at(path, place))
        if not self.questions:
            raise refused(path, f"has no question (PostTypeId 1) in {self.seen:,} rows. Unpack or fetch the dump "
                                f"again.")


def _choice(numbers: _Numbers, most_pairs: int, seed: int, limit: int | None) -> Choice:
    """From the numbers of a file to the pairs of at most `limit` questions."""
    left_out = numbers.left_out
    question, accepted, _ = _columns(numbers.questions, left_out)
    answer, parent, votes = _columns(numbers.answers, left_out)
    known = np.isin(parent, question)
    left_out["orphans"] += int((~known).sum())
    order = np.flatnonzero(known)[np.argsort(parent[known], kind="stable")]         # by question, then by id
    answer, parent, votes = answer[order], parent[order], votes[order]
    score = _scores(votes, accepted[np.searchsorted(question, parent)] == answer)

    starts = np.flatnonzero(np.diff(parent, prepend=-1))                             # a question's first answer
    ends = np.append(starts, len(parent))[1:]
    decided = (np.flatnonzero(np.minimum.reduceat(score, starts) < np.maximum.reduceat(score, starts))
               if len(starts) else starts)
    asked = [(int(parent[starts[i]]), int(starts[i]), int(ends[i])) for i in decided]
    left_out["unpaired"] += len(question) - len(asked)
    if limit is not None:
        asked = sorted(heapq.nsmallest(limit, asked, key=lambda one: share_of(one[0], seed, "limit")))

    columns = [array(code) for code in "qqqbb"]
    for qid, start, end in asked:
        scored = list(zip(answer[start:end].tolist(), score[start:end].tolist(), strict=True))
        pairs = _pairs(scored, most_pairs, f"{seed} {qid}")
        for column, numbers_of_pairs in zip(columns, ([qid] * len(pairs), *zip(*pairs, strict=True)), strict=True):
            column.extend(numbers_of_pairs)
    return Choice(*columns, left_out)


def _columns(numbers: array, left_out: Counter[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ids, ascending and each once, with their two other numbers."""
    table = _numpy(numbers).reshape(-1, 3)
    ids, first = np.unique(table[:, 0], return_index=True)
    left_out["repeated"] += len(table) - len(ids)
    return ids, table[first, 1], table[first, 2]


def _numpy(numbers: array) -> np.ndarray:
    return np.frombuffer(numbers, dtype=np.int64) if numbers else np.zeros(0, np.int64)


def _scores(votes: np.ndarray, accepted: np.ndarray) -> np.ndarray:
    """`answer_score` of every answer; it is asked once for each number of votes."""
    different, which = np.unique(votes, return_inverse=True)
    plain, chosen = (np.array([answer_score(v, yes) for v in different.tolist()], dtype=np.int64)
                     for yes in (False, True))
    return np.where(accepted, chosen[which], plain[which])


def _pairs(scored: list[tuple[int, int]], most: int, seed: str) -> list[tuple[int, int, int, int]]:
    """(better, worse, score, score) of one question's (answer, score), the best answers first."""
    if len(scored) > MOST_ANSWERS:
        scored = sorted(random.Random(f"answers {seed}").sample(scored, MOST_ANSWERS))
    found = [(*scored[b], *scored[w]) for b, w in answer_pairs([score for _, score in scored], most, seed)]
    found.sort(key=lambda pair: (-pair[1], pair[0], -pair[3], pair[2]))
    return [(better, worse, good, bad) for better, good, worse, bad in found]


# Second pass: texts

class Texts:
    """The chosen posts as Markdown in a file, a JSON object a line, found again by their ids.

    A file that a killed process left is gone on with: whole lines are kept, what comes after the last is cut off.
    """

    def __init__(self, path: Path, choice: Choice) -> None:
        self.choice, self.ids = choice, choice.ids()
        self.places = array("q", [-1]) * len(self.ids)
        self.file = open(path, "a+b")                   # noqa: SIM115 (closed when the `with` block ends)
        self.done = self._kept()

    def __enter__(self) -> Texts:
        return self

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def gather(self, path: str | Path) -> Iterator[int]:
        """The second pass; yields how many texts there are so far."""
        for _, rows in read_rows(path) if self.done < len(self.ids) else ():
            for _, row in rows:
                self._take(row)
            yield self.done
            if self.done == len(self.ids):
                break

    def pairs(self, site: str | None, left_out: Counter[str]) -> Iterator[Pair]:
        """The pairs whose two answers are different texts; the others are counted."""
        columns = zip(self.choice.question, self.choice.better, self.choice.worse, self.choice.better_score,
                      self.choice.worse_score, strict=True)
        for qid, group in groupby(columns, key=lambda row: row[0]):
            rows, asked = list(group), self._find(qid)
            found = {post: self._find(post) for row in rows for post in row[1:3]}
            for _, better, worse, good, bad in rows:
                texts = found[better]["text"], found[worse]["text"]
                if not (asked["text"] and all(texts)) or tidy(texts[0]) == tidy(texts[1]):
                    left_out["unread"] += 1
                    continue
                yield Pair(_post(asked, asked["votes"], site, "questions"), tuple(asked["tags"]),
                           _post(found[better], good, site, "a"), _post(found[worse], bad, site, "a"))

    def _take(self, row: dict[str, str]) -> None:
        """Convert a chosen post that is not there yet."""
        if row.get("PostTypeId") not in (QUESTION, ANSWER) or not _WHOLE.fullmatch(row.get("Id", "")):
            return
        post = int(row["Id"])
        at = self._at(post)
        if at is None or self.places[at] >= 0 or len(row.get("Body", "")) > LONGEST_CELL:
            return
        text, author = to_markdown(row.get("Body", "")).strip(), row.get("OwnerUserId", "")
        about = {"id": post, "text": text, "author": int(author) if _WHOLE.fullmatch(author) else None,
                 "date": row.get("CreationDate", "")}
        about["licence"] = row.get("ContentLicense") or licence_of(about["date"])
        if row["PostTypeId"] == QUESTION:
            about["text"] = f"{tidy(row.get('Title', ''))}\n\n{text}".strip()
            about |= {"tags": tags_of(row.get("Tags", "")), "votes": int(row["Score"])}
        try:
            self.places[at] = self.file.tell()
            self.file.write(json.dumps(about, ensure_ascii=False).encode(errors="replace") + b"\n")
            self.file.flush()
        except OSError as error:
            raise StorageError(f"{self.file.name} cannot be written: {error.strerror or error}. Free some space; what "
                               f"is there is gone on with.") from error
        self.done += 1

    def _at(self, post: int) -> int | None:
        at = bisect_left(self.ids, post)
        return at if at < len(self.ids) and self.ids[at] == post else None

    def _find(self, post: int) -> dict[str, Any]:
        """What was kept of it; empty if the file changed between the passes and it was not there any more."""
        place = self.places[self._at(post)]
        if place < 0:
            return {"text": ""}
        self.file.seek(place)
        return json.loads(self.file.readline())

    def _kept(self) -> int:
        """Look through the lines that are there, and cut off what is damaged."""
        place = done = 0
        self.file.seek(0)
        while line := self.file.readline():
            try:
                post = json.loads(line)["id"] if line.endswith(b"\n") else None
            except (ValueError, TypeError, KeyError):
                post = None
            if not isinstance(post, int) or (at := self._at(post)) is None or self.places[at] >= 0:
                break
            self.places[at], place, done = place, self.file.tell(), done + 1
        self.file.truncate(place)
        self.file.seek(0, 2)
        return done


def tags_of(text: str) -> list[str]:
    """The tags of "|a|b|", or of "<a><b>" as older dumps have it."""
    return [tag for tag in re.split(r"[|<>]", text) if tag]


def licence_of(date: str) -> str:
    """The licence of a post whose row does not say it, as older dumps do not: by the day on which it was written."""
    if not date:
        return "CC BY-SA"
    return f"CC BY-SA {'2.5' if date < '2011-04-08' else '3.0' if date < '2018-05-02' else '4.0'}"


def _post(about: dict[str, Any], score: int, site: str | None, place: str) -> Post:
    return Post(about["id"], about["text"], score, about["author"], about["date"], about["licence"],
                None if site is None else f"https://{site}/{place}/{about['id']}")
