"""What teacher and students get: points by case, tables for platforms, pages, what changed, and who is alike."""

import base64
import csv
import hashlib
import importlib
import io
import math
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from attacks import HONEST, IMPORTS, STUB, lesson

from rlhf_kit import cli
from rlhf_kit.classroom.exercises.answers import ask, compare
from rlhf_kit.classroom.exercises.checking import EXERCISES, lesson_of
from rlhf_kit.classroom.grading import (
    changes,
    class_page,
    feedback,
    likeness,
    marks,
    pages,
    picking,
    roster,
    statements,
    table,
)
from rlhf_kit.classroom.grading.outside import Answer
from rlhf_kit.classroom.grading.starting import Limits, NoCell, NoGrading
from rlhf_kit.classroom.grading.submissions import Submission
from rlhf_kit.language import say
from rlhf_kit.storage import StorageError

EXERCISES_01 = marks.of_lesson("01")
TOTAL = sum(exercise.points for exercise in EXERCISES_01)        # SUM below loses 3 of it, and 1.6 is worth 1
CASES = [exercise.all_cases(7) for exercise in EXERCISES_01]


def functions(**odd):
    """The honest answers, some of them replaced."""
    space = {}
    exec(IMPORTS + "\n" + "\n".join({**HONEST, **odd}.values()), space)
    return space


def row(student: str, *, lang="en", alike="", **odd) -> marks.Row:
    """A graded student, without a process: the functions are asked here."""
    space, found = functions(**{name: code for name, code in odd.items() if name in HONEST}), []
    for exercise, cases in zip(EXERCISES_01, CASES, strict=True):
        answer = Answer(tuple(ask(space[exercise.name], case) for case in cases))
        found.append(marks.Mark(exercise, *marks._mark(exercise, cases, answer, (), lang, "en", Limits())))
    more = {name: value for name, value in odd.items() if name not in HONEST}
    return marks.Row(Submission(student, **{"file": f"{student}.ipynb", "lang": lang, "cells": ("x",), **more}),
                     tuple(found), alike)


def absent(student: str, status="nothing handed in", **more) -> marks.Row:
    submission = Submission(student, status=status, problem="Nothing was handed in.", **more)
    return marks.Row(submission, tuple(marks.Mark(exercise, status) for exercise in EXERCISES_01))


def grades(*rows_, **more) -> marks.Grades:
    return marks.Grades("01", 7, "netns", "", EXERCISES_01, rows_, **more)


SUM = {"clipped_policy": HONEST["clipped_policy"].replace(".mean()", ".sum()")}
ANA = row("Ana")
BEN = row("Ben", lang="zh", **SUM, adapt="def adapt(*a):\n    raise ValueError('<script>alert(1)</script>')")


# Points by case

@pytest.mark.parametrize(("points", "right", "asked", "partial"), [
    (3, 4, 8, 0.5), (3, 7, 8, 1.0), (3, 8, 8, 1.5), (1, 7, 8, 0.0), (1, 8, 8, 0.5), (2, 0, 8, 0.0), (2, 4, 8, 0.5)])
def test_half_of_the_points_are_shared_by_the_cases_and_rounded_down(points, right, asked, partial):
    exercise = next(e for e in EXERCISES.values() if e.points == points)
    assert marks.Mark(exercise, "wrong", right=right, asked=asked).partial == partial
    assert marks.Mark(exercise, "right", right=right, asked=asked).partial == 0


def test_an_answer_that_is_right_on_the_worked_example_alone_gets_nothing():
    exercise = EXERCISES["1.5"]
    expected = ask(exercise.reference, exercise.worked).values[0].item()
    mark = row("x", clipped_policy=f"def clipped_policy(logprob, *others):\n    return logprob.sum() * 0 + {expected}")
    assert (mark.marks[4].right, mark.marks[4].partial) == (0, 0.0)


