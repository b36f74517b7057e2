"""What an exercise is, and whether an answer is right: values, gradients, shapes, and the mistake it looks like."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
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
class Mistake:
    """A wrong answer that people give, and what to tell them."""

    wrong: Function
    en: str
    zh: str


@dataclass(frozen=True)
class Exercise:
    """One function to write.

    `cases(seed)` gives inputs by hand and at random; another seed, other random ones. `worked` is the example that
    stands in the text. The answer must agree with `reference` on every case, to `tolerance`.
    """

    number: str                             # "1.4"
    name: str                               # of the function
    names: tuple[str, ...]                  # of its arguments
    reference: Function
    worked: Case
    cases: Callable[[int], Sequence[Case]]
    mistakes: tuple[Mistake, ...]
    points: int = 1
    tolerance: float = 1e-5

    def all_cases(self, seed: int) -> list[Case]:
        """The example of the text first: the simplest thing that can go wrong."""
        return [self.worked, *self.cases(seed)]


@dataclass(frozen=True)
class Outcome:
    """What came of one case: the answer's values and gradients, or what it died of."""

    values: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor | None, ...] = ()
    error: str = ""                         # one line
    untouched: bool = False                 # it still raises NotImplementedError


@dataclass(frozen=True)
class Verdict:
    """Right, not attempted, or wrong with what there is to say about it."""

    exercise: Exercise
    status: str                             # "right", "wrong", "crash", "not attempted"
    case: Case | None = None
    yours: str = ""
    expected: str = ""
    mistake: Mistake | None = None
    symptom: str = ""                       # key of a sentence, where no known mistake fits
    values: dict[str, Any] = field(default_factory=dict)       # its fields

    @property
    def right(self) -> bool:
        return self.status == "right"


def judge(exercise: Exercise, answer: Function, seed: int = 0) -> Verdict:
    """Ask the answer about every case and compare it with the reference."""
    cases = exercise.all_cases(seed)
    return compare(exercise, cases, [ask(answer, case) for case in cases])


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


def compare(exercise: Exercise, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Verdict:
    """The verdict over outcomes that may come from another process."""
    if any(outcome.untouched for outcome in outcomes):
        return Verdict(exercise, "not attempted")
    expected = [ask(exercise.reference, case) for case in cases]
    for case, ours, theirs in zip(cases, expected, outcomes, strict=True):
        if theirs.error:
            return Verdict(exercise, "crash", case, yours=theirs.error, expected=_shown(ours.values))
        if not _agree(ours, theirs, exercise.tolerance):
            symptom, values = _symptom(ours, theirs, exercise.tolerance)
            return Verdict(exercise, "wrong", case, _shown(theirs.values), _shown(ours.values),
                           _likely(exercise, cases, outcomes), symptom, values)
    return Verdict(exercise, "right")


def _likely(exercise: Exercise, cases: Sequence[Case], outcomes: Sequence[Outcome]) -> Mistake | None:
    """The known mistake that gives the same on every case."""
    for mistake in exercise.mistakes:
        if all(_agree(ask(mistake.wrong, case), outcome, exercise.tolerance)
               for case, outcome in zip(cases, outcomes, strict=True)):
            return mistake
    return None


def _agree(a: Outcome, b: Outcome, tolerance: float) -> bool:
    if a.error or b.error or len(a.values) != len(b.values):
        return False
    pairs = [*zip(a.values, b.values, strict=True), *zip(map(_zero, a.gradients), map(_zero, b.gradients), strict=True)]
    return all(_close(x, y, tolerance) for x, y in pairs)


def _close(x: Tensor, y: Tensor, tolerance: float) -> bool:
    if x.shape != y.shape:
        return False if x.numel() and y.numel() and min(x.dim(), y.dim()) else x.numel() == y.numel() == 0
    return torch.allclose(x.double(), y.double(), rtol=tolerance, atol=tolerance, equal_nan=True)


def _zero(gradient: Tensor | None) -> Tensor:
    return torch.zeros(()) if gradient is None or not gradient.any() else gradient     # no gradient is a gradient of 0


def _symptom(ours: Outcome, theirs: Outcome, tolerance: float) -> tuple[str, dict[str, Any]]:
    """What can be said of a wrong answer that is no known mistake: a sentence's key and its fields."""
    if len(ours.values) != len(theirs.values):
        return "check_count", {"n": len(theirs.values), "expected": len(ours.values)}
    for x, y in zip(ours.values, theirs.values, strict=True):
        if x.shape != y.shape:
            return "check_shape", {"shape": tuple(y.shape), "expected": tuple(x.shape)}
        if not torch.isfinite(y.double()).all() and torch.isfinite(x.double()).all():
            return "check_not_finite", {}
        if not _close(x, y, tolerance):
            return _relation(x.double(), y.double(), tolerance)
    touched = [(_zero(x), _zero(y)) for x, y in zip(ours.gradients, theirs.gradients, strict=True)]
    for x, y in touched:
        if x.dim() and not y.dim():
            return "check_no_gradient", {}
        if y.dim() and not x.dim():
            return "check_extra_gradient", {}
    return "check_gradient", {}


def _relation(x: Tensor, y: Tensor, tolerance: float) -> tuple[str, dict[str, Any]]:
    if _close(x, -y, tolerance):
        return "check_sign", {}
    marked = x.abs() > 1e-8
    if marked.any() and bool((y[~marked].abs() < 1e-8).all()):
        ratio = y[marked] / x[marked]
        if float(ratio.max() - ratio.min()) < 1e-3 * abs(float(ratio.mean())):
            return "check_factor", {"factor": f"{float(ratio.mean()):.4g}"}
    return "", {}


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


def show(value: Any) -> str:
    """A value as a person reads it: tensors as nested lists with four digits, long ones cut."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, float):
        return f"{value:.4f}".rstrip("0").rstrip(".") if math.isfinite(value) and abs(value) < 1e6 else f"{value:g}"
    if isinstance(value, list | tuple):
        inner = ", ".join(map(show, value[:8])) + (", …" if len(value) > 8 else "")
        return f"[{inner}]"
    return str(value)


def _shown(values: Sequence[Tensor]) -> str:
    return ", ".join(map(show, values))
