import pytest
import torch

from rlhf_kit.formulas.advantages import gae, leave_one_out, rescale, whiten

ONE = torch.ones(1, 3, dtype=torch.bool)
REWARD, VALUE = torch.tensor([[0.0, 0, 1]]), torch.tensor([[0.2, 0.4, 0.6]])
RAGGED = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0], [1, 0, 0, 0, 0]], dtype=torch.bool)


@pytest.mark.parametrize(("lam", "expected"), [
    (0.95, [0.751, 0.58, 0.4]), (1.0, [0.8, 0.6, 0.4]), (0.0, [0.2, 0.2, 0.4])])
def test_gae_by_hand(lam, expected):
    advantage, target = gae(REWARD, VALUE, ONE, gamma=1.0, lam=lam)
    assert advantage[0].tolist() == pytest.approx(expected)
    assert target[0].tolist() == pytest.approx([expected[0] + 0.2, expected[1] + 0.4, expected[2] + 0.6])


def test_gae_is_a_discounted_sum_of_surprises():
    torch.manual_seed(0)
    reward, value = torch.randn(2, 3, 5, dtype=torch.float64)
    advantage, target = gae(reward, value, RAGGED, gamma=0.9, lam=0.8)
    for row, n in enumerate([5, 3, 1]):
        r, v = reward[row, :n].tolist(), [*value[row, :n].tolist(), 0.0]
        delta = [r[t] + 0.9 * v[t + 1] - v[t] for t in range(n)]
        want = [sum((0.9 * 0.8) ** k * delta[t + k] for k in range(n - t)) for t in range(n)]
        assert advantage[row].tolist() == pytest.approx(want + [0] * (5 - n))
        assert target[row, :n].tolist() == pytest.approx([a + b for a, b in zip(want, v, strict=False)])
    assert (target[~RAGGED] == 0).all()


def test_lambda_one_is_what_happened_minus_what_was_expected():
    torch.manual_seed(0)
    reward, value = torch.randn(2, 3, 5) * RAGGED
    advantage, target = gae(reward, value, RAGGED, gamma=1.0, lam=1.0)
    still_to_come = reward.flip(-1).cumsum(-1).flip(-1)
    assert torch.allclose(target, still_to_come * RAGGED, atol=1e-6)
    assert torch.allclose(advantage, (still_to_come - value) * RAGGED, atol=1e-6)


def test_unmarked_tokens_are_not_in_time():
    # A response that begins late, or has a hole (a tool's output), earns what it would without the hole.
    gap = torch.tensor([[0, 1, 0, 1, 1]], dtype=torch.bool)
    reward, value = torch.zeros(1, 5), torch.zeros(1, 5)
    reward[gap], value[gap] = REWARD[0], VALUE[0]
    assert torch.allclose(gae(reward, value, gap)[0][gap], gae(REWARD, VALUE, ONE)[0][0])


def test_gae_carries_no_gradient():
    advantage, target = gae(REWARD, VALUE.clone().requires_grad_(), ONE)
    assert not advantage.requires_grad
    assert not target.requires_grad


def test_whitened_numbers_of_the_fact_sheet():
    white = whiten(torch.tensor([[0.751, 0.58, 0.4]]), ONE)
    assert white[0].tolist() == pytest.approx([0.991, 0.017, -1.008], abs=5e-4)


def test_whiten_gives_mean_zero_and_variance_one_over_the_marked_tokens():
    torch.manual_seed(0)
    x = torch.randn(3, 5, dtype=torch.float64) * 4 + 7
    marked = whiten(x, RAGGED)[RAGGED]
    assert marked.mean().abs() < 1e-12
    assert abs(marked.var().item() - 1) < 1e-8          # torch's own variance, unbiased by default
    assert (whiten(x, RAGGED)[~RAGGED] == 0).all()
    assert torch.allclose(whiten(3 * x + 5, RAGGED), whiten(x, RAGGED))


def test_whitening_each_response_alone_would_forget_which_one_was_good():
    x = torch.tensor([[10.0, 11, 12], [-12, -11, -10]])
    both = torch.ones(2, 3, dtype=torch.bool)
    assert (whiten(x, both)[0] > 0).all()   # good throughout, rewarded throughout
    alone = torch.cat([whiten(row[None], ONE) for row in x])
    assert alone[0].tolist() == pytest.approx([-1, 0, 1])                # half of a good answer is punished
    assert not torch.allclose(alone, whiten(x, both), atol=0.5)


def test_rescale_keeps_the_mean_and_does_not_leak():
    torch.manual_seed(0)
    x = torch.randn(3, 5, dtype=torch.float64) * 4 + 7
    scaled = rescale(x, RAGGED)
    assert scaled[RAGGED].mean().item() == pytest.approx(x[RAGGED].mean().item())
    assert scaled[RAGGED].std().item() == pytest.approx(1)
    assert (scaled[~RAGGED] == 0).all()                                  # TRL 0.11.4 put a reward here
    wide = torch.nn.functional.pad(RAGGED, (0, 4))                       # more padding, same advantages
    more = gae(rescale(torch.nn.functional.pad(x, (0, 4)), wide), torch.zeros(3, 9), wide)[0]
    assert torch.allclose(more[:, :5], gae(scaled, torch.zeros(3, 5), RAGGED)[0].to(more.dtype))


def test_leave_one_out_by_hand_and_by_identity():
    by_hand = leave_one_out(torch.tensor([1.0, 0, 0, 1]), 4)
    assert by_hand.tolist() == pytest.approx([2 / 3, -2 / 3, -2 / 3, 2 / 3])
    torch.manual_seed(0)
    score = torch.randn(12, dtype=torch.float64)
    identity = torch.cat([4 / 3 * (group - group.mean()) for group in score.split(4)])  # G/(G-1)·(r - mean)
    assert torch.allclose(leave_one_out(score, 4), identity)


@pytest.mark.parametrize(("shape", "size"), [((6,), 4), ((6,), 1), ((3, 2), 2)])
def test_leave_one_out_needs_siblings(shape, size):
    with pytest.raises(ValueError, match="groups of"):
        leave_one_out(torch.zeros(shape), size)
