"""Retention: what is finished and old goes, in small steps; all else and the balance stay."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relay.deliveries import State, hold
from relay.errors import UsageError
from relay.events import event_id
from relay.journal import EventState, Filter, Routing, Store
from relay.journal.care import START, Mark, Pruned
from relay.journal.doors import open_journal
from relay.journal.sql.retention import EXAMINED, STEP_ROWS
from relay.outcomes import OutOfOrder, Proof, Refused, Sent
from relay.settings import parse_retention
from relay.sources import Reading, Unreadable
from relay.worker.loops import Upkeep, prune_all
from tests.each import each
from tests.engines import Engine, Place
from tests.journal_suite import DAY, NOW, claimed, event, owe, owed, reading, route_one, settled
from tests.needs import examples

KEEP = 90 * DAY
LATER = NOW + KEEP + DAY


async def prune(store: Store, now: datetime, keep: timedelta | None = KEEP) -> Pruned:
    return await prune_all(store.journal, now=now, keep=keep, pause=0)


async def muted(store: Store, names: list[str], now: datetime = NOW, **changes: object) -> None:
    """Events of which nobody hears."""
    await store.journal.append(reading(*names, received_at=now, **changes), now=now)
    muting = [
        route_one(store, event_id(name), Routing(EventState.MUTED), now=now) for name in names
    ]
    await asyncio.gather(*muting)


async def delivered(store: Store, name: str, now: datetime = NOW) -> None:
    await owe(store, owed(name, f"slack:#{name}", due_at=now, tried_since=now), now=now)
    before = await claimed(store, f"slack:#{name}", now)
    await settled(store, before, Sent(Proof.POSTED), now=now)


async def test_finished_events_go_with_all_that_belongs_to_them(store: Store):
    await delivered(store, "a")
    await store.journal.append(reading("muted", "unmatched"), now=NOW)
    for name, state in (("muted", EventState.MUTED), ("unmatched", EventState.UNMATCHED)):
        await route_one(store, event_id(name), Routing(state), now=NOW)
    done = await prune(store, LATER)
    assert (done.events, done.deliveries, done.attempts) == (3, 1, 1)
    assert await store.records.events(Filter()) == []
    assert await store.records.deliveries(Filter()) == []
    assert await store.records.events(Filter(phone="+491713920011")) == []
    assert await prune(store, LATER) == Pruned(None)


async def test_what_is_younger_stays(store: Store):
    await delivered(store, "a")
    assert (await prune(store, NOW + KEEP)).events == 0
    assert (await prune(store, NOW + KEEP + timedelta(microseconds=1))).events == 1


async def test_an_old_event_that_was_delivered_of_late_stays(store: Store):
    """What a person did yesterday can be looked up today."""
    await owe(store, owed())
    late = NOW + KEEP
    await settled(store, await claimed(store, now=late), Sent(Proof.POSTED), now=late)
    assert (await prune(store, late + DAY)).events == 0
    assert (await prune(store, late + KEEP + DAY)).events == 1


async def unfinished(store: Store) -> dict[str, State]:
    """One delivery in each state that is not final, by target."""
    fault = {State.DEAD: "refused once"}
    owing = (owed(s.value, f"slack:#{s.value}", fault=fault.get(s)) for s in State)
    await owe(store, *(hold(one, LATER) if one.target == "slack:#held" else one for one in owing))
    await claimed(store, "slack:#claimed")
    parked = await claimed(store, "slack:#parked")
    await settled(store, parked, OutOfOrder("revoked"))
    dead = await claimed(store, "slack:#dead")
    await settled(store, dead, Refused("too long"), now=NOW + 4 * DAY)
    await settled(store, await claimed(store, "slack:#delivered"), Sent(Proof.POSTED))
    await store.journal.discard(Filter(destination="suppressed"), now=NOW, who="me")
    return {d.delivery.target: d.delivery.state for d in await store.records.deliveries(Filter())}


async def test_what_is_not_at_its_end_and_what_is_dead_never_goes(store: Store):
    states = await unfinished(store)
    assert {f"slack:#{state}": state for state in State} == states
    await store.journal.append(reading("unrouted"), now=NOW)
    done = await prune(store, NOW + 3650 * DAY)
    assert (done.events, done.deliveries) == (2, 2)
    left = {d.delivery.target: d.delivery.state for d in await store.records.deliveries(Filter())}
    kept = (State.PENDING, State.HELD, State.CLAIMED, State.PARKED, State.DEAD)
    assert left == {f"slack:#{state}": state for state in kept}
    assert [one.id for one in await store.records.unrouted(9)] == [event_id("unrouted")]


async def test_an_event_stays_while_one_of_its_deliveries_does(store: Store):
    await owe(store, owed("a", "slack:#one"), owed("a", "slack:#two"))
    await settled(store, await claimed(store, "slack:#one"), Sent(Proof.POSTED))
    assert await prune(store, LATER) == Pruned(None)
    assert len(await store.records.of_event(event_id("a"))) == 2


async def test_a_state_of_a_later_relay_stays(store: Store, place: Place):
    await delivered(store, "a")
    place.sql("UPDATE deliveries SET state = 'on a later day'")
    assert (await prune(store, LATER)).events == 0


async def test_the_balance_of_removed_days_stays_for_ever(store: Store, place: Place):
    await unfinished(store)
    await delivered(store, "b")
    before = await store.records.balance()
    assert (await prune(store, LATER)).events == 3
    after = await store.records.balance()
    assert after == before
    assert after.balanced
    status = await store.records.status(now=LATER)
    assert (status.events["received"], status.deliveries["delivered"]) == (8, 2)
    # And it is still a proof: what goes without being booked is missed.
    place.sql("DELETE FROM deliveries WHERE state = 'dead'")
    assert not (await store.records.balance()).balanced


async def test_alarms_go_too_and_their_count_stays(store: Store):
    alarm = event("alarm", source=event().source.RELAY)
    await store.journal.post(alarm, [owed("alarm")], now=NOW)
    await settled(store, await claimed(store), Sent(Proof.POSTED))
    assert (await prune(store, LATER)).deliveries == 1
    balance = await store.records.balance()
    assert (balance.balanced, balance.total().own) == (True, 1)


@pytest.mark.parametrize("lasting", [True, False])
async def test_a_repeat_of_a_removed_event_is_a_duplicate_for_14_days(store: Store, lasting: bool):
    """With a sender's id it is; without one, the same content is news after 7 days anyway."""
    read = reading("a", lasting=lasting)
    await store.journal.append(read, now=NOW)
    await route_one(store, event_id("a"), Routing(EventState.UNMATCHED), now=NOW)
    keep = 14 * DAY
    removed = NOW + keep + timedelta(hours=1)
    assert (await prune(store, removed, keep)).events == 1
    await prune(store, removed + 13 * DAY, keep)
    again = await store.journal.append(read, now=removed + 13 * DAY)
    assert (again.duplicates, len(again.events)) == ((1, 0) if lasting else (0, 1))


