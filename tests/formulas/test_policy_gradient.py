"""GRPO, RLOO, Dr. GRPO and REINFORCE: by hand, where they are one, and who is weighed how."""

import math

import pytest
import torch

from rlhf_kit.formulas.advantages import group_advantage, leave_one_out
from rlhf_kit.formulas.losses import clipped_policy
from rlhf_kit.formulas.policy_gradient import averaged, policy_gradient

SCORE = torch.tensor([1.0, 0, 0, 1, 5, 5, 5, 5])
MASK = torch.tensor([[True, True, True, True], [True, False, False, False]])
LOGPROB = torch.tensor([[-1.0, -2, -0.5, -1], [-3, math.nan, math.nan, math.nan]])


def gradient(**settings):
    logprob = LOGPROB.clone().requires_grad_(True)
    policy_gradient(logprob, LOGPROB, torch.tensor([2.0, -1.0]), MASK, 0.2, **settings).backward()
    return logprob.grad


def test_advantages_of_the_fact_sheet():
    """(1, 0, 0, 1): ±2/3 for RLOO, ±.866 in units of the sample deviation; all alike: nothing to prefer."""
    others = group_advantage(SCORE, 4, baseline="others", scale="none")
    assert others.tolist() == pytest.approx([2 / 3, -2 / 3, -2 / 3, 2 / 3, 0, 0, 0, 0])
    assert torch.equal(others, leave_one_out(SCORE, 4))
    grpo = group_advantage(SCORE, 4)
    assert grpo.tolist() == pytest.approx([0.866, -0.866, -0.866, 0.866, 0, 0, 0, 0], abs=2e-4)


@pytest.mark.parametrize("size", [3, 7, 8, 10])
@pytest.mark.parametrize(("baseline", "scale"), [("group", "group"), ("others", "group"), ("others", "none"),
                                                 ("batch", "batch")])
def test_answers_that_all_score_alike_teach_nothing_however_large_the_score(baseline, scale, size):
    """In 32 bits the mean of ten 12345.67 is another number, and its distance divided by itself is almost 1."""
    for score in (0.1, 10.3, 100.1, 12345.67):
        alike = torch.full((size,), score)
        assert group_advantage(alike, size, baseline=baseline, scale=scale).tolist() == [0] * size


def test_rloo_is_the_centred_score_times_g_over_g_minus_1():
    score = torch.randn(12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred = group_advantage(score, 3, scale="none")
    assert torch.allclose(group_advantage(score, 3, baseline="others", scale="none"), 1.5 * centred)


def test_a_batch_baseline_compares_with_everybody_else_and_needs_no_group():
    """Of 1, 2, 6 the others' means are 4, 3.5 and 1.5."""
    one_each = group_advantage(torch.tensor([1.0, 2, 6]), 1, baseline="batch", scale="none")
    assert one_each.tolist() == pytest.approx([-3, -1.5, 4.5])
    assert group_advantage(torch.tensor([1.0, 2, 6]), 1, baseline="none", scale="none").tolist() == [1, 2, 6]


def test_scaling_by_the_group_makes_a_small_lead_as_large_as_a_big_one():
    score = torch.tensor([0.0, 1.0, 0.0, 0.01])
    assert group_advantage(score, 2)[1].item() == pytest.approx(group_advantage(score, 2)[3].item(), rel=0.02)
    batch = group_advantage(score, 2, scale="batch")
    assert batch[1].item() == pytest.approx(100 * batch[3].item(), rel=1e-4)


@pytest.mark.parametrize("settings", [{"ratio": "response"}, {"average": "sum"}])
def test_before_the_first_update_the_gradient_is_that_of_the_expected_score(settings):
    """∇L = -mean over responses of Â · ∇ log π(response): each token of response i has -Â_i / B."""
    assert gradient(**settings).tolist() == [[-1.0] * 4, [0.5, 0, 0, 0]]


def test_what_a_token_weighs_under_each_average():
    assert gradient(average="response").tolist() == [[-0.25] * 4, [0.5, 0, 0, 0]]         # Â/(B·|o|)
    assert gradient(average="token")[:, 0].tolist() == pytest.approx([-0.4, 0.2])         # Â/5, five tokens in all
    assert gradient(average="constant", longest=8).tolist() == [[-0.125] * 4, [0.0625, 0, 0, 0]]      # Â/(B·8)


def test_averaged_by_token_it_is_ppo_s_objective():
    old = LOGPROB - 0.3
    advantage = torch.tensor([2.0, -1.0])
    ours = policy_gradient(LOGPROB, old, advantage, MASK, 0.2, average="token")
    assert ours.item() == pytest.approx(clipped_policy(LOGPROB, old, advantage[:, None].expand(2, 4), MASK, 0.2).item())


def test_a_ratio_of_whole_responses_is_clipped_as_a_whole():
    """Four tokens up by .1 nats each: e^.4 = 1.49 in all, beyond 1.2; no single token is. One token down by .1."""
    old = LOGPROB - torch.tensor([[0.1], [-0.1]])
    by_response = policy_gradient(LOGPROB, old, torch.tensor([1.0, -1.0]), MASK, 0.2, ratio="response")
    assert by_response.item() == pytest.approx((-1.2 + math.exp(-0.1)) / 2)
    by_token = policy_gradient(LOGPROB, old, torch.tensor([1.0, -1.0]), MASK, 0.2, average="sum")
    assert by_token.item() == pytest.approx((-4 * math.exp(0.1) + math.exp(-0.1)) / 2)


def test_a_penalty_is_averaged_with_the_rest():
    penalty = torch.where(MASK, 1.0, math.nan)
    without, with_it = (policy_gradient(LOGPROB, LOGPROB, torch.zeros(2), MASK, 0.2, average=average, penalty=p)
                        for average, p in (("response", None), ("response", penalty)))
    assert (without.item(), with_it.item()) == (0, 1)
    assert policy_gradient(LOGPROB, LOGPROB, torch.zeros(2), MASK, 0.2, ratio="response",
                           penalty=penalty).item() == 2.5                       # (4 + 1) / 2 tokens a response


@pytest.mark.parametrize(("call", "message"), [
    (lambda: group_advantage(SCORE, 3), "groups of 3"), (lambda: group_advantage(SCORE, 1), "at least 2 answers"),
    (lambda: group_advantage(SCORE, 1, baseline="none"), "at least 2 answers"),
    (lambda: group_advantage(SCORE[:1], 1, baseline="batch", scale="none"), "there is one score"),
    (lambda: group_advantage(SCORE, 2, scale="prompt"), "scale 'prompt'"),
    (lambda: averaged(LOGPROB, MASK, "constant"), "longest is None"),
    (lambda: averaged(LOGPROB, MASK, "constant", 3), "longest is 3 and the responses have 4"),
    (lambda: policy_gradient(LOGPROB, LOGPROB, SCORE, MASK, 0.2), r"advantages have shape \(8,\)"),
    (lambda: policy_gradient(LOGPROB, LOGPROB, SCORE[:2], MASK, 0.2, ratio="word"), "ratio is 'word'")])
def test_what_makes_no_sense_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
