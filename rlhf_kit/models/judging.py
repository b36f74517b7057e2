"""Texts in, class logits out: how every classifier of the kit is asked."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from rlhf_kit.models.text import encode_texts, pad_id, pad_right


@torch.no_grad()
def class_logits(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *,
                 max_length: int, batch_size: int = 64) -> Tensor:
    """Logits of each class, [texts, classes] float32 on the CPU; texts of like length are read together."""
    if not texts:
        raise ValueError("there are no texts to judge; give at least one.")
    rows = encode_texts(tokenizer, texts, max_length)
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = []
    for start in range(0, len(rows), batch_size):
        ids, mask = pad_right([rows[i] for i in order[start:start + batch_size]], pad_id(tokenizer))
        parts.append(model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits)
    return torch.cat(parts).float().cpu()[torch.tensor(order).argsort()]
