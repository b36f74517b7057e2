"""What learning platforms hand out becomes one row a student, and no file is left out without a word."""

import io
import json
import os
import subprocess
import sys
import time
import tracemalloc
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from attacks import HONEST, NUMBERS, STUB, lesson, notebook

from rlhf_kit.classroom.grading import archives, cells, names, platforms, roster, submissions
from rlhf_kit.classroom.grading.cells import Unreadable
from rlhf_kit.classroom.grading.definitions import definitions
from rlhf_kit.language import say

ROOT = Path(__file__).parents[2]
WANTED = {"01": list(NUMBERS), "02": ["ranks_to_pairs", "pair_loss"]}
DONE = notebook(lesson())
UNTOUCHED = (ROOT / "notebooks/01_sentiment_ppo.ipynb").read_text(encoding="utf-8")


def put(folder: Path, files: dict) -> Path:
    """Write files of {name: text or bytes or (text, minutes after noon)}."""
    for name, content in files.items():
        content, minutes = content if isinstance(content, tuple) else (content, 0)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        when = datetime(2026, 11, 30, 12, minutes).timestamp()
        os.utime(path, (when, when))
    return folder


def zipped(files: dict, **more) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in files.items():
            book.writestr(zipfile.ZipInfo(name, (2026, 11, 30, 12, 0, 0)), content, compress_type=8, **more)
    return file.getvalue()


