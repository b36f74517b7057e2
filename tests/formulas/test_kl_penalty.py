import dataclasses
import math

import pytest
import torch

from rlhf_kit.formulas.distributions import exact_kl
from rlhf_kit.formulas.kl_penalty import (
    ESTIMATES,
    KL,
    AdaptiveCoefficient,
    FixedCoefficient,
    estimate_abs,
    estimate_k1,
    estimate_k2,
    estimate_k3,
    penalty_loss,
    sequence_kl,
    token_reward,
)
from rlhf_kit.formulas.losses import clipped_policy

ONE = torch.ones(1, 3, dtype=torch.bool)
LOGPROB, REF_LOGPROB = torch.tensor([[-1.0, -2, -0.5]]), torch.tensor([[-1.2, -1.5, -0.5]])


def test_token_reward_of_the_fact_sheet():
    reward = token_reward(torch.tensor([2.0]), LOGPROB, REF_LOGPROB, ONE, coefficient=0.1)
    assert reward[0].tolist() == pytest.approx([-0.02, 0.05, 2.0])
    assert sequence_kl(LOGPROB, REF_LOGPROB, ONE).item() == pytest.approx(-0.3)  # one sample may be negative


def test_estimates_by_hand():
    d = torch.tensor([[math.log(2)]])                           # the policy finds the token twice as likely
    nothing = torch.zeros(1, 1)
    assert estimate_k1(d, nothing).item() == pytest.approx(math.log(2))
    assert estimate_k2(d, nothing).item() == pytest.approx(math.log(2) ** 2 / 2)
    assert estimate_k3(d, nothing).item() == pytest.approx(1 / 2 - 1 + math.log(2))
    assert estimate_abs(nothing, d).item() == pytest.approx(math.log(2))


def test_k3_stays_exact_when_the_policies_almost_agree():
    d = torch.tensor([[1e-4]])  # exp(-d) - 1 + d in float32 would be mostly noise
    assert estimate_k3(d, torch.zeros(1, 1)).item() == pytest.approx(0.5e-8, rel=0.02)


def test_the_score_is_paid_at_the_last_marked_token():
    mask = torch.tensor([[1, 1, 1, 0], [1, 0, 0, 0], [0, 1, 1, 0]], dtype=torch.bool)
    same = torch.randn(3, 4)
    reward = token_reward(torch.tensor([1, 2, 3]), same, same, mask, coefficient=0.1)
    assert reward.tolist() == [[0, 0, 1, 0], [2, 0, 0, 0], [0, 0, 3, 0]]


def test_token_reward_with_the_exact_kl_charges_whole_distributions():
    logits = torch.tensor([[[0.0, math.log(3)]]])
    reward = token_reward(torch.zeros(1), logits, logits * 0, ONE[:, :1], coefficient=2.0, estimate=exact_kl)
    assert reward.item() == pytest.approx(-2 * (0.25 * math.log(0.5) + 0.75 * math.log(1.5)))


def test_a_clip_bounds_what_a_token_pays_and_what_it_is_paid():
    d = torch.tensor([[9.0, -9.0, 0.25]])
    reward = token_reward(torch.tensor([2.0]), d, d * 0, ONE, coefficient=1.5, clip=1.0)
    assert reward[0].tolist() == [-1.5, 1.5, 2 - 0.375]


@pytest.mark.parametrize(("change", "message"), [
    ({"score": torch.tensor([[2.0]])}, r"\(1, 1\).*one number per response"),
    ({"score": torch.tensor([math.nan])}, "row 0 is nan"),
    ({"mask": ~ONE}, "row 0 has no marked token"),
    ({"ref_logprob": REF_LOGPROB[:, :2]}, "same tokens"),
    ({"estimate": exact_kl}, "estimate_k1"),                  # log-probabilities where logits are needed
    ({"logprob": torch.zeros(1, 3, 5), "ref_logprob": torch.zeros(1, 3, 5)}, "k1, k2, k3, abs take"),
])
def test_token_reward_refuses(change, message):
    good = {"score": torch.tensor([2.0]), "logprob": LOGPROB, "ref_logprob": REF_LOGPROB, "mask": ONE}
    with pytest.raises(ValueError, match=message):
        token_reward(**{**good, **change}, coefficient=0.1)


