"""`rlhf-kit grade`: what a class handed in becomes a table of points and remarks, and pages to learn from."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING

from rlhf_kit.commands import showing
from rlhf_kit.language import LANGS, say, system_language

if TYPE_CHECKING:
    from rich.console import Console

    from rlhf_kit.classroom.grading.changes import Change
    from rlhf_kit.classroom.grading.marks import Grades
    from rlhf_kit.classroom.grading.roster import Roster
    from rlhf_kit.language import Lang

CLASS_PAGE = "<!DOCTYPE html>\n<!-- rlhf-kit grade: class page -->\n"       # how a file begins that may be replaced


def add(commands: argparse._SubParsersAction) -> None:
    """Its options."""
    grade = commands.add_parser("grade", help="grade a class's notebooks",
                                description="Asks the functions in handed-in notebooks (.ipynb or .py) on inputs drawn "
                                            "from the seed, behind walls, and compares with the references. The grades "
                                            "stay on this machine. See docs/teaching.md.")
    grade.add_argument("folder", metavar="FOLDER", type=Path,
                       help="what a platform gave you, as a folder or a zip; or ana.ipynb, ben/lesson.ipynb, ...")
    grade.add_argument("--lesson", metavar="NN", required=True, help="such as 01")
    grade.add_argument("--seed", metavar="N", type=int, help="of the random inputs (default: drawn, and printed)")
    grade.add_argument("--csv", metavar="FILE", type=Path,
                       help="write the table there; says what changed if an earlier one is there")
    grade.add_argument("--format", choices=("plain", "moodle", "canvas"), default="plain",
                       help="of the table: for a spreadsheet, or to be imported (default: %(default)s)")
    grade.add_argument("--roster", metavar="FILE", type=Path,
                       help="CSV of the class; those without a hand-in get a row too")
    grade.add_argument("--due", metavar="TIME", type=_time, help="such as 2026-11-30T23:59; later hand-ins are marked")
    grade.add_argument("--partial", action="store_true",
                       help="give a wrong answer up to half of the points, by the cases that are right")
    grade.add_argument("--feedback", metavar="FOLDER", type=Path, help="write a page for each student there (HTML)")
    grade.add_argument("--class-page", metavar="FILE", type=Path,
                       help="write which mistake was how frequent there (HTML); without names")
    grade.add_argument("--seconds", metavar="S", type=float, default=2.0,
                       help="of processor that one exercise may use (default: %(default)g)")
    grade.add_argument("--no-walls", action="store_true",
                       help="run answers without walls, with limits only: for code that you trust, or in a "
                            "container that you throw away")
    grade.add_argument("--lang", choices=LANGS, default=None,
                       help="of the remarks and pages (default: each student's notebook)")
    grade.add_argument("--json", action="store_true", help="print the grades as JSON and nothing else")
    grade.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Grade, print the table, write the files; stopped by Ctrl-C, what was graded is in the table."""
    try:
        return _grade(options)
    except KeyboardInterrupt:                               # not "goes on from here": a grading begins anew
        print(f"\n{say(options.lang, 'grade_stopped')}", file=sys.stderr)
        return 130


