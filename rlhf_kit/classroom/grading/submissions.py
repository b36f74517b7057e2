"""From a folder of handed-in files to students and the code in their cells; nothing is run or parsed as Python here."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

KINDS = (".ipynb", ".py")
LARGEST_FILE, LARGEST_CODE = 200 * 2**20, 2 * 2**20        # bytes; outputs may be large, code is not


class Unreadable(ValueError):
    """A file that cannot be graded; the message says what is wrong with it."""


@dataclass(frozen=True)
class Submission:
    """One file of one student."""

    student: str                    # the folder that it lies in, or else the name of the file
    file: str                       # path inside the folder of submissions
    cells: tuple[str, ...] = ()     # code only
    problem: str = ""               # why there are none


def collect(folder: Path, lesson: str) -> list[Submission]:
    """Every submission, by student.

    `folder/ana.ipynb` is Ana's, and so is `folder/ana/01.ipynb`, at any depth. Where a student's folder holds several
    files and some begin with the number of the lesson, only those count. Hidden files are passed over.

    Raises: ValueError if there is nothing to grade.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder. Give the folder with the notebooks that were handed in.")
    found: dict[str, list[Path]] = defaultdict(list)
    for path in _files(folder):
        inside = path.relative_to(folder)
        found[inside.parts[0] if len(inside.parts) > 1 else path.stem].append(path)
    if not found:
        raise ValueError(f"{folder} holds no {' or '.join(KINDS)} file. Expected one for each student, or a folder "
                         f"for each student with one in it.")
    chosen = [(student, path) for student, paths in found.items() for path in _of_lesson(paths, lesson)]
    return sorted((_read(student, path, folder) for student, path in chosen), key=lambda s: (s.student, s.file))


def twice(submissions: Sequence[Submission]) -> dict[str, list[str]]:
    """Students with more than one file, names compared as people read them, with the files."""
    files: dict[str, list[Submission]] = defaultdict(list)
    for submission in submissions:
        files[unicodedata.normalize("NFKC", submission.student).casefold().strip()].append(submission)
    return {group[0].student: [s.file for s in group] for group in files.values() if len(group) > 1}


def cells_of(path: Path) -> tuple[str, ...]:
    """The code of a notebook or a script, cell by cell. Raises: Unreadable."""
    if path.stat().st_size > LARGEST_FILE:
        raise Unreadable(f"larger than {LARGEST_FILE // 2**20} MiB; clear its outputs")
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    cells = _of_script(text) if path.suffix.lower() == ".py" else _of_notebook(text)
    if sum(map(len, cells)) > LARGEST_CODE:
        raise Unreadable(f"more than {LARGEST_CODE // 2**20} MiB of code")
    return cells


def _files(folder: Path) -> list[Path]:
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        found += [Path(place, name) for name in sorted(names)
                  if name.lower().endswith(KINDS) and not name.startswith(".")]
    return found


def _of_lesson(paths: list[Path], lesson: str) -> list[Path]:
    return [path for path in paths if path.name.startswith(lesson)] or paths if len(paths) > 1 else paths


def _read(student: str, path: Path, folder: Path) -> Submission:
    file = str(path.relative_to(folder))
    try:
        if path.is_symlink() or not path.is_file():
            raise Unreadable("not a file of its own but a link or a device")
        return Submission(student, file, cells_of(path))
    except (Unreadable, OSError) as error:
        return Submission(student, file, problem=str(error))


def _of_script(text: str) -> tuple[str, ...]:
    return tuple(cell for cell in re.split(r"^# ?%%.*$", text, flags=re.M) if cell.strip())


def _of_notebook(text: str) -> tuple[str, ...]:
    if not text.strip():
        return ()
    try:
        book = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not a notebook: {type(error).__name__}") from error
    if not isinstance(book, dict) or not isinstance(book.get("cells"), list):
        raise Unreadable("not a notebook of format 4; open it in Jupyter and save it again")
    return tuple(_source(cell) for cell in book["cells"] if isinstance(cell, dict) and cell.get("cell_type") == "code")


def _source(cell: dict) -> str:
    source = cell.get("source", "")
    return source if isinstance(source, str) else "".join(map(str, source)) if isinstance(source, list) else ""
