"""Wins at equal length: against another program, against what made the data, and where nothing can be told."""

import math

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from rlhf_kit.formulas.length_control import length_control


def drawn(theta: float, phi: float, n: int, longer: float, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs of a world in which the win's log-odds are θ + φ·tanh(d / 40), and d is spread by 40."""
    generator = torch.Generator().manual_seed(seed)
    difference = 40 * (torch.randn(n, generator=generator) + longer)
    win = torch.rand(n, generator=generator) < torch.sigmoid(theta + phi * torch.tanh(difference / 40))
    return win.double(), difference


def test_the_same_as_another_program_on_the_same_rows():
    """scikit-learn, without a penalty of its own, on the rows with the prior's: a win and a loss that weigh half."""
    win, difference = drawn(0.4, 1.2, 60, 0.5, seed=1)
    z = torch.tanh(difference / difference.std(correction=0)).double()
    rows = [[1.0, x] for x in z.tolist()] + [[0.0, 1.0], [0.0, 1.0]]
    oracle = LogisticRegression(C=1e12, fit_intercept=False, tol=1e-10, max_iter=1000).fit(
        rows, [*win.int().tolist(), 1, 0], sample_weight=[1.0] * 60 + [0.5, 0.5])
    found = length_control(win, difference)
    assert [found.intercept, found.slope] == pytest.approx(oracle.coef_[0].tolist(), abs=1e-4)


@pytest.mark.parametrize(("theta", "phi"), [(0.0, 2.0), (0.8, 0.0), (-0.5, 1.5)])
def test_it_finds_what_made_the_data_though_the_plain_share_does_not(theta, phi):
    win, difference = drawn(theta, phi, 5000, 1.0, seed=0)
    found = length_control(win, difference)
    assert found.intercept == pytest.approx(theta, abs=3 * found.standard_error)
    assert found.standard_error < 0.1
    plain = math.log(win.mean() / (1 - win.mean()))
    assert phi == 0 or abs(plain - theta) > 5 * found.standard_error


def test_its_interval_covers_the_truth_as_often_as_it_says():
    hits = 0
    for seed in range(200):
        found = length_control(*drawn(0.5, 1.5, 80, 0.7, seed))
        hits += abs(found.intercept - 0.5) < 1.96 * found.standard_error
    assert 0.90 <= hits / 200 <= 1.0


def test_turned_round_it_says_the_opposite_and_the_unit_of_length_does_not_matter():
    win, difference = drawn(0.6, 1.0, 70, 0.3, seed=2)
    found, turned = length_control(win, difference), length_control(1 - win, -difference)
    assert turned.intercept == pytest.approx(-found.intercept, abs=1e-9)
    scaled = length_control(win, difference / 4.2)
    assert scaled.intercept == pytest.approx(found.intercept, abs=1e-6)


def test_where_length_tells_them_apart_without_a_mistake_everything_is_finite_and_unsure():
    """The longer wins, always: at equal length nothing is known."""
    difference = torch.tensor([-30.0, -20.0, -10.0, 10.0, 20.0, 30.0] * 3)
    found = length_control((difference > 0).double(), difference)
    assert found.intercept == pytest.approx(0, abs=1e-6)
    assert found.slope > 2
    steady = length_control(torch.tensor([1.0, 0.0] * 10), torch.tensor([100.0, 100.1] * 10))
    assert steady.standard_error > 1                            # all longer by nearly the same: that may be why


def test_nothing_to_fit():
    assert length_control(torch.ones(5), torch.arange(5.0)) is None
    assert length_control(torch.zeros(5), torch.arange(5.0)) is None
    assert length_control(torch.tensor([1.0, 0.0]), torch.tensor([7.0, 7.0])) is None
    assert length_control(torch.full((4,), 0.5), torch.arange(4.0)).intercept == pytest.approx(0)
    with pytest.raises(ValueError, match=r"expected \[N\] each"):
        length_control(torch.ones(3), torch.ones(4))
