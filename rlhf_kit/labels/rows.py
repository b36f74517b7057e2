"""Between records and rows: the tables of the database, and what is read from and written into one row of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rlhf_kit import __version__
from rlhf_kit.labels.records import KINDS, Judgement, Response, Shown

if TYPE_CHECKING:
    from sqlite3 import Connection

TABLES = f"""
CREATE TABLE task (
    id INTEGER PRIMARY KEY, prompt TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN {KINDS}), split TEXT NOT NULL,
    content TEXT NOT NULL UNIQUE                        -- a hash of prompt, texts and models: the same task is one row
);
CREATE TABLE response (
    id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES task, text TEXT NOT NULL, model TEXT, seed INTEGER,
    sampling_json TEXT, n_tokens INTEGER);
CREATE TABLE judgement (
    id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES task, annotator TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN {KINDS}), question TEXT NOT NULL, repeat INTEGER NOT NULL,
    groups_json TEXT NOT NULL, score REAL, flags_json TEXT NOT NULL, shown_order_json TEXT NOT NULL, seconds REAL,
    lang TEXT NOT NULL, app_version TEXT NOT NULL, created TEXT NOT NULL,
    UNIQUE (task_id, annotator, kind, question, repeat));
CREATE TABLE event (
    id INTEGER PRIMARY KEY, task_id INTEGER NOT NULL REFERENCES task, annotator TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('save', 'import', 'skip', 'undo')), question TEXT NOT NULL,
    repeat INTEGER NOT NULL, kind TEXT,
    before_json TEXT,                                   -- the judgement that this event replaced or took back
    undone INTEGER NOT NULL DEFAULT 0, created TEXT NOT NULL);
