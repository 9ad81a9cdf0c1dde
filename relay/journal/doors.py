"""The doors of the store: whoever opens a journal gives its address and names no engine.

An engine is imported when an address asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from relay.errors import JournalUnusableError, UsageError

if TYPE_CHECKING:
    from relay.journal import Records, Store
    from relay.journal.moving import Moved
    from relay.journal.sqlite.backup import Copied

Tell = Callable[[float], None]
"""Hears how much of something long is done, from 0 to 1."""
SETTING = "RELAY_JOURNAL or --journal"
WAY_BACK = "put the newest `relay backup` in its place, as docs/operation.md says"


def is_shared(url: str) -> bool:
    """Whether an address is that of a database, which several relays may share."""
    return url.startswith(("postgresql://", "postgres://"))


def journal_path(url: str) -> Path:
    """The file that `sqlite:///relay.db` or `sqlite:////var/lib/relay.db` names, links followed.

    So what stands beside it (lock, socket, reserve) is the same for whoever names it otherwise.
    The address itself is never repeated: one of another engine may hold a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or len(rest) == 1 or "\0" in rest:
        raise JournalUnusableError(
            "the journal must be given as sqlite:///FILE, sqlite:////FOLDER/FILE or "
            f"postgresql://USER@HOST/DATABASE ({SETTING})"
        )
    try:
        return Path(rest[1:]).resolve()
    except (OSError, RuntimeError):  # A name that is too long, or links in a circle.
        raise JournalUnusableError(f"the journal's name leads nowhere ({SETTING})") from None


def is_there(url: str) -> bool:
    """Whether there is a journal to be opened; of a database only opening it can tell."""
    return is_shared(url) or journal_path(url).exists()


def shown(url: str) -> str:
    """An address as people may see it: without what may be secret in it."""
    if not is_shared(url):
        return url
    scheme, _, rest = url.partition("://")
    place = rest.partition("?")[0].rpartition("@")[2]
    return f"{scheme}://{place}"


async def open_journal(url: str, *, now: datetime) -> Store:
    """Open the journal to change it, creating it if there is none.

    Raises `JournalLockedError` or `JournalUnusableError`, each with one line for the operator.
    """
    if is_shared(url):
        with _extra():
            from relay.journal.postgres import engine as shared

        return await shared.open_journal(url, now=now)
    from relay.journal.sqlite import engine

    return await engine.open_journal(url, now=now)


def open_records(url: str) -> Records:
    """Open the journal to read only, also while a relay serves it; for commands.

    Raises `JournalUnusableError`, also where there is no journal yet.
    """
    if is_shared(url):
        with _extra():
            from relay.journal.postgres import engine as shared

        return shared.open_records(url)
    from relay.journal.sqlite import engine

    return engine.open_records(url)


@contextmanager
def _extra() -> Iterator[None]:
    """What is imported inside comes with an extra of the package."""
    try:
        yield
    except ImportError as error:
        raise JournalUnusableError(
            f"a journal in PostgreSQL needs {error.name}: install relay-360[postgres]"
        ) from None


async def examine_journal(url: str) -> list[str]:
    """What is wrong with the whole file, also while a relay serves it; nothing if all is well.

    A database looks after its own pages. Raises `JournalUnusableError` where it cannot be opened.
    """
    if is_shared(url):
        return []
    from relay.journal.sqlite import engine

    return await engine.examine_journal(url)


def back_up(url: str, to: Path, *, replace: bool = False, tell: Tell = lambda _: None) -> Copied:
    """Copy the journal's file; see `relay.journal.sqlite.backup`."""
    if is_shared(url):
        raise UsageError("a journal in PostgreSQL is backed up by pg_dump, as docs/scaling.md says")
    from relay.journal.sqlite import backup

    return backup.back_up(url, to, replace=replace, tell=tell)


def tables_script(url: str) -> str:
    """The SQL that makes the tables for the role of an address; for `relay` where it names none."""
    from urllib.parse import unquote, urlsplit

    from relay.journal.postgres import schema

    user = urlsplit(url).username if is_shared(url) else None
    return schema.script(unquote(user) if user else "relay")


async def move(source: str, target: str, *, now: datetime, tell: Tell = lambda _: None) -> Moved:
    """Copy a journal's file into a database; see `relay.journal.moving`."""
    from relay.journal import moving

    return await moving.move(source, target, now=now, tell=tell)


def free_space(folder: Path) -> tuple[int, int]:
    """Bytes that are free where a journal's file stands, and the floor for a disk of that size."""
    from relay.journal.sqlite import room

    return room.free_space(folder)
