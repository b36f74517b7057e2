"""GRPO and its relatives: the first gradient by hand, learning, the price of drifting, resume, and every option."""

import json
import math
from dataclasses import replace

import pytest
import torch

from rlhf_kit import rewards
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.loops.batches import draw, seed_for
from rlhf_kit.loops.sanity_checks import CheckFailed
from rlhf_kit.methods import grpo
from rlhf_kit.models import text, tiny
from rlhf_kit.models.heads import Policy
from rlhf_kit.sampling import Sampling, response_logprob, sample_rollout
from rlhf_kit.storage import StorageError

WORDS = ["the", "cat", "sat", "on", "a", "mat", "and", "ran", "far", "away", "from", "big", "red", "dogs"]
PROMPTS = [f"{a} {b}" for a in WORDS[:6] for b in WORDS[6:]]
QUICK = grpo.Config(steps=3, batch_size=16, group_size=4, learning_rate=2e-3, sampling=Sampling(max_new_tokens=6))
FREE = KL(coefficient=0.0)


def new_policy(**options) -> Policy:
    tokenizer = text.train_tokenizer([" ".join(WORDS)] * 5, 80)
    return Policy(tiny.language_model(tokenizer, layers=1, width=32, heads=2, context=32), tokenizer, **options)


def cats(prompts, responses):
    return [min(r.count("cat"), 2) / 2 for r in responses]


def letters(prompts, responses):
    return [float(len(r)) for r in responses]


def run(config=QUICK, reward=cats, policy=None, **options):
    policy = policy or new_policy()
    return policy, list(grpo.steps(policy, policy.reference(), PROMPTS, reward, config, **options))


def weights(policy):
    return torch.cat([p.detach().flatten() for p in policy.lm.parameters()])


def gradient(config, reward=letters, policy=None, reference=None):
    """Of the first update, which is not taken."""
    policy, taken = policy or new_policy(), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grpo, "update", lambda model, *_: taken.append([p.grad.clone() for p in model.parameters()]))
        list(grpo.steps(policy, reference or policy.reference(), PROMPTS, reward, replace(config, steps=1)))
    return torch.cat([g.flatten() for g in taken[0]])


def drawn(config):
    """What the first step draws, and the logits' policy."""
    policy = new_policy()
    asked = draw(len(PROMPTS), config.batch_size // config.group_size, config.seed, 0)
    batch = [PROMPTS[i] for i in asked for _ in range(config.group_size)]
    return policy, sample_rollout(policy, batch, config.sampling, seed_for(config.seed, "rollout", 0))


def derivative(policy, loss):
    return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(policy.lm.parameters()))])


# --- the first gradient, written out ----------------------------------------------------------------------------------

def test_grpo_s_first_gradient_by_hand():
    config = replace(QUICK, kl=FREE)
    policy, rollout = drawn(config)
    scores = torch.tensor(letters(None, rollout.responses)).reshape(4, 4)
    advantage = ((scores - scores.mean(1, keepdim=True)) / (scores.std(1, keepdim=True) + 1e-4)).flatten()
    logprob = response_logprob(policy, rollout)
    each = torch.stack([(a * row[kept]).mean() for a, row, kept in zip(advantage, logprob, rollout.mask, strict=True)])
    assert torch.allclose(gradient(config), derivative(policy, -each.mean()), atol=1e-6)


@pytest.mark.parametrize("variant", [grpo.rloo, grpo.reinforce])
def test_rloo_s_and_reinforce_s_first_gradient_is_that_of_the_expected_score(variant):
    config = variant(replace(QUICK, kl=FREE))
    policy, rollout = drawn(config)
    scores = torch.tensor(letters(None, rollout.responses)).reshape(1 if variant is grpo.reinforce else 4, -1)
    others = (scores.sum(1, keepdim=True) - scores) / (scores.shape[1] - 1)
    whole = response_logprob(policy, rollout).sum(-1)
    loss = -((scores - others).flatten() * whole).mean()
    assert torch.allclose(gradient(config), derivative(policy, loss), atol=1e-5)


