"""The balance adds up, and says so when a row, a count or a state is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.deliveries import Cause, delivery_id
from relay.events import Source, event_id
from relay.journal import EventState, Filter, Routing, Store
from relay.journal.balance import Account, Balance, Day
from relay.journal.doors import open_records
from relay.outcomes import Proof, Sent, Transient
from relay.sources import Reading, Unreadable
from tests.engines import Place
from tests.journal_suite import (
    CHAT,
    DAY,
    NOW,
    claimed,
    event,
    owe,
    owed,
    reading,
    route_one,
    settled,
)


async def busy(store: Store) -> None:
    """Two days with an event in every state and deliveries in most."""
    for number, day in enumerate((NOW - DAY, NOW)):
        names = [f"{word}{number}" for word in ("new", "muted", "unmatched", "one", "two")]
        read = reading(*names, received_at=day)
        await store.journal.append(read, now=day)
        await store.journal.append(reading(names[0], received_at=day), now=day)
        for name, state in (("muted", EventState.MUTED), ("unmatched", EventState.UNMATCHED)):
            await route_one(store, event_id(f"{name}{number}"), Routing(state), now=day)
        for name, target in (("one", "a"), ("two", "b")):
            owing = tuple(owed(f"{name}{number}", f"slack:#{t}") for t in (target, "both"))
            routing = Routing(EventState.ROUTED, owing)
            await route_one(store, event_id(f"{name}{number}"), routing, now=day)
    await settled(store, await claimed(store, "slack:#a"), Sent(Proof.POSTED))
    await settled(store, await claimed(store, "slack:#b"), Transient("busy"))
    await claimed(store, "slack:#both")
    garbage = Unreadable("no JSON", 3, "x", b"{{{")
    await store.journal.append(Reading(unreadable=(garbage,), ignored=(CHAT, CHAT)), now=NOW)
    await store.journal.tally("refused", now=NOW, count=7)
    await store.journal.discard(Filter(destination="b", state="pending"), now=NOW, who="me")


async def test_every_day_has_its_two_lines_and_its_tallies(store: Store):
    await busy(store)
    balance = await store.records.balance()
    assert balance.balanced
    first, second = balance.days
    assert (first.day, second.day) == ((NOW - DAY).date(), NOW.date())
    for day in (first, second):
        assert day.received == 5
        assert day.events == {"unrouted": 1, "unmatched": 1, "muted": 1, "routed": 2}
        assert day.owed == sum(day.deliveries.values()) == 4
    assert first.deliveries["delivered"] == first.deliveries["claimed"] == 1
    assert first.deliveries["suppressed"] == second.deliveries["suppressed"] == 1
    assert first.tallies == {"quarantined": 0, "duplicate": 1, "ignored": 0, "refused": 0}
    assert second.tallies == {"quarantined": 1, "duplicate": 1, "ignored": 2, "refused": 7}
    total = balance.total()
    assert (total.received, total.owed, total.day) == (10, 8, None)
    assert total.tallies["duplicate"] == 2


async def test_since_begins_with_a_whole_day(store: Store):
    await busy(store)
    balance = await store.records.balance(NOW.replace(hour=23))
    assert [day.day for day in balance.days] == [NOW.date()]
    assert balance.total().received == 5


async def test_deliveries_count_on_the_day_of_their_event(store: Store):
    """A replay weeks later is owed for the event of that day."""
    await owe(store, owed())
    again = replace(
        owed(), id=delivery_id(event_id("a"), "slack:#wa", "replay"), cause=Cause.REPLAY
    )
    await store.journal.owe([again], now=NOW + 30 * DAY)
    (day,) = (await store.records.balance()).days
    assert (day.received, day.owed) == (1, 2)


async def test_alarms_and_tests_stand_beside_the_balance(store: Store):
    alarm = event("alarm", source=Source.RELAY)
    await store.journal.post(alarm, [owed("alarm", cause=Cause.ALARM)], now=NOW)
    (day,) = (await store.records.balance()).days
    assert (day.received, day.owed, day.own) == (0, 0, 1)
    assert (await store.records.balance()).balanced


async def test_an_empty_journal_balances(store: Store):
    balance = await store.records.balance()
    assert balance.balanced
    assert balance.total().received == 0


TAMPERED = [
    ("DELETE FROM events WHERE state = 'muted' AND seq < 5", "1 events are counted as muted and 0"),
    ("DELETE FROM events WHERE state = 'received'", "5 events came in and 4 are accounted for"),
    ("DELETE FROM deliveries WHERE state = 'delivered'", "4 deliveries came in and 3 are"),
    ("DELETE FROM deliveries WHERE state = 'pending'", "1 deliveries are counted as pending and 0"),
    ("UPDATE ledger SET count = count + 1 WHERE state = 'routed'", "3 events are counted as"),
    ("UPDATE ledger SET closed = 1 WHERE state = 'muted'", "5 events came in and 6 are"),
    ("UPDATE taken SET count = 9 WHERE noun = 'events'", "9 events came in and 5 are"),
    ("DELETE FROM taken", "0 events came in and 5 are"),
    ("UPDATE events SET state = 'lost' WHERE state = 'muted'", "which is no state of an event"),
    ("UPDATE events SET source = 'relay' WHERE state = 'muted'", "5 events came in and 4 are"),
    ("UPDATE events SET received_at = 0 WHERE state = 'muted'", "1970-01-01: 0 events came in and"),
    ("INSERT INTO events (id, source, kind, state, received_at, json)"
     " SELECT 'x', source, kind, state, received_at, json FROM events LIMIT 1",
     "5 events came in and 6 are"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), TAMPERED)
async def test_what_was_changed_by_hand_does_not_balance(
    store: Store, place: Place, change: str, said: str
):
    await busy(store)
    place.sql(change)
    balance = await store.records.balance()
    assert not balance.balanced
    assert said in "\n".join(balance.faults)


async def test_it_holds_beside_a_relay_that_is_at_work(store: Store, place: Place):
    """The question is answered from one moment."""
    records = open_records(place.url)
    for number in range(30):
        await owe(store, owed(f"e{number}"))
        assert (await records.balance()).balanced
    await records.close()


counts = st.dictionaries(st.sampled_from(["routed", "muted", "unmatched"]), st.integers(1, 9))


@given(rows=counts, closed=counts)
def test_accounts_that_agree_have_no_fault_and_any_other_has_one(
    rows: dict[str, int], closed: dict[str, int]
):
    both: dict[str, int] = {}
    for state in (*rows, *closed):
        both[state] = rows.get(state, 0) + closed.get(state, 0)
    right = Account(sum(both.values()), both, closed, rows)
    assert right.faults("events") == []
    assert replace(right, taken=right.taken + 1).faults("events")
    for state in both:
        for wrong in (both | {state: both[state] - 1}, {**both, "new": 1}):
            assert replace(right, ledger=wrong).faults("events")


def test_a_delivery_state_of_a_later_relay_is_counted_and_no_fault():
    account = Account(2, {"held": 2}, {}, {"held": 2})
    day = Day.of(NOW.date(), Account(), account, Account(), {})
    assert day.faults == ()
    assert day.deliveries["held"] == 2
    assert Balance([day]).total().deliveries["held"] == 2
