"""What an exercise is, and whether an answer is right: values, types, gradients, changes, the mistake it looks like.

An answer is right if, on every case, its values agree with the reference's, its gradients too, it left its arguments as
they were, and what it returned can be used as the reference's result is used in the notebook's next cell:

    the reference gives          also right, as it is          also right, converted (`converted`)
    a number                     int, float, NumPy's scalars   a tensor of no dimensions
    a tensor of no dimensions    any float type                a number, where nothing is differentiated
    a tensor of floats           any float type
    a tensor of integers         int32, int64                                        (int8: any type of number)
    a tensor of booleans
    a tuple                      a list of the same tensors
    a tuple of numbers                                         a list, an array or a tensor of these numbers

Where the text itself says "a plain number" or "a tensor" (`exact`), one is not taken for the other. Everywhere, lists,
NumPy arrays, floats for booleans or for places, an empty result without its columns are wrong, and the answer is told
what to do. Conversion happens in `check`, so that the next cell never fails on an answer that was called right.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from rlhf_kit.classroom.exercises.asking import Case, Function, Outcome, ask
from rlhf_kit.classroom.exercises.cases_in_chinese import CHINESE
from rlhf_kit.classroom.exercises.conditions import in_common
from rlhf_kit.classroom.exercises.slips import PLACES, place_of_error, slips

__all__ = ["Case", "Exercise", "Function", "Mistake", "Outcome", "Verdict", "ask", "compare", "converted",
           "is_reference", "judge", "show"]

SCALARS = ("bool", "int", "float")


class Told(NamedTuple):
    """Words in both languages."""

    en: str
    zh: str


class Near(NamedTuple):
    """How near a result must be: relative to it, and absolute next to its largest number, which counts at least so."""

    relative: float
    least: float


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that people give, and what to tell them: of everything that gives the same, it must be true."""

    wrong: Function
    en: str
    zh: str
    also: tuple[Function, ...] = ()         # other ways to write it that give something else in the padding, say


@dataclass(frozen=True)
class Exercise:
    """One function to write.

    `cases(seed)` gives inputs by hand and at random; another seed, other random ones. `worked` is the example that
    stands in the text. The answer must agree with `reference` on every case, to `tolerance`. Two cases are
    asked twice: an answer that draws at random or remembers what it was asked before differs from itself.
    """

    number: str                             # "1.4"
    name: str                               # of the function
    names: tuple[str, ...]                  # of its arguments
    reference: Function
    worked: Case
    cases: Callable[[int], Sequence[Case]]
    mistakes: tuple[Mistake, ...]
    points: int = 1
    tolerance: float = 1e-5                 # relative, and absolute next to the largest number of a result
    least: float = 1.0                      # ... which counts at least so much
    results: tuple[str, ...] = ()           # names of what a tuple holds, where the text gives them names
    exact: bool = False                     # the text says whether a number or a tensor is wanted: the other is wrong

    @property
    def near(self) -> Near:
        return Near(self.tolerance, self.least)

    def all_cases(self, seed: int) -> list[Case]:
        """The example of the text first: the simplest thing that can go wrong. It and the last one come twice."""
        cases = [case if case.zh else replace(case, zh=CHINESE.get(case.about, "")) for case in self.cases(seed)]
        return [self.worked, *cases, self.worked, cases[-1]]


@dataclass(frozen=True)
class Verdict:
    """Right, not attempted, or wrong with what there is to say about it."""

    exercise: Exercise
    status: str                             # "right", "wrong", "crash" (an error, or no result), "not attempted"
    case: Case | None = None
    yours: str = ""
    expected: str = ""
    mistake: Mistake | None = None
    symptom: str = ""                       # key of a sentence, where no known mistake fits
    values: dict[str, Any] = field(default_factory=dict)       # its fields; one that begins with "check_" is a key too
    kinds: tuple[str, ...] = ()             # of what was returned, see `asking`

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
    expected = [_known(exercise.reference, case) for case in cases]
    asked = _Asked(exercise, list(cases), expected, list(map(_one_by_one, outcomes, expected)))
    for find in (_dead_or_far, _not_usable, _other_gradient, _changed):
        for place in range(len(cases)):
            if verdict := find(asked, place):
                return verdict
    return Verdict(exercise, "right", kinds=next((o.kinds for o in outcomes if o.kinds), ()))


