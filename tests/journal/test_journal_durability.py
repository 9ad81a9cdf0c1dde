"""What is acknowledged is on disk: group commit, crashes, power loss, a full and a failing disk."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from relay.errors import JournalBrokenError, JournalError, JournalFullError
from relay.events import event_id
from relay.journal import Ask, EventState, Routing, Store
from relay.journal.care import START, Mark
from relay.journal.sql import work
from relay.journal.sqlite import connection
from relay.journal.sqlite.connection import Synchronous
from relay.journal.sqlite.engine import open_engine, open_journal, open_records
from relay.journal.sqlite.writer import LARGEST_GROUP
from relay.outcomes import Proof, Sent
from tests.journal_suite import (
    DAY,
    NOW,
    claim_one,
    claimed,
    owe,
    owed,
    reading,
    route_one,
    routed,
    settled,
)
from tests.needs import PATIENCE, ROOT
from tests.power_loss import Disk


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk("power-loss")
    yield disk
    disk.unregister()


def url(folder: Path) -> str:
    return f"sqlite:///{folder}/relay.db"


async def append(store: Store, *names: str) -> list[str]:
    """Append each in a webhook of its own, all at once; the acknowledged ids."""
    taken = await asyncio.gather(*(store.journal.append(reading(n), now=NOW) for n in names))
    return [event.id for one in taken for event in one.events]


async def lost(path: Path, acknowledged: list[str]) -> list[str]:
    """The judge: which acknowledged events a relay does not find when it starts again."""
    store = await open_engine(path, now=NOW)
    try:
        return [one for one in acknowledged if await store.records.event(one) is None]
    finally:
        await store.journal.close()


async def test_many_appends_share_few_commits_and_each_is_answered_after_its_own(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    looking = open_records(url(tmp_path))
    before = store.journal.commits  # type: ignore[attr-defined]

    async def one(name: str) -> bool:
        await store.journal.append(reading(name), now=NOW)
        return await looking.event(event_id(name)) is not None

    assert all(await asyncio.gather(*(one(f"event {n}") for n in range(300))))
    assert store.journal.commits - before < 30  # type: ignore[attr-defined]
    await looking.close()
    await store.journal.close()


async def test_a_verb_that_fails_takes_nothing_else_with_it(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    half = routed(owed("a"), owed("of an unknown event"))
    results = await asyncio.gather(
        store.journal.append(reading("a"), now=NOW),
        route_one(store, event_id("a"), half, now=NOW),
        store.journal.append(reading("b"), now=NOW),
        return_exceptions=True,
    )
    assert [isinstance(one, JournalError) for one in results] == [False, True, False]
    status = await store.records.status(now=NOW)
    assert status.events["unrouted"] == 2
    assert status.deliveries["pending"] == 0
    await store.journal.close()


@pytest.mark.parametrize("seed", range(12))
async def test_a_power_loss_takes_nothing_acknowledged(tmp_path: Path, disk: Disk, seed: int):
    chance = random.Random(seed)
    store = await open_engine(tmp_path / "relay.db", now=NOW, vfs=disk.name)
    acknowledged = []
    for n in range(chance.randint(1, 12)):
        acknowledged += await append(store, *(f"{n} {m}" for m in range(chance.randint(1, 9))))
    under_way = asyncio.gather(append(store, "x", "y"), append(store, "z"))
    await asyncio.sleep(0)
    (tmp_path / "after").mkdir()
    disk.lose_power(tmp_path / "after", chance)
    await under_way
    await store.journal.close()
    assert acknowledged
    assert await lost(tmp_path / "after" / "relay.db", acknowledged) == []


@pytest.mark.parametrize(("synchronous", "survive"), [("FULL", 20), ("NORMAL", 0)])
async def test_the_judge_sees_what_a_weaker_setting_loses(
    tmp_path: Path, disk: Disk, synchronous: Synchronous, survive: int
):
    """With nothing unsynced kept, NORMAL loses what was acknowledged: the test can fail."""
    store = await open_engine(
        tmp_path / "relay.db", now=NOW, vfs=disk.name, synchronous=synchronous
    )
    acknowledged = await append(store, *(f"event {n}" for n in range(20)))
    (tmp_path / "after").mkdir()

    class Nothing(random.Random):
        def randint(self, a: int, b: int) -> int:
            return a

    disk.lose_power(tmp_path / "after", Nothing())
    await store.journal.close()
    missing = await lost(tmp_path / "after" / "relay.db", acknowledged)
    assert len(acknowledged) - len(missing) == survive


async def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path, disk: Disk):
    store = await open_engine(tmp_path / "relay.db", now=NOW, vfs=disk.name)
    disk.fault = "full"
    results = await asyncio.gather(
        *(store.journal.append(reading(n), now=NOW) for n in "abc"), return_exceptions=True
    )
    assert all(isinstance(one, JournalFullError) for one in results)
    assert (await store.records.status(now=NOW)).events["received"] == 0
    disk.fault = None
    assert len(await append(store, "a", "b")) == 2
    await store.journal.close()


async def test_what_is_small_still_finds_room_beside_what_is_large(tmp_path: Path, disk: Disk):
    store = await open_engine(tmp_path / "relay.db", now=NOW, vfs=disk.name)
    await owe(store, owed())
    disk.room = (tmp_path / "relay.db-wal").stat().st_size + 200_000
    large = reading("large", title="x" * 1_000_000)
    results = await asyncio.gather(
        store.journal.append(reading("small"), now=NOW),
        store.journal.append(large, now=NOW),
        claim_one(store, "slack:#wa", now=NOW),
        return_exceptions=True,
    )
    assert [isinstance(one, JournalFullError) for one in results] == [False, True, False]
    status = await store.records.status(now=NOW)
    assert (status.events["received"], status.deliveries["claimed"]) == (2, 1)
    disk.room = None
    await store.journal.append(large, now=NOW)
    await store.journal.close()


async def test_below_the_floor_no_event_is_taken_and_deliveries_go_on(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    await owe(store, owed())
    assert store.journal.can_store()
    await store.journal.close()
    store = await open_journal(url(tmp_path), now=NOW, floor_bytes=1 << 62)
    assert not store.journal.can_store()
    with pytest.raises(JournalFullError, match="free"):
        await store.journal.append(reading("b"), now=NOW)
    after = await settled(store, await claimed(store), Sent(Proof.POSTED))
    assert (await store.records.of_event(after.event_id))[0].delivery == after
    await store.journal.close()


async def test_after_a_failed_sync_nothing_is_acknowledged_again(tmp_path: Path, disk: Disk):
    store = await open_engine(tmp_path / "relay.db", now=NOW, vfs=disk.name)
    acknowledged = await append(store, "a")
    told = asyncio.ensure_future(store.journal.broken())
    disk.fault = "sync"
    # More than one group holds: those behind the failure would find a disk that works again.
    results = await asyncio.gather(
        *(store.journal.append(reading(f"b {n}"), now=NOW) for n in range(LARGEST_GROUP + 100)),
        return_exceptions=True,
    )
    assert disk.fault is None
    assert {type(one) for one in results} == {JournalBrokenError}
    with pytest.raises(JournalBrokenError):
        await store.journal.append(reading("c"), now=NOW)
    assert "sync" in await asyncio.wait_for(told, PATIENCE)
    assert not store.journal.can_store()
    await store.journal.close()
    assert await lost(tmp_path / "relay.db", acknowledged) == []


async def test_a_failed_sync_while_copying_the_wal_ends_it_too(tmp_path: Path, disk: Disk):
    """SQLite itself would swallow it, and the next checkpoint would drop the WAL."""
    store = await open_engine(tmp_path / "relay.db", now=NOW, vfs=disk.name)
    acknowledged = await append(store, "a")
    disk.fault = "checkpoint"
    large = await store.journal.append(reading("b", title="x" * 20_000_000), now=NOW)
    assert "sync" in await asyncio.wait_for(store.journal.broken(), PATIENCE)
    await store.journal.close()
    assert await lost(tmp_path / "relay.db", [*acknowledged, large.events[0].id]) == []


async def test_a_killed_relay_loses_no_acknowledged_event(tmp_path: Path):
    script = """
