"""The commands without make do what make does."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from rlhf_kit import start

ROOT = Path(__file__).parents[1]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with what asks for an installation, and a Python of its own that writes down what it is asked."""
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(start, "ROOT", tmp_path)
    return tmp_path


def asked_of_pip(lines):
    return [line.split("--constraint constraints.txt ")[1].replace("'", "") for line in lines if "--constraint" in line]


@pytest.mark.parametrize("name", ["run", "test"])
def test_it_installs_and_types_what_make_does(clone, monkeypatch, name):
    ran = []

    def run(command, **_):
        ran.append(command)
        (clone / ".venv").mkdir(exist_ok=True)
        return subprocess.CompletedProcess(command, 0)
    monkeypatch.setattr(start, "subprocess", SimpleNamespace(run=run))
    assert start.main([name, "--lang", "zh"]) == 0
    (clone / "Makefile").write_text((ROOT / "Makefile").read_text())
    made = subprocess.run(["make", "-n", "-B", name, "ARGS="], cwd=clone, capture_output=True, text=True, check=True)
    lines = [" ".join(command) for command in ran]
    assert set(asked_of_pip(lines)) <= set(asked_of_pip(made.stdout.splitlines()))
    assert asked_of_pip(lines)[0].startswith("torch==")
    assert ran[0][1:3] == ["-m", "venv"]
    wanted = {"run": "rlhf-kit tour", "test": "pytest -n 2 --dist loadfile --ignore=tests/demos"}[name]
    assert wanted in made.stdout
    assert " ".join(ran[-1]).replace("-m rlhf_kit.cli", "rlhf-kit").endswith(f"{wanted} --lang zh")


def test_what_is_installed_is_not_installed_again_until_something_asks_for_more(clone):
    (clone / ".venv").mkdir()
    start.mark(".").touch()
    assert start.installing(".") == []
    assert [command[-1] for command in start.installing(".[dev]")][-1] == ".[dev]"
    later = start.mark(".").stat().st_mtime + 5
    os.utime(clone / "constraints.txt", (later, later))
    assert len(start.installing(".")) == 3


def test_windows_keeps_its_python_elsewhere(clone):
    assert start.python("nt") == clone / ".venv" / "Scripts" / "python.exe"
    assert start.python("posix") == clone / ".venv" / "bin" / "python"


@pytest.mark.parametrize("asked", [[], ["runn"]])
def test_anything_else_gets_one_line(asked, capsys):
    assert start.main(asked) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "run, test" in said


def test_it_needs_a_clone(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(start, "ROOT", tmp_path)
    assert start.main(["run"]) == 2
    assert "rlhf-kit tour" in capsys.readouterr().err


def test_it_imports_nothing_but_python_itself():
    code = ("import sys; before = set(sys.modules); import rlhf_kit.start;"
            "print([m for m in set(sys.modules) - before if m.partition('.')[0] not in sys.stdlib_module_names"
            " and not m.startswith('rlhf_kit')])")
    assert subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=ROOT).stdout == "[]\n"


def test_an_environment_that_uv_made_gets_the_pip_that_it_lacks(clone):
    bin = start.python().parent
    bin.mkdir(parents=True)
    start.python().touch()
    assert start.installing(".")[0][1:3] == ["-m", "venv"]
    (bin / "pip").touch()
    assert [command[2] for command in start.installing(".")] == ["pip", "pip"]
