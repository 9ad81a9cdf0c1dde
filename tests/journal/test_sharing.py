"""Relays that share a database: one delivers, all know what one of them changed, none is missed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from relay.deliveries import State
from relay.errors import JournalBusyError, JournalUnusableError
from relay.journal import Aim, Ask, Filter, Store
from relay.journal.doors import open_journal
from relay.outcomes import Proof, Sent
from tests.engines import InPostgres
from tests.fakes.line import Line
from tests.journal_suite import NOW, claim_one, event_id, owe, owed, reading, said
from tests.needs import PATIENCE
from tests.postgres import Cluster, cluster
from tests.relay_process import run_relay

Join = Callable[..., Awaitable[Store]]


@pytest.fixture
def place(tmp_path) -> InPostgres:
    return InPostgres(tmp_path)


@pytest.fixture
async def join(place: InPostgres) -> AsyncIterator[Join]:
    """Opens the same journal for one more relay."""
    async with AsyncExitStack() as stack:

        async def opened(url: str = place.url) -> Store:
            store = await open_journal(url, now=NOW)
            stack.push_async_callback(store.journal.close)
            return store

        yield opened


async def heard(store: Store, word: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while word not in await store.journal.news():
            pass


async def test_the_first_delivers_and_the_second_tells_it_of_work(join: Join):
    first, second = await join(), await join()
    assert (first.journal.leads(), second.journal.leads()) == (True, False)
    await owe(second, owed())
    await heard(first, "work")
    assert (await second.journal.claim(Ask("slack:#wa"), now=NOW)).claimed is None
    assert (await first.journal.claim(Ask("slack:#wa"), now=NOW)).claimed is not None


async def test_a_relay_that_is_stopped_hands_over_at_once(join: Join):
    first, second = await join(), await join()
    await first.journal.close()
    await heard(second, "vacant")
    assert await second.journal.lead(now=NOW) == 0
    assert second.journal.leads()


async def test_what_a_killed_relay_held_is_lost_to_it_and_tried_by_the_next(
    place: InPostgres, join: Join
):
    """It is seen by the database's clock; it can settle nothing any more, though it lives."""
    first, second = await join(), await join()
    await owe(first, owed())
    before = await claim_one(first, "slack:#wa")
    place.sql("UPDATE relays SET seen_at = seen_at - interval '1 hour' WHERE leads")
    assert await second.journal.lead(now=NOW) == 1
    settled = await first.journal.settle(said(before.delivery, Sent(Proof.POSTED)), now=NOW)
    assert not settled.held
    assert not first.journal.leads()
    assert await first.journal.lead(now=NOW) is None
    (one,) = await second.records.of_event(event_id("a"))
    assert (one.delivery.state, one.delivery.ambiguous) == (State.PENDING, True)


async def test_what_one_knows_by_heart_the_others_changes_reach(join: Join):
    first, second = await join(), await join()
    await first.journal.aim({"support": Aim("slack:#old", "slack", "slack", "")}, now=NOW)
    await owe(second, owed("a", destination="support"))
    await first.journal.aim({"support": Aim("slack:#new", "slack", "slack", "")}, now=NOW)
    await owe(second, owed("b", destination="support"))
    await heard(second, "changed")
    for name in ("a", "b"):
        (one,) = await second.records.of_event(event_id(name))
        assert one.delivery.target == "slack:#new"


async def test_each_says_by_which_rules_it_goes(join: Join):
    first, second = await join(), await join()
    assert await first.records.relays() == []
    await first.journal.note_rules(2, ())
    await second.journal.note_rules(1, ("rules.yaml",))
    found = await second.records.relays()
    assert [(one.leads, one.version, one.waits) for one in found] in (
        [(True, 2, ()), (False, 1, ("rules.yaml",))],
        [(False, 1, ("rules.yaml",)), (True, 2, ())],
    )


async def test_a_repeat_is_one_at_whichever_relay_it_comes(join: Join):
    relays = [await join() for _ in range(3)]
    names = [f"event {number}" for number in range(20)]
    added = await asyncio.gather(
        *(one.journal.append(reading(name), now=NOW) for name in names for one in relays)
    )
    assert sum(len(one.events) for one in added) == len(names)
    assert (await relays[0].records.balance()).balanced


async def test_a_commit_whose_answer_was_lost_is_made_once(place: InPostgres, join: Join):
    """Connections are cut again and again; what counts on from what stood there counts right."""
    chance = random.Random(1)
    async with Line(cluster().port) as line:
        store = await join(place.url.replace(f":{cluster().port}/", f":{line.port}/"))
        counts = []
        for _ in range(40):
            counting = asyncio.ensure_future(store.journal.watch_failed("503"))
            # Somewhere between its first statement and the answer to its commit.
            await asyncio.sleep(chance.random() / 50)
            line.cut()
            counts.append(await counting)
        assert counts == list(range(1, 41))
        assert line.opened > 10
        await store.journal.close()


