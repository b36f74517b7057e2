"""Nothing half-written: files and folders appear whole or not at all, and say so when they cannot."""

from __future__ import annotations

import ctypes
import errno
import filecmp
import glob
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

MANIFEST = "manifest.json"               # of a folder that the kit wrote whole: its files and their sizes
LEDGER = ".rlhf-kit.json"                # in a folder of somebody's: what the kit wrote there
PATIENCE = 5.0                           # seconds that somebody may read what Windows is to replace
UNFINISHED, PREVIOUS = ".unfinished", ".previous"       # how temporary names end: nobody's own file is called so
_TEMPORARY = re.compile(rf"\..+-[a-z0-9_]{{8}}({re.escape(UNFINISHED)}|{re.escape(PREVIOUS)})")
_UMASK = os.umask(0)                     # the only way to ask is to set it; temporary files ignore it
os.umask(_UMASK)


class StorageError(OSError):
    """A file could not be written or a saved state cannot be read; the message is one line for the user."""


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 so that `path` holds either the old content or the new, never a part."""
    write_bytes(path, text.encode())


def write_bytes(path: Path | str, content: bytes) -> None:
    """The same for bytes, such as a picture's."""
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _sibling(path) as temporary:
            _write(temporary, content)
            _replace(temporary, path)


def write_json_lines(path: Path | str, rows: list[dict]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, json_lines(rows))


def json_lines(rows: Sequence[dict]) -> str:
    """One JSON object a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@contextmanager
def new_file(path: Path | str) -> Iterator[BinaryIO]:
    """Fill a file piece by piece; it has its name once all of it is on the disk."""
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _sibling(path) as temporary:
            with open(temporary, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _replace(temporary, path)


def add_line(path: Path | str, row: dict) -> None:
    """Add one JSON object as a line, which is on the disk when this returns; a full disk leaves none of it.

    A process killed meanwhile leaves a part of the line, without the line break.
    """
    path, line = Path(path), f"{json.dumps(row, ensure_ascii=False)}\n".encode()
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "ab", buffering=0) as file:
            before = file.tell()
            try:
                if file.write(line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(before)
                raise


def same_file_as(path: Path | str, other: Path | str) -> None:
    """Give the file `path` a second name, which keeps its content when `path` is written anew.

    A link where the disk has links, which costs nothing; else a copy. What `other` was before goes.
    """
    path, other = Path(path), Path(other)
    with _explained(other), tempfile.TemporaryDirectory(prefix=f".{other.name}-", suffix=UNFINISHED,
                                                        dir=other.parent, ignore_cleanup_errors=True) as own:
        temporary = Path(own) / other.name
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)
        _replace(temporary, other)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """Fill a folder beside `path`, then exchange the two; its manifest, written last, says that it is complete.

    A process killed on the way leaves the older folder, or none, under that name. Of an older folder goes what its
    manifest lists; all else in it is kept, under another name (`notes.txt.kept`) where the new folder has its own.

    Raises: StorageError, before anything is written, for what `check_new_folder` refuses.
    """
    path = _place(path)
    check_new_folder(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", suffix=UNFINISHED, dir=path.parent))
        try:
            temporary.chmod(0o777 & ~_UMASK)
            yield temporary
            (temporary / MANIFEST).unlink(missing_ok=True)       # of a folder that this one is a copy of
            files = [f for f in sorted(temporary.rglob("*")) if f.is_file()]
            for file in files:
                file.chmod(0o666 & ~_UMASK)                      # safetensors makes files that only their owner reads
            sizes = {f.relative_to(temporary).as_posix(): f.stat().st_size for f in files}
            _write(temporary / MANIFEST, _manifest(sizes))
            _put_in_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def check_new_folder(path: Path | str) -> None:
    """Whether `new_folder` may write there, to be asked before time is spent on what would go into it.

    Raises: StorageError, one line, for a folder with files that the kit did not write, for a file, for the folder
    that somebody works in, for a mounted disk, and for what cannot be written to.
    """
    path = _place(path)
    _recover(path)
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    above = there if there != path else path.parent
    if not there.is_dir():
        raise StorageError(f"{path} cannot be written: {there} is a file. Name another folder.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise StorageError(f"{path} cannot be written: {above} is read-only for you. Name another folder.")
    if there != path:
        return
    if os.path.ismount(path) or Path.cwd().is_relative_to(path.resolve()):
        seen = "a disk of its own" if os.path.ismount(path) else "the folder that you are in, or above it"
        raise StorageError(f"{path} is {seen}, and a model's folder is replaced as a whole. Name a folder inside it.")
    others = [entry.name for entry in path.iterdir() if not entry.name.startswith(".")]
    if others and _listed(path) is None:
        raise StorageError(f"{path} holds files that the kit did not write ({min(others)}), and a model's folder is "
                           f"replaced as a whole. Name a new or empty folder.")


def is_complete(path: Path | str) -> bool:
    """True if `path` was written by `new_folder` to its end and still has every file at its size."""
    path = Path(path)
    if not path.exists():
        _recover(path)
    try:
        sizes = json.loads((path / MANIFEST).read_text(encoding="utf-8"))["files"].items()
        return bool(sizes) and all((path / name).stat().st_size == size for name, size in sizes)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):    # a file is missing, or no manifest of ours
        return False


def written(folder: Path | str, names: Sequence[str] = ()) -> list[Path]:
    """The files in `folder` that the kit wrote: those that a manifest lists there or further down, and those of these
    names (`after-*.safetensors`). What else lies there is somebody's own."""
    folder, found = Path(folder), []
    for place, _, files in os.walk(folder):
        place = Path(place)
        found += [place / name for name in _listed(place) or () if (place / name).is_file()]
        found += [place / name for name in files if any(fnmatch(name, pattern) for pattern in names)]
    return list(dict.fromkeys(found))


