"""From a file of unknown make to rows with line numbers: unpack, decode, split into rows.

CSV, TSV and JSON lines (or one JSON array, or an object around it), plain or gzipped, in UTF-8, UTF-16 with a
byte-order mark, or by a guess GB18030, Big5 or Windows-1252. Nothing is executed and nothing is written. A malformed
row (wrong number of cells, not JSON, a cell longer than `LONGEST_CELL`) is skipped and counted while such rows are at
most 1 in 20; beyond that the file is refused.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import gzip
import io
import json
import re
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LARGEST_FILE = 256 * 2**20      # bytes after unpacking; a gzip bomb stops here too
LONGEST_CELL = 131_072          # characters; the csv module's own default
MALFORMED_ALLOWED = 0.05        # share of the rows; of 10 rows and more, one in any case
FEW_ROWS = 10
DAMAGE_ALLOWED = 0.05           # damaged places per sound non-ASCII character, to still call it UTF-8
INNER = ("data", "rows", "examples", "instances", "items", "records", "train")     # of a JSON object around an array
SAVE_AS = "Save it as CSV, TSV or JSON lines in UTF-8."
TOO_LONG = f"a cell of more than {LONGEST_CELL:,} characters (a quote that never closes?)"
STRAY_QUOTE = "a quote inside a quoted cell that is not doubled, or one that never closes"

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]")
_SOUND = re.compile(r"[^\x00-\x7f\ufffd]+")
_HIGH = re.compile(rb"[\x80-\xff]+")                        # bytes that are no ASCII, as they stand together
_PAIRS = re.compile(rb"[\xa1-\xfe][\x40-\x7e\xa1-\xfe]")  # characters of two bytes
_JUNK = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e"
                   r"\u2060-\u206f\ud800-\udfff\ue000-\uf8ff\ufe00-\ufe0f\ufeff\ufff9-\ufffd]")


class FileError(ValueError):
    """A file we cannot use. One line: what was seen, what was expected, what to do.

    `path` is the file as the caller named it; `line` counts from 1, or is None when no one line is to blame.
    """

    def __init__(self, message: str, path: str | Path | None = None, line: int | None = None):
        super().__init__(message)
        self.path = None if path is None else Path(path)
        self.line = line


def refused(path: str | Path, what: str, line: int | None = None) -> FileError:
    """The error to raise about this file, "{path} is empty; ..." or "{path} line 7: ..."."""
    shown = str(path) or "''"
    return FileError(f"{shown} {what}" if line is None else f"{shown} line {line}: {what}", path, line)


def check_file(path: str | Path, expected: str) -> None:
    """Raise FileError, with what was `expected`, unless an ordinary file is there."""
    place = Path(path).expanduser()
    if not place.is_file():
        seen = "is not an ordinary file" if place.exists() else "does not exist"
        seen = "is a folder" if place.is_dir() else seen
        raise refused(path, f"{seen}; {expected}. Check the name.")


@dataclass(frozen=True)
class Table:
    """The rows of a file, each with the line it starts on (for a JSON array too)."""

    columns: tuple[str, ...]                # as in the header, or every key seen
    rows: list[tuple[int, dict]]            # (line, {column: cell}); cells are strings except in JSON
    malformed: list[tuple[int, str]]        # (line, what is wrong with it)
    encoding: str                           # for people: "UTF-8", "GB18030 (not valid UTF-8)", ...


def read_lines(path: str | Path) -> list[str]:
    """The lines of a text file that hold something, tidy; raises FileError if it is no text or has none."""
    return [line for _, line in read_numbered(path)]


def read_numbered(path: str | Path) -> list[tuple[int, str]]:
    """The same with their numbers, from 1."""
    text, _ = _decode(_read_bytes(path)[0], path)
    lines = [tidy(line) for line in text.split("\n")]
    if long := next((i for i, line in enumerate(lines, 1) if len(line) > LONGEST_CELL), None):
        raise refused(path, f"a line of more than {LONGEST_CELL:,} characters; expected one text a line. Break it up.",
                      long)
    if not any(lines):
        raise refused(path, "is empty; expected one text a line.")
    return [(number, line) for number, line in enumerate(lines, 1) if line]


def read_text(path: str | Path) -> str:
    """A text file as one text, without the space around it; raises FileError if it is no text or has none."""
    text, _ = _decode(_read_bytes(path)[0], path)
    if not text.strip():
        raise refused(path, "is empty; expected a text.")
    if len(text) > LONGEST_CELL:
        raise refused(path, f"has more than {LONGEST_CELL:,} characters; expected a text that a model can read.")
    return text.strip()


def read_rows(path: str | Path) -> list[tuple[int, str]]:
    """(line, text) of the lines that hold something, tabs in place; raises FileError if it is no text or has none."""
    text, _ = _decode(_read_bytes(path)[0], path)
    rows = [(line, row) for line, row in enumerate(text.split("\n"), 1) if row.strip()]
    if not rows:
        raise refused(path, "is empty; expected a line for each entry.")
    return rows


def read_table(path: str | Path) -> Table:
    """Read the whole file. Raises FileError for anything that is not a table of at least one row."""
    raw, unpacked = _read_bytes(path)
    text, encoding = _decode(raw, path)
    if not text.strip():
        raise refused(path, "is empty; expected a header line and below it a text a line.")
    kind = _kind(path, unpacked, text)
    if kind == "jsonl" and (inner := _inner_array(text)) is not None:
        kind, text = "array", inner
    if kind == "array":
        columns, rows, malformed = _array_rows(text, path)
    elif kind == "jsonl":
        columns, rows, malformed = _jsonl_rows(list(io.StringIO(text)))
    else:
        columns, rows, malformed, plain = _delimited_rows(list(io.StringIO(text)), kind)
        encoding += ", quotes taken as plain characters" * plain
    refuse_if_many(malformed, len(rows) + len(malformed), path)
    if not rows:
        raise refused(path, "has a header line and no rows; expected a text a line below it.")
    return Table(columns, rows, malformed, encoding)


def check_column(table: Table, option: str | None, name: str, path: str | Path) -> None:
    """The table has one column of that name, or FileError with the nearest; `option` is how the user names it, if
    they can."""
    if table.columns.count(name) == 1:
        return
    if name in table.columns:
        raise refused(path, f"has {table.columns.count(name)} columns {name!r}; rename all but one.")
    folded = {column.casefold(): column for column in table.columns}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    hint = f"Did you mean {shorten(folded[near[0]])}? " if near else ""
    shown = ", ".join(map(shorten, table.columns[:12])) + ", …" * (len(table.columns) > 12)
    what_to_do = f"Name the right one with {option}" if option else f"Call the right one {name!r}"
    raise refused(path, f"has no column {name!r}; it has {shown}. {hint}{what_to_do}, or add a header line if there "
                        f"is none.")


def refuse_if_many(malformed: list[tuple[int, str]], rows: int, path: str | Path) -> None:
    """Raise FileError, about the first of them, when more than 1 row in 20 is malformed."""
    if _many(malformed, rows):
        line, wrong = malformed[0]
        share = f"{len(malformed):,} of the first {rows:,} rows are malformed; at most 1 in 20 is skipped"
        raise refused(path, f"{wrong}. {share}. Mend them (in CSV, quote cells that hold a delimiter).", line)


def _many(malformed: list, rows: int) -> bool:
    return len(malformed) > max(MALFORMED_ALLOWED * rows, rows >= FEW_ROWS)


def shorten(value: object, length: int = 24) -> str:
    """A value quoted on one line, cut after `length` characters, for an error message."""
    text = value if isinstance(value, str) else str(value)
    shown = text if len(text) <= length else text[:length] + "…"
    return repr(shown) if isinstance(value, str) else shown


# Bytes

def _read_bytes(path: str | Path) -> tuple[bytes, bool]:
    """(contents, whether they were gzipped); gzip is known by its magic bytes, not by the name."""
    place = Path(path).expanduser()
    try:
        check_file(path, "expected one file of texts, such as .csv, .tsv or .jsonl")
        with open(place, "rb") as file:
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            raw = (gzip.GzipFile(fileobj=file) if zipped else file).read(LARGEST_FILE + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise refused(path, f"is a damaged gzip file ({error}). Fetch or pack it again.") from error
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or error}.") from error
    if len(raw) > LARGEST_FILE:
        raise refused(path, f"holds more than {LARGEST_FILE >> 20} MB, the most that is read at once. "
                            f"Keep its first lines, perhaps 100,000, in another file.")
    return raw, zipped


def _decode(raw: bytes, path: str | Path) -> tuple[str, str]:
    """(text whose lines end with \\n, name of the encoding)."""
    text, encoding = _decode_any(raw, path)
    nul = text.find("\0")
    if nul >= 0:
        raise refused(path, f"a NUL character, so this is not a text file (a spreadsheet, an archive, UTF-16 "
                            f"without its mark?). {SAVE_AS}", text.count("\n", 0, nul) + 1)
    head = text[:100_000]
    if len(_CONTROL.findall(head)) > 0.01 * len(head):
        raise refused(path, f"is full of control characters; expected text. {SAVE_AS}")
    if "\r" in text:                        # old Macs ended lines with \r; elsewhere a lone \r is dirt
        text = text.replace("\r\n", "\n")
        text = text.replace("\r", " " if "\n" in text else "\n")
    return text, encoding


def _decode_any(raw: bytes, path: str | Path) -> tuple[str, str]:
    """UTF-16 if marked, else UTF-8, else a guess. A UTF-8 file with few damaged places stays one: one bad byte must
    not turn all of it into gibberish."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return raw.decode("utf-16"), "UTF-16"
        except UnicodeDecodeError as error:
            raise refused(path, f"is UTF-16 damaged at byte {error.start:,}. {SAVE_AS}") from error
    if (order := _unmarked(raw[:20_000])) is not None:
        with suppress(UnicodeDecodeError):
            return raw.decode(order), "UTF-16 (it is not valid UTF-8)"
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
    repaired = raw.decode("utf-8-sig", errors="replace")
    damaged = repaired.count("\ufffd")
    if damaged <= DAMAGE_ALLOWED * sum(map(len, _SOUND.findall(repaired))):
        return repaired, f"UTF-8 with {damaged:,} damaged place{'s' * (damaged != 1)}"
    for codec, name in _guesses(raw):
        try:
            return raw.decode(codec), f"{name} (it is not valid UTF-8)"
        except UnicodeDecodeError:
            continue
    raise refused(path, f"neither UTF-8 nor GB18030 text. {SAVE_AS}", line)