def test_dr_grpo_s_first_gradient_divides_by_what_a_response_may_have():
    config = grpo.dr_grpo(replace(QUICK, kl=FREE))
    policy, rollout = drawn(config)
    scores = torch.tensor(letters(None, rollout.responses)).reshape(4, 4)
    whole = response_logprob(policy, rollout).sum(-1)
    loss = -((scores - scores.mean(1, keepdim=True)).flatten() * whole).mean() / 6
    assert torch.allclose(gradient(config), derivative(policy, loss), atol=1e-6)


def test_a_penalty_in_the_loss_adds_the_gradient_of_k3():
    reference = new_policy().requires_grad_(False)
    torch.manual_seed(0)
    for p in reference.lm.parameters():
        p += 0.05 * torch.randn_like(p)
    config = replace(QUICK, checks=False)
    policy, rollout = drawn(config)
    d = (response_logprob(policy, rollout) - response_logprob(reference, rollout)) * rollout.mask
    k3 = ((torch.exp(-d) - 1 + d).sum(-1) / rollout.mask.sum(-1)).mean()
    priced, free = (gradient(replace(config, kl=KL(coefficient=c, estimate="k3", in_loss=True)), reference=reference)
                    for c in (0.5, 0.0))
    assert torch.allclose(priced - free, 0.5 * derivative(policy, k3), atol=1e-6)


# --- the whole method -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("variant", grpo.VARIANTS.values(), ids=grpo.VARIANTS)
def test_each_of_them_learns_to_say_what_is_rewarded_and_pays_in_kl(variant):
    config = variant(replace(QUICK, steps=20, batch_size=32, learning_rate=1e-2, kl=KL(coefficient=0.02, in_loss=True)))
    _, history = run(config)
    assert history[0].metrics["kl"] == pytest.approx(0, abs=1e-5)
    assert history[-1].metrics["score"] > history[0].metrics["score"] + 0.2
    assert history[-1].metrics["kl"] > 0.3


@pytest.mark.parametrize("in_loss", [False, True])
def test_a_high_price_keeps_the_policy_where_it_was(in_loss):
    config = replace(QUICK, steps=10, learning_rate=5e-3, scale="none")
    free = run(replace(config, kl=FREE))[1][-1].metrics
    dear = run(replace(config, kl=KL(coefficient=2.0, in_loss=in_loss)))[1][-1].metrics
    assert dear["kl"] < free["kl"] / 3


def test_groups_that_tie_are_counted_and_teach_nothing():
    policy = new_policy()
    start = weights(policy).clone()
    _, [step] = run(replace(QUICK, steps=1, kl=FREE, checks=False), reward=lambda p, r: [1.0] * len(r), policy=policy)
    assert step.metrics["tied_groups"] == 1
    assert torch.equal(weights(policy), start)


def test_a_value_head_is_left_alone_and_none_is_needed():
    policy = new_policy()
    run(policy=policy)
    assert not policy.value_head.weight.any()
    assert len(run(policy=new_policy(value_head=False))[1]) == 3


def test_several_rewards_are_weighted_and_reported_apart():
    both = rewards.weighted([(1.0, cats), (-0.1, letters)])
    _, [step] = run(replace(QUICK, steps=1), reward=both)
    said = step.metrics
    assert said["score"] == pytest.approx(said["score_cats"] - 0.1 * said["score_letters"], abs=1e-6)
    assert said["score_letters"] > 1
    _, [twice] = run(replace(QUICK, steps=1), reward=rewards.weighted([(1.0, letters), (1.0, letters)]))
    assert twice.metrics["score_letters_1"] == twice.metrics["score_letters_2"] == said["score_letters"]


def test_a_missing_end_costs_reward_and_is_not_in_the_reported_score():
    """All score alike, so nothing but the penalty is learnt from: ending becomes more frequent."""
    config = replace(QUICK, steps=15, batch_size=32, learning_rate=1e-2, kl=FREE, missing_eos_penalty=1.0, checks=False)
    _, history = run(config, reward=lambda p, r: [1.0] * len(r))
    assert all(step.metrics["score"] == 1 for step in history)
    assert history[-1].metrics["eos_rate"] > history[0].metrics["eos_rate"] + 0.2


# --- resume -----------------------------------------------------------------------------------------------------------