def remove(folder: Path | str, names: Sequence[str] = ()) -> None:
    """Delete what the kit wrote in `folder` (see `written`), and the folder if nothing else is in it.

    Somebody's own files stay where they are, and the folder may be written anew around them. Killed on the way, it can
    be done again: manifests go last.
    """
    folder = Path(folder)
    manifests = [Path(place) for place, _, _ in os.walk(folder) if _listed(Path(place)) is not None]
    for file in written(folder, names):
        file.unlink(missing_ok=True)
    for place, folders, files in os.walk(folder):
        for name in filter(_TEMPORARY.fullmatch, (*folders, *files)):
            _discard(Path(place, name))
    for place in manifests:
        others = any(entry.name != MANIFEST for entry in place.iterdir() if not _empty(entry))
        if _readable_manifest(place):
            if others:
                write_bytes(place / MANIFEST, _manifest({}))
            else:
                (place / MANIFEST).unlink(missing_ok=True)
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):                                  # what is not empty stays
            os.rmdir(place)


def check_replaces(path: Path | str, begins: str) -> None:
    """Whether a file that is there already begins as those that the kit writes in its place.

    Raises: StorageError, one line, for another file: it is somebody's own.
    """
    path = Path(path)
    if path.is_file() and path.stat().st_size:
        with open(path, "rb") as file:
            if file.read(len(begins.encode())) != begins.encode():
                raise StorageError(f"{path} is there already and is not what the kit writes there. Move it away, or "
                                   f"name another file.")


def write_files(folder: Path | str, files: Mapping[str, str]) -> list[Path]:
    """Write texts, by name, into a folder in which other things may lie; returns their paths.

    Only what the kit wrote itself, and nobody has changed since, is replaced; `.rlhf-kit.json` there remembers it.
    Raises: StorageError, before anything is written, if another file has one of these names.
    """
    folder = Path(folder)
    known = _ledger(folder)
    for name, text in files.items():
        place, now = folder / name, hashlib.sha256(text.encode()).hexdigest()
        if place.is_dir():
            raise StorageError(f"{place} is a folder, and a file is to be written there. Name another folder.")
        there = _digest(place) if place.exists() else now
        if there not in (now, *known.get(name, ())):
            raise StorageError(f"{place} is there already and is not, or no longer, what the kit wrote. Move it away, "
                               f"or name another folder.")
        known[name] = list(dict.fromkeys((there, now)))          # both, for a kill may come before it is written
    write_text(folder / LEDGER, json.dumps({"files": known}, indent=1, ensure_ascii=False) + "\n")
    for name, text in files.items():
        write_text(folder / name, text)
    return [folder / name for name in files]


