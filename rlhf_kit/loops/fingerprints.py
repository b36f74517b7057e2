"""Sixteen characters that stand for texts, for a model, for a reward: by them a run is known again.

Every part is hashed with its kind and its length before it, so that no two things have one spelling, and a number that
differs in its last bit anywhere is another number. Nothing of it depends on the process, on addresses or on time.
"""

from __future__ import annotations

import dis
import enum
import functools
import hashlib
import inspect
import io
import json
import os
import random
import re
import sys
import types
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

DIGITS = 16
PIECE = 2**26                       # bytes of a tensor that are brought to the CPU at a time
HOOK = "run_identity"               # what stands for an object that has such an attribute
OF_THE_MOMENT = {"transformers_version", "dtype", "torch_dtype", "architectures", "use_cache", "name_or_path"}
OF_THE_INTERPRETER = {"__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__",
                      "__parameters__", "__orig_bases__", "__dataclass_fields__", "__dataclass_params__",
                      "__match_args__", "__abstractmethods__", "_abc_impl", "__static_attributes__", "__firstlineno__",
                      "__annotate__", "__annotate_func__", "__annotations_cache__", "__slots__", "__slotnames__"}
WAS_A_FILE = ("rlhf_kit.rewards",)                      # a module that became a folder; runs know it by its old name
BUILT_IN = (types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType,
            types.MethodWrapperType, types.ClassMethodDescriptorType)


def fingerprint(values: Sequence[object]) -> str:
    """Of texts, pairs or rankings in this order; ["a\\nb"] and ["a", "b"] have different ones."""
    return identity_of(list(values))[0]


def fingerprint_of(model: nn.Module) -> str:
    """Of a model: every byte of every tensor, what quantised layers keep beside their weights included, and its
    config; not where it lies, nor which file it came from."""
    return identity_of(model)[0]


def identity_of(value: object) -> tuple[str, list[str]]:
    """Of anything; and the kinds of things in it of which no run can tell whether they are the same.

        a function         its code, constants, defaults, what it closes over, and the globals that it reads
        an object          its class and its state; of a class or function of a library the name alone
        a model            `fingerprint_of`; a tokenizer: its vocabulary and rules
        x.run_identity     in place of x, if it has that: a text, or anything else that has an identity

    What code assigns to itself (`nonlocal`, `global`), what `state_dict` returns, what `cached_property` keeps and
    random generators are memory, not identity.
    """
    digest = _Digest()
    return digest.of(value).hex()[:DIGITS], sorted(digest.unknown)


