"""A2C as GopherCite writes it is PPO with other settings: the first gradient by hand, and what the critic learns."""

import copy
import math

import pytest
import torch

from rlhf_kit.methods import ppo
from rlhf_kit.sampling import Sampling, response_logprob_and_value

ALPHA = 0.2
SETTINGS = ppo.Config(steps=1, batch_size=6, minibatch_size=None, learning_rate=1e-3, value_coef=0.5, seed=3,
                      sampling=Sampling(max_new_tokens=8), checks=False)
ASKED = ["the lamp is", "the", "the kettle is very pretty, and it"]


def length(prompts, responses):
    return [len(r) / 10 for r in responses]


def test_the_first_gradient_is_that_of_the_papers_loss(policy, monkeypatch):
    """(1-α)(-Â log π + c·½(R-V)²) + α·½(log π - log ρ)², means over tokens, divided by 1-α; R the score at every token.

    The teacher is another model, so that its pull is not 0. All is written out from one rollout of the loop's own."""
    actor = copy.deepcopy(policy).requires_grad_(True)
    teacher = copy.deepcopy(policy).requires_grad_(False)
    teacher.lm.transformer.h[0].mlp.c_fc.weight.data.mul_(1.5)
    drawn, taken = [], []
    real = ppo.sample_rollout
    monkeypatch.setattr(ppo, "sample_rollout", lambda *a: drawn.append(real(*a)) or drawn[-1])
    monkeypatch.setattr(ppo, "update", lambda model, *_, **__: taken.append(
        torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])))
    config = ppo.gophercite(SETTINGS, ALPHA)
    list(ppo.steps(actor, teacher, ASKED, length, config))
    [rollout] = drawn
    score = torch.tensor(length(rollout.prompts, rollout.responses)) - 2.0 * (~rollout.ended)
    logprob, value = response_logprob_and_value(actor, rollout)
    with torch.no_grad():
        there = ppo.response_logprob(teacher, rollout)
    mask = rollout.mask
    advantage = (score[:, None] - value).detach()
    whole = (1 - ALPHA) * (-(advantage * logprob)[mask].mean() + 0.5 * 0.5 * (score[:, None] - value)[mask].square(
        ).mean()) + ALPHA * 0.5 * (logprob - there)[mask].square().mean()
    actor.zero_grad()
    whole.backward()
    by_hand = torch.cat([p.grad.flatten() for p in actor.parameters() if p.grad is not None]) / (1 - ALPHA)
    assert torch.allclose(taken[0], by_hand, atol=1e-5 * by_hand.abs().max().item() + 1e-7)


def test_a_baseline_takes_the_noise_out_of_the_gradient():
    """Two responses that earn 10 and 11, each with probability 1/2: the gradient of log π of the first is ±1/2, its
    mean -1/4 with any baseline, its variance 27.6 without one and 0 with 10.5."""
    reward, slope = torch.tensor([10.0, 11.0]), torch.tensor([0.5, -0.5])
    for baseline, variance in ((0.0, 27.5625), (10.5, 0.0)):
        each = (reward - baseline) * slope                          # as likely one as the other
        assert each.mean().item() == pytest.approx(-0.25)
        assert each.var(unbiased=False).item() == pytest.approx(variance, abs=1e-4)


def test_its_settings_are_those_of_the_paper():
    config = ppo.gophercite(SETTINGS)
    assert (config.epochs, config.minibatch_size, config.clip, config.lam, config.gamma) == (1, None, math.inf, 1, 1)
    assert config.kl.in_loss
    assert config.kl.coefficient == pytest.approx(0.1 / 0.9)
    with pytest.raises(ValueError, match="alpha is 1"):
        ppo.gophercite(SETTINGS, 1)
