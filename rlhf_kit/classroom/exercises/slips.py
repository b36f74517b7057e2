"""Slips that can be made in any exercise, as wrong answers: a number that is written in, a 0 taken for nothing, ...

They are made from the reference, so nobody has to write them down for each exercise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.asking import Case, Function

PLACES = ("check_place_padding", "check_place_rows", "check_place_last_column", "check_place_first_column",
          "check_place_last_field", "check_place_first_field")


def slips(reference: Function, names: Sequence[str], worked: Case) -> Iterator[tuple[Function, str, dict[str, Any]]]:
    """Each as (the wrong answer, the key of its sentence, the sentence's fields).

    Args:
        reference, names, worked: of the exercise: the right answer, its arguments' names, the example of the text.
    """
    for at, (name, example) in enumerate(zip(names, worked.arguments, strict=True)):
        for change, key in _of_argument(example):
            shown = f"{example:g}" if isinstance(example, float) else str(example)
            yield _with(reference, at, change), key, {"name": name, "value": shown}
    plain = {at: example for at, example in enumerate(worked.arguments) if type(example) in (int, float)}
    if len(plain) > 1:
        yield (lambda *arguments: reference(*(plain.get(i, x) for i, x in enumerate(arguments))),
               "check_slip_examples", {"names": ", ".join(f"`{names[at]}`" for at in plain)})
    for change, key in _of_result():
        yield _then(reference, change), key, {}


def _of_argument(example: Any) -> Iterator[tuple[Callable[[Any], Any], str]]:
    """What is done to an argument that looks like the example's, before anything is computed."""
    if isinstance(example, int | float) and not isinstance(example, bool):
        yield lambda x: example, "check_slip_example"
        yield lambda x: x or example, "check_slip_zero"
        yield abs, "check_slip_abs"
        yield lambda x: max(x, 0), "check_slip_negative"
        yield int, "check_slip_whole"
    elif isinstance(example, Tensor) and example.is_floating_point():
        yield torch.abs, "check_slip_abs"
        yield lambda x: x.clamp(min=0), "check_slip_negative"
        yield torch.trunc, "check_slip_whole"
        yield torch.round, "check_slip_whole"
    elif isinstance(example, Tensor) and example.dtype == torch.bool:
        yield torch.ones_like, "check_slip_unused"
        yield torch.logical_not, "check_slip_inverted"
    elif isinstance(example, Tensor | list):
        yield lambda x: x[:1].expand_as(x) if isinstance(x, Tensor) else x[:1] * len(x), "check_slip_first"


def _of_result() -> Iterator[tuple[Callable[[Tensor], Tensor], str]]:
    """What is done to a right result."""
    yield lambda y: y.flip(-1) if y.dim() else y, "check_slip_reversed"
    yield lambda y: y.flip(0) if y.dim() else y, "check_slip_reversed"
    for digits in range(9):
        yield lambda y, digits=digits: y.round(decimals=digits) if y.is_floating_point() else y, "check_slip_rounded"
    for cut in (torch.floor, torch.ceil, torch.trunc):
        yield lambda y, cut=cut: cut(y) if y.is_floating_point() else y, "check_slip_rounded"
    yield lambda y: y.abs() if y.dtype != torch.bool else y, "check_slip_result_abs"
    yield lambda y: y.clamp(min=0) if y.dtype != torch.bool else y, "check_slip_result_negative"
    yield lambda y: ~y if y.dtype == torch.bool else y, "check_slip_opposite"


def _with(reference: Function, at: int, change: Callable[[Any], Any]) -> Function:
    return lambda *arguments: reference(*(change(x) if i == at else x for i, x in enumerate(arguments)))


def _then(reference: Function, change: Callable[[Tensor], Tensor]) -> Function:
    def wrong(*arguments: Any) -> Any:
        returned = reference(*arguments)
        if isinstance(returned, tuple):
            return tuple(change(part) for part in returned)
        return change(returned if isinstance(returned, Tensor) else torch.tensor(returned, dtype=torch.float64))
    return wrong


def place_of_error(case: Case, expected: Tensor, wrong: Tensor) -> set[str]:
    """Keys of the sentences that hold in this case about *where* `wrong` marks a result of several rows."""
    if not wrong.any() or expected.dim() < 1 or (len(expected) < 2 and expected.dim() < 2):
        return set()
    where = wrong.nonzero()                                             # [N, dimensions]
    found = set()
    masks = [a for a in case.arguments if isinstance(a, Tensor) and a.dtype == torch.bool and a.shape == wrong.shape]
    if masks and wrong.dim() > 1 and not (wrong & masks[0]).any():
        found.add("check_place_padding")
    batched = any(isinstance(a, Tensor) and a.dim() > 1 and len(a) == len(expected) for a in case.arguments)
    if batched and expected.dim() > 1 and len(expected) > 1 and not (where[:, 0] == 0).any():
        found.add("check_place_rows")
    steps = any(isinstance(a, Tensor) and a.dim() > 1 and a.shape[-1] == expected.shape[-1] for a in case.arguments)
    kind = "column" if steps else "field"                               # a place in a row, or one thing of several
    if expected.dim() > 1 and (where[:, -1] == expected.shape[-1] - 1).all():
        found.add(f"check_place_last_{kind}")
    if expected.dim() > 1 and (where[:, -1] == 0).all():
        found.add(f"check_place_first_{kind}")
    return found
