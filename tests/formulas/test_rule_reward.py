"""Rules in a reward: the numbers of the fact sheet, and why one broken rule is not bought off."""

import pytest
import torch

from rlhf_kit.formulas.preference import auc
from rlhf_kit.formulas.rule_reward import LEVELS, broken_labels, rerank_score, rules_kept, total_reward

KEPT = torch.tensor([[0.95, 0.9, 0.2]])
PM = torch.tensor([0.8])


def test_five_levels_become_two_labels_and_a_gap():
    label, known = broken_labels(LEVELS)
    assert [one if sure else None for one, sure in zip(label.tolist(), known.tolist(), strict=True)] == [
        1, 1, None, 0, 0]
    with pytest.raises(ValueError, match="'maybe'"):
        broken_labels(["maybe"])


def test_the_total_reward_of_the_fact_sheet():
    assert total_reward(PM, KEPT, reduction="sum").item() == pytest.approx(2.85)
    assert total_reward(PM, KEPT).item() == pytest.approx(1.4833, abs=5e-5)
    assert rules_kept(KEPT, "geometric").item() == pytest.approx(0.5550, abs=5e-5)
    assert rules_kept(KEPT, "worst").item() == pytest.approx(0.2)
    assert total_reward(PM, KEPT, weight=0).item() == pytest.approx(0.8)


def test_what_is_no_turn_pays_and_what_is_long_too():
    valid = torch.tensor([True, False])
    found = total_reward(PM.repeat(2), KEPT.repeat(2, 1), length=torch.tensor([-0.1, 0]), valid=valid)
    assert found.tolist() == pytest.approx([1.3833, -0.5167], abs=1e-4)


def test_an_unnormalised_sum_sets_the_trade_off_by_accident():
    """The same preference model with its scores in other units, and twice as many rules: another reply is best."""
    liked, careful = torch.tensor([1.0, 0.0]), torch.tensor([[0.2, 0.9], [0.9, 0.9]])
    best = lambda pm, kept, **how: total_reward(pm, kept, **how).argmax().item()                    # noqa: E731
    assert best(liked, careful, reduction="sum") == 0
    assert best(0.5 * liked, careful, reduction="sum") == 1
    assert best(liked, careful.repeat(1, 2), reduction="sum") == 1
    assert best(liked, careful.repeat(1, 2)) == best(liked, careful)                   # the mean does not count rules


def test_rerank_does_not_let_liking_buy_off_a_broken_rule():
    kept = torch.tensor([[[0.99, 0.0], [0.9, 0.9], [0.9, 0.9]]])
    score = rerank_score(torch.tensor([[9.0, 1.0, -1.0]]), kept)
    assert score.argmax(-1).tolist() == [1]
    assert score[0, 0] == 0
    assert rerank_score(torch.tensor([[2.0, 2.0]]), torch.ones(1, 2, 3)).tolist() == [[0.5, 0.5]]     # both average


def test_the_area_under_the_curve_by_hand():
    """Of 2 · 3 pairs the first is above all three, the second above one and level with one: 4.5/6."""
    score, happened = torch.tensor([3.0, 1, 2, 1, 0]), torch.tensor([1, 1, 0, 0, 0])
    assert auc(score, happened).item() == pytest.approx(4.5 / 6)
    assert auc(-score, happened).item() == pytest.approx(1.5 / 6)
    assert auc(torch.zeros(5), happened).item() == 0.5
    noise = torch.Generator().manual_seed(0)
    assert auc(torch.rand(4000, generator=noise), torch.rand(4000, generator=noise) < 0.1).item() == pytest.approx(
        0.5, abs=0.05)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: rules_kept(KEPT, "median"), "reduction is 'median'"),
    (lambda: rules_kept(KEPT + 1), "from 1.2 to 1.95"),
    (lambda: rules_kept(torch.zeros(2, 0)), "at least one rule"),
    (lambda: total_reward(torch.zeros(2), KEPT), "expected"),
    (lambda: total_reward(PM, KEPT, weight=-1), "weight is -1"),
    (lambda: rerank_score(PM, KEPT[0]), "expected"),
    (lambda: auc(torch.zeros(3), torch.ones(3)), "3 of 3 happened"),
    (lambda: auc(torch.zeros(3), torch.ones(2)), "expected the same")])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