def save_tensors(path: Path | str, tensors: dict, about: dict) -> None:
    """One safetensors file with `about` (JSON) in its header: a whole state in a single atomic file.

    It is written in a folder of its own, because `save_file` works in a file of another name, which a kill leaves.
    """
    from safetensors.torch import save_file
    path, said = Path(path), json.dumps(about, ensure_ascii=False)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", suffix=UNFINISHED, dir=path.parent,
                                         ignore_cleanup_errors=True) as own:
            temporary = Path(own) / path.name
            save_file(contiguous, temporary, metadata={"about": said, "crc32": _checksum(contiguous, said)})
            temporary.chmod(0o666 & ~_UMASK)                               # save_file makes it private
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            _replace(temporary, path)


@contextmanager
def alone(lock: Path, busy: str) -> Iterator[None]:
    """Keep other processes out while the file `lock` is held; the system lets go of it when a process dies.

    Raises: StorageError with the text `busy` for whoever comes meanwhile.
    """
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise StorageError(busy) from error
    try:
        yield
    finally:
        held.release()


def sweep(path: Path | str) -> None:
    """Remove what processes that were killed while they wrote `path` left beside it under a temporary name.

    For whoever is alone there: it would take a living process's unfinished file away too.
    """
    path = _place(path)
    _recover(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}-*{UNFINISHED}"):
        if _TEMPORARY.fullmatch(left.name):
            _discard(left)


def load_tensors(path: Path | str) -> tuple[dict, dict]:
    """The tensors and the JSON of a file made by `save_tensors`.

    Raises: StorageError in one line if the file is damaged or not ours.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}     # noqa: SIM118
        if said["crc32"] != _checksum(tensors, said["about"]):
            raise ValueError("its checksum says that it was changed")
        return tensors, json.loads(said["about"])
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise StorageError(f"{path} cannot be read as a saved state ({_first_line(error)}). "
                           f"Delete it to start that part again.") from error


def _checksum(tensors: dict, said: str) -> str:
    """CRC-32 of names, types, shapes, numbers and JSON: it finds what a bad disk did, at 3 GB a second."""
    import torch
    crc = zlib.crc32(said.encode())
    for name, tensor in sorted(tensors.items()):
        crc = zlib.crc32(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode(), crc)
        crc = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy(), crc)
    return f"{crc:08x}"


def _replace(source: Path | str, target: Path | str, windows: bool = os.name == "nt") -> None:
    """`os.replace`; on Windows, where what somebody reads in this moment cannot be replaced, again for a while."""
    until = time.monotonic() + (PATIENCE if windows else 0)
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.02)


def _write(path: Path | str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(new: Path, path: Path) -> None:
    """Give the finished folder `new` the name `path`; what is somebody's own in the older one there comes along."""
    if not path.is_dir():
        _replace(new, path)
        return
    _keep_others(path, new)
    if _exchange(new, path):
        _keep_others(new, path)                                  # what came in this moment
        return
    old = new.with_name(new.name.removesuffix(UNFINISHED) + PREVIOUS)
    try:
        _replace(path, old)
        _replace(new, path)
    except BaseException:                                        # Ctrl-C too; after a kill, `_recover` does it
        if old.exists() and not path.exists():
            _replace(old, path)
        raise
    _recover(path)


def _recover(path: Path) -> None:
    """Undo what a kill between two renames left: put the folder that was set aside back, or away if all was done."""
    with suppress(OSError):                                      # who may only read changes nothing
        for old in path.parent.glob(f".{glob.escape(path.name)}-*{PREVIOUS}"):
            if not _TEMPORARY.fullmatch(old.name):
                continue
            if path.exists():
                _keep_others(old, path)
                _discard(old)
            else:
                os.replace(old, path)


@cache
def _exchanger() -> Callable[[bytes, bytes], int] | None:
    """The system's call that swaps two names in one step, where it has one."""
    with suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":                              # renameat2(AT_FDCWD, ..., RENAME_EXCHANGE)
            call = libc.renameat2
            return lambda one, other: call(-100, one, -100, other, 2)
        call = libc.renamex_np                                   # macOS: RENAME_SWAP
        return lambda one, other: call(one, other, 2)
    return None


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders' names in one step that no kill can halve; False where the system or the disk cannot."""
    call = _exchanger()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM):
        return False
    raise OSError(number, os.strerror(number))


def _keep_others(old: Path, new: Path) -> None:
    """Bring what the manifest of `old` does not list over into `new`, by links where the disk has links."""
    listed = set(_listed(old) or ())
    if _readable_manifest(old):
        listed.add(MANIFEST)
    for place, folders, files in os.walk(old):
        inside = Path(place).relative_to(old)
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in (*files, *links):
            if str(inside / name) not in listed:
                _keep(Path(place, name), new, inside / name)
        for name in folders:
            if name not in links and not any(Path(place, name).iterdir()):
                with suppress(FileExistsError):
                    (new / inside / name).mkdir(parents=True)


