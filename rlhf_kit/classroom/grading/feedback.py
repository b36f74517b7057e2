"""A page for each student, in their language: what was asked, what they gave, what is right, and the likely mistake."""

from __future__ import annotations

import re
import unicodedata

from rlhf_kit.classroom.grading import statements
from rlhf_kit.classroom.grading.marks import Grades, Mark, Row
from rlhf_kit.classroom.grading.pages import markdown, page, text
from rlhf_kit.classroom.grading.table import lateness, number
from rlhf_kit.language import Lang, say


def pages(grades: Grades, lang: Lang | None = None) -> dict[str, str]:
    """Name of the file -> HTML, for everybody who handed something in.

    Args: lang: of all of them; by default each in the language of the hand-in.
    """
    found: dict[str, str] = {}
    for row in grades.rows:
        if row.status not in ("nothing handed in", "not graded"):
            found[_free(file_name(row.student), found)] = feedback(row, grades, lang or row.submission.lang)
    return found


def feedback(row: Row, grades: Grades, lang: Lang) -> str:
    """One student's page. Nothing about other students is in it."""
    title = say(lang, "grade_page_title", lesson=grades.lesson, student=row.student)
    head = [f"<h1>{text(title)}</h1>",
            f'<p class="soft">{text(say(lang, "grade_page_file", file=row.file))}{_when(row, grades, lang)}</p>']
    if row.submission.problem:
        told = row.submission.told if lang == row.submission.lang else row.submission.problem
        body = f'<p class="bad">{text(told or row.submission.problem)}</p>'
        return page(title, lang, "\n".join([*head, body]))
    total = say(lang, "grade_page_total", points=number(grades.points(row)), out_of=grades.out_of)
    return page(title, lang, "\n".join([*head, f"<p><b>{text(total)}</b></p>",
                                        *(_exercise(mark, grades, lang) for mark in row.marks),
                                        f'<p class="soft">{text(say(lang, "grade_page_end"))}</p>']))


def file_name(student: str) -> str:
    """A name that every disk takes: letters, digits, spaces; never a path."""
    name = unicodedata.normalize("NFC", student)
    name = re.sub(r"[^\w ().-]+", "_", name).strip(" ._-")[:80]
    name = name.encode()[:200].decode(errors="ignore").strip()
    reserved = re.fullmatch(r"(?i)con|prn|aux|nul|com\d|lpt\d", name)
    return f"{name or 'student'}{'_' if reserved else ''}"


def _free(name: str, taken: dict[str, str]) -> str:
    """Also where a disk takes A and a for the same."""
    known = {unicodedata.normalize("NFKC", one).casefold() for one in taken}
    tries = [f"{name}.html", *(f"{name} {n}.html" for n in range(2, len(taken) + 3))]
    return next(one for one in tries if unicodedata.normalize("NFKC", one).casefold() not in known)


def _when(row: Row, grades: Grades, lang: Lang) -> str:
    when, late = row.submission.when, row.late(grades.due)
    told = f" · {say(lang, 'grade_page_when', when=f'{when:%Y-%m-%d %H:%M}')}" if when and grades.due else ""
    return text(told + (f" · {say(lang, 'grade_page_late', late=lateness(late, lang))}" if late is not None else ""))


def _exercise(mark: Mark, grades: Grades, lang: Lang) -> str:
    asked = statements.asked(grades.lesson, lang).get(mark.exercise.number, statements.Asked())
    points = number(mark.points + (mark.partial if grades.partial else 0))
    state = "right" if mark.status == "right" else "wrong" if mark.status == "wrong" else "other"
    verdict = {"right": say(lang, "grade_page_right"), "wrong": say(lang, "grade_page_wrong")}.get(
        state, mark.remark or say(lang, "grade_page_crash"))
    lines = [f'<section><h2>{text(mark.exercise.number)} · {text(asked.title or mark.exercise.name)} '
             f'<span class="points">{points} / {mark.exercise.points}</span></h2>',
             f'<p class="{"good" if state == "right" else "bad"}">{"✓" if state == "right" else "✗"} {text(verdict)}'
             f"</p>"]
    if state == "wrong" and mark.known:
        lines.append(f"<p>{text(say(lang, 'grade_page_mistake'))} <b>{text(mark.remark)}</b></p>")
    if mark.asked:
        lines.append(f'<p class="soft">{text(say(lang, "grade_page_cases", right=mark.right, asked=mark.asked))}</p>')
    call = f"{mark.exercise.name}({', '.join(mark.exercise.names)})"
    statement = markdown(asked.text) if asked.text else f"<p><code>{text(call)}</code></p>"
    opened = "" if state == "right" else " open"
    lines.append(f"<details{opened}><summary>{text(say(lang, 'grade_page_asked'))}</summary>{statement}</details>")
    if mark.given and state != "right":
        shown = [("grade_page_given", mark.given), ("grade_page_yours", mark.yours),
                 ("grade_page_expected", mark.expected)]
        lines.append("<dl>" + "".join(f'<dt>{text(say(lang, key))}</dt><dd><span class="value"><bdi>{text(value)}</bdi>'
                                      f"</span></dd>" for key, value in shown if value) + "</dl>")
    if state != "right":
        lines.append(_where(asked, mark, grades, lang))
    return "\n".join([*lines, "</section>"])


def _where(asked: statements.Asked, mark: Mark, grades: Grades, lang: Lang) -> str:
    told = say(lang, "grade_page_section", lesson=grades.lesson, number=mark.exercise.number, section=asked.section) \
        if asked.section else say(lang, "grade_page_lesson", lesson=grades.lesson, number=mark.exercise.number)
    address = statements.address(grades.lesson, lang)
    link = f' <a href="{text(address)}" rel="noreferrer">{text(say(lang, "grade_page_open"))}</a>' if address else ""
    return f'<p class="soft">{text(told)}{link}</p>'
