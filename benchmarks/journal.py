"""How fast the embedded journal is here: `python -m benchmarks.journal [FOLDER]`.

Measured on the disk of the folder, with real syncs; the numbers in `docs/` name their machine.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from relay import deliveries
from relay.deliveries import Cause, Delivery, OutOfOrder, Proof, Scope, Sent, delivery_id
from relay.events import Direction, Event, Severity, Source, Topic, event_id
from relay.journal import EventState, Filter, Routing, Store, Trouble
from relay.journal.sqlite.engine import open_journal
from relay.sources import Arrival, Reading

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TARGET = "slack:#wa"


def arrival(number: int) -> Arrival:
    key = f"event {number}"
    event = Event(
        id=event_id(key),
        source=Source.WABA,
        kind="phone_number_quality_update",
        detail="FLAGGED",
        topic=Topic.QUALITY,
        severity=Severity.WARNING,
        direction=Direction.WORSE,
        title="Quality is low",
        received_at=NOW,
        phones=(f"+49151{number:08d}",),
        data={"text": "x" * 1_500},
    )
    return Arrival(event, key, True, "same", b"{}")


def owed(number: int) -> Delivery:
    event = event_id(f"event {number}")
    return Delivery(
        id=delivery_id(event, TARGET),
        event_id=event,
        destination="wa",
        channel="slack",
        target=TARGET,
        account="slack",
        cause=Cause.RULE,
        due_at=NOW,
        tried_since=NOW,
    )


@asynccontextmanager
async def timed(what: str, count: int) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    took = time.perf_counter() - began
    print(f"{what:<52}{took * 1000:>10.1f} ms{count / took:>12,.0f} /s")


async def from_clients(
    store: Store, clients: int, numbers: range, do: Callable[[Store, int], object]
) -> None:
    left = iter(numbers)

    async def client() -> None:
        for number in left:
            await do(store, number)  # type: ignore[misc]

    await asyncio.gather(*(client() for _ in range(clients)))


async def append(store: Store, number: int) -> None:
    await store.journal.append(Reading((arrival(number),)), now=NOW)


async def route(store: Store, number: int) -> None:
    routing = Routing(EventState.ROUTED, (owed(number),))
    await store.journal.route(event_id(f"event {number}"), routing, now=NOW)


async def deliver(store: Store, number: int) -> None:
    found = await store.journal.claim(TARGET, now=NOW)
    assert found is not None, number
    before = found[0]
    attempt = await store.journal.open_attempt(before, now=NOW)
    sent = Sent(Proof.POSTED)
    after = deliveries.settle(before, sent, NOW, 0)
    await store.journal.settle(
        before, after, now=NOW, outcome="sent", reason="sent", attempt=attempt
    )


async def main(folder: Path) -> None:
    store = await open_journal(f"sqlite:///{folder}/relay.db", now=NOW)
    async with timed("append, 1 client", 500):
        await from_clients(store, 1, range(500), append)
    async with timed("append, 50 clients", 10_000):
        await from_clients(store, 50, range(500, 10_500), append)
    async with timed("append one webhook of 10,000 events", 10_000):
        whole = Reading(tuple(arrival(n) for n in range(10_500, 20_500)))
        await store.journal.append(whole, now=NOW)
    async with timed("route, 200 at once", 20_500):
        await from_clients(store, 200, range(20_500), route)
    async with timed("claim, attempt, settle: 1 lane, 20,000 pending", 500):
        await from_clients(store, 1, range(500), deliver)
    found = await store.journal.claim(TARGET, now=NOW)
    assert found is not None
    before = found[0]
    outcome = OutOfOrder("revoked", Scope.ACCOUNT)
    async with timed("park a lane of 20,000", 20_000):
        await store.journal.settle(
            before,
            deliveries.settle(before, outcome, NOW, 0),
            now=NOW,
            outcome="out_of_order",
            reason="revoked",
            trouble=Trouble("slack", Scope.ACCOUNT, "revoked"),
        )
    async with timed("retry 20,000 parked", 20_000):
        await store.journal.retry(Filter(), now=NOW + timedelta(seconds=1), who="benchmark")
    for what, question in (
        ("status", store.records.status(now=NOW)),
        ("lanes", store.records.lanes()),
        ("next_due", store.records.next_due(TARGET)),
        ("events by number", store.records.events(Filter(phone="+4915100000007"))),
        ("newest 100 deliveries", store.records.deliveries(Filter())),
    ):
        async with timed(what, 1):
            await question  # type: ignore[misc]
    async with timed("close", 1):
        await store.journal.close()
    async with timed("open", 1):
        store = await open_journal(f"sqlite:///{folder}/relay.db", now=NOW)
    await store.journal.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as made:
        asyncio.run(main(Path(made)))