def peak(work) -> int:
    """Bytes that Python's own objects took at most while it worked."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def collected(folder: Path, files: dict, **more) -> submissions.Collection:
    return submissions.collect(put(folder, files), "01", wanted=WANTED, **more)


def only(folder: Path, files: dict) -> submissions.Submission:
    [one] = collected(folder, files).submissions
    return one


# Whose it is

@pytest.mark.parametrize(("path", "name", "number"), [
    ("Ana Lopez_123456_assignsubmission_file_/01_sentiment_ppo.ipynb", "Ana Lopez", "123456"),
    ("Ana Lopez_123456_assignsubmission_file_01_sentiment_ppo.ipynb", "Ana Lopez", "123456"),
    ("欧阳 娜_77_assignsubmission_file_/a/b/c.ipynb", "欧阳 娜", "77"),
    ("lopezana_123_4567_01_sentiment_ppo-1.ipynb", "lopezana", "123"),
    ("lopezana_LATE_123_4567_01_sentiment_ppo.ipynb", "lopezana", "123"),
    ("Homework 1_alopez_attempt_2026-11-30-23-10-00_01.ipynb", "alopez", "alopez"),
    ("1234-567 - Ana Lopez - Nov 3, 2026 905 PM/01.ipynb", "Ana Lopez", ""),
    ("ana.ipynb", "ana", ""), ("Copy of ana (2).ipynb", "ana", ""), ("ana_01_sentiment_ppo.ipynb.txt", "ana", ""),
    ("01_sentiment_ppo-陈伟 的副本.ipynb", "陈伟", ""), ("陈伟_01_sentiment_ppo (1).ipynb", "陈伟", ""),
    ("Ana Lopez - 01_sentiment_ppo.py", "Ana Lopez", ""), ("__ana/x.ipynb", "__ana", ""), ("ana.pdf", "ana", ""),
    ("01_sentiment_ppo (1).ipynb", "01_sentiment_ppo (1)", "")])
def test_a_name_says_whose_it_is(path, name, number):
    owner = platforms.owner(path.split("/"))
    assert (owner.name, owner.number) == (name, number)


def test_a_platforms_time_and_its_late_mark_are_read():
    assert platforms.owner(["H_a_attempt_2026-11-30-23-10-05_x.py"]).when == datetime(2026, 11, 30, 23, 10, 5)
    assert platforms.owner(["1-2 - Ana - Nov 3, 2026 905 PM", "x"]).when == datetime(2026, 11, 3, 21, 5)
    assert platforms.owner(["lopezana_LATE_1_2_x.ipynb"]).late


def test_the_lessons_titles_are_those_of_the_lessons():
    assert [p.stem.split("_", 1)[1] for p in sorted((ROOT / "notebooks/source").glob("*.py"))] == list(platforms.TITLES)


def test_what_a_student_writes_inside_does_not_make_it_anothers(tmp_path):
    """Ana cannot hand in for Ben by what her folder or her zip holds."""
    theirs = {"Ben Ode_9_assignsubmission_file_/01.ipynb": DONE, "ben_8_7_01.ipynb": DONE, "../../ben.ipynb": DONE}
    got = collected(tmp_path, {"Ana_1_assignsubmission_file_/" + name.replace("../", ""): DONE for name in theirs} |
                    {"Ana_1_assignsubmission_file_/all.zip": zipped(theirs), "carl/x.ipynb": DONE})
    assert [s.student for s in got.submissions] == ["Ana", "carl"]
    assert len(got.submissions[0].others) == 5


@pytest.mark.parametrize("form", ["zip", "zip in a folder", "folder in a folder"])
def test_a_platforms_download_is_looked_into(tmp_path, form):
    files = {"Ana_1_assignsubmission_file_/01.ipynb": DONE, "Ben_2_assignsubmission_file_/w.zip":
             zipped({"w/01_sentiment_ppo.ipynb": DONE})}
    if form == "folder in a folder":
        put(tmp_path, {f"download/{name}": text for name, text in files.items()})
    else:
        put(tmp_path, {"download.zip": zipped(files)})
    place = tmp_path / "download.zip" if form == "zip" else tmp_path
    got = submissions.collect(place, "01", wanted=WANTED).submissions
    assert [(s.student, s.number) for s in got] == [("Ana", "1"), ("Ben", "2")]
    assert all(s.cells == tuple(lesson()) for s in got)
    assert got[1].file == "Ben_2_assignsubmission_file_/w.zip/w/01_sentiment_ppo.ipynb"


def test_two_of_one_name_stay_two(tmp_path):
    got = collected(tmp_path, {"Li Wei_1_assignsubmission_file_/a.ipynb": DONE,
                               "Li Wei_2_assignsubmission_file_/a.ipynb": DONE})
    assert [s.student for s in got.submissions] == ["Li Wei (1)", "Li Wei (2)"]


@pytest.mark.parametrize("other", ["\u0410na", "Ａna", "An\u0430", "Ana\u200b", "Aná",
                                   "A.na"])
def test_names_that_look_alike_are_said_and_not_put_together(tmp_path, other):
    got = collected(tmp_path, {"Ana.ipynb": DONE, f"{other}.ipynb": DONE, "Ben.ipynb": DONE})
    assert len(got.submissions) == 3
    assert [set(group) for group in got.alike] == [{"Ana", other}]


# Which counts

def test_the_newest_counts_of_those_with_something_written(tmp_path):
    one = only(tmp_path, {"ana/a.ipynb": (DONE, 1), "ana/b.ipynb": (notebook(lesson(adapt=STUB)), 5),
                          "ana/c.ipynb": (UNTOUCHED, 9), "ana/d.ipynb": (notebook(["x = 1"]), 9),
                          "ana/notes.docx": b"PK", "ana/e.ipynb": (DONE, 2)})
    assert one.file == "ana/b.ipynb"
    reasons = dict(one.others)
    assert reasons["ana/a.ipynb"] == say("en", "grade_older", when="2026-11-30 12:01", n=len(NUMBERS))
    assert reasons["ana/c.ipynb"] == say("en", "grade_untouched")
    assert reasons["ana/d.ipynb"] == say("en", "grade_no_functions")
    assert reasons["ana/notes.docx"] == say("en", "grade_not_a_notebook")
    assert len(reasons) == 5
    assert say("en", "grade_chosen", n=5) in one.note
    assert say("en", "grade_more_elsewhere") in one.note


def test_an_untouched_original_beside_the_finished_copy_does_not_count(tmp_path):
    one = only(tmp_path, {"ana/01_sentiment_ppo.ipynb": (UNTOUCHED, 5), "ana/Copy of 01_sentiment_ppo.ipynb": DONE})
    assert one.file == "ana/Copy of 01_sentiment_ppo.ipynb"


def test_of_one_age_the_higher_number_counts_and_then_the_fuller(tmp_path):
    one = only(tmp_path, {"lopezana_1_4_01-1.ipynb": notebook(lesson(adapt=STUB)), "lopezana_1_3_01.ipynb": DONE})
    assert one.file == "lopezana_1_4_01-1.ipynb"
    one = only(tmp_path / "b", {"ana/y.ipynb": DONE, "ana/z.ipynb": notebook(lesson(adapt=STUB))})
    assert one.file == "ana/y.ipynb"


EVE = "illeve_LATE_123_4567_x_{}_01.ipynb"
IDS = "name,ID\nBen Ode,9\nEve Ill,123\n"


@pytest.mark.parametrize("written", ["9_assignsubmission_file", "odeben_attempt_2026-11-01-10-00-00"])
@pytest.mark.parametrize("more", [{}, {"Cy_7_assignsubmission_file_01.ipynb": DONE,
                                       "HW1_cy_attempt_2026-11-30-10-00-00_01.ipynb": DONE}], ids=["one", "several"])
def test_a_name_in_another_platforms_form_makes_it_nobody_elses(tmp_path, written, more):
    """On Canvas Eve calls her file so that it reads like Ben's, from Moodle or Blackboard, and in time."""
    files = {EVE.format(written): notebook(lesson(adapt=STUB)), "odeben_9_1000_01.ipynb": DONE} | more
    seen = {s.student: s for s in collected(tmp_path / "in", files, roster=people(tmp_path, IDS)).submissions}
    assert seen["Ben Ode"].file == "odeben_9_1000_01.ipynb"
    assert (seen["Eve Ill"].file, seen["Eve Ill"].late) == (EVE.format(written), True)