def test_wrong_answers_earn_little_by_it():
    """All of the kit's own wrong answers, together: less than a tenth of their points."""
    earned = of = 0.0
    for name in sorted({lesson_of(number) for number in EXERCISES}):
        mutants = importlib.import_module(f"mutants.lesson_{name}").MUTANTS
        for number, wrong in mutants.items():
            exercise, cases = EXERCISES[number], EXERCISES[number].all_cases(7)
            for mutant in (one[1] for one in wrong[:3]):
                right = [compare(exercise, [case], [ask(mutant, case)]).right for case in cases[1:]]
                if not all(right):
                    earned += math.floor(exercise.points * sum(right) / len(right)) / 2
                    of += exercise.points
    assert earned < 0.1 * of


# Tables

def read(path: Path) -> list[dict]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig"))))


def test_the_plain_table_says_what_there_is_to_say(tmp_path):
    late = row("Cleo;=1+1", when=datetime(2026, 12, 1, 1, 2), when_from="zip", note="The newest of 2 files counts.",
               others=(("a.ipynb", "Older."),), alike="1.3: Ana")
    table.write_csv(tmp_path / "g.csv", grades(ANA, BEN, late, absent("Dan"), due=datetime(2026, 11, 30, 23, 59),
                                               partial=True, missing=("namespaces",)))
    ana, ben, cleo, dan = read(tmp_path / "g.csv")
    assert [ana[name] for name in ("total", "partial", "with partial", "out of")] == [str(n) for n in (TOTAL, 0, TOTAL,
                                                                                                       TOTAL)]
    assert (ben["1.5 clipped_policy"], ben["total"]) == ("0", f"{TOTAL - 4}")
    assert float(ben["with partial"]) == TOTAL - 4 + float(ben["partial"])
    assert cleo["student"] == "Cleo;'=1+1"
    assert (cleo["handed in"], cleo["time from"], cleo["late"]) == ("2026-12-01 01:02", "zip", "1 h 3 min")
    assert (cleo["other files"], cleo["alike"]) == ("a.ipynb: Older.", "1.3: Ana")
    assert (dan["status"], dan["note"]) == ("nothing handed in", "Nothing was handed in.")
    assert {r["isolation"] for r in (ana, ben)} == {"netns, missing: namespaces"}


def test_without_a_platforms_numbers_moodle_gets_its_columns(tmp_path):
    moodle = row("Ana", number="123456", email="ana@x.edu")
    table.write_csv(tmp_path / "m.csv", grades(moodle, absent("Dan")), "moodle")
    ana, dan = read(tmp_path / "m.csv")
    assert (ana["Identifier"], ana["Grade"], ana["Maximum Grade"]) == ("Participant 123456", f"{TOTAL}", f"{TOTAL}")
    assert dan["Grade"] == ""


@pytest.mark.parametrize("head", ["Identifier,Full name,Status,Grade,Last modified (grade),Feedback comments",
                                  "标识符,全名,状态,成绩,最后修改时间（成绩）,反馈评论"])
def test_moodles_own_worksheet_is_filled_in_whatever_its_language(tmp_path, head):
    word = "Participant" if head.startswith("I") else "参与者"
    (tmp_path / "w.csv").write_text(f"{head}\n{word} 7,Ana,Submitted,-,-,\n{word} 8,Dan,-,-,-,\n", encoding="utf-8")
    people = roster.read(tmp_path / "w.csv")
    ana = row("Ana", person=people.people[0], **SUM)
    table.write_csv(tmp_path / "m.csv", grades(ana, absent("Dan", person=people.people[1])), "moodle", people)
    lines = list(csv.reader(io.StringIO((tmp_path / "m.csv").read_text(encoding="utf-8-sig"))))
    assert ",".join(lines[0]) == head
    assert lines[1][:5] == [f"{word} 7", "Ana", "Submitted", f"{TOTAL - 3}", "-"]
    assert "1.5 clipped_policy: 0/3" in lines[1][5]
    assert lines[2][3] == ""


