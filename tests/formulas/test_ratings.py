"""Strengths from games: by hand, from exact probabilities, against the conditions of a maximum."""

import math

import pytest
import torch

from rlhf_kit.formulas.ratings import as_elo, bradley_terry, bradley_terry_interval, elo, win_matrix

STRENGTH = torch.tensor([1.2, 0.3, -0.4, -1.1], dtype=torch.float64)


def chances(strength: torch.Tensor) -> torch.Tensor:
    return torch.sigmoid(strength.unsqueeze(-1) - strength)


def test_a_table_of_games_by_hand():
    wins = win_matrix(torch.tensor([0, 0, 1]), torch.tensor([1, 1, 2]), torch.tensor([1, 0.5, 0]), 3)
    assert wins.tolist() == [[0, 1.5, 0], [0.5, 0, 0], [0, 1, 0]]


def test_strengths_are_recovered_from_exact_chances_whoever_met_how_often():
    assert torch.allclose(bradley_terry(chances(STRENGTH), prior=0), STRENGTH)
    games = torch.tensor([[0, 90, 1, 0], [90, 0, 7, 0], [1, 7, 0, 2], [0, 0, 2, 0]], dtype=torch.float64)
    assert torch.allclose(bradley_terry(games * chances(STRENGTH), prior=0), STRENGTH)


def test_ten_of_ten_stays_finite_with_a_prior_and_shrinks_with_a_larger_one():
    """Two players: the odds are (10 + a)/a, and the sum is 0."""
    for prior in (0.1, 0.5, 2.0):
        first, second = bradley_terry(torch.tensor([[0, 10.0], [0, 0]]), prior).tolist()
        assert [first, -second] == pytest.approx([math.log((10 + prior) / prior) / 2] * 2)
    assert bradley_terry(torch.tensor([[0, 10.0], [0, 0]])).tolist() == pytest.approx([1.52, -1.52], abs=0.005)


def test_at_the_maximum_everybody_wins_as_often_as_expected():
    """The gradient of the likelihood is 0; the prior counts as games. Groups that hardly met are no trouble."""
    wins = torch.tensor([[0, 7e4, 0, 0], [3e4, 0, 0, 0], [0, 0, 0, 6e4], [0, 0, 4e4, 0]])
    for table in (wins, 500 * torch.rand(6, 5, 5, generator=torch.Generator().manual_seed(0))):
        strength = bradley_terry(table, prior=0.5)
        off = 1 - torch.eye(table.shape[-1])
        seen = (table.double() + 0.5) * off
        expected = (seen + seen.mT) * torch.sigmoid(strength.unsqueeze(-1) - strength.unsqueeze(-2))
        assert torch.allclose(seen.sum(-1), expected.sum(-1))
        assert torch.allclose(strength.sum(-1), torch.zeros((), dtype=torch.float64), atol=1e-9)


def test_nobody_who_never_met_is_judged_and_the_diagonal_says_nothing():
    assert bradley_terry(torch.zeros(3, 3)).tolist() == [0, 0, 0]
    assert torch.equal(bradley_terry(chances(STRENGTH)), bradley_terry(chances(STRENGTH) + 9 * torch.eye(4)))


def test_many_tables_at_once_are_each_their_own():
    tables = torch.rand(3, 4, 4, generator=torch.Generator().manual_seed(1)) * 20
    assert torch.allclose(bradley_terry(tables), torch.stack([bradley_terry(table) for table in tables]))


def test_without_a_prior_a_table_that_nothing_finite_fits_is_refused():
    for wins in ([[0, 10], [0, 0]], [[0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 0, 3], [0, 0, 3, 0]]):
        with pytest.raises(ValueError, match="Give a prior"):
            bradley_terry(torch.tensor(wins), prior=0)
    round_trip = torch.tensor([[0, 5, 0], [0, 0, 5], [5, 0, 0]])
    assert bradley_terry(round_trip, prior=0).abs().max() < 1e-9


@pytest.mark.parametrize("wins", [torch.ones(2, 3), torch.ones(3), torch.ones(1, 1), -torch.ones(2, 2),
                                  torch.full((2, 2), math.nan)])
def test_what_is_no_table_of_wins_is_refused(wins):
    with pytest.raises(ValueError, match=r"expected \[M, M\]"):
        bradley_terry(wins)


@pytest.mark.parametrize("prior", [-1, math.inf, math.nan])
def test_a_prior_that_means_nothing_is_refused(prior):
    with pytest.raises(ValueError, match=r"Try 0\.5"):
        bradley_terry(torch.ones(2, 2), prior)


# The interval

def votes(annotators: int, seed: int) -> torch.Tensor:
    """Ten votes on every pair by each."""
    generator = torch.Generator().manual_seed(seed)
    upper = torch.triu(torch.binomial(torch.full((annotators, 4, 4), 10.0), chances(STRENGTH).float().expand(
        annotators, -1, -1), generator=generator), 1)
    return upper + torch.tril(10 - upper.mT, -1)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    inside = []
    for seed in range(40):
        low, high = bradley_terry_interval(votes(12, seed), draws=200)
        inside += ((low <= STRENGTH) & (high >= STRENGTH)).tolist()
    assert 0.84 < sum(inside) / len(inside) < 0.99


def test_the_interval_is_repeatable_narrows_with_annotators_and_vanishes_where_all_agree():
    low, high = bradley_terry_interval(votes(8, 0))
    assert torch.equal(low, bradley_terry_interval(votes(8, 0))[0])
    more = bradley_terry_interval(votes(80, 0))
    assert ((more[1] - more[0]) < (high - low)).all()
    same = bradley_terry_interval(votes(1, 0).expand(5, -1, -1))
    assert torch.allclose(same[0], same[1])
    with pytest.raises(ValueError, match="at least 2 annotators"):
        bradley_terry_interval(votes(1, 0))


# Elo

def test_elo_by_hand():
    """Equal players: 16 points move; then the leader beats the other again and wins less."""
    one, zero = torch.tensor([0]), torch.tensor([1])
    assert elo(one, zero, torch.tensor([1.0]), 2).tolist() == [1516, 1484]
    second = elo(one.repeat(2), zero.repeat(2), torch.tensor([1.0, 1.0]), 2)
    assert second[0].item() == pytest.approx(1516 + 32 * (1 - 1 / (1 + 10 ** (-32 / 400))))
    assert elo(one, zero, torch.tensor([0.5]), 2).tolist() == [1500, 1500]


def test_elo_depends_on_the_order_of_the_games_and_bradley_terry_does_not():
    games = torch.tensor([[0, 1], [1, 2], [2, 0], [0, 1], [0, 2], [1, 2]])
    backwards = games.flip(0)
    forth, back = (elo(*order.T, torch.ones(6), 3) for order in (games, backwards))
    assert (forth - back).abs().max() > 1
    assert forth.sum().item() == pytest.approx(4500)
    forth, back = (bradley_terry(win_matrix(*order.T, torch.ones(6), 3)) for order in (games, backwards))
    assert torch.equal(forth, back)


def test_a_lead_in_points_means_the_same_as_a_lead_in_nats():
    """400 points are odds of ten to one."""
    points = as_elo(torch.tensor([math.log(10), 0.0]))
    assert (points[0] - points[1]).item() == pytest.approx(400)
