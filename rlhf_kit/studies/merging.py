"""What of an adapter survives being merged: all of it in 32 bits, of small updates little in 8 and nothing in 4.

    kept = KL(merged ‖ base) / KL(base + adapter ‖ base)

An adapter beside its base is added in full precision. Merged into whole numbers it is rounded to their grid, and what
is smaller than half a step is gone: as it is early in PPO, when the update is a hundredth of what it will be.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from transformers import PreTrainedModel

from rlhf_kit import plots
from rlhf_kit.formulas.distributions import exact_kl
from rlhf_kit.models import adapters
from rlhf_kit.models.loading import load_language_model
from rlhf_kit.models.quantization import Quantization, one_kernel
from rlhf_kit.models.text import encode_documents, pad_id, pad_right
from rlhf_kit.studies.study import Study

NAMES: dict[Quantization | None, str] = {None: "fp32", "int8": "int8", "nf4": "nf4"}
SCALES = (0.03, 0.1, 0.3, 1.0)


class Effect(NamedTuple):
    """How far an adapter moves its base, in nats per token."""

    beside: float                   # as an adapter
    merged: float                   # added into the weights

    @property
    def kept(self) -> float:
        """The share of the effect that is left; it can come out above 1, for rounding moves the base too."""
        return self.merged / self.beside


def merge_loss(base: str | Path, adapter: str | Path, texts: Sequence[str], *, scales: Sequence[float] = SCALES,
               kinds: Sequence[Quantization | None] = (None, "int8", "nf4")) -> Study:
    """Merge an adapter, made smaller and smaller, into its base held in 32, 8 and 4 bits.

    Args:
        texts: on which the KL is measured, over all their tokens.
        scales: the adapter's update counts so many times.

    Numbers: "fp32", "int8" and "nf4", each {scale: `Effect`}. Raises: CannotQuantize; AdapterError.
    """
    found = {NAMES[kind]: {scale: _effect(base, adapter, texts, scale, kind) for scale in scales} for kind in kinds}
    figure = plots.lines(list(scales), {name: [effect.kept for effect in effects.values()]
                                        for name, effects in found.items()},
                         across="size of the update", unit="share of its effect kept")
    figure.axes[0].set_xscale("log")
    return Study(found, figure)


@torch.no_grad()
def _effect(base: str | Path, adapter: str | Path, texts: Sequence[str], scale: float,
            kind: Quantization | None) -> Effect:
    lm, tokenizer = load_language_model(base, quantize=kind)
    ids, mask = pad_right(encode_documents(tokenizer, texts, 128), pad_id(tokenizer))
    alone = _logits(lm, ids, mask)
    both = adapters.beside(lm, adapter, scale)
    apart = _logits(both, ids, mask)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                 # peft warns of what is measured here
        merged = _logits(both.merge_and_unload(safe_merge=True), ids, mask)
    return Effect(*(exact_kl(moved, alone)[mask].mean().item() for moved in (apart, merged)))


def _logits(lm: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    return one_kernel(lm)(input_ids=ids, attention_mask=mask, use_cache=False).logits.float()          # [N, L, V]
