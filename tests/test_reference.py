"""The reference is what the code says: every public name is there, and nothing in a docstring is taken for Markdown."""

import re
import runpy
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / "docs" / "site"


@pytest.fixture(scope="module")
def reference():
    return runpy.run_path(str(SITE / "reference.py"))


def test_formulas_stay_as_they_are_and_arguments_become_a_list(reference):
    said = reference["prose"]("""A sum of a_i and *b*.

    L = a_i·b_i
      + c

Args:
    a, b: numbers, [B],
        in nats.
    c: one more.

Returns: a scalar. Source: somebody, [1].""")
    assert said.split("\n\n") == [
        "A sum of a\\_i and \\*b\\*.", "```text\nL = a_i·b_i\n  + c\n```", "**Args:**",
        "- **a, b**: numbers, \\[B\\], in nats.\n- **c**: one more.", "**Returns:** a scalar.",
        "**Source:** somebody, \\[1\\]."]


def test_a_signature_is_what_one_would_type(reference):
    def mean(logprob: "Tensor", clip: float = 0.2, error: type = ValueError, by=re.sub): ...         # noqa: F821
    said = "mean(logprob: Tensor, clip: float = 0.2, error: type = ValueError, by=sub)"
    assert reference["shown"]("mean", mean) == said


def test_every_public_name_has_its_place(reference):
    made = reference["pages"]()
    assert reference["missing"](made) == []
    assert "min(r·Â, clip(r, 1-ε, 1+ε)·Â)" in made["formulas.losses.md"]
    assert "epochs: int = 4                       # passes over each batch" in made["methods.ppo.md"]
    assert "## `rlhf-kit train ppo`" in made["commands.md"]
    assert not re.search(r"0x[0-9a-f]{6}", "".join(made.values()))           # an address of this run's memory


def test_a_name_that_no_page_has_is_missed(reference):
    assert "Policy" in reference["missing"]({"one.md": "nothing"})
