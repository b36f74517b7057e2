"""`rlhf-kit grade`: a folder of handed-in notebooks becomes a table of points and remarks."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.classroom.grading.marks import Grades


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    grade = commands.add_parser("grade", help="grade a class's notebooks",
                                description="Asks the functions in handed-in notebooks (.ipynb or .py) on inputs drawn "
                                            "from the seed, behind walls, and compares with the references. The grades "
                                            "stay on this machine. See docs/teaching.md.")
    grade.add_argument("folder", metavar="FOLDER", type=Path,
                       help="with ana.ipynb, ben.py, ... or ana/lesson.ipynb, ben/lesson.ipynb, ...")
    grade.add_argument("--lesson", metavar="NN", required=True, help="such as 01")
    grade.add_argument("--seed", metavar="N", type=int, help="of the random inputs (default: drawn, and printed)")
    grade.add_argument("--csv", metavar="FILE", type=Path, help="write the table there, for a spreadsheet")
    grade.add_argument("--seconds", metavar="S", type=float, default=2.0,
                       help="of processor that one exercise may use (default: %(default)g)")
    grade.add_argument("--lang", choices=LANGS, default=system_language(), help="of the remarks (%(default)s)")
    grade.add_argument("--json", action="store_true", help="print the grades as JSON and nothing else")
    grade.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Grade, print the table, write the file."""
    if not 0.1 <= options.seconds <= 600:
        raise ValueError(f"--seconds is {options.seconds:g}; expected a number from 0.1 to 600.")
    if not hasattr(os, "fork"):
        raise ValueError(f"grading runs answers in processes with limits, which needs Linux or macOS; this is "
                         f"{sys.platform}. Use WSL.")
    began = time.monotonic()
    from rlhf_kit.classroom.grading.starting import Limits, Process
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    limits = Limits(seconds=options.seconds, patience=2 * options.seconds)
    with closing(Process(limits, [options.folder])) as started:          # it loads torch while we do
        from rlhf_kit.classroom.grading import table
        from rlhf_kit.classroom.grading.marks import grade
        if options.csv:
            table.check_place(options.csv)
        grades = grade(options.folder, options.lesson, seed, options.lang, limits=limits, started=started)
    if options.csv:
        table.write_csv(options.csv, grades)
    for warning in warnings(grades, options.lang):
        print(warning, file=sys.stderr)
    if options.json:
        print(json.dumps(table.as_json(grades)))
        return 0
    console = showing.console_for(json=False)
    _show(console, grades)
    console.print(say(options.lang, "grade_done", n=len(grades.rows), seconds=time.monotonic() - began,
                      lesson=grades.lesson, seed=seed, isolation=grades.isolation), soft_wrap=True)
    if options.csv:
        console.print(say(options.lang, "grade_written", file=options.csv), markup=False, soft_wrap=True)
    return 0


def warnings(grades: Grades, lang: str) -> list[str]:
    """What the teacher has to know besides the grades."""
    found = [say(lang, "grade_open", why=grades.why_not)] if grades.isolation == "none" else []
    return found + [say(lang, "grade_twice", student=student, files=", ".join(files))
                    for student, files in grades.twice.items()]


def _show(console: Console, grades: Grades) -> None:
    """A row for each student: points for each exercise, the total, the status."""
    from rich.markup import escape
    from rich.table import Table

    from rlhf_kit.classroom.grading.table import safe
    table = Table(show_edge=False)
    table.add_column("student", overflow="fold")
    for heading in (*(exercise.number for exercise in grades.exercises), f"/ {grades.out_of}"):
        table.add_column(heading, justify="right")
    table.add_column("status")
    for row in grades.rows:
        table.add_row(escape(safe(row.student)), *(str(mark.points) for mark in row.marks), f"[bold]{row.total}[/]",
                      row.status if row.status == "ok" else f"[yellow]{row.status}[/]")
    console.print(table)
