"""The kit's DPO as it comes."""

from collections.abc import Iterator

import workload

import rlhf_kit as kit


def updates(seed: int, learning_rate: float) -> Iterator[tuple[float, float]]:
    policy = kit.Policy(workload.language_model(ends=True), workload.tokenizer(), value_head=False)
    config = kit.dpo.Config(steps=10_000, learning_rate=learning_rate, warmup=0, seed=seed, batch_size=workload.PAIRS)
    pairs = [kit.Comparison(**pair) for pair in workload.pairs()]
    for step in kit.dpo.steps(policy, policy.reference(), pairs, config):
        yield step.metrics["accuracy"], step.metrics["margin"]
