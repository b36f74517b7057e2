"""The kit's GRPO as it comes: checks before the first update, every default that the workload does not fix."""

from collections.abc import Iterator

import workload

import rlhf_kit as kit


def updates(seed: int, learning_rate: float) -> Iterator[tuple[float, float]]:
    policy = kit.Policy(workload.language_model(), workload.tokenizer(), value_head=False)
    config = kit.grpo.Config(steps=10_000, learning_rate=learning_rate, seed=seed, batch_size=workload.PROMPTS,
                             group_size=workload.GROUP, sampling=kit.Sampling(max_new_tokens=workload.NEW_TOKENS))
    reward = kit.rewards.on_tokens(lambda prompts, responses: workload.reward(responses))
    for step in kit.grpo.steps(policy, policy.reference(), workload.as_text(workload.prompts()), reward, config):
        assert step.metrics["response_length"] == workload.NEW_TOKENS
        yield step.metrics["score"], step.metrics["kl"]
