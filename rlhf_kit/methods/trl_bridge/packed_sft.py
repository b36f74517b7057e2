"""Supervised fine-tuning of an adapter with TRL's SFTTrainer: short texts packed together, none sees its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import PreTrainedTokenizerBase

from rlhf_kit.formulas.records import Step
from rlhf_kit.formulas.spelling import spelled
from rlhf_kit.loops.batches import draw
from rlhf_kit.methods.trl_bridge.running import (
    CannotTrain,
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
from rlhf_kit.models.heads import positions_of
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.quantization import Quantization, is_quantized, one_kernel
from rlhf_kit.models.text import pad_id, prompt_rows, response_rows

Packing = Literal["bfd", "bfd_split", "wrapped"]
PACKINGS: tuple[Packing, ...] = ("bfd", "bfd_split", "wrapped")
IGNORED = -100                          # a label that does not count
AT_ONCE = 10_000                        # examples that are Python numbers at one time


@spelled
@dataclass(frozen=True, kw_only=True)
class SftConfig:
    """Settings of one run; the defaults are StackLLaMA's (Hugging Face, 2023) where it names one."""

    steps: int | None = 5000            # optimizer updates
    epochs: float | None = None         # instead of steps: passes over the rows
    batch_size: int = 4                 # rows per process and forward pass; packed, the pass is one long row of all
    gradient_accumulation: int = 1      # forward passes per update
    learning_rate: float = 1e-5         # peak; its script's own default is 1e-4
    warmup: int = 100                   # updates until the peak, linear
    min_lr_ratio: float = 0.0             # share of the peak at the end, cosine
    weight_decay: float = 0.05
    max_grad_norm: float = 1.0
    max_length: int = 1024              # tokens of a row; texts that are longer are cut. On a CPU a packed pass of
                                        # batch_size · max_length above 512 costs its square
    packing: Packing | None = "bfd"     # texts that share a row; StackLLaMA's was "wrapped"; None = one text, padded
    response_only: bool = True          # the loss counts the response alone; StackLLaMA's counted all
    bf16: bool = False                  # what is not quantised, and the arithmetic, in 16 bits: for GPUs
    checkpointing: bool = False         # compute activations twice, to keep few of them
    quantize: Quantization | None = "int8"                      # of the frozen base
    lora: LoRA = field(default_factory=lambda: LoRA(rank=16, alpha=32, dropout=0.05))
    seed: int = 0

    def __post_init__(self) -> None:
        check(self)
        if self.packing not in (None, *PACKINGS):
            raise ValueError(f"packing is {self.packing!r}; expected {', '.join(map(repr, PACKINGS))}, or None.")


def sft_steps(base: Path | str, examples: Sequence[tuple[str, str]], folder: Path | str,
              config: SftConfig | None = None, *, device: str | torch.device | None = None) -> Iterator[Step]:
    """Yield one `Step` per update and leave an adapter in `folder`; nothing runs until you iterate.

        L = - mean over counted tokens, of all processes together, of log π(token | tokens before, of its own text)

    "bfd" packs whole texts, the longest first, each where it fits best; "bfd_split" cuts what is longer than a row and
    packs the rest too; "wrapped" is one stream of all texts cut into rows, where texts see those before them.

    Args:
        base: a causal language model, a folder or a hub id; frozen, and in 8 or 4 bits with `config.quantize`.
        examples: (prompt, response) pairs, joined as PPO will: prompt, response, end token.
        folder: appears with the last step: the adapter and the tokenizer. A run cut short leaves nothing and starts
            again from its beginning, for TRL's own checkpoints hold pickles.
        device: "cpu" or "cuda"; None = a GPU if there is one, each of several processes its own.

    Metrics: loss, entropy (nats) and token_accuracy of the counted tokens, learning_rate, grad_norm, seconds,
    tokens_per_second. Raises: CannotTrain; ModelUnavailable; CannotQuantize; AdapterError; ValueError.
    Source: Ouyang et al. 2022, arXiv:2203.02155, section 3.5; packing: TRL 1.16.
    """
    config = config or SftConfig()
    check_installed()
    yield from updates(lambda scratch: _trainer(base, examples, config, scratch, device), base, folder, _metrics)


def train_sft(base: Path | str, examples: Sequence[tuple[str, str]], folder: Path | str,
              config: SftConfig | None = None, *, device: str | torch.device | None = None) -> list[Step]:
    """Run `sft_steps` to the end."""
    return list(sft_steps(base, examples, folder, config, device=device))


