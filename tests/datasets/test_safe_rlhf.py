"""PKU-SafeRLHF's columns, in rows that are made up here: preferences, rules, prompts, and what cannot be read."""

import json

import pytest

from rlhf_kit.datasets import rated_turns, safe_rlhf
from rlhf_kit.datasets.reading import FileError
from rlhf_kit.datasets.sources import read_source
from rlhf_kit.formulas.records import Turn
from rlhf_kit.formulas.rule_reward import LEVELS

NAMES = ("Insulting Behavior", "Violence", "Drugs")


def row(i, harms=((), ()), better=0, **others):
    return {"prompt": f"May I borrow lamp {i}?", "response_0": f"Yes, take lamp {i}.",
            "response_1": f"No, lamp {i} is mine.", "prompt_source": "x", "better_response_id": better,
            **{f"response_{j}_harm_category": {name: name in harms[j] for name in NAMES} for j in (0, 1)}, **others}


@pytest.fixture
def rows():
    """60 rows; of every third the second answer is an insult, of every sixth an insult and a threat."""
    return [row(i, ((), () if i % 3 else NAMES[:1] if i % 6 else NAMES[:2]), i % 2) for i in range(60)]


@pytest.fixture
def written(tmp_path):
    def write(rows, name="train.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
        return tmp_path / name
    return write


def test_every_row_is_a_preference_and_labels_of_both_answers(rows, written):
    found = rated_turns.read(written(rows))
    every = [one for split in (found.train, found.heldout) for one in split["preferences"]]
    assert len(every) == 60
    one = next(one for one in every if one.prompt[0].text == "May I borrow lamp 3?")
    assert one.prompt == (Turn("user", "May I borrow lamp 3?"),)
    assert (one.chosen[0].text, one.rejected[0].text) == ("No, lamp 3 is mine.", "Yes, take lamp 3.")
    labels = [one for split in (found.train, found.heldout) for one in split["rules"]]
    of = {i: [label for label in labels if label.response == f"No, lamp {i} is mine."] for i in (1, 3, 6)}
    insult, violence = (safe_rlhf.RULE.format(name) for name in NAMES[:2])
    assert [(one.rule, one.level) for one in of[3] if one.level == LEVELS[0]] == [(insult, LEVELS[0])]
    assert {one.rule for one in of[6] if one.level == LEVELS[0]} == {insult, violence}
    assert [[one.level for one in of[i]].count(LEVELS[-1]) for i in (1, 3, 6)] == [1, 1, 1]   # of 3, 2, 1
    assert not any(one.rule == insult for one in of[3] if one.level == LEVELS[-1])


def test_prompts_by_what_was_answered_and_the_splits_share_none(rows, written):
    found = rated_turns.read(written(rows))
    tempting = {f"May I borrow lamp {i}?" for i in range(0, 60, 3)}
    assert {one[0].text for one in (*found.train["adversarial"], *found.heldout["adversarial"])} == tempting
    sides = [{one[0].text for one in (*side["questions"], *side["adversarial"])}
             for side in (found.train, found.heldout)]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 60
    for side, split in zip(sides, (found.train, found.heldout), strict=True):
        assert {one.prompt for one in split["rules"]} == side == {one.prompt[0].text for one in split["preferences"]}


def test_rows_that_cannot_be_read_are_counted(rows, written):
    bad = [row(91, better=2), row(92, response_1="Yes, take  lamp 92."), row(93, response_0=" "),
           row(94, response_0_harm_category={}), row(95, prompt=None)]
    found = rated_turns.read(written([*rows, *bad]))
    assert found.notes == (("safe_rlhf_left_out", {"n": 5}),)
    with pytest.raises(FileError, match=r"has 0 rows that can be read, and 5 that cannot"):
        rated_turns.read(written(bad))


def test_a_folder_of_shards_is_read_too_and_other_columns_are_refused(rows, written, tmp_path):
    written(rows)
    written([row(99)], "test.jsonl")
    assert len(read_source(str(tmp_path)).table.rows) == 60
    assert len(rated_turns.read(tmp_path).train["preferences"]) > 40
    (tmp_path / "test.jsonl").unlink()
    written([{"prompt": "a", "answer": "b"}])
    with pytest.raises(FileError, match=r"has the columns prompt, answer; expected those of PKU-Alignment"):
        rated_turns.read(tmp_path)


def test_nobody_followed_or_broke_a_rule(rows, written):
    with pytest.raises(FileError, match="has no broken rule among"):
        rated_turns.read(written([row(i) for i in range(60)]))
