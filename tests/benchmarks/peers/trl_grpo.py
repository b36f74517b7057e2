"""TRL 1.16's GRPO, whose KL is off unless asked for: here it is that of the paper, as in the kit."""

import tempfile
from collections.abc import Iterator

import workload
from datasets import Dataset
from paused import paused
from trl import GRPOConfig, GRPOTrainer


def updates(seed: int, learning_rate: float) -> Iterator[tuple[float, float]]:
    said = []

    def reward(completion_ids: list[list[int]], **_: object) -> list[float]:
        assert {len(ids) for ids in completion_ids} == {workload.NEW_TOKENS}
        scores = workload.reward(completion_ids)
        said.append(sum(scores) / len(scores))
        return scores

    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(), seed=seed, learning_rate=learning_rate, lr_scheduler_type="constant",
        beta=0.04, epsilon=0.2, num_generations=workload.GROUP, max_completion_length=workload.NEW_TOKENS,
        temperature=1.0, top_k=0, top_p=1.0, num_iterations=1, loss_type="grpo",
        per_device_train_batch_size=workload.PROMPTS, gradient_accumulation_steps=1, max_steps=10_000,
        bf16=False, gradient_checkpointing=False, use_cpu=True, report_to=[], save_strategy="no",
        logging_steps=10_000, disable_tqdm=True)
    texts, folder = workload.as_text(workload.prompts()), tempfile.mkdtemp()
    workload.language_model().save_pretrained(folder)           # its reference is read from where the model lies
    trainer = GRPOTrainer(model=folder, reward_funcs=reward, args=config,
                          train_dataset=Dataset.from_dict({"prompt": texts}), processing_class=workload.tokenizer())
    for _ in paused(trainer):
        yield said[-1], 0.0
