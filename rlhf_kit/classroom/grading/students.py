"""Whose each file is: what no student wrote is put aside, what a platform wrapped is opened, the rest put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from rlhf_kit.classroom.grading import archives, cells, names, platforms
from rlhf_kit.classroom.grading.archives import Found
from rlhf_kit.classroom.grading.cells import Unreadable
from rlhf_kit.classroom.grading.platforms import Owner
from rlhf_kit.classroom.grading.roster import Person, Roster
from rlhf_kit.language import Lang, say

HOUSEKEEPING = {"__macosx", "__pycache__", ".ds_store", "thumbs.db", "desktop.ini", ".git", ".vscode", ".idea"}
MAYBE = (".txt", ".json", "")                               # may hold a notebook all the same
NOT_HANDED_IN = (".csv", ".md", ".log", ".toml", ".cfg", ".html", ".htm", ".txt", ".json", ".xlsx", "")  # at the top


@dataclass
class Student:
    """What is known of a student while files are sorted."""

    owner: Owner
    files: list[tuple[Found, Owner]] = field(default_factory=list)
    person: Person | None = None
    note: str = ""                  # key of a sentence about `called`
    called: str = ""                # the person whose name several accounts go by


def sorted_out(found: list[Found], lang: Lang, opened: ExitStack) -> tuple[list[Found], list[tuple[str, str]]]:
    """Without what no student wrote, and without folders around everything."""
    passed: list[tuple[str, str]] = []
    while True:
        kept = []
        for file in found:
            why = _not_a_students(file)
            if why:
                passed.append((shown(file.path), say(lang, why)))
            else:
                kept.append(file)
        inner = _of_one_zip(kept, opened) or _of_one_folder(kept)
        if not inner:
            return kept, passed
        found = [replace(file, path=file.path[1:]) for file in inner]


def _not_a_students(file: Found) -> str:
    """The key of the reason why a file is nobody's hand-in; empty for all others."""
    name = file.path[-1]
    if is_housekeeping(file.path):
        return "grade_housekeeping"
    if name.startswith("."):
        return "grade_hidden"
    if len(file.path) > 1 or file.link or cells.is_notebook(name) or cells.is_script(name) \
            or platforms.is_platforms(name) or ending(name) not in NOT_HANDED_IN:
        return ""
    return "" if ending(name) in MAYBE and _begins_a_notebook(file) else "grade_not_a_notebook"


def _of_one_zip(kept: Sequence[Found], opened: ExitStack) -> list[Found]:
    """What is in the only thing there is, if that is a zip of a class and not one student's."""
    if len(kept) != 1 or len(kept[0].path) != 1 or not archives.is_zip(kept[0].path[0]) \
            or platforms.is_platforms(kept[0].path[0]):
        return []
    inner = list(archives.of_a_class(kept[0], opened))
    people = {file.path[1] for file in inner if len(file.path) > 2}
    return inner if len(people) > 1 or any(platforms.is_platforms(file.path[1]) for file in inner) else []


def _of_one_folder(kept: Sequence[Found]) -> list[Found]:
    """What is in the only folder there is, if a platform's names are below it."""
    outer = {file.path[0] for file in kept}
    wraps = len(outer) == 1 and all(len(file.path) > 1 for file in kept) and not platforms.is_platforms(*outer)
    return list(kept) if wraps and any(platforms.is_platforms(file.path[1]) for file in kept) else []


def _begins_a_notebook(file: Found) -> bool:
    try:
        return file.read()[:500].lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{")
    except Unreadable:
        return False


def by_student(found: Iterable[Found], roster: Roster | None) -> list[Student]:
    """Files put together by the platform's number, or by the name; the roster may put more together."""
    groups: dict[tuple[str, str], Student] = {}
    found = list(found)
    for file, platform in zip(found, platforms.forms([file.path for file in found]), strict=True):
        owner = platforms.owner(file.path, platform)
        who = (owner.platform, owner.number) if owner.number else ("", names.key(owner.name))
        groups.setdefault(who, Student(owner)).files.append((file, owner))
    students = list(groups.values())
    if roster is None:
        return students
    for student in students:
        student.person = roster.find(student.owner)
    taken = [id(student.person) for student in students if student.person]
    left = [person for person in roster.people if id(person) not in taken]
    parts = {id(s): roster.find_by_part(s.owner, left) for s in students if not s.person}
    claims = Counter(id(person) for person in parts.values() if person)
    for student in students:
        person = parts.get(id(student))
        if person and claims[id(person)] == 1:
            student.person = person
    _one_account_each(students)
    merged: dict[int, Student] = {}
    for student in students:
        who = id(student.person) if student.person else id(student)
        if who in merged:
            merged[who].files += student.files
        else:
            merged[who] = student
    return list(merged.values())


def _one_account_each(students: Sequence[Student]) -> None:
    """Two accounts of one platform that go by one person's name are not put together: one may be somebody else.

    The person's is the one whose number stands on the roster; else the only one with the whole name; else neither.
    """
    claims: dict[tuple[int, str], list[Student]] = {}
    for student in students:
        if student.person and student.owner.number:
            claims.setdefault((id(student.person), student.owner.platform), []).append(student)
    for several in claims.values():
        sure = [student for student in several if student.owner.number in student.person.ids] or [
            student for student in several if names.tolerant(student.owner.name) == names.tolerant(student.person.name)]
        if len(several) > 1:
            for student in several:
                student.note = "grade_two_accounts"
                student.called = student.person.name
                student.person = student.person if sure == [student] else None


def is_housekeeping(path: Sequence[str]) -> bool:
    """True for what an operating system or an editor leaves."""
    return any(part.casefold() in HOUSEKEEPING or part.startswith("._") for part in path)


def shown(path: Sequence[str]) -> str:
    """As people write it."""
    return "/".join(path)


def ending(name: str) -> str:
    return Path(name).suffix.lower()