def _grade(options: argparse.Namespace) -> int:
    lang = options.lang or system_language()
    chosen, options.lang = options.lang, lang               # what stops us is said in it, too
    _check(options)
    began = time.monotonic()
    from rlhf_kit.classroom.grading.starting import Limits, Process
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    limits, walls = Limits(seconds=options.seconds, patience=2 * options.seconds), not options.no_walls
    with closing(Process(limits, [options.folder], cell=walls)) as started:       # it loads torch while we do
        from rlhf_kit.classroom.grading import changes, roster, table
        from rlhf_kit.classroom.grading.marks import grade
        people = roster.read(options.roster) if options.roster else None
        before = changes.earlier(options.csv) if options.csv and options.format == "plain" else {}
        with _growing(options, people) as grows, _counted(options, grows) as grown:
            grades = grade(options.folder, options.lesson, seed, chosen, teacher=lang, limits=limits, cell=walls,
                           started=started, roster=people, due=options.due, partial=options.partial, grown=grown)
    changed = changes.changes(before, grades) if before else []
    kept = _keep(options.csv) if any(change.before and not change.after for change in changed) else None
    if options.csv:
        table.write_csv(options.csv, grades, options.format, people)
    written = [say(lang, "grade_written", file=options.csv)] if options.csv else []
    written += _pages(options, grades, chosen, lang)
    for warning in warnings(grades, lang):
        print(warning, file=sys.stderr)
    if options.json:
        print(json.dumps(table.as_json(grades)))
        return 0
    console = showing.console_for(json=False)
    _show(console, grades)
    console.print(say(lang, "grade_done", n=len(grades.rows), seconds=time.monotonic() - began,
                      lesson=grades.lesson, seed=seed, isolation=table.isolation(grades)), soft_wrap=True)
    told = changed_lines(changed, lang) if before else []
    told += [say(lang, "grade_earlier_kept", file=kept)] if kept else []
    for line in [*told, *written]:
        console.print(line, markup=False, soft_wrap=True)
    return 0


def warnings(grades: Grades, lang: Lang) -> list[str]:
    """What the teacher has to know besides the grades; nothing of it moves the cursor or turns the line round."""
    from rlhf_kit.classroom.grading.names import plain, spelled
    found = [say(lang, "grade_open", why=plain(grades.why_not))] if grades.isolation == "none" else []
    if grades.missing:
        found.append(say(lang, "grade_missing", missing=", ".join(grades.missing)))
    found += [say(lang, "grade_names_alike", names=", ".join(f"{plain(name)} ({spelled(name)})" for name in group))
              for group in grades.names_alike]
    found += [say(lang, "grade_passed_over", file=plain(file), why=why) for file, why in grades.passed_over[:20]]
    if len(grades.passed_over) > 20:
        found.append(say(lang, "grade_passed_over_more", n=len(grades.passed_over) - 20))
    several = [row for row in grades.rows if row.submission.others and row.submission.cells]
    return found + [say(lang, "grade_several", student=plain(row.student), file=plain(row.file),
                        n=len(row.submission.others)) for row in several]


def changed_lines(changed: list[Change], lang: Lang) -> list[str]:
    """What this grading changed against the table that stood there."""
    from rlhf_kit.classroom.grading.names import plain
    if not changed:
        return [say(lang, "grade_nothing_changed")]
    parts = []
    for change in changed[:12]:
        kind = "grade_change_new" if not change.before else "grade_change_gone" if not change.after else "grade_change"
        details = ", ".join(f"{number} {was}→{now}" for number, was, now in change.exercises)
        parts.append(say(lang, kind, student=plain(change.student), before=change.before, after=change.after)
                     + (f" ({details})" if details else ""))
    more = [say(lang, "grade_change_more", n=len(changed) - 12)] if len(changed) > 12 else []
    return [say(lang, "grade_changed", n=len(changed), students="; ".join([*parts, *more]))]


def _check(options: argparse.Namespace) -> None:
    """What can be known to go wrong before anything is graded."""
    from rlhf_kit.storage import check_replaces
    if not 0.1 <= options.seconds <= 600:
        raise ValueError(f"--seconds is {options.seconds:g}; expected a number from 0.1 to 600.")
    if not hasattr(os, "fork"):
        raise ValueError(f"grading runs answers in processes with limits, which needs Linux or macOS; this is "
                         f"{sys.platform}. Use WSL.")
    if options.feedback and options.feedback.resolve().is_relative_to(options.folder.resolve()):
        raise ValueError(f"--feedback {options.feedback} lies among the hand-ins. Name a folder outside "
                         f"{options.folder}.")
    if options.feedback and options.feedback.exists() and not options.feedback.is_dir():
        raise ValueError(f"--feedback {options.feedback} is a file. Name a folder.")
    if options.class_page:
        check_replaces(options.class_page, CLASS_PAGE)