@pytest.mark.parametrize(("first", "second"), [
    ("Eve_1_assignsubmission_file_", "Ben_9_assignsubmission_file_01.ipynb"),
    ("HW1_Eve_attempt_2026-12-05-10-00-00_", "Ben_attempt_2026-11-01-10-00-00_01.ipynb")])
def test_of_one_platforms_form_twice_in_a_name_the_first_is_the_platforms(first, second):
    assert platforms.owner([first + second]) == platforms.owner([f"{first}01.ipynb"])


def test_a_title_that_looks_like_another_platforms_numbers_makes_nobody_one(tmp_path):
    files = {f"HW_1_2_x_{name}_attempt_2026-11-30-10-00-00_01.ipynb": DONE for name in ("ana", "ben")}
    assert [s.student for s in collected(tmp_path, files).submissions] == ["ana", "ben"]


@pytest.mark.parametrize(("accounts", "listed", "whose"), [
    (["Ben Ode_9", "Ben Ode_5"], IDS, "9"), (["Ben Ode_6", "Ben Ode_5"], IDS, None),
    (["Ben Ode_6", "Eve 20260002_5"], "name,ID\nBen Ode,20260002\n", "6")])
def test_two_accounts_of_one_name_are_not_put_together(tmp_path, accounts, listed, whose):
    """Who may choose the name that a platform shows chooses nobody's row by it."""
    files = {f"{account}_assignsubmission_file_/01.ipynb": DONE for account in accounts}
    got = collected(tmp_path / "in", files, roster=people(tmp_path, listed)).submissions
    handed_in = [s for s in got if s.cells]
    assert [s.number for s in handed_in if s.person] == [whose] * bool(whose)
    assert [s.note.startswith(say("en", "grade_two_accounts", name="Ben Ode")) for s in handed_in] == [True, True]


def test_the_time_is_when_it_came_and_not_what_a_zip_says_of_its_inside(tmp_path):
    """A clock set back in one's own zip makes nobody punctual."""
    one = only(tmp_path, {"ana/w.zip": (zipped({"01.ipynb": DONE}), 30)})
    assert (one.when, one.when_from) == (datetime(2026, 11, 30, 12, 30), "disk")
    put(tmp_path, {"all.zip": zipped({"H_b_attempt_2026-11-30-23-10-00_01.ipynb": DONE, "ana_1_2_01.ipynb": DONE})})
    ana, ben = submissions.collect(tmp_path / "all.zip", "01", wanted=WANTED).submissions
    assert (ana.when, ana.when_from) == (datetime(2026, 11, 30, 12, 0), "zip")
    assert (ben.when, ben.when_from) == (datetime(2026, 11, 30, 23, 10), "name")


# Every file is accounted for

