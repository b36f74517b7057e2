"""TRL 1.12, the last one with a PPO. It wants the reward as a module, and a second network for the values."""

import queue
import tempfile
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import torch
import workload
from datasets import Dataset
from transformers import GPT2ForSequenceClassification, TrainerCallback, TrainerState
from trl.experimental.ppo import PPOConfig, PPOTrainer


class Reward(torch.nn.Module):
    """The Python function where a classifier is expected: its "hidden states" are the scores, its head passes them."""

    base_model_prefix = "trunk"

    def trunk(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        scores = torch.tensor(workload.reward(input_ids[:, workload.PROMPT_TOKENS:].tolist()))
        return SimpleNamespace(hidden_states=[scores[:, None, None].expand(*input_ids.shape, 1)])

    def score(self, hidden: torch.Tensor) -> torch.Tensor:
        return hidden


def updates(seed: int, learning_rate: float) -> Iterator[tuple[float, float]]:
    """`train()` is a single call: it runs in a thread, which waits after each step until the next is asked for."""
    done, go = queue.Queue(), threading.Semaphore(0)

    class Pause(TrainerCallback):
        def on_step_end(self, args: object, state: TrainerState, control: object, **_: object) -> None:
            said = state.log_history[-1]
            done.put((said["objective/scores"], said["objective/kl"]))
            go.acquire()

    critic = GPT2ForSequenceClassification(workload.architecture(num_labels=1, pad_token_id=workload.PAD))
    config = PPOConfig(
        output_dir=tempfile.mkdtemp(), seed=seed, learning_rate=learning_rate, lr_scheduler_type="constant",
        kl_coef=workload.KL_COEFFICIENT, temperature=1.0, response_length=workload.NEW_TOKENS,
        num_ppo_epochs=workload.EPOCHS, num_mini_batches=workload.PROMPTS // workload.MINIBATCH,
        per_device_train_batch_size=workload.PROMPTS, gradient_accumulation_steps=1,
        local_rollout_forward_batch_size=workload.PROMPTS, total_episodes=1000 * workload.PROMPTS,
        bf16=False, gradient_checkpointing=False, use_cpu=True,
        num_sample_generations=0, report_to=[], save_strategy="no", logging_steps=10_000, disable_tqdm=True)
    trainer = PPOTrainer(args=config, processing_class=workload.tokenizer(), model=workload.language_model(),
                         ref_model=workload.language_model(), reward_model=Reward(), value_model=critic,
                         train_dataset=Dataset.from_dict({"input_ids": workload.prompts().tolist()}),
                         callbacks=[Pause()])
    threading.Thread(target=trainer.train, daemon=True).start()
    while True:
        yield done.get(timeout=120)
        go.release()
