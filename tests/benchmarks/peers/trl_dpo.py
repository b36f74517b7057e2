"""TRL 1.16's DPO; it reads the pairs into tokens before the first step."""

import tempfile
from collections.abc import Iterator

import workload
from datasets import Dataset
from paused import paused
from trl import DPOConfig, DPOTrainer


def updates(seed: int, learning_rate: float) -> Iterator[tuple[float, float]]:
    config = DPOConfig(
        output_dir=tempfile.mkdtemp(), seed=seed, learning_rate=learning_rate, lr_scheduler_type="constant", beta=0.1,
        per_device_train_batch_size=workload.PAIRS, gradient_accumulation_steps=1, max_steps=10_000,
        bf16=False, gradient_checkpointing=False, use_cpu=True, report_to=[], save_strategy="no",
        logging_steps=10_000, disable_tqdm=True)
    trainer = DPOTrainer(model=workload.language_model(ends=True), ref_model=workload.language_model(ends=True),
                         args=config, train_dataset=Dataset.from_list(workload.pairs()),
                         processing_class=workload.tokenizer())
    for _ in paused(trainer):
        yield 0.0, 0.0