def test_a_run_cut_short_ends_with_the_same_numbers(tmp_path):
    config = replace(QUICK, steps=5, epochs=2, minibatch_size=8, kl=KL(coefficient=0.1, target=0.5, horizon=50))
    whole, history = run(config)
    first = new_policy()
    stream = grpo.steps(first, first.reference(), PROMPTS, cats, config, checkpoint=tmp_path, checkpoint_every=2)
    for _ in range(3):                                              # the third step is lost: saved after two
        next(stream)
    stream.close()
    second, resumed = run(config, checkpoint=tmp_path, checkpoint_every=2)
    drop = lambda steps: [{k: v for k, v in s.metrics.items() if k != "seconds"} for s in steps]     # noqa: E731
    assert json.dumps(drop(resumed)) == json.dumps(drop(history))
    assert torch.equal(weights(second), weights(whole))


def test_another_variant_is_another_run(tmp_path):
    run(checkpoint=tmp_path)
    with pytest.raises(StorageError, match="baseline: 'group' then, 'others' now"):
        run(grpo.rloo(QUICK), checkpoint=tmp_path)


def test_breaking_out_early_leaves_a_usable_policy_and_an_unmoved_reference():
    policy = new_policy()
    reference = policy.reference()
    start = weights(reference).clone()
    for _ in grpo.steps(policy, reference, PROMPTS, cats, QUICK):
        break
    assert len(sample_rollout(policy, PROMPTS[:2], QUICK.sampling)) == 2
    assert torch.equal(weights(reference), start)


# --- options ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("change", [{}, {"average": "token"}, {"ratio": "response"}, {"average": "constant"}])
def test_a_batch_in_passes_gives_the_gradient_of_one(change):
    """In float64, each part weighted by its tokens, or where the loss is a mean over responses by these."""
    config = replace(QUICK, kl=KL(coefficient=0.3, estimate="k3", in_loss=True), **change)
    whole, parts = (gradient(replace(config, tokens_per_pass=n), policy=new_policy().double()) for n in (None, 32))
    assert (whole - parts).abs().max() < 1e-6 * whole.abs().max()


def test_more_epochs_move_the_ratio_and_clip():
    _, history = run(replace(QUICK, epochs=4, learning_rate=2e-2))
    assert history[0].metrics["minibatches"] == 4
    assert history[-1].metrics["clip_fraction"] > 0
    assert run(QUICK)[1][-1].metrics["clip_fraction"] == 0


def test_a_run_that_drifts_too_far_ends():
    _, history = run(replace(QUICK, steps=20, learning_rate=2e-2, kl=FREE, stop_kl=0.5))
    assert len(history) < 20
    assert history[-1].metrics["kl"] > 0.5 >= history[-2].metrics["kl"]


def test_autocast_and_checkpointed_activations_run():
    _, history = run(replace(QUICK, autocast="bfloat16", activation_checkpointing=True))
    assert all(math.isfinite(step.metrics["policy_loss"]) for step in history)


def test_self_checks_stop_a_run_whose_reference_is_the_policy_itself():
    policy = new_policy()
    with pytest.raises(CheckFailed, match="share weights"):
        next(grpo.steps(policy, policy, PROMPTS, cats, QUICK))


def test_every_reported_metric_is_explained():
    assert set(run(replace(QUICK, steps=1))[1][0].metrics) == set(grpo.METRICS)


@pytest.mark.parametrize(("change", "message"), [
    ({"batch_size": 10}, "batch_size is 10 and group_size 8"), ({"steps": 0}, "steps is 0"),
    ({"group_size": 1}, "group_size is 1, and a response alone"), ({"minibatch_size": 5}, "not a multiple"),
    ({"baseline": "critic"}, "baseline is 'critic'"), ({"average": "word"}, "average is 'word'"),
    ({"kl": KL(estimate="full")}, "'full', which PPO alone"), ({"clip": 0}, "clip is 0"),
    ({"missing_eos_penalty": math.nan}, "missing_eos_penalty is nan"),
    ({"batch_size": 1, "group_size": 1, "baseline": "batch", "scale": "none"}, "batch_size is 1")])
def test_bad_settings_are_refused_in_one_line(change, message):
    with pytest.raises(ValueError, match=message) as error:
        grpo.Config(**change)
    assert "\n" not in str(error.value)


def test_no_prompts_are_refused():
    policy = new_policy()
    with pytest.raises(ValueError, match="no prompts"):
        next(grpo.steps(policy, policy.reference(), [], cats, QUICK))
