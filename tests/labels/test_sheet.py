"""No cell of any table that the kit writes begins like a formula."""

import pytest

from rlhf_kit.classroom.grading import table
from rlhf_kit.labels import sheet

FORMULAS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＋1", "－1", "＠x"]


@pytest.mark.parametrize("text", FORMULAS)
@pytest.mark.parametrize("made_harmless", [sheet.cell, table.safe])
def test_labels_and_grades_escape_the_same(text, made_harmless):
    assert made_harmless(text).startswith("'")


@pytest.mark.parametrize("value", ["a = 1", "好", "", 1, -1.5, "1-2"])
def test_what_is_no_formula_stays(value):
    assert sheet.cell(value) == value
    assert sheet.cell(None) == ""