async def test_a_webhook_behind_other_work_is_refused_when_the_database_goes(
    place: InPostgres, join: Join
):
    """The work waits for the database, and nothing of what was refused is stored."""
    async with Line(cluster().port) as line:
        store = await join(place.url.replace(f":{cluster().port}/", f":{line.port}/"))
        line.stall()
        counting = asyncio.ensure_future(store.journal.watch_failed("503"))
        await asyncio.sleep(0.2)  # it is under way, so that the webhook waits behind it
        appending = asyncio.ensure_future(store.journal.append(reading("b"), now=NOW))
        await line.refuse()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(JournalBusyError):
                await appending
        assert not counting.done()
        await line.restore()
        assert await counting == 1
        assert await store.records.event(event_id("b")) is None
        await store.journal.close()


async def test_while_the_database_is_away_webhooks_are_refused_and_all_else_waits(
    place: InPostgres, join: Join
):
    async with Line(cluster().port) as line:
        store = await join(place.url.replace(f":{cluster().port}/", f":{line.port}/"))
        await owe(store, owed())
        before = await claim_one(store, "slack:#wa")
        await line.refuse()
        settling = asyncio.ensure_future(
            store.journal.settle(said(before.delivery, Sent(Proof.POSTED)), now=NOW)
        )
        await heard(store, "lost")
        assert not store.journal.can_store()
        with pytest.raises(JournalBusyError, match="the database cannot be reached"):
            await store.journal.append(reading("b"), now=NOW)
        with pytest.raises(JournalBusyError):
            await store.records.events(Filter())
        assert not settling.done()
        await line.restore()
        assert (await settling).held
        await heard(store, "back")
        assert store.journal.can_store()
        assert len((await store.journal.append(reading("b"), now=NOW)).events) == 1
        await store.journal.close()


async def test_a_primary_whose_place_another_took_is_never_written_to_again():
    """Also where nobody stopped it and the address leads to it once more."""
    with Cluster().create() as old, old.standby() as new:
        name = old.fresh()
        async with Line(old.port) as line:
            store = await open_journal(old.url(name, port=line.port), now=NOW)
            await owe(store, owed())
            before = await claim_one(store, "slack:#wa")
            (written,) = old.sql("SELECT pg_current_wal_lsn()")
            arrived = f"SELECT pg_last_wal_replay_lsn() >= '{written[0]}'"
            async with asyncio.timeout(PATIENCE):
                while new.sql(arrived) != [("t",)]:
                    await asyncio.sleep(0.1)
            new.promote()
            line.target = new.port
            line.cut()
            await store.journal.watch_failed("503")
            assert (await store.journal.append(reading("b"), now=NOW)).events
            line.target = old.port
            line.cut()
            settling = asyncio.ensure_future(
                store.journal.settle(said(before.delivery, Sent(Proof.POSTED)), now=NOW)
            )
            await heard(store, "lost")
            line.target = new.port
            assert (await settling).held
            await store.journal.close()
        (state,) = old.sql("SELECT state FROM deliveries", database=name)
        assert state == ("claimed",)
        (state,) = new.sql("SELECT state FROM deliveries", database=name)
        assert state == ("delivered",)


async def test_a_relay_can_end_while_the_database_is_away(place: InPostgres, join: Join):
    async with Line(cluster().port) as line:
        store = await join(place.url.replace(f":{cluster().port}/", f":{line.port}/"))
        await line.refuse()
        waiting = asyncio.ensure_future(store.journal.probe("slack:#wa", now=NOW))
        await heard(store, "lost")
        async with asyncio.timeout(PATIENCE):
            await store.journal.close()
        with pytest.raises(JournalBusyError):
            await waiting


async def test_a_role_that_may_make_no_tables_is_told_what_to_do(place: InPostgres, tmp_path: Path):
    place.sql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    place.sql("ALTER SCHEMA public OWNER TO postgres")
    with pytest.raises(JournalUnusableError, match="relay schema --sql"):
        await open_journal(place.url, now=NOW)
    code, said, _ = await run_relay("schema", "--sql", "--journal", place.url, env={}, cwd=tmp_path)
    assert code == 0
    place.sql(said)
    store = await open_journal(place.url, now=NOW)
    await store.journal.append(reading("a"), now=NOW)
    await store.journal.close()


@pytest.mark.parametrize(
    "more", ["?sslmode=nonsense", "?password=geheim", ":port/x", "?connect_timeout=geheim"]
)
async def test_no_word_of_the_address_is_shown(place: InPostgres, more: str):
    url = f"postgresql://relay:geheim@127.0.0.1:1/relay{more}"
    with pytest.raises(JournalUnusableError) as told:
        await open_journal(url, now=NOW)
    assert "geheim" not in str(told.value)
    assert "RELAY_JOURNAL" in str(told.value)
    assert "\n" not in str(told.value)


async def test_relays_that_open_a_new_journal_together_make_it_once(join: Join):
    relays = await asyncio.gather(*(join() for _ in range(3)))
    assert sum(one.journal.leads() for one in relays) == 1
    assert len({one.key for one in relays}) == 1


async def test_settings_that_lose_what_was_acknowledged_are_told(place: InPostgres, join: Join):
    store = await join()
    told = " ".join(store.weaknesses)
    assert "fsync" in told
    assert "synchronous_commit" not in told
    await store.journal.close()
    place.sql("ALTER ROLE relay SET synchronous_commit TO off")
    try:
        assert "synchronous_commit" in " ".join((await join()).weaknesses)
    finally:
        place.sql("ALTER ROLE relay RESET synchronous_commit")
