"""Texts in, class logits or scores out: how every classifier and reward model of the kit is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.models.heads import RewardModel
from rlhf_kit.models.text import Keep, encode_texts, pad_id, pad_right


@torch.no_grad()
def class_logits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *,
                 max_length: int, batch_size: int = 64, keep: Keep = "start") -> Tensor:
    """Logits of each class, [texts, classes] float32 on the CPU; of longer texts start, end or both are read."""
    read = lambda ids, mask: model(input_ids=ids, attention_mask=mask).logits                         # noqa: E731
    rows = encode_texts(tokenizer, _some(texts), max_length, keep)
    return by_length(read, rows, pad_id(tokenizer), model.device, batch_size).float().cpu()


@torch.no_grad()
def reward_scores(model: RewardModel, texts: Sequence[str], *, max_length: int, batch_size: int = 64) -> Tensor:
    """One score a text, [texts] float32 on the CPU; of longer texts the end is read."""
    rows = encode_texts(model.tokenizer, _some(texts), max_length, keep="end")
    return by_length(model, rows, pad_id(model.tokenizer), model.device, batch_size).cpu()


def _some(texts: Sequence[str]) -> Sequence[str]:
    if not texts:
        raise ValueError("there are no texts to judge; give at least one.")
    return texts


def by_length(read: Callable[[Tensor, Tensor], Tensor], rows: Sequence[Sequence[int]], padding: int,
               device: torch.device, batch_size: int) -> Tensor:
    """`read` over all rows, `batch_size` of like length at a time, as if it had been at once: little is padding."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = []
    for start in range(0, len(rows), batch_size):
        ids, mask = pad_right([rows[i] for i in order[start:start + batch_size]], padding)
        parts.append(read(ids.to(device), mask.to(device)))
    return torch.cat(parts)[torch.tensor(order, device=device).argsort()]
