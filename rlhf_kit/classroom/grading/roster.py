"""Who is in the class, from the CSV that a platform or a teacher has, and which of them a hand-in is from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from rlhf_kit.classroom.grading.names import tolerant
from rlhf_kit.classroom.grading.platforms import Owner

LARGEST = 5 * 2**20                                         # bytes
NAME = ("name", "full name", "student", "student name", "fullname", "姓名", "全名", "学生", "学生姓名")
FIRST = ("first name", "firstname", "given name", "given names", "名", "名字")
LAST = ("surname", "last name", "lastname", "family name", "姓", "姓氏")
IDS = ("identifier", "id", "id number", "idnumber", "student id", "student number", "sis user id", "sis login id",
       "username", "user name", "login", "number", "matriculation number", "orgdefinedid",
       "学号", "编号", "标识符", "用户名", "账号", "识别号")
EMAIL = ("email", "e-mail", "email address", "e-mail address", "mail", "邮箱", "电子邮件", "电子邮件地址", "电子邮箱")
PARTICIPANT = ("participant", "参与者")                     # Moodle's "Participant 123456"


@dataclass(frozen=True)
class Person:
    """One line of the roster."""

    name: str
    ids: tuple[str, ...] = ()       # every number or short name that stands there
    email: str = ""
    row: tuple[str, ...] = ()       # as it stands in the file


@dataclass(frozen=True)
class Roster:
    """A class."""

    people: tuple[Person, ...]
    header: tuple[str, ...] = ()

    def find(self, owner: Owner) -> Person | None:
        """Whose hand-in it is: by the platform's number, a number, short name or address in the name, or the name.

        Order, case, accents and width do not matter; letters that only look alike do. None unless it is one person's.
        """
        number, short, name = ([person for person in self.people if same(person, owner)]
                               for same in (_by_number, _by_id, _by_name))
        if short and name and not number and not any(person in name for person in short):
            return None                                     # the name is one's and the number another's
        found = number or short or name
        return found[0] if len(found) == 1 else None

    def find_by_part(self, owner: Owner, left: Sequence[Person]) -> Person | None:
        """The one of those left, and of all, of whose name this is a part: `ana` for Ana Lopez."""
        parts = set(tolerant(owner.name).split())
        found = [person for person in self.people if parts and parts < set(tolerant(person.name).split())]
        return found[0] if len(found) == 1 and found[0] in left else None


def read(path: Path) -> Roster:
    """The people of a CSV with headings; columns are known by their names, in English or Chinese, others are kept.

    Separated by comma, semicolon or tab; in UTF-8, UTF-16 or GB 18030.
    Raises: ValueError in one line if there is no file, or no column of names.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError(f"{path} is larger than {LARGEST // 2**20} MiB; expected a list of the class as CSV.")
        text = _decoded(path.read_bytes())
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}). Give the list of the class as CSV.") from error
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error as error:
        raise ValueError(f"{path} is no CSV ({error}). Give the list of the class as CSV.") from error
    header = tuple(cell.strip() for cell in lines[0]) if lines else ()
    column = {name.casefold(): i for i, name in reversed(list(enumerate(header)))}
    names, firsts, lasts = (_first(column, known) for known in (NAME, FIRST, LAST))
    if names is None and firsts is None and lasts is None:
        raise ValueError(f"{path} has no column of names; its headings are {', '.join(header[:8]) or 'missing'}. "
                         f"Expected one called name, student or full name, or first name and last name.")
    ids = [i for name, i in column.items() if name in IDS]
    people = []
    for row in lines[1:]:
        row = (*row, *[""] * (len(header) - len(row)))
        name = row[names] if names is not None else _joined(row, firsts, lasts)
        if not name.strip() or name.strip().casefold() in ("points possible", "student, test", "test student"):
            continue                                        # Canvas's second and last lines
        numbers = dict.fromkeys(_number(row[i]) for i in ids if row[i].strip())
        people.append(Person(_shown(name), tuple(numbers), next((row[column[e]].strip() for e in EMAIL if e in column),
                                                                ""), tuple(row)))
    if not people:
        raise ValueError(f"{path} has headings and nobody below them. Give the list of the class as CSV.")
    return Roster(tuple(people), header)


def _by_number(person: Person, owner: Owner) -> bool:
    return bool(owner.number) and owner.number in person.ids


def _by_id(person: Person, owner: Owner) -> bool:
    """A number of four characters or more, or an address, somewhere in the name."""
    name = owner.name.casefold().strip()
    mail = person.email.casefold()
    if mail and name in (mail, mail.split("@")[0]):
        return True
    parts = {name, *tolerant(owner.name).split()}
    return any(i.casefold() == name or (len(i) >= 4 and any(c.isdigit() for c in i) and i.casefold() in parts)
               for i in person.ids)


def _by_name(person: Person, owner: Owner) -> bool:
    """The same parts in any order, with numbers beside them perhaps; Canvas writes them as one word."""
    theirs, ours = tolerant(owner.name), tolerant(person.name)
    if theirs == ours or " ".join(part for part in theirs.split() if not part.isdigit()) == ours:
        return bool(ours)
    if sorted(theirs.replace(" ", "")) != sorted(ours.replace(" ", "")):
        return False
    return bool(_in_one_word(theirs) & _in_one_word(ours))


def _in_one_word(name: str) -> set[str]:
    return {"".join(order) for order in permutations(name.split()[:5])}


def _decoded(content: bytes) -> str:
    encodings = ("utf-16",) if content[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "gb18030", "latin-1")
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-8", errors="replace")


def _first(column: dict[str, int], known: Sequence[str]) -> int | None:
    return next((column[name] for name in known if name in column), None)


def _joined(row: Sequence[str], firsts: int | None, lasts: int | None) -> str:
    first, last = (row[i].strip() if i is not None else "" for i in (firsts, lasts))
    chinese = any("\u4e00" <= c <= "\u9fff" for c in last)
    return f"{last}{first}" if chinese else f"{first} {last}".strip()


def _number(text: str) -> str:
    text = text.strip()
    for word in PARTICIPANT:
        if text.casefold().startswith(word):
            return text[len(word):].strip()
    return text


def _shown(name: str) -> str:
    """`Lopez, Ana`, as Canvas lists them, is Ana Lopez."""
    last, comma, first = name.partition(",")
    return f"{first.strip()} {last.strip()}" if comma and first.strip() else name.strip()
