"""Judged answers in another form: what each pair becomes, and where distractors never come from."""

from collections import Counter

import pytest

from rlhf_kit.datasets.recast import binarised, choices, turned, with_distractors
from rlhf_kit.formulas.records import Comparison, Ranking

PAIR = Comparison("Q: why? ", "A, since", "B")


def test_a_pair_becomes_two_texts_each_under_both_ratings():
    assert binarised([PAIR]) == [Comparison("", "GOOD: Q: why? A, since", "BAD: Q: why? A, since"),
                                 Comparison("", "BAD: Q: why? B", "GOOD: Q: why? B")]
    with pytest.raises(ValueError, match="apart"):
        binarised([PAIR], "x", "x")


def test_of_binarised_pairs_no_rating_and_no_text_is_better_by_itself():
    """Each rating wins half of its pairs and the texts of a pair are the same: only both together tell."""
    found = binarised([PAIR, Comparison("x", "y", "z")])
    assert Counter(one.chosen.partition(":")[0] for one in found) == {"GOOD": 2, "BAD": 2}
    assert all(one.chosen.partition(":")[2] == one.rejected.partition(":")[2] for one in found)


def test_the_more_harmful_one_is_rejected():
    assert turned([PAIR]) == [Comparison("Q: why? ", "B", "A, since")]
    assert turned(turned([PAIR])) == [PAIR]


def test_a_ranking_as_a_choice_knows_the_best_only():
    ranking = Ranking("x", ("c", "a", "b", "d"), (3, 1, 1, 4))
    assert choices([ranking, PAIR]) == [Ranking("x", ("c", "a", "b", "d"), (2, 1, 1, 2)),
                                        Ranking("Q: why? ", ("A, since", "B"), (1, 2))]


def dialogues(n=30):
    """Two turns each; the second begins with the first."""
    found = []
    for i in range(n):
        first = f"User: question {i:02}?\nAssistant:"
        found += [Ranking(first, (f" good {i}", f" bad {i}"), (1, 2)),
                  Ranking(f"{first} good {i}\nUser: and then?\nAssistant:", (f" later {i}", f" no {i}"), (1, 2))]
    return found


@pytest.mark.parametrize("named", [False, True])
def test_a_distractor_never_comes_from_the_same_dialogue(named):
    turns = dialogues()
    found = with_distractors(turns, 3, dialogues=[i // 2 for i in range(60)] if named else None)
    for turn, before in zip(found, turns, strict=True):
        more = turn.responses[2:]
        assert len(set(more)) == 3
        assert all(text.split()[-1] != before.responses[0].split()[-1] for text in more)
        assert turn.ranks == (1, 2, 2, 2, 2)
    assert found == with_distractors(turns, 3, dialogues=None)                  # the same either way, and by seed
    assert found != with_distractors(turns, 3, seed=1)


def test_where_there_is_no_other_dialogue_there_is_no_distractor():
    alone = dialogues(1)
    assert with_distractors(alone, 2) == alone
    tied = Ranking("x", ("a", "b"), (1, 1))
    assert with_distractors([tied, Ranking("y", ("c", "d"), (1, 2))], 1)[0].ranks == (1, 1, 2)
    with pytest.raises(ValueError, match="n is -1"):
        with_distractors(alone, -1)
    with pytest.raises(ValueError, match="2 turns and 1 dialogues"):
        with_distractors(alone, 1, dialogues=[0])
