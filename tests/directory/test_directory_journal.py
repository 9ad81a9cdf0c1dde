"""The directory and twins in the journal: learned with the append, decided with the routing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.deliveries import Cause, Delivery, State, delivery_id
from relay.directory import Contact, Evidence, Facts, complete, entry_of, facts_of, learn
from relay.events import Event
from relay.journal import EventState, Filter, Routing, Store
from relay.journal.sql import directory as on_disk
from relay.journal.sqlite import schema
from relay.phones import index_key
from relay.sources import Reading
from relay.sources.reading import read
from tests.directory.test_directory import _PHONES, _lessons
from tests.directory_cases import (
    CLIENT,
    NOW,
    PHONE,
    WABA,
    channel_data,
    partner_body,
    template_value,
    waba_body,
)
from tests.engines import Open, Place
from tests.journal_suite import claim_one, route_one
from tests.needs import ROOT

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def reopen(opening: Open) -> AsyncIterator[Open]:
    """Opens the journal; again after closing it, as a restart does."""
    opened: list[Store] = []

    async def again() -> Store:
        for store in opened:
            await store.journal.close()
        opened[:] = [await opening()]
        return opened[0]

    yield again
    for store in opened:
        await store.journal.close()


def parsed(*bodies: dict[str, Any], at: Any = NOW) -> Reading:
    readings = [read(json.dumps(body).encode(), received_at=at) for body in bodies]
    return Reading(tuple(one for reading in readings for one in reading.arrivals))


async def take(store: Store, *bodies: dict[str, Any], at: Any = NOW) -> tuple[Event, ...]:
    return (await store.journal.append(parsed(*bodies, at=at), now=at)).events


def owing(event: Event, *targets: str, cause: Cause = Cause.RULE) -> tuple[Delivery, ...]:
    return tuple(
        Delivery(
            id=delivery_id(event.id, target, cause.value),
            event_id=event.id,
            destination=target,
            channel="slack",
            target=target,
            account="slack",
            cause=cause,
            due_at=NOW,
            tried_since=NOW,
        )
        for target in targets
    )


async def route(store: Store, event: Event, *targets: str) -> Event:
    """Complete and route an event to some targets, as the worker does."""
    completed = complete(event, await store.records.known_for([event]))
    state = EventState.ROUTED if targets else EventState.UNMATCHED
    routing = Routing(state, owing(event, *targets), 1)
    assert await route_one(store, event.id, routing, now=NOW, completed=completed)
    return completed.event


def live(**changes: Any) -> dict[str, Any]:
    return partner_body("channel_live", channel_data(**changes))


def rejected(at: Any = NOW, **changes: str) -> dict[str, Any]:
    return waba_body("message_template_status_update", template_value(**changes), at=at)


def partner_rejected(name: str = "order_shipped") -> dict[str, Any]:
    template = {"name": name, "new_status": "REJECTED", "language": "en_US"}
    return partner_body("waba_template_status_changed", {"id": WABA, "template": template})


async def states(store: Store, event: Event) -> dict[str, tuple[State, str | None]]:
    owed = [one.delivery for one in await store.records.of_event(event.id)]
    return {one.target: (one.state, one.reason) for one in owed}


def twin_of(event: Event) -> tuple[State, str]:
    return State.SUPPRESSED, f"twin of event {event.id}"


PENDING = (State.PENDING, None)


# The directory


@pytest.mark.parametrize("turn", [1, -1])
async def test_a_batch_teaches_before_any_of_it_is_routed(store: Store, turn: int) -> None:
    for event in (await take(store, *(rejected(), live())[::turn]))[::turn]:
        completed = await route(store, event)
        assert completed.phones == (PHONE,)


async def test_records_show_the_completed_event_and_the_journal_keeps_what_was_said(
    store: Store, place: Place
) -> None:
    first, event = await take(store, live(), rejected())
    before = await store.records.event(event.id)
    assert before is not None
    assert (before.event, before.origins) == (event, {})
    completed = await route(store, event)
    stored = await store.records.event(event.id)
    assert stored is not None
    assert stored.event == completed
    assert stored.origins["phones"].evidence == Evidence(NOW, "channel_live", first.id)
    ((text,),) = place.sql(f"SELECT json FROM events WHERE id = '{event.id}'")
    assert json.loads(text)["phones"] == []


async def test_what_was_completed_at_routing_stays_as_it_was(store: Store) -> None:
    _, event = await take(store, live(), rejected())
    completed = await route(store, event)
    await take(store, live(waba="100000000000909", client=("x01CL", "X")), at=NOW + MINUTE)
    stored = await store.records.event(event.id)
    assert stored is not None
    assert stored.event == completed


async def test_a_claim_hands_out_the_completed_event(store: Store) -> None:
    _, event = await take(store, live(), rejected())
    completed = await route(store, event, "a")
    claimed = await claim_one(store, "a", now=NOW)
    assert claimed is not None
    assert claimed.event == completed


@pytest.mark.parametrize("wanted", [Filter(phone=PHONE), Filter(client=CLIENT.lower())])
async def test_filters_find_completed_events(store: Store, wanted: Filter) -> None:
    _, event = await take(store, live(), rejected())
    assert event.id not in [one.event.id for one in await store.records.events(wanted)]
    await route(store, event, "a")
    assert event.id in [one.event.id for one in await store.records.events(wanted)]
    assert len(await store.records.deliveries(wanted)) == 1


async def test_facts_survive_a_restart(reopen: Open) -> None:
    await take(await reopen(), live())
    store = await reopen()
    (event,) = await take(store, rejected())
    assert (await route(store, event)).client.id == CLIENT


async def test_a_repeat_teaches_nothing_new(store: Store) -> None:
    body = live()
    await take(store, body)
    known = await store.records.known_for([])
    await take(store, body, at=NOW + 5 * MINUTE)
    (entry,) = await store.records.directory()
    assert known == Facts()
    assert entry.name is not None
    assert entry.name.evidence.at == NOW


async def test_an_import_loses_against_a_newer_event_and_wins_over_an_older_one(
    store: Store,
) -> None:
    await take(store, live())
    for minutes, name, news in ((-1, "Musterladen Support", 0), (1, "Listed", 1)):
        contact = Contact(phone=PHONE, name="Listed")
        at = NOW + timedelta(minutes=minutes)
        changed = await store.journal.learn([contact], "imported", now=at, who="me")
        assert changed == news
        (entry,) = await store.records.directory()
        assert entry.name is not None
        assert entry.name.value == name
    assert entry.name.evidence == Evidence(NOW + MINUTE, "imported")
    assert await store.journal.learn([contact], "imported", now=at, who="me") == 0


def other() -> dict[str, Any]:
    return live(
        phone="447700900123",
        number="x9CH",
        name="Ö 100%",
        client=("x9CL", "Other_Ltd"),
        waba="55",
        waba_360="x9WA",
    )


@pytest.mark.parametrize(
    "search",
    ["3920011", "+49 171 392", "0049171", "musterladen sup", "GMBH", WABA, "dev001ch", "dev001wa",
     CLIENT],
)  # fmt: skip
async def test_a_search_finds_number_name_account_and_client(store: Store, search: str) -> None:
    await take(store, live(), other())
    found = await store.records.directory(search)
    assert [entry.phone for entry in found] == [PHONE]


@pytest.mark.parametrize("search", ["ö 100%", "r_l", "%", "x9"])
async def test_a_search_has_no_wildcards_and_no_case(store: Store, search: str) -> None:
    await take(store, live(), other())
    found = await store.records.directory(search)
    assert [entry.phone for entry in found] == ["+447700900123"]


@pytest.mark.parametrize("search", ["+55 11 98765-4321", "+55 11 8765-4321", "98765", "8765432"])
async def test_a_search_finds_every_spelling_of_a_number(store: Store, search: str) -> None:
    await take(store, live(phone="5511987654321"), other())
    found = await store.records.directory(search)
    assert [entry.phone for entry in found] == ["+5511987654321"]


async def test_a_search_looks_at_what_holds_now(store: Store) -> None:
    await take(store, live())
    await take(store, live(name="New name"), at=NOW + MINUTE)
    assert await store.records.directory("Musterladen Support") == []
    assert len(await store.records.directory("new name")) == 1


async def test_a_list_is_by_number_and_bounded(store: Store) -> None:
    contacts = [Contact(phone=f"+4917139200{index:02}", waba=str(index)) for index in range(30)]
    await store.journal.learn(contacts[::-1], "imported", now=NOW, who="me")
    found = await store.records.directory(None, 7)
    assert [entry.phone for entry in found] == [one.phone for one in contacts[:7]]


async def test_hostile_texts_are_kept_exactly(store: Store) -> None:
    (event,) = await take(store, live(name="a'\"; DROP\x00 \ud800 <!channel>"))
    (entry,) = await store.records.directory()
    assert entry.name is not None
    assert entry.name.value == event.phone_name
    (event,) = await take(store, rejected())
    assert (await route(store, event)).phones == (PHONE,)


def in_memory() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    schema.migrate(connection)
    return connection


@given(lessons=_lessons(), chance=st.randoms(use_true_random=False))
def test_the_disk_joins_facts_as_memory_does(lessons: list[Any], chance: Any) -> None:
    connection = in_memory()
    mixed = [fact for lesson in lessons for fact in lesson]
    chance.shuffle(mixed)
    for fact in mixed:
        on_disk.learn(connection, [fact])
    facts = Facts(mixed)
    asked = parsed(rejected()).arrivals[0].event
    for number in _PHONES:
        event = replace(asked, phones=(number,), waba=None)
        known = on_disk.known_for(connection, [event])
        assert entry_of(known, index_key(number)) == entry_of(facts, index_key(number))
    for waba in ("100", "200", "aWA"):
        event = replace(asked, phones=(), waba=waba)
        known = on_disk.known_for(connection, [event])
        assert complete(event, known) == complete(event, facts)
    connection.close()


def test_no_question_looks_through_the_whole_directory() -> None:
    connection = in_memory()
    rows = connection.execute(f"EXPLAIN QUERY PLAN {on_disk.KNOWN}", {"seeds": "[]"})
    plan = [str(row[3]) for row in rows if "directory" in str(row[3]) or " d " in f"{row[3]} "]
    assert len(plan) == 3
    assert all("SEARCH d USING" in step for step in plan), plan
    connection.close()


def statements(connection: apsw.Connection, work: Callable[[], Any]) -> int:
    """How many steps SQLite takes for some work."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    connection.set_progress_handler(count, 10)
    work()
    connection.set_progress_handler(None)
    return steps


