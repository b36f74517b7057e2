"""TRL 0.11.4, the last one whose PPO takes a plain reward."""

from collections.abc import Iterator

import torch
import workload
from trl import AutoModelForCausalLMWithValueHead, PPOConfig, PPOTrainer


def updates(seed: int, learning_rate: float, at_once: int = 64,
            **settings: float) -> Iterator[tuple[float, float]]:
    """`at_once` is how many responses are sampled together, TRL's own default is 4; `settings` are `PPOConfig`'s."""
    model = AutoModelForCausalLMWithValueHead.from_pretrained(workload.language_model())
    config = PPOConfig(batch_size=workload.PROMPTS, mini_batch_size=workload.MINIBATCH, ppo_epochs=workload.EPOCHS,
                       learning_rate=learning_rate, adap_kl_ctrl=False, init_kl_coef=workload.KL_COEFFICIENT,
                       seed=seed, **settings)
    trainer = PPOTrainer(config, model, tokenizer=workload.tokenizer())     # makes the reference itself
    queries = list(workload.prompts())
    while True:
        responses = trainer.generate(queries, batch_size=at_once, return_prompt=False, do_sample=True, top_k=0,
                                     top_p=1.0, max_new_tokens=workload.NEW_TOKENS, pad_token_id=workload.PAD)
        assert {len(response) for response in responses} == {workload.NEW_TOKENS}
        scores = workload.reward(response.tolist() for response in responses)
        told = trainer.step(queries, responses, [torch.tensor(score) for score in scores])
        yield sum(scores) / len(scores), float(told["objective/kl"])
