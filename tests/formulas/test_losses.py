import math
import random
from itertools import product

import pytest
import torch

from rlhf_kit.formulas import losses
from rlhf_kit.formulas.preference import as_batch, preference_mask

ONE = torch.ones(1, 1, dtype=torch.bool)
CHOSEN, REJECTED = torch.tensor([1.2, -0.3, 0.7, 2.5, 0.0]), torch.tensor([0.4, 0.5, 0.7, -1.0, 0.3])
MARGIN = torch.tensor([0.0, 0.5, 1.0, 2.0, 0.25])


def one(number: float) -> torch.Tensor:
    return torch.tensor([[number]], dtype=torch.float64)


@pytest.mark.parametrize(("advantage", "ratio", "loss", "slope"), [
    (1, 0.5, -0.5, True), (1, 1, -1, True), (1, 1.19, -1.19, True), (1, 1.5, -1.2, False),  # no more to win
    (-1, 0.5, 0.8, False), (-1, 0.81, 0.81, True), (-1, 1, 1, True), (-1, 1.5, 1.5, True),     # still to lose
])
def test_clip_table(advantage, ratio, loss, slope):
    old = one(-2.0)
    logprob = (old + math.log(ratio)).requires_grad_()
    got = losses.clipped_policy(logprob, old, one(advantage), ONE, clip=0.2)
    got.backward()
    assert got.item() == pytest.approx(loss)
    assert logprob.grad.item() == pytest.approx(-advantage * ratio if slope else 0)
    assert losses.clip_fraction(logprob, old, one(advantage), ONE, clip=0.2).item() == (0 if slope else 1)


def test_a2c_gradient_is_the_first_ppo_gradient():
    torch.manual_seed(0)
    logits, ids = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True), torch.randint(5, (2, 3))
    advantage, mask = torch.randn(2, 3, dtype=torch.float64), torch.ones(2, 3, dtype=torch.bool)
    logprob = logits.log_softmax(-1).gather(-1, ids[..., None])[..., 0]
    a2c, = torch.autograd.grad(-(advantage * logprob).mean(), logits, retain_graph=True)
    for clip in (0.2, math.inf):
        loss = losses.clipped_policy(logprob, logprob.detach(), advantage, mask, clip)
        ppo, = torch.autograd.grad(loss, logits, retain_graph=True)
        assert torch.allclose(ppo, a2c, atol=1e-12)


def test_infinite_clip_never_clips():
    far = losses.clipped_policy(one(0.0), one(-5.0), one(1.0), ONE, clip=math.inf)
    assert far.item() == pytest.approx(-math.exp(5))
    assert losses.clip_fraction(one(0.0), one(-5.0), one(1.0), ONE, clip=math.inf) == 0


def test_no_gradient_reaches_what_was_recorded():
    logprob, old, advantage, value, target = (one(x).requires_grad_() for x in (-1, -1.1, 2, 0.5, 1))
    (losses.clipped_policy(logprob, old, advantage, ONE, 0.2)
     + losses.clipped_value(value, old, target, ONE, 0.2)).backward()
    assert old.grad is advantage.grad is target.grad is None
    assert logprob.grad is not None


@pytest.mark.parametrize(("value", "loss", "slope"), [
    (0.1, 0.405, -0.9),      # near the old guess 0: ½(0.1 - 1)²
    (0.7, 0.32, 0.0),        # 0.5 nearer, but only 0.2 is believed: ½(0.2 - 1)², nothing to gain
    (-0.5, 1.125, -1.5),     # worse than the clipped guess: the full error, the full slope
])
def test_clipped_value_by_hand(value, loss, slope):
    guess = one(value).requires_grad_()
    got = losses.clipped_value(guess, one(0.0), one(1.0), ONE, clip=0.2)
    got.backward()
    assert got.item() == pytest.approx(loss)
    assert guess.grad.item() == pytest.approx(slope)
    unclipped = losses.clipped_value(guess, one(9.0), one(1.0), ONE, math.inf)
    assert unclipped.item() == pytest.approx((value - 1) ** 2 / 2)