def test_the_row_in_the_message_is_the_one_at_fault():
    mask = torch.tensor([[True], [True], [False]])
    with pytest.raises(ValueError, match=r"row 2 has no marked token \(1 of 3 rows\)"):
        token_reward(torch.zeros(3), torch.zeros(3, 1), torch.zeros(3, 1), mask, 0.1)
    with pytest.raises(ValueError, match="row 1 is inf"):
        token_reward(torch.tensor([0, math.inf, 0]), torch.zeros(3, 1), torch.zeros(3, 1), mask | True, 0.1)


# Theorems, by summing over all five words of a small vocabulary instead of sampling.

@pytest.fixture
def five_words():
    logits = torch.tensor([2.0, 0.5, 0.0, -1.0, -0.5], dtype=torch.float64, requires_grad=True)
    ref_logits = torch.tensor([-1.0, 1.0, 0.5, 0.0, 1.5], dtype=torch.float64)
    return logits, ref_logits.log_softmax(-1)


def kl(p, q):
    return (p.exp() * (p - q)).sum()


def test_k1_and_k3_are_unbiased_k2_is_not(five_words):
    logprob, ref = five_words[0].log_softmax(-1).detach(), five_words[1]
    mean = {name: (logprob.exp() * ESTIMATES[name](logprob, ref)).sum().item()
            for name in ("k1", "k2", "k3", "abs")}
    assert mean["k1"] == pytest.approx(kl(logprob, ref).item(), abs=1e-12)
    assert mean["k3"] == pytest.approx(kl(logprob, ref).item(), abs=1e-12)
    assert abs(mean["k3"] - kl(ref, logprob).item()) > 0.05                       # and this is the direction
    assert abs(mean["k2"] - kl(logprob, ref).item()) > 0.05
    assert mean["abs"] > kl(logprob, ref).item()


@pytest.mark.parametrize(("name", "truth"), [
    ("k1", lambda p, q: 0.0 * p.sum()), ("k2", kl), ("k3", lambda p, q: kl(q, p)),
    ("abs", lambda p, q: (p.exp() - q.exp()).abs().sum())])
def test_what_an_estimate_teaches_as_a_loss(five_words, name, truth):
    logits, ref = five_words
    logprob = logits.log_softmax(-1)
    expected_loss = (logprob.exp().detach() * ESTIMATES[name](logprob, ref)).sum()        # samples held fixed
    got, = torch.autograd.grad(expected_loss, logits, retain_graph=True)
    want, = torch.autograd.grad(truth(logprob, ref), logits)
    assert (got - want).abs().max() < 1e-8


EIGHTHS = torch.tensor([0, 0, 0, 0, 1, 1, 2, 3])[:, None]             # a policy of (4, 2, 1, 1)/8 says exactly this


