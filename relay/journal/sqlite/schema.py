"""The tables in a file: which version they have, and bringing them to today's."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from relay.errors import JournalUnusableError
from relay.journal.sql.schema import OLDEST, STEPS, TABLES, VERSION

__all__ = ["STEPS", "VERSION", "migrate", "require", "version"]


def version(connection: apsw.Connection, newest: int = VERSION) -> int:
    """The version of the tables in a file; 0 for an empty one.

    Raises `JournalUnusableError` for a database that is no journal, or a newer relay's.
    """
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not tables:
        return 0
    if "meta" not in tables:
        raise JournalUnusableError("it is a database, but not a journal of the relay")
    row = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    if row is None or not str(row[0]).isdecimal():
        raise JournalUnusableError("it does not say which version its tables have")
    found = int(row[0])
    if found < OLDEST:
        raise JournalUnusableError(
            f"its tables have version {found}, from before the first release; "
            f"this relay knows {OLDEST} and later"
        )
    if found > newest:
        raise JournalUnusableError(
            f"a newer relay wrote it (version {found} of its tables; this relay knows {newest})"
        )
    return found


def require(connection: apsw.Connection) -> None:
    """Raise `JournalUnusableError` if the tables are older than this relay's."""
    found = version(connection)
    if found < VERSION:
        raise JournalUnusableError(
            f"its tables have version {found}; `relay serve` brings them to {VERSION}"
        )


def migrate(connection: apsw.Connection, steps: Sequence[str] = STEPS) -> None:
    """Bring the tables to the version after the last step, in one transaction."""
    newest = OLDEST + len(steps)
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = version(connection, newest)
        if found < newest:
            if not found:
                connection.execute(TABLES)
                found = VERSION
            for step in steps[found - OLDEST :]:
                connection.execute(step)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('version', ?)", (str(newest),))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
