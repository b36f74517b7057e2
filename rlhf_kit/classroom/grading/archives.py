"""What lies in a folder or a zip of hand-ins, and in the zips in it: in memory, bounded, never unpacked to the disk."""

from __future__ import annotations

import io
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from rlhf_kit.classroom.grading.cells import LARGEST_FILE, Unreadable

DEEPEST = 3                                                 # a zip in a zip in a zip
INDEX = 4 * 2**20                                           # bytes of a zip's list of files: some 40,000 names
FILES = 2_000                                               # that one student's zips may hold, all together
ALL_BYTES = 3 * LARGEST_FILE                                # that one student's zips may become, all together
NAMELESS = "?"                                              # a file without a name, or what a closed folder holds
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError,
          OverflowError, MemoryError)                       # what `zipfile` raises


@dataclass(frozen=True)
class Found:
    """One file, at any depth."""

    path: tuple[str, ...]           # names of folders, zips and the file, from the outside in
    when: datetime | None           # last written
    source: str                     # where `when` is from: "zip", "disk"
    read: Callable[[], bytes]       # its content; raises Unreadable
    link: bool = False              # not a file of its own
    place: Path | None = None       # on the disk


@dataclass
class Allowance:
    """What the zips of one student may still hold."""

    files: int = FILES
    bytes: int = ALL_BYTES

    def take(self, n: int) -> None:
        self.bytes -= n
        if self.bytes < 0:
            raise Unreadable("grade_zip_too_large", limit=ALL_BYTES // 2**20)


def walk(place: Path, opened: ExitStack) -> Iterator[Found]:
    """Every file in a folder, or in a zip that a platform gave; zips among them stay closed: see `inside`.

    Args: opened: closes what stays open to be read from.
    """
    if place.is_file():
        yield from _of_a_class((), place, opened)
        return
    closed: list[OSError] = []
    for folder, folders, names in os.walk(place, onerror=closed.append):
        folders.sort()
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in [*sorted(names), *links]:
            yield _of_disk(Path(folder, name), place)
    for error in closed:                                    # a folder that we may not look into is somebody's, too
        yield Found((*Path(error.filename).relative_to(place).parts, NAMELESS), None, "disk", _refusing(error))


def _refusing(error: OSError) -> Callable[[], bytes]:
    def read() -> bytes:
        raise Unreadable("grade_cannot_be_read", why=error.strerror or type(error).__name__) from error
    return read


def inside(found: Found, allowance: Allowance | None = None, depth: int = 1) -> Iterator[Found]:
    """Every file in a student's zip, at its path. Raises: Unreadable for one that is damaged, locked or too large.

    A zip in it comes closed, as everything else; who opens it hands the allowance on, and says how deep it lies.
    """
    if depth > DEEPEST:
        raise Unreadable("grade_zip_too_deep", limit=DEEPEST)
    yield from _of_zip(found.path, io.BytesIO(found.read()), allowance or Allowance(), INDEX)


def of_a_class(found: Found, opened: ExitStack) -> Iterator[Found]:
    """Every file in a zip on the disk that a platform made of all hand-ins, as large as it may be."""
    if found.place:
        yield from _of_a_class(found.path, found.place, opened)


def is_zip(name: str) -> bool:
    return name.lower().endswith(".zip")


def clean(name: str) -> tuple[str, ...]:
    """The parts of a name inside a zip: a label, never a place on a disk. `../../a` is `a`."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return tuple(part[:255] for part in parts if part not in ("/", "..", ".") and not part.endswith(":"))[-20:]


def _of_disk(path: Path, place: Path) -> Found:
    try:
        info = path.lstat()
        when, plain = datetime.fromtimestamp(info.st_mtime), stat.S_ISREG(info.st_mode)
    except (OSError, OverflowError, ValueError):
        when, plain = None, False

    def read() -> bytes:
        if not plain:
            raise Unreadable("grade_link")
        try:
            with open(path, "rb") as file:
                return _bounded(file.read(LARGEST_FILE + 1))
        except OSError as error:
            raise Unreadable("grade_cannot_be_read", why=error.strerror or type(error).__name__) from error
    return Found(path.relative_to(place).parts, when, "disk", read, not plain, path)


def _of_a_class(path: tuple[str, ...], place: Path, opened: ExitStack) -> Iterator[Found]:
    try:
        file = opened.enter_context(open(place, "rb"))      # noqa: SIM115
    except OSError as error:
        raise Unreadable("grade_cannot_be_read", why=error.strerror or type(error).__name__) from error
    yield from _of_zip(path, file, Allowance(10**6, 2**40), 4 * INDEX)


def _of_zip(path: tuple[str, ...], content: BinaryIO, allowance: Allowance, index: int) -> Iterator[Found]:
    try:
        file = _Careful(content, index)
        book = zipfile.ZipFile(file)
        file.opening = False
    except BROKEN as error:
        raise Unreadable("grade_zip_damaged") from error
    for info in book.infolist():
        if info.filename.endswith("/"):                     # is_dir() stumbles over a file without a name
            continue
        allowance.files -= 1
        if allowance.files < 0:
            raise Unreadable("grade_zip_too_many", limit=FILES)
        yield Found((*path, *(clean(_name(info)) or (NAMELESS,))), _when(info), "zip", _reader(book, info, allowance))


def _reader(book: zipfile.ZipFile, info: zipfile.ZipInfo, allowance: Allowance) -> Callable[[], bytes]:
    def read() -> bytes:
        if info.flag_bits & 1:
            raise Unreadable("grade_zip_locked")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):    # others may ask for any memory
            raise Unreadable("grade_zip_damaged")
        try:
            with book.open(info) as file:                   # what its list says of its size may be a lie
                content = _bounded(file.read(LARGEST_FILE + 1))
        except Unreadable:
            raise
        except BROKEN as error:
            raise Unreadable("grade_zip_damaged") from error
        allowance.take(len(content))
        return content
    return read


def _bounded(content: bytes) -> bytes:
    if len(content) > LARGEST_FILE:
        raise Unreadable("grade_too_large", limit=LARGEST_FILE // 2**20)
    return content


def _when(info: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*info.date_time) if info.date_time > (1980, 1, 1, 0, 0, 0) else None
    except ValueError:
        return None


def _name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: without the mark for UTF-8, Chinese Windows writes GBK, and others UTF-8 anyway."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        told = info.orig_filename.encode("cp437")
    except UnicodeEncodeError:
        return info.filename
    for encoding in ("utf-8", "gb18030"):
        try:
            return told.decode(encoding)
        except UnicodeDecodeError:
            continue
    return info.filename


class _Careful:
    """A zip whose list of files is not read if it is longer than anybody's homework."""

    def __init__(self, file: BinaryIO, limit: int) -> None:
        self.file, self.limit, self.opening = file, limit, True
        self.seek, self.tell, self.seekable, self.close = file.seek, file.tell, file.seekable, file.close

    def read(self, size: int = -1) -> bytes:
        if self.opening and size > self.limit:
            raise zipfile.BadZipFile("its list of files is too long")
        return self.file.read(size)
