"""The file of labels: one SQLite database that many write at once, opened, shared, and refused in one line.

A write that has returned is on the disk. It survives a kill, and a power cut too, because SQLite waits for the disk at
each one (synchronous=FULL: a label costs a person seconds, waiting costs milliseconds). Nobody who reads waits for
somebody who writes (write-ahead log). The file belongs on a local disk: the log does not work across a network drive.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

from rlhf_kit.storage import StorageError

SCHEMA = 1                          # PRAGMA user_version; a file with a higher one was written by a newer kit
APPLICATION = 0x524C484B            # PRAGMA application_id, "RLHK": this file is ours
SMALLEST = 512                      # bytes: one page of SQLite's at its smallest
TIMEOUT = 10.0                      # seconds to wait for somebody else's write

# In one statement, or a file that another process is just making would be met between two answers.
_HEADER = ("SELECT user_version, application_id, (SELECT COUNT(*) FROM sqlite_master) "
           "FROM pragma_user_version, pragma_application_id")
_READING = ("mode=rw", "mode=ro", "mode=ro&immutable=1")            # the last for a disk on which nothing can be made


class LabelsError(StorageError):
    """The file of labels cannot be used; the message is one line for the user, and nothing in the file changed."""


class Database:
    """An open file. Threads may share it; a process opens its own."""

    def __init__(self, path: Path | str, tables: str, *, timeout: float | None = None, read_only: bool = False) -> None:
        """Open the file, or make it, with these tables, in a folder that is there.

        Args:
            tables: SQL statements, each ending with a semicolon at the end of its line.
            timeout: seconds to wait while somebody else writes; None is `TIMEOUT`.
            read_only: the file must be there, and is not changed.
        """
        self.path, self.read_only = Path(path).expanduser(), read_only
        self.timeout = TIMEOUT if timeout is None else timeout
        self._lock = threading.RLock()
        with self._explained():
            self._look()
            self._db = self._reader() if read_only else self._writer(tables)

    def close(self) -> None:
        """Let go of the file; a second time does nothing."""
        with self._lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for this thread alone while it reads."""
        with self._lock, self._explained():
            yield self._db

    def revision(self) -> tuple[int, int]:
        """Another pair after each change, whoever made it; found out without reading anything."""
        with self.reading() as db:
            return db.execute("PRAGMA data_version").fetchone()[0], db.total_changes

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which waits for its turn at its beginning and is all or nothing."""
        if self.read_only:
            raise LabelsError(f"{self.path} was opened with read_only=True; open it without, to write.")
        with self._lock, self._explained():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _connect(self, options: str) -> sqlite3.Connection:
        place = urllib.parse.quote(os.path.abspath(self.path))
        db = sqlite3.connect(f"file:{place}?{options}", uri=True, timeout=self.timeout, isolation_level=None,
                             check_same_thread=False)
        db.row_factory = sqlite3.Row
        return db

    def _look(self) -> None:
        """Refuse what SQLite would change, or leave files beside, by opening it for good.

        Only SQLite opens the file, here too: if we opened and closed it, all locks that this process has on it would
        be gone (https://www.sqlite.org/howtocorrupt.html, section 2.2).
        """
        path = self.path
        try:
            size = path.stat().st_size if path.is_file() else 0
            if path.is_dir():
                raise LabelsError(f"{str(path)!r} is a folder; expected one file of labels, such as labels.db.")
            if not path.parent.is_dir():
                raise LabelsError(f"{path} cannot be made: there is no folder {path.parent}. Check the name, or make "
                                  f"the folder.")
            if path.exists() and not path.is_file():
                raise LabelsError(f"{path} is not an ordinary file; expected one of labels, such as labels.db.")
            if self.read_only and not path.exists():
                raise LabelsError(f"{path} does not exist; expected a file of labels. Check the name, or import some.")
        except OSError as error:
            if isinstance(error, LabelsError):
                raise
            raise LabelsError(f"{path} cannot be read: {error.strerror or error}. Name another file.") from error
        if size and not _may(path, os.R_OK):
            raise LabelsError(f"{path} cannot be read: you may not. Ask for permission, or name another file.")
        if 0 < size < SMALLEST:                                     # SQLite takes a few bytes for an empty file
            raise LabelsError(f"{path} {self._what(sqlite3.SQLITE_NOTADB)}")
        if size:
            with closing(self._connect(_READING[-1])) as db:
                self._version(db)
        if path.exists() and not self.read_only and not _may(path, os.W_OK):
            raise LabelsError(f"{path} {self._what(sqlite3.SQLITE_READONLY)}")

    def _writer(self, tables: str) -> sqlite3.Connection:
        db = self._connect("mode=rwc")
        try:
            self._version(db)
            self._use_log(db)
            db.execute("PRAGMA synchronous = FULL")
            db.execute("PRAGMA foreign_keys = ON")
            db.execute("BEGIN IMMEDIATE")
            if self._version(db) == 0:
                for statement in (*tables.split(";\n"), f"PRAGMA application_id = {APPLICATION}",
                                  f"PRAGMA user_version = {SCHEMA}"):
                    db.execute(statement)
            db.execute("COMMIT")
            return db
        except BaseException:
            db.close()
            raise

    def _reader(self) -> sqlite3.Connection:
        """As anybody who reads; on a disk where the log cannot be made, as a file that nobody changes."""
        log = Path(f"{self.path}-wal")
        for options in _READING:
            if options == _READING[-1] and log.exists() and log.stat().st_size:
                break
            db = self._connect(options)
            try:
                db.execute("PRAGMA query_only = ON")
                if self._version(db) == 0:
                    raise LabelsError(f"{self.path} is empty; expected labels. Name another file, or import some.")
                return db
            except sqlite3.OperationalError as error:
                db.close()
                unwritable = _code(error) in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
                if options == _READING[-1] or not unwritable:
                    raise
            except BaseException:
                db.close()
                raise
        raise LabelsError(f"{self.path} cannot be read: the last labels lie beside it in {log.name}, and in this "
                          f"folder nothing can be written. Copy both files to another folder.")

    def _use_log(self, db: sqlite3.Connection) -> None:
        """Write-ahead logging. Several who switch it on at once are told "busy" without waiting, so wait here."""
        limit = time.monotonic() + self.timeout
        while True:
            try:
                mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
                break
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > limit:
                    raise
                time.sleep(0.01)
        if mode != "wal":
            raise LabelsError(f"{self.path} lies where several programs cannot share it (a network drive?); nothing "
                              f"was written. Name a file on a disk of this machine.")

    def _version(self, db: sqlite3.Connection) -> int:
        """The schema's version, 0 for a new file. Raises: LabelsError for a file that is not ours, or a newer kit's."""
        version, application, tables = db.execute(_HEADER).fetchone()
        _check_ours(self.path, version, application)
        if version == 0 and tables:
            _refuse_foreign(self.path)
        return version

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """SQLite's errors as one line for the user; what was being written has not been."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            if "closed" not in str(error):
                raise
            raise LabelsError(f"{self.path} was closed here; open it again.") from error
        except sqlite3.Error as error:
            raise LabelsError(f"{self.path} {self._what(_code(error), str(error))}") from error

    def _what(self, code: int, said: str = "") -> str:
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return (f"is locked: another program (an import, a demo, a viewer of databases) has been writing to it "
                    f"for more than {self.timeout:g} s. Nothing of what was there is lost, and nothing was added. "
                    f"Close that program, or try again.")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            where = "the file or its folder is" if self.path.exists() else "its folder is"
            return (f"cannot be written: {where} read-only. Nothing was changed. Name a file in a folder of yours, or "
                    f"ask for permission to write.")
        if code == sqlite3.SQLITE_FULL:
            return "cannot take more: the disk is full. What was there before is unchanged; free some space, try again."
        if code == sqlite3.SQLITE_NOTADB:
            return ("is no database of labels, and was left as it is. Name another file; a file of rankings goes into "
                    "one with rlhf-kit labels import.")
        if code == sqlite3.SQLITE_CORRUPT:
            return (f"is damaged ({said}); expected a file of labels. Nothing was written. Restore it from a copy, or "
                    f"name another file.")
        return f"cannot be used: {said}. Nothing was added. Try again, or name another file."


def _check_ours(path: Path, version: int, application: int) -> None:
    if version > SCHEMA and application in (0, APPLICATION):
        raise LabelsError(f"{path} has version {version}, from a newer rlhf-kit; this one knows version {SCHEMA}. It "
                          f"was left as it is. Install a newer rlhf-kit, or name another file.")
    if (version or application) and application != APPLICATION:
        _refuse_foreign(path)


def _refuse_foreign(path: Path) -> NoReturn:
    raise LabelsError(f"{path} is a database of another program, and was left as it is. Name another file, such as "
                      f"labels.db.")


def _may(path: Path, what: int) -> bool:
    return os.access(path, what, effective_ids=os.access in os.supports_effective_ids)


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 if the error is none of SQLite's."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
