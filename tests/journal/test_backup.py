"""A backup is a whole journal of one moment, or it is not there."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from pathlib import Path

import apsw
import pytest

from relay.errors import JournalUnusableError, RelayError, UsageError
from relay.events import event_id
from relay.journal import Filter
from relay.journal.sqlite.backup import back_up
from relay.journal.sqlite.engine import open_journal, open_records
from tests.journal_suite import NOW, claimed, owe, owed, reading


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
async def journal(tmp_path: Path) -> Path:
    """A closed journal with one delivered event's worth of work."""
    path = tmp_path / "relay.db"
    store = await open_journal(url(path), now=NOW)
    await owe(store, owed("a"), owed("b"))
    await claimed(store)
    await store.journal.append(reading("waits"), now=NOW)
    await store.journal.close()
    return path


async def test_a_restored_backup_starts_and_goes_on(journal: Path, tmp_path: Path):
    copied = back_up(url(journal), tmp_path / "copy.db")
    assert (copied.received, copied.owed, copied.balanced) == (3, 2, True)
    assert copied.deliveries["claimed"] == 1
    assert copied.size == (tmp_path / "copy.db").stat().st_size
    store = await open_journal(url(tmp_path / "copy.db"), now=NOW)
    assert store.recovered == 1
    assert [one.id for one in await store.records.unrouted(9)] == [event_id("waits")]
    assert (await store.journal.append(reading("waits"), now=NOW)).duplicates == 1
    assert (await claimed(store)).event_id == event_id("b")
    assert (await store.records.balance()).balanced
    await store.journal.close()


def test_it_says_how_much_is_copied(journal: Path, tmp_path: Path):
    told: list[float] = []
    back_up(url(journal), tmp_path / "copy.db", tell=told.append)
    assert told == sorted(told)
    assert told[-1] == 1


def test_it_is_one_file_for_its_owner_alone(journal: Path, tmp_path: Path):
    folder = tmp_path / "backups"
    folder.mkdir()
    before = os.umask(0)
    try:
        back_up(url(journal), folder / "copy.db")
    finally:
        os.umask(before)
    assert [path.name for path in folder.iterdir()] == ["copy.db"]
    assert stat.S_IMODE((folder / "copy.db").stat().st_mode) == 0o600
    # Bytes 18 and 19 of the header say whether a WAL belongs to it (sqlite.org/fileformat.html).
    assert (folder / "copy.db").read_bytes()[18:20] == b"\x01\x01"


def test_the_journal_itself_is_untouched(journal: Path, tmp_path: Path):
    before = journal.read_bytes()
    back_up(url(journal), tmp_path / "copy.db")
    assert journal.read_bytes() == before


async def test_it_is_of_one_moment_while_the_relay_writes(tmp_path: Path):
    """Enough rows that the copy takes several steps, and a writer that never rests."""
    path = tmp_path / "relay.db"
    store = await open_journal(url(path), now=NOW)
    for start in range(0, 4000, 500):
        names = [f"e{n}" for n in range(start, start + 500)]
        await store.journal.append(reading(*names, data={"text": "x" * 9000}), now=NOW)
    stop = asyncio.Event()
    written = 0

    async def write() -> None:
        nonlocal written
        while not stop.is_set():
            await owe(store, owed(f"more{written}", f"slack:#{written}"))
            written += 1

    writing = asyncio.create_task(write())
    while not written:
        await asyncio.sleep(0)
    before = written
    copied = await asyncio.to_thread(back_up, url(path), tmp_path / "copy.db")
    stop.set()
    await writing
    assert written > before + 1
    assert copied.balanced
    assert 4000 + before <= copied.received <= 4000 + written
    assert copied.received - 4000 in (copied.owed, copied.owed + 1)
    await store.journal.close()
    records = open_records(url(tmp_path / "copy.db"))
    assert (await records.balance()).total().received == copied.received
    await records.close()


def test_a_file_that_is_there_is_kept_unless_forced(journal: Path, tmp_path: Path):
    there = tmp_path / "copy.db"
    there.write_text("precious")
    with pytest.raises(UsageError, match=r"copy\.db exists; --force replaces it"):
        back_up(url(journal), there)
    assert there.read_text() == "precious"
    assert back_up(url(journal), there, replace=True).received == 3
    assert there.stat().st_size > 4096


def test_a_damaged_journal_yields_no_backup(journal: Path, tmp_path: Path):
    connection = apsw.Connection(str(journal))
    page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'audit'").get
    connection.close()
    content = bytearray(journal.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xff" * 4096
    journal.write_bytes(content)
    folder = tmp_path / "backups"
    folder.mkdir()
    with pytest.raises(RelayError, match="damaged") as caught:
        back_up(url(journal), folder / "copy.db")
    assert "\n" not in str(caught.value)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("relay.db", "is the journal itself"),
        ("./relay.db", "is the journal itself"),
        ("relay.db-wal", "is the journal itself"),
        ("same.db", "is the journal itself"),
        ("link.db", "is the journal itself"),
        ("nowhere/copy.db", "folder .* does not exist"),
        ("folder", "is a folder"),
        ("pipe", "is no file"),
        ("served.db", "served.db-wal exists"),
    ],
)
def test_where_it_cannot_stand_is_said_and_nothing_is_changed(
    journal: Path, tmp_path: Path, name: str, said: str
):
    (tmp_path / "folder").mkdir()
    (tmp_path / "same.db").hardlink_to(journal)
    (tmp_path / "link.db").symlink_to(journal)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "served.db-wal").write_bytes(b"theirs")
    before = sorted(path.name for path in tmp_path.iterdir())
    content = journal.read_bytes()
    with pytest.raises(UsageError, match=said):
        back_up(url(journal), tmp_path / name, replace=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert journal.read_bytes() == content


def test_of_no_journal_there_is_no_backup(tmp_path: Path):
    with pytest.raises(JournalUnusableError, match="no such file"):
        back_up(url(tmp_path / "relay.db"), tmp_path / "copy.db")
    assert list(tmp_path.iterdir()) == []


async def test_two_at_once_do_not_meet(journal: Path, tmp_path: Path):
    """Whoever is second finds the name taken; neither destroys the other's copy."""
    start = threading.Barrier(2)

    def one() -> str:
        start.wait(10)
        try:
            back_up(url(journal), tmp_path / "copy.db")
        except UsageError as error:
            return str(error)
        return "done"

    said = await asyncio.gather(asyncio.to_thread(one), asyncio.to_thread(one))
    assert said.count("done") == 1
    records = open_records(url(tmp_path / "copy.db"))
    assert len(await records.events(Filter())) == 3
    await records.close()
    assert not [name for name in os.scandir(tmp_path) if name.name.endswith(".part")]