def is_reference(answer: Any, exercise: Exercise) -> bool:
    """True for the reference itself, wrapped or given arguments beforehand."""
    for _ in range(20):
        if answer is exercise.reference:
            return True
        answer = getattr(answer, "__wrapped__", None) or getattr(answer, "func", None)
        if answer is None:
            return False
    return False


def converted(answer: Function, exercise: Exercise, verdict: Verdict) -> Function:
    """A right answer as the notebook goes on with it: numbers for numbers, tensors for tensors; see above."""
    wanted = ask(exercise.reference, exercise.worked)
    as_tuple = wanted.kinds[0] != "tuple" or isinstance(answer(*copy.deepcopy(exercise.worked.arguments)), tuple)
    if as_tuple and not any(map(_other, verdict.kinds, wanted.kinds)):
        return answer
    fields = [(kind, value.dtype) for kind, value in zip((k for k in wanted.kinds if k != "tuple"), wanted.values,
                                                         strict=True)]

    def fitted(*arguments: Any, **named: Any) -> Any:
        returned = answer(*arguments, **named)
        several = wanted.kinds[0] == "tuple"
        parts = [_converted(part, *one) for part, one in zip(returned if several else (returned,), fields, strict=True)]
        return tuple(parts) if several else parts[0]
    fitted.__wrapped__ = answer
    return fitted


# One thing after the other: values, types, gradients, what was done to the arguments

@dataclass(frozen=True)
class _Asked:
    """An answer under examination, case by case."""

    exercise: Exercise
    cases: list[Case]
    ours: list[Outcome]
    theirs: list[Outcome]

    def verdict(self, place: int, symptom: str = "", mistake: Mistake | None = None, /, **values: Any) -> Verdict:
        ours, theirs = self.ours[place], self.theirs[place]
        return Verdict(self.exercise, "wrong" if theirs.values else "crash", self.cases[place],
                       theirs.error or _shown(theirs, ours), _shown(ours, theirs), mistake,
                       "" if mistake else symptom, values, theirs.kinds)


def _one_by_one(theirs: Outcome, ours: Outcome) -> Outcome:
    """Where the text asks for several numbers, a list, an array or a tensor of as many stands for the tuple of them."""
    if ours.kinds[:1] != ("tuple",) or any(value.dim() for value in ours.values):
        return theirs
    if theirs.kinds[:1] == ("list of tensors",):
        return replace(theirs, kinds=("tuple", *theirs.kinds[1:]))
    shapes = [value.shape for value in theirs.values]       # none, where it is a list of other things than numbers
    if theirs.kinds not in (("list",), ("array",), ("tensor",)) or shapes != [(len(ours.values),)]:
        return theirs
    values, kind = tuple(theirs.values[0]), "tensor" if theirs.kinds == ("tensor",) else "float"
    return replace(theirs, values=values, kinds=("tuple", *[kind] * len(values)))


def _dead_or_far(asked: _Asked, place: int) -> Verdict | None:
    """An error, something that is no tensor or number where one is wanted, or other values."""
    ours, theirs, near = asked.ours[place], asked.theirs[place], asked.exercise.near
    if theirs.error:
        symptom, values = _of_error(theirs.error, asked, place)
        return asked.verdict(place, symptom, _likely(asked, place), **values)
    unlike = partial(_unlike, exact=asked.exercise.exact)
    if len(theirs.kinds) != len(ours.kinds) or any(unlike(*kinds) for kinds in zip(theirs.kinds, ours.kinds,
                                                                                   strict=True)):
        if mistake := _likely(asked, place):
            return asked.verdict(place, "", mistake)
        symptom, values = _of_type(asked, place, lambda its, mine: unlike(its.kind, mine.kind))
        return asked.verdict(place, symptom, **values)
    if len(theirs.values) == len(ours.values) and all(_close(x, y, near) for x, y in
                                                      zip(ours.values, theirs.values, strict=True)):
        return None
    if mistake := _likely(asked, place, values_only=True):
        return asked.verdict(place, "", mistake)
    symptom, values = _symptom(asked, place)
    return asked.verdict(place, symptom, **values)