def test_long_responses_weigh_by_their_tokens():
    advantage = torch.tensor([[3.0, 3, 3], [-1, 0, 0]])
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]], dtype=torch.bool)
    same = torch.zeros(2, 3)
    assert losses.clipped_policy(same, same, advantage, mask, 0.2).item() == pytest.approx(-8 / 4)


def test_language_model_by_hand():
    # p(word 1) = 3/4, then 1/2; the third token is padding with an impossible id.
    logits = torch.tensor([[[0.0, math.log(3)], [0, 0], [7, 7]]])
    ids, mask = torch.tensor([[1, 0, -100]]), torch.tensor([[True, True, False]])
    got = losses.language_model(logits, ids, mask)
    assert got.item() == pytest.approx(-(math.log(3 / 4) + math.log(1 / 2)) / 2)
    with pytest.raises(ValueError, match="marked"):
        losses.language_model(logits, ids, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="do not fit"):
        losses.language_model(logits[:, :2], ids, mask)


@pytest.mark.parametrize(("centring", "plain", "with_margin"), [
    (0.0, 0.623891, 0.886455), (0.01, 0.637691, 0.900255), (0.5, 1.313891, 1.576455)])
def test_pairwise_numbers(centring, plain, with_margin):
    assert losses.pairwise(CHOSEN, REJECTED, centring=centring).item() == pytest.approx(plain, abs=1e-6)
    assert losses.pairwise(CHOSEN, REJECTED, MARGIN, centring).item() == pytest.approx(with_margin, abs=1e-6)


def test_equal_scores_cost_ln_2_and_only_differences_count():
    assert losses.pairwise(torch.zeros(3), torch.zeros(3)).item() == pytest.approx(math.log(2))
    assert torch.allclose(losses.pairwise(CHOSEN + 5, REJECTED + 5), losses.pairwise(CHOSEN, REJECTED))
    assert losses.pairwise(one(1.0), one(0.0), margin=1.0).item() == pytest.approx(math.log(2))


@pytest.mark.parametrize("margin", [MARGIN[:, None], MARGIN[:1], MARGIN[None]])
def test_pairwise_refuses_to_broadcast(margin):
    with pytest.raises(ValueError, match="one margin per pair"):      # TRL 0.11.4 compared all pairs here
        losses.pairwise(CHOSEN, REJECTED, margin)
    with pytest.raises(ValueError, match="one score per pair"):
        losses.pairwise(CHOSEN[:, None], REJECTED)
    with pytest.raises(ValueError, match="at least one pair"):
        losses.pairwise(CHOSEN[:0], REJECTED[:0])


# Rankings of K.

RANKED = (2.0, 1.0, 0.0, -1.0)


def by_loops(score, ranks, kind, margin=0.0, centring=0.0):
    """The loss of one ranking in plain numbers, pair by pair; None without a pair."""
    costs = []
    for i, j in product(range(len(ranks)), repeat=2):
        if ranks[i] < ranks[j]:
            gap = score[i] - score[j] - (margin[i][j] if isinstance(margin, list) else margin)
            sigma = 1 / (1 + math.exp(-gap))
            cost = -math.log(sigma) if kind == "log_sigmoid" else -sigma
            costs.append(cost + centring * (score[i] + score[j]) ** 2)
    return sum(costs) / len(costs) if costs else None


@pytest.mark.parametrize(("score", "kind", "loss"), [
    (RANKED, "log_sigmoid", 0.20704), (RANKED, "sigmoid", -0.8179),
    ((3.0,) * 4, "log_sigmoid", math.log(2)), ((3.0,) * 4, "sigmoid", -0.5)])
def test_a_ranking_of_four_by_hand(score, kind, loss):
    assert losses.ranking(torch.tensor([score]), torch.tensor([[1, 2, 3, 4]]), kind=kind).item() == pytest.approx(
        loss, abs=1e-5)


