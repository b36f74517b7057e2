"""What lesson 07 says of sums holds on five seeds: both methods learn them, and ever more groups teach nothing."""

import pytest

from rlhf_kit import rewards, zoo
from rlhf_kit.evaluate import evaluate
from rlhf_kit.formulas.kl_penalty import KL
from rlhf_kit.formulas.records import Comparison
from rlhf_kit.methods import best_of_n, dpo, grpo
from rlhf_kit.sampling import Sampling
from rlhf_kit.tasks.arithmetic import Arithmetic

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
SHORT = Sampling(max_new_tokens=4)
TASK = Arithmetic()
CHECK = rewards.gold(TASK)


def fresh():
    return zoo.load_policy("tiny-lm-arithmetic", value_head=False)


def right(policy, seed):
    """Of the questions trained on and of the others."""
    asked = TASK.prompts() * 4, TASK.prompts("heldout") * 12
    return [evaluate(policy, fresh().reference(), one, {"gold": CHECK}, SHORT, 1000 + seed).mean["gold"]
            for one in asked]


@pytest.mark.parametrize("seed", range(5))
def test_grpo_learns_sums_from_the_check_and_runs_out_of_groups(seed):
    policy, before = fresh(), right(fresh(), seed)
    history = grpo.train(policy, policy.reference(), TASK.prompts(), CHECK, grpo.Config(
        steps=40, batch_size=256, group_size=8, learning_rate=1e-3, min_lr_ratio=0.2, sampling=SHORT,
        kl=KL(coefficient=0.0), seed=seed))
    tied, after = [step.metrics["tied_groups"] for step in history], right(policy, seed)
    assert after[0] > before[0] + 0.1
    assert after[1] > before[1] + 0.05
    assert sum(tied[-8:]) > sum(tied[:8]) + 1


@pytest.mark.parametrize("seed", range(5))
def test_dpo_learns_sums_from_pairs_and_the_right_answers_become_likelier(seed):
    start = fresh()
    drawn = best_of_n.draws(start, TASK.prompts() * 2, CHECK, best_of_n.Config(n=8, batch_size=8, sampling=SHORT,
                                                                               seed=seed))
    pairs = [Comparison(one.prompt, good, bad) for one in drawn
             for good in [x for x, s in zip(one.responses, one.scores, strict=True) if s == 1][:3]
             for bad in [x for x, s in zip(one.responses, one.scores, strict=True) if s == 0][:3]]
    policy = fresh()
    history = dpo.train(policy, start.reference(), pairs, dpo.Config(steps=150, batch_size=32, learning_rate=3e-4,
                                                                     beta=0.1, seed=seed))
    mean = lambda part, name: sum(step.metrics[f"{name}_logprob"] for step in part) / 10             # noqa: E731
    assert right(policy, seed)[0] > right(start, seed)[0] + 0.1
    assert mean(history[-10:], "chosen") > mean(history[:10], "chosen")
    assert mean(history[-10:], "rejected") < mean(history[:10], "rejected") - 1
