"""Opening the embedded journal: one relay at a time, readers beside it, one clear line else."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import apsw
import pytest

from relay.control import socket_path
from relay.errors import JournalError, JournalLockedError, JournalUnusableError
from relay.events import event_id
from relay.journal import Filter
from relay.journal.sqlite import schema
from relay.journal.sqlite.engine import examine_journal, journal_path, open_journal, open_records
from tests.journal_suite import NOW, claim_one, owe, owed, reading
from tests.needs import ROOT


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/relay.db"


def test_three_slashes_are_relative_and_four_are_absolute():
    assert journal_path("sqlite:///relay.db") == Path.cwd() / "relay.db"
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


async def test_a_journal_keeps_one_random_key(tmp_path: Path):
    keys = []
    for folder in ("one", "one", "other"):
        (tmp_path / folder).mkdir(exist_ok=True)
        store = await open_journal(url(tmp_path / folder), now=NOW)
        keys.append(store.key)
        await store.journal.close()
    assert keys[0] == keys[1] != keys[2]
    assert all(len(key) == 32 for key in keys)


async def test_another_process_is_refused_and_its_claims_are_not_settled(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await owe(store, owed())
    await claim_one(store, "slack:#wa", now=NOW)
    script = """
import asyncio, sys
from relay.errors import JournalLockedError
from relay.journal.sqlite.engine import examine_journal, open_journal
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
from relay.journal.sqlite.engine import examine_journal, open_journal
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
        await beside.ask(lambda connection: connection.execute("DELETE FROM events"))  # type: ignore[attr-defined]
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


async def test_a_journal_cut_anywhere_is_refused_with_the_way_back(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading(*"abcdefgh"), now=NOW)
    await store.journal.close()
    path = tmp_path / "relay.db"
    whole = path.read_bytes()
    for left in (
        len(whole) - 1,
        len(whole) - 100,
        len(whole) - 4096,
        len(whole) // 2,
        4096,
        100,
        0,
    ):
        path.write_bytes(whole[:left])
        with pytest.raises(JournalUnusableError, match="backup") as caught:
            await open_journal(url(tmp_path), now=NOW)
        assert "\n" not in str(caught.value)
        with pytest.raises(JournalUnusableError):
            open_records(url(tmp_path))
        assert path.read_bytes() == whole[:left]
    path.write_bytes(whole)
    await (await open_journal(url(tmp_path), now=NOW)).journal.close()


async def test_pages_that_only_the_wal_holds_are_not_missing(tmp_path: Path):
    """A checkpoint that a power loss cut off: the file says it is longer, and will be again."""
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading(*(f"event {n}" for n in range(100))), now=NOW)
    for name in ("relay.db", "relay.db-wal"):
        (tmp_path / "cut" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "cut" / name).write_bytes((tmp_path / name).read_bytes())
    await store.journal.close()
    cut = tmp_path / "cut" / "relay.db"
    content = bytearray(cut.read_bytes())
    pages = len((tmp_path / "relay.db").read_bytes()) // 4096
    assert pages * 4096 > len(content)
    content[28:32] = pages.to_bytes(4, "big")
    cut.write_bytes(content)
    store = await open_journal(url(cut.parent), now=NOW)
    assert store.unclean
    assert len(await store.records.events(Filter(limit=1000))) == 100
    await store.journal.close()


async def test_a_new_journal_has_its_name_only_when_it_is_whole(tmp_path: Path):
    (tmp_path / "relay.db.new").write_bytes(b"left by a relay that was killed")
    store = await open_journal(url(tmp_path), now=NOW)
    assert not (tmp_path / "relay.db.new").exists()
    assert not store.unclean
    await store.journal.close()