async def test_keys_go_at_last(store: Store):
    await store.journal.append(reading("a"), now=NOW)
    await route_one(store, event_id("a"), Routing(EventState.UNMATCHED), now=NOW)
    assert (await prune(store, NOW + KEEP + 14 * DAY)).keys == 0
    assert (await prune(store, NOW + KEEP + 15 * DAY)).keys == 1


async def test_the_key_of_unfinished_work_stays(store: Store):
    await store.journal.append(reading("a"), now=NOW)
    await prune(store, NOW + 3650 * DAY)
    other = await store.journal.append(reading("a", content="x"), now=NOW + 3650 * DAY)
    assert (other.conflicts, other.duplicates) == (1, 0)
    again = await store.journal.append(reading("a"), now=NOW + 3650 * DAY)
    assert (again.duplicates, again.events) == (1, ())


async def test_content_without_an_id_is_news_even_if_its_old_event_is_still_owed(
    store: Store, place: Place
):
    """A key may be gone while the event of that id is still there: nothing is lost by that."""
    await store.journal.append(reading("a", lasting=False), now=NOW)
    place.sql("DELETE FROM dedupe_keys")
    later = NOW + 8 * DAY
    again = await store.journal.append(reading("a", lasting=False, received_at=later), now=later)
    assert (again.duplicates, len(again.events)) == (0, 1)
    assert again.events[0].id != event_id("a")


