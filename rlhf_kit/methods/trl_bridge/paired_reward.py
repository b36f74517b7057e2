"""A reward model as an adapter with TRL's RewardTrainer: from people's pairs, one score a response."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase

from rlhf_kit.formulas.records import Comparison, Step
from rlhf_kit.formulas.spelling import spelled
from rlhf_kit.methods.trl_bridge.running import (
    arguments,
    bridged,
    check,
    check_installed,
    in_order,
    padded_with,
    ready,
    updates,
)
from rlhf_kit.models.adapters import LoRA, check_targets
from rlhf_kit.models.chats import closed
from rlhf_kit.models.loading import load_reward_model
from rlhf_kit.models.quantization import Quantization
from rlhf_kit.models.text import encode_texts, pad_id


@spelled
@dataclass(frozen=True, kw_only=True)
class RewardConfig:
    """Settings of one run; the defaults are StackLLaMA's (Hugging Face, 2023) where it names one."""

    steps: int | None = None            # optimizer updates
    epochs: float | None = 1.0          # instead of steps: passes over the comparisons
    batch_size: int = 4                 # comparisons per process and forward pass, which reads both texts of each
    gradient_accumulation: int = 1      # forward passes per update
    learning_rate: float = 2e-5         # peak
    warmup: int = 0                     # updates until the peak, linear
    min_lr_ratio: float = 0.0             # share of the peak at the end, cosine (StackLLaMA: a straight line)
    weight_decay: float = 0.001
    max_grad_norm: float = 1.0
    max_length: int = 512               # tokens of a text; of longer ones the end is read, where the response is
    centring: float = 0.0               # pull of the scores towards 0; TRL suggests 0.01
    bf16: bool = False                  # what is not quantised, and the arithmetic, in 16 bits: for GPUs
    checkpointing: bool = False         # compute activations twice, to keep few of them
    quantize: Quantization | None = None                        # of the frozen base; StackLLaMA's was in bfloat16
    lora: LoRA = field(default_factory=lambda: LoRA(rank=8, alpha=32, dropout=0.1))
    seed: int = 0

    def __post_init__(self) -> None:
        check(self)
        if not 0 <= self.centring < math.inf:
            raise ValueError(f"centring is {self.centring}; it is a weight, 0 or more, such as 0.01.")


def reward_steps(base: Path | str, comparisons: Sequence[Comparison], folder: Path | str,
                 config: RewardConfig | None = None, *, device: str | torch.device | None = None) -> Iterator[Step]:
    """Yield one `Step` per update and leave an adapter with its head in `folder`; nothing runs until you iterate.

        L = mean over pairs of  -log σ(r_chosen - r_rejected - m)  +  c · (r_chosen + r_rejected)²

    Args:
        base: a language model (it gets a new head, drawn from the seed) or a reward model, a folder or a hub id.
        comparisons: with a margin m where somebody gave one, else 0.
        folder: appears with the last step: the adapter, its file holding the head too, and the tokenizer. A run cut
            short leaves nothing and starts again from its beginning, for TRL's own checkpoints hold pickles.
        device: "cpu" or "cuda"; None = a GPU if there is one, each of several processes its own.

    Metrics: loss; pair_accuracy before the update; margin, the mean gap of a pair; score, its mean; comparisons, pairs
    learnt from so far; learning_rate, grad_norm, seconds, tokens_per_second.
    Raises: CannotTrain; ModelUnavailable; CannotQuantize; AdapterError; ValueError.
    Source: Ouyang et al. 2022, arXiv:2203.02155, Eq. 1; further terms as in `formulas.losses.ranking`.
    """
    config = config or RewardConfig()
    check_installed()
    yield from updates(lambda scratch: _trainer(base, comparisons, config, scratch, device), base, folder, _metrics)


def train_reward(base: Path | str, comparisons: Sequence[Comparison], folder: Path | str,
                 config: RewardConfig | None = None, *, device: str | torch.device | None = None) -> list[Step]:
    """Run `reward_steps` to the end."""
    return list(reward_steps(base, comparisons, folder, config, device=device))


def encoded(tokenizer: PreTrainedTokenizerBase, comparisons: Sequence[Comparison], limit: int) -> list[dict[str, Any]]:
    """Token ids of both texts of each comparison, their ends where they are too long, and the margin if any has one."""
    if len(comparisons) == 0:
        raise ValueError("there are no comparisons to learn from; give at least one.")
    prompts = [c.prompt for c in comparisons]                       # as `rewards.learned` will read them
    chosen, rejected = (encode_texts(tokenizer, closed(tokenizer, prompts, answers), limit, keep="end")
                        for answers in ([c.chosen for c in comparisons], [c.rejected for c in comparisons]))
    rows = [{"chosen_ids": a, "rejected_ids": b} for a, b in zip(chosen, rejected, strict=True)]
    if any(comparison.margin is not None for comparison in comparisons):
        rows = [{**row, "margin": float(c.margin or 0.0)} for row, c in zip(rows, comparisons, strict=True)]
    return rows


def padding_for(tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, Any]]) -> int:
    """An id to pad with that ends no text.

    transformers looks for a text's last token from the right, as the first that is no padding. Where padding is EOS
    (GPT-2, Qwen) it would read the score one token early, and not where the kit's reward model reads it.
    """
    last = {row[name][-1] for row in rows for name in ("chosen_ids", "rejected_ids")}
    usual = pad_id(tokenizer)
    return usual if usual not in last else next(i for i in range(len(tokenizer)) if i not in last)


def _trainer(base: Path | str, comparisons: Sequence[Comparison], config: RewardConfig,
             scratch: str, device: str | torch.device | None) -> tuple[Any, PreTrainedTokenizerBase]:
    from datasets import Dataset
    from trl import RewardConfig as TheirConfig
    from trl import RewardTrainer
    args = TheirConfig(**arguments(config, scratch, device), max_length=None, disable_dropout=False,
                       center_rewards_coefficient=config.centring or None)
    loaded = load_reward_model(base, new_head=True, seed=config.seed, quantize=config.quantize, device=args.device,
                               dtype=torch.bfloat16 if config.bf16 else torch.float32)
    check_targets(loaded.model, config.lora)
    rows = encoded(loaded.tokenizer, comparisons, min(config.max_length, loaded.context))
    lengths = [max(len(row["chosen_ids"]), len(row["rejected_ids"])) for row in rows]
    data = in_order(Dataset.from_list(rows), lengths, config, args)
    loaded.model.config.use_cache = False
    trainer = bridged(RewardTrainer, config)(
        loaded.model, args=args, train_dataset=data, peft_config=config.lora.settings("SEQ_CLS"),
        processing_class=padded_with(loaded.tokenizer, padding_for(loaded.tokenizer, rows)))
    ready(trainer)
    return trainer, loaded.tokenizer


def _metrics(logs: dict[str, float], rows: int) -> dict[str, float]:
    return {"pair_accuracy": logs["accuracy"], "margin": logs["margin"], "score": logs["mean_reward"],
            "comparisons": rows}
