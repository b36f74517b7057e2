"""Reward against the root of the KL: the law where it is exact, and that KL itself is no line."""

import math

import pytest
import torch

from rlhf_kit.formulas.root_kl import line, root_kl_line


def test_a_line_by_hand():
    """(0, 1), (1, 2), (2, 5): slope 2, intercept 2/3, residuals 1/3, -2/3, 1/3 of a spread of 26/3."""
    found = line(torch.tensor([0.0, 1, 2]), torch.tensor([1.0, 2, 5]))
    assert (found.slope, found.intercept) == pytest.approx((2, 2 / 3))
    assert found.r2 == pytest.approx(1 - (6 / 9) / (26 / 3))


@pytest.mark.parametrize("s", [0.5, 2.0])
def test_a_gaussian_reward_grows_along_the_root(s):
    kl = torch.linspace(0.01, 4, 50)
    found = root_kl_line(kl, 1 + s * (2 * kl).sqrt())
    assert found.slope == pytest.approx(s * math.sqrt(2), abs=1e-3)
    assert found.intercept == pytest.approx(1, abs=1e-3)
    assert found.r2 > 0.9999
    assert line(kl, 1 + s * (2 * kl).sqrt()).r2 < 0.97                      # against KL it is visibly curved


def test_tilting_a_finite_law_gives_nearly_a_line():
    """200 outcomes with random rewards, tilted ever further: R² above .99, as of a policy that learns well."""
    reward = torch.randn(200, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kl, worth = [], []
    for beta in torch.linspace(0.05, 1.5, 30, dtype=torch.float64):
        p = torch.softmax(beta * reward, 0)
        kl.append((p * (p * 200).log()).sum())
        worth.append((p * reward).sum())
    assert root_kl_line(torch.stack(kl), torch.stack(worth)).r2 > 0.99


def test_what_an_estimate_puts_below_zero_counts_as_zero():
    assert root_kl_line(torch.tensor([-0.01, 1, 4]), torch.tensor([0.0, 1, 2])).slope == pytest.approx(1)


@pytest.mark.parametrize(("x", "y", "message"), [([1.0, 2], [1.0, 2], "at least 3"), ([1.0] * 3, [1.0, 2, 3], "apart"),
                                                ([1.0, 2, 3], [1.0], "same")])
def test_bad_input_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        line(torch.tensor(x), torch.tensor(y))
