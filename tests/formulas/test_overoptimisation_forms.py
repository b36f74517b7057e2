"""Gao's forms by hand, a fit that recovers what made the points, and best-of-n on proxies with known flaws."""

import math

import pytest
import torch

from rlhf_kit.formulas.best_of_n import kl_bound
from rlhf_kit.formulas.ensembles import combined
from rlhf_kit.formulas.overoptimisation import fit, gold_at, peak

NS = (4, 16, 64, 256, 1024)


def test_the_forms_by_hand():
    d = torch.tensor([0.0, 1.0, 2.0, math.e])
    assert gold_at(d, 0.6, 0.1, "best-of-n").tolist() == pytest.approx([0, 0.5, 0.8, 0.6 * math.e - 0.1 * math.e**2])
    assert gold_at(d, 0.6, 0.1, "rl").tolist() == pytest.approx([0, 0.6, 2 * (0.6 - 0.1 * math.log(2)), 0.5 * math.e])


def test_the_peaks_of_the_paper_s_example():
    """α .6, β .1: best-of-n is highest at d = 3, a KL of 9 nats, with .9; reinforcement learning at e⁵."""
    assert peak(0.6, 0.1, "best-of-n").item() == pytest.approx(3)
    assert gold_at(torch.tensor(3.0), 0.6, 0.1, "best-of-n").item() == pytest.approx(0.9)
    assert peak(0.6, 0.1, "rl").item() == pytest.approx(math.exp(5))
    assert gold_at(peak(0.6, 0.3, "rl"), 0.6, 0.3, "rl").item() == pytest.approx(0.3 * math.e)        # β d*
    assert peak(torch.tensor([0.6, 0.6, -0.6]), torch.tensor([0.0, -0.1, 0.1]), "best-of-n").tolist() == [
        math.inf, math.inf, 0.0]