async def test_bodies_in_quarantine_go_after_14_days_and_the_rest_with_retention(store: Store):
    garbage = Unreadable("no JSON", 3, "hash", b"{{{")
    await store.journal.append(Reading(unreadable=(garbage,)), now=NOW, route="/webhooks/meta")
    assert (await prune(store, NOW + 14 * DAY)).bodies == 0
    assert (await prune(store, NOW + 15 * DAY)).bodies == 1
    (left,) = await store.records.quarantined()
    assert (left.kept, left.size, left.sha256, left.reason) == (False, 3, "hash", "no JSON")
    assert (await prune(store, LATER)).quarantined == 1
    assert await store.records.quarantined() == []
    assert (await store.records.status(now=LATER)).events["quarantined"] == 1


async def test_without_retention_only_bodies_go(store: Store):
    await delivered(store, "a")
    garbage = Unreadable("no JSON", 3, "hash", b"{{{")
    await store.journal.append(Reading(unreadable=(garbage,)), now=NOW)
    assert await prune(store, NOW + 36_500 * DAY, None) == Pruned(None, bodies=1)
    assert len(await store.records.events(Filter())) == 1


async def test_no_step_is_long(store: Store):
    """Each step examines and removes a few hundred rows, whatever there is."""
    many = EXAMINED + 300
    await muted(store, [f"m{n}" for n in range(many - 200)])
    await store.journal.append(reading(*(f"e{n}" for n in range(200))), now=NOW)
    routing = []
    for number in range(200):
        name = f"e{number}"
        owing = tuple(owed(name, f"slack:#{n}", state=State.SUPPRESSED) for n in range(9))
        routed = Routing(EventState.ROUTED, owing)
        routing.append(route_one(store, event_id(name), routed, now=NOW))
    await asyncio.gather(*routing)
    mark: Mark | None = START
    done = Pruned(None)
    steps = 0
    while mark is not None:
        step = await store.journal.prune(now=NOW + 300 * DAY, keep=KEEP, after=mark)
        rows = step.events + step.deliveries + step.attempts
        assert rows <= STEP_ROWS
        assert step.keys <= STEP_ROWS
        done, mark, steps = done + step, step.next, steps + 1
    assert (done.events, done.deliveries, done.keys) == (many, 1800, many)
    assert steps >= (many + 1800) / STEP_ROWS
    assert (await store.records.balance()).balanced


async def test_old_work_that_stays_is_passed_once(store: Store):
    """Dead deliveries of years must not be examined again in each step."""
    await store.journal.append(reading(*(f"e{n}" for n in range(1200))), now=NOW)
    await delivered(store, "last", NOW + DAY)
    marks = []
    mark: Mark | None = START
    done = Pruned(None)
    while mark is not None:
        step = await store.journal.prune(now=LATER + DAY, keep=KEEP, after=mark)
        marks.append(mark)
        done, mark = done + step, step.next
    assert done.events == 1
    assert len(marks) == len(set(marks)) == 1 + 1 + 1201 // EXAMINED + 3


async def test_webhooks_are_recorded_between_any_two_steps(store: Store):
    for start in range(0, 2000, 200):
        await muted(store, [f"e{n}" for n in range(start, start + 200)])
    running = asyncio.create_task(prune(store, LATER))
    between = 0
    while not running.done():
        await store.journal.append(reading(f"new{between}"), now=LATER)
        between += 1
    assert (await running).events == 2000
    assert between >= 4
    assert (await store.records.balance()).balanced


