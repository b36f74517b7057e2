"""Best-of-n: the law against simulation, the KL against its bound, the estimate against all choices listed."""

import math
from itertools import combinations

import pytest
import torch

from rlhf_kit.formulas.best_of_n import best_of_n, expected_best, kl_bound, kl_estimate


def kl(p, q):
    return sum(a * math.log(a / b) for a, b in zip(p.tolist(), q.tolist(), strict=True) if a > 0)


def uniform(size):
    return torch.full((size,), 1 / size, dtype=torch.float64)


def test_by_hand_two_draws_from_three_outcomes():
    law = best_of_n(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, 2.0]), 2)
    assert law.tolist() == pytest.approx([0.25, 0.8**2 - 0.25, 1 - 0.8**2])


def test_a_tie_is_shared_in_proportion():
    law = best_of_n(torch.tensor([0.5, 0.3, 0.2]), torch.tensor([0.0, 1.0, 1.0]), 2)
    assert law.tolist() == pytest.approx([0.25, 0.75 * 0.6, 0.75 * 0.4])


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_it_is_a_law_of_which_the_simulation_agrees(n):
    generator = torch.Generator().manual_seed(0)
    probability = torch.rand(6, generator=generator).softmax(0).double()
    reward = torch.tensor([3.0, 1.0, 1.0, 0.0, 2.0, 2.0])
    drawn = torch.multinomial(probability, 50_000 * n, replacement=True, generator=generator).reshape(50_000, n)
    first_best = reward[drawn].argmax(-1, keepdim=True)
    seen = torch.bincount(drawn.gather(1, first_best)[:, 0], minlength=6) / 50_000
    law = best_of_n(probability, reward, n)
    assert law.sum().item() == pytest.approx(1)
    assert 0.5 * (law - seen).abs().sum() < 0.02


def test_what_is_never_drawn_is_never_the_best():
    law = best_of_n(torch.tensor([0.7, 0.3, 0.0]), torch.tensor([0.0, 1.0, 9.0]), 1000)
    assert law[2] == 0
    assert law[1] == pytest.approx(1)


@pytest.mark.parametrize(("n", "nats"), [(1, 0.0), (2, 0.193), (4, 0.636), (8, 1.204), (16, 1.835), (64, 3.175),
                                         (128, 3.860), (256, 4.549), (512, 5.240)])
def test_the_bound_as_the_papers_print_it(n, nats):
    assert kl_bound(n).item() == pytest.approx(nats, abs=1e-3)


@pytest.mark.parametrize(("size", "n", "nats"), [(2, 2, 0.1308), (2, 4, 0.4594), (2, 8, 0.6676), (2, 16, 0.6930),
                                                 (10, 64, 2.293), (1000, 16, 1.83508)])
def test_the_true_kl_of_a_uniform_law_lies_below_it(size, n, nats):
    true = kl(best_of_n(uniform(size), torch.arange(float(size)), n), uniform(size))
    assert true == pytest.approx(nats, abs=1e-3 if size == 10 else 1e-4)
    assert true < kl_bound(n)


def test_on_any_law_the_kl_is_below_the_bound_and_below_what_the_best_outcome_allows():
    generator = torch.Generator().manual_seed(1)
    for size in (2, 3, 5, 40):
        probability = torch.rand(size, generator=generator, dtype=torch.float64)
        probability = probability / probability.sum()
        reward = torch.randint(0, size, (size,), generator=generator).double()
        best = probability[reward == reward.max()].sum().item()
        for n in (2, 3, 8, 50):
            true = kl(best_of_n(probability, reward, n), probability)
            assert true <= kl_bound(n) + 1e-12
            assert true <= -math.log(best) + 1e-12


def test_the_estimate_is_the_bound_for_rare_and_the_logarithm_for_common_responses():
    assert kl_estimate(16, torch.tensor(1e-9)).item() == pytest.approx(kl_bound(16).item(), abs=1e-6)
    assert kl_estimate(1000, torch.tensor(0.5)).item() == pytest.approx(math.log(2), abs=1e-9)
    assert kl_estimate(4, torch.tensor(1.0)).item() == 0
    assert kl_estimate(1, torch.tensor([0.1, 0.9])).abs().max() < 1e-12


def test_the_estimate_is_nearer_to_the_truth_than_the_bound():
    for n in (4, 16, 64):
        law = best_of_n(uniform(10), torch.arange(10.0), n)
        true = kl(law, uniform(10))
        guess = (law * kl_estimate(n, uniform(10))).sum().item()
        assert abs(guess - true) < abs(kl_bound(n).item() - true)


def test_the_estimate_by_hand():
    """ε = 1/4, n = 2: 9/16 · (log 2 + log(3/4) - 1/2) + 7/16 · log(7/4)."""
    by_hand = 9 / 16 * (math.log(2) + math.log(3 / 4) - 1 / 2) + 7 / 16 * math.log(7 / 4)
    assert kl_estimate(2, torch.tensor(0.25)).item() == pytest.approx(by_hand)


def test_every_n_from_one_set_of_draws():
    found = expected_best(torch.tensor([0.1, 0.5, 0.9, 0.3]), torch.tensor([1.0, 2.0, 0.0, 3.0]))
    assert found.tolist() == pytest.approx([1.5, 7 / 6, 0.5, 0.0])


def test_it_is_the_mean_over_all_choices_also_where_draws_tie():
    proxy, value = torch.tensor([2.0, 1.0, 2.0, 0.0, 2.0]), torch.tensor([5.0, -1.0, 2.0, 7.0, 0.5])
    found = expected_best(proxy, value)
    for n in range(1, 6):
        each = []
        for chosen in combinations(range(5), n):
            top = [i for i in chosen if proxy[i] == max(proxy[j] for j in chosen)]
            each.append(sum(value[i].item() for i in top) / len(top))
        assert found[n - 1].item() == pytest.approx(sum(each) / len(each))


def test_leading_dimensions_are_prompts_and_large_n_stays_finite():
    proxy = torch.rand(3, 600, generator=torch.Generator().manual_seed(0))
    found = expected_best(proxy)
    assert found.shape == (3, 600)
    assert found[:, 0] == pytest.approx(proxy.double().mean(-1))
    assert found[:, -1] == pytest.approx(proxy.double().max(-1).values)
    assert (found.diff(dim=-1) >= -1e-9).all()


@pytest.mark.parametrize("call", [
    lambda: best_of_n(torch.tensor([0.5, 0.6]), torch.zeros(2), 2),
    lambda: best_of_n(torch.tensor([1.5, -0.5]), torch.zeros(2), 2),
    lambda: best_of_n(uniform(2), torch.zeros(3), 2),
    lambda: best_of_n(uniform(2), torch.tensor([0.0, math.nan]), 2),
    lambda: best_of_n(uniform(2), torch.zeros(2), 0),
    lambda: kl_bound(0),
    lambda: kl_estimate(4, torch.tensor(0.0)),
    lambda: kl_estimate(4, torch.tensor(1.5)),
    lambda: expected_best(torch.zeros(3), torch.zeros(4)),
    lambda: expected_best(torch.zeros(0)),
])
def test_what_cannot_be_is_refused(call):
    with pytest.raises(ValueError, match=r"expected|needs|must|Give"):
        call()
