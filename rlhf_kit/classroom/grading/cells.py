"""From the bytes of one handed-in file to the code in its cells: notebooks and scripts of any program that writes them.

A notebook is read piece by piece, and only what is needed of it becomes Python objects: 40 MB of `[],[],[]` must not
cost the teacher a gigabyte. Nothing here is run, nor parsed as Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise

from rlhf_kit.classroom.grading.json_pieces import Reader, Unreadable
from rlhf_kit.language import Lang

LARGEST_FILE = 100 * 2**20                                  # bytes; outputs may be large, code is not
LARGEST_CODE = 2 * 2**20                                    # bytes of code in a file
LETTERS = 20_000                                            # that are counted, more or less, to know a language
CELLS = 5_000                                               # that a notebook may have
PYTHON = ("python", "ipython", "sage", "")
MARKS = re.compile(r"^# ?%%.*$|^# In ?\[[ \d*]*\]:.*$|^# (?:COMMAND -+|<codecell>).*$", re.M)   # jupytext, nbconvert, …
TEXT_CELL = re.compile(r"^# ?%% ?(?:\[(?:markdown|md|raw)\]|.*\bcell_type=\"markdown\")", re.I)


@dataclass(frozen=True)
class Code:
    """What a file holds for us."""

    cells: tuple[str, ...] = ()     # code only
    lang: Lang = "en"               # of its text


@dataclass
class _Book:
    """A notebook, as far as it has been read."""

    cells: list[str] = field(default_factory=list)
    language: str = ""              # of its code
    said: str = ""                  # the lesson's language, as its setup cell says
    latin: int = 0                  # letters of its texts
    chinese: int = 0
    size: int = 0                   # of its code
    is_one: bool = False


def read(content: bytes, name: str) -> Code:
    """The code in a file, whatever its name ends with: what a notebook is, its content says. Raises: Unreadable."""
    if len(content) > LARGEST_FILE:
        raise Unreadable("grade_too_large", limit=LARGEST_FILE // 2**20)
    content = _as_utf8(content)
    start = content[:2000].lstrip()
    if not start:
        if content.strip():
            raise Unreadable("grade_no_notebook")
        raise Unreadable("grade_empty_file")
    if start.startswith(b"{"):
        return _notebook(content)
    if re.match(rb"<!doctype html|<html|<\?xml", start, re.I):
        raise Unreadable("grade_web_page")
    if start.startswith(b"version https://git-lfs"):
        raise Unreadable("grade_no_notebook")
    if is_script(name):
        return _script(content)
    raise Unreadable("grade_no_notebook")


def is_script(name: str) -> bool:
    """`a.py`, and `a.py.txt`, as some mailers make of it."""
    return bool(re.search(r"\.py(\.txt)?( ?\(\d+\))?$", name.lower()))


def is_notebook(name: str) -> bool:
    """`a.ipynb`, and `a.ipynb.txt`, `a.ipynb.json`, `a.ipynb (1)`."""
    return bool(re.search(r"\.ipynb(\.txt|\.json)?( ?\(\d+\))?$", name.lower()))


def language_of(text: str) -> Lang:
    """Chinese if a good part of it is written so; code and formulas hold Latin letters anyway."""
    latin, chinese = _letters(text)
    return "zh" if chinese > 0.1 * latin else "en"


# Scripts

def _script(content: bytes) -> Code:
    if len(content) > LARGEST_CODE:
        raise Unreadable("grade_too_much_code", limit=LARGEST_CODE // 2**20)
    text = content.decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    marks = [0, *(match.start() for match in MARKS.finditer(text)), len(text)]
    parts = [text[a:b] for a, b in pairwise(marks)]
    cells = [MARKS.sub("", part, count=1) if MARKS.match(part) else part for part in parts
             if not TEXT_CELL.match(part)]
    comments = "\n".join(line for line in text.splitlines() if line.lstrip().startswith("#"))
    return Code(tuple(cell for cell in cells if cell.strip()), _said(text) or language_of(comments))


# Notebooks

def _notebook(content: bytes) -> Code:
    book = _Book()
    reader = Reader(content)
    for key in reader.members():
        if key == "cells":
            book.is_one = True
            _cells(reader, book)
        elif key == "worksheets":                           # format 3
            book.is_one = True
            for _ in reader.items():
                for inner in reader.members():
                    if inner == "cells":
                        _cells(reader, book)
                    else:
                        reader.skip()
        elif key == "metadata":
            _about(reader, book)
        else:
            reader.skip()
    if not book.is_one:
        raise Unreadable("grade_no_notebook")
    if book.language.lower() not in PYTHON and not book.language.lower().startswith(("python", "ipython")):
        raise Unreadable("grade_other_language", language=book.language[:20])
    lang = book.said or ("zh" if book.chinese > 0.1 * book.latin else "en")
    return Code(tuple(book.cells), lang)


def _about(reader: Reader, book: _Book) -> None:
    """The language of the code, from what Jupyter, Colab and VS Code write; the rest, widgets too, is passed over."""
    for key in reader.members():
        if key not in ("kernelspec", "language_info"):
            reader.skip()
            continue
        value = reader.value()
        if isinstance(value, dict):
            told = value.get("language" if key == "kernelspec" else "name", "")
            book.language = told if isinstance(told, str) and told else book.language


def _cells(reader: Reader, book: _Book) -> None:
    for number, _ in enumerate(reader.items()):
        if number >= CELLS:
            raise Unreadable("grade_too_many_cells", limit=CELLS)
        kind, source, foreign = "", "", False
        for key in reader.members():
            if key == "cell_type":
                kind = reader.value()
            elif key in ("source", "input"):
                source = _code(reader)
            elif key == "metadata":
                foreign = _foreign(reader)
            else:
                reader.skip()
        if kind == "code" and not foreign:
            book.cells.append(source)
            book.size += len(source.encode("utf-8", errors="replace"))
            book.said = book.said or _said(source)
        elif book.latin + book.chinese < LETTERS:
            latin, chinese = _letters(source)
            book.latin, book.chinese = book.latin + latin, book.chinese + chinese
        if book.size >= LARGEST_CODE:
            raise Unreadable("grade_too_much_code", limit=LARGEST_CODE // 2**20)


def _foreign(reader: Reader) -> bool:
    """True for a cell of VS Code's that is set to another language than Python."""
    if not reader.begins(b"{"):
        reader.skip()
        return False
    foreign = False
    for key in reader.members():
        value = reader.value() if key in ("vscode", "language") else reader.skip()
        told = value.get("languageId") if isinstance(value, dict) else value
        foreign |= isinstance(told, str) and told.lower() not in PYTHON
    return foreign


def _code(reader: Reader) -> str:
    """A cell's text, which may be a list of lines."""
    source = reader.value(LARGEST_CODE)
    if source is None:
        raise Unreadable("grade_too_much_code", limit=LARGEST_CODE // 2**20)
    return source if isinstance(source, str) else "".join(map(str, source)) if isinstance(source, list) else ""


def _said(code: str) -> Lang | str:
    """The language that the first cell of a lesson sets up: Chinese notebooks have `lang="zh"` there."""
    found = re.search(r"\bsetup\([^)\n]{0,200}\blang ?= ?[\"'](zh|en)[\"']", code)
    return found[1] if found else ""


def _letters(text: str) -> tuple[int, int]:
    """Latin and Chinese ones, as far as anybody reads."""
    text = text[:LETTERS]
    return len(re.findall(r"[A-Za-z]", text)), len(re.findall(r"[\u4e00-\u9fff]", text))


def _as_utf8(content: bytes) -> bytes:
    for mark, encoding in ((b"\xef\xbb\xbf", ""), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if content.startswith(mark):
            return content.decode(encoding, errors="replace").encode() if encoding else content[len(mark):]
    return content