def test_canvas_gets_its_gradebook(tmp_path):
    (tmp_path / "c.csv").write_text("Student,ID,SIS User ID,SIS Login ID,Section,Lesson 01 PPO (98765),Other (1)\n"
                                    "    Points Possible,,,,,12,5\n\"Lopez, Ana\",123,S1,ana,A,,\n", encoding="utf-8")
    people = roster.read(tmp_path / "c.csv")
    table.write_csv(tmp_path / "g.csv", grades(row("Ana Lopez", person=people.people[0])), "canvas", people)
    lines = list(csv.reader(io.StringIO((tmp_path / "g.csv").read_text(encoding="utf-8-sig"))))
    assert lines == [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Lesson 01 PPO (98765)"],
                     ["    Points Possible", "", "", "", "", f"{TOTAL}"],
                     ["Lopez, Ana", "123", "S1", "ana", "A", f"{TOTAL}"]]


@pytest.mark.parametrize("form", table.FORMATS)
def test_a_table_replaces_its_like_and_nothing_else(tmp_path, form):
    table.write_csv(tmp_path / "g.csv", grades(ANA), form)
    table.write_csv(tmp_path / "g.csv", grades(BEN), form)
    (tmp_path / "own.csv").write_text("name,grade\n", encoding="utf-8")
    with pytest.raises(StorageError, match="Move it away"):
        table.write_csv(tmp_path / "own.csv", grades(ANA), form)


def test_late_is_what_came_after_the_hour_and_what_the_platform_says():
    due = datetime(2026, 11, 30, 23, 59)
    assert row("x", when=due).late(due) is None
    assert row("x", when=due + timedelta(days=2, minutes=5)).late(due) == timedelta(days=2, minutes=5)
    assert table.lateness(row("x", late=True).late(None)) == say("en", "grade_late_platform")
    assert row("x").late(due) is None


# Pages

