"""How an answer is asked: one call on copies of the arguments, and what came of it: values, types, gradients, changes.

Holds no reference and imports nothing of the kit: the grader loads it by its path, in a process that must know neither.
"""

from __future__ import annotations

import copy
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One call of the answer: its arguments, and in which of them the result is differentiated."""

    arguments: tuple[Any, ...]              # tensors, numbers, lists of numbers
    about: str = ""                         # what is special about it, in a few words
    gradient: tuple[int, ...] = ()          # places of tensors that the answer must be differentiable in
    zh: str = ""                            # `about`, in Chinese


@dataclass(frozen=True)
class Outcome:
    """What came of one case: the answer's values and gradients, or what it died of."""

    values: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor | None, ...] = ()
    error: str = ""                         # one line: "ZeroDivisionError: division by zero ← 2 | return 1 / 0"
    untouched: bool = False                 # it still raises NotImplementedError
    changed: tuple[int, ...] = ()           # places of the arguments that it wrote into
    kinds: tuple[str, ...] = ()             # see `_taken_apart`


def ask(answer: Function, case: Case) -> Outcome:
    """Call the answer on copies of the arguments, and differentiate where the case wants it."""
    arguments = [_copy(argument, i in case.gradient) for i, argument in enumerate(case.arguments)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")                 # of torch, about what the questions are made of
            values, kinds = _taken_apart(answer(*arguments))
            total = sum(v.double().sum() for v in values if v.is_floating_point()) if case.gradient else None
            if isinstance(total, Tensor) and total.requires_grad:
                total.backward()
        changed = tuple(i for i, (a, b) in enumerate(zip(case.arguments, arguments, strict=True))
                        if not _same(a, b) or (i in case.gradient and not b.requires_grad))
    except NotImplementedError as error:
        if "not implemented for" not in str(error):         # torch says this of a type that it cannot compute with
            return Outcome(untouched=True)
        return Outcome(error=_one_line(error))
    except (Exception, SystemExit) as error:                # a learner's function may raise anything
        return Outcome(error=_one_line(error))
    return Outcome(tuple(v.detach().cpu() for v in values), tuple(arguments[i].grad for i in case.gradient),
                   changed=changed, kinds=tuple(kinds))


def _copy(argument: Any, differentiate: bool) -> Any:
    if isinstance(argument, Tensor):
        return argument.clone().requires_grad_(differentiate)
    return copy.deepcopy(argument)


def _same(before: Any, after: Any) -> bool:
    """True if not a bit has changed; NaN is itself."""
    if not isinstance(before, Tensor):
        return before == after
    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
    before, after = before.detach(), after.detach()
    return before.dtype == after.dtype and torch.equal(before.view(bits[before.element_size()]),
                                                       after.view(bits[after.element_size()]))


def _taken_apart(returned: Any) -> tuple[list[Tensor], list[str]]:
    """What was returned as tensors, and what each was: "tensor", "bool", "int", "float", "list" or "array".

    The parts of a tuple follow the kind "tuple", those of a list of tensors the kind "list of tensors". A thing that is
    no result has no tensor, and the name of its type for a kind.
    """
    if isinstance(returned, np.generic) or (isinstance(returned, np.ndarray) and not returned.ndim):
        returned = returned.item()
    if isinstance(returned, Tensor) and _plain(returned):
        return [returned], ["tensor"]
    if isinstance(returned, bool | int | float):
        return [_number(returned)], [type(returned).__name__ if type(returned) in (bool, int) else "float"]
    if isinstance(returned, tuple) or (isinstance(returned, list) and any(isinstance(p, Tensor) for p in returned)):
        parts = [_taken_apart(part) for part in returned]
        return ([value for values, _ in parts for value in values],
                ["tuple" if isinstance(returned, tuple) else "list of tensors", *(k for _, ks in parts for k in ks)])
    if isinstance(returned, list | np.ndarray):
        try:
            return [torch.tensor(returned)], ["list" if isinstance(returned, list) else "array"]
        except (TypeError, ValueError, RuntimeError):       # of unequal lengths, or of other things than numbers
            return [], ["list" if isinstance(returned, list) else "array"]
    return [], [type(returned).__name__]


def _plain(tensor: Tensor) -> bool:
    """A tensor that numbers can be read from one by one."""
    return tensor.layout == torch.strided and not tensor.is_quantized and not tensor.is_complex() and not tensor.is_meta


def _number(x: float) -> Tensor:
    try:
        return torch.tensor(x) if isinstance(x, bool | int) else torch.tensor(x, dtype=torch.float64)
    except (OverflowError, RuntimeError):                   # an integer that no tensor can hold
        return torch.tensor(float(x), dtype=torch.float64)


def _one_line(error: BaseException) -> str:
    """The error with the line of the answer in which it happened."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    where = f" ← {frames[-1].lineno} | {frames[-1].line}" if frames and frames[-1].line else ""
    return " ".join(f"{type(error).__name__}: {error}"[:250 - min(len(where), 120)].split()) + where[:120]