def test_what_is_not_a_notebook_has_a_row_or_is_passed_over_with_a_reason(tmp_path):
    got = collected(tmp_path, {"ana.ipynb": DONE, "ben.pdf": b"%PDF", "cleo.ipynb": "", "dan.ipynb": DONE[:900],
                               "eva.ipynb": "<!DOCTYPE html><html>", "fay.ipynb.txt": DONE, "__gus/x.ipynb": DONE,
                               "hal/.ipynb_checkpoints/x.ipynb": DONE, "ida/x.zip": b"PK no", "jo/notes.txt": "hello",
                               "grades.csv": "a,b", "README.md": "x", ".DS_Store": "x", "._ana.ipynb": "x",
                               "kim.ipynb": json.dumps({"cells": [], "metadata": {"kernelspec": {"language": "R"}}}),
                               "lou/x": DONE, "mia.ipynb": "[]"})
    seen = {s.student: s.problem for s in got.submissions}
    expected = {"ana": "", "ben": "grade_not_a_notebook", "cleo": "grade_empty_file", "dan": "grade_cut_off",
                "eva": "grade_web_page", "fay": "", "__gus": "", "hal": "", "ida": "grade_zip_damaged",
                "jo": "grade_no_notebook", "lou": "", "mia": "grade_no_notebook"}
    assert {who: seen[who] for who in expected} == {who: key and say("en", key) for who, key in expected.items()}
    assert "in R, not in Python" in seen["kim"]
    assert {file for file, _ in got.passed_over} == {"grades.csv", "README.md", ".DS_Store", "._ana.ipynb"}
    assert all(why for _, why in got.passed_over)


def test_a_file_without_a_name_costs_nobody_a_row(tmp_path):
    bad = zipped({"": "x", "..": "y", "01.ipynb": DONE})
    got = collected(tmp_path, {"ana.zip": bad, "ben.zip": zipped({"": ""}), "cleo.ipynb": DONE}).submissions
    assert [bool(s.cells) for s in got] == [True, False, True]
    assert [file for file, _ in got[0].others] == ["ana.zip/?", "ana.zip/?"]


def test_a_folder_that_cannot_be_read_is_a_row(tmp_path, monkeypatch):
    put(tmp_path, {"ana/01.ipynb": DONE, "ben.ipynb": DONE})
    look = os.scandir

    def refuse(place):
        if str(place).endswith("ana"):
            raise PermissionError(13, "Permission denied", str(place))
        return look(place)
    monkeypatch.setattr(os, "scandir", refuse)
    ana, ben = submissions.collect(tmp_path, "01", wanted=WANTED).submissions
    assert (ana.student, ana.problem) == ("ana", say("en", "grade_cannot_be_read", why="Permission denied"))
    assert ben.cells


def test_links_are_not_followed(tmp_path):
    put(tmp_path, {"ana/x.ipynb": DONE, "ben/y.txt": "x"})
    (tmp_path / "ben/x.ipynb").symlink_to(tmp_path / "ana/x.ipynb")
    (tmp_path / "cleo").symlink_to(tmp_path / "ana")
    got = submissions.collect(tmp_path, "01", wanted=WANTED).submissions
    assert {s.student: bool(s.cells) for s in got} == {"ana": True, "ben": False, "cleo": False}
    assert got[2].problem == say("en", "grade_link")


def test_a_notebook_of_another_lesson_says_so(tmp_path):
    one = only(tmp_path, {"ana.ipynb": notebook(["def ranks_to_pairs(x):\n    return x"])})
    assert (one.status, one.problem) == ("wrong lesson", say("en", "grade_other_lesson", lesson="02", wanted="01"))


def test_a_folder_with_nothing_in_it_is_said_in_one_line(tmp_path):
    with pytest.raises(ValueError, match=r"holds no .ipynb"):
        collected(tmp_path, {"README.md": "x"})


def test_the_language_is_the_notebooks(tmp_path):
    chinese = (ROOT / "notebooks/zh/01_sentiment_ppo.ipynb").read_text(encoding="utf-8")
    book = json.loads(chinese)
    without_setup = json.dumps(book | {"cells": [c for c in book["cells"] if "setup(" not in "".join(c["source"])]})
    got = collected(tmp_path, {"a.ipynb": chinese, "b.ipynb": without_setup, "c.ipynb": UNTOUCHED,
                               "d.py": "# 这是我的作业，请老师看\nx = 1"})
    assert [s.lang for s in got.submissions] == ["zh", "zh", "en", "zh"]