def _unmarked(head: bytes) -> str | None:
    """The byte order of UTF-16 without its mark, by the zeros beside its commas, spaces and line ends."""
    for order, zeros, others in (("utf-16-le", head[1::2], head[::2]), ("utf-16-be", head[::2], head[1::2])):
        if zeros.count(0) > max(0.02 * len(zeros), 16, 20 * others.count(0)):
            return order
    return None


def guessed(encoding: str) -> bool:
    """True of the name of an encoding that the bytes do not prove."""
    return encoding.endswith("(it is not valid UTF-8)")


def _guesses(raw: bytes) -> list[tuple[str, str]]:
    """Codecs to try in order.

    Bytes above 127 stand alone between letters in Windows-1252 ("café") and in runs in Chinese. The second byte of a
    character of GB2312, which nearly all simplified text keeps to, is above 160; in Big5 two in five are below 127.
    """
    runs = _HIGH.findall(raw[:1_000_000])
    if runs and sum(len(run) == 1 for run in runs) > 0.9 * len(runs) and all(map(_western, runs)):
        return [("cp1252", "Windows-1252"), ("gb18030", "GB18030")]
    pairs = _PAIRS.findall(raw[:1_000_000])
    low = sum(pair[1] < 0x7f for pair in pairs)
    both = [("gb18030", "GB18030"), ("big5hkscs", "Big5")]
    return both[::-1] if pairs and low > 0.15 * len(pairs) else both


