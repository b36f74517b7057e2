"""From a folder of handed-in files to one hand-in a student, with a reason for each file that does not count.

Nothing is run or parsed as Python here, nothing is unpacked to the disk, and no file is left out without a word.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from rlhf_kit.classroom.grading import archives, cells, names, platforms
from rlhf_kit.classroom.grading.archives import Found
from rlhf_kit.classroom.grading.cells import Code, Unreadable
from rlhf_kit.classroom.grading.definitions import definitions, mentioned
from rlhf_kit.classroom.grading.platforms import Owner
from rlhf_kit.classroom.grading.roster import Person, Roster
from rlhf_kit.classroom.grading.students import (
    MAYBE,
    Student,
    by_student,
    ending,
    is_housekeeping,
    shown,
    sorted_out,
)
from rlhf_kit.language import Lang, say

NOTEBOOKS, ENOUGH_BYTES = 12, 2 * cells.LARGEST_FILE        # of one student that are looked at
SAME_TIME = timedelta(seconds=2)                            # a zip's clock counts in twos
AUTOSAVED = ".ipynb_checkpoints"


@dataclass(frozen=True)
class Submission:
    """What counts of one student, and what became of everything else."""

    student: str                    # as the roster, the platform, the folder or the file calls them
    file: str = ""                  # path inside the folder of submissions, of what counts
    cells: tuple[str, ...] = ()     # code only
    problem: str = ""               # why there are none
    told: str = ""                  # the same in the student's language
    status: str = ""                # "unreadable", "wrong lesson", "nothing handed in", where that is so
    number: str = ""                # the platform's, or the roster's first
    email: str = ""
    lang: Lang = "en"               # of the notebook; of the name, where there is none
    when: datetime | None = None    # handed in
    when_from: str = ""             # "name", "zip", "disk": where the time is from
    late: bool = False              # the platform says so
    note: str = ""                  # how it was chosen, and what else the teacher should know
    others: tuple[tuple[str, str], ...] = ()                # this student's other files, each with the reason
    person: Person | None = None


@dataclass(frozen=True)
class Collection:
    """All of a class."""

    submissions: tuple[Submission, ...]
    passed_over: tuple[tuple[str, str], ...] = ()           # files that are no student's, with the reason
    alike: tuple[tuple[str, ...], ...] = ()                 # students whose names only look the same


@dataclass(frozen=True)
class _Notebook:
    """One file of a student that could be read."""

    path: tuple[str, ...]
    when: datetime | None           # handed in: of what lies outermost, so that no student sets it
    source: str
    edited: datetime | None         # of the file itself, inside a zip
    code: Code
    written: int                    # functions of the lesson with something in them
    ours: bool                      # it has functions of the lesson
    lesson: str                     # the lesson whose functions it has most of


def collect(folder: Path, lesson: str, lang: Lang = "en", *, wanted: Mapping[str, Sequence[str]] | None = None,
            roster: Roster | None = None) -> Collection:
    """One submission for each student that handed something in or stands on the roster: in its order, then by name.

    `folder/ana.ipynb` is Ana's, `folder/ana/01.ipynb` too, at any depth, and so is what a platform named after her. Of
    several files counts, of those with the lesson's functions, of which something is written: the newest. A folder
    that holds nothing but one folder or one zip of a platform's, or a zip in its place, is looked into.

    Args:
        lang: of the reasons.
        wanted: lesson -> names of its functions.
    Raises: ValueError if there is nothing to grade.
    """
    if not folder.is_dir() and not (folder.is_file() and archives.is_zip(folder.name)):
        raise ValueError(f"{folder} is not a folder. Give the folder, or the zip, with what was handed in.")
    with ExitStack() as opened:
        try:
            found, passed = sorted_out(list(archives.walk(folder, opened)), lang, opened)
        except Unreadable as error:
            raise ValueError(f"{folder}: {say('en', error.key, **error.values)}") from error
        submissions = _of_everybody(folder, found, lesson, wanted or {}, lang, roster)
    alike = names.look_alike(s.student for s in submissions)
    return Collection(tuple(submissions), tuple(passed), tuple(alike))


def _of_everybody(folder: Path, found: Sequence[Found], lesson: str, wanted: Mapping[str, Sequence[str]], lang: Lang,
                  roster: Roster | None) -> list[Submission]:
    """A submission for each student, in order."""
    students = by_student(found, roster)
    if not students:
        raise ValueError(f"{folder} holds no .ipynb or .py file. Expected one for each student, or a folder for each "
                         f"student with one in it.")
    submissions = [_one(student, lesson, wanted, lang, roster) for student in students]
    there = {id(student.person) for student in students if student.person}
    submissions += [_absent(person, lang) for person in (roster.people if roster else ()) if id(person) not in there]
    submissions = _told_apart(submissions)
    place = {id(person): i for i, person in enumerate(roster.people)} if roster else {}
    return sorted(submissions, key=lambda s: (place.get(id(s.person), len(place)), names.key(s.student), s.file))


def _told_apart(submissions: list[Submission]) -> list[Submission]:
    """Two students of one name get their number behind it."""
    count = Counter(names.key(s.student) for s in submissions)
    return [replace(s, student=f"{s.student} ({s.number})") if count[names.key(s.student)] > 1 and s.number else s
            for s in submissions]


def _absent(person: Person, lang: Lang) -> Submission:
    return Submission(person.name, problem=say(lang, "grade_nothing"), status="nothing handed in", person=person,
                      number=person.ids[0] if person.ids else "", email=person.email)


# Which counts

def _one(student: Student, lesson: str, wanted: Mapping[str, Sequence[str]], lang: Lang,
         roster: Roster | None) -> Submission:
    person, owner = student.person, student.owner
    notebooks, others = _read_all(student, lesson, wanted, lang)
    notes = [say(lang, student.note, name=student.called)] if student.note else []
    if person and (spelled := {o.name for _, o in student.files if names.tolerant(o.name) !=
                               names.tolerant(person.name)}):
        notes.append(say(lang, "grade_matched", names=", ".join(sorted(spelled))))
    if roster and not person and not student.note:
        of_name = {p.name for p in roster.people if names.tolerant(p.name) == names.tolerant(owner.name)}
        twins = [p.name for p in roster.people if names.skeleton(p.name) == names.skeleton(owner.name)
                 and p.name not in of_name]
        notes.append(say(lang, "grade_lookalike", names=", ".join(twins)) if twins else say(lang, "grade_nobody"))
    about = Submission(person.name if person else owner.name, person=person, email=person.email if person else "",
                       number=owner.number or (person.ids[0] if person and person.ids else ""),
                       late=any(o.late for _, o in student.files))
    about = _with_time(about, student)
    if not notebooks:
        about = replace(about, status="unreadable", note=" ".join(notes),
                        lang="zh" if cells.language_of(about.student) == "zh" else lang)
        reasons = dict(others if about.lang == lang else _read_all(student, lesson, wanted, about.lang)[1])
        if len(others) == 1:
            file, why = others[0]
            return replace(about, file=file, problem=why, told=reasons.get(file, why))
        file = next((file for file, _ in others if cells.is_notebook(file)), "")
        why, told = (f"{file}: {of[file]}" if file in of else say(one, "grade_no_file")
                     for of, one in ((dict(others), lang), (reasons, about.lang)))
        return replace(about, problem=why, told=told, others=tuple(others))
    best = _best(notebooks)
    late = [o.late for f, o in student.files if f.path == best.path[:len(f.path)]]
    others = [(shown(n.path), _reason(n, best, lang)) for n in notebooks if n is not best] + others
    if len(notebooks) > 1:
        notes.insert(0, say(lang, "grade_chosen", n=len(notebooks)))
    if any(n.written > best.written for n in notebooks):
        notes.insert(1, say(lang, "grade_more_elsewhere"))
    strange = best.lesson not in ("", lesson) and not best.ours
    return replace(about, file=shown(best.path), cells=best.code.cells, lang=best.code.lang, when=best.when,
                   when_from=best.source if best.when else "", late=any(late), note=" ".join(notes),
                   others=tuple(others), status="wrong lesson" if strange else "",
                   **{name: say(one, "grade_other_lesson", lesson=best.lesson, wanted=lesson) if strange else ""
                      for name, one in (("problem", lang), ("told", best.code.lang))})


def _with_time(about: Submission, student: Student) -> Submission:
    """When the last of a student's files came, for one who is not there to be read."""
    times = [(o.when, "name") if o.when else (f.when, f.source) for f, o in student.files if o.when or f.when]
    when, source = max(times, default=(None, ""))
    return replace(about, when=when, when_from=source)