import asyncio, sys
from relay.journal.sqlite.engine import open_journal
from tests.journal_suite import DAY, NOW, reading

async def main():
    store = await open_journal(sys.argv[1], now=NOW)
    async def one(client):
        n = 0
        while True:
            taken = await store.journal.append(reading(f"{client} {n}"), now=NOW)
            sys.stdout.write(taken.events[0].id + chr(10))
            sys.stdout.flush()
            n += 1
    await asyncio.gather(*map(one, range(8)))

asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, url(tmp_path), cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    acknowledged = [(await child.stdout.readline()).decode().strip() for _ in range(150)]
    os.kill(child.pid, signal.SIGKILL)
    rest = (await child.stdout.read()).decode().splitlines()
    await child.wait()
    acknowledged += [line for line in rest if len(line) == 20]
    assert await lost(tmp_path / "relay.db", acknowledged) == []


async def test_the_wal_does_not_grow_without_bound(tmp_path: Path):
    store = await open_journal(url(tmp_path), now=NOW)
    big = "x" * 20_000
    for n in range(100):
        names = (f"{n} {m}" for m in range(20))
        await asyncio.gather(
            *(store.journal.append(reading(name, title=big), now=NOW) for name in names)
        )
    assert (tmp_path / "relay.db-wal").stat().st_size < 24 * 2**20
    assert (tmp_path / "relay.db").stat().st_size > 20 * 2**20
    await store.journal.close()
    assert not (tmp_path / "relay.db-wal").exists()


async def test_what_is_removed_stays_nowhere_in_the_files(tmp_path: Path):
    """`secure_delete`: its place is overwritten."""
    mark = "Nobody must ever read this again"
    store = await open_journal(url(tmp_path), now=NOW)
    await store.journal.append(reading("a", title=mark), now=NOW)
    assert await route_one(store, event_id("a"), Routing(EventState.UNMATCHED), now=NOW)
    after: Mark | None = START
    while after is not None:
        done = await store.journal.prune(now=NOW + 9 * DAY, keep=DAY, after=after)
        after = done.next
    assert await store.records.event(event_id("a")) is None
    await store.journal.close()
    assert mark.encode() not in (tmp_path / "relay.db").read_bytes()


async def test_the_name_of_a_new_journal_is_durable_before_anything_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The folder is synced when the journal is opened."""
    folder, synced = tmp_path.resolve(), []  # noqa: ASYNC240
    fsync = os.fsync

    def spy(fd: int) -> None:
        synced.append(Path(f"/proc/self/fd/{fd}").readlink())
        fsync(fd)

    monkeypatch.setattr(os, "fsync", spy)
    store = await open_journal(url(tmp_path), now=NOW)
    assert folder in synced
    await store.journal.close()


def test_a_statement_is_planned_once_for_all_values(tmp_path: Path) -> None:
    writing = connection.writer(tmp_path / "relay.db")
    planned: list[int] = []
    writing.set_authorizer(lambda *_: planned.append(1) or apsw.SQLITE_OK)
    work.claim(writing, Ask("slack:#a"), now=NOW)
    before = len(planned)
    work.claim(writing, Ask("slack:#b"), now=NOW)
    assert before
    assert len(planned) == before
    writing.close()
