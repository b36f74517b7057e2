"""What an exercise is, and whether an answer is right: values, gradients, shapes, and the mistake it looks like."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.asking import Case, Function, Outcome, ask

__all__ = ["Case", "Exercise", "Function", "Mistake", "Outcome", "Verdict", "ask", "compare", "judge", "show"]


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
    """The known mistake that gives the same on every case; then one that does so wherever it gives numbers.

    The second chance is for answers that make the mistake and are written so that -inf in the padding stays away.
    """
    pairs = [(mistake, [(ask(mistake.wrong, case), outcome) for case, outcome in zip(cases, outcomes, strict=True)])
             for mistake in exercise.mistakes]
    for same in (lambda a, b: _agree(a, b, exercise.tolerance),
                 lambda a, b: not _finite(a) or _agree(a, b, exercise.tolerance)):
        for mistake, both in pairs:
            if all(same(a, b) for a, b in both):
                return mistake
    return None


def _finite(outcome: Outcome) -> bool:
    return all(torch.isfinite(v.double()).all() for v in outcome.values)


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
