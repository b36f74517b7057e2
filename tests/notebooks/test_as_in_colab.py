"""A lesson as a student finds it where nobody has the repository: an empty folder, another kernel, and either the wheel
alone or nothing but the lesson, whose first cell fetches the kit from its address."""

import functools
import http.server
import json
import os
import subprocess
import threading
from pathlib import Path

import pytest
from lending import lent
from nbformat.v4 import new_code_cell
from test_address import copied, set_in
from test_lessons import BUDGET, check_that_nothing_is_done
from test_products import LESSONS, build

from rlhf_kit import jobs as training
from rlhf_kit import zoo

pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory) -> Path:
    """The Python of an environment whose only kit is the installed wheel; no lesson changes it."""
    return lent(wheel, tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture
def kernel(elsewhere, tmp_path, monkeypatch) -> str:
    """A Jupyter kernel of that environment."""
    return kernel_of(elsewhere, tmp_path, monkeypatch)


def kernel_of(python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    place = tmp_path / "jupyter" / "kernels" / "elsewhere"
    place.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)
    return "elsewhere"


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_the_wheel_alone_runs_a_lesson_in_an_empty_folder(source, kernel, elsewhere):
    for name in ("tiny-lm-en", "tiny-judge-en", "tiny-rm-en"):
        zoo.cached(name)
    if source.stem.startswith("04"):
        zoo.cached("tiny-rm-translation")                   # and the translator, whose samples it learns from
    if source.stem.startswith("03"):
        training.tiny_stackllama("ppo")
        training.impressed_reward()
    if source.stem.startswith("05"):
        zoo.cached("tiny-base-en")
    book = build.notebook(source, "en", solved=False)
    book.cells.append(new_code_cell("print(kit.__file__, sorted(__import__('os').listdir()))", id="where"))
    assert sum(build.run(book, strict=False, kernel=kernel).values()) < BUDGET
    check_that_nothing_is_done(book)
    where, _, files = book.cells[-1].outputs[0].text.partition(" ")
    assert where.startswith(str(elsewhere.parents[1]))
    assert files.strip() in ("[]", "['runs']")              # what its panel opens with is kept there, and nothing else


class Server(http.server.SimpleHTTPRequestHandler):
    """What a repository's host does for `git clone`, and not a word."""

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path):
    """The address of this clone on a git server of its own, after somebody has set that address in it."""
    (tmp_path / "served").mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Server, directory=tmp_path / "served"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/ana/kit-of-hers"
    clone = copied(tmp_path / "clone")
    assert set_in(clone, address).returncode == 0
    git = functools.partial(subprocess.run, check=True, capture_output=True, cwd=clone)
    git(["git", "init", "-q", "-b", "main"])
    git(["git", "add", "-A"])
    git(["git", "-c", "user.name=Ana", "-c", "user.email=ana@example.org", "commit", "-qm", "The kit"])
    bare = tmp_path / "served" / "ana" / "kit-of-hers"
    git(["git", "clone", "-q", "--bare", clone, bare])
    git(["git", "update-server-info"], cwd=bare)
    yield address
    server.shutdown()
    server.server_close()


def test_once_the_address_is_set_the_first_cell_fetches_the_kit_from_there(repository, tmp_path, monkeypatch):
    """Colab has the libraries, the notebook that its badge names, and nothing else."""
    taken = tmp_path / "taken"
    subprocess.run(["git", "clone", "-q", repository, taken], check=True, capture_output=True)
    book = build.nbformat.read(taken / "notebooks" / "01_sentiment_ppo.ipynb", as_version=4)
    (first,) = [cell for cell in book.cells if cell.id == "setup"]
    assert f"git+{repository}" in first.source
    asked = new_code_cell("print(kit.__file__, kit.REPOSITORY)", id="where")
    book.cells = [first, asked]
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")                       # what it is built with is lent, too
    build.run(book, strict=False, kernel=kernel_of(lent(None, tmp_path), tmp_path, monkeypatch))
    assert "Lesson 01" in first.outputs[-1].text
    where, address = asked.outputs[0].text.split()
    assert where.startswith(str(tmp_path / "env"))
    assert address == repository