def _best(notebooks: Sequence[_Notebook]) -> _Notebook:
    """With the lesson's functions; of these with something written; of these the newest; then by number and name."""
    def first(n: _Notebook) -> tuple:
        return n.ours, n.written > 0, AUTOSAVED not in n.path

    best = max(map(first, notebooks))
    left = _newest([n for n in notebooks if first(n) == best], lambda n: n.when)
    left = _newest(left, lambda n: n.edited)
    return max(left, key=lambda n: (platforms.copy_number(n.path), n.written, n.path))


def _newest(notebooks: list[_Notebook], time: Callable[[_Notebook], datetime | None]) -> list[_Notebook]:
    """Those that are not older than the newest by more than a clock's tick; all, where no time is known."""
    last = max((when for n in notebooks if (when := time(n))), default=None)
    return [n for n in notebooks if last is None or (time(n) is not None and last - time(n) <= SAME_TIME)]


def _reason(one: _Notebook, best: _Notebook, lang: Lang) -> str:
    """Why this one does not count."""
    if not one.ours and best.ours:
        return say(lang, "grade_other_lesson", lesson=one.lesson, wanted=best.lesson) if one.lesson else say(
            lang, "grade_no_functions")
    if not one.written and best.written:
        return say(lang, "grade_untouched")
    if one.code.cells == best.code.cells:
        return say(lang, "grade_same_code")
    if AUTOSAVED in one.path:
        return say(lang, "grade_autosaved")
    for ours, theirs in ((one.when, best.when), (one.edited, best.edited)):
        if ours and theirs and theirs - ours > SAME_TIME:
            return say(lang, "grade_older", when=f"{ours:%Y-%m-%d %H:%M}", n=one.written)
    return say(lang, "grade_same_time", n=one.written)


