"""Grades as files: one row a student, as CSV for a spreadsheet, Moodle or Canvas, or as JSON; no cell is a formula."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from rlhf_kit.classroom.grading.marks import Grades, Row
from rlhf_kit.classroom.grading.names import safe
from rlhf_kit.classroom.grading.roster import PARTICIPANT, Roster
from rlhf_kit.language import Lang, say
from rlhf_kit.storage import check_replaces, write_text

Format = Literal["plain", "moodle", "canvas"]
FORMATS: tuple[Format, ...] = ("plain", "moodle", "canvas")
PLAIN = "student,file,status,total"                         # how the kit's own table begins
MOODLE = ("Identifier", "Full name", "Email address", "Grade", "Maximum Grade", "Last modified (grade)",
          "Feedback comments")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
GRADE, HIGHEST = ("grade", "成绩", "分数", "评分"), ("maximum grade", "最高分", "最高成绩")
FEEDBACK = ("feedback comments", "反馈评论", "反馈意见", "评语", "反馈评语")
MANY = 8_000                                                # characters of a cell that tells of many
NO_POINTS = ("nothing handed in", "unreadable", "wrong lesson", "not graded")       # nothing was there to be graded


def columns(grades: Grades) -> list[str]:
    """The header: who, how it went, when, points for each exercise, a remark for each, and what else there is."""
    named = [f"{exercise.number} {exercise.name}" for exercise in grades.exercises]
    return ["student", "file", "status", "total", *(["partial", "with partial"] if grades.partial else []), "out of",
            *named, "handed in", "time from", *(["late"] if _late_shown(grades) else []), "alike", "note",
            "other files", "id", "isolation", *(f"{name}: remark" for name in named)]


def rows(grades: Grades) -> list[list[str | int | float]]:
    """The cells below the header."""
    return [_row(row, grades) for row in grades.rows]


def check_place(path: Path, form: Format = "plain", roster: Roster | None = None) -> None:
    """Raises StorageError if a file is there that is no such table: nobody's own work is written over."""
    begins = {"plain": PLAIN, "moodle": _line(_moodle_header(roster))[:20], "canvas": "Student,ID"}[form]
    check_replaces(path, "\ufeff" + begins)


def write_csv(path: Path, grades: Grades, form: Format = "plain", roster: Roster | None = None) -> None:
    """Write the table so that no half of it is ever seen; with a mark at the front by which Excel knows UTF-8.

    Raises: StorageError, also for a file there that is no such table.
    """
    check_place(path, form, roster)
    lines = {"plain": lambda: [columns(grades), *rows(grades)], "moodle": lambda: _moodle(grades, roster),
             "canvas": lambda: _canvas(grades, roster)}[form]()
    write_text(path, "\ufeff" + "".join(map(_line, lines)))


def as_json(grades: Grades) -> dict[str, Any]:
    """Everything, for a machine."""
    return {"lesson": grades.lesson, "seed": grades.seed, "isolation": grades.isolation, "why_not": grades.why_not,
            "missing": list(grades.missing), "out_of": grades.out_of, "due": _time(grades.due),
            "passed_over": dict(grades.passed_over), "names_alike": [list(group) for group in grades.names_alike],
            "students": [_student(row, grades) for row in grades.rows]}


def number(points: float) -> int | float:
    """2.0 as 2, 1.5 as it is."""
    return int(points) if float(points).is_integer() else points


