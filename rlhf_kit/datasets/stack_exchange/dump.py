"""The file format of a Stack Exchange dump, `Posts.xml`: written whole, and read as a stream of rows.

    <?xml version="1.0" encoding="utf-8"?>
    <posts>
      <row Id="1" PostTypeId="1" AcceptedAnswerId="2" Score="3" Body="&lt;p&gt;How ...&lt;/p&gt;" Title="..." ... />
      <row Id="2" PostTypeId="2" ParentId="1" Score="5" Body="..." ... />
    </posts>

The reader fetches nothing and executes nothing. A file that declares a document type is refused before anything of it
is expanded: entities are how a small XML becomes a bomb or reads other files, and no dump has any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from rlhf_kit.datasets.reading import FileError, check_file, refused, shorten
from rlhf_kit.datasets.stack_exchange.threads import Answer, Thread
from rlhf_kit.storage import new_file

QUESTION, ANSWER = "1", "2"             # PostTypeId; 3 to 8 are wikis, nominations and the like
CHUNK = 2**16                           # bytes handed to the parser at once
LONGEST_ROW = 32 * 2**20                # bytes; a body of 5 MB, every character escaped, fits
PACKED = {b"7z\xbc\xaf'\x1c": "a 7z archive", b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "packed with gzip",
          b"BZh": "packed with bzip2", b"\xfd7zXZ": "packed with xz"}
TABLES = {"badges", "comments", "posthistory", "postlinks", "tags", "users", "votes"}     # the dump's other files
EXPECTED = "expected the Posts.xml of a Stack Exchange dump, which begins with <posts>"
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#xA;", "\r": "&#xD;",
                          "\t": "&#x9;"})


# Writing

def write_posts(path: str | Path, threads: Iterable[Thread]) -> int:
    """Write threads as a `Posts.xml`, sorted by Id, UTF-8 with a byte-order mark; all rows are in memory at once.

    Returns: how many posts. Raises: ValueError if an id is no positive number or is used twice, or if a text holds a
    character that XML has no place for; StorageError if the file cannot be written. Nothing is written then.
    """
    rows: dict[int, str] = {}
    for thread in threads:
        for post in (thread, *thread.answers):
            if post.id < 1 or post.id in rows:
                raise ValueError(f"post {post.id}: {'the id is used twice' if post.id in rows else 'expected an id'} "
                                 f"from 1 on; give every question and answer a number of its own.")
            rows[post.id] = _row(_attributes(post, thread))
    with new_file(path) as file:
        file.write('\ufeff<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'.encode())
        for _, row in sorted(rows.items()):
            file.write(row.encode())
        file.write(b"</posts>\n")
    return len(rows)


def _attributes(post: Thread | Answer, thread: Thread) -> dict[str, object]:
    """In the order of a real dump; None means that the attribute is left out."""
    question = post is thread
    accepted = next((answer.id for answer in thread.answers if answer.accepted), None)
    return {"Id": post.id, "PostTypeId": QUESTION if question else ANSWER,
            "AcceptedAnswerId": accepted if question else None, "ParentId": None if question else thread.id,
            "CreationDate": post.date or None, "Score": post.votes, "Body": post.html, "OwnerUserId": post.author,
            "Title": thread.title if question else None,
            "Tags": f"|{'|'.join(thread.tags)}|" if question and thread.tags else None,
            "AnswerCount": len(thread.answers) if question else None, "ContentLicense": post.licence or None}


def _row(attributes: dict[str, object]) -> str:
    for name, value in attributes.items():
        if isinstance(value, str) and (odd := next(filter(_unwritable, value), "")):
            raise ValueError(f"post {attributes['Id']}: {name} holds {odd!r}, a character that XML cannot hold. "
                             f"Take it out.")
    shown = (f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in attributes.items() if value is not None)
    return f"  <row {' '.join(shown)} />\n"


def _unwritable(character: str) -> bool:
    return ((character < " " and character not in "\t\n\r") or "\ud800" <= character <= "\udfff"
            or character in "\ufffe\uffff")


# Reading

def read_rows(path: str | Path) -> Iterator[tuple[int, list[tuple[int, dict[str, str]]]]]:
    """The rows of a `Posts.xml`, some at a time: (bytes read so far, [(where it begins, in bytes, attributes)]).

    Memory does not grow with the file. Raises: FileError, one line, for anything that is no whole, plain dump.
    """
    reader = _Reader(path)
    place = Path(path).expanduser()
    try:
        check_file(path, EXPECTED)
        with open(place, "rb") as file:
            while chunk := file.read(reader.wanted):
                yield reader.feed(chunk), reader.take()
            yield reader.close(), reader.take()
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or error}.") from error


def line_at(path: str | Path, place: int) -> int:
    """The line, from 1, of a byte of the file; counted only when somebody must be told, for it costs a tenth."""
    with open(Path(path).expanduser(), "rb") as file:
        return 1 + sum(file.read(min(CHUNK, place - at)).count(b"\n") for at in range(0, place, CHUNK))


class _Reader:
    """expat with every door shut: bytes in, rows out."""

    def __init__(self, path: str | Path) -> None:
        self.path, self.fed, self.rows, self.open = path, 0, [], []         # open: names of elements
        self.parser = parser = expat.ParserCreate()
        parser.StartElementHandler, parser.EndElementHandler = self._start, self.open.remove
        parser.StartDoctypeDeclHandler = self._refuse_doctype
        parser.EntityDeclHandler = self._refuse_doctype
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)

    def feed(self, chunk: bytes) -> int:
        """Bytes read so far."""
        if not self.fed:
            self._look(chunk)
        self._parse(chunk, last=False)
        self.fed += len(chunk)
        if self.pending > LONGEST_ROW:
            raise refused(self.path, f"a row of more than {LONGEST_ROW >> 20} MB; a post has at most some kilobytes, "
                                     f"so this is no dump. Check the name.", self.parser.CurrentLineNumber)
        return self.fed

    @property
    def pending(self) -> int:
        """Bytes of a row whose end is not there yet."""
        return self.fed - max(0, self.parser.CurrentByteIndex)

    @property
    def wanted(self) -> int:
        """Bytes to read next. An older expat reads a long row from its beginning each time: let that be few times."""
        return max(CHUNK, min(self.pending, LONGEST_ROW - self.pending))

    def close(self) -> int:
        """The same; the file must be complete."""
        if not self.fed:
            raise refused(self.path, f"is empty; {EXPECTED}.")
        self._parse(b"", last=True)
        return self.fed

    def take(self) -> list[tuple[int, dict[str, str]]]:
        """The rows that were read since the last time."""
        rows, self.rows = self.rows, []
        return rows

    def _look(self, head: bytes) -> None:
        packed = next((kind for mark, kind in PACKED.items() if head.startswith(mark)), None)
        if packed:
            name = Path(self.path).name if packed == "a 7z archive" else "site.7z"
            raise refused(self.path, f"is {packed}; {EXPECTED}. Unpack it first (a dump with: 7z x {name} Posts.xml).")
        if not head.removeprefix(b"\xef\xbb\xbf").strip():
            raise refused(self.path, f"is empty; {EXPECTED}.")

    def _parse(self, chunk: bytes, *, last: bool) -> None:
        try:
            self.parser.Parse(chunk, last)
        except FileError:
            raise
        except expat.ExpatError as error:
            what = expat.ErrorString(error.code)
            if last:
                raise refused(self.path, f"ends in the middle ({what}); its last line should be </posts>. Unpack or "
                                         f"fetch it again.", error.lineno) from error
            seen = "the XML is broken here" if self.open else "is not XML"
            raise refused(self.path, f"{seen} ({what}); {EXPECTED}. Unpack or fetch it again.",
                          error.lineno if self.open else None) from error
        except (ValueError, LookupError, RuntimeError) as error:           # an encoding that Python does not know
            raise refused(self.path, f"is not XML that can be read ({error}); a dump is in UTF-8.") from error

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        depth = len(self.open)
        self.open.append(name)
        if depth == 1 and name == "row":
            self.rows.append((self.parser.CurrentByteIndex, attributes))
        elif depth == 0 and name != "posts":
            hint = " That is another file of the same dump." if name.lower() in TABLES else ""
            raise refused(self.path, f"holds {shorten(name)}; {EXPECTED}.{hint}")
        elif depth > 1:
            raise refused(self.path, f"a {shorten(name)} inside a row; the rows of a dump hold attributes and nothing "
                                     f"else. Check the name.", self.parser.CurrentLineNumber)

    def _refuse_doctype(self, *declared: object) -> NoReturn:
        raise refused(self.path, "declares a document type or entities, which no dump does and which can hide "
                                 "bombs or read other files. Nothing of it was followed; fetch the dump again.",
                      self.parser.CurrentLineNumber)