def _read_all(student: Student, lesson: str, wanted: Mapping[str, Sequence[str]],
              lang: Lang) -> tuple[list[_Notebook], list[tuple[str, str]]]:
    """Every notebook and script, zips opened; and all other files with the reason."""
    notebooks, others, left, tries = [], [], ENOUGH_BYTES, 0
    files = _opened(student.files, others, lang)            # (file, owner, what lies outermost)
    files.sort(key=lambda f: f[0].when or datetime.min, reverse=True)
    files.sort(key=lambda f: (AUTOSAVED in f[0].path, not _named_after(f[0].path, lesson),
                              not cells.is_notebook(f[0].path[-1])))
    for file, owner, outer in files:
        name = file.path[-1]
        try:
            if file.link:
                raise Unreadable("grade_link")
            if not (cells.is_notebook(name) or cells.is_script(name) or ending(name) in MAYBE):
                raise Unreadable("grade_not_a_notebook")
            tries += 1
            if tries > NOTEBOOKS or left < 0:
                raise Unreadable("grade_too_many_files", limit=NOTEBOOKS)
            content = file.read()
            left -= len(content)
            code = cells.read(content, name)
        except Unreadable as error:
            others.append((shown(file.path), say(lang, error.key, **error.values)))
            continue
        when, source = (owner.when, "name") if owner.when else (outer.when, outer.source)
        notebooks.append(_looked_at(file, when, source, code, lesson, wanted))
    return notebooks, others


def _opened(files: Sequence[tuple[Found, Owner]], others: list[tuple[str, str]],
            lang: Lang) -> list[tuple[Found, Owner, Found]]:
    """The files, and those in their zips in place of the zips; one allowance for all of a student's."""
    allowance, found, waiting = archives.Allowance(), [], deque((file, owner, file, 1) for file, owner in files)
    while waiting:
        file, owner, outer, depth = waiting.popleft()
        if not archives.is_zip(file.path[-1]) or file.link:
            found.append((file, owner, outer))
            continue
        try:
            for inner in archives.inside(file, allowance, depth):
                if is_housekeeping(inner.path[len(file.path):]):
                    others.append((shown(inner.path), say(lang, "grade_housekeeping")))
                else:
                    waiting.append((inner, owner, outer, depth + 1))
        except Unreadable as error:
            others.append((shown(file.path), say(lang, error.key, **error.values)))
    return found


def _looked_at(file: Found, when: datetime | None, source: str, code: Code, lesson: str,
               wanted: Mapping[str, Sequence[str]]) -> _Notebook:
    names_there = mentioned(code.cells)
    counts = {one: len(names_there & set(functions)) for one, functions in wanted.items()}
    ours = not wanted or counts.get(lesson, 0) > 0
    most = lesson if ours else max(counts, key=lambda one: counts[one])
    there = definitions(code.cells, wanted.get(lesson, ()))
    unread = names_there & set(wanted.get(lesson, ())) - there.keys()               # not Python, so not the stub
    written = sum(d.written for d in there.values()) + len(unread)
    return _Notebook(file.path, when, source, file.when, code, written, ours, most if ours or counts[most] else "")


def _named_after(path: Sequence[str], lesson: str) -> bool:
    return platforms.without_copies(platforms.own_name(path)).startswith(lesson)
