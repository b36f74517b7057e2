"""Rows from wherever they are: a file of any kind, a folder of shards, a set on the hub, or rows in memory.

    read_source("pairs.parquet")            # .jsonl .json .csv .tsv .parquet .arrow .feather, text kinds also .gz
    read_source("data/")                    # every file of a folder that is of one kind; the part to train on, if
                                            # names tell
    read_source("owner/name")               # a set on the hub, or owner/name/folder of one
    read_source([{"prompt": ...}, ...])
"""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rlhf_kit.datasets.reading import FileError, Table, read_table, refused, shorten, tidy
from rlhf_kit.network import no_way_to_hub

Source = str | Path | Iterable[dict[str, Any]]

TEXT_KINDS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
BINARY_KINDS = (".parquet", ".arrow", ".feather")
MOST_FOLDERS = 4                        # below one that was named, from which shards are taken together
MOST_ROWS = 500_000                     # that are held in memory; what comes behind is left out, and that is said
_HUB = re.compile(r"[\w][\w.-]*/[\w.-]+(/[\w./-]+)?")
_TRAIN = re.compile(r"(^|[^a-z])train", re.IGNORECASE)
_OTHER = re.compile(r"(^|[^a-z])(test|valid|validation|dev|eval|heldout)([^a-z]|$)", re.IGNORECASE)
LLAMA_FACTORY = {"prompt": "prompt", "query": "input", "response": "response", "system": "system",
                 "history": "history", "messages": "messages", "chosen": "chosen", "rejected": "rejected",
                 "kto_tag": "label"}     # what its dataset_info.json calls the parts
_HIDDEN = ("dataset_info.json", "state.json", "dataset_dict.json", "config.json", "about.json")


@dataclass(frozen=True)
class Rows:
    """A table, and where it comes from."""

    name: str                           # for messages
    table: Table
    files: tuple[str, ...] = ()         # of a folder or a set, those that were read
    passed_over: tuple[str, ...] = ()   # and those that were not
    cut: bool = False                   # True if there are more than MOST_ROWS
    called: tuple[tuple[str, str], ...] = ()    # part -> column, as LLaMA-Factory's dataset_info.json beside it says


def read_source(source: Source) -> Rows:
    """The rows of it, in order. Raises: datasets.reading.FileError, one line."""
    if not isinstance(source, str | Path):
        return _memory(source)
    place = Path(source).expanduser()
    if place.is_dir() and str(source):
        return _many(str(source), *_shards(source, place))
    if place.exists() or not is_hub_name(source):
        table = _read_file(source, place)
        return Rows(str(source), _first(table), cut=len(table.rows) > MOST_ROWS, called=_described(place, table))
    return _many(str(source), *_from_hub(str(source)))


def is_hub_name(source: str | Path) -> bool:
    """True if it looks like a set on the hub and no file or folder of that name is here."""
    return (isinstance(source, str) and _HUB.fullmatch(source) is not None and not Path(source).exists()
            and _kind(Path(source)) == "")


def _memory(rows: Iterable[dict[str, Any]]) -> Rows:
    found = list(rows)
    odd = next((row for row in found if not isinstance(row, dict)), None)
    if not found or odd is not None:
        raise FileError(f"the data are {shorten(odd) if found else 'none at all'}; expected dictionaries such as "
                        f"{{'prompt': ..., 'chosen': ..., 'rejected': ...}}.")
    columns = tuple(dict.fromkeys(name for row in found for name in row))
    return Rows("the data", Table(columns, list(enumerate(found, 1)), [], "text in memory"))


def _kind(path: Path) -> str:
    """ ".jsonl" of "x.jsonl.gz"; "" for what is no file of rows."""
    name = path.name.lower().removesuffix(".gz")
    return next((kind for kind in (*TEXT_KINDS, *BINARY_KINDS) if name.endswith(kind)), "")


def _read_file(source: str | Path, place: Path) -> Table:
    try:
        with open(place, "rb") if place.is_file() else io.BytesIO() as file:
            head = file.read(6)
    except OSError as error:
        raise refused(source, f"cannot be read: {error.strerror or error}.") from error
    if head[:4] == b"PAR1" or head == b"ARROW1" or (_kind(place) in BINARY_KINDS and head):
        return _arrow_table(source, place, head)
    if head[:4] == b"PK\x03\x04":
        raise refused(source, "is a zip archive or a spreadsheet (.xlsx). Unpack it, or save it as CSV or JSON lines "
                              "in UTF-8.")
    if head[:4] == b"\x28\xb5\x2f\xfd":
        raise refused(source, "is packed with zstandard. Unpack it first: zstd -d.")
    return read_table(source)


def _arrow_table(source: str | Path, place: Path, head: bytes) -> Table:
    """A parquet file, or an Arrow file or stream, as it is saved by `datasets` and by pandas."""
    try:
        import pyarrow
        from pyarrow import ipc, parquet
    except ImportError as error:
        raise ValueError("pyarrow is not installed; parquet and arrow files need it. pip install \"rlhf-kit[scale]\", "
                         "or save the file as .jsonl.") from error
    try:
        if head[:4] == b"PAR1":
            table = parquet.read_table(place)
        else:
            with pyarrow.OSFile(str(place)) as file:
                table = (ipc.open_file(file) if head == b"ARROW1" else ipc.open_stream(file)).read_all()
    except (pyarrow.ArrowException, OSError) as error:
        raise refused(source, f"is a damaged {place.suffix[1:] or 'parquet'} file ({tidy(str(error))[:80]}). Fetch it "
                              f"again.") from error
    if not table.num_rows:
        raise refused(source, "has no rows.")
    rows = [{name: _plain(cell) for name, cell in row.items()} for row in table.slice(0, MOST_ROWS + 1).to_pylist()]
    return Table(tuple(table.column_names), list(enumerate(rows, 1)), [], "UTF-8")


