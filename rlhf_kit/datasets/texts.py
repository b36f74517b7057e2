"""Texts, prompts or (prompt, response) pairs from a file of yours: a line each, or columns of a table."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from rlhf_kit.datasets.reading import (
    LONGEST_CELL,
    TOO_LONG,
    check_column,
    read_lines,
    read_table,
    refuse_if_many,
    refused,
    shorten,
)
from rlhf_kit.formulas.records import Chat

Item = TypeVar("Item", str, tuple[str, str], Chat)


def read_texts(path: str | Path, column: str, option: str = "--text-column") -> list[str]:
    """Different texts: the lines of a .txt file, or one column of a .csv, .tsv or .jsonl file, plain or gzipped.

    `option` is how the user names the column, for the error. Raises: datasets.reading.FileError, one line.
    """
    if Path(path).name.lower().removesuffix(".gz").endswith(".txt"):
        return list(dict.fromkeys(read_lines(path)))
    return [text for text, in _cells(path, {option: column})]


def hold_out(items: Sequence[Item], share: float = 0.1, most: int = 500) -> tuple[list[Item], list[Item]]:
    """(to learn from, kept out), by a hash of each text, so that rows added later move nobody.

    Of a pair its prompt decides, of a conversation its first question, so that neither is on both sides. Where there
    are too few to keep one out, both parts are everything.
    """
    kept = [item for item in items if _place(item) < share][:most]
    out = {_key(item) for item in kept}
    rest = [item for item in items if _key(item) not in out]
    return (rest, kept) if kept and rest else (list(items), list(items))


def _key(item: str | tuple[str, str] | Chat) -> str:
    if isinstance(item, str):
        return item
    return item[0] if isinstance(item[0], str) else next((turn.text for turn in item if turn.role == "user"), "")


def _place(item: str | tuple[str, str]) -> float:
    """Between 0 and 1, evenly."""
    return int.from_bytes(hashlib.sha256(_key(item).encode()).digest()[:8], "big") / 2**64


def _cells(path: str | Path, named: dict[str, str]) -> list[tuple]:
    """Different rows of the named columns ({option: column}), inner line breaks kept, empty ones left out."""
    table = read_table(path)
    for option, column in named.items():
        check_column(table, option, column, path)
    found, malformed = {}, list(table.malformed)
    for line, row in table.rows:
        cells = tuple(row.get(column) or "" for column in named.values())
        if odd := next((cell for cell in cells if not isinstance(cell, str)), None):
            malformed.append((line, f"{shorten(odd)} is not text"))
        elif max(map(len, cells)) > LONGEST_CELL:
            malformed.append((line, TOO_LONG))
        elif all(cell.strip() for cell in cells):
            found[cells] = None
    refuse_if_many(malformed, len(table.rows) + len(table.malformed), path)
    if not found:
        raise refused(path, f"has no row with text in {' and '.join(map(repr, named.values()))}. "
                            f"Name other columns, or add some.")
    return list(found)