# Cells

SOURCE = ["def f():\n", "    return 'ü'\n"]


@pytest.mark.parametrize("text", [
    json.dumps({"nbformat": 4, "metadata": {"colab": {"name": "x"}, "accelerator": "GPU"}, "cells": [
        {"cell_type": "code", "source": SOURCE, "metadata": {"id": "x", "cellView": "form"}, "outputs": []}]}),
    json.dumps({"cells": [{"cell_type": "code", "source": "".join(SOURCE), "metadata": {"vscode": {
                               "languageId": "python"}}},
                          {"cell_type": "code", "source": "SELECT 1", "metadata": {"vscode": {"languageId": "sql"}}}],
                "metadata": {"language_info": {"name": "python", "codemirror_mode": {"name": "ipython"}}}}),
    json.dumps({"nbformat": 3, "worksheets": [{"cells": [{"cell_type": "code", "input": SOURCE, "language": "python",
                                                          "prompt_number": 3}], "metadata": {}}],
                "metadata": {"name": ""}}),
    "\ufeff" + json.dumps({"metadata": {"widgets": {"x": [[[]]]}}, "cells": [{"outputs": [{"data": ["\\\"]}"]}],
                           "metadata": {"jupyter": {"source_hidden": True}}, "source": SOURCE,
                           "cell_type": "code"}]}, ensure_ascii=False)])
def test_notebooks_of_all_programs_give_their_code(text):
    assert cells.read(text.encode(), "a.ipynb").cells == ("".join(SOURCE),)


@pytest.mark.parametrize("text", [
    "# ---\n# jupyter:\n# ---\n\n# %% [markdown]\n# def f(): no\n\n# %%\ndef f():\n    return 'ü'\n",
    "#%%\ndef f():\n    return 'ü'\n#%% [markdown]\n# text",
    "#!/usr/bin/env python\n# coding: utf-8\n\n# # Title\n\n# In[3]:\n\n\ndef f():\n    return 'ü'\n\n\n# In[ ]:\n",
    "\ufeffdef f():\r\n    return 'ü'\r\n"])
def test_scripts_of_all_programs_give_their_code(text):
    code = [c for c in cells.read(text.encode(), "a.py").cells if "def f" in c]
    space = {}
    [exec(compile(c, "", "exec"), space) for c in code]
    assert len(code) == 1
    assert space["f"]() == "ü"


def test_reading_agrees_with_json_on_every_lesson():
    for path in sorted((ROOT / "notebooks").rglob("*.ipynb")):
        book = json.loads(path.read_text(encoding="utf-8"))
        code = tuple("".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code")
        assert cells.read(path.read_bytes(), path.name).cells == code


CELL = '{"cells": [{"cell_type": "code", "source": "x = 1", "outputs": %s}]}'


HUGE = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from rlhf_kit.classroom.grading import cells
resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20,) * 2)
one = '{"cells": [{"cell_type": "code", "source": %s, "outputs": %s}]}'
many = "[" + "[]," * 13_000_000 + "1]"
for make in (lambda: one % ('""', many), lambda: one % (many, "[]"),
             lambda: one % ('"' + "x" * 39_000_000 + '"', "[]"), lambda: '{"cells": [' + "{}," * 13_000_000 + "{}]}",
             lambda: "{" + '"a":1,' * 6_000_000 + "}", lambda: '{"cells": ' + "[" * 5_000_000):
    try:
        cells.read(make().encode(), "a.ipynb")
    except cells.Unreadable as error:
        print(error.key)