def _not_usable(asked: _Asked, place: int) -> Verdict | None:
    """Right numbers of a type that the next cell cannot use."""
    ours, theirs = asked.ours[place], asked.theirs[place]
    kept = bool(asked.cases[place].gradient)                # a number has cut the gradient off

    def unfit(theirs: _Part, ours: _Part) -> bool:
        return (kept and ours.kind == "tensor" and theirs.kind in SCALARS) or not _fits(theirs.value, ours.value)
    if not any(map(unfit, _parts(theirs), _parts(ours))):
        return None
    symptom, values = _of_type(asked, place, unfit)
    return asked.verdict(place, symptom, **values)


def _other_gradient(asked: _Asked, place: int) -> Verdict | None:
    ours, theirs, case = asked.ours[place], asked.theirs[place], asked.cases[place]
    for at, x, y in zip(case.gradient, map(_zero, ours.gradients), map(_zero, theirs.gradients), strict=True):
        if _close(x, y, asked.exercise.near):
            continue
        symptom = ("check_no_gradient" if not y.dim() else "check_extra_gradient" if not x.dim() else
                   "check_gradient" if y.isfinite().all() else "check_gradient_nan")
        if _constant(asked, at) and y.isfinite().all():
            symptom = "check_extra_gradient"
        return asked.verdict(place, symptom, _likely(asked, place), name=asked.exercise.names[at])
    return None


def _constant(asked: _Asked, at: int) -> bool:
    """True if the reference never lets a gradient into that argument."""
    return not any(_zero(gradient).dim() for case, outcome in zip(asked.cases, asked.ours, strict=True)
                   for place, gradient in zip(case.gradient, outcome.gradients, strict=True) if place == at)


def _changed(asked: _Asked, place: int) -> Verdict | None:
    at = [i for i in asked.theirs[place].changed if 0 <= i < len(asked.exercise.names)]
    if not at:
        return None
    return asked.verdict(place, "check_changed" if isinstance(asked.cases[place].arguments[at[0]], Tensor)
                         else "check_changed_list", name=asked.exercise.names[at[0]])


# Known mistakes

