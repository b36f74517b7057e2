"""Every lesson runs from top to bottom, offline, solved and as a student finds it, in both languages.

Before anything lands each lesson runs in Chinese solved, and in English untouched and where only the wheel is (see
`test_as_in_colab`); the other way round with what is slow. A solution's code is the same in both languages, and what
its checks say in either is looked at in `test_products`.
"""

import os

import pytest
from test_products import LESSONS, build

from rlhf_kit import jobs as training
from rlhf_kit import zoo
from rlhf_kit.language import LANGS

pytestmark = [pytest.mark.notebooks, pytest.mark.timeout(3000)]
BUDGET = 300                # seconds of a whole run on a busy machine; 90 on a quiet one, see tests/benchmarks


@pytest.fixture(scope="module", autouse=True)
def models():
    """Trained beforehand, as on a machine that has run a lesson before; two workers begin at different ends."""
    names = [*zoo.TINY]
    for name in names if os.environ.get("PYTEST_XDIST_WORKER") != "gw1" else reversed(names):
        zoo.cached(name)
    for lang in LANGS:
        training.tiny_stackllama("ppo", lang)
        training.impressed_reward(lang)


@pytest.mark.parametrize("lang", [pytest.param("en", marks=pytest.mark.slow), "zh"])
@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_the_solution_runs_strictly(source, lang):
    book = build.notebook(source, lang, solved=True)
    assert sum(build.run(book, strict=True).values()) < BUDGET


@pytest.mark.slow
@pytest.mark.parametrize("source", LESSONS, ids=lambda s: s.stem)
def test_an_untouched_notebook_runs_to_its_end_and_says_what_is_not_done(source):
    """It trains what the solution trains."""
    book = build.notebook(source, "zh", solved=False)
    assert sum(build.run(book, strict=False).values()) < BUDGET
    check_that_nothing_is_done(book)


def check_that_nothing_is_done(book):
    """Of every exercise: its check waits, and says so in two lines."""
    checks = ["".join(o.get("text", "") for o in cell.outputs) for cell in book.cells if cell.id.startswith("check-")]
    assert checks
    assert all(said.startswith("⏳") and len(said.splitlines()) == 2 for said in checks)
