"""The reader's language: which one it is, the sentences of the interface in it, and the word that was meant."""

from __future__ import annotations

import difflib
import locale
import os
import shlex
import subprocess
import tomllib
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from string import Formatter
from typing import Literal

Lang = Literal["en", "zh"]
LANGS: tuple[Lang, ...] = ("en", "zh")


def counted(n: int, one: str, many: str = "") -> str:
    """A count with its English noun: "1 row", "2,000 rows"."""
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def typed(words: Iterable[object], windows: bool = os.name == "nt") -> str:
    """A command as one types it into the shell of this system: what holds spaces is in quotes that the shell knows."""
    words = [str(word) for word in words]
    return subprocess.list2cmdline(words) if windows else shlex.join(words)


def system_language() -> Lang:
    """Chinese if the system speaks it, else English; looks where POSIX programs look, then asks the platform."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANGUAGE", "LANG"):
        if value := os.environ.get(name, ""):
            return "zh" if value.lower().startswith("zh") else "en"
    return "zh" if (locale.getlocale()[0] or "").lower().startswith(("zh", "chinese")) else "en"


def say(lang: Lang, key: str, **values: object) -> str:
    """The sentence of that key, with its `{fields}` filled in; an unknown key is a bug and raises KeyError."""
    return _FORMATTER.format(sentences(lang)[key], **values) if values else sentences(lang)[key]


class Agreeing(Formatter):
    """`str.format`, in which words agree with a count: "{n} {n:row is|rows are}" is "1 row is" and "2 rows are"."""

    def format_field(self, value: object, spec: str) -> str:
        """One field as `format` has it, or the one of two words that its count takes."""
        one, bar, many = spec.partition("|")
        return (one if str(value) == "1" else many) if bar else super().format_field(value, spec)


_FORMATTER = Agreeing()


@cache
def sentences(lang: Lang) -> dict[str, str]:
    """Every sentence of one language."""
    return tomllib.loads((files("rlhf_kit") / "data" / "messages.toml").read_text(encoding="utf-8"))[lang]


@cache
def fault_words(lang: Lang) -> dict[str, dict[str, str]]:
    """Of each fault of the gallery its title, symptom, mend, and the sentence of its evidence, with `{fields}`."""
    return tomllib.loads((files("rlhf_kit") / "data" / "faults.toml").read_text(encoding="utf-8"))[lang]


@cache
def lesson_sentences(lesson: str) -> dict[str, dict[str, str]]:
    """What a lesson says of its numbers, "en" and "zh", and "labels": the words of its pictures -> the Chinese ones.

    Labels that many lessons share, under "plots", are among them. A lesson without a table says nothing.
    """
    shared, own = (_lesson_table(name) for name in ("plots", lesson))
    return {"en": {}, "zh": {}, **own, "labels": {**shared["labels"], **own.get("labels", {})}}


def _lesson_table(name: str) -> dict[str, dict[str, str]]:
    file = files("rlhf_kit") / "data" / "lessons" / f"{name}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known name that is most like it, case and the kind of stroke aside; None if none is."""
    plain = {one.casefold().replace("_", "-"): one for one in known}
    found = difflib.get_close_matches(name.casefold().replace("_", "-"), plain, n=1, cutoff=cutoff)
    return plain[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question with a space behind it, or nothing."""
    near = nearest(name, known)
    return f"Did you mean {near}? " if near else ""


def some_of(names: str | Iterable[str] | None, known: Iterable[str], option: str) -> tuple[str, ...]:
    """Those of the known names that are asked for, in the order in which they are known; None: all.

    Args: names: some of them, or one text with commas between. option: for the message.
    Raises: ValueError, one line, for another name.
    """
    known = tuple(known)
    if isinstance(names, str):
        names = [name.strip() for name in names.split(",")]
    asked = known if names is None else tuple(names)
    for name in asked:
        if name not in known:
            raise ValueError(f"{option} names {name!r}, which is none of them. {did_you_mean(name, known)}There are "
                             f"{', '.join(known)}.")
    return tuple(name for name in known if name in asked)
