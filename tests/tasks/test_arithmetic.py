"""Arithmetic: gold by hand, the cheats that it withstands, splits, and how often its corpus is right."""

import pytest

from rlhf_kit import rewards
from rlhf_kit.tasks.arithmetic import Arithmetic
from rlhf_kit.tasks.arithmetic.task import answer
from rlhf_kit.tasks.rankings import rankings_of

TASK = Arithmetic()


def test_gold_by_hand():
    assert [TASK.gold("7 + 5 =", r) for r in (" 12", "12", " 12 ", " 13", "")] == [1, 1, 1, 0, 0]
    assert TASK.gold("7 - 5 =", " 2") == 1


@pytest.mark.parametrize("cheat", [" 12 13", " 0 1 2 3 4 5 6 7 8 9 10 11 12", " twelve", " 12 = 12", " 012", " + 12",
                                   " 1 2", "\n12\n12", " 12.0"])
def test_nothing_but_the_number_counts(cheat):
    """Saying several, copying the question, another spelling."""
    assert TASK.gold("7 + 5 =", cheat) == 0


def test_no_question_is_in_both_splits_and_every_answer_is_at_least_0():
    train, held_out = TASK.prompts(), TASK.prompts("heldout")
    assert not set(train) & set(held_out)
    assert len(train) + len(held_out) == 155                      # 100 sums, 55 differences
    assert len(held_out) > 10
    assert min(map(answer, train + held_out)) == 0


def test_as_many_questions_as_are_asked_for_each_once_before_one_comes_again():
    every = TASK.prompts("heldout")
    found = TASK.prompts("heldout", 2 * len(every) + 5)
    assert TASK.prompts("heldout", 7) == every[:7]
    assert found[:len(every)] == every
    assert set(found[len(every):2 * len(every)]) == set(every)
    assert len(found) == 2 * len(every) + 5


def test_seven_of_ten_answers_are_right_and_the_others_are_near():
    split = [text.rpartition(" ") for text in TASK.corpus(2000)]
    assert sum(int(said) == answer(prompt) for prompt, _, said in split) / 2000 == pytest.approx(0.7, abs=0.05)
    assert all(abs(int(said) - answer(prompt)) <= 9 for prompt, _, said in split)


def test_labels_say_what_is_right():
    for text, label in TASK.labelled(100):
        prompt, _, said = text.rpartition(" ")
        assert (int(said) == answer(prompt)) == bool(label)


def test_the_same_seed_gives_the_same_texts_and_another_seed_others():
    assert TASK.corpus(20, seed=1) == TASK.corpus(20, seed=1) != TASK.corpus(20, seed=2)
    assert rankings_of(TASK, n=2, k=3)[0].ranks[0] == 1


@pytest.mark.parametrize("call", [lambda: Arithmetic(right=2), lambda: TASK.prompts("test"), lambda: answer("7 * 5 ="),
                                  lambda: TASK.prompts(n=0)])
def test_what_makes_no_sense_is_refused(call):
    with pytest.raises(ValueError, match=r"right is 2|split is 'test'|no question of this world|n is 0"):
        call()


# -- the checker that takes anybody's answers ----------------------------------------------------------------------

@pytest.mark.parametrize(("text", "number"), [
    (" 12", 12), ("so 3 + 4 = 7.", 7), ("It costs $1,234.50", 1234.5), ("#### -3", -3), ("2, 3", 3), ("1.5.", 1.5),
    ("10-3", 3), ("none", None), ("", None), ("1,23", 23)])
def test_the_last_number_of_a_text(text, number):
    found = rewards.last_number(text)
    assert (None if found is None else abs(found)) == (None if number is None else abs(number))
    assert found == number or text == "10-3"                       # a minus or a hyphen: nobody knows


def test_a_response_is_right_if_it_ends_with_the_number():
    reward = rewards.right_number({"2 + 2": 4, "3 * 24": "so we get\n#### 72"})
    assert reward(["2 + 2", "2 + 2", "3 * 24"], ["it is 4.0", "4, or 5", "72 apples"]).tolist() == [1, 0, 1]
    by_function = rewards.right_number(lambda prompt: answer(prompt))
    assert by_function(["7 + 5 ="], [" 12"]).tolist() == [1]
    assert rewards.range_of(reward) == (0, 1)


def test_answers_that_are_none_are_named():
    with pytest.raises(rewards.RewardError, match="answer to 'why' is 'because', which holds no number"):
        rewards.right_number({"why": "because"})
    with pytest.raises(rewards.RewardError, match="no answer to 'who'"):
        rewards.right_number({"why": 1})(["who"], ["1"])
