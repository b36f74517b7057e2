"""Padding must not matter: not to a value, not to a gradient, not even if NaN stands in it."""

import math
from functools import partial

import pytest
import torch

from rlhf_kit.formulas import advantages, kl_penalty, losses
from rlhf_kit.formulas.distributions import exact_kl
from rlhf_kit.formulas.masked import keep, masked_mean, masked_sum, masked_var

MASK = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0]], dtype=torch.bool)
X = torch.tensor([[1.0, 2, 3, 99], [4, 5, 99, 99], [6, 99, 99, 99]])
IDS = torch.tensor([[0, 1, 2, -100], [3, 4, -100, -100], [0, -100, -100, -100]])
SCORE = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)


def test_mean_sum_variance_by_hand():
    assert masked_mean(X, MASK).item() == 3.5                       # (1 + 2 + 3 + 4 + 5 + 6) / 6
    assert masked_sum(X, MASK).tolist() == [6, 9, 6]
    assert masked_var(X, MASK).item() == pytest.approx(17.5 / 5)    # squares of 2.5, 1.5, 0.5, twice
    assert masked_mean(X, MASK.float()).item() == 3.5               # ones and zeros do as well


def test_nothing_marked_is_an_error_that_says_so():
    for function in (masked_mean, masked_sum, masked_var):
        with pytest.raises(ValueError, match="0 of 12 tokens are marked"):
            function(X, torch.zeros_like(MASK))
    with pytest.raises(ValueError, match="at least 2"):             # one number has no unbiased variance
        masked_var(X[2:], MASK[2:])


def test_a_mask_of_another_shape_is_refused_not_broadcast():
    with pytest.raises(ValueError, match="one entry per token"):
        masked_mean(X, MASK[:1])
    assert keep(torch.ones(3, 4, 2), MASK).sum() == 12              # a vector per token is fine


# Every masked function of floor 0, with the number of [B, T] tensors it takes before the mask.
PER_TOKEN = {
    "masked_mean": (1, masked_mean), "masked_sum": (1, masked_sum), "masked_var": (1, masked_var),
    "whiten": (1, advantages.whiten), "rescale": (1, advantages.rescale), "gae": (2, advantages.gae),
    "clipped_policy": (3, partial(losses.clipped_policy, clip=0.2)),
    "clipped_policy, A2C": (3, partial(losses.clipped_policy, clip=math.inf)),
    "clipped_value": (3, partial(losses.clipped_value, clip=0.2)),
    "clipped_value, off": (3, partial(losses.clipped_value, clip=math.inf)),
    "clip_fraction": (3, partial(losses.clip_fraction, clip=0.2)),
    "approx_kl": (2, losses.approx_kl), "mean_ratio": (2, losses.mean_ratio),
    "explained_variance": (2, losses.explained_variance),
}
for _name in ("k1", "k2", "k3", "abs"):
    _estimate = kl_penalty.ESTIMATES[_name]
    PER_TOKEN[f"sequence_kl, {_name}"] = 2, partial(kl_penalty.sequence_kl, estimate=_estimate)
    PER_TOKEN[f"token_reward, {_name}"] = 2, partial(kl_penalty.token_reward, SCORE,
                                                     coefficient=0.1, estimate=_estimate)
    PER_TOKEN[f"penalty_loss, {_name}"] = 2, partial(kl_penalty.penalty_loss, estimate=_estimate)
PER_LOGIT = {
    "language_model": (1, lambda logits, mask: losses.language_model(logits, IDS, mask)),
    "sequence_kl, full": (2, partial(kl_penalty.sequence_kl, estimate=exact_kl)),
    "token_reward, full": (2, partial(kl_penalty.token_reward, SCORE, coefficient=0.1, estimate=exact_kl)),
}


def outcome(function, inputs):
    """Everything that comes out, in one row, and the gradients of its sum (None where there are none)."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    result = function(*inputs, MASK)
    result = torch.cat([part.reshape(-1) for part in (result if isinstance(result, tuple) else (result,))])
    if not result.requires_grad:
        return result, [None] * len(inputs)
    return result.detach(), torch.autograd.grad(result.square().sum(), inputs, allow_unused=True)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e30])
@pytest.mark.parametrize("name", [*PER_TOKEN, *PER_LOGIT])
def test_garbage_in_the_padding_changes_nothing(name, garbage):
    torch.manual_seed(0)
    number, function = {**PER_TOKEN, **PER_LOGIT}[name]
    where = MASK if name in PER_TOKEN else MASK.unsqueeze(-1).expand(3, 4, 5)
    clean = [torch.randn(where.shape, dtype=torch.float64) for _ in range(number)]
    dirty = [torch.where(where, x, garbage) for x in clean]
    before = [x.nan_to_num(0).clone() for x in dirty]
    (value, gradients), (expected, expected_gradients) = outcome(function, dirty), outcome(function, clean)
    assert torch.equal(value, expected)
    assert value.isfinite().all()
    for got, want in zip(gradients, expected_gradients, strict=True):
        assert (got is None) == (want is None)
        if got is not None:
            assert torch.equal(got, want)
            assert (got[~where] == 0).all()
            assert got[where].abs().sum() > 0
    assert all(torch.equal(x.nan_to_num(0), y) for x, y in zip(dirty, before, strict=True))  # nothing edited
