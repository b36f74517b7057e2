"""Nothing half-written: files and folders appear whole or not at all, and say so when they cannot."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open

MANIFEST = "manifest.json"
_UMASK = os.umask(0)                     # the only way to ask is to set it; temporary files ignore it
os.umask(_UMASK)


class StorageError(OSError):
    """A file could not be written or a saved state cannot be read; the message is one line for the user."""


def write_text(path: Path | str, text: str) -> None:
    """Write `text` as UTF-8 so that `path` holds either the old content or the new, never a part."""
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with _sibling(path) as temporary:
            with open(temporary, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)


def write_json_lines(path: Path | str, rows: list[dict]) -> None:
    """Write one JSON object a line, atomically."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


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
            write_text(temporary / MANIFEST, json.dumps({"files": sizes}, indent=1))
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
    """One safetensors file with `about` (JSON) in its header: a whole state in a single atomic file."""
    from safetensors.torch import save_file
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        contiguous = {name: tensor.detach().contiguous().clone() for name, tensor in tensors.items()}
        with _sibling(path) as temporary:
            save_file(contiguous, temporary, metadata={"about": json.dumps(about, ensure_ascii=False)})
            os.chmod(temporary, 0o666 & ~_UMASK)                           # save_file put a private file in its place
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)


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
            about = json.loads((file.metadata() or {})["about"])
            return {name: file.get_tensor(name).clone() for name in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError, OSError) as error:
        raise StorageError(f"{path} cannot be read as a saved state ({_first_line(error)}). "
                           f"Delete it to start that part again.") from error


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
    except OSError as error:
        if error.errno is None:                                  # not the disk's: a message of somebody above us
            raise
        raise StorageError(f"{path} cannot be written: {error.strerror or error}. "
                           f"What was there before is unchanged; choose another folder or free some space."
                           ) from error
    except SafetensorError as error:                             # how safetensors reports a full disk
        raise StorageError(f"{path} cannot be written: {_first_line(error)}. "
                           f"What was there before is unchanged.") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