"""


def test_forty_megabytes_of_anything_cost_no_gigabyte():
    """With 400 MiB for the process, Python and the text itself in two copies among them; `json.loads` takes 1.4 GB."""
    done = subprocess.run([sys.executable, "-c", HUGE, str(ROOT)], capture_output=True, text=True)
    assert done.stdout.split() == ["grade_too_nested", "grade_too_nested", "grade_too_much_code",
                                   "grade_too_many_cells", "grade_too_nested", "grade_no_notebook"], done.stderr


@pytest.mark.parametrize("outputs", ['["' + "iVBOR" * 6_000_000 + '"]', "[" + '"step 1: 0.3\\n",' * 2_000_000 + '""]'],
                         ids=["a picture", "lines"])
def test_thirty_megabytes_of_outputs_are_passed_over(outputs):
    assert cells.read((CELL % outputs).encode(), "a.ipynb").cells == ("x = 1",)


# Zips

def test_zips_in_zips_are_opened_and_a_name_is_never_a_place(tmp_path):
    inner = zipped({"../../../etc/x.ipynb": DONE, "C:\\windows\\y.txt": "y"})
    one = only(tmp_path, {"ana/a.zip": zipped({"/b.zip": inner, "__MACOSX/._b": "x"})})
    assert one.file == "ana/a.zip/b.zip/etc/x.ipynb"
    assert dict(one.others)["ana/a.zip/b.zip/windows/y.txt"] == say("en", "grade_no_notebook")
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [tmp_path / "ana/a.zip"]


def test_a_zip_that_never_ends_costs_little(tmp_path, monkeypatch):
    """Ten nested zips, much that is packed small, many files: each has a row, and what it takes is bounded."""
    monkeypatch.setattr(archives, "LARGEST_FILE", 8 * 2**20)
    nested = zipped({"01.ipynb": DONE})
    for _ in range(10):
        nested = zipped({"x.zip": nested})
    zeros = zipped({"01.ipynb": bytes(100 * 2**20)})
    many = zipped({f"{n}.txt": "" for n in range(archives.FILES + 1)})
    files, got = {"ana/x.zip": nested, "ben/x.zip": zeros, "cleo/x.zip": many, "dan/x.ipynb": DONE}, []
    assert peak(lambda: got.append(collected(tmp_path, files))) < 4 * archives.LARGEST_FILE
    [got] = got
    why = {s.student: " ".join([s.problem, *(reason for _, reason in s.others)]) for s in got.submissions}
    assert say("en", "grade_zip_too_deep", limit=3) in why["ana"]
    assert say("en", "grade_too_large", limit=8) in why["ben"]
    assert say("en", "grade_zip_too_many", limit=archives.FILES) in why["cleo"]
    assert why["dan"].strip() == ""


def test_a_zip_with_an_endless_list_of_files_is_not_opened():
    head = b"PK\x01\x02" + bytes(42)
    content = head * (archives.INDEX // len(head) + 1)
    end = b"PK\x05\x06" + bytes(8) + len(content).to_bytes(4, "little") + bytes(6)
    found = archives.Found(("x.zip",), None, "disk", lambda: content + end)
    with pytest.raises(Unreadable) as error:
        list(archives.inside(found))
    assert error.value.key == "grade_zip_damaged"


@pytest.mark.parametrize(("written", "name"), [("作业".encode("gb18030"), "作业"), ("作".encode() + b"b", "作b")])
def test_chinese_names_of_any_windows_are_read(tmp_path, written, name):
    content = zipped({"abcd/01.ipynb": DONE}).replace(b"abcd", written)
    assert only(tmp_path, {"ana/x.zip": content}).file == f"ana/x.zip/{name}/01.ipynb"


def test_a_locked_zip_is_said_to_be_locked(tmp_path):
    content = bytearray(zipped({"01.ipynb": DONE}))
    content[6] |= 1
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    assert only(tmp_path, {"ana/x.zip": bytes(content)}).problem == say("en", "grade_zip_locked")


# The roster

def people(tmp_path: Path, text: str) -> roster.Roster:
    path = tmp_path / "roster.csv"
    path.write_bytes(text.encode("utf-8-sig"))
    return roster.read(path)


CLASS = ("First name,Surname,ID number,Email address\nAna,López García,20260001,ana@x.edu\n"
         "Ben,Ode,20260002,b.ode@x.edu\n"
         "伟,陈,20260003,cw@x.edu\nDora,Abs,20260004,d@x.edu\n")


@pytest.mark.parametrize(("written", "student"), [
    ("lopez garcia ana", "Ana López García"), ("LÓPEZ_GARCÍA-Ana", "Ana López García"), ("odeben", "Ben Ode"),
    ("20260002", "Ben Ode"), ("Ben Ode 20269999", "Ben Ode"), ("b.ode", "Ben Ode"), ("陈伟", "陈伟"), ("陈 伟", "陈伟"),
    ("20260003_陈", "陈伟"), ("ana", "Ana López García"), ("Ｂｅｎ Ode", "Ben Ode")])
def test_a_name_is_found_on_the_roster_however_it_is_written(tmp_path, written, student):
    got = collected(tmp_path / "in", {f"{written}/01.ipynb": DONE}, roster=people(tmp_path, CLASS))
    assert [s.student for s in got.submissions if s.cells] == [student]
    assert len(got.submissions) == 4


def test_the_absent_have_a_row_and_strangers_are_said_to_be_strangers(tmp_path):
    got = collected(tmp_path / "in", {"Ben Ode.ipynb": DONE, "B\u0435n Ode.ipynb": DONE, "zoe.ipynb": DONE},
                    roster=people(tmp_path, CLASS))
    seen = {s.student: s for s in got.submissions}
    assert len(seen) == 6
    assert seen["Dora Abs"].status == "nothing handed in"
    assert seen["zoe"].note == say("en", "grade_nobody")
    assert seen["B\u0435n Ode"].note == say("en", "grade_lookalike", names="Ben Ode")


def test_one_person_under_two_names_is_one_row_and_it_is_said(tmp_path):
    got = collected(tmp_path / "in", {"Ben Ode.ipynb": DONE, "odeben_5_6_01.ipynb": (DONE, 3)},
                    roster=people(tmp_path, CLASS))
    [ben] = [s for s in got.submissions if s.cells]
    assert ben.file == "odeben_5_6_01.ipynb"
    assert "odeben" in ben.note


@pytest.mark.parametrize(("text", "names_"), [
    ("Identifier,Full name,Grade\nParticipant 7,Ana Lopez,\n", ["Ana Lopez"]),
    ("Student;ID\n    Points Possible;\n\"Lopez, Ana\";7\n\"Student, Test\";9\n", ["Ana Lopez"]),
    ("姓名\t学号\n陈伟\t7\n", ["陈伟"])])
def test_rosters_of_platforms_are_read(tmp_path, text, names_):
    got = people(tmp_path, text)
    assert [p.name for p in got.people] == names_
    assert got.people[0].ids == ("7",)


@pytest.mark.parametrize(("text", "words"), [("a,b\n1,2\n", "no column of names"), ("", "no column of names"),
                                             ("name\n", "nobody below")])
def test_a_file_that_is_no_roster_is_one_line(tmp_path, text, words):
    with pytest.raises(ValueError, match=words) as error:
        people(tmp_path, text)
    assert "\n" not in str(error.value)


# What a stranger's text may do

@pytest.mark.parametrize("text", ["a;=1+1", "a ; +1", 'a;"=1', "a|@x", "=1", "x;\t-1", "a;＝1"])
def test_no_column_of_any_spreadsheet_begins_like_a_formula(text):
    for part in names.safe(text).replace("|", ";").split(";"):
        assert part.startswith("'") or not part.strip(' "\'').startswith(("=", "+", "-", "@", "＝"))


def test_ordinary_lists_keep_their_signs():
    assert names.safe("Expected [1, -2]; got 3") == "Expected [1, -2]; got 3"


@pytest.mark.parametrize("text", ["\x1b[2J\x1b]0;x\x07", "\u202eanA", "\u2066x\u2069", "a\rb\nc", "\u200bx", "\u3164x"])
def test_a_line_for_the_terminal_moves_and_turns_nothing(text):
    assert names.plain(text).isprintable()
    assert "\u3164" not in names.plain(text)


def test_functions_are_named_as_the_notebook_has_them():
    assert set(HONEST) == set(NUMBERS)


@pytest.mark.parametrize("evil", ["\n" * 50_000 + "gae", "-" * 500_000 + "gae", " " * 100_000 + "gae"],
                         ids=["lines", "tokens", "spaces"])
def test_no_code_keeps_the_reader_long(tmp_path, evil):
    """Thirty files of one student; what is quadratic, or unbounded, takes minutes here."""
    files = {f"ana/{n}.ipynb": notebook([evil]) for n in range(30)}
    began = time.process_time()
    one = only(tmp_path, files)
    assert time.process_time() - began < 15
    assert len(one.others) + bool(one.cells) == 30


@pytest.mark.parametrize("evil", [
    ["gae = 1\nx" + " " * 9_000 + "?"], ["#gae\n" + "#\n" * 9_900] * 100],
    ids=["no token after many spaces", "comments"])
def test_no_line_keeps_the_tokenizer_long(evil):
    """They took half a minute and five seconds."""
    began = time.process_time()
    definitions(evil, ["gae"])
    assert time.process_time() - began < 2


def test_a_long_text_keeps_nobody_long():
    text = json.dumps({"cells": [{"cell_type": "markdown", "source": "x" * 2_000_000}] * 12 + [
        {"cell_type": "code", "source": "y = 1"}]}).encode()
    began = time.process_time()
    assert cells.read(text, "a.ipynb").cells == ("y = 1",)
    assert time.process_time() - began < 2


def test_what_stands_behind_a_sign_that_is_no_python_is_seen():
    assert definitions(["files = !ls\ndef gae(x):\n    return x"], ["gae"])["gae"].written


def test_a_function_behind_a_line_without_end_counts_as_written(tmp_path):
    """A picture as text, say: what stands behind it is no longer looked at, and is not taken for the stub."""
    picture = f'PICTURE = "{"A" * 20_000}"\n'
    one = only(tmp_path, {"ana/1.ipynb": notebook([picture + "def gae(x):\n    raise NotImplementedError\n"])})
    assert one.cells
    assert definitions([picture + "def gae(x):\n    return x\n"], ["gae"]) == {}
    assert definitions([picture[:9_000] + '"\ndef gae(x):\n    return x\n'], ["gae"])["gae"].written


def test_a_teachers_own_table_beside_the_download_changes_nothing(tmp_path):
    files = {"Ana_1_assignsubmission_file_/01.ipynb": DONE, "Ben_2_assignsubmission_file_/01.ipynb": DONE}
    got = collected(tmp_path, {"download.zip": zipped(files), "grades.csv": "student,file", "README.txt": "x"})
    assert [s.student for s in got.submissions] == ["Ana", "Ben"]
    assert [file for file, _ in got.passed_over] == ["README.txt", "grades.csv"]


def test_the_rows_are_in_the_rosters_order(tmp_path):
    got = collected(tmp_path / "in", {"zoe.ipynb": DONE, "Dora Abs.ipynb": DONE}, roster=people(tmp_path, CLASS))
    assert [s.student for s in got.submissions] == ["Ana López García", "Ben Ode", "陈伟", "Dora Abs", "zoe"]


def test_who_has_a_chinese_name_reads_the_reason_in_chinese(tmp_path):
    got = collected(tmp_path, {"陈伟.pdf": "x", "ben.pdf": "x"})
    assert {s.student: (s.lang, s.told) for s in got.submissions} == {
        "ben": ("en", say("en", "grade_not_a_notebook")), "陈伟": ("zh", say("zh", "grade_not_a_notebook"))}


def test_a_name_of_one_and_a_number_of_another_are_nobodys(tmp_path):
    got = collected(tmp_path / "in", {"Ben Ode 20260001/01.ipynb": DONE}, roster=people(tmp_path, CLASS))
    [one] = [s for s in got.submissions if s.cells]
    assert (one.student, one.note) == ("Ben Ode 20260001", say("en", "grade_nobody"))


def test_a_name_that_is_no_text_is_a_row_like_any_other(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"ana\xff.ipynb")).write_text(DONE)
    except OSError:
        pytest.skip("this disk takes text only")
    got = collected(tmp_path, {" .ipynb": DONE})
    assert sorted(names.plain(s.student) for s in got.submissions) == [" .ipynb", "ana "]


def test_a_class_of_any_size_is_read_from_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "LARGEST_FILE", 20_000)
    files = {f"Ana {n}_{n}_assignsubmission_file_/01.ipynb": DONE for n in range(40)}
    put(tmp_path, {"download.zip": zipped(files)})
    assert (tmp_path / "download.zip").stat().st_size > 20_000
    got = submissions.collect(tmp_path, "01", wanted=WANTED).submissions
    assert [bool(s.cells) for s in got] == [True] * 40