def _plain(cell: Any) -> Any:
    """A cell as JSON would bring it: a dictionary of lists (`datasets`' old way with lists of records) is a list."""
    if isinstance(cell, dict) and cell and all(isinstance(value, list) for value in cell.values()):
        lengths = {len(value) for value in cell.values()}
        if len(lengths) == 1:
            return [dict(zip(cell, values, strict=True)) for values in zip(*cell.values(), strict=True)]
    return cell


def _described(place: Path, table: Table) -> tuple[tuple[str, str], ...]:
    """What a dataset_info.json beside the file calls its columns, where that is not what they are called anyway."""
    try:
        told = json.loads((place.parent / "dataset_info.json").read_text(encoding="utf-8-sig"))
        entry = next(one for one in told.values() if isinstance(one, dict) and one.get("file_name") == place.name)
        columns = entry["columns"].items()
    except (OSError, ValueError, RecursionError, StopIteration, KeyError, AttributeError):
        return ()
    return tuple((LLAMA_FACTORY[part], column) for part, column in columns
                 if part in LLAMA_FACTORY and column in table.columns)


def _first(table: Table) -> Table:
    if len(table.rows) <= MOST_ROWS:
        return table
    return Table(table.columns, table.rows[:MOST_ROWS], table.malformed, table.encoding)


def _many(name: str, files: Sequence[Path], passed_over: Sequence[Path], root: Path) -> Rows:
    """Several files as one table; a line number counts on from file to file."""
    columns, rows, malformed, encodings = {}, [], [], Counter()
    for path in files:
        table = _read_file(path, path)
        if columns and not {*table.columns} & {*columns}:
            raise refused(name, f"is a folder of different things: {files[0].name} has {', '.join(list(columns)[:6])}, "
                                f"and {path.name} {', '.join(table.columns[:6])}. Name one of the files.")
        columns.update(dict.fromkeys(table.columns))
        start = rows[-1][0] if rows else 0
        rows += [(start + line, row) for line, row in table.rows]
        malformed += [(start + line, wrong) for line, wrong in table.malformed]
        encodings[table.encoding] += 1
        if len(rows) > MOST_ROWS:
            break
    said = next((one for one in encodings if one != "UTF-8"), "UTF-8")
    table = Table(tuple(columns), rows, malformed, said)
    relative = [tuple(path.relative_to(root).as_posix() for path in some) for some in (files, passed_over)]
    called = _described(files[0], table) if len(files) == 1 else ()
    return Rows(name, _first(table), *relative, cut=len(rows) > MOST_ROWS, called=called)


def _shards(source: str | Path, place: Path) -> tuple[list[Path], list[Path], Path]:
    """The files of a folder that belong together."""
    files = [path for path in sorted(place.rglob("*")) if path.is_file() and _kind(path) and path.name not in _HIDDEN
             and not any(part.startswith(".") for part in path.relative_to(place).parts)]
    if not files:
        raise refused(source, f"is a folder without a file of rows; expected {', '.join(TEXT_KINDS + BINARY_KINDS)} in "
                              f"it.")
    chosen = _chosen([path.relative_to(place).as_posix() for path in files])
    if len({path.parent for path in files if path.relative_to(place).as_posix() in chosen}) > MOST_FOLDERS:
        raise refused(source, "is a folder of many folders with files of rows in them; name the one that is meant.")
    return [place / name for name in chosen], [f for f in files if f.relative_to(place).as_posix() not in chosen], place


def _chosen(names: Sequence[str]) -> list[str]:
    """Those of the commonest kind (parquet, where there is any), and of these the part to train on."""
    kinds = Counter(_kind(Path(name)) for name in names)
    if len(kinds) > 1:
        del kinds[".json"]                              # settings, mostly
    kind = ".parquet" if ".parquet" in kinds else kinds.most_common(1)[0][0]
    found = [name for name in names if _kind(Path(name)) == kind]
    train = [name for name in found if _TRAIN.search(name)]
    return train or [name for name in found if not _OTHER.search(name)] or found


def _from_hub(name: str) -> tuple[list[Path], list[Path], Path]:
    """Fetch a set's files, without running anybody's code."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
    owner, repo, *inside = name.split("/", 2)
    repo, folder = f"{owner}/{repo}", inside[0].strip("/") if inside else ""
    hub, no_way = HfApi(), no_way_to_hub()
    try:
        if constants.HF_HUB_OFFLINE:
            there = Path(hub.snapshot_download(repo, repo_type="dataset", local_files_only=True))
            return _shards(name, there / folder)
        listed = [one for one in hub.list_repo_files(repo, repo_type="dataset")
                  if _kind(Path(one)) and Path(one).name not in _HIDDEN and one.startswith(folder)]
        if not listed:
            raise refused(name, "is a set on the hub without a file of rows that is read here (JSON lines, JSON, CSV, "
                                "TSV, parquet, arrow). Fetch it with `datasets` and save it as .parquet.")
        chosen = _chosen(listed)
        root = Path(hub.snapshot_download(repo, repo_type="dataset", allow_patterns=chosen))
    except (LocalEntryNotFoundError, RepositoryNotFoundError, HfHubHTTPError, OSError, ValueError) as error:
        if isinstance(error, FileError):
            raise
        why = no_way or tidy(str(error)).split(". ")[0][:120]
        raise refused(name, f"is no file here, and cannot be read from the hub ({why}). Check the name or the network, "
                            f"or name a file.") from error
    return [root / one for one in chosen], [root / one for one in listed if one not in chosen], root


