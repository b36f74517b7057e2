"""Grades as files: one row a student, as CSV for a spreadsheet or as JSON; no cell of it is ever a formula."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

from rlhf_kit.classroom.grading.marks import Grades
from rlhf_kit.labels.sheet import begins_a_formula
from rlhf_kit.storage import check_replaces, write_text

LONGEST = 300                                                               # characters in a cell


def columns(grades: Grades) -> list[str]:
    """The header: who, how it went, points for each exercise, a remark for each."""
    named = [f"{exercise.number} {exercise.name}" for exercise in grades.exercises]
    return ["student", "file", "status", "total", "out of", *named, *(f"{name}: remark" for name in named), "note"]


def rows(grades: Grades) -> list[list[str | int]]:
    """The cells below the header."""
    return [[safe(row.student), safe(row.file), row.status, row.total, grades.out_of,
             *(mark.points for mark in row.marks), *(safe(mark.remark) for mark in row.marks), safe(row.note)]
            for row in grades.rows]


def safe(text: str) -> str:
    """Text that a spreadsheet shows and does not calculate: an apostrophe before whatever begins like a formula."""
    line = "".join(c if c.isprintable() else " " for c in text)[:LONGEST]
    return f"'{line}" if begins_a_formula(text) or begins_a_formula(line) else line


def check_place(path: Path) -> None:
    """Raises StorageError if a file is there that is no table of grades: nobody's own work is written over."""
    check_replaces(path, "\ufeffstudent,file,status,total")


def write_csv(path: Path, grades: Grades) -> None:
    """Write the table so that no half of it is ever seen; with a mark at the front by which Excel knows UTF-8.

    Raises: StorageError, also for a file there that is no such table.
    """
    check_place(path)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns(grades))
    writer.writerows(rows(grades))
    write_text(path, "\ufeff" + text.getvalue())


def as_json(grades: Grades) -> dict[str, Any]:
    """Everything, for a machine."""
    return {"lesson": grades.lesson, "seed": grades.seed, "isolation": grades.isolation, "why_not": grades.why_not,
            "out_of": grades.out_of, "several_files": grades.twice,
            "students": [{"student": row.student, "file": row.file, "status": row.status, "total": row.total,
                          "note": row.note,
                          "exercises": {mark.exercise.number: {"name": mark.exercise.name, "points": mark.points,
                                                               "out_of": mark.exercise.points, "status": mark.status,
                                                               "remark": mark.remark} for mark in row.marks}}
                         for row in grades.rows]}


def write_json(path: Path, grades: Grades) -> None:
    """The same as a file."""
    write_text(path, json.dumps(as_json(grades), ensure_ascii=False, indent=1) + "\n")
