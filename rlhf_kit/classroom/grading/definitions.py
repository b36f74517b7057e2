"""The wanted functions in handed-in code, as tokens: is there one, was anything written, and what does it look like.

For choosing among several hand-ins and for likeness only. Tokens cannot nest, so no code can exhaust the reader here as
it could a parser; what an answer is worth is found behind the walls, by running it.
"""

from __future__ import annotations

import hashlib
import io
import keyword
import re
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

LONGEST = 20_000                                            # tokens that are looked at: a lesson has 3,000
WIDEST = 10_000                                             # characters of a line: behind a longer one nothing is read
CHARACTERS = 400_000                                        # of all cells that are looked at
NO_PYTHON = 200                                             # tokens that a sign costs which is none
DEFINED = re.compile(r"^[ \t]*+(?:(?:async +)?(?:def|class) +(\w+)|(\w++) *=)", re.M)
MAGIC = re.compile(r"^([ \t]*)(?:[%!?].*|[\w.]+\?{1,2}[ \t]*)$", re.M)
NOTHING = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)
STUBS = ({"pass"}, {"..."}, {"raise", "NotImplementedError"}, set())


@dataclass(frozen=True)
class Definition:
    """One function."""

    name: str
    written: bool                   # more than the stub
    fingerprint: str                # the same for two that differ in names, comments, spaces and line breaks only
    size: int                       # tokens


def definitions(cells: Sequence[str], wanted: Iterable[str]) -> dict[str, Definition]:
    """By name; of several the last that was written, as the grader takes it."""
    wanted, found, left, characters = set(wanted), {}, LONGEST, CHARACTERS
    for cell in cells:
        if not any(name in cell for name in wanted):
            continue
        code = cell[:characters]
        characters -= len(code)
        tokens, spent = _tokens(MAGIC.sub(r"\1pass", code), left)
        left -= spent
        for definition in _among(tokens, wanted):
            if definition.written or definition.name not in found:
                found[definition.name] = definition
    return found


def mentioned(cells: Sequence[str]) -> set[str]:
    """The names that are defined anywhere, even where the code cannot be read."""
    return {found[1] or found[2] for cell in cells for found in DEFINED.finditer(cell)}


def defining(cells: Sequence[str], name: str) -> list[int]:
    """The numbers of the code cells, from 1, in which something is written as `name`; its check does not count."""
    written = re.compile(rf"^[ \t]*+(?:(?:async +)?(?:def|class) +{name}\b|{name} *(?::[^=\n]*)?=(?![^\n]*\bcheck\())",
                         re.M)
    return [number for number, cell in enumerate(cells, 1) if written.search(cell)]


def _among(tokens: Sequence[tokenize.TokenInfo], wanted: set[str]) -> Iterator[Definition]:
    at = 0
    while at < len(tokens) - 1:
        head, name = tokens[at], tokens[at + 1]
        if head.string == "def" and name.string in wanted:
            end = _end(tokens, at)
            yield _definition(name.string, tokens[at + 2:end])
            at = end
        elif name.string == "=" and head.string in wanted and (not at or tokens[at - 1].type == tokenize.NEWLINE):
            end = next((i for i in range(at, len(tokens)) if tokens[i].type == tokenize.NEWLINE), len(tokens))
            checked = any(token.string == "check" for token in tokens[at:end])          # gae = kit.check("1.3", gae)
            if not checked:
                yield _definition(head.string, tokens[at + 2:end])
            at = end
        else:
            at += 1


def _tokens(code: str, most: int) -> tuple[list[tokenize.TokenInfo], int]:
    """Those up to the first place that cannot be Python, or to the last that is looked at; and how many were.

    Comments count, and a sign that is no token counts for many: to find one takes as long as the line is. Some Pythons
    (3.12.1) give each token a copy of its line: of a long one that is gigabytes, and quadratic in time.
    """
    found: list[tokenize.TokenInfo] = []
    spent = 0
    lines = takewhile(lambda line: len(line) <= WIDEST, io.StringIO(code))
    try:
        for token in tokenize.generate_tokens(lambda: next(lines, "")):
            spent += NO_PYTHON if token.type == tokenize.ERRORTOKEN else 1
            if spent > most:
                break
            if token.type not in NOTHING:
                found.append(token._replace(line=""))
    except (tokenize.TokenError, SyntaxError, ValueError, MemoryError, RecursionError):
        pass
    return found, spent


def _end(tokens: Sequence[tokenize.TokenInfo], at: int) -> int:
    """Behind the last token of the `def` at `at`: where its indent is taken back, or, of one line, where that ends."""
    depth, seen = 0, False
    for i in range(at, len(tokens)):
        if tokens[i].type == tokenize.INDENT:
            depth, seen = depth + 1, True
        elif tokens[i].type == tokenize.DEDENT:
            depth -= 1
            if seen and depth <= 0:
                return i
        elif tokens[i].type == tokenize.NEWLINE and not depth and i + 1 < len(tokens) \
                and tokens[i + 1].type != tokenize.INDENT:
            return i
    return len(tokens)


def _definition(name: str, tokens: Sequence[tokenize.TokenInfo]) -> Definition:
    body = [t for i, t in enumerate(tokens) if not _is_text(tokens, i)]
    colon = _colon(body)
    words = {t.string for t in body[colon + 1:] if t.type in (tokenize.NAME, tokenize.OP)} - {"(", ")"}
    known: dict[str, str] = {}
    parts = []
    for i, token in enumerate(body):
        if token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            continue
        own = token.type == tokenize.NAME and not keyword.iskeyword(token.string) and (
            not i or body[i - 1].string != ".")
        parts.append(known.setdefault(token.string, f"${len(known)}") if own else token.string)
    mark = hashlib.sha256(" ".join(parts).encode("utf-8", "replace")).hexdigest()[:16]
    return Definition(name, words not in STUBS, mark, len(parts))


def _is_text(tokens: Sequence[tokenize.TokenInfo], i: int) -> bool:
    """A string that stands alone on its line, as the description of a function does."""
    edges = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    return tokens[i].type == tokenize.STRING and i > 0 and tokens[i - 1].type in edges and (
        i + 1 == len(tokens) or tokens[i + 1].type in edges)


def _colon(body: Sequence[tokenize.TokenInfo]) -> int:
    """Where the head of the function ends; -1 for a lambda, which has no stub."""
    depth = 0
    for i, token in enumerate(body):
        depth += (token.string in "([{" and token.type == tokenize.OP) - (token.string in ")]}" and
                                                                          token.type == tokenize.OP)
        if token.string == ":" and not depth:
            return i
    return -1
