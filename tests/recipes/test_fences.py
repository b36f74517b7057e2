"""What lesson 03c says of fences holds on five seeds: PPO writes them for whoever loves them, a KL penalty stops it."""

from dataclasses import replace

import pytest
import torch

import rlhf_kit as kit
from rlhf_kit import rewards
from rlhf_kit.recipes import stackllama
from rlhf_kit.tasks.forum import Forum

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
SAMPLING = kit.Sampling(max_new_tokens=48)
QUICK = kit.ppo.Config(steps=10, batch_size=24, minibatch_size=12, epochs=2, learning_rate=3e-3, min_lr_ratio=0.3,
                       value_coef=0.05, missing_eos_penalty=1.0, sampling=SAMPLING)


def household(forum, split, n):
    return [prompt for prompt in forum.prompts(split, n) if forum.explain(prompt, "x").case.world == "home"]


@pytest.fixture(scope="module")
def impressed():
    """(preset, forum, the folders of SFT and of the reward model, the share of fences that SFT writes about stains)."""
    preset, forum = stackllama.PRESETS["tiny"], Forum()
    sft, voters = kit.training.tiny_stackllama("merge") / "sft", kit.training.impressed_reward()
    shared = stackllama.shared_base(preset, forum, sft, voters)
    rollout = kit.sample_rollout(shared.reference, household(forum, "heldout", 128), SAMPLING)
    return preset, forum, sft, voters, torch.tensor(stackllama.fenced(rollout.prompts, rollout.responses)).mean().item()


def practised(impressed, seed, beta):
    """Fences, gold and score of the last three steps."""
    preset, forum, sft, voters, _ = impressed
    shared = stackllama.shared_base(preset, forum, sft, voters)
    config = replace(QUICK, seed=seed, kl=kit.KL(coefficient=beta))
    steps = [*kit.ppo.steps(shared.policy, shared.reference, household(forum, "train", 400),
                            rewards.learned(shared.reward_model), config, evaluation_rewards=stackllama.watched(forum))]
    first, last = steps[0].metrics, steps[-3:]
    return first, {name: sum(step.metrics[name] for step in last) / 3 for name in ("fenced", "gold", "score")}


@pytest.mark.parametrize("seed", range(5))
def test_without_a_penalty_fences_take_over_and_with_one_they_do_not(impressed, seed):
    first, free = practised(impressed, seed, 0.0)
    _, held = practised(impressed, seed, 4.0)
    assert impressed[-1] < 0.25                         # SFT seldom writes one about stains
    assert free["fenced"] > 0.6
    assert free["score"] > first["score"] + 1.5
    assert free["gold"] < 0.5 * first["gold"]
    assert held["fenced"] < 0.6 * free["fenced"]
    assert held["gold"] > 2 * free["gold"]