def _western(run: bytes) -> bool:
    return all(byte not in (0x81, 0x8d, 0x8f, 0x90, 0x9d, 0xff) for byte in run)


# Rows

def _kind(path: str | Path, unpacked: bool, text: str) -> str:
    """"jsonl", "array", or the delimiter of a table: by extension, by content where that says nothing."""
    names = [suffix.lower() for suffix in Path(path).suffixes]
    if unpacked and names[-1:] == [".gz"]:
        names.pop()
    suffix = names[-1] if names else ""
    first = text.lstrip()[:1]
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    if suffix == ".json" or (suffix not in (".csv", ".tsv") and first in "{["):
        return "array" if first == "[" else "jsonl"
    header = text.lstrip().partition("\n")[0]
    preferred = "\t,;" if suffix == ".tsv" else ",\t;" if suffix == ".csv" else "\t,;"
    return next((delimiter for delimiter in preferred if delimiter in header), preferred[0])


def _delimited_rows(lines: list[str], delimiter: str) -> tuple:
    """Rows of a CSV or TSV, and whether quotes were taken as plain characters: so only where we should
    have to refuse the file otherwise, and it is sound that way, as a TSV whose writer never quoted."""
    for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
        columns, rows, malformed = _split_rows(lines, delimiter, quoting)
        if not _many(malformed, len(rows) + len(malformed)):
            return columns, rows, malformed, quoting == csv.QUOTE_NONE
    return *_split_rows(lines, delimiter, csv.QUOTE_MINIMAL), False