def test_an_event_about_one_number_costs_the_same_however_many_its_account_has() -> None:
    connection = in_memory()
    costs = []
    for first in (0, 10):
        for number in range(first, 100 * first + 10):
            said = Contact(phone=f"+49151{10**8 + number}", waba="100", client_id=CLIENT)
            on_disk.learn(connection, facts_of(said, Evidence(NOW, "imported")))
        event = replace(parsed(rejected()).arrivals[0].event, phones=("+49151100000000",))
        asked = [replace(event, waba="100")]
        costs.append(
            statements(connection, lambda asked=asked: on_disk.known_for(connection, asked))
        )
    assert costs[1] <= costs[0] + 2


def test_what_one_subject_collects_is_bounded() -> None:
    """The thousandth new name of a client, or account of a number, costs no more than the first."""
    connection = in_memory()
    costs = []
    for number in range(1_000):
        at = NOW + number * MINUTE
        body = live(client=(CLIENT, f"Name {number}"), waba=str(10**14 + number))
        events = [arrival.event for arrival in parsed(body, at=at).arrivals]
        asked = [replace(event, phone_name=None) for event in events]

        def work(events: Any = events, asked: Any = asked) -> None:
            on_disk.learn(connection, (fact for event in events for fact in learn(event)))
            on_disk.known_for(connection, asked)

        costs.append(statements(connection, work))
    assert max(costs[-10:]) <= 1.2 * max(costs[5:15])
    rows = connection.execute(
        "SELECT noun, max(count) FROM (SELECT noun, count(*) AS count FROM directory"
        " GROUP BY noun, subject) GROUP BY noun"
    )
    assert dict(rows) == {"phone": 4, "channel": 1, "client": 2, "waba": 2}  # type: ignore[arg-type]
    connection.close()


