"""What every engine of the journal does: one suite, and what its tests are made of."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relay import deliveries
from relay.deliveries import Cause, Delivery, State, delivery_id
from relay.directory import Completed, Contact
from relay.errors import IllegalMoveError, JournalError
from relay.events import Client, Direction, Event, Severity, Source, Topic, event_id, iso
from relay.events.properties import Property
from relay.journal import (
    Aim,
    Appended,
    Ask,
    Checked,
    Claimed,
    Dead,
    EventState,
    Filter,
    Owing,
    Recorded,
    Routing,
    Settlement,
    Store,
    Trouble,
    Turn,
    WatchState,
)
from relay.journal.doors import open_records
from relay.outcomes import (
    Ambiguous,
    Interrupted,
    Outcome,
    OutOfOrder,
    PartlyRefused,
    Proof,
    RateLimited,
    Refused,
    Scope,
    Sent,
    Transient,
    outcome_word,
)
from relay.sources import Arrival, Ignored, Reading, Unreadable
from relay.sources.watch import Changes, Seen
from tests.engines import Open, Place
from tests.needs import PATIENCE

NOW = datetime(2026, 11, 23, 9, 0, 0, 123456, tzinfo=UTC)
CHAT = Ignored("private kind", "field messages: private content is never kept")
CALL = Ignored("private content", "field calls: private content is never kept")
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def event(name: str = "a", **changes: Any) -> Event:
    made = Event(
        id=event_id(name),
        source=Source.PARTNER,
        kind="channel_live",
        detail=None,
        topic=Topic.ONBOARDING,
        severity=Severity.INFO,
        direction=Direction.BETTER,
        title="Number is live",
        received_at=NOW,
        phones=("+491713920011",),
        client=Client("dev001CL", "Musterladen GmbH"),
        data={"channel": {"id": name}},
    )
    return replace(made, **changes)


def arrival(name: str = "a", *, lasting: bool = True, content: str = "", **changes: Any) -> Arrival:
    raw = {"id": name, "content": content}
    fingerprint = hashlib.sha256(json.dumps(raw, separators=(",", ":")).encode()).hexdigest()
    return Arrival(event(name, **changes), name, lasting, fingerprint, raw)


def reading(*names: str, **changes: Any) -> Reading:
    return Reading(tuple(arrival(name, **changes) for name in names))


def owed(name: str = "a", target: str = "slack:#wa", **changes: Any) -> Delivery:
    made = Delivery(
        id=delivery_id(event_id(name), target),
        event_id=event_id(name),
        destination=target.removeprefix("slack:#"),
        channel="slack",
        target=target,
        account="slack",
        cause=Cause.RULE,
        due_at=NOW,
        tried_since=NOW,
        rule="Numbers that go live",
        rules_version=1,
    )
    return replace(made, **changes)


def routed(*owing: Delivery) -> Routing:
    return Routing(EventState.ROUTED, owing, rules_version=1)


async def owe(store: Store, *owing: Delivery, now: datetime = NOW) -> None:
    """Append and route the events of these deliveries."""
    events = {one.event_id: one for one in owing}
    for one in events.values():
        made = event("", id=one.event_id)
        key = f"key of {one.event_id}"
        arrived = Arrival(made, key, True, "same", {})
        if (await store.journal.append(Reading((arrived,)), now=now)).events:
            mine = tuple(d for d in owing if d.event_id == one.event_id)
            assert await route_one(store, one.event_id, routed(*mine), now=now)


async def route_one(
    store: Store,
    event_id: str,
    routing: Routing,
    *,
    now: datetime = NOW,
    completed: Completed | None = None,
) -> bool:
    """Route one event; whether that was new."""
    stored = await store.records.event(event_id)
    made = completed.event if completed else stored.event if stored else event("", id=event_id)
    done = await store.journal.route([Owing(made, routing, completed)], now=now)
    return event_id in done.events


async def claim_one(
    store: Store, target: str, *, now: datetime = NOW, head: bool = False, oldest: bool = False
) -> Claimed | None:
    """Claim the next delivery of a lane."""
    found = (await store.journal.claim(Ask(target, head, oldest), now=now)).claimed
    if found is not None:
        ATTEMPTS[found.delivery.id, found.delivery.claim] = found.attempt
    return found


ATTEMPTS: dict[tuple[str, int], int] = {}
"""Of all claims that were made by `claim_one`."""


def attempt_of(delivery: Delivery) -> int:
    return ATTEMPTS.get((delivery.id, delivery.claim), -1)


def said(before: Delivery, outcome: Outcome, **changes: Any) -> Settlement:
    """The settlement of a claimed delivery."""
    made = Settlement(
        before,
        deliveries.settle(before, outcome, NOW, 0.5),
        attempt_of(before),
        outcome_word(outcome),
        outcome.reason,
    )
    return replace(made, **changes)


async def only(store: Store, delivery: Delivery) -> Delivery:
    """A delivery as it is stored."""
    (stored,) = await store.records.deliveries(Filter(ids=(delivery.id,)))
    return stored.delivery


async def settled(
    store: Store,
    before: Delivery,
    outcome: Outcome,
    *,
    now: datetime = NOW,
    chance: float = 0.5,
    **more: Any,
) -> Delivery:
    """Settle a claimed delivery; it has to hold."""
    after = deliveries.settle(before, outcome, now, chance)
    recorded = await store.journal.settle(said(before, outcome, after=after, **more), now=now)
    assert recorded.held
    return after


async def claimed(store: Store, target: str = "slack:#wa", now: datetime = NOW) -> Delivery:
    found = await claim_one(store, target, now=now)
    assert found is not None
    return found.delivery


def trouble(
    key: str = "slack:#wa", scope: Scope = Scope.TARGET, fingerprint: str = "f1"
) -> Trouble:
    return Trouble(key, scope, "channel_not_found", fingerprint)


class JournalSuite:
    """`tests/journal/test_engines.py` runs it on each of them."""

    async def test_a_new_event_is_stored_as_received_and_comes_back_exactly(self, store: Store):
        odd = event(
            "a", data={"name": 'é\u0000"\ud800', "n": 2**70}, test=True, waba="1", detail="X"
        )
        taken = await store.journal.append(Reading((replace(arrival("a"), event=odd),)), now=NOW)
        assert taken == Appended(events=(odd,))
        stored = await store.records.event(odd.id)
        assert stored is not None
        assert stored.event == odd
        assert stored.state is EventState.RECEIVED
        assert list(await store.records.unrouted(10)) == [odd]

    async def test_repeats_are_recognised_within_a_batch_and_between_batches(self, store: Store):
        first = await store.journal.append(reading("a", "b", "a"), now=NOW)
        assert [e.id for e in first.events] == [event_id("a"), event_id("b")]
        assert first.duplicates == 1
        again = await store.journal.append(reading("b", "c"), now=NOW + 400 * DAY)
        assert [e.id for e in again.events] == [event_id("c")]
        assert again.duplicates == 1
        status = await store.records.status(now=NOW)
        assert (status.events["received"], status.events["duplicate"]) == (3, 2)

    async def test_a_known_event_under_another_key_is_a_repeat(self, store: Store):
        await store.journal.append(reading("a"), now=NOW)
        same = replace(arrival("a"), key="another")
        assert await store.journal.append(Reading((same,)), now=NOW) == Appended(duplicates=1)

    async def test_a_known_id_with_another_content_is_a_conflict_and_kept(self, store: Store):
        await store.journal.append(reading("a"), now=NOW)
        taken = await store.journal.append(reading("a", content="other"), now=NOW)
        assert taken == Appended(conflicts=1)
        status = await store.records.status(now=NOW)
        assert status.events["quarantined"] == 1
        assert status.events["duplicate"] == 0

    async def test_a_key_that_does_not_last_is_new_again_after_seven_days(self, store: Store):
        await store.journal.append(reading("a", lasting=False), now=NOW)
        inside = await store.journal.append(reading("a", lasting=False), now=NOW + 7 * DAY)
        assert inside.duplicates == 1
        later = NOW + 7 * DAY + SECOND
        batch = reading("a", "a", lasting=False, received_at=later)
        beyond = await store.journal.append(batch, now=later)
        assert [e.id for e in beyond.events] == [event_id(f"a#{iso(later)}")]
        assert beyond.duplicates == 1
        assert await store.records.event(beyond.events[0].id) is not None

    async def test_what_was_ignored_or_unreadable_is_counted(self, store: Store):
        bad = Unreadable("not JSON", 3, "0" * 64, b"{{{")
        private = Unreadable("private", 3, "1" * 64, None)
        taken = await store.journal.append(
            Reading(ignored=(CHAT, CALL), unreadable=(bad, private)), now=NOW
        )
        assert taken == Appended(ignored=2, quarantined=2)
        status = await store.records.status(now=NOW)
        assert (status.events["ignored"], status.events["quarantined"]) == (2, 2)
        assert status.ignored == {"private kind": 1, "private content": 1}
        assert await store.records.events(Filter(state="ignored")) == []

    async def test_what_should_be_known_of_the_ignored_is_listed_once(self, store: Store):
        known = replace(event("ban"), data={}, phones=(), client=Client())
        ban = replace(CALL, event=known)
        for expected in ((known,), ()):
            taken = await store.journal.append(Reading(ignored=(ban,)), now=NOW)
            assert taken == Appended(ignored=1, withheld=expected)
        (found,) = await store.records.events(Filter(state="ignored", kind=known.kind))
        assert (found.event, found.state, found.reason) == (known, EventState.IGNORED, CALL.reason)
        for other in (
            Filter(state="ignored", kind="x"),
            Filter(state="ignored", phone="+491713920011"),
            Filter(state="ignored", since=NOW + DAY),
            Filter(),
        ):
            assert await store.records.events(other) == []
        assert (await store.records.status(now=NOW)).events["received"] == 0

    async def test_refused_webhooks_are_counted_for_24_hours(self, store: Store):
        await store.journal.tally("refused", now=NOW, count=3)
        await store.journal.tally("refused", now=NOW + 2 * SECOND)
        assert (await store.records.status(now=NOW + 23 * SECOND)).refused_webhooks == 4
        assert (await store.records.status(now=NOW + 25 * 3600 * SECOND)).refused_webhooks == 0

    async def test_an_event_is_routed_once(self, store: Store):
        await store.journal.append(reading("a"), now=NOW)
        results = await asyncio.gather(
            *(route_one(store, event_id("a"), routed(owed()), now=NOW) for _ in range(3))
        )
        assert sorted(results) == [False, False, True]
        assert len(await store.records.of_event(event_id("a"))) == 1
        assert list(await store.records.unrouted(10)) == []
        assert not await route_one(store, "unknown", routed(), now=NOW)

    async def test_a_muted_event_says_by_which_rule(self, store: Store):
        await store.journal.append(reading("a"), now=NOW)
        await route_one(
            store, event_id("a"), Routing(EventState.MUTED, (), 7, muted_by="No news"), now=NOW
        )
        stored = await store.records.event(event_id("a"))
        assert stored is not None
        assert (stored.state, stored.muted_by, stored.rules_version) == (
            EventState.MUTED,
            "No news",
            7,
        )

    async def test_a_delivery_comes_back_exactly(self, store: Store):
        full = owed(
            template="welcome",
            critical=True,
            fault="refused by the target: é",
            ambiguous=True,
            recipients=("a@example.com", "b@example.com"),
            refused={"c@example.com": "550 no such user"},
            failures=2,
            losses=1,
            claim=4,
            reason="é",
            reference={"ts": "1.2"},
            via="oncall",
            due_at=NOW + timedelta(microseconds=1),
        )
        await owe(store, full)
        assert await only(store, full) == full

    async def test_further_deliveries_of_a_known_event_are_new_once(self, store: Store):
        await owe(store, owed())
        again = owed(id="replay", cause=Cause.REPLAY)
        assert await store.journal.owe([owed(), again], now=NOW) == 1
        assert await store.journal.owe([again], now=NOW) == 0
        with pytest.raises(JournalError):
            await store.journal.owe([owed("never seen")], now=NOW)
        names = [event_id("a"), event_id("never seen")]
        assert list(await store.records.owed(names)) == [owed(), again]

    async def test_the_relays_own_events_stand_outside_the_balance(self, store: Store):
        alarm = event("alarm", source=Source.RELAY)
        await store.journal.post(alarm, [owed("alarm", cause=Cause.ALARM)], now=NOW)
        status = await store.records.status(now=NOW)
        assert status.events["received"] == 0
        assert status.deliveries["pending"] == 1
        assert status.last_event_at is None
        stored = await store.records.event(alarm.id)
        assert stored is not None
        assert stored.state is EventState.ROUTED

    async def test_claims_go_critical_first_then_first_tries_then_retries(self, store: Store):
        def one(name: str, **changes: Any) -> Delivery:
            return owed(name, id=name, **changes)

        early = NOW - 100 * SECOND
        await owe(
            store,
            one("7 retry", failures=1, due_at=early),
            one("5 first try", due_at=NOW - SECOND),
            one("6 the same, later", due_at=NOW - SECOND),
            one("4 older first try", due_at=NOW - 2 * SECOND),
            one("3 critical retry", critical=True, failures=2, due_at=early - SECOND),
            one("1 critical", critical=True, due_at=NOW - SECOND),
            one("2 critical, later", critical=True, due_at=NOW),
            one("not due", due_at=NOW + SECOND),
            owed("8 elsewhere", "slack:#other", due_at=early),
        )
        order = []
        while found := await claim_one(store, "slack:#wa", now=NOW):
            delivery = found.delivery
            assert found.event.id == delivery.event_id
            assert (delivery.state, delivery.claim) == (State.CLAIMED, 1)
            order.append(delivery.id[0])
        assert "".join(order) == "1234567"
        assert await store.journal.claim(Ask("slack:#wa"), now=NOW) == Turn(due_at=NOW + SECOND)
        assert await store.journal.claim(Ask("nowhere"), now=NOW) == Turn()

    async def test_what_was_rate_limited_waits_behind_first_tries(self, store: Store):
        await owe(store, owed("a"), owed("b", due_at=NOW + SECOND))
        await settled(store, await claimed(store), RateLimited("429", retry_after=1))
        later = NOW + 5 * SECOND
        assert (await claimed(store, now=later)).event_id == event_id("b")
        assert (await claimed(store, now=later)).event_id == event_id("a")

    async def test_the_head_of_a_lane_is_its_oldest_delivery_due_or_not(self, store: Store):
        head = owed("a", due_at=NOW + DAY, failures=3)
        await owe(store, head, owed("b", critical=True))
        found = await claim_one(store, "slack:#wa", now=NOW, head=True)
        assert found is not None
        assert found.delivery.id == head.id

    async def test_a_settlement_is_recorded_with_its_attempt(self, store: Store):
        await owe(store, owed())
        before = await claimed(store)
        (stored,) = await store.records.of_event(before.event_id)
        assert [(a.at, a.outcome) for a in stored.attempts] == [(NOW, None)]
        settlement = said(
            before,
            Sent(Proof.POSTED, {"ts": "1"}),
            duration_ms=12,
            rendered={"title": "T", "text": "x"},
        )
        done = NOW + SECOND
        assert await store.journal.settle(settlement, now=done) == Recorded(held=True)
        (stored,) = await store.records.of_event(before.event_id)
        assert stored.delivery == settlement.after
        assert stored.settled_at == done
        assert stored.created_at == NOW
        assert stored.rendered == {"title": "T", "text": "x"}
        (tried,) = stored.attempts
        assert (tried.at, tried.outcome, tried.duration_ms) == (NOW, "sent", 12)

    async def test_a_settlement_brings_the_next_delivery_of_its_lane(self, store: Store):
        await owe(store, owed("a"), owed("b"), owed("c", due_at=NOW + SECOND))
        lane = Ask("slack:#wa")
        first = await claimed(store)
        turn = (await store.journal.settle(said(first, Transient("503")), now=NOW, then=lane)).turn
        assert turn is not None
        assert turn.claimed is not None
        second = turn.claimed
        assert second.delivery.event_id == event_id("b")
        (stored,) = await store.records.of_event(event_id("b"))
        assert [a.outcome for a in stored.attempts] == [None]
        settlement = said(second.delivery, Sent(Proof.POSTED), attempt=second.attempt)
        done = await store.journal.settle(settlement, now=NOW, then=lane)
        assert done == Recorded(held=True, turn=Turn(due_at=NOW + SECOND))
        again = await store.journal.settle(settlement, now=NOW + SECOND, then=lane)
        assert not again.held
        assert again.turn is not None
        assert again.turn.claimed is not None

    async def test_a_routing_claims_the_first_delivery_of_an_idle_lane(self, store: Store):
        await store.journal.append(reading("a", "b", "c"), now=NOW)
        others = (owed("b", critical=True), owed("b", "slack:#other"))
        batch = [
            Owing(event("a"), routed(owed("a"))),
            Owing(event("b"), routed(*others)),
            Owing(event("never"), routed(owed("never", "slack:#idle"))),
        ]
        done = await store.journal.route(batch, now=NOW, idle={"slack:#wa", "slack:#idle"})
        assert done.events == {event_id("a"), event_id("b")}
        assert {*done.claimed} == {"slack:#wa"}
        held = done.claimed["slack:#wa"]
        assert (held.delivery.event_id, held.event) == (event_id("b"), event("b"))
        assert held.delivery == await only(store, others[0])
        (stored,) = await store.records.deliveries(Filter(ids=(held.delivery.id,)))
        assert [a.outcome for a in stored.attempts] == [None]
        assert (await only(store, owed("a"))).state is State.PENDING
        assert (await only(store, others[1])).state is State.PENDING
        settlement = said(held.delivery, Sent(Proof.POSTED), attempt=held.attempt)
        assert (await store.journal.settle(settlement, now=NOW)).held
        await store.journal.route(
            [Owing(event("c"), routed(owed("c")))], now=NOW, idle={"slack:#wa"}
        )
        assert (await only(store, owed("c"))).state is State.CLAIMED

    async def test_an_idle_lane_in_trouble_gets_nothing(self, store: Store):
        await owe(store, owed("a"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        await store.journal.append(reading("b"), now=NOW)
        done = await store.journal.route(
            [Owing(event("b"), routed(owed("b")))], now=NOW, idle={"slack:#wa"}
        )
        assert done.claimed == {}
        assert (await only(store, owed("b"))).state is State.PARKED

    async def test_what_nobody_holds_is_lost_after_its_lease(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        gone, held = await claimed(store), await claimed(store)
        assert await store.journal.expire([held.id], now=NOW + SECOND) == 0
        assert await store.journal.expire([held.id], now=NOW + DAY) == 1
        lost = await only(store, gone)
        assert (lost.state, lost.losses, lost.ambiguous) == (State.PENDING, 1, True)
        assert (await only(store, held)).state is State.CLAIMED
        (stored,) = await store.records.of_event(gone.event_id)
        assert [a.outcome for a in stored.attempts] == ["lost"]

    async def test_a_due_time_farther_than_any_wait_is_due(self, store: Store):
        """Somebody set the clock back: nothing waits longer for it than its longest wait."""
        await owe(store, owed("a", due_at=NOW + deliveries.LONGEST_WAIT, tried_since=NOW))
        turn = await store.journal.claim(Ask("slack:#wa"), now=NOW)
        assert turn == Turn(due_at=NOW + deliveries.LONGEST_WAIT)
        back = NOW - SECOND
        taken = await claimed(store, now=back)
        assert taken.tried_since == back
        assert (await only(store, taken)).tried_since == back

    async def test_a_lost_claim_settles_nothing(self, store: Store):
        await owe(store, owed())
        stale = await claimed(store)
        await settled(store, stale, Interrupted(written=False))
        fresh = await claimed(store)
        assert fresh.claim == stale.claim + 1
        gone = said(stale, OutOfOrder("gone"), trouble=trouble())
        assert not (await store.journal.settle(gone, now=NOW)).held
        assert await only(store, fresh) == fresh
        assert list(await store.records.troubles()) == []

    async def test_an_attempt_is_settled_once(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        first, second = await claimed(store), await claimed(store)
        settlement = said(first, Transient("down"))
        foreign = replace(settlement, attempt=attempt_of(second))
        assert not (await store.journal.settle(foreign, now=NOW)).held
        assert (await store.journal.settle(settlement, now=NOW)).held
        assert not (await store.journal.settle(settlement, now=NOW)).held
        (stored,) = await store.records.of_event(first.event_id)
        assert [a.outcome for a in stored.attempts] == ["transient"]

    async def test_an_attempt_of_an_earlier_claim_settles_nothing(self, store: Store):
        await owe(store, owed())
        first = await claimed(store)
        await settled(store, first, Interrupted(written=True))
        second = await claimed(store)
        stale = said(second, Sent(Proof.POSTED), attempt=attempt_of(first))
        assert not (await store.journal.settle(stale, now=NOW)).held
        assert await only(store, second) == second

    async def test_a_try_of_which_nothing_was_written_leaves_no_attempt(self, store: Store):
        await owe(store, owed())
        await settled(store, await claimed(store), Interrupted(written=False))
        (stored,) = await store.records.of_event(event_id("a"))
        assert stored.attempts == ()

    async def test_a_settlement_as_claimed_or_of_another_delivery_is_illegal(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        one, two = await claimed(store), await claimed(store)
        for wrong in (one, replace(two, state=State.DELIVERED)):
            with pytest.raises(IllegalMoveError):
                await store.journal.settle(said(one, Sent(Proof.POSTED), after=wrong), now=NOW)
        assert await only(store, one) == one

    @pytest.mark.parametrize(
        "outcome",
        [
            Sent(Proof.ACCEPTED),
            Transient("503"),
            Refused("invalid_blocks"),
            PartlyRefused(later={"a@x.de": "451"}, never={"b@x.de": "550"}),
            OutOfOrder("revoked"),
            RateLimited("429", retry_after=7),
            Ambiguous("no answer"),
            Interrupted(written=True),
        ],
        ids=outcome_word,
    )
    async def test_every_outcome_is_stored_as_the_table_says(self, store: Store, outcome: Outcome):
        await owe(store, owed(recipients=("a@x.de", "b@x.de")))
        after = await settled(store, await claimed(store), outcome)
        assert await only(store, after) == after

    async def test_a_trouble_parks_the_lane_and_all_that_comes_after(self, store: Store):
        await owe(store, owed("a"), owed("b"), owed("c", "slack:#other"))
        await settled(store, await claimed(store), OutOfOrder("gone"), trouble=trouble())
        (found,) = await store.records.troubles()
        assert found == replace(trouble(), since=NOW)
        waiting = owed("b")
        assert await only(store, waiting) == deliveries.park(waiting, "channel_not_found")
        new = owed("d")
        await owe(store, new)
        assert await only(store, new) == deliveries.park(new, "channel_not_found")
        await store.journal.owe([replay := owed("d", id="replay")], now=NOW)
        assert (await only(store, replay)).state is State.PARKED
        assert await claim_one(store, "slack:#wa", now=NOW) is None
        assert (await claimed(store, "slack:#other")).event_id == event_id("c")

    async def test_an_accounts_trouble_parks_all_its_lanes(self, store: Store):
        await owe(store, owed("a"), owed("b", "slack:#other"), owed("c", "mail:x", account="mail"))
        revoked = trouble("slack", Scope.ACCOUNT)
        await settled(store, await claimed(store), OutOfOrder("r", Scope.ACCOUNT), trouble=revoked)
        lanes = {lane.target: lane for lane in await store.records.lanes()}
        assert (lanes["slack:#other"].pending, lanes["slack:#other"].parked) == (0, 1)
        assert lanes["slack:#other"].account == "slack"
        assert lanes["slack:#other"].oldest_due_at == NOW
        assert lanes["mail:x"].pending == 1

    async def test_a_trouble_that_goes_on_keeps_its_beginning(self, store: Store):
        await owe(store, owed())
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        later = NOW + DAY
        assert await store.journal.probe("slack:#wa", now=later)
        again = replace(trouble(), reason="account_inactive")
        probing = await claimed(store, now=later)
        await settled(store, probing, OutOfOrder("y"), now=later, trouble=again)
        (found,) = await store.records.troubles()
        assert (found.since, found.reason) == (NOW, "account_inactive")

    async def test_a_probe_puts_the_oldest_parked_delivery_back(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        first = await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        later = NOW + DAY
        assert await store.journal.probe("slack:#wa", now=later)
        assert await only(store, first) == deliveries.unpark(first, later)
        assert (await only(store, owed("b"))).state is State.PARKED
        assert not await store.journal.probe("nowhere", now=later)

    async def test_a_failed_probe_under_a_trouble_waits_again(self, store: Store):
        await owe(store, owed("a"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        assert await store.journal.probe("slack:#wa", now=NOW)
        await settled(store, await claimed(store), Transient("503"))
        assert (await only(store, owed("a"))).state is State.PARKED

    async def test_a_cure_ends_the_trouble_and_what_waited_is_due(self, store: Store):
        await owe(store, owed("a"), owed("b"), owed("c"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        parked = await only(store, owed("b"))
        later = NOW + DAY
        assert await store.journal.probe("slack:#wa", now=later)
        probing = await claimed(store, now=later)
        await settled(store, probing, Sent(Proof.POSTED), now=later, cured=("slack:#wa", "slack"))
        assert list(await store.records.troubles()) == []
        assert await only(store, parked) == deliveries.unpark(parked, later)
        assert (await store.records.status(now=later)).deliveries["parked"] == 0

    async def test_a_cured_target_waits_on_while_its_account_is_in_trouble(self, store: Store):
        await owe(store, owed("a"), owed("b"), owed("m", "mail", account="mail"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        assert await store.journal.probe("slack:#wa", now=NOW)
        revoked = trouble("slack", Scope.ACCOUNT)
        await settled(store, await claimed(store), OutOfOrder("r"), trouble=revoked)
        elsewhere = await claimed(store, "mail")
        await settled(store, elsewhere, Sent(Proof.POSTED), cured=("slack:#wa",))
        assert [t.key for t in await store.records.troubles()] == ["slack"]
        assert (await only(store, owed("b"))).state is State.PARKED

    @staticmethod
    def aims(**changed: Aim) -> dict[str, Aim]:
        return {
            "wa": Aim("slack:#wa", "slack", "slack", "f1"),
            "other": Aim("slack:#other", "slack", "slack", "f2"),
        } | changed

    async def test_deliveries_of_unknown_destinations_wait_for_their_return(self, store: Store):
        elsewhere = owed("b", "slack:#other")
        await owe(store, owed("a"), elsewhere)
        without = self.aims()
        del without["wa"]
        await store.journal.aim(without, now=NOW)
        parked = await only(store, owed("a"))
        assert parked.state is State.PARKED
        assert "destination" in (parked.reason or "")
        assert (await only(store, elsewhere)).state is State.PENDING
        new = owed("c")
        await owe(store, new)
        assert (await only(store, new)).state is State.PARKED
        assert not await store.journal.probe("slack:#wa", now=NOW)
        await store.journal.retry(Filter(), now=NOW, who="ada")
        parked = await only(store, owed("a"))
        assert parked.state is State.PARKED
        later = NOW + DAY
        await store.journal.aim(self.aims(), now=later)
        assert await only(store, owed("a")) == deliveries.unpark(parked, later)

    async def test_rules_that_are_no_longer_live_move_nobodys_work(self, store: Store):
        await owe(store, owed("a"))
        old = await store.journal.adopt_rules({"rules.yaml": "1"}, now=NOW)
        live = await store.journal.adopt_rules({"rules.yaml": "2"}, now=NOW)
        await store.journal.aim(self.aims(), now=NOW, version=live)
        moved = Aim("teams:x", "teams", "teams", "f9")
        await store.journal.aim({"elsewhere": moved}, now=NOW, version=old)
        assert (await only(store, owed("a"))).state is State.PENDING
        await store.journal.aim(self.aims(wa=moved), now=NOW, version=live)
        assert (await only(store, owed("a"))).target == "teams:x"

    async def test_no_cure_brings_back_what_has_no_destination(self, store: Store):
        await owe(store, owed("a", destination="gone"), owed("b"))
        await store.journal.aim(self.aims(), now=NOW)
        await settled(store, await claimed(store), Sent(Proof.POSTED), cured=("slack:#wa", "slack"))
        assert (await only(store, owed("a"))).state is State.PARKED

    async def test_unfinished_deliveries_follow_their_destination(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        flying = await claimed(store)
        moved = Aim("teams:x", "teams", "teams", "f9")
        await store.journal.aim(self.aims(wa=moved), now=NOW)
        new = await claimed(store, "teams:x")
        assert (new.target, new.account, new.channel) == ("teams:x", "teams", "teams")
        await settled(store, flying, Interrupted(written=False, reason="edited"))
        assert (await claimed(store, "teams:x")).id == flying.id
        late = owed("c")
        await owe(store, late)
        assert (await only(store, late)).target == "teams:x"

    async def test_a_trouble_of_settings_that_were_edited_meanwhile_is_none(self, store: Store):
        await owe(store, owed("a"))
        flying = await claimed(store)
        edited = Aim("slack:#wa", "slack", "slack", "edited")
        await store.journal.aim(self.aims(wa=edited), now=NOW)
        await settled(store, flying, OutOfOrder("revoked"), trouble=trouble(fingerprint="f1"))
        assert list(await store.records.troubles()) == []
        assert (await only(store, flying)).state is State.PENDING

    async def test_a_trouble_of_a_target_that_was_left_meanwhile_is_none(self, store: Store):
        await owe(store, owed("a"))
        flying = await claimed(store)
        await store.journal.aim(self.aims(wa=Aim("teams:x", "teams", "teams", "f9")), now=NOW)
        await settled(store, flying, OutOfOrder("gone"), trouble=trouble())
        assert list(await store.records.troubles()) == []
        assert (await claimed(store, "teams:x")).id == flying.id

    async def test_an_edited_destination_ends_its_trouble(self, store: Store):
        await store.journal.aim(self.aims(), now=NOW)
        await owe(store, owed("a"), owed("b"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        await store.journal.aim(self.aims(), now=NOW)
        assert len(await store.records.troubles()) == 1
        assert (await only(store, owed("b"))).state is State.PARKED
        edited = Aim("slack:#wa", "slack", "slack", "edited")
        later = NOW + DAY
        await store.journal.aim(self.aims(wa=edited), now=later)
        assert list(await store.records.troubles()) == []
        back = await only(store, owed("b"))
        assert (back.state, back.due_at, back.tried_since) == (State.PENDING, later, later)

    async def test_a_trouble_that_no_destination_has_ends(self, store: Store):
        await store.journal.aim(self.aims(), now=NOW)
        await owe(store, owed("a"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        moved = Aim("slack:#new", "slack", "slack", "f1")
        await store.journal.aim(self.aims(wa=moved), now=NOW)
        assert list(await store.records.troubles()) == []
        assert (await claimed(store, "slack:#new")).event_id == event_id("a")

    async def test_what_moves_to_a_target_in_trouble_waits_there(self, store: Store):
        await store.journal.aim(self.aims(), now=NOW)
        await owe(store, owed("a"), owed("b", "slack:#other"))
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        moved = Aim("slack:#wa", "slack", "slack", "f2")
        await store.journal.aim(self.aims(other=moved), now=NOW)
        waiting = await only(store, owed("b", "slack:#other"))
        assert (waiting.state, waiting.reason) == (State.PARKED, "channel_not_found")

    async def test_a_retry_puts_back_what_is_dead_or_parked_as_the_table_says(self, store: Store):
        partly = owed("a", recipients=("a@x.de", "b@x.de"))
        await owe(store, partly, owed("b"), owed("c"))
        some = PartlyRefused(later={}, never={"b@x.de": "550"})
        dead = await settled(store, await claimed(store), some)
        assert dead.state is State.DEAD
        await settled(store, await claimed(store), OutOfOrder("x"), trouble=trouble())
        parked = [await only(store, owed("b")), await only(store, owed("c"))]
        later = NOW + DAY
        assert await store.journal.retry(Filter(limit=1), now=later, who="ada") == 3
        for before in (dead, *parked):
            assert await only(store, before) == deliveries.retry(before, later)
        assert await store.journal.retry(Filter(), now=later, who="ada") == 0
        assert (await claimed(store, now=later)).state is State.CLAIMED

    async def test_a_retry_goes_where_the_destination_is_now(self, store: Store):
        await store.journal.aim(self.aims(), now=NOW)
        await owe(store, owed("a"), owed("b", "slack:#other"))
        for target in ("slack:#wa", "slack:#other"):
            degraded = await claimed(store, target)
            await settled(store, degraded, Refused("r"))
            await settled(store, await claimed(store, target), Refused("r"))
        moved = self.aims(wa=Aim("slack:#new", "slack", "slack", "f9"))
        del moved["other"]
        await store.journal.aim(moved, now=NOW)
        assert await store.journal.retry(Filter(), now=NOW, who="ada") == 2
        assert (await claimed(store, "slack:#new")).event_id == event_id("a")
        assert (await only(store, owed("b", "slack:#other"))).state is State.PARKED

    async def test_a_discard_gives_up_what_is_unfinished(self, store: Store):
        await owe(store, owed("a"), owed("b"), owed("c", "slack:#other"))
        flying = await claimed(store)
        waiting = owed("b")
        wanted = Filter(destination="wa")
        assert await store.journal.discard(wanted, now=NOW, who="ada") == 1
        assert await only(store, waiting) == deliveries.discard(waiting, "ada")
        assert (await only(store, flying)).state is State.CLAIMED
        assert (await only(store, owed("c", "slack:#other"))).state is State.PENDING
        (stored,) = await store.records.deliveries(Filter(state="suppressed"))
        assert stored.settled_at == NOW

    async def test_rules_get_a_new_number_when_they_differ(self, store: Store):
        assert await store.records.rules() is None
        files = {"rules.yaml": "version: 1\n", "t/a.md.j2": "# é"}
        assert await store.journal.adopt_rules(files, now=NOW) == 1
        assert await store.journal.adopt_rules(dict(reversed(files.items())), now=NOW) == 1
        assert await store.journal.adopt_rules({"rules.yaml": "x"}, now=NOW + DAY) == 2
        assert await store.journal.adopt_rules(files, now=NOW + 2 * DAY) == 3
        newest, first = await store.records.rules(), await store.records.rules(1)
        assert newest is not None
        assert first is not None
        assert (newest.version, newest.files) == (3, files)
        assert (first.version, first.loaded_at, first.files) == (1, NOW, files)
        assert await store.records.rules(9) is None

    async def test_an_alarm_is_on_once(self, store: Store):
        assert await store.journal.raise_alarm("k", "text", now=NOW)
        assert not await store.journal.raise_alarm("k", "other", now=NOW + DAY)
        (alarm,) = await store.records.alarms()
        assert (alarm.key, alarm.text, alarm.began_at) == ("k", "text", NOW)
        assert await store.journal.clear_alarm("k")
        assert not await store.journal.clear_alarm("k")

    async def test_events_are_found_by_every_condition(self, store: Store):
        mine = event(
            "mine",
            kind="account_update",
            phones=("+441", "+442"),
            client=Client("CL9", "Straße"),
            received_at=NOW + DAY,
        )
        await store.journal.append(
            Reading((arrival("a"), replace(arrival("mine"), event=mine), arrival("b"))), now=NOW
        )
        await route_one(store, mine.id, routed(owed("mine")), now=NOW)
        for wanted in (
            Filter(state="routed"),
            Filter(kind="account_update"),
            Filter(phone="+442"),
            Filter(client="cl9"),
            Filter(client="STRASSE"),
            Filter(destination="wa"),
            Filter(since=NOW + SECOND),
            Filter(ids=(mine.id[:4],)),
            Filter(ids=(mine.id, "ffff"), kind="account_update", state="routed"),
        ):
            assert [s.event for s in await store.records.events(wanted)] == [mine], wanted
        for nothing in (Filter(state="held"), Filter(ids=(mine.id[:3],)), Filter(ids=())):
            assert list(await store.records.events(nothing)) == []
        newest = await store.records.events(Filter(limit=2))
        assert [s.event.id for s in newest] == [mine.id, event_id("b")]

    async def test_deliveries_are_found_by_every_condition(self, store: Store):
        mine = event("mine", kind="account_update", phones=("+441",), client=Client("CL9", None))
        await store.journal.append(
            Reading((arrival("a"), replace(arrival("mine"), event=mine))), now=NOW
        )
        late = NOW + DAY
        await route_one(store, event_id("a"), routed(owed("a", "slack:#other")), now=NOW)
        await route_one(store, mine.id, routed(owed("mine")), now=late)
        await claimed(store)
        for wanted in (
            Filter(state="claimed"),
            Filter(kind="account_update"),
            Filter(phone="+441"),
            Filter(client="cl9"),
            Filter(destination="wa"),
            Filter(since=late),
            Filter(ids=(owed("mine").id[:4],)),
        ):
            found = await store.records.deliveries(wanted)
            assert [s.delivery.id for s in found] == [owed("mine").id], wanted

    async def test_pages_follow_each_other_and_counts_end_at_their_limit(self, store: Store):
        await store.journal.append(reading(*"abcde"), now=NOW)
        for name in "abcde":
            await route_one(store, event_id(name), routed(owed(name)), now=NOW)
        pages, before = [], None
        while found := await store.records.events(Filter(before=before, limit=2)):
            pages.append([one.event.id for one in found])
            before = pages[-1][0]
        ids = [event_id(name) for name in "abcde"]
        assert pages == [ids[3:], ids[1:3], ids[:1]]
        (older,) = await store.records.deliveries(Filter(before=owed("b").id))
        assert older.delivery.id == owed("a").id
        assert await store.records.count_events(Filter(limit=4)) == 4
        assert await store.records.count_events(Filter(before=ids[3])) == 3
        assert await store.records.count_events(Filter(state="routed", within=2)) == 2
        assert await store.records.count_deliveries(Filter(destination="wa", limit=9)) == 5

    async def test_what_stopped_is_grouped_by_reason_and_retried_by_it(self, store: Store):
        ill = trouble()
        await store.journal.append(reading(*"abc"), now=NOW)
        for name in "abc":
            await route_one(store, event_id(name), routed(owed(name)), now=NOW)
        await settled(store, await claimed(store), OutOfOrder(ill.reason), trouble=ill)
        groups = await store.records.stopped()
        assert sum(one.count for one in groups) == 3
        for one in groups:
            assert (one.state, one.destination) == ("parked", "wa")
            same = Filter(state=one.state, reason=one.reason)
            assert await store.records.count_deliveries(same) == one.count
            assert await store.journal.retry(same, now=NOW, who="ada") == one.count
        assert await store.journal.retry(Filter(reason="another"), now=NOW, who="ada") == 0
        assert list(await store.records.stopped()) == []

    async def test_what_people_did_is_told_newest_first_and_page_by_page(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        await store.journal.discard(Filter(ids=(owed("a").id,)), now=NOW, who="ada")
        await store.journal.discard(Filter(ids=(owed("b").id,)), now=NOW + DAY, who="bob")
        newest, first = await store.records.audit()
        assert (newest.who, newest.action, newest.subject) == ("bob", "discard", owed("b").id)
        assert (first.who, first.at) == ("ada", NOW)
        assert list(await store.records.audit(newest.id)) == [first]
        assert list(await store.records.audit(limit=1)) == [newest]

    async def test_the_last_day_is_counted_by_hours(self, store: Store):
        await store.journal.append(reading("old", received_at=NOW - DAY), now=NOW - DAY)
        await store.journal.append(reading("a", "b"), now=NOW)
        await route_one(store, event_id("a"), routed(owed("a")), now=NOW)
        await settled(store, await claimed(store), Sent(Proof.POSTED, {}))
        (hour,) = await store.records.hours(now=NOW)
        assert (hour.received, hour.delivered, hour.failed) == (2, 1, 0)
        assert hour.at <= NOW < hour.at + timedelta(hours=1)

    async def test_a_beginning_that_two_events_share_names_neither(self, store: Store):
        twins = [event("a", id="abcd1"), event("b", id="abcd2")]
        await store.journal.append(
            Reading(tuple(replace(arrival(e.id), event=e) for e in twins)), now=NOW
        )
        assert await store.records.event("abcd") is None
        assert await store.records.event("abcd1") is not None
        assert list(await store.records.events(Filter(ids=("abcd",)))) == []

    async def test_the_counts_balance(self, store: Store):
        await store.journal.append(reading(*"abcdef"), now=NOW)
        await route_one(store, event_id("a"), Routing(EventState.UNMATCHED), now=NOW)
        await route_one(store, event_id("b"), Routing(EventState.MUTED), now=NOW)
        await route_one(store, event_id("c"), routed(owed("c"), owed("c", "mail")), now=NOW)
        await route_one(store, event_id("d"), routed(owed("d")), now=NOW)
        await settled(store, await claimed(store), Sent(Proof.POSTED))
        status = await store.records.status(now=NOW)
        assert status.events == {
            "received": 6,
            "unrouted": 2,
            "unmatched": 1,
            "muted": 1,
            "routed": 2,
            "quarantined": 0,
            "duplicate": 0,
            "ignored": 0,
        }
        assert status.deliveries == {
            "pending": 2,
            "claimed": 0,
            "delivered": 1,
            "held": 0,
            "parked": 0,
            "dead": 0,
            "suppressed": 0,
        }
        assert status.last_event_at == NOW

    async def test_a_restart_settles_what_was_claimed_as_lost(self, store: Store, opening: Open):
        await owe(store, owed("a"), owed("b"))
        tried, untried = await claimed(store), await claimed(store)
        await store.journal.close()
        for losses in (1, 2, 3):
            again = await opening()
            try:
                assert again.recovered == 2
                for before in (tried, untried):
                    (stored,) = await again.records.of_event(before.event_id)
                    assert stored.delivery.ambiguous
                    assert stored.delivery.losses == stored.delivery.failures == losses
                    assert [a.outcome for a in stored.attempts] == ["lost"] * losses
                    want = State.PENDING if losses < 3 else State.DEAD
                    assert stored.delivery.state is want
                for _ in range(2 if losses < 3 else 0):
                    await claimed(again, now=NOW + DAY)
            finally:
                await again.journal.close()
        again = await opening()
        assert again.recovered == 0
        await again.journal.close()

    async def test_a_closed_journal_refuses(self, opening: Open):
        store = await opening()
        await store.journal.close()
        with pytest.raises(JournalError):
            await store.journal.append(reading("a"), now=NOW)
        with pytest.raises(JournalError):
            await store.records.unrouted(1)

    async def test_a_cancelled_claim_is_given_back(self, store: Store):
        await owe(store, owed())
        task = asyncio.ensure_future(claim_one(store, "slack:#wa", now=NOW))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await only(store, owed())
                if found.claim == 1 and found.state is not State.CLAIMED:
                    break
        (stored,) = await store.records.deliveries(Filter())
        assert (stored.delivery.state, stored.delivery.failures) == (State.PENDING, 0)
        assert stored.attempts == ()

    async def test_one_looks_back_page_by_page(self, store: Store):
        """More than a page of events, alarms among them, in the order in which they came."""
        names = [f"e{n}" for n in range(1_100)]
        await store.journal.append(reading(*names[:600]), now=NOW)
        await store.journal.post(event("alarm", source=Source.RELAY), [], now=NOW)
        await store.journal.append(reading(*names[600:], received_at=NOW + DAY), now=NOW + DAY)
        await route_one(store, event_id("e0"), Routing(EventState.UNMATCHED))
        places = await store.records.places(Filter())
        assert len(places) == len(names)
        found = [
            *await store.records.past(places[:1_000]),
            *await store.records.past(places[1_000:]),
        ]
        assert [one.event.id for one in found] == [event_id(name) for name in names]
        assert [one.is_complete for one in found[:2]] == [True, False]
        young = await store.records.places(Filter(since=NOW + DAY))
        assert young == places[600:]
        assert not await store.records.places(Filter(since=NOW + 2 * DAY))
        assert not await store.records.past([places[-1] + 1])

    async def test_the_last_tries_of_a_destination_are_told_newest_first(self, store: Store):
        await owe(store, owed("a"), owed("b"), owed("c", "slack:#other"))
        await settled(store, await claimed(store), Transient("503"), duration_ms=5)
        await settled(store, await claimed(store), Sent(Proof.POSTED))
        await claimed(store, "slack:#other")
        found = await store.records.answers({"wa": "slack:#wa", "other": "slack:#other"}, 9)
        assert [(one.outcome, one.reason) for one in found["wa"]] == [
            ("sent", "sent"),
            ("transient", "503"),
        ]
        assert found["other"] == []
        assert len((await store.records.answers({"wa": "slack:#wa"}, 1))["wa"]) == 1

    async def test_what_was_given_up_is_told_by_destination(self, store: Store):
        await owe(store, owed("a"), owed("b"))
        for moment in (NOW, NOW + SECOND):
            one = replace(await claimed(store, now=moment), fault="refused once")
            await settled(store, one, Refused("too long"), now=moment)
        alarm = owed("alarm", cause=Cause.ALARM, fault="refused once")
        await store.journal.post(event("alarm", source=Source.RELAY), [alarm], now=NOW)
        await settled(store, await claimed(store), Refused("too long"))
        assert await store.records.dead() == [Dead("wa", 2, NOW, owed("b").id)]

    async def test_it_is_told_when_each_source_last_spoke(self, store: Store):
        assert await store.records.heard(0) == (0, {})
        await store.journal.append(reading("a"), now=NOW)
        place, spoke = await store.records.heard(0)
        assert spoke == {"partner": NOW}
        assert await store.records.heard(place) == (place, {})
        mine = replace(arrival("b"), event=event("b", source=Source.WABA))
        await store.journal.append(Reading((mine,)), now=NOW)
        assert await store.records.heard(place) == (place + 1, {"waba": NOW})

    async def test_a_text_is_kept_under_its_name_until_the_next(self, store: Store):
        assert await store.records.recalled("a") is None
        await store.journal.remember("a", "1")
        await store.journal.remember("b", "é")
        await store.journal.remember("a", "2")
        assert [await store.records.recalled(name) for name in "ab"] == ["2", "é"]

    async def test_rules_say_who_made_them_live_and_what_was_checked(self, store: Store):
        said = Checked("relay", "rules", ("contact_info",))
        await store.journal.adopt_rules({"rules.yaml": "1"}, now=NOW, checked=said, who="ada")
        newest = await store.records.rules()
        assert newest is not None
        assert (newest.who, newest.checked) == ("ada", said)
        await store.journal.adopt_rules({"rules.yaml": "2"}, now=NOW)
        newest = await store.records.rules()
        assert newest is not None
        assert (newest.who, newest.checked) == ("", None)

    async def test_the_files_of_all_versions_are_rewritten_once(self, store: Store):
        for text in ("old 1", "new 2", "old 3"):
            await store.journal.adopt_rules({"rules.yaml": text}, now=NOW)

        def rewrite(files: Mapping[str, str]) -> Mapping[str, str]:
            return {name: text.replace("old", "new") for name, text in files.items()}

        assert await store.journal.rewrite_rules(rewrite) == 2
        first = await store.records.rules(1)
        assert first is not None
        assert first.files == {"rules.yaml": "new 1"}
        assert await store.journal.rewrite_rules(lambda files: {**files, "x": "y"}) == 0

    async def test_the_newest_version_that_had_some_files_is_found(self, store: Store):
        for text in ("1", "2", "1"):
            await store.journal.adopt_rules({"rules.yaml": text, "a": "b"}, now=NOW)
        assert await store.records.version_of({"a": "b", "rules.yaml": "1"}) == 3
        assert await store.records.version_of({"rules.yaml": "1"}) is None

    async def test_texts_that_no_database_holds_come_back_and_are_found(self, store: Store):
        odd = "odd\0kind\ud800"
        client = Client("id\0", "Name\0 \udfff")
        kept = event("a", kind=odd, client=client, data={odd: odd})
        await store.journal.append(reading("a", kind=odd, client=client, data={odd: odd}), now=NOW)
        for wanted in (Filter(kind=odd), Filter(client=client.id), Filter(kind="odd*")):
            (found,) = await store.records.events(wanted)
            assert found.event == kept
        await route_one(store, kept.id, routed(owed("a", rule=odd, destination=odd)))
        (one,) = await store.records.deliveries(Filter(destination=odd))
        assert one.delivery.rule == "odd\\x00kind\\ud800"

    async def test_the_only_relay_leads_and_hears_nothing(self, store: Store):
        assert store.journal.leads()
        assert await store.journal.lead(now=NOW) is None
        assert list(await store.records.relays()) == []
        news = asyncio.ensure_future(store.journal.news())
        await owe(store, owed())
        await store.journal.adopt_rules({"rules.yaml": "1"}, now=NOW)
        assert not news.done()
        news.cancel()

    async def test_a_look_at_all_numbers_makes_events_and_is_remembered(self, store: Store):
        def look(*qualities: str) -> list[Seen]:
            return [
                Seen(Contact(phone=f"+49171392001{n}"), {Property.QUALITY: quality})
                for n, quality in enumerate(qualities)
            ]

        async def watch(*qualities: str, now: datetime) -> Changes:
            return await store.journal.watch(look(*qualities), now=now, period=SECOND)

        assert await store.records.watch_state() == WatchState()
        assert (await watch("GREEN", "GREEN", now=NOW)).first
        assert await store.journal.watch_failed("503") == 1
        assert await store.journal.watch_failed("504") == 2
        assert await store.records.watch_state() == WatchState(NOW, 2, "504")
        changes = await watch("RED", "GREEN", now=NOW + SECOND)
        assert [one.detail for one in changes.events] == ["RED"]
        assert list(await store.records.unrouted(9)) == list(changes.events)
        assert await store.records.watched() == changes.watched
        assert await store.records.watch_state() == WatchState(NOW + SECOND)
        for moment in (2, 3):
            changes = await watch("RED", now=NOW + moment * SECOND)
        assert [one.detail for one in changes.events] == ["GONE"]
        assert list(await store.records.watched()) == [look("RED")[0].key]

    async def test_an_open_journal_takes_webhooks_and_is_not_broken(self, store: Store):
        assert store.journal.can_store()
        broken = asyncio.ensure_future(store.journal.broken())
        await store.journal.append(reading("a"), now=NOW)
        assert not broken.done()
        broken.cancel()

    async def test_records_are_read_beside_the_journal_and_after_it(
        self, store: Store, place: Place
    ):
        await owe(store, owed())
        beside = open_records(place.url)
        assert len(await beside.of_event(event_id("a"))) == 1
        await store.journal.close()
        assert len(await beside.events(Filter())) == 1
        await beside.close()