class Tags(HTMLParser):
    """Every tag opened is closed, and none runs, loads or styles by itself."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.words = [], set(), []

    def handle_starttag(self, tag, attributes):
        self.seen.add(tag)
        assert not [name for name, _ in attributes if name.startswith("on") or name in ("style", "src")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def checked(page: str) -> str:
    """The text of a page that is well-formed and harmless."""
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert not tags.seen & {"script", "iframe", "img", "object", "link", "form", "base"}
    style = re.search(r"<style>(.*)</style>", page, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in page
    assert "prefers-color-scheme: dark" in style
    return " ".join(" ".join(tags.words).split())


def test_a_students_page_shows_what_was_asked_given_expected_and_why():
    text = checked(feedback.feedback(row("Ana", **SUM), grades(), "en"))
    mark = row("Ana", **SUM).marks[4]
    for words in (f"{TOTAL - 3} of {TOTAL} points",
                  "1.5 · The clipped loss", "No gradient flows into the advantage", mark.yours,
                  mark.expected, mark.remark, "section “4 Learn, in small steps”", "Right, on every case."):
        assert words in text
    assert mark.known


def test_a_chinese_students_page_is_chinese_and_strangers_words_are_words():
    page = feedback.pages(grades(BEN))["Ben.html"]
    text = checked(page)
    assert 'lang="zh-CN"' in page
    assert "截断的损失" in text
    assert "4 学习，步子要小" in text
    assert "<script>alert(1)</script>" in text
    assert "Not right yet" not in text


def test_a_page_about_a_file_that_cannot_be_read_says_why():
    text = checked(feedback.feedback(absent("Eva", "unreadable", file="e.ipynb"), grades(), "en"))
    assert "Nothing was handed in." in text


@pytest.mark.parametrize("student", ["../../etc/passwd", "a/b", "CON", "..", "", "<b>", "x" * 300, "a\x00b", ".hidden"])
def test_a_pages_name_is_a_name_and_no_place(student):
    name = feedback.file_name(student)
    assert re.fullmatch(r"[\w ()-][\w ().-]{0,79}", name)
    assert name.upper() != "CON"


def test_students_of_like_names_have_pages_of_their_own_and_the_absent_none():
    names = list(feedback.pages(grades(row("ana"), row("Ana"), row("Ａna"), row("an/a"), absent("Dan"))))
    assert len({name.casefold() for name in names}) == 4


def test_the_class_page_counts_mistakes_and_names_nobody():
    people = [row(name, **SUM) for name in ("Zacharias", "Yolanda", "Xaver")]
    people += [BEN, absent("Wilhelmina"), row("Viktor")]
    page = class_page.class_page(grades(*people), "en")
    text = checked(page)
    told = people[0].marks[4].told
    assert told in text
    assert re.search(rf'<td class="n">4</td><td><meter[^>]*></meter></td><td>{re.escape(pages.text(told))}', page)
    assert "6 students, 5 graded" in text
    assert "It ends with ValueError." in text
    assert not [name for name in ("Zacharias", "Yolanda", "Wilhelmina", "Viktor", "alert") if name in text]


def test_markdown_of_a_lesson_becomes_what_it_means():
    html = pages.markdown("A **b** `c<d>` $\\beta \\leftarrow \\frac{1}{n}$\n\n| a | b |\n|---|---|\n| 1 | `x` |\n\n"
                          "- one\n- *two*\n\n一行\n下一行 <i>")
    assert html == ("<p>A <b>b</b> <code>c&lt;d&gt;</code> <i>β ← (1)/(n)</i></p>\n<table><tr><th>a</th><th>b</th></tr>"
                    "<tr><td>1</td><td><code>x</code></td></tr></table>\n<ul><li>one</li><li><em>two</em></li></ul>\n"
                    "<p>一行下一行 &lt;i&gt;</p>")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_exercise_of_a_lesson_is_found_with_its_text_section_and_solution(lang):
    for source in (Path(__file__).parents[2] / "notebooks" / "source").glob("*.py"):
        asked = statements.asked(source.stem.split("_")[0], lang)
        assert len(asked) == len(re.findall(r"^# ### ✏️ Exercise", source.read_text(encoding="utf-8"), re.M)) > 0
        for number, one in asked.items():
            assert one.title
            assert one.section
            assert len(one.text) > 30
            assert f"def {EXERCISES[number].name}(" in one.solution
            assert "# solution:" not in one.solution


# What changed, and who is alike

def test_what_changed_against_the_earlier_table_is_said(tmp_path):
    table.write_csv(tmp_path / "g.csv", grades(ANA, BEN, row("Cleo"), row("=Gus")))
    before = changes.earlier(tmp_path / "g.csv")
    assert changes.changes(before, grades(ANA, BEN, row("Cleo"), row("=Gus"))) == []
    found = changes.changes(before, grades(ANA, row("Ben", **SUM), row("Dan"), row("=Gus")))
    assert found == [changes.Change("Ben", f"{TOTAL - 4}", f"{TOTAL - 3}", (("1.6", "0", "1"),)),
                     changes.Change("Dan", "", f"{TOTAL}"), changes.Change("Cleo", f"{TOTAL}", "")]


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"student,\xff\n", b"student,file\n\"", b"\x00" * 50])
def test_a_file_that_is_no_table_has_nothing_to_compare_with(tmp_path, content):
    (tmp_path / "g.csv").write_bytes(content)
    assert changes.earlier(tmp_path / "g.csv") == {}
    assert changes.earlier(tmp_path / "none.csv") == {}


OWN = """def gae(reward, value, mask, gamma, lam):
    out = torch.zeros_like(reward)
    for i in range(reward.shape[0]):
        n, run = int(mask[i].sum()), 0.0
        for t in range(n - 1, -1, -1):
            following = value[i, t + 1] if t < n - 1 else 0.0
            run = reward[i, t] + gamma * following - value[i, t] + gamma * lam * run
            out[i, t] = run
    return out"""


def test_answers_that_differ_in_names_and_comments_only_are_alike():
    renamed = re.sub(r"\brun\b", "acc", OWN)
    renamed = renamed.replace("    out[i, t] =", "    # write it\n            out[i, t] = \\\n   ")
    assert renamed != OWN
    published = statements.asked("01", "en")["1.3"].solution
    people = [Submission("Ana", cells=(OWN,)), Submission("Ben", cells=(renamed,)),
              Submission("Cleo", cells=tuple(lesson())), Submission("Dan", cells=(published,)),
              Submission("Eva", cells=(published,)), Submission("Fay", cells=(STUB,)),
              Submission("Gus", cells=(OWN.replace("0.0", "0.1"),))]
    assert likeness.alike(people, EXERCISES_01, "01") == ["1.3: Ben", "1.3: Ana", "", "", "", "", ""]


def test_everybody_with_whom_it_is_the_same_exercise_stands_behind_it_once():
    people = [Submission(name, cells=(OWN,)) for name in ("Ana", "Ben", "Cleo")]
    assert likeness.alike(people, EXERCISES_01, "01") == ["1.3: Ben, Cleo", "1.3: Ana, Cleo", "1.3: Ana, Ben"]


def test_what_many_write_is_the_common_way_and_no_hint():
    people = [Submission(str(n), cells=(OWN,)) for n in range(5)]
    assert likeness.alike(people, EXERCISES_01, "01") == [""] * 5


# The command

@pytest.fixture
def asked_here(monkeypatch):
    """The grader without its worker: answers are asked in this process, one after the other."""
    class Nobody:
        cell, why_not, missing = True, "", ()

        def __init__(self, *arguments, **more):
            pass

        def close(self):
            pass

        def ask(self, cells, questions):
            space = {"torch": torch, "math": math}
            for cell in cells:
                if not cell.startswith(("kit", "%")):
                    exec(cell, space)
            return [Answer(tuple(ask(space[name], case) for case in cases)) for name, cases in questions]
    monkeypatch.setattr(marks, "Worker", Nobody)
    monkeypatch.setattr(marks, "_given", lambda worker, work, all_: ((i, work(s)) for i, s in enumerate(all_)))
    monkeypatch.setattr("rlhf_kit.classroom.grading.starting.Process", Nobody)


def hand_in(folder: Path, **students) -> Path:
    folder.mkdir(exist_ok=True)
    for name, odd in students.items():
        (folder / f"{name}.py").write_text("# %%\n" + "\n\n# %%\n".join([IMPORTS, *{**HONEST, **odd}.values()]),
                                           encoding="utf-8")
    return folder


def grade(folder, *options) -> int:
    return cli.main(["grade", str(folder), "--lesson", "01", "--seed", "7", *map(str, options)])


def test_the_command_writes_all_and_says_what_changed(tmp_path, asked_here, capsys):
    folder = hand_in(tmp_path / "in", ana={}, ben=SUM)
    (tmp_path / "class.csv").write_text("name,email\nAna,a@x\nBen,b@x\nDan,d@x\n", encoding="utf-8")
    options = ("--csv", tmp_path / "g.csv", "--roster", tmp_path / "class.csv", "--due", "2020-01-01T12:00",
               "--feedback", tmp_path / "fb", "--class-page", tmp_path / "class.html", "--partial", "--lang", "en")
    assert grade(folder, *options) == 0
    assert sorted(p.name for p in (tmp_path / "fb").glob("*.html")) == ["Ana.html", "Ben.html"]
    assert [r["status"] for r in read(tmp_path / "g.csv")] == ["ok", "ok", "nothing handed in"]
    checked((tmp_path / "class.html").read_text(encoding="utf-8"))
    assert "changed" not in capsys.readouterr().out
    hand_in(folder, ben={})
    assert grade(folder, *options) == 0
    assert f"1 changed against the earlier table: Ben {TOTAL - 3} → {TOTAL} (1.5 0→3)" in capsys.readouterr().out
    assert {p.name for p in tmp_path.iterdir()} == {"in", "class.csv", "g.csv", "fb", "class.html"}


def test_who_would_be_gone_from_the_table_stays_in_a_copy_of_it(tmp_path, asked_here, capsys):
    everybody, one = hand_in(tmp_path / "in", ana={}, ben=SUM), hand_in(tmp_path / "one", ben={})
    assert grade(everybody, "--csv", tmp_path / "g.csv", "--lang", "en") == 0
    before = (tmp_path / "g.csv").read_bytes()
    for kept in ("g.earlier.csv", "g.earlier-2.csv"):
        assert grade(one, "--csv", tmp_path / "g.csv", "--lang", "en") == 0
        assert "the earlier table is kept there" in capsys.readouterr().out
        assert (tmp_path / kept).read_bytes() == before
        (tmp_path / "g.csv").write_bytes(before)


def test_a_terminal_sees_how_many_are_graded(tmp_path, asked_here, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    folder = hand_in(tmp_path / "in", ana={}, ben=SUM)
    assert grade(folder, "--csv", tmp_path / "g.csv", "--lang", "en") == 0
    said = capsys.readouterr().err
    assert "Graded so far" in said
    assert "2/2" in said
    assert grade(folder, "--lang", "en", "--json") == 0
    assert capsys.readouterr().err == ""


def test_a_class_fits_a_terminal_of_80_columns(tmp_path, asked_here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    many = {f"{name}-Featherstonehaugh": {"gae": OWN} for name in ("Ana", "Ben", "Cleo")}
    assert grade(hand_in(tmp_path / "in", **many), "--due", "2020-01-01T12:00", "--lang", "en") == 0
    lines = capsys.readouterr().out.splitlines()[:4]
    assert [line.split("-")[0] for line in lines[1:]] == ["Ana", "Ben", "Cleo"]
    assert all(len(line) < 80 and line.rstrip().endswith("ok, late, alike") for line in lines[1:])


@pytest.mark.parametrize(("cells", "remark"), [
    (["four = praise(4)", 'gae = kit.check("1.3", gae)'], "There is no function gae in it. Was its cell deleted"),
    (["four = praise(4)", "def whiten(a)\n    return a", "def gae(reward):\n    fro t in reward"],
     "The cell that should define gae is not right: line 3: invalid syntax"),     # with that of # %%
    (["four = praise(4)", "@slow\ndef gae(reward):\n    return reward"],
     "The cell that should define gae is not right: gae: NameError: name 'slow' is not defined"),
    (["four = praise(4)", "gae = make()"], "gae is mentioned, but not defined as a function at the top of a cell"),
])
def test_of_a_function_that_is_not_there_its_own_cell_is_told_and_no_other(tmp_path, asked_here, monkeypatch, cells,
                                                                           remark):
    monkeypatch.setattr(marks.Worker, "ask", lambda self, cells, questions: [
        Answer(trouble="not found", problems=tuple(picking.define(cells, [name], {}))) for name, _ in questions])
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "ana.py").write_text("# %%\n" + "\n# %%\n".join(cells), encoding="utf-8")
    assert grade(tmp_path / "in", "--csv", tmp_path / "g.csv", "--lang", "en") == 0
    told = read(tmp_path / "g.csv")[0]["1.3 gae: remark"]
    assert told.startswith(remark)
    assert "four" not in told
    assert "whiten" not in told


def test_a_grading_that_is_cut_off_keeps_all_that_is_graded(tmp_path, asked_here, monkeypatch, capsys):
    folder = hand_in(tmp_path / "in", ana={}, ben={}, cleo={})

    def cut(worker, work, all_):
        yield 0, work(all_[0])
        raise NoGrading("the walls cannot be built again; pass --no-walls to grade without walls.")
    monkeypatch.setattr(marks, "_given", cut)
    for file in ("g.csv", "g.unfinished.csv"):
        assert grade(folder, "--csv", tmp_path / "g.csv", "--lang", "en") == 2
        err = capsys.readouterr().err
        assert f"what was graded so far is in {tmp_path / file}" in err
        assert "--no-walls" in err
        assert [(r["student"], r["status"]) for r in read(tmp_path / file)] == [
            ("ana", "ok"), ("ben", "not graded"), ("cleo", "not graded")]
    assert (tmp_path / "g.csv").exists()


def test_ctrl_c_says_that_the_next_run_begins_anew(tmp_path, asked_here, monkeypatch, capsys):
    folder = hand_in(tmp_path / "in", ana={}, ben={})

    def stopped(worker, work, all_):
        yield 1, work(all_[1])
        raise KeyboardInterrupt
    monkeypatch.setattr(marks, "_given", stopped)
    assert grade(folder, "--csv", tmp_path / "g.csv", "--lang", "en") == 130
    assert "grades everybody anew" in capsys.readouterr().err
    assert [r["status"] for r in read(tmp_path / "g.csv")] == ["not graded", "ok"]


def test_walls_are_not_given_up_unless_asked(tmp_path, asked_here, monkeypatch, capsys):
    folder, asked_for = hand_in(tmp_path / "in", ana={}), []

    class Refused(marks.Worker):
        def __init__(self, *arguments, cell, **more):
            asked_for.append(cell)
            self.cell, self.why_not, self.missing = cell, "" if cell else "not asked for", ("namespaces",)
            if cell:
                raise NoCell("no namespaces here; pass --no-walls to grade without walls.")
    monkeypatch.setattr(marks, "Worker", Refused)
    assert grade(folder, "--lang", "en", "--csv", tmp_path / "g.csv") == 2
    assert capsys.readouterr().err == "rlhf-kit: no namespaces here; pass --no-walls to grade without walls.\n"
    assert not (tmp_path / "g.csv").exists()
    assert grade(folder, "--lang", "en", "--csv", tmp_path / "g.csv", "--no-walls") == 0
    assert asked_for == [True, False]
    assert "namespaces" in capsys.readouterr().err
    assert read(tmp_path / "g.csv")[0]["isolation"] == "none, missing: namespaces"


def test_the_terminal_is_not_the_students(tmp_path, asked_here, capsys):
    folder = hand_in(tmp_path / "in", **{"a\x1b[2J\u202eb": {}, "ben": {}, "b\u0435n": {}})
    (folder / "\x1b]0;x\x07.csv").write_text("x")
    assert grade(folder, "--lang", "en") == 0
    said = "".join(capsys.readouterr())
    assert not set("\x1b\x07\u202e") & set(said)
    assert "ben (LATIN), b\u0435n (LATIN, CYRILLIC)" in said


@pytest.mark.parametrize(("options", "words"), [
    (("--due", "tomorrow"), "no time, such as 2026"), (("--roster", "nobody.csv"), "nobody.csv cannot be read"),
    (("--feedback", "in/fb"), "lies among the hand-ins"), (("--feedback", "in/ana.py"), "lies among the hand-ins"),
    (("--class-page", "in/ana.py"), "Move it away"), (("--format", "excel"), "invalid choice")])
def test_slips_are_one_line_before_anything_is_graded(tmp_path, monkeypatch, capsys, options, words):
    monkeypatch.chdir(tmp_path)
    hand_in(Path("in"), ana={})
    try:
        code = grade("in", *options)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    assert words in capsys.readouterr().err


def test_without_a_language_each_student_has_their_own(tmp_path, asked_here):
    folder = hand_in(tmp_path / "in", ana=SUM)
    (folder / "陈.py").write_text((folder / "ana.py").read_text() + "\n# 这是我的作业，已经做完了\n", encoding="utf-8")
    assert grade(folder, "--csv", tmp_path / "g.csv") == 0
    remarks = [r["1.5 clipped_policy: remark"] for r in read(tmp_path / "g.csv")]
    assert remarks[0].isascii()
    assert re.search("[\u4e00-\u9fff]", remarks[1])