def fair_samples():
    """Logits of π, [5 places, 4 tokens], those of ρ, and the 64 two-token responses of π if luck is perfectly even."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.tensor([4.0, 2, 1, 1], dtype=torch.float64).log().expand(5, 4).clone().requires_grad_()
    ref = torch.randn(5, 4, generator=generator, dtype=torch.float64)
    first, second = EIGHTHS.repeat_interleave(8, 0), EIGHTHS.repeat(8, 1)
    return logits, ref, torch.cat([first, second], 1)


def logprob_of(logits, tokens):
    """Row 0 of the logits writes the first token; which row writes the second, the first token decides."""
    logprob = logits.log_softmax(-1)
    return torch.stack([logprob[0, tokens[:, 0]], logprob[1 + tokens[:, 0], tokens[:, 1]]], 1)


@pytest.mark.parametrize(("estimate", "direction"), [
    (estimate_k2, kl), (estimate_k3, lambda p, q: kl(q, p))])
def test_the_penalty_as_a_loss_is_the_kl_of_the_next_token_where_the_policy_goes(estimate, direction):
    logits, ref, tokens = fair_samples()
    loss = penalty_loss(logprob_of(logits, tokens), logprob_of(ref, tokens), torch.ones(64, 2), estimate)
    got, = torch.autograd.grad(loss, logits, retain_graph=True)
    p, q = logits.log_softmax(-1), ref.log_softmax(-1)
    visited = [1.0, *p[0].exp().tolist()]                             # numbers: places are held fixed
    want, = torch.autograd.grad(sum(w * direction(p[i], q[i]) for i, w in enumerate(visited)) / 2, logits,
                                retain_graph=True)
    assert (got - want).abs().max() < 1e-12
    whole, = torch.autograd.grad(direction(p[0], q[0]) + sum(p[0, i].exp() * direction(p[1 + i], q[1 + i])
                                                             for i in range(4)), logits)
    assert (got - whole / 2).abs().max() > 0.01                       # where a token leads to is left out


def test_k1_in_the_reward_follows_the_gradient_of_the_kl(five_words):
    logits, ref = five_words
    logprob = logits.log_softmax(-1)
    column, mask = logprob.detach()[:, None], torch.ones(5, 1, dtype=torch.bool)  # five one-word responses
    reward = token_reward(torch.zeros(5), column, ref[:, None], mask, coefficient=0.3)[:, 0]
    got, = torch.autograd.grad((logprob.exp().detach() * reward * logprob).sum(), logits, retain_graph=True)
    want, = torch.autograd.grad(-0.3 * kl(logprob, ref), logits)
    assert (got - want).abs().max() < 1e-8


def test_ppo_on_a_three_armed_bandit_reaches_the_gibbs_optimum():
    # π* is proportional to ρ·exp(r/β); here (.0367, .1626, .8008), computed outside the kit.
    torch.manual_seed(0)
    score, ref = torch.tensor([0.0, 1, 2]), torch.tensor([0.5, 0.3, 0.2]).log()
    logits = ref.clone().requires_grad_()
    optimizer = torch.optim.Adam([logits], lr=0.03)
    mask = torch.ones(512, 1, dtype=torch.bool)
    for _ in range(150):
        old = logits.detach().log_softmax(-1)
        arm = torch.multinomial(old.exp(), 512, replacement=True)
        reward = token_reward(score[arm], old[arm, None], ref[arm, None], mask, coefficient=0.5)
        for _ in range(2):
            logprob = logits.log_softmax(-1)[arm, None]
            loss = clipped_policy(logprob, old[arm, None], reward - reward.mean(), mask, clip=0.2)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    found = logits.softmax(-1).detach()
    assert 0.5 * (found - torch.tensor([0.0367, 0.1626, 0.8008])).abs().sum() < 0.05


# The coefficient.

@pytest.mark.parametrize(("seen", "after"), [
    (12, 0.201024), (3, 0.198976), (6, 0.2), (6.3, 0.200256), (1e9, 0.201024)])
def test_adaptive_coefficient_of_the_fact_sheet(seen, after):
    coefficient = KL(coefficient=0.2, target=6.0).controller()
    coefficient.update(seen, episodes=256)
    assert coefficient.value == pytest.approx(after, abs=1e-9)


def test_a_fixed_coefficient_stays():
    coefficient = KL(coefficient=0.05).controller()
    coefficient.update(100.0, episodes=256)
    assert isinstance(coefficient, FixedCoefficient)
    assert coefficient.value == 0.05


def test_a_diverged_policy_is_reported_not_clipped():
    with pytest.raises(ValueError, match="diverged"):
        AdaptiveCoefficient(0.2, 6.0, 10000).update(math.nan, episodes=64)


@pytest.mark.parametrize(("options", "message"), [
    ({"coefficient": -0.1}, "-0.1; expected 0 or more"), ({"target": 0.0}, "KL target is 0.0"),
    ({"horizon": 0}, "KL horizon is 0"), ({"estimate": "k4"}, "'k4'; expected one of k1, k2, k3, abs, full"),
    ({"coefficient": math.nan}, "nan"),
    ({"clip": 0.0}, "KL clip is 0.0"), ({"clip": math.inf}, "KL clip is inf"),
    ({"in_loss": True, "estimate": "k1"}, "'k1' is no loss: its expected gradient is 0; expected one of k2, k3, abs"),
    ({"in_loss": True, "estimate": "full"}, "'full' is no loss: it needs the logits"),
    ({"in_loss": True, "clip": 1.0}, "clip is 1.0 and in_loss is True"),
])
def test_a_kl_config_checks_itself(options, message):
    with pytest.raises(ValueError, match=message):
        KL(**options)


def test_a_kl_config_names_its_function_and_is_frozen():
    assert KL().function() is estimate_k1
    assert KL(estimate="full").function() is exact_kl
    assert KL(in_loss=True).function() is estimate_k2
    assert KL(clip=2.0).in_reward(0.3) == (0.3, estimate_k1, 2.0)
    assert KL(in_loss=True, estimate="k3").in_reward(0.3) == (0.0, estimate_k1, None)      # tokens pay nothing
    with pytest.raises(dataclasses.FrozenInstanceError):
        KL().coefficient = 1.0
