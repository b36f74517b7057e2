"""The repository's address stands in one place, and one command sets it everywhere."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("notebooks_address", ROOT / "notebooks" / "address.py")
address = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(address)

NEW = "https://github.com/ana/kit-of-hers"


def copied(folder: Path) -> Path:
    """The files of this clone, whether committed or not, in another folder."""
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True,
                           capture_output=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def set_in(clone: Path, what: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, clone / "notebooks" / "address.py", what], cwd=clone, text=True,
                          capture_output=True, env={"PYTHONPATH": str(clone)})


def test_one_command_sets_it_in_every_file_and_in_no_output(tmp_path):
    clone = copied(tmp_path)
    done = set_in(clone, f"{NEW}.git")
    assert done.returncode == 0, done.stderr
    assert NEW in done.stdout.splitlines()[0]
    project = tomllib.loads((clone / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["urls"]["Repository"] == NEW
    for book in (clone / "notebooks").rglob("*.ipynb"):
        was, now = (json.loads(at.read_text(encoding="utf-8"))["cells"]
                    for at in (ROOT / book.relative_to(clone), book))
        assert [c["id"] for c, d in zip(was, now, strict=True) if c != d] in ([], ["badge", "setup"])
        assert [c.get("outputs") for c in was] == [c.get("outputs") for c in now]
        source = "".join(line for cell in now[:5] for line in cell["source"])
        assert f"rlhf-kit{'[scale]' * book.name.startswith('03')} @ git+{NEW}\"" in source
        assert f"{NEW.replace('github.com', 'colab.research.google.com/github')}/blob/main/" in source
    left = [path for path in clone.rglob("*") if path.is_file() and "tests" not in path.relative_to(clone).parts
            and b"github.com/OWNER" in path.read_bytes()]
    assert left == []
    again = set_in(clone, NEW)
    assert (again.returncode, again.stdout.count("\n")) == (0, 1)                # nothing is left to be written


@pytest.mark.parametrize("wrong", ["ana/rlhf-kit", "git@github.com:ana/rlhf-kit", 'https://x.org/a"b', "https://x.org"])
def test_what_is_no_address_is_refused_and_nothing_is_written(wrong, capsys, monkeypatch):
    monkeypatch.setattr(Path, "write_bytes", lambda *_: pytest.fail("written"))
    assert address.main([wrong]) == 2
    assert re.fullmatch(r"address: .+ such as \S+\n", capsys.readouterr().err)


def test_without_one_it_says_which_is_set(capsys):
    from rlhf_kit import REPOSITORY
    assert address.main([]) == 0
    assert REPOSITORY in capsys.readouterr().out
