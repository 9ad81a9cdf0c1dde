"""A copy of the journal, taken while a relay serves it, and tested before it has its name."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from relay.errors import JournalUnusableError, RelayError, UsageError
from relay.journal.doors import journal_path
from relay.journal.sql.balancing import balance
from relay.journal.sqlite import schema
from relay.journal.sqlite.connection import BUSY_MS, reader, sync_folder

PAGES = 2_000
"""Pages that are copied at once (8 MB)."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a backup holds."""

    path: Path
    size: int
    events: Mapping[str, int]
    """In the words of the balance, retention's included; so are the deliveries."""
    received: int
    deliveries: Mapping[str, int]
    owed: int
    balanced: bool


def back_up(
    url: str, to: Path, *, replace: bool = False, tell: Callable[[float], None] = lambda _: None
) -> Copied:
    """Copy the journal into a file for its owner alone; nothing is at `to` before it is whole.

    The copy is of one moment; `tell` hears how much of it is there, from 0 to 1. Raises
    `UsageError` where it cannot stand there, `RelayError` where the copy is damaged or there is
    no room, `JournalUnusableError` where there is no journal.
    """
    journal = journal_path(url)
    _require_place(journal, to, replace)
    source = reader(journal)
    part = to.with_name(f".{to.name}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        copied = _copy(source, part, to, tell)
        _sync(part)
        _give_name(part, to, replace)
        sync_folder(to)
    except OSError as error:
        raise RelayError(f"{to}: {error.strerror or error}") from error
    except apsw.FullError as error:
        raise RelayError(f"{to}: there is no room left on the disk") from error
    except apsw.Error as error:
        raise RelayError(f"{to}: the copy failed: {error}") from error
    finally:
        source.close()
        for name in (part, *_beside(part)):
            with suppress(OSError):
                name.unlink()
    return copied


def _require_place(journal: Path, to: Path, replace: bool) -> None:
    if to.is_dir():
        raise UsageError(f"{to} is a folder; name a file in it")
    if not to.parent.is_dir():
        raise UsageError(f"the folder {to.parent} does not exist")
    own = {journal.resolve(), *(beside.resolve() for beside in _beside(journal))}
    if to.resolve() in own or (to.exists() and journal.exists() and to.samefile(journal)):
        raise UsageError(f"{to} is the journal itself")
    if to.exists() and not replace:
        raise UsageError(f"{to} exists; --force replaces it")
    if to.exists() and not to.is_file():
        raise UsageError(f"{to} is no file")
    for beside in _beside(to):
        # Of a relay that serves, or left by one that crashed: it would be taken for the copy's.
        if beside.exists() and beside.suffix != ".lock":
            raise UsageError(f"{beside} exists: a journal at {to} is in use or was")


def _beside(journal: Path) -> list[Path]:
    """The files that a journal has beside it."""
    endings = ("-wal", "-shm", "-journal", ".lock", ".sock")
    return [journal.with_name(journal.name + ending) for ending in endings]


def _copy(source: apsw.Connection, part: Path, to: Path, tell: Callable[[float], None]) -> Copied:
    target = apsw.Connection(str(part), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        target.set_busy_timeout(BUSY_MS)
        # One moment: without it, each commit of the relay would begin the copy anew.
        source.execute("BEGIN; SELECT 1 FROM meta")
        with target.backup("main", source, "main") as copying:
            while not copying.done:
                copying.step(PAGES)
                tell(1 - copying.remaining / max(1, copying.page_count))
        source.execute("ROLLBACK")
        # One file, without a WAL beside it.
        target.pragma("journal_mode", "delete")
        found = target.pragma("quick_check", 1)
        if found != "ok":
            raise RelayError(f"the journal is damaged: {' '.join(str(found).split())}")
        try:
            schema.require(target)
        except JournalUnusableError as error:
            raise RelayError(f"the copy is no journal: {error}") from error
        books = balance(target, None)
        total = books.total()
    finally:
        target.close()
    return Copied(
        path=to,
        size=part.stat().st_size,
        events=total.events,
        received=total.received,
        deliveries=total.deliveries,
        owed=total.owed,
        balanced=books.balanced,
    )


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _give_name(part: Path, to: Path, replace: bool) -> None:
    """Rename, unless somebody took the name meanwhile."""
    if replace:
        part.replace(to)
        return
    try:
        os.link(part, to)
    except FileExistsError:
        raise UsageError(f"{to} exists; --force replaces it") from None
    except OSError:
        # A file system without hard links: what was checked before has to do.
        part.replace(to)
