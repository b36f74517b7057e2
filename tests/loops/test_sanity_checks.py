"""Each known bug, provoked: the message must name that cause and no other."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from rlhf_kit.loops.sanity_checks import CheckFailed, check_gradients, check_start
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, response_logprob, response_logprob_and_value, sample_rollout

CAUSES = ("share weights", "dropout is on", "the sampling temperature", "padding shifts", "different precision",
          "reads the text differently", "reference received gradients", "all its weights are frozen",
          "value_head.requires_grad_", "is not finite")
SAMPLING = Sampling(max_new_tokens=12)


@pytest.fixture
def learner(policy) -> Policy:
    """A policy to be trained (and broken)."""
    return copy.deepcopy(policy).requires_grad_(True)


def start(policy: Policy, reference: Policy, rollout) -> None:
    with torch.no_grad():
        check_start(policy, reference, rollout, response_logprob(reference, rollout))


def cause(check, *arguments) -> str:
    """The one cause that a failed check names."""
    with pytest.raises(CheckFailed) as caught:
        check(*arguments)
    named = [phrase for phrase in CAUSES if phrase in str(caught.value)]
    assert len(named) == 1, str(caught.value)
    return named[0]


def learn(policy: Policy, rollout, value_coef: float = 0.1, scale: float = 1.0) -> None:
    logprob, value = response_logprob_and_value(policy, rollout)
    (logprob.sum() * scale + value_coef * value.sum()).backward()


# Before the first update.

@pytest.mark.parametrize("temperature", [0.7, 1.0, 1.3])
@pytest.mark.parametrize("name", ["policy", "llama"])
def test_a_healthy_start_passes(name, request, prompts, temperature):
    policy = request.getfixturevalue(name)
    rollout = sample_rollout(policy, prompts, replace(SAMPLING, temperature=temperature), seed=1)
    start(policy, policy.reference(), rollout)
    nearly = replace(rollout, logprob=torch.where(rollout.mask, rollout.logprob + 2e-3, 0.0))
    assert cause(start, policy, policy.reference(), nearly)                # so little is enough not to pass


def test_bfloat16_may_be_off_by_its_rounding_and_float32_may_not(policy, prompts):
    coarse = Policy(copy.deepcopy(policy.lm).to(torch.bfloat16), policy.tokenizer)
    for model in (coarse, policy):
        rollout = sample_rollout(model, prompts, SAMPLING, seed=1)
        start(model, model.reference(), rollout)
        rounded = replace(rollout, logprob=torch.where(rollout.mask, rollout.logprob + 0.05, 0.0))
        if model is coarse:
            start(model, model.reference(), rounded)
        else:
            assert cause(start, model, model.reference(), rounded) == "different precision"


def test_a_reference_that_is_another_model_may_be_far_away(policy, llama, prompts):
    reference, rollout = llama.reference(), sample_rollout(policy, prompts, SAMPLING, seed=1)
    start(policy, reference, rollout)
    assert (response_logprob(reference, rollout) - rollout.logprob).abs().max() > 0.5


def test_a_reference_that_shares_weights(learner, prompts):
    rollout = sample_rollout(learner, prompts, SAMPLING, seed=1)
    for reference in (learner, Policy(learner.lm, learner.tokenizer, value_head=False)):
        assert cause(start, learner, reference, rollout) == "share weights"


def with_dropout(tokenizer) -> Policy:
    """As GPT-2 comes from the hub: dropout 0.1 in every layer, switched off by eval()."""
    lm = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), n_layer=1, n_head=2, n_embd=32, n_positions=48,
                                    pad_token_id=0, bos_token_id=1, eos_token_id=1))
    lm.lm_head.weight.data *= 10
    return Policy(lm, tokenizer).eval()


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_dropout_in_the_policy(tokenizer, prompts, temperature):
    policy = with_dropout(tokenizer)
    rollout = sample_rollout(policy, prompts, replace(SAMPLING, temperature=temperature), seed=1)
    reference = policy.reference()
    start(policy, reference, rollout)
    policy.train()
    assert cause(start, policy, reference, rollout) == "dropout is on"


def test_dropout_in_the_reference(tokenizer, prompts):
    policy = with_dropout(tokenizer)
    rollout = sample_rollout(policy, prompts, SAMPLING, seed=1)
    assert cause(start, policy, policy.reference().train(), rollout) == "dropout is on"


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_a_temperature_on_one_side_only(policy, prompts, temperature):
    """Drawn and noted at one temperature, learnt from at 1; and drawn at a temperature but noted at 1."""
    rollout = sample_rollout(policy, prompts, replace(SAMPLING, temperature=temperature), seed=1)
    with torch.no_grad():
        noted_at_1 = replace(rollout, logprob=response_logprob(policy, replace(rollout, temperature=1.0)))
    assert cause(start, policy, policy.reference(), noted_at_1) == "the sampling temperature"


def test_padding_that_shifts_positions(learner, prompts):
    """Sampled with the right positions, learnt from by a model that counts padding (it takes no position_ids)."""
    rollout = sample_rollout(learner, prompts, SAMPLING, seed=1)
    reference = learner.reference()
    learner._takes_positions = False
    assert cause(start, learner, reference, rollout) == "padding shifts"


def test_weights_that_changed_since_sampling(learner, prompts):
    rollout, reference = sample_rollout(learner, prompts, SAMPLING, seed=1), learner.reference()
    with torch.no_grad():
        learner.lm.transformer.h[0].mlp.c_fc.weight.mul_(1.1)
    assert cause(start, learner, reference, rollout) == "different precision"


def test_a_copy_that_gives_other_numbers(policy, prompts):
    rollout = sample_rollout(policy, prompts, SAMPLING, seed=1)
    elsewhere = torch.where(rollout.mask, rollout.logprob - 0.01, 0.0)
    assert cause(check_start, policy, policy.reference(), rollout, elsewhere) == "reads the text differently"


def test_log_probabilities_that_are_not_numbers(policy, prompts):
    rollout = sample_rollout(policy, prompts, SAMPLING, seed=1)
    broken = replace(rollout, logprob=torch.full_like(rollout.logprob, math.nan))
    with pytest.raises(CheckFailed, match=r"the ratio before the first update must be 1.*differs by nan"):
        start(policy, policy.reference(), broken)


def test_checking_leaves_no_gradient(learner, prompts):
    start(learner, learner.reference(), sample_rollout(learner, prompts, SAMPLING, seed=1))
    assert all(p.grad is None for p in learner.parameters())


# After the first backward pass.

def test_healthy_gradients_pass(learner, rollout):
    learn(learner, rollout)
    check_gradients(learner, learner.reference(), ("value_head",))
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in learner.parameters())


def test_a_reference_that_is_trained(learner, rollout):
    reference = learner.reference().requires_grad_(True)
    learn(learner, rollout)
    response_logprob(reference, rollout).sum().backward()
    assert cause(check_gradients, learner, reference) == "reference received gradients"


def test_a_language_model_without_gradient(learner, rollout):
    learner.lm.requires_grad_(False)
    learn(learner, rollout)
    assert cause(check_gradients, learner, learner.reference(), ("value_head",)) == "all its weights are frozen"


def test_advantages_that_are_all_zero_are_no_bug(learner, rollout):
    """A first batch whose responses all score the same gives a gradient of 0, and the next one may not."""
    learn(learner, rollout, scale=0.0, value_coef=0.0)
    check_gradients(learner, learner.reference(), ("value_head",))
    assert all((p.grad == 0).all() for p in learner.parameters())


def test_a_value_head_without_gradient(learner, rollout):
    response_logprob(learner, rollout).sum().backward()
    assert cause(check_gradients, learner, learner.reference(), ("value_head",)) == "value_head.requires_grad_"


@pytest.mark.parametrize("scale", [math.nan, math.inf])
def test_gradients_that_are_not_finite(learner, rollout, scale):
    learn(learner, rollout, scale=scale)
    assert cause(check_gradients, learner, learner.reference(), ("value_head",)) == "is not finite"
