"""The tree for nbgrader: its marks, and, with nbgrader itself, all points for a solved copy, none for a new one."""

import csv
import importlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import nbformat
import pytest
from test_products import LESSONS, ROOT, build

from rlhf_kit.classroom.exercises.checking import EXERCISES

with pytest.MonkeyPatch.context() as patch:
    patch.syspath_prepend(ROOT / "notebooks")
    patch.setitem(sys.modules, "build", build)                     # as a script finds it, beside itself
    for_nbgrader = importlib.import_module("for_nbgrader")


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    assert for_nbgrader.main([str(folder), "00"]) == 0
    return folder


def cells(course: Path, prefix: str) -> list:
    path = next((course / "source").rglob("*.ipynb"))
    return [c for c in nbformat.read(path, as_version=4).cells if c.id.startswith(prefix)]


def test_an_exercise_is_a_solution_and_its_check_has_its_points(course):
    exercises, checks = cells(course, "ex-"), cells(course, "check-")
    assert len(exercises) == len(checks) == 3
    for cell in exercises:
        assert cell.metadata.nbgrader.solution
        assert cell.source.count("### BEGIN SOLUTION") == cell.source.count("### END SOLUTION") == 1
        compile(cell.source, cell.id, "exec")
    points = {cell.id: cell.metadata.nbgrader.points for cell in checks if cell.metadata.nbgrader.grade}
    assert points == {f"check-{n.replace('.', '-')}": e.points for n, e in EXERCISES.items() if n.startswith("0.")}


def test_the_solution_stands_nowhere_else(course):
    text = next((course / "source").rglob("*.ipynb")).read_text()
    assert "<summary>Solution" not in text
    assert "# solution:" not in text


def test_every_lesson_can_be_marked():
    for source in LESSONS:
        assert for_nbgrader.assignment(source, "zh").cells


@pytest.fixture(scope="module")
def nbgrader(tmp_path_factory) -> Path:
    """The folder of nbgrader's programs: that of RLHF_KIT_NBGRADER, or an environment made for it."""
    if known := os.environ.get("RLHF_KIT_NBGRADER"):
        return Path(known)
    folder = tmp_path_factory.mktemp("nbgrader")
    venv.create(folder, with_pip=True)
    done = subprocess.run([folder / "bin/pip", "install", "-q", "nbgrader==0.9.6"], capture_output=True)
    if done.returncode:
        pytest.skip("nbgrader cannot be installed here")
    return folder / "bin"


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nbgrader_gives_all_points_to_the_solution_and_none_to_a_new_notebook(course, nbgrader, tmp_path):
    """Only the exercises and their checks, so that no model is trained."""
    source = next((course / "source").rglob("*.ipynb"))
    book = nbformat.read(source, as_version=4)
    solved = {c.id: c.source for c in book.cells}
    book.cells = [c for c in book.cells if c.id.startswith(("setup", "ex-", "check-"))]
    book.cells.insert(1, nbformat.v4.new_code_cell("import torch", id="torch"))
    nbformat.write(book, source)
    name = source.stem
    run(nbgrader, course, tmp_path, "generate_assignment", name)
    for student in ("solved", "untouched"):
        copy = nbformat.read(course / "release" / name / source.name, as_version=4)
        for cell in copy.cells:
            if student == "solved" and cell.id.startswith("ex-"):
                cell.source = solved[cell.id]
        folder = course / "submitted" / student / name
        folder.mkdir(parents=True)
        nbformat.write(copy, folder / source.name)
    run(nbgrader, course, tmp_path, "autograde", name)
    run(nbgrader, course, tmp_path, "export")
    rows = list(csv.DictReader((course / "grades.csv").read_text().splitlines()))
    assert {row["student_id"]: float(row["score"]) for row in rows} == {"solved": 3.0, "untouched": 0.0}


def run(nbgrader: Path, course: Path, folder: Path, *arguments: str) -> None:
    """One of nbgrader's commands; its kernel is this Python, which has the kit."""
    kernel = folder / "kernels/python3"
    kernel.mkdir(parents=True, exist_ok=True)
    (kernel / "kernel.json").write_text(json.dumps({
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "Python 3",
        "language": "python"}))
    environment = {**os.environ, "PATH": f"{nbgrader}:{os.environ['PATH']}", "JUPYTER_PATH": str(folder),
                   "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([shutil.which("nbgrader", path=environment["PATH"]), *arguments], cwd=course,
                          env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("name", ["nbgrader_config.py", "source/00_map/00_map.ipynb"])
def test_nothing_that_a_teacher_wrote_is_replaced(course, name, capsys):
    """A course that has its own config, and a lesson that was edited; what is as it was written may come again."""
    assert for_nbgrader.main([str(course), "00"]) == 0
    before = (course / name).read_text()
    (course / name).write_text("mine")
    with pytest.raises(SystemExit) as stop:
        for_nbgrader.main([str(course), "00"])
    assert stop.value.code == 2
    assert "is not, or no longer, what the kit wrote" in capsys.readouterr().err
    assert (course / name).read_text() == "mine"
    (course / name).write_text(before)