_OLD = """
    INSERT INTO directory VALUES
    ('client', 'aCL', 'name', 'Old GmbH', 10, 'channel_live', 'e1', NULL, NULL, NULL),
    ('client', 'aCL', 'name', 'New GmbH', 20, 'channel_live', 'e2', NULL, NULL, NULL),
    ('phone', '+491713920011', 'waba', '100', 10, 'channel_live', 'e1', 30, 'cut', 'e4'),
    ('phone', '+491713920011', 'waba', '200', 20, 'security', 'e2', NULL, NULL, NULL),
    ('phone', '+491713920011', 'client', 'aCL', 10, 'channel_live', 'e1', 30, 'cut', 'e4'),
    ('phone', '+491713920011', 'name', 'Laden', 10, 'channel_live', 'e1', NULL, NULL, NULL),
    ('phone', '+447700900123', 'waba', '100', 10, 'channel_live', 'e3', 30, 'cut', 'e5'),
    ('phone', '+447700900123', 'waba', 'aWA', NULL, NULL, NULL, 30, 'cut', 'e5'),
    ('phone', '+5511987654321', 'client', 'aCL', 15, 'imported', '', NULL, NULL, NULL),
    ('phone', '+5511987654321', 'waba', '300', 15, 'imported', '', NULL, NULL, NULL),
    ('phone', '+5511987654321', 'waba', '400', 25, 'security', 'e6', NULL, NULL, NULL)
"""


