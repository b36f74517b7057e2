"""Dropout where a model branches off its residual stream, for as long as it learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn import functional

LAST = ("c_proj", "o_proj", "down_proj")        # the last layer of a branch, attention or MLP, as the families call it


@contextmanager
def residual_dropout(lm: nn.Module, share: float) -> Iterator[None]:
    """Inside, a share of what each attention and each MLP adds to the residual stream is dropped, in training mode.

    It comes to what the model drops itself.

    Raises: ValueError for a model whose branches end in a layer of another name.
    """
    branches = [layer for name, layer in lm.named_modules() if share and name.rpartition(".")[2] in LAST]
    if share and not branches:
        raise ValueError(f"dropout is {share}, and {type(lm).__name__} has no {', '.join(LAST)}, behind which it would "
                         f"be. Leave it at 0.")
    hooks = [layer.register_forward_hook(lambda layer, _, out: functional.dropout(out, share, layer.training))
             for layer in branches]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