def lateness(late: timedelta | None, lang: Lang = "en") -> str:
    """In days, hours and minutes."""
    if late is None:
        return ""
    if not late:
        return say(lang, "grade_late_platform")
    minutes = math.ceil(late.total_seconds() / 60)
    parts = {"grade_days": minutes // 1440, "grade_hours": minutes % 1440 // 60, "grade_minutes": minutes % 60}
    return " ".join(say(lang, key, n=n) for key, n in parts.items() if n)


# The kit's own

def _row(row: Row, grades: Grades) -> list[str | int | float]:
    work = row.submission
    return [safe(row.student), safe(row.file), row.status, row.total,
            *([number(row.partial), number(row.total + row.partial)] if grades.partial else []), grades.out_of,
            *(mark.points for mark in row.marks), _time(work.when), work.when_from,
            *([lateness(row.late(grades.due))] if _late_shown(grades) else []),
            safe(row.alike, MANY), safe(row.note, MANY),
            safe(_others(work.others), MANY), safe(work.number), isolation(grades),
            *(safe(mark.remark) for mark in row.marks)]


def _others(others: Sequence[tuple[str, str]]) -> str:
    """Each file with the reason, as many as a spreadsheet's cell takes; how many more there are, comes first."""
    parts, size = [], 0
    for file, why in others:
        part = f"{file}: {why}"[:600]
        size += len(part) + 3
        if size > MANY - 20:
            return " · ".join([f"({len(others)})", *parts])
        parts.append(part)
    return " · ".join(parts)


def isolation(grades: Grades) -> str:
    """With the limits that were missing."""
    return f"{grades.isolation}, missing: {', '.join(grades.missing)}" if grades.missing else grades.isolation


def _student(row: Row, grades: Grades) -> dict[str, Any]:
    work = row.submission
    return {"student": row.student, "id": work.number, "file": row.file, "status": row.status, "total": row.total,
            "partial": number(row.partial), "note": row.note, "language": work.lang, "handed_in": _time(work.when),
            "time_from": work.when_from, "late": lateness(row.late(grades.due)), "alike": row.alike,
            "other_files": dict(work.others),
            "exercises": {mark.exercise.number: {"name": mark.exercise.name, "points": mark.points,
                                                 "partial": number(mark.partial), "out_of": mark.exercise.points,
                                                 "status": mark.status, "remark": mark.remark}
                          for mark in row.marks}}


def _late_shown(grades: Grades) -> bool:
    return grades.due is not None or any(row.submission.late for row in grades.rows)


def _time(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M}" if when else ""


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


# Moodle's worksheet, Canvas's gradebook

def _moodle(grades: Grades, roster: Roster | None) -> list[list[object]]:
    """The worksheet that was given as the roster, filled in; else one of the same columns, in English."""
    header = _moodle_header(roster)
    if header is MOODLE:
        return [list(MOODLE), *([f"Participant {safe(row.submission.number)}" if row.submission.number else "",
                                 safe(row.student), safe(row.submission.email), _points(row, grades), grades.out_of,
                                 "-", safe(_comment(row))] for row in grades.rows)]
    fields = {at: (_points, _highest, _said)[kind] for at, name in enumerate(header)
              for kind, known in enumerate((GRADE, HIGHEST, FEEDBACK)) if name.casefold() in known}
    return [list(header), *([fields[at](row, grades) if at in fields else safe(cell) for at, cell
                             in enumerate(row.submission.person.row[:len(header)])]
                            for row in grades.rows if row.submission.person)]


def _moodle_header(roster: Roster | None) -> tuple[str, ...]:
    first = roster.people[0].row if roster else ()
    whole = first and first[0].casefold().startswith(PARTICIPANT) and any(n.casefold() in GRADE for n in roster.header)
    return roster.header if whole else MOODLE


def _canvas(grades: Grades, roster: Roster | None) -> list[list[object]]:
    """Canvas's five columns and one of the lesson's: that of the export that was given as the roster, or a new one."""
    header = roster.header if roster else ()
    column = next((name for name in header if re.search(r"\(\d+\)$", name) and grades.lesson in name),
                  f"Lesson {grades.lesson}")
    place = {name: header.index(name) for name in CANVAS if name in header}

    def who(row: Row) -> list[object]:
        if row.submission.person and "ID" in place:
            cells = row.submission.person.row
            return [safe(cells[place[name]]) if name in place else "" for name in CANVAS]
        return [safe(row.student), safe(row.submission.number), "", "", ""]
    return [[*CANVAS, safe(column)], ["    Points Possible", "", "", "", "", grades.out_of],
            *([*who(row), _points(row, grades)] for row in grades.rows)]


def _points(row: Row, grades: Grades) -> int | float | str:
    """Empty where nothing was there to be graded: a 0 would be the teacher's decision."""
    return "" if row.status in NO_POINTS else number(grades.points(row))


def _highest(row: Row, grades: Grades) -> int:
    return grades.out_of


def _said(row: Row, grades: Grades) -> str:
    return safe(_comment(row))


def _comment(row: Row) -> str:
    parts = [f"{mark.exercise.number} {mark.exercise.name}: {mark.points}/{mark.exercise.points}"
             + (f" ({mark.remark})" if mark.remark else "") for mark in row.marks if row.status not in NO_POINTS]
    return " ".join(parts) or row.submission.problem
