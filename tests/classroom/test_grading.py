"""The answer goes out, the verdict stays in: a class of honest people and attackers, graded once, row by row."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from attacks import HONEST, POINTS, STUB, Pupil, adapt, lesson, notebook, pupils

import rlhf_kit
from rlhf_kit import cli
from rlhf_kit.classroom.exercises.checking import EXERCISES
from rlhf_kit.classroom.grading import marks, names, outside, parcels, picking, starting, table, walls

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="grading needs Linux or macOS")
KIT = Path(rlhf_kit.__file__).parent
LIMITS = starting.Limits(seconds=0.6, patience=3.0, imports=1.5)
NAMES = list(pupils(Path("."), KIT, 0))
ROOT = os.geteuid() == 0 if hasattr(os, "geteuid") else False


class Listener:
    """Somebody on this machine who counts who calls."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port, self.calls = self.socket.getsockname()[1], 0
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        while True:
            try:
                self.socket.accept()[0].close()
            except OSError:
                return
            self.calls += 1


@pytest.fixture(scope="module")
def listener():
    somebody = Listener()
    yield somebody
    somebody.socket.close()


@pytest.fixture(scope="module")
def has_walls(tmp_path_factory) -> bool:
    """Whether this system lets us build a cell, asked without the worker."""
    code = "import runpy, sys\nrunpy.run_path(sys.argv[1])['enter_cell'](sys.argv[2], [], [])"
    command = [sys.executable, "-c", code, walls.__file__, str(tmp_path_factory.mktemp("root"))]
    return subprocess.run(command, capture_output=True).returncode == 0


