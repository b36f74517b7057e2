"""Answers of two more kinds: wrong ones that any case shows, and right ones in another form."""

import importlib.util
from pathlib import Path

import pytest

from rlhf_kit.classroom.exercises.answers import judge
from rlhf_kit.classroom.exercises.checking import EXERCISES, likely


def answers(kind: str) -> list:
    found = []
    for lesson in ("02", "03a", "03b", "03c"):
        path = Path(__file__).parents[1] / "mutants" / f"lesson_{lesson}.py"
        spec = importlib.util.spec_from_file_location(f"mutants_{lesson}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found += [(number, *row) for number, rows in getattr(module, kind).items() for row in rows]
    return found


@pytest.mark.parametrize(("number", "name", "wrong", "message"), answers("OTHERS"))
@pytest.mark.filterwarnings("ignore:std")
def test_a_wrong_answer_of_any_kind_is_told_what_is_wrong(number, name, wrong, message):
    for seed in (0, 7):
        verdict = judge(EXERCISES[number], wrong, seed)
        assert not verdict.right
        assert message in likely(verdict, "en")
        assert any("\u4e00" <= character <= "\u9fff" for character in likely(verdict, "zh"))


@pytest.mark.parametrize(("number", "name", "right"), answers("RIGHT"))
def test_a_right_answer_in_another_form_passes(number, name, right):
    assert all(judge(EXERCISES[number], right, seed).right for seed in (0, 3, 7))