def _split_rows(lines: list[str], delimiter: str, quoting: int) -> tuple:
    columns, rows, malformed = (), [], []
    for line, cells, wrong in _records(lines, delimiter, quoting):
        if wrong:
            malformed.append((line, wrong))
            if not columns or _many(malformed, len(lines)):
                break
        elif not columns:
            columns = tuple(tidy(cell) for cell in cells)
        else:
            rows.append((line, dict(zip(columns, cells, strict=True))))
    return columns, rows, malformed


def _records(lines: list[str], delimiter: str, quoting: int) -> Iterator[tuple[int, list[str], str]]:
    """(line, cells, what is wrong), the header first, without blank lines.

    After an error, and after a wrong record of several lines, reading goes on at the line below the first:
    a stray quote costs one row, not all that follow."""
    line, width = 0, 0
    while line < len(lines):
        start = line
        reader = csv.reader(map(lines.__getitem__, range(start, len(lines))),
                            delimiter=delimiter, quoting=quoting, strict=True)
        try:
            for cells in reader:
                after = start + reader.line_num
                wrong = _wrong(cells, width, delimiter) if cells else ""
                if cells:
                    width = width or len(cells)
                    yield line + 1, cells, wrong
                if wrong and after > line + 1:
                    break
                line = after
            else:
                return
        except csv.Error as error:
            yield line + 1, [], TOO_LONG if "field limit" in str(error) else STRAY_QUOTE
        line += 1


def _wrong(cells: list[str], width: int, delimiter: str) -> str:
    """What is wrong with a record, "" if nothing; delimiters left over at its end are taken off."""
    while width and len(cells) > width and not cells[-1].strip():
        cells.pop()
    if delimiter == "\t" and any("\t" in cell and "\n" in cell for cell in cells):
        return STRAY_QUOTE
    if any(len(cell) > LONGEST_CELL for cell in cells):
        return TOO_LONG
    return f"{len(cells)} cells where the header has {width}" if width and len(cells) != width else ""


def _jsonl_rows(lines: list[str]) -> tuple:
    columns, rows, malformed = {}, [], []
    for line, source in enumerate(lines, 1):
        if not source.strip():
            continue
        row, wrong = _json_object(source)
        if wrong:
            malformed.append((line, wrong))
            if _many(malformed, len(lines)):
                break
        else:
            columns.update(dict.fromkeys(row))
            rows.append((line, row))
    return tuple(columns), rows, malformed


def _json_object(source: str) -> tuple[dict, str]:
    try:
        row = json.loads(source)
    except (ValueError, RecursionError):        # ValueError is also raised for numbers of absurd length
        return {}, f"not JSON: {shorten(source.strip())}"
    return (row, "") if isinstance(row, dict) else ({}, f"JSON, but not an object: {shorten(row)}")


def _inner_array(text: str) -> str | None:
    """The one list of objects in a JSON object that is the whole file, as many tools export; its lines count anew."""
    head = text.lstrip()
    if not head.startswith("{") or (_json_object(head.partition("\n")[0])[1] == "" and head.rstrip().count("\n")):
        return None
    whole, wrong = _json_object(text)
    lists = [cell for name, cell in whole.items() if name in INNER and isinstance(cell, list)]
    return json.dumps(lists[0], indent=0) if not wrong and len(lists) == 1 else None


def _array_rows(text: str, path: str | Path) -> tuple:
    """Rows of one JSON array of objects, walked item by item so that each has its line."""
    columns, rows, malformed = {}, [], []
    decoder, line, counted = json.JSONDecoder(), 1, 0
    at = text.index("[") + 1
    while True:
        at = _skip(text, at, " \t\n,")
        line, counted = line + text.count("\n", counted, at), at
        if text[at: at + 1] == "]":
            return tuple(columns), rows, malformed
        try:
            row, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            raise refused(path, f"the JSON array is broken here. {SAVE_AS}", line) from error
        if isinstance(row, dict):
            columns.update(dict.fromkeys(row))
            rows.append((line, row))
        else:
            malformed.append((line, f"JSON, but not an object: {shorten(row)}"))


def _skip(text: str, at: int, characters: str) -> int:
    while text[at: at + 1] and text[at] in characters:
        at += 1
    return at


# Cells

def tidy(text: str) -> str:
    """The text without control, zero-width, private-use and replacement characters; white space is one space.

    Entities such as `&amp;` stay: we cannot know whether the writer meant them."""
    return " ".join(_JUNK.sub("", text).split())


def same_text(text: str) -> str:
    """What makes two texts the same: letters and signs, not case, width or spaces."""
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
