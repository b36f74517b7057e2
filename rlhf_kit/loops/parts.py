"""A batch in parts that fit into memory: their gradients add up to the batch's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from torch import Tensor

Item = TypeVar("Item")


def in_parts(batch: Sequence[Item], size: int | None, weights: Sequence[float] | None = None
             ) -> Iterator[tuple[Sequence[Item], float]]:
    """The batch, `size` items at a time, and what each part's mean loss counts.

        ∇ (mean over the batch) = Σ over parts of w · ∇ (mean over the part),   w = its share of the weights

    Args:
        size: items in a part; None = the whole batch at once.
        weights: of each item, such as the tokens that count in it; None = all alike.
    """
    if size is None or size >= len(batch):
        yield batch, 1.0
        return
    weights = [1.0] * len(batch) if weights is None else weights
    for start in range(0, len(batch), size):
        share = sum(weights[start:start + size]) / sum(weights)
        if share:
            yield batch[start:start + size], share


def add_gradients(loss: Tensor, share: float) -> Tensor:
    """Take the gradients of a part's loss, which counts that share; returns what it adds to the batch's loss."""
    counted = loss if share == 1.0 else share * loss
    counted.backward()
    return counted.detach()


def check_parts(micro_batch: int | None, more_steps: int, autocast: str | None) -> None:
    """What the methods' configs ask of how a batch is computed. Raises: ValueError, one line."""
    if micro_batch is not None and micro_batch < 1:
        raise ValueError(f"micro_batch is {micro_batch}; it must be at least 1, or None for a whole batch at once.")
    _check(more_steps, autocast)


def check_passes(tokens_per_pass: int | None, more_steps: int, autocast: str | None) -> None:
    """The same of methods that count a batch's tokens and not its texts."""
    if tokens_per_pass is not None and tokens_per_pass < 1:
        raise ValueError(f"tokens_per_pass is {tokens_per_pass}; it must be at least 1, or None for a whole minibatch "
                         f"at a time.")
    _check(more_steps, autocast)


def _check(more_steps: int, autocast: str | None) -> None:
    if more_steps < 0:
        raise ValueError(f"more_steps is {more_steps}; it must not be negative.")
    if autocast not in (None, "bfloat16"):
        raise ValueError(f"autocast is {autocast!r}; it is 'bfloat16' or None.")
