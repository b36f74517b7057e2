"""The kit as it comes: value loss, checks before the first update, every default that the workload does not fix."""

from collections.abc import Iterator

import workload

import rlhf_kit as kit


def updates(seed: int, learning_rate: float, **settings: float) -> Iterator[tuple[float, float]]:
    """`settings` are other fields of `ppo.Config`."""
    policy = kit.Policy(workload.language_model(), workload.tokenizer())
    config = kit.ppo.Config(steps=10_000, learning_rate=learning_rate, seed=seed, batch_size=workload.PROMPTS,
                            epochs=workload.EPOCHS, minibatch_size=workload.MINIBATCH,
                            sampling=kit.Sampling(max_new_tokens=workload.NEW_TOKENS),
                            kl=kit.KL(coefficient=workload.KL_COEFFICIENT), **settings)
    reward = kit.rewards.on_tokens(lambda prompts, responses: workload.reward(responses))
    for step in kit.ppo.steps(policy, policy.reference(), workload.as_text(workload.prompts()), reward, config):
        assert step.metrics["response_length"] == workload.NEW_TOKENS
        yield step.metrics["score"], step.metrics["kl"]
