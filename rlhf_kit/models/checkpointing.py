"""Activation checkpointing that asks nothing of the mode: a block keeps its input and computes the rest anew.

    memory of L blocks:  L · everything  ->  L · one input + one · everything          time: one more forward pass

transformers' own switch works in `train()` only; PPO learns in `eval()`, so that dropout is off and the first ratio 1.

Source: Chen et al. 2016, arXiv:1604.06174.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint
from transformers.cache_utils import Cache
from transformers.modeling_layers import GradientCheckpointingLayer


@contextmanager
def checkpointed(models: Iterable[nn.Module], on: bool = True) -> Iterator[None]:
    """Inside, the blocks of these models keep nothing but their inputs for the backward pass, which may come later.

    Dropout, adapters, 8-bit layers and autocast are when a block is computed anew as they were the first time. With a
    cache of keys and values, or without gradients, nothing changes.

    Raises: ValueError for a model whose blocks transformers does not mark.
    """
    blocks = [block for model in models for block in _blocks(model)] if on and torch.is_grad_enabled() else []
    hung_in = {block: block.__dict__.get("forward") for block in blocks}      # by a library, such as accelerate
    try:
        for block in blocks:
            block.forward = _Anew(block.forward)
        yield
    finally:
        for block, forward in hung_in.items():
            del block.forward
            if forward is not None:
                block.forward = forward


class _Anew:
    """A block's forward, to be computed a second time when its gradient is asked for."""

    def __init__(self, forward: Any) -> None:
        self.forward = forward

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        if any(isinstance(given, Cache) for given in (*arguments, *options.values())):       # it would grow twice
            return self.forward(*arguments, **options)
        return checkpoint(self.forward, *arguments, use_reentrant=False, **options)


def _blocks(model: nn.Module) -> list[nn.Module]:
    found = [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
    if not found:
        raise ValueError(f"{type(model).__name__} has no blocks that transformers can checkpoint; leave "
                         f"activation_checkpointing out, and make tokens_per_pass smaller where memory is short.")
    return found
