"""JSON read piece by piece: only what is asked for becomes Python objects, and how much there may be is bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

LARGEST_PIECE = 64 * 2**10                                  # bytes of one thing, where nothing else is said
BRACKETS, MEMBERS, DEEPEST = 400_000, 30_000, 500           # what a file may have of them
SPACE = re.compile(rb"[ \t\r\n]*+")
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.S)
NEXT_BRACKET = re.compile(rb'[^"\[\]{}]*+(?:"(?:[^"\\]++|\\.)*+"[^"\[\]{}]*+)*+([\[\]{}])', re.S)
SCALAR = re.compile(rb"[-+.\w]++")


class Unreadable(ValueError):
    """A file that cannot be graded. `key` is that of a sentence, `values` its fields."""

    def __init__(self, key: str, **values: object) -> None:
        super().__init__(key)
        self.key, self.values = key, values


class Reader:
    """A place in JSON; whoever walks through `members` or `items` takes each value by `value`, `skip` or a walk."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at, self.brackets, self.steps = content, 0, 0, 0
        self._space()

    def begins(self, sign: bytes) -> bool:
        return self.content.startswith(sign, self.at)

    def members(self) -> Iterator[str]:
        """The keys of an object."""
        if not self._opens(b"{", b"}"):
            return
        while True:
            key = self._match(STRING)
            self._expect(b":")
            yield self._loads(key) if len(key) < 200 else ""
            if not self._goes_on(b"}"):
                return

    def items(self) -> Iterator[None]:
        """Once for each item of an array."""
        if not self._opens(b"[", b"]"):
            return
        while True:
            yield
            if not self._goes_on(b"]"):
                return

    def value(self, limit: int = LARGEST_PIECE) -> Any:
        """What stands here, if it is not larger than `limit` bytes; else None."""
        start = self.at
        self.skip()
        if self.at - start <= limit:
            return self._loads(self.content[start:self.at])
        return None

    def skip(self) -> None:
        """Pass over a value without making anything of it."""
        if self.begins(b'"'):
            self._match(STRING)
        elif not (self.begins(b"[") or self.begins(b"{")):
            self._match(SCALAR)
        else:
            self._skip_brackets()
        self._space()

    def _skip_brackets(self) -> None:
        open_ones = 0
        while True:
            if not (found := NEXT_BRACKET.match(self.content, self.at)):
                raise Unreadable("grade_cut_off")
            self.at, self.brackets = found.end(), self.brackets + 1
            open_ones += 1 if found[1] in b"[{" else -1
            if open_ones > DEEPEST or self.brackets > BRACKETS:
                raise Unreadable("grade_too_nested")
            if not open_ones:
                return

    def _opens(self, sign: bytes, close: bytes) -> bool:
        self._expect(sign)
        if self.begins(close):
            self._expect(close)
            return False
        return True

    def _goes_on(self, close: bytes) -> bool:
        self.steps += 1
        if self.steps > MEMBERS:
            raise Unreadable("grade_too_nested")
        if self.begins(close):
            self._expect(close)
            return False
        self._expect(b",")
        return True

    def _expect(self, sign: bytes) -> None:
        if not self.begins(sign):
            raise Unreadable("grade_cut_off" if self.at >= len(self.content) else "grade_no_notebook")
        self.at += 1
        self._space()

    def _match(self, pattern: re.Pattern[bytes]) -> bytes:
        found = pattern.match(self.content, self.at)
        if not found:
            ends = self.at >= len(self.content) or self.content.startswith(b'"', self.at)
            raise Unreadable("grade_cut_off" if ends else "grade_no_notebook")
        self.at = found.end()
        self._space()
        return found[0]

    def _space(self) -> None:
        self.at = SPACE.match(self.content, self.at).end()

    def _loads(self, piece: bytes) -> Any:
        try:
            return json.loads(piece.decode("utf-8", errors="replace"), strict=False)
        except (ValueError, RecursionError) as error:
            raise Unreadable("grade_no_notebook") from error