class _Question:
    """A case that equals another one with the same arguments, so that what is known to come of it is asked once."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.bits = (case.gradient, *((a.dtype, a.shape, a.detach().contiguous().numpy().tobytes())
                                      if isinstance(a, Tensor) else repr(a) for a in case.arguments))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Question) and self.bits == other.bits

    def __hash__(self) -> int:
        return hash(self.bits)


@lru_cache(maxsize=2 ** 15)
def _given(known: Function, question: _Question) -> Outcome:
    """What a function of the kit gives: for a class with one seed, the same for every student."""
    return ask(known, question.case)


def _known(known: Function, case: Case) -> Outcome:
    return _given(known, _Question(case))


@lru_cache(maxsize=64)
def _slips(reference: Function, names: tuple[str, ...], worked: _Question) -> tuple:
    return tuple(slips(reference, names, worked.case))


def _likely(asked: _Asked, first: int, values_only: bool = False) -> Mistake | None:
    """The known mistake that gives the same on every case; looks at the one that went wrong first.

    With `values_only` then one that gives the same values, whatever the gradients; then one that does so on every case
    with finite arguments *and is wrong on one of them*: such an answer makes the mistake, and stumbles over -inf too.
    In the end one that does so wherever both give a finite result, if that is on most cases and wrong on several.
    """
    near, cases = asked.exercise.near, asked.cases
    order = [first, *(i for i in range(len(cases)) if i != first)]
    questions = [_Question(case) for case in cases]
    tried = [(mistake, wrong) for mistake in asked.exercise.mistakes for wrong in (mistake.wrong, *mistake.also)]

    def mine(wrong: Function, i: int) -> Outcome:
        return _given(wrong, questions[i])

    @cache
    def agrees(wrong: Function, i: int) -> bool:
        return _agree(mine(wrong, i), asked.theirs[i], near)

    def right(wrong: Function, i: int, gradients: bool = False) -> bool:
        return _agree(mine(wrong, i), asked.ours[i], near, gradients)

    def exactly(wrong: Function) -> bool:
        return all(agrees(wrong, i) and _agree(mine(wrong, i), asked.theirs[i], near, gradients=True) for i in order
                   ) and not all(right(wrong, i, gradients=True) for i in order)

    def in_values(wrong: Function) -> bool:
        return all(agrees(wrong, i) for i in order)

    @cache
    def finite() -> list[int]:
        return [i for i in order if all(a.isfinite().all() for a in cases[i].arguments if isinstance(a, Tensor))]

    def where_finite(wrong: Function) -> bool:
        return all(agrees(wrong, i) for i in finite()) and not all(right(wrong, i) for i in finite())

    @cache
    def they_go_on() -> list[int]:
        return [i for i in order if _finite(asked.theirs[i])]

    def where_both_go_on(wrong: Function) -> bool:
        both = []
        for i in they_go_on():
            if _finite(mine(wrong, i)):
                if not agrees(wrong, i):                                # where one differs no other is asked
                    return False
                both.append(i)
        return len(both) > 0.6 * len(order) and sum(not right(wrong, i) for i in both) > 2

    for same in (exactly, in_values, where_finite, where_both_go_on) if values_only else (exactly,):
        for mistake, wrong in tried:
            if same(wrong):
                return mistake
    return None


def _agree(a: Outcome, b: Outcome, near: Near, gradients: bool = False) -> bool:
    """The same values (and gradients), or the same kind of death."""
    if a.error or b.error:
        return _name(a.error) == _name(b.error)
    if len(a.values) != len(b.values) or (not a.values and a.kinds != b.kinds):
        return False
    pairs = [*zip(a.values, b.values, strict=True)]
    if gradients:
        pairs += zip(map(_zero, a.gradients), map(_zero, b.gradients), strict=True)
    return all(_close(x, y, near) for x, y in pairs)


def _finite(outcome: Outcome) -> bool:
    return not outcome.error and bool(outcome.values) and all(v.isfinite().all() for v in outcome.values)


def _name(error: str) -> str:
    return error.split(":")[0]


def _close(x: Tensor, y: Tensor, near: Near) -> bool:
    if x.shape != y.shape:
        return False
    x, y = x.double(), y.double()
    finite = x[x.isfinite()]
    size = max(near.least, float(finite.abs().max())) if finite.numel() else near.least
    return torch.allclose(x, y, rtol=near.relative, atol=near.relative * size, equal_nan=True)


def _zero(gradient: Tensor | None) -> Tensor:
    return torch.zeros(()) if gradient is None or not gradient.any() else gradient     # no gradient is a gradient of 0


# Types

def _unlike(seen: str, wanted: str, exact: bool = False) -> bool:
    """True if one can never stand for the other: a list for a tensor, say, or where the text is `exact` a number."""
    if wanted in (*SCALARS, "tensor"):
        return seen not in (*SCALARS, "tensor") or (exact and (seen == "tensor") != (wanted == "tensor"))
    return seen != wanted and (seen, wanted) != ("list of tensors", "tuple")


def _other(seen: str, wanted: str) -> bool:
    """True if a right answer of that kind has to be converted."""
    return seen != wanted and not (wanted == "float" and seen == "int")


def _fits(seen: Tensor, wanted: Tensor) -> bool:
    """Whether numbers of this type do where numbers of that type are wanted."""
    if wanted.dtype == torch.bool:
        return seen.dtype == torch.bool
    if seen.dtype == torch.bool:
        return False
    if not wanted.dim():
        return True
    if wanted.is_floating_point():
        return seen.is_floating_point()
    return wanted.dtype == torch.int8 or seen.dtype in (torch.int32, torch.int64)


def _converted(part: Any, kind: str, dtype: torch.dtype) -> Any:
    if kind == "tensor":
        return part if isinstance(part, Tensor) else torch.tensor(part, dtype=dtype)
    number = part.item() if hasattr(part, "item") else part
    return {"bool": bool, "int": int, "float": float}[kind](number)


@dataclass(frozen=True)
class _Part:
    """One of the things that were returned, or the only one."""

    kind: str
    value: Tensor | None


def _parts(outcome: Outcome) -> list[_Part]:
    """What was returned, one after the other; without the tuple that holds it."""
    kinds = outcome.kinds or ("NoneType",)
    inside = kinds[1:] if kinds[0] in ("tuple", "list of tensors") and len(kinds) > 1 else kinds
    return [_Part(kind, outcome.values[i] if i < len(outcome.values) else None) for i, kind in enumerate(inside)]


def _of_type(asked: _Asked, place: int, bad: Callable[[_Part, _Part], bool]) -> tuple[str, dict[str, Any]]:
    """A sentence about a type: of which part of a tuple, if it is a part, and what to do about it."""
    ours, theirs = asked.ours[place], asked.theirs[place]
    whole, wanted = (o.kinds[0] if o.kinds else "NoneType" for o in (theirs, ours))
    if wanted != "tuple" or _unlike(whole, wanted):
        mine, its = _parts(ours)[0], _parts(theirs)[0]
        kinds = [_kind(whole, its.value), _kind(wanted, mine.value)]
        return "check_type", {"seen": kinds[0], "expected": kinds[1],
                              "way": _way(_Part(whole, its.value), _Part(wanted, mine.value), bool(ours.gradients))}
    for at, (its, mine) in enumerate(zip(_parts(theirs), _parts(ours), strict=False)):
        if bad(its, mine):
            key, names = "check_type_part", asked.exercise.results
            values = {"at": at + 1, "seen": _kind(its.kind, its.value), "expected": _kind(mine.kind, mine.value),
                      "way": _way(its, mine, bool(ours.gradients))}
            return (f"{key}_named", values | {"name": names[at]}) if names else (key, values)
    return "check_count", {"n": len(_parts(theirs)), "expected": len(_parts(ours))}


def _kind(kind: str, value: Tensor | None) -> str:
    """The key of a few words for what was returned, or the name of its type."""
    if kind == "tensor" and value is not None:
        kind = ("tensor of booleans" if value.dtype == torch.bool else "tensor of floats" if value.is_floating_point()
                else "tensor of integers")
    named = ("tensor of booleans", "tensor of floats", "tensor of integers", "tuple", "list of tensors", "list",
             "array", "NoneType", "complex", "str", "dict", "set", *SCALARS)
    if kind in named:
        return f"check_kind_{kind.replace(' ', '_')}"
    return repr(kind) if kind.startswith("check_") else kind           # a class of theirs, and no key of ours


def _way(theirs: _Part, ours: _Part, gradient: bool) -> str:
    """The key of what to do about a type; empty if there is nothing to say."""
    seen, wanted = theirs.kind, ours.kind
    if seen == "NoneType":
        return "check_way_return"
    if seen == "complex":
        return "check_way_complex"
    if wanted == "tuple":
        return "check_way_tuple"
    if seen == "tuple":
        return "check_way_no_tuple"
    if seen in ("list", "array", "list of tensors"):
        return f"check_way_{seen.replace(' ', '_')}" if wanted == "tensor" else "check_way_number"
    if wanted != "tensor":
        return "check_way_item" if seen == "tensor" else ""
    if seen in SCALARS:
        return "check_way_no_item" if gradient else "check_way_tensor"
    if theirs.value is None or ours.value is None or _fits(theirs.value, ours.value):
        return ""
    return ("check_way_bool" if ours.value.dtype == torch.bool else "check_way_float" if ours.value.is_floating_point()
            else "check_way_long")


# What can be said of a wrong answer that is no known mistake: a sentence's key and its fields

ERRORS = (
    ("check_error_signature", r"^TypeError: .*(positional argument|unexpected keyword)[^←]*$"),
    ("check_error_argument", r"leaf Variable that requires grad"),
    ("check_error_in_place", r"in-?place operation|modified by an in-?place"),
    ("check_error_truth", r"Boolean value of Tensor with more than one value"),
    ("check_error_item", r"converted to (a )?(Python )?[Ss]calar"),
    ("check_error_name", r"^NameError"),
    ("check_error_numpy", r"Can't call numpy\(\) on Tensor that requires grad"),
    ("check_error_mean", r"^RuntimeError: mean\(\): could not infer output dtype"),
    ("check_error_floor", r"derivative for aten::floor_divide is not implemented"),
    ("check_error_clamp", r"^TypeError: cl(amp|ip)\(\) received an invalid combination of arguments - got "
                          r"\((float|int)\b|^AttributeError: '(float|int)' object has no attribute 'cl(amp|ip)'"),
    ("check_error_number", r"^TypeError: \w+\(\): argument 'input' \(position 1\) must be Tensor, not (float|int)\b"),
    ("check_error_index", r"^IndexError|^KeyError|index out of (range|bounds)|out of bounds"),
    ("check_error_overflow", r"^OverflowError"),
    ("check_error_nan", r"^ValueError: nan is not in list|cannot convert float NaN to integer"),
    ("check_error_domain", r"^ValueError: (math domain error|expected a (non|posi))"),
    ("check_error_shapes", r"The size of tensor a|shapes cannot be multiplied|size mismatch|must match the size|"
                           r"must match the shape|invalid for input of size|zip\(\) argument|not broadcastable|"
                           r"Sizes of tensors must match"),
    ("check_error_of_nothing", r"numel\(\) == 0|of an? empty|is empty|empty (sequence|iterable)|non-empty"),
    ("check_error_other", r""))


def _of_error(error: str, asked: _Asked, place: int) -> tuple[str, dict[str, Any]]:
    """Of errors that everybody meets, what they mean."""
    names, arguments = asked.exercise.names, asked.cases[place].arguments
    if error.startswith("ZeroDivisionError"):
        zero = [name for name, a in zip(names, arguments, strict=True) if type(a) in (int, float) and a == 0]
        return ("check_error_zero_argument", {"name": zero[0]}) if len(zero) == 1 else ("check_error_zero", {})
    return next(key for key, pattern in ERRORS if re.search(pattern, error)), {"names": ", ".join(names)}


def _symptom(asked: _Asked, place: int) -> tuple[str, dict[str, Any]]:
    ours, theirs, near = asked.ours[place], asked.theirs[place], asked.exercise.near
    if len(ours.values) != len(theirs.values):
        return "check_count", {"n": len(theirs.values), "expected": len(ours.values)}
    again = {id(case): i for i, case in enumerate(asked.cases)}
    if not all(_agree(it, asked.theirs[again[id(case)]], near) for case, it in zip(asked.cases, asked.theirs,
                                                                                   strict=True)):
        return "check_not_the_same", {}
    if len(ours.values) == 1 and (rows := _rows(ours.values[0], theirs.values[0])):
        return rows
    for x, y in zip(ours.values, theirs.values, strict=True):
        if x.shape != y.shape:
            key = ("check_empty" if not x.numel() and not y.numel() and x.dim() > 1 else
                   "check_shape_number" if not x.dim() else "check_shape")
            return key, {"shape": tuple(y.shape), "expected": tuple(x.shape), "columns": x.shape[-1] if x.dim() else 1}
        if not torch.isfinite(y.double()).all() and torch.isfinite(x.double()).all():
            return "check_not_finite_padding" if _only_padding_is_not(asked.cases[place]) else "check_not_finite", {}
        if not _close(x, y, near):
            break
    return _relation(asked)


def _only_padding_is_not(case: Case) -> bool:
    """True if some argument is not finite, and only where some mask marks nothing."""
    tensors = [a for a in case.arguments if isinstance(a, Tensor)]
    hostile = False
    for a in tensors:
        bad = ~a.isfinite()
        hostile |= bool(bad.any())
        for mask in tensors:
            if mask.dtype == torch.bool and a.shape[:mask.dim()] == mask.shape:
                bad[~mask] = False
        if bad.any():
            return False
    return hostile


def _rows(ours: Tensor, theirs: Tensor) -> tuple[str, dict[str, Any]] | None:
    """Of two tables of whole numbers, which rows are missing and which are too many; of places, [P, 2], also both."""
    if any(t.dim() < 2 or t.is_floating_point() or t.dtype == torch.bool for t in (ours, theirs)) or (
            not theirs.numel() or ours.shape[1:] != theirs.shape[1:]):
        return None
    mine, its = ours.tolist(), theirs.tolist()
    missing, extra = [r for r in mine if r not in its], [r for r in its if r not in mine]
    if not missing and not extra:
        return ("check_rows_order", {}) if len(mine) == len(its) else ("check_rows_twice", {})
    if ((missing and extra) or len(mine) == len(its)) and ours.shape[1:] != (2,):
        return None
    key = "check_rows_both" if missing and extra else "check_rows_missing" if missing else "check_rows_extra"
    return key, {"missing": show(missing), "extra": show(extra)}


def _relation(asked: _Asked) -> tuple[str, dict[str, Any]]:
    """What holds on *every* case: the other sign, or a factor that means something."""
    pairs = []                                              # (expected, given, case), wherever there is a number
    for case, ours, theirs in zip(asked.cases, asked.ours, asked.theirs, strict=True):
        if theirs.error or [v.shape for v in ours.values] != [v.shape for v in theirs.values]:
            return _where(asked)
        pairs += [(x.double(), y.double(), case) for x, y in zip(ours.values, theirs.values, strict=True) if x.numel()]
    loose = Near(20 * asked.exercise.tolerance, asked.exercise.least)

    def all_are(factor: Callable[[Case], float]) -> bool:
        return all(_close(x * factor(case), y, loose) for x, y, case in pairs)

    if len([1 for x, _, _ in pairs if x.abs().max() > 1e-6]) < 2:
        return _where(asked)
    if all_are(lambda case: -1):
        return "check_sign", {}
    for factor, words in ((2, "2"), (0.5, "1/2"), (-2, "-2"), (-0.5, "-1/2"), (1 / math.log(2), "1 / ln 2"),
                          (math.log(2), "ln 2"), (100, "100")):
        if all_are(lambda case, factor=factor: factor):
            return ("check_factor_base_2" if words == "1 / ln 2" else "check_factor"), {"factor": words}
    for what in _sizes(asked.cases[0]):
        sizes = [_sizes(case).get(what, 0) for case in asked.cases]
        if 0 in sizes or len(set(sizes)) < 2:
            continue
        by_case = dict(zip(map(id, asked.cases), sizes, strict=True))
        for key, power in (("check_times", 1), ("check_divided", -1)):
            for sign in (1, -1):
                if all_are(lambda case, n=by_case, p=power, s=sign: s * float(n[id(case)]) ** p):
                    return key if sign > 0 else f"{key}_minus", {"what": what}
    return _where(asked)


def _where(asked: _Asked) -> tuple[str, dict[str, Any]]:
    """Where no mistake is known: a slip that gives the same, else where the wrong numbers stand, else what is right."""
    exercise, pairs = asked.exercise, [*zip(asked.cases, asked.theirs, strict=True)]
    for wrong, key, values in _slips(exercise.reference, exercise.names, _Question(exercise.worked)):
        if all(_agree(_known(wrong, case), theirs, exercise.near) for case, theirs in pairs):
            return key, values
    if place := _place(asked):
        return place, {}
    right = [_agree(a, b, exercise.near) for a, b in zip(asked.ours, asked.theirs, strict=True)]
    told = {(case.about, case.zh): case for case, fine in zip(asked.cases, right, strict=True) if not fine}
    named = right[0] and "random" not in {about for about, _ in told}
    if named and len(told) == 1:                            # what a single case has and no other may be chance
        return _named_cases(told, right)
    common, always = in_common(asked.cases, exercise.names, {i for i, fine in enumerate(right) if not fine})
    values = {"right": sum(right), "cases": len(right)}
    near = all(_agree(a, b, Near(0.02, 1e-3)) for a, b in zip(asked.ours, asked.theirs, strict=True))
    if sum(right) < 3:                                      # what nearly all have is no cause
        common = None
    if common and always:
        return "check_where", values | {"where": common}
    if near and sum(right) < len(right) / 2:
        return "check_near", values
    if common:
        return "check_where_only", values | {"where": common}
    if not right[0]:
        return "check_example_wrong", {}
    if not any(right[1:-2]):
        return "check_example_only", values
    if named and len(told) < 6:
        return _named_cases(told, right)
    if near:
        return "check_near", values
    return "check_some_right", values


def _named_cases(told: Iterable[tuple[str, str]], right: Sequence[bool]) -> tuple[str, dict[str, Any]]:
    en, zh = zip(*told, strict=True)
    return "check_some_named", {"right": sum(right), "cases": len(right), "where": Told("; ".join(en), "；".join(zh))}


def _place(asked: _Asked) -> str:
    """The key of a sentence about where the wrong numbers stand, if they stand there in every case that is wrong."""
    found: list[set[str]] = []
    for case, ours, theirs in zip(asked.cases, asked.ours, asked.theirs, strict=True):
        for x, y in zip(ours.values, theirs.values, strict=False):
            if x.shape != y.shape or len(ours.values) != len(theirs.values):
                return ""
            near = torch.isclose(x.double(), y.double(), rtol=1e-3, atol=1e-3, equal_nan=True)
            if not near.all():
                found.append(place_of_error(case, x, ~near))
    holds = set.intersection(*found) if found else set()
    return next((key for key in PLACES if key in holds), "")


def _sizes(case: Case) -> dict[str, int]:
    """The numbers by which sums and means differ, by the key of their name."""
    sizes: dict[str, int] = {}
    for argument in case.arguments:
        if isinstance(argument, Tensor) and argument.dtype == torch.bool:
            sizes.setdefault("check_size_marked", int(argument.sum()))
        if isinstance(argument, Tensor) and argument.dim():
            sizes.setdefault("check_size_rows", argument.shape[0])
            if argument.dim() > 1:
                sizes.setdefault("check_size_columns", argument.shape[-1])
                sizes.setdefault("check_size_entries", argument.numel())
        if isinstance(argument, list):
            sizes.setdefault("check_size_list", len(argument))
    return sizes


# Values as a person reads them

def show(value: Any, digits: int = 4) -> str:
    """A value as a person reads it: tensors as nested lists with four digits, long ones cut."""
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, float):
        if not math.isfinite(value) or abs(value) >= 1e6:
            return f"{value:g}"
        text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
        return "0" if text == "-0" else text
    if isinstance(value, list | tuple):
        inner = ", ".join(show(v, digits) for v in value[:8]) + (", …" if len(value) > 8 else "")
        return f"[{inner}]"
    return str(value)


def _shown(outcome: Outcome, other: Outcome) -> str:
    """The values of an outcome, with as many digits as tell them from the other's."""
    if not outcome.values:
        return outcome.kinds[0].replace("NoneType", "None") if outcome.kinds else ""
    for digits in (4, 8):
        mine, others = (", ".join(show(v, digits) for v in o.values) for o in (outcome, other))
        if mine != others:
            return mine
    return ", ".join(map(show, outcome.values))