def encoded(tokenizer: PreTrainedTokenizerBase, examples: Sequence[tuple[str, str]], limit: int | None,
            response_only: bool = True) -> list[dict[str, list[int]]]:
    """Token ids and labels of each pair that has something to learn within `limit` tokens (None = any number)."""
    prompts = prompt_rows(tokenizer, [prompt for prompt, _ in examples])            # as PPO will sample from them
    responses = response_rows(tokenizer, [response for _, response in examples], [prompt for prompt, _ in examples])
    rows = [{"input_ids": (prompt + response)[:limit],
             "labels": ([IGNORED] * len(prompt) + response if response_only else prompt + response)[:limit]}
            for prompt, response in zip(prompts, responses, strict=True)]
    return [row for row in rows if any(label != IGNORED for label in row["labels"][1:])]


def packed(tokenizer: PreTrainedTokenizerBase, examples: Sequence[tuple[str, str]], max_length: int,
           config: SftConfig) -> Any:
    """The examples as a data set, shuffled, in rows of up to `max_length` tokens if they are to be packed.

    TRL adds the column seq_lengths, from which its collator makes the positions that keep the texts of a row apart.
    """
    from datasets import Dataset, Features, Value, concatenate_datasets
    from trl import pack_dataset
    if len(examples) == 0:
        raise ValueError("there are no examples to learn from; give at least one (prompt, response) pair.")
    limit = None if config.packing in ("bfd_split", "wrapped") else max_length
    small = Features({"input_ids": [Value("int32")], "labels": [Value("int32")]})     # a ninth of Python's numbers
    parts = [Dataset.from_list(rows, features=small) for start in range(0, len(examples), AT_ONCE)
             if (rows := encoded(tokenizer, examples[start:start + AT_ONCE], limit, config.response_only))]
    if not parts:
        raise ValueError(f"no example has a token to predict within {limit} tokens; give shorter prompts or raise "
                         f"max_length.")
    data = concatenate_datasets(parts)
    data = data.select(draw(len(data), len(data), config.seed, 0))
    return data if config.packing is None else pack_dataset(data, max_length, config.packing)


def _trainer(base: Path | str, examples: Sequence[tuple[str, str]], config: SftConfig,
             scratch: str, device: str | torch.device | None) -> tuple[Any, PreTrainedTokenizerBase]:
    from trl import SFTConfig as TheirConfig
    from trl import SFTTrainer
    args = TheirConfig(**arguments(config, scratch, device), max_length=config.max_length,
                       packing=config.packing is not None, packing_strategy=config.packing or "bfd",
                       dataset_kwargs={"skip_prepare_dataset": True})
    model, tokenizer = load_language_model(base, quantize=config.quantize, device=args.device,
                                           dtype=torch.bfloat16 if config.bf16 else torch.float32)
    check_targets(model, config.lora)
    limit = min(config.max_length, positions_of(model.config) or config.max_length)
    data = packed(tokenizer, examples, limit, config)
    data = in_order(data, [len(ids) for ids in data["input_ids"]], config, args)
    model.config.use_cache = False                              # with a cache, transformers forgets where texts end
    trainer = bridged(SFTTrainer, config)(
        model, args=args, train_dataset=data, processing_class=padded_with(tokenizer, pad_id(tokenizer)),
        peft_config=config.lora.settings("CAUSAL_LM"))
    ready(trainer)
    if config.packing in ("bfd", "bfd_split"):
        check_apart(trainer)
    return trainer, tokenizer


@torch.no_grad()
def check_apart(trainer: Any) -> None:
    """Raises CannotTrain if what a packed text is predicted to say depends on the text packed before it.

    Asked of the model as the trainer will call it: positions that begin anew at each text, no attention mask and no
    cache. With either of these the texts of a row would see each other, without a word.
    """
    if trainer.model.config.use_cache:
        raise CannotTrain("the model's config says use_cache=True; packed texts would see each other. Set it to False.")
    row = next((row for row in trainer.train_dataset if len(row["seq_lengths"]) > 1), None)
    if row is None or trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:      # weights not whole yet
        return
    first, second = row["seq_lengths"][:2]
    before, text = row["input_ids"][:first], row["input_ids"][first:first + second]
    words = trainer.model.config.get_text_config().vocab_size
    seen = []
    one_kernel(trainer.model)
    for neighbour in (before, [(token + 1) % words for token in before]):
        batch = trainer.data_collator([{"input_ids": neighbour + text, "labels": [IGNORED] * first + text,
                                        "seq_lengths": [first, second]}])
        with trainer.compute_loss_context_manager():
            seen.append(trainer.model(**trainer._prepare_inputs(batch), use_cache=False, fused_lm_head=True).log_probs)
    moved = (seen[0] - seen[1]).abs().max().item()
    if moved > (1e-4 if trainer.model.dtype == torch.float32 and not is_quantized(trainer.model) else 0.1):
        raise CannotTrain(f"packed texts see each other in this model: another neighbour moves a log-probability by "
                          f"{moved:.2g} nats. Take packing=None, or 'wrapped' if that is what you want.")


def _metrics(logs: dict[str, float], rows: int) -> dict[str, float]:
    return {"entropy": logs["entropy"], "token_accuracy": logs["mean_token_accuracy"]}
