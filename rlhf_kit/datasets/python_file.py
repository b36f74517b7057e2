"""A person's own Python file: a function or class in it, by "my_file.py:name". The file is run, as an import would."""

from __future__ import annotations

import re
import runpy
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLACE = re.compile(r".+\.py:[^:]*")


def is_place(text: str) -> bool:
    """True if it looks like a place in a Python file."""
    return PLACE.fullmatch(text) is not None


def object_in(place: str, what: str, kind: str, example: str, written: str,
              error: type[ValueError] = ValueError) -> tuple[Callable, bytes]:
    """What is called so in the file, and the file's content.

    Args:
        place: such as "my_reward.py:reward".
        what, kind, example, written: for messages: "reward", "function", "my_reward.py:reward", and how one writes
            one, with {name}: "def {name}(prompts, responses)".
        error: what is raised, with one line that names the line of the file where it went wrong.
    """
    path, _, name = place.rpartition(":")
    if not path or not name.isidentifier():
        raise error(f"the {what} is {place!r}; expected a file and a {kind} in it, such as {example}.")
    try:
        source = Path(path).read_bytes()
        module = _run(path)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}. Expected a Python file with "
                    f"{written.format(name=name)}.") from problem
    except (Exception, SystemExit) as problem:              # whatever a person's own file may raise
        raise error(f"{where(problem, path)}: {told(problem)}. Mend it and try again.") from problem
    found = module.get(name)
    if not callable(found):
        there = ", ".join(sorted(n for n, value in module.items() if callable(value) and n[0] != "_")) or "none"
        raise error(f"{path} has no {kind} {name!r}; it has {there}. Write {written.format(name=name)}.")
    return found, source


def _run(path: str) -> dict[str, Any]:
    """What the file defines. As beside a script that is started, the files of its folder can be imported."""
    folder = str(Path(path).resolve().parent)
    sys.path.insert(0, folder)
    try:
        return runpy.run_path(path, run_name=Path(path).stem)
    finally:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)                         # for what it imports when it is called; nothing is hidden


def where(error: BaseException, path: str) -> str:
    """The line of the user's own file where it happened."""
    if isinstance(error, SyntaxError) and error.filename == path:
        return f"{path} line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f"{path} line {lines[-1]}" if lines else path


def told(error: BaseException) -> str:
    """What it says of itself; a syntax error would name its place once more."""
    said = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
