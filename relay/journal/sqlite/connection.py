"""Connections to the journal's file: one that writes and syncs, others that only read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import apsw

from relay.errors import JournalLockedError, JournalUnusableError
from relay.journal.doors import SETTING, WAY_BACK
from relay.journal.sql.writing import Writing
from relay.journal.sqlite import damage, schema

OLDEST_SQLITE = 3_051_003
"""Before 3.51.3 a WAL reset could lose commits (sqlite.org/wal.html#walresetbug)."""
BUSY_MS = 5_000
WAL_BYTES = 64 * 1024 * 1024
"""To this size the WAL file is cut back after a checkpoint."""

Synchronous = Literal["FULL", "NORMAL"]
_LEVELS: dict[Synchronous, int] = {"NORMAL": 1, "FULL": 2}
SPARE_PAGES = 1_000
"""Free pages that stay in the file for what comes next (4 MB), or a tenth of it."""
STEP_PAGES = 250


class Lock:
    """An exclusive `flock` on `<journal>.lock`: who has it alone changes the journal.

    The kernel gives it back when the process ends, however it ends, so it doubles as the lease of
    all claimed deliveries: who gets the lock knows that no driver is alive.
    """

    def __init__(self, journal: Path) -> None:
        """Take the lock; raises `JournalLockedError` if it is held, `OSError` if it cannot be."""
        self._path = journal.with_name(journal.name + ".lock")
        self._fd: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            self.release()
            by = f"process {holder}" if holder.isdecimal() else "another process"
            raise JournalLockedError(f"the journal {journal} is in use by {by}") from None
        except OSError:
            self.release()
            raise
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes hold two locks."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class SqliteWriting(apsw.Connection, Writing):
    """The connection that writes."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        apsw.Connection.__init__(self, *arguments, **named)
        Writing.__init__(self)

    def insert(self, sql: str, parameters: Any, key: str = "seq") -> int | None:  # noqa: ARG002
        """Run an INSERT of one row; the number it got, None if it was none."""
        self.execute(sql, parameters)
        return self.last_insert_rowid() if self.changes() else None

    def give_back_space(self) -> int:
        """Give free pages back, where the file was made so that it can."""
        free, size = self.pragma("freelist_count"), self.pragma("page_count")
        if self.pragma("auto_vacuum") != 2 or free <= max(SPARE_PAGES, size // 10):
            return 0
        self.execute(f"PRAGMA incremental_vacuum({STEP_PAGES})").fetchall()
        return int(size - self.pragma("page_count"))


def writer(
    path: Path, *, vfs: str | None = None, synchronous: Synchronous = "FULL"
) -> SqliteWriting:
    """The connection that writes, with the tables of this relay; whoever calls holds the lock.

    `synchronous` is for the test that shows what a weaker setting loses.
    """
    if apsw.SQLITE_VERSION_NUMBER < OLDEST_SQLITE:
        raise JournalUnusableError(
            f"SQLite {apsw.sqlite_lib_version()} can lose commits; 3.51.3 or later is needed"
        )
    with _named(path):
        if not path.exists():
            _create(path, vfs)
        _require_one_name(path)
        damage.require_content(path)
        connection = SqliteWriting(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MS)
            _require_writable(connection)
            schema.version(connection)
            damage.require_size(connection, path)
            damage.require_sound(connection, path)
            # An older file gets it when it is written anew.
            connection.pragma("auto_vacuum", "incremental")
            _set(connection, "journal_mode", "wal", "wal")
            _set(connection, "synchronous", synchronous, _LEVELS[synchronous])
            _set(connection, "foreign_keys", 1, 1)
            # What is removed is overwritten, so that nothing of it stays in the file.
            _set(connection, "secure_delete", 1, 1)
            connection.pragma("fullfsync", 1)
            connection.pragma("checkpoint_fullfsync", 1)
            # Else SQLite 3.54 plans a statement with ORDER BY anew for each value it is given.
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            connection.pragma("temp_store", "memory")
            connection.pragma("cache_size", -16_000)
            connection.pragma("journal_size_limit", WAL_BYTES)
            # The writer checkpoints itself and looks at the result, which SQLite would swallow.
            connection.pragma("wal_autocheckpoint", 0)
            schema.migrate(connection)
            sync_folder(path)
        except BaseException:
            connection.close()
            raise
        return connection


def reader(path: Path, *, vfs: str | None = None) -> apsw.Connection:
    """A connection that cannot change anything, also beside a relay that serves."""
    with _named(path):
        if not path.exists():
            raise JournalUnusableError("there is no such file; `relay serve` creates it")
        _require_one_name(path)
        damage.require_content(path)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY, vfs=vfs)
        try:
            connection.set_busy_timeout(BUSY_MS)
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            schema.require(connection)
            damage.require_size(connection, path)
        except BaseException:
            connection.close()
            raise
        return connection


def sync_folder(path: Path) -> None:
    """Make the names of new files in the folder of `path` durable."""
    fd = os.open(path.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def named_faults(path: Path) -> Iterator[None]:
    """Turn what the system says while a journal is opened into one line that names the setting."""
    with _named(path):
        if not path.resolve().parent.is_dir():
            raise JournalUnusableError(f"the folder {path.resolve().parent} does not exist")
        if path.is_dir():
            raise JournalUnusableError("it is a folder")
        yield


@contextmanager
def _named(path: Path) -> Iterator[None]:
    prefix = f"the journal {path} cannot be opened"
    try:
        yield
    except JournalUnusableError as error:
        if str(error).startswith(prefix):
            raise
        raise JournalUnusableError(f"{prefix}: {error} ({SETTING})") from error
    except OSError as error:
        raise JournalUnusableError(f"{prefix}: {error.strerror or error} ({SETTING})") from error
    except apsw.Error as error:
        raise JournalUnusableError(f"{prefix}: {_words(error)} ({SETTING})") from error


def _words(error: apsw.Error) -> str:
    match error:
        case apsw.NotADBError():
            return "it is not a database"
        case apsw.ReadOnlyError():
            return "it is read-only"
        case apsw.CorruptError():
            return f"it is damaged: {WAY_BACK}"
        case apsw.BusyError():
            return "another program holds it"
        case apsw.FullError():
            return "there is no room left on the disk"
        case _:
            return str(error)


def _create(path: Path, vfs: str | None) -> None:
    """A new journal for its owner alone, which has its name only when it is whole.

    So an empty file is never one whose making was cut off. The files beside it take over its mode.
    """
    if damage.is_unclean(path):
        # SQLite would write these pages into whatever has the name of the file they belong to.
        raise JournalUnusableError(
            f"its file is gone, but {path.name}-wal is there: {WAY_BACK}, or remove "
            f"{path.name}-wal to begin a new one"
        )
    part = path.with_name(path.name + ".new")
    for leftover in (part, part.with_name(part.name + "-journal")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    connection = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE, vfs=vfs)
    try:
        connection.pragma("auto_vacuum", "incremental")
        schema.migrate(connection)
    finally:
        connection.close()
    part.rename(path)
    sync_folder(path)


def _require_one_name(path: Path) -> None:
    """A second name would have a lock and a WAL of its own, and two relays would write one file."""
    if path.stat().st_nlink > 1:
        raise JournalUnusableError(
            "the file has several names (hard links), under which a second relay could write to "
            "it: copy it with `relay backup` instead, or remove the other names"
        )


def _require_writable(connection: apsw.Connection) -> None:
    """SQLite opens a file that it may not write read-only, without a word."""
    if connection.readonly("main"):
        raise JournalUnusableError("it is read-only")


def _set(connection: apsw.Connection, name: str, value: str | int, wanted: str | int) -> None:
    connection.pragma(name, value)
    found = connection.pragma(name)
    if found != wanted:
        raise JournalUnusableError(f"SQLite keeps {name} at {found} instead of {wanted}")