class _Digest:
    """SHA-256 over a tree of values, a sum for each branch."""

    def __init__(self) -> None:
        self.unknown: set[str] = set()
        self._hash = hashlib.sha256()
        self._done: dict[int, bytes] = {}
        self._open: dict[int, int] = {}                         # what we are inside of, for circles
        self._alive: list[Any] = []                             # else another object could get an address again

    def of(self, value: Any) -> bytes:
        """The sum of one value."""
        outer, self._hash = self._hash, hashlib.sha256()
        try:
            self.add(value)
            return self._hash.digest()
        finally:
            self._hash = outer

    def write(self, kind: str, content: bytes = b"") -> None:
        """A leaf: what it is, how long it is, and itself."""
        self._hash.update(f"{kind} {len(content)} ".encode())
        self._hash.update(content)

    def add(self, value: Any) -> None:
        """A value and everything that it is made of."""
        kind = type(value)
        if kind is str:
            self.write("str", value.encode(errors="surrogatepass"))
        elif kind in (bool, int, float, complex, types.NoneType, types.EllipsisType):
            self.write(kind.__name__, repr(value).encode())
        elif kind in (bytes, bytearray):
            self.write("bytes", bytes(value))
        elif id(value) in self._done:
            self.write("part", self._done[id(value)])
        elif id(value) in self._open:
            self.write("around", str(self._open[id(value)]).encode())
        else:
            self._alive.append(value)
            self._open[id(value)] = len(self._open)
            outer, self._hash = self._hash, hashlib.sha256()
            try:
                self._compound(value)
                self._done[id(value)] = self._hash.digest()
            finally:
                self._hash = outer
                del self._open[id(value)]
            self.write("part", self._done[id(value)])

    def all(self, kind: str, values: Iterable[Any]) -> None:
        """Several values, and how many."""
        values = list(values)
        self.write(kind, str(len(values)).encode())
        for value in values:
            self.add(value)

    def _compound(self, value: Any) -> None:
        if type(value) in (tuple, list):
            self.all(type(value).__name__, value)
        elif type(value) is dict:
            self.all("dict", (part for item in value.items() for part in item))
        elif type(value) in (set, frozenset):
            self.all(type(value).__name__, sorted(self.of(part) for part in value))
        elif isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, types.ModuleType):
            self._module(value)
        elif isinstance(value, type):
            self._class(value)
        elif inspect.getattr_static(value, HOOK, None) is not None:
            self.write("stands for itself")
            self.add(getattr(value, HOOK))
        elif isinstance(value, nn.Module):
            self._network(value)
        elif isinstance(value, PreTrainedTokenizerBase):
            self._tokenizer(value)
        elif isinstance(value, types.CodeType):
            self._code(value)
        elif isinstance(value, types.FunctionType):
            self._function(value)
        else:
            self._wrapped_or_object(value)

    def _wrapped_or_object(self, value: Any) -> None:
        if isinstance(value, types.MethodType):
            self.all("method", (value.__self__, value.__func__))
        elif isinstance(value, BUILT_IN):
            self.write("builtin", f"{getattr(value, '__module__', '')}.{value.__qualname__}".encode())
            if not isinstance(getattr(value, "__self__", None), types.ModuleType | types.NoneType):
                self.add(value.__self__)                        # [].append is of this list
        elif isinstance(value, functools.partial):
            self.all("partial", (value.func, value.args, value.keywords))
        elif isinstance(value, staticmethod | classmethod | functools._lru_cache_wrapper):
            self.all(type(value).__name__, (value.__wrapped__,))
        elif isinstance(value, property):
            self.all("property", (value.fget, value.fset, value.fdel))
        elif isinstance(value, functools.cached_property):
            self.all("property", (value.func,))
        elif isinstance(value, re.Pattern):
            self.all("pattern", (value.pattern, int(value.flags)))
        elif isinstance(value, os.PathLike):
            self.write("path", os.fsencode(value))
        elif isinstance(value, enum.Enum):
            self.all("enum", (type(value), value.name))
        elif isinstance(value, torch.dtype):
            self.write("dtype", str(value).encode())
        elif isinstance(value, torch.device | torch.Generator | random.Random) \
                or type(value).__module__.startswith("numpy.random"):
            self.write("of the moment", type(value).__name__.encode())
        else:
            self._object(value)

    def _tensor(self, tensor: Tensor) -> None:
        """Type, shape and every byte."""
        self.write("tensor", f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.is_meta:
            return
        flat = tensor.detach().reshape(-1)
        step = max(PIECE // flat.element_size(), 1)
        for start in range(0, flat.numel(), step):
            piece = flat[start:start + step].contiguous().cpu()
            self._hash.update(memoryview(piece.view(torch.uint8).numpy()))

    def _network(self, model: nn.Module) -> None:
        self.write("network", _name(type(model)).encode())
        tensors, first = model.state_dict(keep_vars=True), {}
        for name, tensor in sorted(tensors.items()):
            if id(tensor) in first:
                self.all("tied", (name, first[id(tensor)]))
                continue
            first[id(tensor)] = name
            self.write("name", name.encode())
            if isinstance(tensor, Tensor):
                self._tensor(tensor)
            else:                                               # `get_extra_state`
                self.add(tensor)
        for name, part in model.named_modules():
            if not _of_a_library(type(part).__module__):
                own = {key: entry for key, entry in sorted(vars(part).items()) if key[0] != "_" and key != "training"}
                self.all("own", (name, type(part), own))
            config = inspect.getattr_static(part, "config", None)
            if hasattr(config, "to_dict") and (not name or "." not in name):        # the whole, Policy.lm, .model
                about = {key: entry for key, entry in config.to_dict().items()
                         if key not in OF_THE_MOMENT and not key.startswith("_")}
                self.write("config", json.dumps(about, sort_keys=True, default=str).encode())

    def _tokenizer(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.write("tokenizer", type(tokenizer).__name__.encode())
        about = json.loads(tokenizer.backend_tokenizer.to_str()) if tokenizer.is_fast else tokenizer.get_vocab()
        for name in ("truncation", "padding") if tokenizer.is_fast else ():         # of the last call
            about.pop(name, None)
        special = {name: str(token) for name, token in tokenizer.special_tokens_map.items()}
        said = [about, special, getattr(tokenizer, "chat_template", None)]
        self.write("vocabulary", json.dumps(said, sort_keys=True, default=str).encode())

    def _module(self, module: types.ModuleType) -> None:
        """A library by its name, a file of somebody's own by its content."""
        self.write("module", module.__name__.encode())
        if not _of_a_library(module.__name__) and (path := getattr(module, "__file__", None)) and os.path.isfile(path):
            with open(path, "rb") as file:
                self.write("source", hashlib.file_digest(file, "sha256").digest())

    def _class(self, kind: type) -> None:
        self.write("class", _name(kind).encode())
        if _of_a_library(kind.__module__):
            return
        self.all("bases", kind.__bases__)
        own = {name: part for name, part in sorted(vars(kind).items()) if name not in OF_THE_INTERPRETER
               and not isinstance(part, types.GetSetDescriptorType | types.MemberDescriptorType)}
        self.all("body", (part for item in own.items() for part in item))

    def _function(self, function: types.FunctionType) -> None:
        """A library's by its name and what it closes over; anybody else's by its code and all that this reads."""
        code, library = function.__code__, _of_a_library(function.__module__ or "__main__")
        self.write("function", _name(function).encode() if library else b"")
        read, changed = _names_of(code)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            if name not in changed:
                self.write("closes over", name.encode())
                with suppress(ValueError):                      # a cell that is still empty
                    self.add(cell.cell_contents)
        if library:
            return
        self.all("defaults", (function.__defaults__, function.__kwdefaults__))
        self.add(code)
        for name in sorted(read - changed):
            if name in function.__globals__:
                self.write("global", name.encode())
                self.add(function.__globals__[name])

    def _code(self, code: types.CodeType) -> None:
        self.write("code", code.co_code)
        self.all("with", (code.co_names, code.co_consts, code.co_argcount, code.co_posonlyargcount,
                          code.co_kwonlyargcount, code.co_flags))

    def _object(self, value: Any) -> None:
        """Its class, and what a copy of it would be made of."""
        self.add(type(value))
        if is_dataclass(value):
            self.all("fields", [getattr(value, one.name) for one in fields(value)])
            return
        made = None
        if not isinstance(value, io.IOBase):
            with suppress(Exception):                           # whatever says that it cannot be copied: a lock, ...
                made = value.__reduce_ex__(4)
        if made is None:
            self.unknown.add(type(value).__name__)
        elif isinstance(made, str):
            self.write("named", made.encode())
        else:
            _, arguments, state, items, pairs = (*made, None, None, None)[:5]
            self.all("made of", arguments)
            for part in state if isinstance(state, tuple) else (state,):
                self.add(_without_memory(value, part) if isinstance(part, dict) else part)
            self.all("items", items or ())
            self.all("pairs", (part for pair in pairs or () for part in pair))


def _without_memory(value: Any, state: dict) -> dict:
    """An object's attributes in the order of their names, without what it remembers from call to call."""
    memory = {name for kind in type(value).__mro__ for name, part in vars(kind).items()
              if isinstance(part, functools.cached_property)}
    if all(inspect.getattr_static(value, name, None) for name in ("state_dict", "load_state_dict")):
        memory |= {f"{mark}{name}" for name in value.state_dict() for mark in ("", "_")}
    return dict(sorted(((name, part) for name, part in state.items() if name not in memory), key=lambda it: str(it[0])))


def _names_of(code: types.CodeType) -> tuple[set[str], set[str]]:
    """The globals that a function's code reads, and the outer names that it assigns; functions in it included."""
    read, changed = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            read.add(step.argval)
        elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL") \
                or (step.opname in ("STORE_DEREF", "DELETE_DEREF") and step.argval in code.co_freevars):
            changed.add(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found = _names_of(inner)
            read, changed = read | found[0], changed | (found[1] - set(code.co_cellvars))
    return read, changed


@cache
def _of_a_library(name: str) -> bool:
    """True for a module that nobody edits between two runs: Python's own, the kit's, an installed one."""
    top = name.partition(".")[0]
    if top == "__main__":
        return False
    if top in ("rlhf_kit", "builtins") or top in sys.stdlib_module_names:
        return True
    place = getattr(sys.modules.get(top), "__file__", None) or ""
    return bool({"site-packages", "dist-packages"} & set(place.split(os.sep)))


def _name(of: type | types.FunctionType) -> str:
    """Module and name; what stood in a file that is a folder now, as if it still did."""
    module = next((old for old in WAS_A_FILE if str(of.__module__).startswith(f"{old}.")), of.__module__)
    return f"{module}.{of.__qualname__}"
