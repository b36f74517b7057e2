"""What the cases in which an answer is wrong have in common, and the others have not: "wrong where `kl` is 0".

Nothing is guessed: what is said holds of the cases that were asked, whatever the answer does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.asking import Case

Condition = tuple[str, tuple[tuple[str, str], ...]]            # the key of a few words, and its fields
SMALL, LARGE = 0.05, 20.0


def in_common(cases: Sequence[Case], names: Sequence[str], wrong: set[int]) -> tuple[Condition | None, bool]:
    """What holds of all wrong cases and of as few others as can be, and whether it holds of no other.

    None if nothing tells them apart: at most one right case in six may share what is named.
    """
    holds = [dict.fromkeys(_conditions(case, names)) for case in cases]
    if not wrong or len(wrong) == len(cases):
        return None, False
    shared = [c for c in holds[min(wrong)] if all(c in holds[i] for i in wrong)]
    others = {c: sum(c in held for i, held in enumerate(holds) if i not in wrong) for c in shared}
    best = min(others, key=others.get, default=None)
    if best is None or others[best] > (len(cases) - len(wrong)) / 6:
        return None, False
    return best, not others[best]


def _conditions(case: Case, names: Sequence[str]) -> Iterator[Condition]:
    """Whatever there is to say of a case's arguments, the more telling first."""
    numbers = []
    for name, a in zip(names, case.arguments, strict=True):
        kind = (_of_truth if isinstance(a, bool) else _of_number if isinstance(a, int | float) else
                _of_list if isinstance(a, list) else _of_mask if a.dtype == torch.bool else _of_tensor)
        for key in kind(a):
            yield f"check_where_{key}", (("name", name),)
        if kind is _of_number:
            numbers.append((name, a))
    for name, a in numbers:
        for other, b in numbers:
            if a > b:
                yield "check_where_larger", (("name", name), ("other", other))
    masks = [(name, a) for name, a in zip(names, case.arguments, strict=True)
             if isinstance(a, Tensor) and a.dtype == torch.bool]
    for name, a in zip(names, case.arguments, strict=True):
        for of, mask in masks:
            if isinstance(a, Tensor) and a.is_floating_point() and a.shape == mask.shape and (a[~mask] != 0).any():
                yield "check_where_padding", (("name", name), ("other", of))


def _of_truth(a: bool) -> Iterator[str]:
    yield "true" if a else "false"


def _of_number(a: float) -> Iterator[str]:
    if a == 0:
        yield "zero"
    if a < 0:
        yield "negative"
    if 0 < abs(a) < SMALL:
        yield "small"
    yield "below_one" if a < 1 else "one" if a == 1 else "above_one"


def _of_list(a: list[Any]) -> Iterator[str]:
    if not a:
        yield "empty"
    if len(a) == 1:
        yield "single"
    if len(a) > 1:
        yield "several"
    if len(a) > 2:
        yield "three"
    if len(a) > 10:
        yield "many"
    yield from _of_entries(a, [a])
    yield from _of_order([a])


def _rows(a: Tensor) -> list[list[Any]]:
    return torch.atleast_2d(a).flatten(0, -2).tolist()


def _of_mask(a: Tensor) -> Iterator[str]:
    rows = _rows(a)
    if any(not x and y for row in rows for x, y in pairwise(row)):
        yield "gaps"
    if any(not any(row) for row in rows):
        yield "nothing_marked"
    if any(sum(row) == 1 for row in rows):
        yield "one_marked"
    yield "all_marked" if all(map(all, rows)) else "not_all_marked"
    if len({sum(row) for row in rows}) > 1:
        yield "lengths"
    if len(rows) > 1:
        yield "rows"


def _of_tensor(a: Tensor) -> Iterator[str]:
    rows = _rows(a)
    if a.is_floating_point() and not a.isfinite().all():
        yield "not_finite"
        return
    yield from _of_entries(a.flatten().tolist(), rows)
    if not a.is_floating_point():
        yield from _of_order(rows)
    if a.dim() == 2 and a.shape[0] != a.shape[1]:
        yield "not_square"
    if a.dim() and a.numel() == 1:
        yield "single"
    if a.dim() == 2 and len(rows) > 1:
        yield "rows"
    if a.dim() == 1 and a.numel() > 1:
        yield "several"


def _of_entries(a: list[Any], rows: list[list[Any]]) -> Iterator[str]:
    if any(len(row) > 1 and not any(row) for row in rows):
        yield "zero_row"
    if any(len(row) > 1 and len(set(row)) == 1 for row in rows):
        yield "all_equal"
    if any(len(set(row)) < len(row) for row in rows):
        yield "equal"
    if any(x == 0 for x in a):
        yield "holds_zero"
    if any(x < 0 for x in a):
        yield "holds_negative"
    if a and max(map(abs, a)) > LARGE:
        yield "holds_large"
    if a and 0 < max(map(abs, a)) < SMALL:
        yield "all_small"


def _of_order(rows: list[list[Any]]) -> Iterator[str]:
    if any(y - x > 1 for row in rows for x, y in pairwise(sorted(row))):
        yield "steps"
    if any(x > y for row in rows for x, y in pairwise(row)):
        yield "not_sorted"
