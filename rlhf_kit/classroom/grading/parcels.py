"""What is handed in and out of the cell: numbers, words and plain arrays, never an object that could do something.

In goes a job, JSON and a safetensors block that the grader itself has packed. Out come replies, which nobody has
reason to trust: a flat row of fields, each with a length that is checked before it is read; nothing in it nests, names
anything twice, or is code. Stands alone (torch and safetensors only): the worker, which must not import the kit, loads
it by its path.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

LARGEST = 2**20                                            # bytes of what an answer may hand in for one exercise
PARTS, RANK, LONGEST_WORDS = 64, 8, 600                    # arrays in a reply, dimensions of one; bytes of an error
TYPES = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.float16, torch.bfloat16,
         torch.float32, torch.float64)                     # an array is sent with its place in this row


class Damaged(ValueError):
    """A parcel that nobody honest has packed."""


class Terms(NamedTuple):
    """What one job may use, and which statements are left out this time."""

    seconds: float                                         # of processor, to define and again to answer
    patience: float                                        # seconds in all, to define and again to answer
    imports: float                                         # seconds of processor, to import
    skip: tuple[int, ...] = ()


class Question(NamedTuple):
    """One function to be asked: its name, and for each case the arguments and the places to differentiate in."""

    name: str
    cases: list[tuple[list[Any], list[int]]]


class Job(NamedTuple):
    """A submission's code, the names that count in it, and what one of them is asked: inputs only."""

    cells: list[str]
    names: list[str]
    question: Question


class Reply(NamedTuple):
    """What one call gave, or the error it ended with; see `asking.Outcome`."""

    values: tuple[Tensor, ...] = ()
    gradients: tuple[Tensor | None, ...] = ()
    error: str = ""
    untouched: bool = False
    changed: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()


# In

def pack_job(job: Job, terms: Terms) -> bytes:
    """The terms, which the guard reads, and the job, which the child does."""
    tensors: dict[str, Tensor] = {}

    def slot(argument: Any) -> Any:
        if not isinstance(argument, Tensor):
            return {"value": argument}
        tensors[f"t{len(tensors)}"] = argument.detach().contiguous().clone()
        return {"tensor": f"t{len(tensors) - 1}"}

    asked = [[list(map(slot, arguments)), places] for arguments, places in job.question.cases]
    words = json.dumps([job.cells, job.names, job.question.name, asked]).encode()
    return _counted(json.dumps(terms).encode()) + _counted(words) + safetensors.torch.save(tensors)


def unpack_terms(parcel: bytes) -> tuple[Terms, bytes]:
    """The terms, and the rest."""
    end = 4 + int.from_bytes(parcel[:4], "little")
    return Terms(*json.loads(parcel[4:end])), parcel[end:]


def unpack_job(rest: bytes) -> Job:
    """The other end of `pack_job`, but for the terms."""
    end = 4 + int.from_bytes(rest[:4], "little")
    cells, names, name, asked = json.loads(rest[4:end])
    tensors = safetensors.torch.load(rest[end:])

    def argument(parameter: dict[str, Any]) -> Any:
        return tensors[parameter["tensor"]] if "tensor" in parameter else parameter["value"]

    return Job(cells, names, Question(name, [(list(map(argument, arguments)), places) for arguments, places in asked]))


def _counted(words: bytes) -> bytes:
    return len(words).to_bytes(4, "little") + words


# Out

def pack_reply(reply: Reply) -> bytes:
    """What one call gave, at once: what the answer does to its arrays later changes nothing. Raises: Damaged."""
    arrays = [*reply.values, *reply.gradients]
    size = sum(a.numel() * a.element_size() for a in arrays if a is not None)
    if size > LARGEST:
        raise Damaged(f"it returned more than {LARGEST // 2**20} MiB")
    if max(len(reply.values), len(reply.gradients), len(reply.kinds), len(reply.changed)) > PARTS:
        raise Damaged(f"it returned more than {PARTS} parts")
    head = bytes([reply.untouched, *(len(row) for row in (reply.values, reply.gradients, reply.changed, reply.kinds))])
    return b"".join([head, *map(_array, arrays), bytes(reply.changed), *(_words(kind, 40) for kind in reply.kinds),
                     _words(reply.error, LONGEST_WORDS)])


