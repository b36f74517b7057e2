"""What a new grading changes against the table that stands there."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from rlhf_kit.classroom.grading.marks import Grades
from rlhf_kit.classroom.grading.names import safe
from rlhf_kit.classroom.grading.table import number

LARGEST = 20 * 2**20                # bytes


@dataclass(frozen=True)
class Change:
    """One student whose points are others than before, or who is new, or gone."""

    student: str
    before: str                     # points; empty for one who was not there
    after: str                      # empty for one who is gone
    exercises: tuple[tuple[str, str, str], ...] = ()        # number, points before, points now


def earlier(path: Path) -> dict[str, dict[str, str]]:
    """The rows of an earlier plain table, by student and number; none where there is no such table."""
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            return {}
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return {}
    if not text.startswith("student,"):
        return {}
    try:
        return {f"{row['student']}\n{row.get('id') or ''}": row for row in csv.DictReader(io.StringIO(text, newline=""))
                if row.get("student") and row.get("status") != "not graded"}
    except csv.Error:
        return {}


def changes(before: dict[str, dict[str, str]], grades: Grades) -> list[Change]:
    """In the order of the new table, then who is gone."""
    found, seen = [], set()
    for row in grades.rows:
        key = f"{safe(row.student)}\n{safe(row.submission.number)}"
        key = key if key in before else f"{safe(row.student)}\n"        # a table of before numbers were written
        now = str(number(grades.points(row)))
        if key not in before:
            found.append(Change(row.student, "", now))
            continue
        old = before[key]
        seen.add(key)
        was = (old.get("with partial") if grades.partial else None) or old.get("total") or ""
        columns = {name.split(" ")[0]: value or "" for name, value in old.items()
                   if name and re.fullmatch(r"\w+\.\d+ \w+", name)}
        parts = tuple((mark.exercise.number, columns[mark.exercise.number], str(mark.points)) for mark in row.marks
                      if mark.exercise.number in columns and columns[mark.exercise.number] != str(mark.points))
        if was != now or parts:
            found.append(Change(row.student, was, now, parts))
    gone = [Change(old["student"], old.get("total") or "", "") for key, old in before.items() if key not in seen]
    return found + gone
