"""A journal moves from its file to PostgreSQL whole, also in several goes, and nowhere else."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.errors import JournalError, JournalUnusableError, UsageError
from relay.events import event_id
from relay.journal import EventState, Filter, Records, Store
from relay.journal.doors import move, open_journal, open_records
from relay.outcomes import OutOfOrder, Refused
from relay.sources import Reading, Unreadable
from tests.engines import InFile, InPostgres
from tests.fakes.line import Line
from tests.journal.test_balance import busy
from tests.journal_suite import (
    CALL,
    DAY,
    NOW,
    arrival,
    claimed,
    event,
    owe,
    owed,
    reading,
    settled,
    trouble,
)
from tests.needs import PATIENCE, ROOT
from tests.relay_process import run_relay

pytestmark = pytest.mark.slow
ODD = "é ü \u0001 \ud800 \U0001f6a8 '; DROP TABLE events; --"


@pytest.fixture
def source(tmp_path: Path) -> InFile:
    return InFile(tmp_path)


@pytest.fixture
def target(tmp_path: Path) -> InPostgres:
    return InPostgres(tmp_path)


@pytest.fixture
async def filled(source: InFile) -> InFile:
    """A journal that holds something in each table, closed with a claim open."""
    store = await open_journal(source.url, now=NOW)
    await busy(store)
    await fill(store)
    await store.journal.close()
    return source


async def fill(store: Store) -> None:
    journal = store.journal
    odd = event("odd", data={"text": ODD}, phone_name=ODD, phones=("+442071234567",))
    await journal.append(Reading(tuple(arrival(n) for n in "xyz")), now=NOW)
    await journal.append(Reading((arrival("odd", title=ODD, phone_name=ODD),)), now=NOW)
    await journal.append(Reading(ignored=(CALL.__class__("private", "why", event=odd),)), now=NOW)
    await journal.append(Reading(unreadable=(Unreadable("x", 3, "0" * 64, b"\x00\xff"),)), now=NOW)
    await owe(store, owed("t", "slack:#t"), owed("u", "slack:#u", fault="plain"))
    broken = trouble("slack:#t")
    await settled(store, await claimed(store, "slack:#t"), OutOfOrder("x"), trouble=broken)
    await settled(store, await claimed(store, "slack:#u"), Refused(ODD[:10]))
    await journal.adopt_rules({"rules.yaml": "version: 1"}, now=NOW, who="ada")
    await journal.raise_alarm("k", ODD[:8], now=NOW)
    await journal.remember("note", "text")


async def told(records: Records) -> list[object]:
    """All that a journal answers."""
    whole = Filter(limit=100_000)
    return [
        await records.events(whole),
        await records.deliveries(whole),
        await records.events(Filter(state=EventState.IGNORED)),
        await records.past(await records.places(whole)),
        await records.balance(),
        await records.status(now=NOW),
        await records.lanes(),
        await records.troubles(),
        await records.alarms(),
        await records.rules(),
        await records.recalled("note"),
        await records.directory(),
        [(one.sha256, one.kept) for one in await records.quarantined()],
    ]


@pytest.fixture
async def before(filled: InFile) -> AsyncIterator[list[object]]:
    """What the source says once it was opened again, as a move does."""
    await (await open_journal(filled.url, now=NOW)).journal.close()
    records = open_records(filled.url)
    yield await told(records)
    await records.close()


async def test_all_that_a_journal_answers_is_the_same_afterwards(
    filled: InFile, target: InPostgres, before: list[object]
):
    parts: list[float] = []
    moved = await move(filled.url, target.url, now=NOW, tell=parts.append)
    assert parts == sorted(parts)
    assert parts[-1] == 1
    assert not moved.resumed
    records = open_records(target.url)
    assert await told(records) == before
    assert moved.events == len(await records.events(Filter(limit=100_000)))
    await records.close()
    for table in ("events", "attempts", "twin_tokens", "dedupe_keys", "audit", "ledger"):
        count = f"SELECT count(*) FROM {table}"
        assert target.sql(count) == filled.sql(count)


async def test_a_relay_goes_on_in_the_database(filled: InFile, target: InPostgres):
    """Repeats are recognised, numbers go on behind the highest, its key is the same."""
    first = await open_journal(filled.url, now=NOW)
    key = first.key
    await first.journal.close()
    await move(filled.url, target.url, now=NOW)
    store = await open_journal(target.url, now=NOW)
    assert store.key == key
    assert (await store.journal.append(reading("x"), now=NOW)).duplicates == 1
    await owe(store, owed("new", "slack:#new"))
    assert (await claimed(store, "slack:#new")).event_id == event_id("new")
    assert (await store.journal.adopt_rules({"rules.yaml": "new"}, now=NOW)) == 2
    assert (await store.records.balance()).balanced
    await store.journal.close()


async def test_a_file_that_was_moved_is_as_it_was(filled: InFile, target: InPostgres):
    """But for what any opening does."""
    await (await open_journal(filled.url, now=NOW)).journal.close()
    before = filled.sql("SELECT count(*), sum(seq), max(id) FROM deliveries")
    await move(filled.url, target.url, now=NOW)
    assert filled.sql("SELECT count(*), sum(seq), max(id) FROM deliveries") == before
    await (await open_journal(filled.url, now=NOW)).journal.close()


async def test_what_holds_something_else_is_refused(filled: InFile, target: InPostgres):
    other = await open_journal(target.url, now=NOW)
    await other.journal.append(reading("theirs"), now=NOW)
    await other.journal.close()
    with pytest.raises(UsageError, match=r"holds a journal already") as caught:
        await move(filled.url, target.url, now=NOW)
    assert "p%40ss" not in str(caught.value)
    assert target.sql("SELECT count(*) FROM events") == [("1",)]


async def test_a_database_of_somebody_else_is_refused(filled: InFile, target: InPostgres):
    target.sql("CREATE TABLE meta (key text, value text); INSERT INTO meta VALUES ('a', 'b')")
    target.sql("GRANT ALL ON meta TO PUBLIC")
    with pytest.raises(JournalError, match="not the relay's"):
        await move(filled.url, target.url, now=NOW)


async def test_a_second_time_is_refused(filled: InFile, target: InPostgres):
    await move(filled.url, target.url, now=NOW)
    with pytest.raises(UsageError, match="holds a journal already"):
        await move(filled.url, target.url, now=NOW)


@pytest.mark.parametrize(
    ("source_url", "target_url"),
    [
        ("sqlite:///a.db", "sqlite:///b.db"),
        ("postgresql://a@127.0.0.1/b", "sqlite:///b.db"),
        ("postgresql://a@127.0.0.1/b", "postgresql://a@127.0.0.1/c"),
    ],
)
async def test_other_directions_are_refused_with_the_right_one(source_url: str, target_url: str):
    with pytest.raises(UsageError, match=r"relay migrate sqlite:///FILE postgresql://"):
        await move(source_url, target_url, now=NOW)


async def test_a_file_that_is_not_there_is_said_and_not_made(tmp_path: Path):
    with pytest.raises(JournalUnusableError, match="no such file"):
        await move(f"sqlite:///{tmp_path}/no.db", "postgresql://a@127.0.0.1/b", now=NOW)
    assert not (tmp_path / "no.db").exists()


async def test_a_file_that_a_relay_serves_is_refused(source: InFile, target: InPostgres):
    store = await open_journal(source.url, now=NOW)
    with pytest.raises(JournalError, match="is in use by process"):
        await move(source.url, target.url, now=NOW)
    await store.journal.close()


async def interrupted(filled: InFile, target: InPostgres, tmp_path: Path) -> None:
    """A move that is killed when some of it is there."""
    async with Line(target.port) as line:
        line.delay = 0.05
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "relay", "migrate", filled.url, target.by(line.port)),
            cwd=ROOT,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(PATIENCE):
            while True:
                if target.sql("SELECT to_regclass('events') IS NOT NULL") == [("t",)] and (
                    int(target.sql("SELECT count(*) FROM events")[0][0]) >= 2_000
                ):
                    break
                await asyncio.sleep(0.01)
        process.kill()
        await process.wait()


@pytest.fixture
async def large(filled: InFile) -> InFile:
    """With more than some pages."""
    store = await open_journal(filled.url, now=NOW)
    for number in range(12):
        names = [f"{number} {n}" for n in range(500)]
        await store.journal.append(reading(*names), now=NOW)
    await store.journal.close()
    return filled


async def test_a_move_that_was_killed_goes_on_where_it_was(
    large: InFile, target: InPostgres, tmp_path: Path
):
    await interrupted(large, target, tmp_path)
    there = int(target.sql("SELECT count(*) FROM events")[0][0])
    with pytest.raises(JournalError, match=r"`relay migrate` into it is not finished"):
        await open_journal(target.url, now=NOW)
    parts: list[float] = []
    moved = await move(large.url, target.url, now=NOW, tell=parts.append)
    assert moved.resumed
    assert parts[0] > there / moved.rows / 2
    one, other = open_records(large.url), open_records(target.url)
    assert await told(one) == await told(other)
    await one.close()
    await other.close()


async def test_a_source_that_was_served_meanwhile_is_copied_anew(
    large: InFile, target: InPostgres, tmp_path: Path
):
    await interrupted(large, target, tmp_path)
    store = await open_journal(large.url, now=NOW)
    await store.journal.discard(Filter(state="dead"), now=NOW + DAY, who="ada")
    await store.journal.close()
    moved = await move(large.url, target.url, now=NOW)
    assert not moved.resumed
    one, other = open_records(large.url), open_records(target.url)
    assert await told(one) == await told(other)
    await one.close()
    await other.close()


async def test_the_beginning_of_another_journal_is_refused(
    large: InFile, target: InPostgres, tmp_path: Path
):
    await interrupted(large, target, tmp_path)
    (tmp_path / "other").mkdir()
    other = InFile(tmp_path / "other")
    await (await open_journal(other.url, now=NOW)).journal.close()
    with pytest.raises(UsageError, match="beginning of another journal"):
        await move(other.url, target.url, now=NOW)


async def test_the_command_says_what_is_there_now_and_no_password(
    filled: InFile, target: InPostgres, tmp_path: Path
):
    code, said, wrong = await run_relay("migrate", filled.url, target.url, env={}, cwd=tmp_path)
    assert (code, wrong) == (0, "")
    assert "both sides have the same balance" in said
    assert "p%40ss" not in said
    code, said, wrong = await run_relay("migrate", filled.url, target.url, env={}, cwd=tmp_path)
    assert (code, said) == (2, "")
    assert wrong.count("\n") == 1
    assert "p%40ss" not in wrong


async def test_the_command_answers_in_json(filled: InFile, target: InPostgres, tmp_path: Path):
    words = ("migrate", filled.url, target.url, "--json")
    code, said, _ = await run_relay(*words, env={}, cwd=tmp_path)
    assert code == 0
    assert json.loads(said).keys() == {"events", "deliveries", "rows", "resumed"}
