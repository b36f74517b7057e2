"""Which examples a step sees: a pure function of the seed and the step's number, so a resumed run draws the same."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import torch

LARGEST = 1_000_000                 # examples in a batch; nobody means more


def check_settings(batch_size: int, seed: int, learning_rate: float, *, warmup: int = 0, min_lr_ratio: float = 1.0,
                   weight_decay: float = 0.0, max_grad_norm: float = 1.0) -> None:
    """What every method's `Config` asks of these, as far as it has them. Raises: ValueError, one line."""
    if not 1 <= batch_size <= LARGEST:
        raise ValueError(f"batch_size is {batch_size}; it must be at least 1 and at most {LARGEST:,}.")
    if not 0 <= seed < 2**63:
        raise ValueError(f"seed is {seed}; it must be at least 0 and below 2**63, such as 0 or 1.")
    if not 0 < learning_rate <= 1:
        raise ValueError(f"learning_rate is {learning_rate}; it must be above 0 and at most 1, such as 1e-3 for a "
                         f"tiny model or 1e-5 for a large one.")
    if warmup < 0:
        raise ValueError(f"warmup is {warmup}; it counts updates and must not be negative.")
    if not 0 <= min_lr_ratio <= 1:
        raise ValueError(f"min_lr_ratio is {min_lr_ratio}; it lies between 0 and 1.")
    if not 0 <= weight_decay < math.inf:
        raise ValueError(f"weight_decay is {weight_decay}; it must be finite and not negative, such as 0.01.")
    if not max_grad_norm > 0:                           # at 0 nothing is learnt, below it the loss is climbed
        raise ValueError(f"max_grad_norm is {max_grad_norm}; it must be above 0, or math.inf to leave gradients as "
                         f"they are.")


def seed_for(*parts: int | str) -> int:
    """One seed out of several, such as (run seed, "rollout", step): far apart for close inputs, 63 bits."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


@contextmanager
def seeded(device: torch.device, *parts: int | str) -> Iterator[None]:
    """Draw (dropout, say) from `seed_for(*parts)` inside, and leave the caller's random numbers as they were."""
    with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
        torch.manual_seed(seed_for(*parts))
        yield


def draw(size: int, batch_size: int, seed: int, number: int) -> list[int]:
    """Indices of batch `number` of an endless stream: every example once an epoch, each epoch in a new order."""
    start, indices = number * batch_size, []
    while len(indices) < batch_size:
        epoch, offset = divmod(start + len(indices), size)
        indices += _order(size, seed_for(seed, "epoch", epoch))[offset:offset + batch_size - len(indices)]
    return indices


def draw_by_length(lengths: Sequence[int], batch_size: int, seed: int, number: int, pool: int = 16) -> list[int]:
    """The same stream, `pool` batches at a time sorted by length, so that little is spent on padding.

    No example is in a batch twice, unless a batch is larger than all there are: not where the pool holds the end of an
    epoch and the beginning of the next either, though two copies are as long as each other.
    """
    size = len(lengths)
    pool = max(min(pool, size // batch_size), 1)
    group, place = divmod(number, pool)
    if pool == 1 and batch_size <= size:
        return sorted(_draw_apart(size, batch_size, seed, number), key=lambda i: lengths[i])
    together = [i for k in range(pool) for i in draw(size, batch_size, seed, group * pool + k)]
    together.sort(key=lambda i: lengths[i])
    batch = _order(pool, seed_for(seed, "pool", group))[place]
    if pool > 1 and len(set(together)) < len(together):
        return _apart(together, pool, batch_size)[batch]
    return together[batch * batch_size:(batch + 1) * batch_size]


def _apart(sorted_: Sequence[int], pool: int, batch_size: int) -> list[list[int]]:
    """Cut a sorted pool into batches; a copy of what a batch holds goes to the next one instead."""
    batches: list[list[int]] = [[] for _ in range(pool)]
    for i in sorted_:
        room = [batch for batch in batches if len(batch) < batch_size]
        target = next((batch for batch in room if i not in batch), None)
        if target is None:                              # the last one has it already: an earlier one takes it
            target = room[0]
            other = next(batch for batch in reversed(batches) if i not in batch)
            place = next(k for k in reversed(range(batch_size)) if other[k] not in target)
            other[place], i = i, other[place]
        target.append(i)
    return batches


def _draw_apart(size: int, batch_size: int, seed: int, number: int) -> list[int]:
    """`draw`, for batches of more than half of all examples, without a copy where one epoch meets the next."""
    epoch, offset = divmod(number * batch_size, size)
    batch = list(_order_apart(size, batch_size, seed, epoch)[offset:offset + batch_size])
    if len(batch) < batch_size:
        batch += _order_apart(size, batch_size, seed, epoch + 1)[:batch_size - len(batch)]
    return batch


def _order_apart(size: int, batch_size: int, seed: int, epoch: int) -> tuple[int, ...]:
    """The order of an epoch; what it shares with the end of the one before, in one batch, changes places with a later
    example. Each depends on the one before, so it is counted up from the last one asked for."""
    key = (size, batch_size, seed)
    done, order = _LAST.get(key, (-1, ()))
    if done > epoch:
        done, order = -1, ()
    while done < epoch:
        done += 1
        before = done * size % batch_size               # of the batch in which the epochs meet
        end = set(order[size - before:]) if before else set()
        order = list(_order(size, seed_for(seed, "epoch", done)))
        later = batch_size - before
        for place in range(batch_size - before) if end else ():
            if order[place] in end:
                later = next(k for k in range(later, size) if order[k] not in end)
                order[place], order[later] = order[later], order[place]
        order = tuple(order)
    _LAST.clear()
    _LAST[key] = done, order
    return order


_LAST: dict[tuple[int, int, int], tuple[int, tuple[int, ...]]] = {}


def minibatches(size: int, minibatch_size: int | None, epochs: int, seed: int) -> Iterator[torch.Tensor]:
    """Rows of one batch, reshuffled every epoch, `minibatch_size` at a time (None = all at once)."""
    for epoch in range(epochs):
        rows = torch.tensor(_order(size, seed_for(seed, epoch)))
        yield from rows.split(minibatch_size or size)


@lru_cache(maxsize=8)                    # one epoch's order serves all its batches
def _order(size: int, seed: int) -> tuple[int, ...]:
    return tuple(torch.randperm(size, generator=torch.Generator().manual_seed(seed)).tolist())
