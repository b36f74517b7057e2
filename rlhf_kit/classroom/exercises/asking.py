"""How an answer is asked: one call on copies of the arguments, and what came of it, values and gradients.

Holds no reference and imports nothing of the kit: the grader loads it by its path, in a process that must know neither.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Function = Callable[..., Any]


@dataclass(frozen=True)
class Case:
    """One call of the answer: its arguments, and in which of them the result is differentiated."""

    arguments: tuple[Any, ...]              # tensors, numbers, lists of numbers
    about: str = ""                         # what is special about it, in a few words
    gradient: tuple[int, ...] = ()          # places of tensors that the answer must be differentiable in


@dataclass(frozen=True)
class Outcome:
    """What came of one case: the answer's values and gradients, or what it died of."""

    values: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor | None, ...] = ()
    error: str = ""                         # one line
    untouched: bool = False                 # it still raises NotImplementedError


def ask(answer: Function, case: Case) -> Outcome:
    """Call the answer on copies of the arguments, and differentiate where the case wants it."""
    arguments = [_copy(argument, i in case.gradient) for i, argument in enumerate(case.arguments)]
    try:
        returned = answer(*arguments)
        values = _tensors(returned)
        total = sum(v.double().sum() for v in values if v.is_floating_point()) if case.gradient else None
        if isinstance(total, Tensor) and total.requires_grad:
            total.backward()
    except NotImplementedError:
        return Outcome(untouched=True)
    except Exception as error:                              # a learner's function may raise anything
        return Outcome(error=_one_line(error))
    return Outcome(tuple(v.detach() for v in values), tuple(arguments[i].grad for i in case.gradient))


def _copy(argument: Any, differentiate: bool) -> Any:
    if isinstance(argument, Tensor):
        return argument.clone().requires_grad_(differentiate)
    return list(argument) if isinstance(argument, list) else argument


def _tensors(returned: Any) -> list[Tensor]:
    """What was returned as tensors: one, or those of a tuple. Raises: TypeError for anything else."""
    if isinstance(returned, tuple):
        return [t for part in returned for t in _tensors(part)]
    if isinstance(returned, Tensor):
        return [returned]
    if isinstance(returned, bool | int | float):
        return [torch.tensor(returned, dtype=torch.float64)]
    if isinstance(returned, list):
        return [torch.tensor(returned, dtype=torch.float64)]
    raise TypeError(f"it returned {type(returned).__name__}; expected a tensor or a number. Is there a return?")


def _one_line(error: BaseException) -> str:
    """The error with the line of the answer in which it happened."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != __file__]
    where = f" (line {frames[-1].lineno}: {frames[-1].line})" if frames and frames[-1].line else ""
    return " ".join(f"{type(error).__name__}: {error}{where}".split())[:300]
