"""DPO, IPO and KTO: by hand, at the start, and what each of them does with a pair that always goes one way."""

import math

import pytest
import torch

from rlhf_kit.formulas.direct_alignment import dpo, ipo, kto, kto_reference_point, robust_dpo

ZERO, ONE = torch.zeros(4), torch.ones(4)


def slope(loss, at):
    """dL/dΔ at a difference of log-ratios."""
    chosen = torch.tensor([at], dtype=torch.float64, requires_grad=True)
    loss(chosen, torch.zeros(1, dtype=torch.float64)).backward()
    return chosen.grad.item()


def test_dpo_of_the_fact_sheet():
    assert dpo(ZERO, ZERO, 0.1).item() == pytest.approx(math.log(2))
    assert dpo(torch.tensor([2.0]), torch.tensor([0.0]), 0.1).item() == pytest.approx(0.5981, abs=5e-5)
    assert dpo(torch.tensor([-7.0]), torch.tensor([-9.0]), 0.1).item() == pytest.approx(0.5981, abs=5e-5)   # both fell


def test_smoothed_labels_stop_where_the_odds_are_those_of_the_labels():
    """The best β·Δ is log((1-ε)/ε): beyond it the loss rises again. Plain DPO never stops."""
    best = math.log(0.8 / 0.2) / 0.5
    assert slope(lambda c, r: dpo(c, r, 0.5, label_smoothing=0.2), best) == pytest.approx(0, abs=1e-12)
    assert slope(lambda c, r: dpo(c, r, 0.5), 100.0) < 0


def test_on_wrong_labels_the_robust_loss_is_right_on_average():
    """A fifth of the labels turned round: the mean of the robust loss is DPO's on the right ones, to rounding."""
    right, wrong = torch.tensor([1.5], dtype=torch.float64), torch.tensor([-0.5], dtype=torch.float64)
    mean = 0.8 * robust_dpo(right, wrong, 0.3, 0.2) + 0.2 * robust_dpo(wrong, right, 0.3, 0.2)
    assert mean.item() == pytest.approx(dpo(right, wrong, 0.3).item(), abs=1e-12)


def test_ipo_wants_one_margin_and_no_more():
    assert ipo(ZERO, ZERO, 0.5).item() == 1.0                                   # 1/(4·.25)
    assert ipo(ONE, ZERO, 0.5).item() == 0.0
    assert slope(lambda c, r: ipo(c, r, 0.5), 1.5) > 0 > slope(lambda c, r: ipo(c, r, 0.5), 0.5)


def test_kto_at_the_start_is_half_of_the_weights():
    good = torch.tensor([True, True, True, False])
    assert kto(ZERO, good, 0.0, 0.1).item() == 0.5
    assert kto(ZERO, good, 0.0, 0.1, bad_weight=3.0).item() == pytest.approx(0.75)          # (3·.5 + 1.5)/4


def test_kto_by_hand():
    """σ(1·(1-2)) and 1 - σ(1·(2-0)), one good and one bad."""
    sigmoid = lambda x: 1 / (1 + math.exp(-x))                                                        # noqa: E731
    loss = kto(torch.tensor([1.0, 0.0]), torch.tensor([True, False]), 2.0, 1.0, bad_weight=0.5)
    assert loss.item() == pytest.approx(((1 - sigmoid(-1)) + 0.5 * (1 - sigmoid(2))) / 2)


def test_kto_gives_up_on_what_the_policy_finds_hopeless():
    """The pull is largest at z and fades on both sides; DPO's only grows the further a pair is on the wrong side."""
    def pull(d):
        ratio = torch.tensor([d], requires_grad=True)
        kto(ratio, torch.tensor([True]), 0.0, 1.0).backward()
        return -ratio.grad.item()
    assert pull(0.0) == pytest.approx(0.25)
    assert pull(-8.0) < 0.001
    assert -slope(lambda c, r: dpo(c, r, 1.0), -8.0) > 0.99


def test_the_reference_point_is_never_below_zero_and_carries_no_gradient():
    ratio = torch.tensor([-3.0, 1.0], requires_grad=True)
    assert kto_reference_point(ratio).item() == 0.0
    z = kto_reference_point(-ratio)
    assert z.item() == 1.0
    assert not z.requires_grad


@pytest.mark.parametrize(("call", "message"), [
    (lambda: dpo(ZERO, ZERO[:2], 0.1), r"shapes \(4,\) and \(2,\)"), (lambda: dpo(ZERO, ZERO, 0.0), "beta is 0.0"),
    (lambda: dpo(ZERO, ZERO, 0.1, 0.5), "label_smoothing is 0.5"), (lambda: ipo(ZERO, ZERO, -1), "beta is -1"),
    (lambda: kto(ZERO, torch.ones(2).bool(), 0, 0.1), r"labels \(2,\)"),
    (lambda: kto(ZERO, ZERO.bool(), 0, 0.1, good_weight=-1), "good_weight -1")])
def test_what_makes_no_loss_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
