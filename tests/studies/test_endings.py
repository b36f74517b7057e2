"""Negative KL: exact for one token, measured on a policy that likes to end, and mended by the mask."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from rlhf_kit.studies.endings import drawn_freely, expected, forbidden_to_end, negative_kl


class Eager(Policy):
    """A policy that likes to end more than the one that it is made of."""

    def __init__(self, policy: Policy, more: float) -> None:
        nn.Module.__init__(self)
        self._policy, self.more = (policy,), more
        self.tokenizer, self.value_head, self.value_trunk = policy.tokenizer, None, None

    @property
    def lm(self):
        return self._policy[0].lm

    def forward(self, *arguments, **options):
        predicted = self._policy[0](*arguments, **options)
        more = torch.zeros(predicted.logits.shape[-1])
        more[self.tokenizer.eos_token_id] = self.more
        return replace(predicted, logits=predicted.logits + more)


def test_one_token_exactly():
    found = expected((0.3, 0.35, 0.35), (0.05, 0.475, 0.475))
    assert found["free"] == pytest.approx(0.3238, abs=1e-4)
    assert found["forbidden"] == pytest.approx(-0.3054, abs=1e-4)


def test_a_policy_that_ends_as_often_as_its_reference_is_not_harmed():
    """The rest differs, the end does not: forbidding it only rescales what is left."""
    found = expected((0.2, 0.5, 0.3), (0.2, 0.3, 0.5))
    assert found["forbidden"] == pytest.approx(found["free"] / 0.8)


def test_nothing_ends_before_it_may(policy, prompts):
    rollout = forbidden_to_end(policy, prompts, first=5, sampling=Sampling(max_new_tokens=12), seed=1)
    assert (rollout.length[rollout.ended] > 5).all()
    assert (sample_rollout(policy, prompts * 4, Sampling(max_new_tokens=12), seed=1).length <= 5).any()
    assert torch.equal(rollout.logprob, response_logprob(policy, rollout))
    assert not drawn_freely(rollout, 5)[:, :5].any()
    assert torch.equal(drawn_freely(rollout, 5)[:, 5:], rollout.mask[:, 5:])


def test_no_other_end_token_ends_it_either(policy, prompts):
    """A chat model ends its turn with a token of its own, which was left to it."""
    chatty = copy.deepcopy(policy)
    rollout = sample_rollout(policy, prompts * 4, Sampling(max_new_tokens=12), seed=1)
    commonest = rollout.response_ids[:, 1].mode().values
    chatty.lm.generation_config.eos_token_id = [policy.tokenizer.eos_token_id, int(commonest)]
    rollout = forbidden_to_end(chatty, prompts * 4, first=5, sampling=Sampling(max_new_tokens=12), seed=1)
    assert int(commonest) in chatty.ends
    assert (rollout.length > 5).all()


def test_the_measured_kl_falls_below_nothing_and_the_mask_mends_it(policy, prompts):
    study = negative_kl(Eager(policy, 3.0), policy, prompts * 12, 6, Sampling(max_new_tokens=14), seed=0)
    free, forbidden, mended = (study.numbers[name] for name in ("free", "forbidden", "mended"))
    assert free.mean > 0
    assert forbidden.high < 0                                      # a KL cannot be negative: this is none
    assert mended.mean > -2 * mended.standard_error
    assert study.numbers["length"][1] > study.numbers["length"][0]


def test_a_first_of_nothing_is_refused(policy, prompts):
    with pytest.raises(ValueError, match="first is 0; forbid the end in at least 1 token"):
        forbidden_to_end(policy, prompts, 0)
