"""From scores to preferences: pairs, orders and calibration, counted by hand or in plain loops."""

import math
import random
from itertools import permutations, product

import pytest
import torch

from rlhf_kit.formulas import preference
from rlhf_kit.formulas.records import Ranking

SCORE = torch.tensor([[2.0, 1.0, 0.0, -1.0], [0.5, 0.5, 3.0, 9.0]])
RANK = torch.tensor([[1, 2, 2, 4], [1, 2, 3, 0]])                      # the second list has three responses
MASK = torch.tensor([[True] * 4, [True, True, True, False]])


def test_lists_of_different_k_stand_side_by_side():
    rank, mask = preference.as_batch([(1, 2), (2, 1, 3)])
    assert rank.tolist() == [[1, 2, 0], [2, 1, 3]]
    assert mask.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.parametrize(("ranks", "pairs"), [
    *[(tuple(range(1, k + 1)), n) for k, n in zip(range(4, 10), (6, 10, 15, 21, 28, 36), strict=True)],
    ((1, 1, 2, 3), 5), ((1, 1, 1), 0), ((2, 1), 1)])
def test_the_pairs_of_a_ranking_are_those_with_a_winner(ranks, pairs):
    better = preference.preference_mask(torch.tensor([ranks]))[0]
    assert better.sum() == pairs == len(Ranking("", tuple(map(str, ranks)), ranks).pairs())
    assert not (better & better.T).any()
    assert all(ranks[i] < ranks[j] for i, j in better.nonzero().tolist())


def test_padding_beats_nobody_wherever_it_stands():
    better = preference.preference_mask(RANK, MASK)
    assert better[1].nonzero().tolist() == [[0, 1], [0, 2], [1, 2]]
    moved = preference.preference_mask(RANK.flip(1), MASK.flip(1))
    assert torch.equal(moved.flip(1, 2), better)


@pytest.mark.parametrize(("rank", "mask"), [(RANK[0], None), (RANK, MASK[:1]), (RANK, MASK[:, :2])])
def test_shapes_that_do_not_fit_are_refused(rank, mask):
    with pytest.raises(ValueError, match=r"expected \[B, K\] each"):
        preference.preference_mask(rank, mask)


def test_gaps_by_hand_and_nothing_leaks_from_the_padding():
    better = preference.preference_mask(RANK, MASK)
    want = torch.tensor([[[0, 1, 2, 3], [0, 0, 0, 2], [0, 0, 0, 1], [0, 0, 0, 0]],
                         [[0, 0, -2.5, 0], [0, 0, -2.5, 0], [0, 0, 0, 0], [0, 0, 0, 0]]])
    for junk in (9.0, math.nan, math.inf):
        score = SCORE.clone()
        score[1, 3] = junk
        assert torch.equal(preference.margins(score, better), want)


def test_bradley_and_terry_by_hand():
    """The odds are e to the gap: 1 nat is 73 to 27, and what the one wins the other loses."""
    assert preference.preference_probability(2.0, 1.0).item() == pytest.approx(1 / (1 + math.exp(-1)))
    assert preference.preference_probability(3.0, 3.0).item() == 0.5
    a, b = torch.randn(2, 9, generator=torch.Generator().manual_seed(0))
    back = preference.preference_probability(b, a)
    torch.testing.assert_close(preference.preference_probability(a, b), 1 - back)


def test_equal_scores_are_right_half_the_time_and_ties_are_not_asked():
    right, pairs = preference.pairs_right(SCORE, RANK, MASK)
    assert right.tolist() == [5, 0.5]
    assert pairs.tolist() == [5, 3]


def test_counting_pairs_agrees_with_a_plain_loop():
    rng = random.Random(0)
    lists = [[(rng.randint(1, 4), rng.randint(-2, 2)) for _ in range(rng.randint(2, 7))] for _ in range(200)]
    rank, mask = preference.as_batch([[r for r, _ in one] for one in lists])
    score = torch.zeros(mask.shape).masked_scatter(mask, torch.tensor([float(s) for one in lists for _, s in one]))
    right, pairs = preference.pairs_right(score, rank, mask)
    order = preference.exact_order(score, rank, mask)
    for i, one in enumerate(lists):
        gaps = [a - b for (x, a), (y, b) in product(one, one) if x < y]
        assert pairs[i] == len(gaps)
        assert right[i] == sum(1 if gap > 0 else 0.5 if gap == 0 else 0 for gap in gaps)
        assert order[i] == all(gap > 0 for gap in gaps)


def test_a_guess_gets_half_of_the_pairs_and_one_whole_order_of_24():
    score = torch.tensor(list(permutations(range(4))), dtype=torch.float32)
    rank = torch.tensor([[1, 2, 3, 4]]).expand(24, 4)
    right, pairs = preference.pairs_right(score, rank)
    assert right.sum() / pairs.sum() == 0.5
    assert preference.exact_order(score, rank).sum() == 1


def test_calibration_error_by_hand():
    """Two said .75 and one happened; two said .95 and both did: (2·.25 + 2·.05) / 4."""
    stated = torch.tensor([0.75, 0.75, 0.95, 0.95])
    happened = torch.tensor([True, False, True, True])
    assert preference.calibration_error(stated, happened).item() == pytest.approx(0.15, abs=1e-6)
    counts, mean, share = preference.reliability(stated, happened)
    assert counts.tolist() == [0] * 7 + [2, 0, 2]
    assert [mean[7].item(), mean[9].item()] == pytest.approx([0.75, 0.95])
    assert [share[7].item(), share[9].item()] == [0.5, 1]
    assert mean.isnan().sum() == share.isnan().sum() == 8


def test_certainty_is_in_the_last_bin_and_impossibility_in_the_first():
    counts, _, _ = preference.reliability(torch.tensor([0.0, 1.0, 1.0]), torch.tensor([0, 1, 1]), bins=4)
    assert counts.tolist() == [1, 0, 0, 2]


@pytest.mark.parametrize(("times", "low", "high"), [(1, 0, 0.02), (3, 0.1, 0.3), (1 / 3, 0.08, 0.3)])
def test_who_states_the_true_odds_is_calibrated_and_who_exaggerates_is_not(times, low, high):
    g = torch.Generator().manual_seed(0)
    gap = torch.randn(20_000, generator=g)
    won = torch.rand(20_000, generator=g) < gap.sigmoid()
    error = preference.calibration_error((times * gap.abs()).sigmoid(), won == (gap > 0))
    assert low <= error < high


@pytest.mark.parametrize(("probability", "happened"), [
    (torch.zeros(0), torch.zeros(0)), (torch.zeros(3), torch.zeros(2)), (torch.zeros(2, 2), torch.zeros(2, 2))])
def test_calibration_of_nothing_or_of_other_shapes_is_refused(probability, happened):
    with pytest.raises(ValueError, match="at least one entry"):
        preference.calibration_error(probability, happened)
