"""Sparrow's preference model: the numbers of the fact sheet, what centring changes and what it does not."""

import math

import pytest
import torch

from rlhf_kit.formulas.choice import chosen_among, chosen_over_each, off_centre, preference_model
from rlhf_kit.formulas.losses import pairwise

FIRST = torch.tensor([[1.0, 0, 0, 0]])


def terms(score, chosen=FIRST, mask=None):
    return [x.item() for x in (chosen_among(score, chosen, mask), chosen_over_each(score, chosen, mask),
                               0.1 * off_centre(score, mask))]


@pytest.mark.parametrize(("score", "expected"), [
    ([0.0, 0, 0, 0], (1.3863, 0.6931, 0)), ([2.0, 1, 0, -3], (0.4121, 0.1490, 0)),
    ([7.0, 6, 5, 2], (0.4121, 0.1490, 2.5))])
def test_the_numbers_of_the_fact_sheet(score, expected):
    score = torch.tensor([score])
    assert terms(score) == pytest.approx(expected, abs=5e-5)
    assert preference_model(score, FIRST).item() == pytest.approx(sum(expected), abs=1e-4)


def test_of_two_candidates_both_terms_are_bradley_terry():
    score, chosen = torch.tensor([[1.5, 0.5]]), torch.tensor([[1.0, 0]])
    assert chosen_among(score, chosen).item() == pytest.approx(0.3133, abs=5e-5)
    assert chosen_over_each(score, chosen).item() == pytest.approx(pairwise(score[:, 0], score[:, 1]).item())


def test_a_tie_pulls_two_scores_together():
    """The maximum-entropy target: least where they are equal, and the slope there is 0."""
    score = torch.zeros(1, 2, requires_grad=True)
    loss = preference_model(score, torch.tensor([[0.5, 0.5]]), centring=0)
    loss.backward()
    assert score.grad.abs().max() == 0
    assert preference_model(torch.tensor([[1.0, -1]]), torch.tensor([[0.5, 0.5]]), centring=0) > loss


def fitted(kind, centring):
    """The scores of least loss for choices made .6, .25, .1 and .05 of the time, from (5, 5, 5, 5)."""
    score = torch.full((1, 4), 5.0, dtype=torch.float64, requires_grad=True)
    often = torch.tensor([[0.6, 0.25, 0.1, 0.05]], dtype=torch.float64)
    optimizer = torch.optim.LBFGS([score], max_iter=500, tolerance_grad=1e-12, tolerance_change=1e-14)

    def closure():
        optimizer.zero_grad()
        loss = preference_model(score, often, centring=centring, kind=kind)
        loss.backward()
        return loss
    optimizer.step(closure)
    return score.mean().item(), score.softmax(-1)[0].tolist()


def test_centring_by_the_squared_mean_takes_the_shift_and_leaves_the_choices():
    often = [0.6, 0.25, 0.1, 0.05]
    free, told = fitted("squared_mean", 0.0)
    assert free == pytest.approx(5.0, abs=1e-6)                     # nothing pulls
    assert told == pytest.approx(often, abs=1e-5)
    mean, told = fitted("squared_mean", 0.1)
    assert mean == pytest.approx(0, abs=1e-6)
    assert told == pytest.approx(often, abs=1e-5)
    mean, told = fitted("mean_square", 0.1)
    assert mean == pytest.approx(0, abs=1e-6)
    assert told == pytest.approx([0.563, 0.245, 0.116, 0.076], abs=6e-4)        # flatter


def test_turns_may_have_different_numbers_of_candidates():
    score = torch.tensor([[2.0, 1, math.nan], [2, 1, 0]])
    chosen = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
    mask = torch.tensor([[True, True, False], [True, True, True]])
    apart = [terms(score[:1, :2], chosen[:1, :2]), terms(score[1:], chosen[1:])]
    assert terms(score, chosen, mask) == pytest.approx([(a + b) / 2 for a, b in zip(*apart, strict=True)])


@pytest.mark.parametrize(("call", "message"), [
    (lambda: chosen_among(torch.zeros(1, 3), FIRST), "shape"),
    (lambda: chosen_among(torch.zeros(1, 4), torch.zeros(1, 4)), "sum to 0"),
    (lambda: chosen_over_each(torch.zeros(1, 1), torch.ones(1, 1)), "1 candidates"),
    (lambda: off_centre(torch.zeros(1, 2), kind="median"), "kind is 'median'"),
    (lambda: preference_model(torch.zeros(1, 4), FIRST, centring=-1), "centring -1")])
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
