"""Nothing half-written: files and folders appear whole or not at all, and say so when they cannot."""

from __future__ import annotations

import errno
import glob
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout
from safetensors import SafetensorError, safe_open

MANIFEST = "manifest.json"
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
            os.replace(temporary, path)


def write_json_lines(path: Path | str, rows: list[dict]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


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
            os.replace(temporary, path)


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
    with _explained(other), tempfile.TemporaryDirectory(prefix=f".{other.name}-", dir=other.parent,
                                                        ignore_cleanup_errors=True) as own:
        temporary = Path(own) / other.name
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)
        os.replace(temporary, other)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """Fill a folder beside `path`, then rename it there; its manifest, written last, says that it is complete.

    A process killed on the way leaves nothing under the final name. An older folder of that name is replaced.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            temporary.chmod(0o777 & ~_UMASK)
            yield temporary
            (temporary / MANIFEST).unlink(missing_ok=True)       # of a folder that this one is a copy of
            files = [f for f in sorted(temporary.rglob("*")) if f.is_file()]
            for file in files:
                file.chmod(0o666 & ~_UMASK)                      # safetensors makes files that only their owner reads
            sizes = {str(f.relative_to(temporary)): f.stat().st_size for f in files}
            _write(temporary / MANIFEST, json.dumps({"files": sizes}, indent=1).encode())
            _put_in_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def is_complete(path: Path | str) -> bool:
    """True if `path` was written by `new_folder` to its end and still has every file at its size."""
    try:
        sizes = json.loads((Path(path) / MANIFEST).read_text(encoding="utf-8"))["files"].items()
        return all((Path(path) / name).stat().st_size == size for name, size in sizes)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):    # a file is missing, or no manifest of ours
        return False


def save_tensors(path: Path | str, tensors: dict, about: dict) -> None:
    """One safetensors file with `about` (JSON) in its header: a whole state in a single atomic file.

    It is written in a folder of its own, because `save_file` works in a file of another name, which a kill leaves.
    """
    from safetensors.torch import save_file
    path, said = Path(path), json.dumps(about, ensure_ascii=False)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent, ignore_cleanup_errors=True) as own:
            temporary = Path(own) / path.name
            save_file(contiguous, temporary, metadata={"about": said, "crc32": _checksum(contiguous, said)})
            temporary.chmod(0o666 & ~_UMASK)                               # save_file makes it private
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)


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
    path = Path(path)
    for left in path.parent.glob(f".{glob.escape(path.name)}-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


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


def _write(path: Path | str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(new: Path, path: Path) -> None:
    """Rename folder `new` to `path`; the older folder there goes only when the new one has arrived."""
    old = new.with_name(f"{new.name}-old")
    if path.is_dir():
        os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        if old.exists():
            os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _sibling(path: Path) -> Iterator[str]:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
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
