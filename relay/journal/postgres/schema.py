"""The tables in the database: made and brought to today's by the first relay, others wait."""

from __future__ import annotations

from relay.errors import JournalUnusableError
from relay.journal.postgres.connection import Connection, RefusedError
from relay.journal.postgres.dialect import tables, whole
from relay.journal.postgres.writer import LOCK
from relay.journal.postgres.writing import PostgresWriting
from relay.journal.sql.schema import OLDEST, STEPS, VERSION

OLDEST_SERVER = 140_000
_FORBIDDEN = ("42501", "3F000")
_VERSION = "INSERT INTO meta VALUES ('version', '{}') ON CONFLICT (key) DO UPDATE SET value = '{}';"


def script(role: str) -> str:
    """What an administrator runs where the relay's own role may not create tables."""
    name = '"' + role.replace('"', '""') + '"'
    grants = [
        f"GRANT ALL ON ALL {what} IN SCHEMA public TO {name};" for what in ("TABLES", "SEQUENCES")
    ]
    version = _VERSION.format(VERSION, VERSION)
    lines = ["BEGIN;", whole(), version, f"GRANT USAGE ON SCHEMA public TO {name};", *grants]
    return "\n".join([*lines, "COMMIT;", ""])


def take_lock(connection: Connection) -> None:
    """Wait, within a transaction, until no other relay writes."""
    connection.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))


def version(connection: Connection) -> int:
    """The version of the tables; 0 where there are none. Raises `JournalUnusableError`."""
    server = int(connection.execute("SELECT current_setting('server_version_num')").get)
    if server < OLDEST_SERVER:
        raise JournalUnusableError(
            f"the database is PostgreSQL {server // 10_000}; 14 or later is needed"
        )
    if connection.execute("SELECT to_regclass('meta') IS NULL").get:
        return 0
    found = connection.execute("SELECT value FROM meta WHERE key = 'version'").get
    if str(found).startswith("moving "):
        raise JournalUnusableError("`relay migrate` into it is not finished: run it again")
    if found is None or not str(found).isdecimal():
        raise JournalUnusableError("its database has a table `meta` that is not the relay's")
    if int(found) > VERSION:
        raise JournalUnusableError(
            f"a newer relay wrote it (version {found} of its tables; this relay knows {VERSION})"
        )
    return int(found)


def require(connection: Connection) -> None:
    """Raise `JournalUnusableError` if the tables are not this relay's."""
    found = version(connection)
    if not found:
        raise JournalUnusableError("there is no journal yet; `relay serve` makes it")
    if found < VERSION:
        raise JournalUnusableError(
            f"its tables have version {found}; `relay serve` brings them to {VERSION}"
        )


def bring(connection: PostgresWriting) -> None:
    """Bring the tables to this relay's version at once. Raises `JournalUnusableError`."""
    if version(connection) == VERSION:
        return
    connection.begin()
    connection.execute("SET LOCAL lock_timeout TO 0")
    connection.execute("SET LOCAL statement_timeout TO 0")
    take_lock(connection)
    found = version(connection)
    if found < VERSION:
        steps = [whole()] if not found else [tables(step) for step in STEPS[found - OLDEST :]]
        try:
            connection.script("\n".join([*steps, _VERSION.format(VERSION, VERSION)]))
        except RefusedError as error:
            if error.state not in _FORBIDDEN:
                raise
            raise JournalUnusableError(
                f"its role may not make the tables ({error}): let an administrator run the output "
                "of `relay schema --sql` once"
            ) from error
    connection.commit()


def register(connection: PostgresWriting, relay: str, name: str) -> None:
    """Give this relay its row, if it has none."""
    connection.begin()
    connection.execute(
        "INSERT INTO relays (id, name) VALUES (?, ?) ON CONFLICT (id) DO NOTHING", (relay, name)
    )
    connection.commit()
