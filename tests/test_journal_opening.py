"""Opening the embedded journal: one relay at a time, readers beside it, one clear line else."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import apsw
import pytest

from relay.errors import JournalError, JournalLockedError, JournalUnusableError
from relay.events import event_id
from relay.journal import Filter
from relay.journal.sqlite import schema
from relay.journal.sqlite.engine import journal_path, open_journal, open_records
from tests.journal_suite import NOW, owe, owed, reading

ROOT = Path(__file__).parent.parent


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/relay.db"


def test_three_slashes_are_relative_and_four_are_absolute():
    assert journal_path("sqlite:///relay.db") == Path("relay.db")
    assert journal_path("sqlite:////var/lib/relay.db") == Path("/var/lib/relay.db")


@pytest.mark.parametrize(
    "wrong", ["relay.db", "sqlite://", "sqlite:///", "sqlite://relay.db", "postgresql://u:pw@h/d"]
)
def test_another_address_is_refused_without_repeating_it(wrong: str):
    with pytest.raises(JournalUnusableError, match="RELAY_JOURNAL or --journal") as caught:
        journal_path(wrong)
    assert "pw" not in str(caught.value)


async def test_a_second_opening_is_refused_and_the_first_goes_on(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    with pytest.raises(JournalLockedError, match=f"process {os.getpid()}"):
        await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading("a"), now=NOW)
    await store.journal.close()
    again = await open_journal(url(tmp_path), now=NOW)
    assert await again.records.event(event_id("a")) is not None
    await again.journal.close()


async def test_another_process_is_refused_and_its_claims_are_not_settled(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await owe(store, owed())
    await store.journal.claim("slack:#wa", now=NOW)
    script = """
import asyncio, sys
from relay.errors import JournalLockedError
from relay.journal.sqlite.engine import open_journal
from tests.journal_suite import NOW
try:
    asyncio.run(open_journal(sys.argv[1], now=NOW))
except JournalLockedError as error:
    sys.exit(str(error))
"""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, url(tmp_path), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, said = await child.communicate()
    assert said.decode().strip().endswith(f"is in use by process {os.getpid()}")
    assert (await store.records.status(now=NOW)).deliveries["claimed"] == 1
    await store.journal.close()


async def test_the_lock_ends_with_its_process(tmp_path: Path):
    script = """
import asyncio, os, sys
from relay.journal.sqlite.engine import open_journal
from tests.journal_suite import NOW, claimed, owe, owed
async def main():
    store = await open_journal(sys.argv[1], now=NOW)
    await owe(store, owed())
    await claimed(store)
    os._exit(9)
asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, url(tmp_path), cwd=ROOT
    )
    assert await child.wait() == 9
    store = await open_journal(url(tmp_path), now=NOW)
    assert store.recovered == 1
    await store.journal.close()


async def test_records_are_read_beside_a_relay_and_after_it(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading("a"), now=NOW)
    beside = open_records(url(tmp_path))
    assert await beside.event(event_id("a")) is not None
    await store.journal.append(reading("b"), now=NOW)
    assert len(await beside.events(Filter())) == 2
    await store.journal.close()
    assert len(await beside.events(Filter())) == 2
    await beside.close()
    after = open_records(url(tmp_path))
    assert len(await after.events(Filter())) == 2
    await after.close()


async def test_readers_cannot_write(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    beside = open_records(url(tmp_path))
    with pytest.raises(JournalError, match="readonly"):
        await beside._ask(lambda connection: connection.execute("DELETE FROM events"))  # type: ignore[attr-defined]
    await beside.close()
    await store.journal.close()


def test_records_of_no_journal_say_so_and_create_nothing(tmp_path: Path):
    with pytest.raises(JournalUnusableError, match=r"no such file.*RELAY_JOURNAL or --journal"):
        open_records(url(tmp_path))
    assert list(tmp_path.iterdir()) == []


def _modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def test_the_journal_is_its_owners_alone(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    assert _modes(tmp_path) == dict.fromkeys(
        ("relay.db", "relay.db.reserve", "relay.db-wal", "relay.db-shm", "relay.db.lock"), 0o600
    )
    await store.journal.close()


def _nothing(path: Path) -> None:
    pass


def _a_folder(path: Path) -> None:
    path.mkdir()


def _a_text(path: Path) -> None:
    path.write_text("version: 1\n" * 200)


def _another_program(path: Path) -> None:
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()


def _a_newer_relay(path: Path) -> None:
    connection = apsw.Connection(str(path))
    schema.migrate(connection)
    connection.execute("UPDATE meta SET value = '999'")
    connection.close()


def _damage(path: Path) -> None:
    connection = apsw.Connection(str(path))
    schema.migrate(connection)
    # A page that nothing else reads at the opening.
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'").get
    connection.close()
    content = bytearray(path.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("prepare", "name", "words"),
    [
        (_nothing, "missing/relay.db", "the folder .* does not exist"),
        (_a_folder, "relay.db", "it is a folder"),
        (_a_text, "relay.db", "it is not a database"),
        (_another_program, "relay.db", "not a journal of the relay"),
        (_a_newer_relay, "relay.db", r"a newer relay wrote it \(version 999"),
        (_damage, "relay.db", "it is damaged"),
    ],
)
async def test_what_cannot_be_a_journal_is_refused_in_one_line(
    tmp_path: Path, prepare: object, name: str, words: str
):
    path = tmp_path / name
    assert callable(prepare)
    prepare(path)
    before = path.read_bytes() if path.is_file() else None
    for _ in range(2):  # the lock is given back, so the second says the same
        with pytest.raises(JournalUnusableError, match=words) as caught:
            await open_journal(f"sqlite:///{path}", now=NOW)
        said = str(caught.value)
        assert "\n" not in said
        assert said.startswith(f"the journal {path} cannot be opened: ")
        assert said.endswith(" (RELAY_JOURNAL or --journal)")
    if before is not None:
        assert path.read_bytes() == before


async def test_an_empty_file_becomes_a_journal(tmp_path: Path):
    (tmp_path / "relay.db").touch()
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading("a"), now=NOW)
    await store.journal.close()


def test_a_step_that_fails_leaves_the_tables_as_they_were(tmp_path: Path):
    connection = apsw.Connection(str(tmp_path / "relay.db"))
    schema.migrate(connection)
    failing = (*schema.MIGRATIONS, "CREATE TABLE half (a); SELECT nonsense")
    with pytest.raises(apsw.SQLError):
        schema.migrate(connection, failing)
    assert schema.version(connection) == schema.VERSION
    assert not connection.table_exists("main", "half")
    schema.migrate(connection, (*schema.MIGRATIONS, "CREATE TABLE whole (a TEXT) STRICT"))
    assert schema.version(connection, newest=schema.VERSION + 1) == schema.VERSION + 1
    with pytest.raises(JournalUnusableError, match="newer"):
        schema.migrate(connection)
    connection.close()