def _keep(file: Path, folder: Path, name: Path) -> None:
    """Give a file a second name in a folder, `NAME.kept` if that one is taken by something else."""
    taken = next((part for part in reversed(name.parents) if part.name and (folder / part).exists()
                  and not (folder / part).is_dir()), None)
    if taken is not None:                                        # a file now, where a folder was
        name = Path(f"{taken}.kept", name.relative_to(taken))
    for number in range(1, 10_000):
        target = folder / (name if number == 1 else f"{name}.kept" if number == 2 else f"{name}.kept-{number - 1}")
        if not os.path.lexists(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(file, target, follow_symlinks=False)
            except (OSError, NotImplementedError):               # a disk without links
                if file.is_symlink():
                    os.symlink(os.readlink(file), target)
                else:
                    shutil.copy2(file, target)
            return
        if _same(file, target):
            return
    raise StorageError(f"{folder / name} is there in thousands of versions; move some of them away.")


def _same(one: Path, other: Path) -> bool:
    if one.is_symlink() or other.is_symlink():
        return one.is_symlink() and other.is_symlink() and os.readlink(one) == os.readlink(other)
    return one.is_file() and other.is_file() and (one.samefile(other) or filecmp.cmp(one, other, shallow=False))


def _manifest(sizes: dict[str, int]) -> bytes:
    return json.dumps({"files": sizes}, indent=1).encode()


def _readable_manifest(folder: Path) -> dict | None:
    """The manifest that `new_folder` left, if it is sound."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("files"), dict) else None


def _listed(folder: Path) -> list[str] | None:
    """The files of the kit in a folder, by its manifest; none if that is damaged. None if the folder has no manifest,
    or one of another program's. A name that leads out of the folder is nobody's."""
    if (found := _readable_manifest(folder)) is not None:
        inside = folder.resolve()
        return [os.path.normpath(name) for name in found["files"]
                if not os.path.isabs(name) and (folder / name).parent.resolve().is_relative_to(inside)
                and os.path.normpath(name) not in (".", "..")]
    if not (folder / MANIFEST).is_file():
        return None
    try:
        other = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return None if isinstance(other, dict) and "files" not in other else []


def _ledger(folder: Path) -> dict[str, list[str]]:
    """What the kit wrote into somebody's folder: name -> SHA-256 of what it was."""
    try:
        found = json.loads((folder / LEDGER).read_text(encoding="utf-8"))["files"]
        return {name: list(map(str, digests)) for name, digests in found.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _discard(left: Path) -> None:
    """Delete what has a temporary name of ours."""
    if left.is_dir() and not left.is_symlink():
        shutil.rmtree(left, ignore_errors=True)
    else:
        left.unlink(missing_ok=True)


def _empty(entry: Path) -> bool:
    """A folder in which, however deep, no file lies."""
    return entry.is_dir() and not entry.is_symlink() and not any(f for _, _, f in os.walk(entry))


def _place(path: Path | str) -> Path:
    """Where something is written: a link's target, so that the link stays; a path that ends with a name."""
    path = Path(path)
    return path.resolve() if path.is_symlink() or path.name in ("", "..") else path


@contextmanager
def _sibling(path: Path) -> Iterator[str]:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", suffix=UNFINISHED, dir=path.parent)
    os.close(handle)
    os.chmod(temporary, 0o666 & ~_UMASK)
    try:
        yield temporary
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except shutil.Error as error:                                # copytree's: a list of (source, target, why)
        raise _unwritten(path, str(error.args[0][0][-1])) from error
    except OSError as error:
        if error.errno is None:                                  # not the disk's: a message of somebody above us
            raise
        raise _unwritten(path, error.strerror or str(error)) from error
    except Exception as error:                                   # a full disk in Rust: tokenizers has no class for it
        if not isinstance(error, SafetensorError) and "(os error " not in str(error):
            raise
        raise _unwritten(path, _first_line(error)) from error


def _unwritten(path: Path, why: str) -> StorageError:
    return StorageError(f"{path} cannot be written: {why}. What was there before is unchanged; choose another folder "
                        f"or free some space.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
