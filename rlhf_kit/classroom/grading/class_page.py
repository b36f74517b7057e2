"""A page about the class that can be shown to it: which exercise, which mistake, how many; nobody's name."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Sequence

from rlhf_kit.classroom.grading import statements
from rlhf_kit.classroom.grading.marks import Grades, Mark, Row
from rlhf_kit.classroom.grading.pages import page, text
from rlhf_kit.classroom.grading.table import NO_POINTS, number
from rlhf_kit.language import Lang, say

SHOWN = 8                           # mistakes of an exercise; rarer ones are counted together


def class_page(grades: Grades, lang: Lang) -> str:
    """The whole page."""
    title = say(lang, "grade_class_title", lesson=grades.lesson)
    there = [row for row in grades.rows if row.status not in NO_POINTS]
    head = [f"<h1>{text(title)}</h1>", _summary(grades, there, lang)]
    if not there:
        return page(title, lang, "\n".join(head))
    return page(title, lang, "\n".join([*head, _points(grades, there, lang), _overview(grades, there, lang),
                                        *(_exercise(grades, there, at, lang) for at in range(len(grades.exercises))),
                                        f'<p class="soft">{text(say(lang, "grade_class_end"))}</p>']))


def _summary(grades: Grades, there: Sequence[Row], lang: Lang) -> str:
    """How many people, and what became of those without points."""
    count = Counter(row.status for row in grades.rows)
    parts = [say(lang, "grade_class_people", n=len(grades.rows), graded=len(there))]
    what = {say(lang, _key(status)): count[status] for status in NO_POINTS if count[status]}
    if grades.due:
        what[say(lang, "grade_class_late")] = sum(row.late(grades.due) is not None for row in grades.rows)
    parts += [say(lang, "grade_class_count", what=one, n=n) for one, n in what.items()]
    return f'<p class="soft">{text(" · ".join(parts))}</p>'


def _points(grades: Grades, there: Sequence[Row], lang: Lang) -> str:
    """How many got how much; the middle one."""
    totals = sorted(grades.points(row) for row in there)
    middle = (totals[(len(totals) - 1) // 2] + totals[len(totals) // 2]) / 2
    told = say(lang, "grade_class_median", median=number(middle), out_of=grades.out_of)
    rows = "".join(f'<tr><td class="n">{number(total)}</td><td>{_bar(n, len(there))}</td><td class="n">{n}</td></tr>'
                   for total, n in sorted(Counter(totals).items(), reverse=True))
    return f"<h2>{text(say(lang, 'grade_class_points'))}</h2><p>{text(told)}</p><table>{rows}</table>"


def _overview(grades: Grades, there: Sequence[Row], lang: Lang) -> str:
    """A line for each exercise: how many are right, and how the others stand."""
    kinds = ("right", "wrong", "not attempted", "not found", "crash", "timeout")
    heads = "".join(f'<th class="n">{text(say(lang, _key(kind)))}</th>' for kind in kinds)
    lines = []
    for at in range(len(grades.exercises)):
        count = Counter(row.marks[at].status for row in there)
        cells = "".join(f'<td class="n">{count[kind] or "·"}</td>' for kind in kinds)
        lines.append(f"<tr><td>{text(_title(grades, at, lang))}</td><td>{_bar(count['right'], len(there))}</td>{cells}"
                     f"</tr>")
    return (f"<h2>{text(say(lang, 'grade_class_exercises'))}</h2><table><tr><th></th><th></th>{heads}</tr>"
            f"{''.join(lines)}</table>")


def _exercise(grades: Grades, there: Sequence[Row], at: int, lang: Lang) -> str:
    """The mistakes of one exercise, the most frequent first; nothing where there are none."""
    marks = [row.marks[at] for row in there if row.marks[at].status in ("wrong", "crash", "timeout")]
    if not marks:
        return ""
    count = Counter(_mistake(mark, lang) for mark in marks).most_common()
    lines = "".join(f'<tr><td class="n">{n}</td><td>{_bar(n, len(there))}</td><td>{text(words)}</td></tr>'
                    for words, n in count[:SHOWN])
    if rest := sum(n for _, n in count[SHOWN:]):
        lines += f'<tr><td class="n">{rest}</td><td></td><td>{text(say(lang, "grade_class_rest"))}</td></tr>'
    return f"<section><h2>{text(_title(grades, at, lang))}</h2><table>{lines}</table></section>"


def _mistake(mark: Mark, lang: Lang) -> str:
    """What it is counted as; a student's own words and numbers are left out."""
    if mark.status == "timeout":
        return say(lang, "grade_status_timeout")
    if mark.status == "crash":
        kind = mark.told.split(":")[0]                      # of Python's own: a student may name one as they like
        known = isinstance(getattr(builtins, kind, None), type)
        return say(lang, "grade_class_error", kind=kind) if known else say(lang, "grade_status_crash")
    return mark.told if mark.known else say(lang, "grade_class_unnamed")


def _title(grades: Grades, at: int, lang: Lang) -> str:
    exercise = grades.exercises[at]
    asked = statements.asked(grades.lesson, lang).get(exercise.number)
    return f"{exercise.number} {asked.title if asked and asked.title else exercise.name}"


def _key(status: str) -> str:
    return f"grade_status_{status.replace(' ', '_')}"


def _bar(n: int, of: int) -> str:
    return f'<meter min="0" max="{max(of, 1)}" value="{n}" aria-hidden="true"></meter>'