async def test_the_wal_of_a_file_that_is_gone_is_never_given_to_a_new_one(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading("a"), now=NOW)
    left = tmp_path / "left"
    left.mkdir()
    (left / "relay.db-wal").write_bytes((tmp_path / "relay.db-wal").read_bytes())
    await store.journal.close()
    with pytest.raises(JournalUnusableError, match=r"relay\.db-wal is there"):
        await open_journal(url(left), now=NOW)
    assert not (left / "relay.db").exists()
    (left / "relay.db-wal").unlink()
    store = await open_journal(url(left), now=NOW)
    assert len(await store.records.events(Filter())) == 0
    await store.journal.close()


@pytest.mark.parametrize("kind", ["link", "folder link"])
async def test_another_name_of_a_served_journal_finds_the_same_lock(tmp_path: Path, kind: str):
    store = await open_journal(url(tmp_path), now=NOW)
    other = tmp_path / "other"
    if kind == "link":
        other.mkdir()
        (other / "relay.db").symlink_to(tmp_path / "relay.db")
    else:
        other.symlink_to(tmp_path)
    with pytest.raises(JournalLockedError):
        await open_journal(url(other), now=NOW)
    assert socket_path(journal_path(url(other))) == tmp_path / "relay.db.sock"
    await store.journal.append(reading("a"), now=NOW)
    beside = open_records(url(other))
    assert len(await beside.events(Filter())) == 1
    await beside.close()
    await store.journal.close()


async def test_a_journal_with_several_names_is_refused(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    other = tmp_path / "other.db"
    other.hardlink_to(tmp_path / "relay.db")
    with pytest.raises(JournalUnusableError, match="several names"):
        await open_journal(f"sqlite:///{other}", now=NOW)
    with pytest.raises(JournalUnusableError, match="several names"):
        open_records(f"sqlite:///{other}")
    await store.journal.close()
    with pytest.raises(JournalUnusableError, match="several names"):
        await open_journal(url(tmp_path), now=NOW)
    other.unlink()
    await (await open_journal(url(tmp_path), now=NOW)).journal.close()


async def test_links_in_a_circle_are_one_line(tmp_path: Path):
    (tmp_path / "relay.db").symlink_to(tmp_path / "relay.db")
    with pytest.raises(JournalUnusableError, match="leads nowhere"):
        await open_journal(url(tmp_path), now=NOW)


def lose_an_entry(path: Path) -> None:
    """An index forgets a row: every page is well-formed, and the row is not found by it."""
    connection = apsw.Connection(str(path))
    connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 0)
    lost = "FROM sqlite_schema WHERE name = 'events_by_time'"
    kept = connection.execute(f"SELECT * {lost}").fetchone()
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute(f"DELETE {lost}")
    connection.close()
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE events SET received_at = received_at + 1")
    connection.execute("PRAGMA writable_schema = ON")
    connection.execute("INSERT INTO sqlite_schema VALUES (?, ?, ?, ?, ?)", kept)
    connection.close()


async def test_every_page_is_read_when_it_is_asked_for(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading("a"), now=NOW)
    assert await examine_journal(url(tmp_path)) == []
    await store.journal.close()
    lose_an_entry(tmp_path / "relay.db")
    faults = await examine_journal(url(tmp_path))
    assert any("events_by_time" in fault for fault in faults)


def test_a_step_that_fails_leaves_the_tables_as_they_were(tmp_path: Path):
    connection = apsw.Connection(str(tmp_path / "relay.db"))
    schema.migrate(connection)
    failing = (*schema.STEPS, "CREATE TABLE half (a); SELECT nonsense")
    with pytest.raises(apsw.SQLError):
        schema.migrate(connection, failing)
    assert schema.version(connection) == schema.VERSION
    assert not connection.table_exists("main", "half")
    schema.migrate(connection, (*schema.STEPS, "CREATE TABLE whole (a TEXT) STRICT"))
    assert schema.version(connection, newest=schema.VERSION + 1) == schema.VERSION + 1
    with pytest.raises(JournalUnusableError, match="newer"):
        schema.migrate(connection)
    connection.close()
