"""Windows and macOS, as far as Linux can show it: what they lack is asked of nobody but the grader, who says so."""

import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from beyond import NAMES, lacking, needs_posix

from rlhf_kit.language import typed
from rlhf_kit.studio import trainings

ROOT = Path(__file__).parents[1]
GRADER = {f"classroom/grading/{name}.py" for name in ("apart", "starting", "walls", "worker")}


def test_the_reader_finds_what_is_asked_of_the_system(tmp_path):
    (tmp_path / "x.py").write_text('import fcntl\nfrom os import fork\nimport os\nos.killpg(1, 9)\nos.replace(a, b)\n'
                                   'run(preexec_fn=f)\nif hasattr(os, "nice"):\n    os.nice(1)\n'
                                   'try:\n    os.sysconf(1)\nexcept AttributeError:\n    pass\n')
    assert lacking(tmp_path / "x.py") == {"fcntl", "os.fork", "os.killpg", "preexec_fn"}


@pytest.mark.parametrize("place", ["rlhf_kit", "demos", "notebooks", "docs/site"])
def test_nobody_but_the_grader_needs_what_windows_lacks(place):
    found = {path.relative_to(ROOT / place).as_posix(): lacking(path) for path in (ROOT / place).rglob("*.py")}
    assert {name for name, what in found.items() if what} == (GRADER if place == "rlhf_kit" else set())


def test_without_fork_everything_can_be_imported_and_the_grader_says_what_to_do(tmp_path):
    """All of the kit but the grader's rooms, in a Python that has lost what Windows lacks."""
    files = [path.relative_to(ROOT).with_suffix("") for path in sorted((ROOT / "rlhf_kit").rglob("*.py"))]
    modules = [".".join(path.parts).removesuffix(".__init__") for path in files if "grading" not in path.parts]
    program = f"""
import importlib, os, signal, sys
import accelerate, gradio, matplotlib.pyplot, peft, platformdirs, torch, trl    # which see where they are
from transformers import AutoModelForCausalLM, GPT2LMHeadModel, LlamaForCausalLM, PreTrainedModel
sys.modules["resource"] = None                              # the grader's
for module, names in ((os, {sorted(NAMES["os"])!r}), (signal, {sorted(NAMES["signal"])!r})):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
for name in {modules!r}:
    importlib.import_module(name)
from rlhf_kit import cli
sys.exit(cli.main(["grade", "hand-ins", "--lesson", "01"]))
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr[-2000:]
    assert "WSL" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(("test", "left_out"), [
    ("test_storage.py", True), ("test_start.py", True), ("classroom/test_reports.py", True),
    ("labels/test_sheet.py", True),
    ("test_sampling.py", False), ("methods/test_ppo.py", False), ("classroom/test_exercises.py", False)])
def test_tests_that_need_more_than_windows_has_are_left_out_there(test, left_out):
    """conftest.py asks the same of every file, on Windows; here so that the reader of files is known to see it."""
    assert needs_posix(ROOT / "tests" / test) == left_out


# --- names and shells -------------------------------------------------------------------------------------------------

def test_every_file_here_has_a_name_that_every_disk_takes():
    said = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = said.strip("\0").split("\0")
    for name in names:
        assert len(name) <= 100, name                       # of the 260 that Windows allows a whole path
        assert not re.search(r'[<>:"\\|?*\x00-\x1f]|[ .](/|$)', name), name
        assert not re.search(r"(?i)(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)", name), name
    assert len({unicodedata.normalize("NFC", name).casefold() for name in names}) == len(names)


@pytest.mark.parametrize("name", ["con", "NUL", "Com1", "lpt9", "a:b", "a?", "a*", 'a"', "a.", "a "])
def test_no_training_has_a_name_that_windows_refuses(name):
    assert not trainings.NAME.fullmatch(name)
    assert all(map(trainings.NAME.fullmatch, ("contrast", "com10", "短回答-1")))


def test_a_training_hears_nothing_of_ctrl_c_on_any_system(monkeypatch):
    assert trainings._apart(windows=False) == {"start_new_session": True}
    assert trainings._apart(windows=True) == {"creationflags": 0x200}           # CREATE_NEW_PROCESS_GROUP
    ended = []
    monkeypatch.delattr(os, "killpg")                       # as on Windows
    monkeypatch.setattr(os, "kill", lambda *what: ended.append(what))
    trainings._signal(7, 15)
    assert ended == [(7, 15)]


@pytest.mark.parametrize(("windows", "shown"), [(True, 'rlhf-kit tour --output "my runs\\tour"'),
                                                (False, "rlhf-kit tour --output 'my runs\\tour'")])
def test_a_command_is_shown_as_that_system_s_shell_reads_it(windows, shown):
    assert typed(["rlhf-kit", "tour", "--output", "my runs\\tour"], windows) == shown


def test_an_extra_stands_in_quotes_that_every_shell_knows():
    """Windows' cmd hands single quotes on, and zsh takes bare brackets for a pattern."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "rlhf_kit").rglob("*.py"),
             *(ROOT / "rlhf_kit").rglob("*.toml")]
    wrong = re.compile(r"install (--?\w+ )*'?rlhf-kit\[")
    assert [path.name for path in pages if wrong.search(path.read_text(encoding="utf-8"))] == []