def unpack_replies(parcel: bytes, count: int) -> list[Reply]:
    """`count` replies, or none where there is no such function. Raises: Damaged."""
    if not parcel:
        return []
    reader, replies = _Reader(parcel), []
    try:
        for _ in range(count):
            untouched, values, gradients, changed, kinds = reader.take(5)
            if max(values, gradients, changed, kinds) > PARTS:
                raise Damaged("what came back has too many parts")
            given = tuple(reader.array() for _ in range(values))
            slopes = tuple(reader.array() for _ in range(gradients))
            if any(value is None for value in given):
                raise Damaged("a value is missing")
            places, named = tuple(reader.take(changed)), tuple(reader.words() for _ in range(kinds))
            replies.append(Reply(given, slopes, reader.words(), untouched == 1, places, named))
    except (ValueError, RuntimeError, OverflowError) as error:
        raise Damaged(f"what came back cannot be read ({type(error).__name__}: {error})"[:200]) from error
    if reader.left:
        raise Damaged("what came back is longer than what was asked for")
    return replies


def _array(array: Tensor | None) -> bytes:
    """One byte for the type (255: there is none), one for the dimensions, four for each of them, and the numbers."""
    if array is None:
        return b"\xff"
    array = array.detach().as_subclass(Tensor).to("cpu").contiguous()
    if array.dtype not in TYPES:
        raise Damaged(f"it returned numbers of the type {str(array.dtype).removeprefix('torch.')}")
    if array.dim() > RANK:
        raise Damaged(f"it returned {array.dim()} dimensions")
    numbers = array.reshape(-1).view(torch.uint8) if array.numel() else array
    return b"".join([bytes([TYPES.index(array.dtype), array.dim()]), *(n.to_bytes(4, "little") for n in array.shape),
                     bytes(numbers.numpy()) if array.numel() else b""])


def _words(text: str, longest: int) -> bytes:
    words = text.encode(errors="replace")[:longest]
    return len(words).to_bytes(2, "little") + words


class _Reader:
    """Takes fields off the front of a parcel, never more than there is."""

    def __init__(self, parcel: bytes) -> None:
        self._parcel, self._place = memoryview(parcel), 0

    @property
    def left(self) -> int:
        return len(self._parcel) - self._place

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise Damaged("it ends too soon")
        self._place += size
        return bytes(self._parcel[self._place - size:self._place])

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def words(self) -> str:
        text = self.take(min(self.number(2), LONGEST_WORDS)).decode(errors="replace")
        return "".join(c if c.isprintable() else " " for c in text)

    def array(self) -> Tensor | None:
        """The next array, or the None that stands for one. Raises: Damaged before more is taken than there is."""
        kind = self.number(1)
        if kind == 255:
            return None
        rank = self.number(1)
        if kind >= len(TYPES) or rank > RANK:
            raise Damaged("an array of no type or of too many dimensions")
        shape = [self.number(4) for _ in range(rank)]
        size = math.prod(shape) * TYPES[kind].itemsize
        if max(shape, default=0) > LARGEST:
            raise Damaged("an array of too many numbers")
        numbers = self.take(size)
        if not size:
            return torch.empty(shape, dtype=TYPES[kind])
        read = torch.frombuffer(bytearray(numbers), dtype=torch.uint8)
        return (read != 0 if kind == 0 else read.view(TYPES[kind])).reshape(shape)     # a bool is 0 or 1, whatever came


# Messages

def send(pipe: int, kind: bytes, parcel: bytes = b"") -> None:
    """One byte that says what it is, four for its length, and the parcel."""
    left = memoryview(kind + len(parcel).to_bytes(4, "little") + parcel)
    while left:
        left = left[os.write(pipe, left):]


def take_message(came: bytearray) -> tuple[bytes, bytes] | None:
    """Take a whole message off the front of what came, if one is there."""
    if len(came) < 5 or len(came) < (end := 5 + int.from_bytes(came[1:5], "little")):
        return None
    message = bytes(came[:1]), bytes(came[5:end])
    del came[:end]
    return message


def lines(text: bytes, most: int) -> list[str]:
    """Lines that came through the wall, as a person may see them."""
    return ["".join(c if c.isprintable() else " " for c in line)[:200]
            for line in text.decode(errors="replace").split("\n")[:most] if line]
