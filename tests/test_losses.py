import math

import pytest
import torch

from rlhf_kit.formulas import losses

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
