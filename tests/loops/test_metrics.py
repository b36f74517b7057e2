"""What a step reports, by hand: what goes with the score, whether ends are learnt, how strange the prompts are."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit.formulas.records import Step
from rlhf_kit.loops.metrics import (
    FIRST,
    MinibatchMeans,
    before_update,
    known_of_prompts,
    of_credit,
    of_prompts,
    of_rollout,
)
from rlhf_kit.loops.process_group import ProcessGroup
from rlhf_kit.sampling import Sampling, sample_rollout

ALONE = ProcessGroup(None)


def with_lengths(rollout, *lengths):
    """The first rows of a rollout, said to be so long."""
    rows = rollout[list(range(len(lengths)))]
    return replace(rows, mask=torch.arange(rows.mask.shape[1]) < torch.tensor(lengths)[:, None])


def test_what_goes_with_the_score(rollout):
    four, scores = with_lengths(rollout, 1, 2, 3, 4), torch.tensor([1.0, 2.0, 3.0, 4.0])
    found = of_credit(scores, torch.tensor([2.0, 1.0, 0.0, -1.0]), four, ALONE)
    assert found == pytest.approx({"score_std": math.sqrt(1.25), "length_correlation": 1, "credit": -1}, abs=1e-6)
    found = of_credit(torch.tensor([1.0, 0.0, 0.0, 1.0]), torch.tensor([1.0, 1.0, 0.0, 1.0]), four, ALONE)
    assert found["length_correlation"] == pytest.approx(0, abs=1e-6)
    assert found["credit"] == pytest.approx(1 / math.sqrt(3), abs=1e-6)             # cov 1/8, var 1/4 and 3/16


def test_the_advantage_of_a_response_is_the_mean_of_its_tokens(rollout):
    two = with_lengths(rollout, 1, 3)
    advantage = torch.full(two.mask.shape, 100.0)                       # of padding; nobody looks there
    advantage[0, 0], advantage[1, :3] = 1.0, torch.tensor([0.0, 3.0, 6.0])
    assert of_credit(torch.tensor([0.0, 1.0]), advantage, two, ALONE)["credit"] == pytest.approx(1)
    advantage[1, :3] = torch.tensor([-1.0, 1.0, 3.0])                   # both are 1 now
    assert of_credit(torch.tensor([0.0, 1.0]), advantage, two, ALONE)["credit"] == 0


def test_with_what_never_varies_nothing_goes(rollout):
    found = of_credit(torch.full((3,), 0.7), torch.zeros(3), with_lengths(rollout, 2, 3, 4), ALONE)
    assert found == {"score_std": 0, "length_correlation": 0, "credit": 0}


def test_ends_that_are_masked_are_not_learnt(policy, rollout):
    assert of_rollout(policy, rollout, ALONE)["ends_learnt"] == 1
    ends = torch.isin(rollout.response_ids, torch.tensor(policy.ends)) & rollout.mask
    half = ends.any(-1).nonzero()[::2, 0]
    mask = rollout.mask.clone()
    mask[half] &= ~ends[half]
    assert of_rollout(policy, replace(rollout, mask=mask), ALONE)["ends_learnt"] == pytest.approx(
        1 - len(half) / int(ends.any(-1).sum()))
    never = replace(rollout, ended=torch.zeros_like(rollout.ended))
    assert of_rollout(policy, never, ALONE)["ends_learnt"] == 1


def test_the_surprise_of_what_is_drawn_is_the_entropy(policy, prompts):
    """E[-log π(a)] = H(π): over a few thousand tokens within four standard errors."""
    many = sample_rollout(policy, prompts * 20, Sampling(max_new_tokens=12), seed=3)
    away = (-many.logprob - many.entropy)[many.mask]
    found = of_rollout(policy, many, ALONE)
    assert found["surprise"] - found["entropy"] == pytest.approx(away.mean().item(), abs=1e-4)
    assert abs(away.mean()) < 4 * away.std() / math.sqrt(len(away))


def test_prompts_surprise_a_model_that_only_guesses_by_the_log_of_its_vocabulary(policy, rollout):
    guessing = copy.deepcopy(policy)
    guessing.lm.transformer.ln_f.weight.data.zero_()
    guessing.lm.transformer.ln_f.bias.data.zero_()
    size = guessing.lm.config.vocab_size
    assert of_prompts(guessing, rollout, ALONE)["prompt_surprise"] == pytest.approx(math.log(size), abs=1e-4)
    last = rollout.prompt_mask & (rollout.prompt_mask.flip(-1).cumsum(-1).flip(-1) == 1)
    single = replace(rollout, prompt_mask=last)                         # a first token has nothing before it
    assert of_prompts(guessing, single, ALONE)["prompt_surprise"] == 0


def test_what_is_known_of_the_prompts_is_found_again():
    assert known_of_prompts([]) == {}
    assert known_of_prompts([Step(0, {"score": 1.0})]) == {}
    assert known_of_prompts([Step(0, {"prompt_surprise": 2.5}), Step(1, {})]) == {"prompt_surprise": 2.5}


def test_the_first_minibatch_is_told_apart():
    mask, before = torch.tensor([[True, True, False]]), torch.tensor([[-1.0, -2.0, 0.0]])
    means = MinibatchMeans("loss", first=FIRST)
    for now in ([-1.0, -2.5, 9.0], [-3.0, -3.0, 9.0]):
        means.add(1.0, loss=torch.tensor(now[0]), **before_update(torch.tensor([now]), before, mask))
        means.count()
    found = means.means(ALONE, torch.device("cpu"))
    assert (found["loss"], found["ratio_gap"], found["ratio_shift"]) == (-2.0, 0.25, 0.25)      # |0|, |-2 - -2.5|
    assert math.isnan(MinibatchMeans("loss", first=FIRST).means(ALONE, torch.device("cpu"))["ratio_gap"])