CREATE INDEX response_task ON response (task_id);
CREATE INDEX judgement_annotator ON judgement (annotator, question);
CREATE INDEX event_annotator ON event (annotator, action, undone);
"""
KEY = ("task_id", "annotator", "kind", "question", "repeat")
VERDICT = ("groups_json", "score", "flags_json")
COLUMNS = (*KEY, *VERDICT, "shown_order_json", "seconds", "lang", "app_version", "created")

# Which tasks: of a kind, a split, with k responses, in a language as `Task.lang` tells it; `wanting` fills it in.
WANTED = """(:kind IS NULL OR task.kind = :kind) AND (:split IS NULL OR task.split = :split)
    AND (:k IS NULL OR (SELECT COUNT(*) FROM response r WHERE r.task_id = task.id) = :k)
    AND (:lang IS NULL OR (:lang = 'zh') = ((task.prompt ||
        (SELECT text FROM response r WHERE r.task_id = task.id LIMIT 1)) GLOB '*[一-鿿]*'))"""


def wanting(kind: str | None, split: str | None, k: int | None, lang: str | None) -> dict[str, Any]:
    """The values of `WANTED`; None asks for nothing."""
    return {"kind": kind, "split": split, "k": k, "lang": lang}


def task_row(prompt: str, responses: Sequence[str | Response], kind: str | None, split: str) -> tuple:
    """What `add_task_row` takes, checked. Raises: ValueError, one line."""
    if isinstance(responses, str) or not responses:
        raise ValueError(f"responses are {responses!r}; expected a list of at least one text.")
    found = [r if isinstance(r, Response) else Response(r) for r in responses]
    for text in (prompt, *(r.text for r in found)):
        if not isinstance(text, str):
            raise ValueError(f"{text!r} is no text; expected strings.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError(f"{text[:24]!r} holds half a character, which no file can; decode the text anew.")
    kind = kind or {1: "score", 2: "vote"}.get(len(found), "rank")
    if kind not in KINDS:
        raise ValueError(f"kind is {kind!r}; expected one of {', '.join(KINDS)}.")
    return prompt, found, kind, split


def add_task_row(db: Connection, prompt: str, responses: list[Response], kind: str,
                 split: str) -> tuple[int, list[int], bool]:
    """(number, which of `responses` stands at each stored place, whether it is new)."""
    def identity(i: int) -> tuple[str, str]:
        return responses[i].text, responses[i].model or ""
    alike = sorted(range(len(responses)), key=identity)
    content = hashed(prompt, *map(identity, alike))
    known = db.execute("SELECT id FROM task WHERE content = ?", (content,)).fetchone()
    if known:
        stored = db.execute("SELECT text, model FROM response WHERE task_id = ? ORDER BY id", (known["id"],)).fetchall()
        places = sorted(range(len(stored)), key=lambda i: (stored[i]["text"], stored[i]["model"] or ""))
        order = [0] * len(stored)
        for place, ours in zip(places, alike, strict=True):
            order[place] = ours
        return known["id"], order, False
    task_id = db.execute("INSERT INTO task (prompt, kind, split, content) VALUES (?, ?, ?, ?)",
                         (prompt, kind, split, content)).lastrowid
    db.executemany("INSERT INTO response (task_id, text, model, seed, sampling_json, n_tokens)"
                   " VALUES (?, ?, ?, ?, ?, ?)",
                   [(task_id, r.text, r.model, r.seed, None if r.sampling is None else json.dumps(r.sampling),
                     r.n_tokens) for r in responses])
    return task_id, list(range(len(responses))), True


def judgement_row(shown: Shown, kind: str, groups: tuple, score: float | None, seconds: float | None,
                  flags: Sequence[str], lang: str) -> dict[str, Any]:
    """A row of the table of judgements, made now."""
    groups = [sorted(group) for group in groups]                    # within a tie there is no order
    return {"task_id": shown.task.id, "annotator": shown.annotator, "kind": kind, "question": shown.question,
            "repeat": shown.repeat, "groups_json": json.dumps(groups), "score": score,
            "flags_json": json.dumps(sorted(set(flags)), ensure_ascii=False),
            "shown_order_json": json.dumps(shown.order), "seconds": seconds, "lang": lang,
            "app_version": __version__, "created": _now()}


def judgement(row: dict[str, Any] | None) -> Judgement | None:
    """The row as a record."""
    if row is None:
        return None
    plain = {name: row[name] for name in (*KEY, "score", "seconds", "lang", "app_version", "created")}
    return Judgement(groups=tuple(map(tuple, json.loads(row["groups_json"]))),
                     flags=tuple(json.loads(row["flags_json"])),
                     shown_order=tuple(json.loads(row["shown_order_json"])), **plain)


def find(db: Connection, key: list) -> dict[str, Any] | None:
    """The judgement of that key."""
    row = db.execute(f"SELECT {', '.join(COLUMNS)} FROM judgement WHERE "
                     f"{' AND '.join(f'{name} = ?' for name in KEY)}", key).fetchone()
    return dict(row) if row else None


def put(db: Connection, row: dict[str, Any]) -> None:
    """Write a judgement over the one of the same key."""
    changed = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS if name not in KEY)
    db.execute(f"INSERT INTO judgement ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
               f" ON CONFLICT ({', '.join(KEY)}) DO UPDATE SET {changed}", [row[name] for name in COLUMNS])


def note(db: Connection, action: str, task_id: int, annotator: str, question: str, repeat: int,
          kind: str | None = None, before: dict[str, Any] | None = None) -> None:
    """Add an event; `before` is the judgement that it replaced or took back."""
    db.execute("INSERT INTO event (task_id, annotator, action, question, repeat, kind, before_json, created)"
               " VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (task_id, annotator, action, question, repeat, kind,
                                                    json.dumps(before, ensure_ascii=False) if before else None, _now()))


def groups_of(ranks: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Ranks as groups, best first."""
    return tuple(tuple(i for i, rank in enumerate(ranks) if rank == value) for value in sorted(set(ranks)))


def hashed(*parts: object) -> str:
    """SHA-256 of the parts as JSON."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
