"""ReST's losses and thresholds: by hand, against plain imitation where they must meet, and what carries no gradient."""

import math

import pytest
import torch

from rlhf_kit.formulas.offline import (
    above,
    behaviour_cloning,
    behaviour_vmpo,
    gold,
    gold_quality,
    interpolated_threshold,
    offline_actor_critic,
    percentile_threshold,
    vmpo_temperature,
    vmpo_weights,
)

MASK = torch.tensor([[True, True, True], [True, True, False]])
LOGPROB = torch.tensor([[0.5, 0.25, 0.125], [0.8, 0.05, math.nan]]).log()


def gradient(loss):
    """Of a loss of log-probabilities, at LOGPROB: [B, T]."""
    logprob = LOGPROB.clone().requires_grad_(True)
    loss(logprob).backward()
    return logprob.grad


def test_the_filter_is_strict():
    assert above(torch.tensor([0.2, 0.7, 0.71]), 0.7).tolist() == [False, False, True]


def test_on_an_even_grid_each_threshold_keeps_the_mean_of_what_is_above_it():
    """Twenty rewards from 0 to 1, with τ = 0, .7, .8, .9, .95."""
    reward = torch.linspace(0, 1, 20, dtype=torch.float64)
    means = [reward[above(reward, tau)].mean().item() for tau in (0, 0.7, 0.8, 0.9, 0.95)]
    assert means == pytest.approx([0.526, 0.868, 0.921, 0.974, 1.0], abs=6e-4)


def test_thresholds_by_hand():
    reward = torch.tensor([0.0, 1.0, 2.0, 5.0])
    assert percentile_threshold(reward, 50) == pytest.approx(1.5)
    assert percentile_threshold(reward, 0) == 0
    assert interpolated_threshold(reward, 0.25) == pytest.approx(0.25 * 5 + 0.75 * 2)


def test_imitation_is_the_mean_over_real_tokens():
    by_hand = -(math.log(0.5) + math.log(0.25) + math.log(0.125) + math.log(0.8) + math.log(0.05)) / 5
    assert behaviour_cloning(LOGPROB, MASK).item() == pytest.approx(by_hand)


def test_what_gold_looks_ahead_to():
    p = gold_quality(LOGPROB, MASK, "s", unroll=2)
    assert p[0].tolist() == pytest.approx([0.75, 0.375, 0.125])
    assert p[1].tolist() == pytest.approx([0.85, 0.05, 0.0])
    logs = gold_quality(LOGPROB, MASK, "p", unroll=5)
    assert logs[0].tolist() == pytest.approx([math.log(1 / 64), math.log(1 / 32), math.log(1 / 8)])
    assert gold_quality(LOGPROB, MASK, "delta").tolist() == [[1, 1, 1], [1, 1, 0]]


def test_gold_weighs_by_its_own_probability_but_not_below_the_floor():
    quality = torch.tensor([[1.0, 2.0, 0.0], [1.0, 1.0, 5.0]])
    found = gradient(lambda logprob: gold(logprob, quality, MASK, floor=0.1))
    by_hand = [[-0.5 / 5, -0.25 * 2 / 5, 0], [-0.8 / 5, -0.1 / 5, 0]]              # .05 is lifted to .1; no more terms
    for row, expected in zip(found.tolist(), by_hand, strict=True):
        assert row == pytest.approx(expected)


def test_with_a_floor_of_1_and_quality_1_gold_is_imitation():
    ones = gold_quality(LOGPROB, MASK, "delta")
    assert gold(LOGPROB, ones, MASK, floor=1.0).item() == pytest.approx(behaviour_cloning(LOGPROB, MASK).item())


def test_v_mpo_listens_to_the_better_half():
    """As rlax computes it for these advantages."""
    assert vmpo_weights(torch.tensor([2.0, 1.0, 0.0, -1.0]), 1.0).tolist() == pytest.approx([0.7311, 0.2689, 0, 0],
                                                                                           abs=1e-4)
    cold = vmpo_weights(torch.tensor([0.0, 2.0, 1.0, -1.0]), 0.01)
    assert cold.tolist() == pytest.approx([0, 1, 0, 0])
    assert vmpo_weights(torch.tensor([3.0, 1.0, 2.0]), 1.0).tolist() == [1, 0, 0]


def test_its_temperature_by_hand_and_at_the_optimum():
    advantage, eta = torch.tensor([2.0, 1.0, 0.0, -1.0]), torch.tensor(1.0, requires_grad=True)
    loss = vmpo_temperature(advantage, eta, epsilon=0.1)
    assert loss.item() == pytest.approx(0.1 + math.log((math.e**2 + math.e) / 2))
    loss.backward()
    weight = vmpo_weights(advantage, 1.0)[:2]
    nats = (weight * (weight * 2).log()).sum().item()                               # from even weights
    assert eta.grad.item() == pytest.approx(0.1 - nats, abs=1e-6)                   # 0 where they differ by ε


def test_bvmpo_with_even_weights_is_imitation_of_the_sums():
    even = torch.tensor([0.5, 0.5])
    sums = torch.tensor([math.log(1 / 64), math.log(0.04)])
    assert behaviour_vmpo(LOGPROB, even, MASK).item() == pytest.approx(-sums.mean().item())
    assert behaviour_vmpo(LOGPROB, torch.tensor([1.0, 0.0]), MASK, anchor=2.0).item() == pytest.approx(
        -sums[0].item() - 2 * sums.mean().item())


def test_a_critic_that_foresees_the_reward_leaves_nothing_to_learn():
    reward = torch.tensor([0.3, 0.9])
    seen = reward[:, None].expand(2, 3)
    assert gradient(lambda logprob: offline_actor_critic(logprob, reward, seen, MASK)).abs().max() == 0
    found = gradient(lambda logprob: offline_actor_critic(logprob, reward, torch.full((2, 3), 0.5), MASK))
    assert found[0].tolist() == pytest.approx([0.2 / 5] * 3)                        # worse than expected: less likely
    assert found[1].tolist() == pytest.approx([-0.4 / 5, -0.4 / 5, 0])


@pytest.mark.parametrize("loss", [
    lambda logprob: behaviour_cloning(logprob, MASK),
    lambda logprob: gold(logprob, gold_quality(LOGPROB, MASK), MASK),
    lambda logprob: behaviour_vmpo(logprob, torch.tensor([0.3, 0.7]), MASK, 0.1),
    lambda logprob: offline_actor_critic(logprob, torch.tensor([1.0, 0.0]), LOGPROB, MASK),
])
def test_padding_and_what_stands_there_changes_nothing(loss):
    assert gradient(loss).isfinite().all()
    assert gradient(loss)[1, 2] == 0


@pytest.mark.parametrize("call", [
    lambda: percentile_threshold(torch.zeros(3), 100), lambda: percentile_threshold(torch.zeros(0), 50),
    lambda: interpolated_threshold(torch.zeros(3), 1.0), lambda: gold_quality(LOGPROB, MASK, "q"),
    lambda: gold_quality(LOGPROB, MASK, "s", 0), lambda: gold(LOGPROB, LOGPROB, MASK, 2.0),
    lambda: vmpo_weights(torch.zeros(1), 1.0), lambda: vmpo_weights(torch.zeros(4), 0.0),
    lambda: behaviour_vmpo(LOGPROB, torch.zeros(2), MASK, -1.0), lambda: behaviour_cloning(LOGPROB, MASK & False),
])
def test_what_cannot_be_is_refused(call):
    with pytest.raises(ValueError, match=r"expected|must|lies|needs|it is|needed"):
        call()