def hand_in(folder: Path, name: str, pupil: Pupil) -> str:
    """Write a submission; returns the student's name that it must be found under."""
    path = folder / (pupil.file or f"{name}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pupil.text or notebook(pupil.cells), encoding="utf-8")
    return path.relative_to(folder).parts[0].removesuffix(".ipynb").removesuffix(".py")


@pytest.fixture(scope="module")
def school(tmp_path_factory, listener, has_walls):
    """(folder, pupils, grades), graded with walls where there are some; else without those who need them."""
    folder = tmp_path_factory.mktemp("school")
    everybody = {name: p for name, p in pupils(folder, KIT, listener.port).items() if has_walls or not p.walls}
    students = {name: hand_in(folder, name, pupil) for name, pupil in everybody.items()}
    grades = marks.grade(folder, "01", 7, limits=LIMITS)
    rows = {row.student: row for row in grades.rows}
    assert len(rows) == len(everybody)
    return folder, everybody, grades, {name: rows[student] for name, student in students.items()}


def check(row: marks.Row, pupil: Pupil) -> None:
    """The row is the expected one: each exercise, the points, the status, the words."""
    expected = dict.fromkeys(POINTS, "right") | pupil.odd
    said = " | ".join([row.note, *(f"{mark.status}: {mark.remark}" for mark in row.marks)])
    assert {mark.exercise.number: mark.status for mark in row.marks} == expected, said
    assert row.total == sum(POINTS[number] for number, status in expected.items() if status == "right")
    assert row.status == pupil.status, said
    assert pupil.remark in said


@pytest.mark.parametrize("name", NAMES)
def test_everybody_gets_the_row_that_is_due(school, name):
    _, everybody, _, rows = school
    if name not in everybody:
        pytest.skip("this system allows no walls")
    check(rows[name], everybody[name])


def test_the_class_is_large_and_nobody_was_harmed_or_called(school, listener):
    folder, everybody, grades, _ = school
    assert len(grades.rows) >= 20
    assert len(list(folder.rglob("*.*"))) == len(everybody)
    if grades.isolation == "netns":
        assert listener.calls == 0
    assert {e.number: e.points for e in grades.exercises} == POINTS


def test_isolation_is_said_to_be_what_it_is(school, has_walls):
    assert school[2].isolation == ("netns" if has_walls else "none")
    assert bool(school[2].why_not) != has_walls


# Without walls: what limits alone still promise. Who could harm the machine that tests run on stays out.

HARMLESS = ("honest", "sign error", "endless loop", "sleeper", "20 GB", "exit", "fork bomb", "forger", "fake tensor",
            "memory reader", "late importer", "huge result", "10 GB file", "stripped", "sys.exit")
AGAINST_A_STRANGER = ("parent's memory", "any memory", "tracer", "vandal", "writer", "stopper")


@pytest.fixture(scope="module")
def open_school(tmp_path_factory):
    folder = tmp_path_factory.mktemp("open")
    folder.chmod(0o755)
    names = HARMLESS + (AGAINST_A_STRANGER if ROOT else ())
    everybody = {name: pupil for name, pupil in pupils(folder, KIT, 1).items() if name in names}
    for name, pupil in everybody.items():
        hand_in(folder, name, pupil)
    return everybody, marks.grade(folder, "01", 7, limits=LIMITS, cell=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", HARMLESS + AGAINST_A_STRANGER)
def test_limits_hold_without_walls(open_school, name):
    everybody, grades = open_school
    if name not in everybody:
        pytest.skip("holds only where the answers run as another user, so when root grades")
    assert grades.isolation == "none"
    check(next(row for row in grades.rows if row.student == name), everybody[name])


def killed(worker: outside.Worker) -> None:
    os.kill(worker._process.program.pid, 9)
    worker._process.program.wait()


def test_a_worker_that_was_killed_is_replaced_and_nobody_loses_a_point(tmp_path, monkeypatch):
    for name in ("ana", "ben", "cleo"):
        hand_in(tmp_path, name, Pupil(lesson()))
    begin, begun = outside.Worker._begin, []

    def begin_and_die_once(self, process):
        begin(self, process)
        begun.append(process)
        if len(begun) == 1:
            killed(self)

    monkeypatch.setattr(outside.Worker, "_begin", begin_and_die_once)
    grades = marks.grade(tmp_path, "01", 7, limits=LIMITS, cell=False)
    assert [row.total for row in grades.rows] == [sum(POINTS.values())] * 3
    assert len(begun) == 2


def test_walls_that_cannot_be_built_again_are_not_given_up(tmp_path, monkeypatch, has_walls):
    """In mid-grading the system refuses: no answer is ever run without walls that were asked for."""
    if not has_walls:
        pytest.skip("this system allows no walls")
    worker = outside.Worker(LIMITS)
    killed(worker)
    with pytest.raises(outside.Gone):
        worker.ask([HONEST["adapt"]], [("adapt", EXERCISES["1.6"].all_cases(1))])
    monkeypatch.setattr(starting.Process, "ready", lambda self: "unshare: not here")
    with pytest.raises(starting.NoCell, match=r"unshare: not here.*--no-walls") as refused:
        worker.revive()
    assert "\n" not in str(refused.value)
    assert worker._process.program.returncode is not None


# What the worker may know

def test_what_the_worker_loads_stands_alone():
    """Nothing of the kit, so no reference, is imported on the other side of the wall."""
    for path in (KIT / "classroom/exercises/asking.py", *(KIT / "classroom/grading" / f"{name}.py" for name in
                                                ("worker", "walls", "system_calls", "picking", "parcels"))):
        assert not re.search(r"^\s*(import|from) rlhf_kit", path.read_text(), re.M), path


def test_a_job_holds_inputs_only():
    exercise = EXERCISES["1.5"]
    case = exercise.all_cases(3)[2]
    terms = parcels.Terms(1.0, 2.0, 3.0, (4,))
    question = parcels.Question("f", [(list(case.arguments), list(case.gradient))])
    job = parcels.pack_job(parcels.Job(["x = 1"], ["f", "g"], question), terms)
    told, rest = parcels.unpack_terms(job)
    cells, names, question = parcels.unpack_job(rest)
    (arguments, places), = question.cases
    assert (told[:3], list(told.skip)) == (terms[:3], [4])
    assert (cells, names) == (["x = 1"], ["f", "g"])
    assert places == list(case.gradient)
    assert all((a == b).all() if hasattr(a, "all") else a == b for a, b in zip(arguments, case.arguments, strict=True))
    assert repr(exercise.reference(*case.arguments).item())[:6].encode() not in job


# Picking

def picked(*cells: str) -> dict:
    namespace = {}
    picking.define(cells, ["f"], namespace)
    return namespace


def test_calls_magics_and_loops_are_skipped_and_definitions_are_not():
    space = picked("%load_ext x\n!rm -rf /\nimport math\nA, B = 1, -2.5\nC = print('no')\nmath.pi = 3\nf?",
                   "%%time\nfor i in range(3): D = 4\ntry:\n    import json as E\nexcept ImportError:\n    %pip x",
                   "def g(x: Nowhere):\n    return f(x)\nf = lambda x: A + x")
    assert space["g"](1) == 2
    assert space["B"] == -2.5
    assert space["math"].pi > 3.1
    assert "E" in space
    assert not {"C", "D"} & set(space)


@pytest.mark.parametrize(("cells", "name", "value"), [
    (["a = float('0.2')"], "a", 0.2), (["import math as m\na = m.sqrt(4)"], "a", 2.0),
    (["from functools import partial\na = partial(int, base=2).keywords['base']"], "a", 2),
    (["a = [float(i) for i in '12']"], "a", [1.0, 2.0]), (["a = 'x y'.split()"], "a", ["x", "y"]),
    (["if False:\n    a = 1\nelse:\n    a = 2"], "a", 2), (["if unknown():\n    a = 1"], "a", 1),
    (["try:\n    import nowhere\nexcept ImportError:\n    a = 1\nelse:\n    a = 2"], "a", 1),
    (["try:\n    import math\nexcept ImportError:\n    a = 1\nelse:\n    a = 2"], "a", 2),
    (["a = 1\n!nvidia-smi\nb = !ls\n%time c = 1\nif a: !ls\na = 2"], "a", 2),
    (["!pip install a \\\n    b\na = (7\n% 4)"], "a", 3), (["%%html\n<b>a</b>", "a = 1"], "a", 1),
    (["%%time\na = 1"], "a", 1), (["    a = 1\n    b = 2"], "b", 2),
    (["class A:\n    raise SystemExit\nclass B:\n    raise KeyboardInterrupt\na = 1"], "a", 1),
    (["a = 1", "def f(:", "a = 2"], "a", 2)])
def test_what_counts_of_a_notebook(cells, name, value):
    assert picked(*cells)[name] == value


@pytest.mark.parametrize("cell", ["a = print('x')", "a = train()", "a = kit.check('1.1', f)", "a = torch.load('x')",
                                  "import time\na = time.sleep(99)", "a = [train() for _ in range(3)]",
                                  "import os\na = os.system('x')", "for a in range(3): pass", "a = f(1)(2)"])
def test_what_is_not_run(cell):
    assert "a" not in picked("def train(): raise SystemError('it was run')", cell)


def test_an_answer_may_be_what_a_function_of_ones_own_returns():
    assert picked("def make(n):\n    return lambda: n", "f = make(2)", "f = kit.check('1', f)")["f"]() == 2


@pytest.mark.parametrize("parts", [
    ["def f():\n    a = 1", "    return a"], ["def f():", "    return 1"],
    ["def f():\n    '''Text.'''\n", "    %matplotlib inline\n    return 1"],
    ["x = 0", "def f():", "\n    a = 1", "    return a"]])
def test_a_function_that_a_cell_border_cuts_is_whole(parts):
    assert picked(*parts)["f"]() == 1


def test_a_comparison_that_dies_costs_one_student(tmp_path, monkeypatch):
    """Whatever it was that came back: the others are graded, and the row says what happened."""
    for name in ("ana", "ben", "cleo"):
        hand_in(tmp_path, name, Pupil(lesson() if name != "ben" else adapt("return 777.0")))
    compare = marks.compare

    def die_of_777(exercise, cases, outcomes):
        if any(value.numel() == 1 and float(value) == 777 for outcome in outcomes for value in outcome.values):
            os.kill(os.getpid(), 11)
        return compare(exercise, cases, outcomes)

    monkeypatch.setattr(marks, "compare", die_of_777)
    ana, ben, cleo = marks.grade(tmp_path, "01", 7, limits=LIMITS, cell=False).rows
    assert (ana.total, ben.total, cleo.total) == (sum(POINTS.values()), 0, sum(POINTS.values()))
    assert {mark.status for mark in ben.marks} == {"crash"}
    assert "SIGSEGV" in ben.marks[0].remark


def test_a_modulo_at_the_start_of_a_line_is_no_magic():
    assert picked("def f(a, b):\n    return (a\n    % b)")["f"](7, 4) == 3


@pytest.mark.parametrize(("bodies", "result"), [
    (("return 1", "return 2"), 2), (("return 1", "raise NotImplementedError"), 1), (("return 1", '"""Text."""'), 1),
    (("raise NotImplementedError('later')", "return 2"), 2)])
def test_the_last_definition_that_is_not_the_stub_counts(bodies, result):
    assert picked(*(f"def f():\n    {body}" for body in bodies))["f"]() == result


# Names

@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\n=1", " =1", "＝1"])
def test_no_cell_begins_like_a_formula(text):
    assert names.safe(text).startswith("'")
    assert "\n" not in names.safe(text)


def test_ordinary_text_is_left_alone():
    assert names.safe("Ana-Lia = 1") == "Ana-Lia = 1"


# The command

@pytest.fixture
def small(tmp_path):
    """Three students."""
    folder = tmp_path / "in"
    for name, cells in {"ana": lesson(), "=ben": lesson(adapt=STUB), "陈": adapt("return beta")}.items():
        hand_in(folder, name, Pupil(cells))
    return folder


def test_the_command_writes_the_table_and_prints_json_and_nothing_else(small, tmp_path, capsys):
    file = tmp_path / "out" / "grades.csv"
    command = ["grade", str(small), "--lesson", "01", "--seed", "7", "--lang", "zh", "--json", "--csv", str(file)]
    assert cli.main(command) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["seed"] == 7
    assert said["isolation"] in ("netns", "none")
    assert [s["total"] for s in said["students"]] == [13, 14, 13]
    rows = list(csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()))
    assert [(r["student"], r["status"], r["total"], r["out of"], r["1.6 adapt"]) for r in rows] == [
        ("'=ben", "not attempted", "13", "14", "0"), ("ana", "ok", "14", "14", "1"), ("陈", "ok", "13", "14", "0")]
    assert rows[0]["1.6 adapt: remark"] == "还没有做。"
    assert [p.name for p in file.parent.iterdir()] == ["grades.csv"]


def test_grades_replace_grades_and_nothing_else(small, tmp_path, capsys):
    """A slip of the keyboard: --csv names a student's notebook. It is said before anything is graded."""
    target = next((small).rglob("*.ipynb"))
    before = target.read_bytes()
    assert cli.main(["grade", str(small), "--lesson", "01", "--lang", "en", "--csv", str(target)]) == 2
    assert "is there already and is not what the kit writes there" in capsys.readouterr().err
    assert target.read_bytes() == before
    table.check_place(tmp_path / "grades.csv")
    (tmp_path / "grades.csv").write_text("\ufeffstudent,file,status,total,out of\n", encoding="utf-8")
    table.check_place(tmp_path / "grades.csv")


@pytest.mark.parametrize(("arguments", "words"), [
    (["nowhere", "--lesson", "01"], "not a folder"), ([".", "--lesson", "77"], "there are 00, 01, 02, 03a, 03b, 03c"),
    ([".", "--lesson", "01"], "holds no .ipynb"), ([".", "--lesson", "01", "--seconds", "0"], "--seconds is 0")])
def test_bad_input_is_one_line(tmp_path, monkeypatch, capsys, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["grade", *arguments]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_in_a_cell_a_hidden_folder_is_empty_and_nothing_can_be_written(tmp_path, has_walls):
    """As where the kit is installed beside torch, in one folder."""
    if not has_walls:
        pytest.skip("this system allows no walls")
    for name in ("beside/kit/secret", "beside/kit/lib/public", "beside/torch/public", "elsewhere/file", "root/nothing"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "root/nothing").unlink()
    code = """import os, runpy, sys
base, walls = sys.argv[1], runpy.run_path(sys.argv[2])
walls['enter_cell'](base + '/root', [base + '/beside', base + '/beside/kit/lib'], [base + '/beside/kit'])
print(os.listdir(base), os.listdir(base + '/beside/kit'), os.listdir(base + '/beside/torch'))
for name in ('/beside/new', '/beside/torch/public', '/beside/kit/new'):
    try: open(base + name, 'w')
    except OSError as error: print(error.strerror)"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path), walls.__file__], capture_output=True, text=True)
    assert done.stdout.splitlines() == ["['beside'] ['lib'] ['public']", *["Read-only file system"] * 3], done.stderr


def test_walls_say_what_they_failed_at():
    code = "import runpy, sys\nwalls = runpy.run_path(sys.argv[1])\n" \
           "walls['enter_cell'].__globals__['_call']('umount2', b'/nowhere', 0)"
    said = subprocess.run([sys.executable, "-c", code, walls.__file__], capture_output=True, text=True).stderr
    assert "NoWalls: umount2:" in said
