"""Settings by name: a name that is none, or a value of another kind, gets one line that says what was meant."""

from __future__ import annotations

import functools
import numbers
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from rlhf_kit.language import did_you_mean

Record = TypeVar("Record", bound=type)

KINDS: dict[str, tuple[type, str]] = {      # annotation, without "| None" -> what a value must be, in words
    "int": (numbers.Integral, "a whole number, such as 8"), "float": (numbers.Real, "a number, such as 0.5"),
    "bool": (object, "True or False"), "str": (str, "a text"),
}


def spelled(record: Record) -> Record:
    """A dataclass that refuses what it does not know in words: `@spelled` above `@dataclass`.

    Raises, instead of what Python would say:
        TypeError for a name that is no field, with the nearest; ValueError for a number where a record is expected
        (kl=0.04), or for anything but a number where one is.
    """
    plain, known = record.__init__, {field.name: field for field in fields(record) if field.init}

    @functools.wraps(plain)
    def __init__(self: Any, *values: Any, **named: Any) -> None:
        for name in named:
            if name not in known:
                raise TypeError(f"{record.__qualname__} has no setting {name!r}. {did_you_mean(name, known)}It has "
                                f"{', '.join(known)}.")
        for name, value in {**dict(zip(known, values, strict=False)), **named}.items():
            _check(record, name, value, known[name])
        plain(self, *values, **named)
    record.__init__ = __init__
    return record


def given(config: Any, record: Record) -> Any:
    """The settings that a loop was given, or its own where there are none. Raises: ValueError for anything else."""
    if config is None:
        return record()
    if not isinstance(config, record):
        name = f"{record.__module__.rpartition('.')[2]}.{record.__qualname__}"
        like = "(...)" if not isinstance(config, dict) else "(**settings)"
        raise ValueError(f"config is {' '.join(repr(config).split())[:60]}; expected settings of this method, "
                         f"kit.{name}{like}.")
    return config


def _check(record: type, name: str, value: Any, field: Any) -> None:
    kind, *or_none = str(field.type).split(" | ")
    if (value is None and or_none == ["None"]) or (or_none and or_none != ["None"]):
        return
    expected, words = KINDS.get(kind, (object, ""))
    if kind == "bool" and not isinstance(value, bool | numbers.Integral):
        raise ValueError(f"{name} is {value!r}; expected {words}.")
    if not isinstance(value, expected):
        raise ValueError(f"{name} is {value!r}; expected {words}.")
    whole = type(field.default_factory()) if callable(field.default_factory) else type(field.default)
    if whole.__name__ == kind and is_dataclass(whole) and not isinstance(value, whole):
        first = fields(whole)[0].name
        like = f"{kind}({first}={value})" if isinstance(value, numbers.Real) else f"{kind}({first}=...)"
        raise ValueError(f"{name} is {value!r}; expected a record of settings, {name}=kit.{like}.")