@pytest.mark.parametrize("form", ["best-of-n", "rl"])
def test_three_points_by_hand_and_twenty_five_with_noise(form):
    """25 points with noise .01 recover α and β within .025; the worst of 500 seeds is known to lie near .020."""
    d = torch.tensor([1.0, 2.0, 4.0])
    alpha, beta = fit(d, gold_at(d, 0.6, 0.1, form), form)
    assert (alpha.item(), beta.item()) == pytest.approx((0.6, 0.1))
    d = torch.linspace(0.3, 2.4, 25, dtype=torch.float64)
    noise = 0.01 * torch.randn(500, 25, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    alpha, beta = fit(d, gold_at(d, 0.6, 0.1, form) + noise, form)
    assert (alpha - 0.6).abs().max() < 0.025
    assert (beta - 0.1).abs().max() < 0.025


def test_rows_of_their_own_distances_are_fitted_one_by_one():
    d = torch.tensor([[1.0, 2.0, 3.0], [0.5, 1.5, 4.0]])
    alpha, beta = fit(d, torch.stack([gold_at(d[0], 1.0, 0.2, "rl"), gold_at(d[1], 0.5, -0.1, "rl")]), "rl")
    assert alpha.tolist() == pytest.approx([1.0, 0.5])
    assert beta.tolist() == pytest.approx([0.2, -0.1])


@pytest.mark.parametrize(("d", "gold", "said"), [
    ([1.0, 2.0], [1.0, 2.0, 3.0], r"expected the same \[\.\.\., N\]"),
    ([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], "leave out the start"),
    ([1.0, 2.0], [1.0, math.nan], "not finite"),
    ([2.0, 2.0, 2.0], [1.0, 1.1, 0.9], "do not tell α from β"),
])
def test_what_cannot_be_fitted_is_said(d, gold, said):
    with pytest.raises(ValueError, match=said):
        fit(torch.tensor(d), torch.tensor(gold), "best-of-n")


def test_another_form_is_refused():
    with pytest.raises(ValueError, match="form is 'ppo'"):
        peak(0.6, 0.1, "ppo")
    with pytest.raises(ValueError, match="a distance is -1"):
        gold_at(torch.tensor(-1.0), 0.6, 0.1, "rl")


# -- ensembles ---------------------------------------------------------------------------------------------------------

def test_an_ensemble_by_hand():
    """1, 1.2 and 2.6: mean 1.6, variance .5067 over K, uncertainty-weighted 1.3467, worst 1."""
    score = torch.tensor([1.0, 1.2, 2.6], dtype=torch.float64)[:, None]
    assert combined(score, "mean").item() == pytest.approx(1.6)
    assert combined(score, "worst").item() == pytest.approx(1.0)
    assert combined(score, "uwo").item() == pytest.approx(1.6 - 0.5 * 0.506667, abs=1e-5)
    assert combined(score, "uwo", 0.1).item() == pytest.approx(1.6 - 0.1 * 0.506667, abs=1e-5)


def test_one_member_is_itself_whatever_the_combination():
    score = torch.tensor([[0.3, -2.0]])
    for combination in ("mean", "worst", "uwo"):
        assert combined(score, combination).tolist() == score[0].tolist()


@pytest.mark.parametrize(("score", "given", "said"), [
    (torch.ones(2, 3), {"combination": "median"}, "combination is 'median'; it is one of mean, worst, uwo"),
    (torch.ones(0, 3), {"combination": "mean"}, "at least one member"),
    (torch.ones(2, 3), {"combination": "uwo", "weight": -1.0}, "λ is 0 or more"),
])
def test_what_is_no_ensemble_is_said(score, given, said):
    with pytest.raises(ValueError, match=said):
        combined(score, **given)


# -- what the forms are about: made-up proxies whose flaws are known ---------------------------------------------------

def gold_of_best(proxy: torch.Tensor, gold: torch.Tensor, n: int) -> float:
    """Mean gold of the draw with the highest proxy among the first n."""
    return gold.gather(1, proxy[:, :n].argmax(1, keepdim=True)).mean().item()


def test_an_exploitable_proxy_turns_and_plain_noise_does_not():
    """One draw in a hundred is a hack, proxy about 4 and gold about -2: gold is highest near n = 16, then negative.

    Gaussian noise as large as gold costs half the gain, and never makes gold fall.
    """
    make = torch.Generator().manual_seed(0)
    gold, noise = torch.randn(1000, 1024, generator=make), torch.randn(1000, 1024, generator=make)
    hack = torch.rand(1000, 1024, generator=make) < 0.01
    proxy, truth = torch.where(hack, 4 + 0.5 * noise, gold + 0.5 * noise), torch.where(hack, -2.0, gold)
    curve = [gold_of_best(proxy, truth, n) for n in NS]
    assert curve == pytest.approx([0.78, 1.01, 0.14, -1.46, -1.74], abs=0.16)
    d = kl_bound(torch.tensor([2, *NS])).sqrt()
    above = torch.tensor([gold_of_best(proxy, truth, n) for n in (2, *NS)])
    assert 0 < peak(*fit(d, above, "best-of-n"), "best-of-n").item() < d[-1]
    plain = [gold_of_best((gold + noise) / 2**0.5, gold, n) for n in (4, 16, 64)]
    assert plain == pytest.approx([0.73, 1.27, 1.65], abs=0.08)
    assert plain == sorted(plain)


def test_with_errors_that_are_seldom_huge_caution_wins():
    """Five members with errors .35·t₂; at n = 1024 uncertainty-weighted beats the mean, which beats one member."""
    torch.manual_seed(0)
    gold = torch.randn(1000, 1024)
    members = gold + 0.35 * torch.distributions.StudentT(2.0).sample((5, 1000, 1024))
    found = {"single": gold_of_best(members[0], gold, 1024),
             **{name: gold_of_best(combined(members, name), gold, 1024) for name in ("mean", "worst", "uwo")}}
    assert found == pytest.approx({"single": 0.36, "mean": 1.09, "worst": 3.08, "uwo": 3.14}, abs=0.25)
    assert found["single"] < found["mean"] < min(found["worst"], found["uwo"])