def test_the_facts_of_older_tables_still_count() -> None:
    """Newer names, moves and ends are brought along; what they superseded is not."""
    connection = apsw.Connection(":memory:")
    connection.execute((ROOT / "tests/journals/version_3.sql").read_text(encoding="utf-8"))
    connection.execute("DELETE FROM directory")
    connection.execute(_OLD)
    schema.migrate(connection)
    found = {entry.phone: entry for entry in on_disk.entries(connection, None, 9)}
    told = {
        phone: [one and one.value for one in (entry.name, entry.waba, entry.client_name)]
        for phone, entry in found.items()
    }
    assert told == {
        "+491713920011": ["Laden", "200", None],
        "+447700900123": [None, None, None],
        "+5511987654321": [None, "400", None],
    }
    gone = found["+447700900123"].gone
    assert gone is not None
    assert (gone.evidence.kind, gone.evidence.event_id) == ("cut", "e5")
    (client,) = connection.execute("SELECT value, event FROM directory WHERE noun = 'client'")
    assert client == ("New GmbH", "e2")
    connection.close()


def test_teaching_says_how_many_facts_changed() -> None:
    connection = in_memory()
    contacts = [Contact(phone=f"+49171{index:07}", name="N", waba="1") for index in range(10)]
    assert on_disk.teach(connection, contacts, "imported", now=NOW, who="me") == 20
    assert on_disk.teach(connection, contacts, "imported", now=NOW, who="me") == 0
    assert connection.execute("SELECT who, subject FROM audit").fetchall() == [
        ("me", "10 contacts imported")
    ] * 2  # fmt: skip
    connection.close()


# Twins


@pytest.mark.parametrize("turn", [1, -1])
async def test_a_target_is_told_by_one_of_two_twins(store: Store, turn: int) -> None:
    first, second = await take(store, *(partner_rejected(), rejected())[::turn])
    await route(store, first, "both", "first")
    await route(store, second, "both", "second")
    assert await states(store, first) == {"both": PENDING, "first": PENDING}
    assert await states(store, second) == {"both": twin_of(first), "second": PENDING}


async def test_twins_are_recognised_across_a_restart(reopen: Open) -> None:
    store = await reopen()
    (first,) = await take(store, rejected())
    await route(store, first, "a")
    store = await reopen()
    (second,) = await take(store, partner_rejected())
    await route(store, second, "a")
    assert await states(store, second) == {"a": twin_of(first)}


async def test_two_routers_at_once_owe_a_target_one_twin(store: Store) -> None:
    events = await take(store, partner_rejected(), rejected())
    await asyncio.gather(*(route(store, event, "a") for event in events))
    found = [(await states(store, event))["a"][0] for event in events]
    assert sorted(found) == [State.PENDING, State.SUPPRESSED]


async def test_a_report_has_one_twin_and_a_third_is_told(store: Store) -> None:
    bodies = (rejected(), partner_rejected(), rejected(at=NOW - MINUTE))
    first, second, third = await take(store, *bodies)
    for event in (first, second, third):
        await route(store, event, "a")
    assert await states(store, second) == {"a": twin_of(first)}
    assert await states(store, third) == {"a": PENDING}
    (fourth,) = await take(store, partner_rejected())
    await route(store, fourth, "a")
    assert await states(store, fourth) == {"a": twin_of(third)}


