"""A lesson as a student finds it where nobody has the repository: the wheel alone, an empty folder, another kernel."""

import json
import os

import pytest
from lending import lent
from nbformat.v4 import new_code_cell
from test_lessons import BUDGET, check_that_nothing_is_done
from test_products import LESSONS, build

from rlhf_kit import jobs as training
from rlhf_kit import zoo

pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(3000)]


@pytest.fixture
def kernel(wheel, tmp_path, monkeypatch) -> str:
    """A Jupyter kernel whose only kit is the installed wheel."""
    python = lent(wheel, tmp_path)
    place = tmp_path / "jupyter" / "kernels" / "elsewhere"
    place.mkdir(parents=True)
    command = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (place / "kernel.json").write_text(json.dumps({"argv": command, "display_name": "x", "language": "python"}))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        monkeypatch.delenv(name)
    return "elsewhere"


@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_the_wheel_alone_runs_a_lesson_in_an_empty_folder(source, kernel, tmp_path):
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
    assert where.startswith(str(tmp_path))
    assert files.strip() in ("[]", "['runs']")              # what its panel opens with is kept there, and nothing else
