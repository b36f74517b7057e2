"""What is handed in and out of the cell: numbers, words and plain arrays, never an object that could do something.

A parcel is JSON and a safetensors block: its size bounds what unpacking it can cost, and nothing in it is code.
Stands alone (torch and safetensors only): the worker, which must not import the kit, loads it by its path.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import safetensors.torch
from torch import Tensor

LARGEST = 8 * 2**20                                        # bytes of what an answer may hand in for one exercise


class Damaged(ValueError):
    """A parcel that nobody honest has packed."""


class Question(NamedTuple):
    """One function to be asked: its name, and for each case the arguments and the places to differentiate in."""

    name: str
    cases: list[tuple[list[Any], list[int]]]


class Reply(NamedTuple):
    """What one call gave, or the error it ended with."""

    values: tuple[Tensor, ...]
    gradients: tuple[Tensor | None, ...]
    error: str
    untouched: bool
    changed: tuple[int, ...] = ()               # as in `asking.Outcome`, like the others
    kinds: tuple[str, ...] = ()


def pack(about: Any, tensors: dict[str, Tensor]) -> bytes:
    """JSON and tensors as bytes."""
    words = json.dumps(about).encode()
    return len(words).to_bytes(4, "little") + words + safetensors.torch.save(tensors)


def unpack(parcel: bytes) -> tuple[Any, dict[str, Tensor]]:
    """The JSON and the tensors. Raises: Damaged."""
    try:
        end = 4 + int.from_bytes(parcel[:4], "little")
        about, tensors = json.loads(parcel[4:end]), safetensors.torch.load(parcel[end:])
    except (ValueError, TypeError, KeyError, RecursionError, RuntimeError, OverflowError,
            safetensors.SafetensorError) as error:
        raise Damaged(f"what came back cannot be read ({type(error).__name__})") from error
    if any(tensor.is_complex() for tensor in tensors.values()):
        raise Damaged("what came back is complex")
    return about, tensors


def pack_job(cells: Sequence[str], questions: Sequence[Question]) -> bytes:
    """Code, and what its functions will be asked: inputs only."""
    tensors: dict[str, Tensor] = {}

    def slot(argument: Any) -> Any:
        if not isinstance(argument, Tensor):
            return {"value": argument}
        tensors[f"t{len(tensors)}"] = argument.detach().contiguous().clone()
        return {"tensor": f"t{len(tensors) - 1}"}

    asked = [[q.name, [[list(map(slot, arguments)), places] for arguments, places in q.cases]] for q in questions]
    return pack([list(cells), asked], tensors)


def unpack_job(parcel: bytes) -> tuple[list[str], list[Question]]:
    """The other end of `pack_job`."""
    (cells, asked), tensors = unpack(parcel)

    def argument(parameter: dict[str, Any]) -> Any:
        return tensors[parameter["tensor"]] if "tensor" in parameter else parameter["value"]

    return cells, [Question(name, [(list(map(argument, arguments)), places) for arguments, places in cases])
                   for name, cases in asked]


def pack_replies(replies: Sequence[Reply]) -> bytes:
    """What one function gave. Raises: Damaged if it is more than an exercise can need."""
    tensors: dict[str, Tensor] = {}
    if sum(t.numel() * t.element_size() for r in replies for t in (*r.values, *r.gradients) if t is not None) > LARGEST:
        raise Damaged(f"it returned more than {LARGEST // 2**20} MiB")

    def named(tensor: Tensor | None) -> str | None:
        if tensor is None:
            return None
        tensors[f"t{len(tensors)}"] = tensor.as_subclass(Tensor).contiguous().clone()
        return f"t{len(tensors) - 1}"

    return pack([[list(map(named, r.values)), list(map(named, r.gradients)), r.error, r.untouched, r.changed, r.kinds]
                 for r in replies], tensors)


def unpack_replies(parcel: bytes) -> list[Reply]:
    """The other end of `pack_replies`, which trusts nothing. Raises: Damaged."""
    about, tensors = unpack(parcel)
    try:
        return [Reply(tuple(tensors[name] for name in values),
                      tuple(None if name is None else tensors[name] for name in gradients),
                      _line(error), untouched is True, tuple(int(place) for place in changed),
                      tuple(_line(kind)[:40] for kind in kinds))
                for values, gradients, error, untouched, changed, kinds in about]
    except (ValueError, TypeError, KeyError) as error:
        raise Damaged(f"what came back cannot be read ({type(error).__name__})") from error


def _line(error: Any) -> str:
    return "".join(c if c.isprintable() else " " for c in error[:300]) if isinstance(error, str) else "?" * bool(error)


def send(pipe: int, kind: bytes, parcel: bytes = b"") -> None:
    """One byte that says what it is, eight for its length, and the parcel."""
    left = memoryview(kind + len(parcel).to_bytes(8, "little") + parcel)
    while left:
        left = left[os.write(pipe, left):]
