"""Mean, sum and variance that look only at marked tokens.

Responses have different lengths, so half of a batch may be padding. Whatever stands there, NaN and
infinity included, changes neither a result nor a gradient: positions are *replaced* with `torch.where`.
Multiplying by the mask would not do, since 0 · NaN is NaN.
"""

from __future__ import annotations

import torch
from torch import Tensor


def keep(x: Tensor, mask: Tensor) -> Tensor:
    """`x` where marked and 0 elsewhere; the gradient elsewhere is 0.

    Args:
        x: [B, T], or [B, T, ...] when every token carries a vector (logits).
        mask: True on the tokens that count, [B, T]; ones and zeros will do.

    Returns: a new tensor shaped like `x`. Raises: ValueError if the shapes do not fit.
    """
    if x.shape[:mask.dim()] != mask.shape:
        raise ValueError(f"the mask has shape {tuple(mask.shape)}, the numbers {tuple(x.shape)}; "
                         f"a mask has one entry per token, [B, T].")
    marked = mask.bool().reshape(mask.shape + (1,) * (x.dim() - mask.dim()))
    return torch.where(marked, x, torch.zeros((), dtype=x.dtype, device=x.device))


def count(mask: Tensor, least: int = 1) -> Tensor:
    """How many tokens are marked, a scalar; ValueError if fewer than `least`."""
    marked = mask.bool().sum()
    if marked < least:
        raise ValueError(f"{int(marked)} of {mask.numel()} tokens are marked, at least {least} needed; a "
                         f"mask is True on response tokens, and every response has at least its closing EOS.")
    return marked


def masked_mean(x: Tensor, mask: Tensor) -> Tensor:
    """The mean over every marked token of the batch; long responses weigh more than short ones.

    Args: x: [B, T]. mask: True on the tokens that count, [B, T].
    Returns: a scalar. Raises: ValueError if no token is marked.
    """
    return keep(x, mask).sum() / count(mask)


def masked_sum(x: Tensor, mask: Tensor) -> Tensor:
    """The sum over the marked tokens of each response.

    Args: x: [B, T]. mask: True on the tokens that count, [B, T].
    Returns: [B]; 0 for a row without marks. Raises: ValueError if no token of the batch is marked.
    """
    count(mask)
    return keep(x, mask).sum(-1)


def masked_var(x: Tensor, mask: Tensor) -> Tensor:
    """The unbiased variance over every marked token of the batch.

        s² = Σ (x - x̄)² / (n - 1)

    Args: x: [B, T]. mask: True on the tokens that count, [B, T].
    Returns: a scalar. Raises: ValueError if fewer than two tokens are marked.
    """
    marked = count(mask, least=2)
    deviation = keep(x - masked_mean(x, mask), mask)
    return deviation.square().sum() / (marked - 1)