@pytest.mark.parametrize(("kind", "slopes"), [
    ("log_sigmoid", (0.9933, 0.8808, 0.5, 0.1192, 0.0067)), ("sigmoid", (0.0066, 0.1050, 0.25, 0.1050, 0.0066))])
def test_a_pair_far_on_the_wrong_side_pulls_hardest_or_not_at_all(kind, slopes):
    """The pull on the winner's score at gaps -5, -2, 0, 2, 5: 1 - σ, or σ(1 - σ), which dies where it is needed."""
    for gap, slope in zip((-5.0, -2.0, 0.0, 2.0, 5.0), slopes, strict=True):
        score = torch.tensor([[gap, 0.0]], dtype=torch.float64, requires_grad=True)
        losses.ranking(score, torch.tensor([[1, 2]]), kind=kind).backward()
        assert score.grad[0].tolist() == pytest.approx([-slope, slope], abs=5e-5)


@pytest.mark.parametrize("kind", ["log_sigmoid", "sigmoid"])
@pytest.mark.parametrize(("margin", "centring"), [(False, 0.0), (True, 0.0), (True, 0.3)])
def test_rankings_of_different_k_cost_what_plain_loops_say(kind, margin, centring):
    rng = random.Random(0)
    lists = [[rng.randint(1, 5) for _ in range(rng.choice((2, 3, 4, 6, 9)))] for _ in range(40)]       # ties and all
    rank, mask = as_batch(lists)
    g = torch.Generator().manual_seed(1)
    score = torch.randn(rank.shape, generator=g, dtype=torch.float64) * 3
    wanted = torch.rand(*rank.shape, rank.shape[1], generator=g, dtype=torch.float64) if margin else None
    naive = [by_loops(score[b].tolist(), ranks, kind, wanted[b].tolist() if margin else 0.0, centring)
             for b, ranks in enumerate(lists)]
    counted = [cost for cost in naive if cost is not None]
    assert len(counted) < len(naive)                                         # a list that is all ties weighs nothing
    got = losses.ranking(score, rank, mask, kind=kind, margin=wanted, centring=centring)
    assert got.item() == pytest.approx(sum(counted) / len(counted), abs=1e-9)
    assert losses.ranking(score.float(), rank, mask, kind=kind, margin=wanted, centring=centring).item() == (
        pytest.approx(got.item(), abs=1e-6 * max(1, abs(got.item()))))


def test_the_pulls_of_a_ranking_cancel_and_its_level_is_free():
    """Every pair pulls as hard down as up, so the scores' sum does not move."""
    rank, mask = as_batch([(1, 2, 3, 4), (2, 1, 1), (1, 2)])
    score = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).requires_grad_()
    loss = losses.ranking(score, rank, mask, margin=0.5)
    loss.backward()
    assert score.grad.sum(1).tolist() == pytest.approx([0, 0, 0], abs=1e-12)
    assert (score.grad.abs().sum(1) > 0).all()
    moved = score.detach() + torch.tensor([[5.0], [-3.0], [100.0]])
    assert losses.ranking(moved, rank, mask, margin=0.5).item() == pytest.approx(loss.item())
    assert losses.ranking(moved, rank, mask, margin=0.5, centring=0.1) > loss + 1


def test_the_order_in_which_responses_and_rankings_stand_is_no_matter():
    rank, mask = as_batch([(1, 2, 3, 4), (2, 1, 1), (1, 2)])
    score = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    loss = losses.ranking(score, rank, mask)
    for order in ([3, 1, 0, 2], [1, 0, 3, 2]):                               # padding goes to any place
        torch.testing.assert_close(losses.ranking(score[:, order], rank[:, order], mask[:, order]), loss)
    torch.testing.assert_close(losses.ranking(score.flip(0), rank.flip(0), mask.flip(0)), loss)