@contextmanager
def _growing(options: argparse.Namespace, people: Roster | None) -> Iterator:
    """The table on the disk while it grows: in its place, or beside an earlier one, which stays until all is done."""
    from rlhf_kit.classroom.grading import table
    from rlhf_kit.classroom.grading.names import plain
    if not options.csv:
        yield None
        return
    table.check_place(options.csv, options.format, people)
    file = options.csv
    if file.exists():
        file = file.with_name(f"{file.stem}.unfinished{file.suffix}")
        table.check_place(file, options.format, people)
    begun = []

    def grown(grades: Grades) -> None:
        table.write_csv(file, grades, options.format, people)
        begun.append(True)
    try:
        yield grown
    except BaseException:
        if begun:
            print(say(options.lang, "grade_unfinished", file=plain(str(file))), file=sys.stderr)
        raise
    if file != options.csv and begun:
        file.unlink(missing_ok=True)


@contextmanager
def _counted(options: argparse.Namespace, grows: Callable[[Grades], None] | None) -> Iterator:
    """On a terminal how many are graded so far, in a line that goes away at the end."""
    if options.json or not sys.stderr.isatty():
        yield grows
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        row = progress.add_task(say(options.lang, "grade_going"), total=None)

        def counted(grades: Grades) -> None:
            done = sum(one.status != "not graded" for one in grades.rows)
            progress.update(row, completed=done, total=len(grades.rows))
            if grows:
                grows(grades)
        yield counted


def _keep(path: Path) -> Path:
    """Put a copy of a table beside it, under a name that is free: `grades.earlier.csv`, `grades.earlier-2.csv`, ..."""
    from rlhf_kit.storage import write_text
    marks = chain([""], map("-{}".format, count(2)))
    places = (path.with_name(f"{path.stem}.earlier{mark}{path.suffix}") for mark in marks)
    place = next(place for place in places if not place.exists())
    write_text(place, path.read_text(encoding="utf-8"))
    return place


def _pages(options: argparse.Namespace, grades: Grades, chosen: Lang | None, lang: Lang) -> list[str]:
    """Write them; returns what to say about it."""
    from rlhf_kit.classroom.grading.class_page import class_page
    from rlhf_kit.classroom.grading.feedback import pages
    from rlhf_kit.storage import write_files, write_text
    said = []
    if options.feedback:
        files = write_files(options.feedback, pages(grades, chosen))
        said.append(say(lang, "grade_feedback_written", n=len(files), folder=options.feedback))
    if options.class_page:
        write_text(options.class_page, CLASS_PAGE + class_page(grades, lang).removeprefix("<!DOCTYPE html>\n"))
        said.append(say(lang, "grade_class_written", file=options.class_page))
    return said


def _time(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time, such as 2026-11-30T23:59") from error
    return when.astimezone().replace(tzinfo=None) if when.tzinfo else when


def _show(console: Console, grades: Grades) -> None:
    """A line for each student, of less than 80 characters: points for each exercise, the total, how it went."""
    from rich.markup import escape
    from rich.table import Table

    from rlhf_kit.classroom.grading.names import safe
    from rlhf_kit.classroom.grading.table import number
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("student", no_wrap=True, min_width=10)
    partial = ["partial"] if grades.partial else []
    for heading in (*(exercise.number for exercise in grades.exercises), f"/ {grades.out_of}", *partial):
        table.add_column(heading, justify="right")
    table.add_column("status", no_wrap=True)
    for row in grades.rows:
        table.add_row(escape(safe(row.student)), *(str(mark.points) for mark in row.marks), f"[bold]{row.total}[/]",
                      *([str(number(row.partial))] if grades.partial else []),
                      ", ".join([row.status if row.status == "ok" else f"[yellow]{row.status}[/]",
                                 *(["late"] if row.late(grades.due) is not None else []),
                                 *(["alike"] if row.alike else [])]))
    console.print(table)