async def test_two_reports_of_one_family_are_no_twins(store: Store) -> None:
    for event in await take(store, partner_rejected(), partner_rejected()):
        await route(store, event, "a")
        assert await states(store, event) == {"a": PENDING}


@pytest.mark.parametrize(
    ("came", "happened", "are_twins"),
    [(9, 9, True), (11, 11, False), (120, 1, True), (1, -120, True), (11, -11, False)],
)
async def test_twins_came_or_happened_within_ten_minutes(
    store: Store, came: int, happened: int, are_twins: bool
) -> None:
    (first,) = await take(store, partner_rejected())
    body = rejected(at=NOW + happened * MINUTE)
    (second,) = await take(store, body, at=NOW + came * MINUTE)
    await route(store, first, "a")
    await route(store, second, "a")
    assert await states(store, second) == {"a": twin_of(first) if are_twins else PENDING}


async def test_the_subject_is_compared_after_completion(store: Store) -> None:
    said = partner_body("account_violation", {"phone_number": PHONE, "violation_type": "SCAM"})
    value = {"event": "ACCOUNT_VIOLATION", "violation_info": {"violation_type": "SCAM"}}
    _, one, other = await take(store, live(), said, waba_body("account_update", value))
    await route(store, one, "a")
    await route(store, other, "a")
    assert await states(store, other) == {"a": twin_of(one)}


async def test_a_report_that_names_more_is_told(store: Store) -> None:
    types = ["RESTRICTED_BIZ_INITIATED_MESSAGING", "RESTRICTED_ADD_PHONE_NUMBER_ACTION"]
    info = [{"restriction_type": one} for one in types]
    more = {"event": "ACCOUNT_RESTRICTION", "restriction_info": info}
    said = {"id": WABA, "violation_type": types[0]}
    one, other = await take(
        store, partner_body("account_restriction", said), waba_body("account_update", more)
    )
    await route(store, one, "a")
    await route(store, other, "a")
    assert await states(store, other) == {"a": PENDING}


async def test_another_number_of_the_same_account_is_no_twin(store: Store) -> None:
    data = channel_data(phone="447700900123", number="x9CH")
    said = {**data, "current_quality_update_event": "FLAGGED"}
    flagged = {"event": "FLAGGED", "display_phone_number": PHONE}
    _, one, other = await take(
        store,
        live(),
        partner_body("phone_number_quality_changed", said),
        waba_body("phone_number_quality_update", flagged),
    )
    await route(store, one, "a")
    await route(store, other, "a")
    assert await states(store, other) == {"a": PENDING}


async def test_a_replay_of_a_twin_is_told(store: Store) -> None:
    one, other = await take(store, partner_rejected(), rejected())
    await route(store, one, "a")
    await route(store, other, "a")
    (again,) = owing(other, "a", cause=Cause.REPLAY)
    assert await store.journal.owe([again], now=NOW) == 1
    found = [stored.delivery.state for stored in await store.records.of_event(other.id)]
    assert found == [State.SUPPRESSED, State.PENDING]


async def test_the_balance_counts_a_twin_as_owed_and_suppressed(store: Store) -> None:
    for event in await take(store, partner_rejected(), rejected()):
        await route(store, event, "a")
    status = await store.records.status(now=NOW)
    assert (status.deliveries["pending"], status.deliveries["suppressed"]) == (1, 1)
    assert status.events["routed"] == 2


async def test_a_routing_without_a_completed_event_looks_for_no_twin(store: Store) -> None:
    one, other = await take(store, partner_rejected(), rejected())
    await route(store, one, "a")
    await route_one(store, other.id, Routing(EventState.ROUTED, owing(other, "a")), now=NOW)
    assert await states(store, other) == {"a": PENDING}


def test_a_lesson_of_an_event_is_what_the_journal_learns() -> None:
    (arrival,) = parsed(live()).arrivals
    evidence = Evidence(NOW, "channel_live", arrival.event.id)
    assert {fact.evidence for fact in learn(arrival.event)} == {evidence}
    assert facts_of(Contact(), evidence) == ()