@pytest.mark.parametrize("junk", [1e30, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("kind", ["log_sigmoid", "sigmoid"])
def test_what_stands_in_the_padding_or_in_a_list_of_ties_changes_nothing(junk, kind):
    rank, mask = as_batch([(1, 2, 3), (1, 1, 1), (1, 2)])
    given = []
    for filling in (0.0, junk):
        score = torch.tensor([[0.5, 1.0, -2.0], [filling] * 3, [1.0, 3.0, filling]], requires_grad=True)
        margin = torch.full((3, 3, 3), 0.25)
        margin[~preference_mask(rank, mask)] = filling
        loss = losses.ranking(score, rank, mask, kind=kind, margin=margin, centring=0.1)
        loss.backward()
        given.append((loss, score.grad))
    assert torch.equal(given[0][0], given[1][0])
    assert torch.equal(given[0][1], given[1][1])
    assert (given[1][1][1] == 0).all()


def test_scores_a_thousand_apart_cost_a_thousand_or_nothing():
    pair = lambda a, b: losses.ranking(torch.tensor([[a, b]]), torch.tensor([[1, 2]])).item()           # noqa: E731
    assert pair(0.0, 1000.0) == 1000
    assert pair(1000.0, 0.0) == 0


def test_a_ranking_weighs_as_much_as_a_pair_and_two_are_pairwise():
    """The mean over rankings of their means: nine responses are not 36 times as loud as two."""
    nine, two = torch.zeros(1, 9), torch.tensor([[0.0, 3.0]])
    rank, mask = as_batch([range(1, 10), (1, 2)])
    both = losses.ranking(torch.cat([nine, torch.nn.functional.pad(two, (0, 7))]), rank, mask)
    assert both.item() == pytest.approx((math.log(2) + math.log1p(math.exp(3))) / 2)
    score, rank = torch.stack([CHOSEN, REJECTED], 1), torch.tensor([[1, 2]] * 5)
    for margin, spread in ((None, None), (MARGIN, MARGIN.reshape(-1, 1, 1).expand(-1, 2, 2))):
        ours = losses.ranking(score, rank, margin=spread, centring=0.01)
        torch.testing.assert_close(losses.pairwise(CHOSEN, REJECTED, margin, 0.01), ours)


@pytest.mark.parametrize(("rank", "options", "message"), [
    ([[1, 1, 1]], {}, "0 pairs that have a winner"), ([[1, 2]], {}, "expected the same"),
    ([[1, 2, 3]], {"mask": torch.tensor([[True, False, False]])}, "0 pairs"),
    ([[1, 2, 3]], {"margin": torch.zeros(1, 3)}, "one for each pair"),
    ([[1, 2, 3]], {"kind": "hinge"}, "kind is 'hinge'; it is 'log_sigmoid' or 'sigmoid'")])
def test_a_ranking_that_says_nothing_or_does_not_fit_is_refused(rank, options, message):
    with pytest.raises(ValueError, match=message):
        losses.ranking(torch.zeros(1, 3), torch.tensor(rank), **options)


# Diagnostics.

def test_diagnostics_by_hand():
    old, mask = torch.zeros(1, 3), torch.tensor([[True, True, False]])
    logprob = torch.tensor([[math.log(2), 0.0, 5.0]])
    assert losses.mean_ratio(logprob, old, mask).item() == pytest.approx(1.5)
    assert losses.approx_kl(logprob, old, mask).item() == pytest.approx(math.log(2) ** 2 / 4)
    assert losses.mean_ratio(logprob, logprob, mask) == 1


def test_explained_variance_scale():
    target, mask = torch.tensor([[1.0, 2, 3, 99]]), torch.tensor([[True, True, True, False]])
    assert losses.explained_variance(target, target, mask) == 1
    assert losses.explained_variance(target * 0 + 8, target, mask) == 0         # a constant foresees nothing
    assert losses.explained_variance(-target, target, mask).item() == pytest.approx(-3)
    assert losses.explained_variance(target, target * 0, mask).isnan()
