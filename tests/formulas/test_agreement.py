"""How far people agree: published numbers, numbers by hand, theorems, and two other programs."""

import math

import pytest
import torch

from rlhf_kit.formulas.agreement import (
    annotator_quality,
    cohen_kappa,
    kendall_w,
    krippendorff_alpha,
    pairwise_agreement,
    verdicts,
)

N = math.nan
# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", part C: four observers, twelve units, gaps.
PUBLISHED = torch.tensor([[1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
                          [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N]])


def at_random(rows: int, columns: int, values: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(values, (rows, columns), generator=torch.Generator().manual_seed(seed)).double()


def orders(m: int, k: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(m, k, generator=torch.Generator().manual_seed(seed)).argsort(-1).argsort(-1) + 1


# Krippendorff's alpha

@pytest.mark.parametrize(("level", "published"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_of_the_published_example(level, published):
    assert krippendorff_alpha(PUBLISHED, level).item() == pytest.approx(published, abs=5e-4)


def test_alpha_by_hand():
    """Two annotators, (a, a), (a, b): of four values one coincidence of two differs, three a and one b:
    D_o = 2/4, D_e = 2·3·1/(4·3) = 1/2."""
    assert krippendorff_alpha(torch.tensor([[0, 0], [0, 1]])).item() == pytest.approx(0.0)


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_identical_raters_have_alpha_1_and_independent_ones_about_0(level):
    same = at_random(1, 300, 5).expand(4, -1)
    assert krippendorff_alpha(same, level).item() == pytest.approx(1.0)
    assert abs(krippendorff_alpha(at_random(4, 3000, 5), level).item()) < 0.03


def test_alpha_below_0_is_systematic_disagreement():
    first = at_random(1, 200, 2)
    assert krippendorff_alpha(torch.cat([first, 1 - first])).item() == pytest.approx(-1.0, abs=0.02)


def test_a_unit_that_one_person_rated_says_nothing():
    more = torch.cat([PUBLISHED, torch.tensor([[5.0], [N], [N], [N]])], dim=1)
    assert krippendorff_alpha(more) == krippendorff_alpha(PUBLISHED)


def test_with_two_equally_frequent_values_ordinal_and_nominal_are_one():
    rating = at_random(3, 40, 2)
    assert krippendorff_alpha(rating, "ordinal").item() == pytest.approx(krippendorff_alpha(rating).item())


def test_alpha_where_nothing_could_differ_and_where_nothing_can_be_compared():
    assert krippendorff_alpha(torch.ones(3, 5)).isnan()
    with pytest.raises(ValueError, match="no unit that two annotators rated"):
        krippendorff_alpha(torch.tensor([[1, N], [N, 2]]))
    with pytest.raises(ValueError, match="level is 'ratio'"):
        krippendorff_alpha(PUBLISHED, "ratio")


# Kendall's W

def test_w_by_hand():
    """Ranks 123, 132, 213: sums 4, 6, 8 around 6, S = 8; W = 12·8 / (9·24)."""
    assert kendall_w(torch.tensor([[1, 2, 3], [1, 3, 2], [2, 1, 3]])).item() == pytest.approx(12 * 8 / (9 * 24))


def test_w_with_ties_by_hand():
    """Places 1½ 1½ 3 and 1 2 3: sums 2½, 3½, 6 around 4, S = 6½; one tie of two, t³ - t = 6."""
    expected = 12 * 6.5 / (4 * 24 - 2 * 6)
    assert kendall_w(torch.tensor([[1, 1, 2], [1, 2, 3]])).item() == pytest.approx(expected)


def test_w_of_those_who_rank_alike_is_1_with_ties_too_and_of_opposites_0():
    for row in ([1, 2, 3, 4], [1, 2, 2, 3], [1, 1, 2, 2]):
        assert kendall_w(torch.tensor([row] * 5)).item() == pytest.approx(1.0)
    assert kendall_w(torch.tensor([[1, 2, 3], [3, 2, 1]])).item() == pytest.approx(0.0)


def test_only_the_order_of_ranks_counts_for_w():
    rank = torch.tensor([[1, 2, 2, 4], [2, 1, 3, 4]])
    assert kendall_w(10 * rank + 3) == kendall_w(rank)


def test_w_of_random_rankings_is_one_over_m_on_average():
    mean = sum(kendall_w(orders(5, 4, seed)).item() for seed in range(400)) / 400
    assert mean == pytest.approx(1 / 5, abs=0.02)


def test_w_of_two_rankings_is_half_of_1_plus_spearmans_correlation():
    stats = pytest.importorskip("scipy.stats")
    for seed in range(5):
        rank = orders(2, 8, seed)
        assert kendall_w(rank).item() == pytest.approx((1 + stats.spearmanr(*rank.numpy()).statistic) / 2)


def test_w_is_friedmans_chi_square_on_a_scale_from_0_to_1():
    stats = pytest.importorskip("scipy.stats")
    rank = at_random(6, 5, 3, seed=1)
    chi_square = stats.friedmanchisquare(*rank.numpy().T).statistic
    assert kendall_w(rank).item() == pytest.approx(chi_square / (6 * (5 - 1)))


@pytest.mark.parametrize("rank", [torch.ones(1, 3), torch.ones(3, 1), torch.tensor([[1, N], [1, 2]]), torch.ones(3)])
def test_w_needs_two_complete_rankings_of_two_things(rank):
    with pytest.raises(ValueError, match="at least 2 complete rankings"):
        kendall_w(rank)


def test_w_where_everybody_ties_everything_is_not_a_number():
    assert kendall_w(torch.ones(3, 4)).isnan()


# Pairs

def test_verdicts_by_hand():
    assert verdicts(torch.tensor([2, 1, 2])).tolist() == [-1, 0, 1]
    gap = verdicts(torch.tensor([1, N, 2]))
    assert gap.isnan().tolist() == [True, False, True]
    assert gap[1] == 1


def test_pairwise_agreement_by_hand():
    """1 2 3 against 1 2 2: the same, the same, a tie against a winner."""
    rank = torch.tensor([[1, 2, 3], [1, 2, 2]])
    assert [x.item() for x in pairwise_agreement(rank)] == [2.5, 3]
    assert [x.item() for x in pairwise_agreement(rank, ties="drop")] == [2, 2]
    assert [x.item() for x in pairwise_agreement(torch.tensor([[1, 2], [2, 1], [1, 2]]))] == [1, 3]
    assert [x.item() for x in pairwise_agreement(torch.tensor([[1, N], [N, 1]]))] == [0, 0]


def test_many_tables_at_once_are_each_their_own():
    rank = at_random(4 * 6, 5, 3).reshape(4, 6, 5)
    assert torch.equal(kendall_w(rank), torch.stack([kendall_w(table) for table in rank]))
    for together, alone in zip(pairwise_agreement(rank), zip(*map(pairwise_agreement, rank), strict=True), strict=True):
        assert torch.equal(together, torch.stack(alone))


def test_kappa_is_that_of_another_program():
    metrics = pytest.importorskip("sklearn.metrics")
    for seed in range(3):
        first, second = at_random(2, 60, 3, seed)
        expected = metrics.cohen_kappa_score(first.numpy(), second.numpy())
        assert cohen_kappa(first, second).item() == pytest.approx(expected)


def test_kappa_by_hand_and_at_its_ends():
    """They agree on 2 of 4; each says 1 half of the time: p_e = 1/2."""
    assert cohen_kappa(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 0])).item() == pytest.approx(0.0)
    assert cohen_kappa(torch.tensor([0, 1, 2]), torch.tensor([0, 1, 2])).item() == pytest.approx(1.0)
    assert cohen_kappa(torch.zeros(3), torch.zeros(3)).isnan()
    with pytest.raises(ValueError, match="cannot be compared"):
        cohen_kappa(torch.zeros(3), torch.zeros(2))


# Quality

@pytest.mark.parametrize(("agreement", "quality"), [(0.63, 0.755), (0.73, 0.839), (0.77, 0.867), (1, 1), (0.5, 0.5)])
def test_the_quality_that_published_agreements_imply(agreement, quality):
    assert annotator_quality(agreement) == pytest.approx(quality, abs=5e-4)


def test_annotators_of_known_quality_agree_as_often_as_the_formula_says():
    right = torch.rand(2, 100_000, generator=torch.Generator().manual_seed(0)) < 0.8
    assert annotator_quality((right[0] == right[1]).double().mean().item()) == pytest.approx(0.8, abs=0.01)


def test_quality_below_one_half_is_not_a_number_and_outside_a_share_refused():
    assert math.isnan(annotator_quality(0.4))
    for wrong in (-0.1, 1.1, math.nan, 63):
        with pytest.raises(ValueError, match="expected a share"):
            annotator_quality(wrong)