async def test_the_file_does_not_grow_for_ever(tmp_path: Path):
    """Space that was freed is used again or given back."""
    store = await open_journal(f"sqlite:///{tmp_path}/relay.db", now=NOW)

    async def fill(name: str, now: datetime) -> None:
        for start in range(0, 1500, 100):
            names = [f"{name}{n}" for n in range(start, start + 100)]
            await muted(store, names, now, data={"text": "x" * 4000})

    def pages(connection: apsw.Connection) -> tuple[int, int]:
        return connection.pragma("page_count"), connection.pragma("freelist_count")

    await fill("a", NOW)
    most, _ = await store.records.ask(pages)  # type: ignore[attr-defined]
    done = await prune(store, LATER + 14 * DAY)
    size, free = await store.records.ask(pages)  # type: ignore[attr-defined]
    assert done.pages > 0
    assert size < most - 400
    assert free <= 1000
    await fill("b", LATER)
    assert (await store.records.ask(pages))[0] <= most + 50  # type: ignore[attr-defined]
    await store.journal.close()


histories = st.lists(
    st.tuples(
        st.sampled_from(["muted", "routed", "delivered", "dead", "unrouted"]), st.integers(0, 40)
    ),
    max_size=8,
)


@given(history=histories, keep=st.integers(14, 30), passes=st.lists(st.integers(0, 30), max_size=4))
@settings(examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_happened_the_balance_holds_and_nothing_unfinished_goes(
    engine: Engine,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[str, int]],
    keep: int,
    passes: list[int],
):
    place = engine(tmp_path_factory.mktemp("journal"))
    store = await open_journal(place.url, now=NOW)
    open_work = set()
    for number, (what, day) in enumerate(history):
        at, name = NOW + day * DAY, f"e{number}"
        await store.journal.append(reading(name, received_at=at), now=at)
        if what == "muted":
            await route_one(store, event_id(name), Routing(EventState.MUTED), now=at)
            continue
        if what != "unrouted":
            mine = owed(name, f"slack:#{name}", due_at=at, tried_since=at, fault="refused once")
            await route_one(store, event_id(name), Routing(EventState.ROUTED, (mine,)), now=at)
            if what in ("delivered", "dead"):
                late = at + (4 * DAY if what == "dead" else 0 * DAY)
                outcome = Sent(Proof.POSTED) if what == "delivered" else Refused("too long")
                before = await claimed(store, f"slack:#{name}", late)
                await settled(store, before, outcome, now=late)
        if what != "delivered":
            open_work.add(event_id(name))
    books = await store.records.balance()
    now = NOW + 40 * DAY
    for step in passes:
        now += step * DAY
        await prune(store, now, keep * DAY)
        assert await store.records.balance() == books
        left = {one.event.id for one in await store.records.events(Filter())}
        assert open_work <= left
    await store.journal.close()


async def test_the_first_pass_prunes(store: Store):
    await delivered(store, "a")
    await Upkeep(store.journal, keep=KEEP, clock=lambda: LATER).work()
    assert await store.records.events(Filter()) == []


async def test_a_clock_that_jumps_removes_nothing(store: Store):
    await delivered(store, "a")
    times = iter([NOW, NOW + 3650 * DAY])
    upkeep = Upkeep(store.journal, keep=KEEP, clock=lambda: next(times))
    await upkeep.work()
    await upkeep.work()
    assert len(await store.records.events(Filter())) == 1


@each(
    ("text", "span"),
    [
        ("", 90 * DAY),
        ("90d", 90 * DAY),
        (" 12W ", 84 * DAY),
        ("336h", 14 * DAY),
        ("14 d", 14 * DAY),
        ("none", None),
        ("None", None),
        ("0", None),
        ("0d", None),
        ("99999999d", None),
    ],
)
def test_retention_is_a_span_or_none(text: str, span: timedelta | None):
    assert parse_retention(text) == span


@each("text", ["13d", "335h", "1w", "90", "d", "-20d", "9.5d", "٩٠d", "ever"])
def test_another_retention_is_refused_in_one_line(text: str):
    with pytest.raises(UsageError, match=r"RELAY_RETENTION: [^\n]*$"):
        parse_retention(text)
