"""`forget` erases a number in every spelling from every file of the journal, and nothing else."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.deliveries import Cause, State
from relay.directory import complete
from relay.events import Client, Source, event_id
from relay.journal import EventState, Filter, Routing, Store, Trouble
from relay.journal.care import Forgotten
from relay.journal.doors import open_journal
from relay.journal.sql.forget import sealed
from relay.journal.sql.needle import FORGOTTEN, Needle, event_without
from relay.outcomes import OutOfOrder, Proof, Scope, Sent, Transient
from relay.phones import aliases, display
from relay.sources import Reading, Unreadable
from tests.directory.test_directory_journal import live, rejected, route, take
from tests.engines import Open, Place
from tests.journal.test_migrations import version_3
from tests.journal_suite import (
    DAY,
    NOW,
    arrival,
    claim_one,
    claimed,
    event,
    only,
    owe,
    owed,
    reading,
    route_one,
    settled,
)
from tests.needs import some

PHONE = "+491713920011"
OTHER = "+447700900123"
DIGITS = ("491713920011", "1713920011", "3920011")


async def forget(store: Store, phone: str = PHONE, **more: Any) -> Forgotten:
    return await store.journal.forget(phone, now=NOW + DAY, who="me", **more)


def assert_gone(place: Place, *texts: str) -> None:
    """Nothing of the journal has any of these texts, in the encodings that SQLite knows."""
    content = place.content()
    assert len(content) > 1000
    for text in texts:
        for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
            assert text.encode(encoding) not in content, f"it still holds {text}"


async def full(store: Store) -> None:
    """A journal that holds the number wherever it can."""
    data = {
        "setup_info": {"phone_number": "491713920011", "phone_name": "Muster"},
        "note": "call +49 (0)171/392-0011 in the evening",
        "list": [491713920011, "other", {"deep": "wa.me/491713920011"}],
        "phone_number_id": "1065551234",
        "verified_name": "Muster Support",
        "title_of": "muster support",
        "limit": "TIER_10K",
    }
    for name in ("done", "open", "dead"):
        await store.journal.append(
            reading(name, phones=(PHONE, OTHER), phone_name="Muster Support", data=data), now=NOW
        )
        await route_one(
            store,
            event_id(name),
            Routing(EventState.ROUTED, (owed(name, f"slack:#{name}"),)),
            now=NOW,
        )
    rendered = {"title": "Live: +49 171 3920011", "text": "Muster Support"}
    unnamed = {"title": "Live", "text": "It is Muster Support's only number"}
    before = await claimed(store, "slack:#done")
    await settled(store, before, Transient(f"no user {PHONE}"), rendered=rendered)
    before = await claimed(store, "slack:#done", NOW + DAY)
    await settled(store, before, Sent(Proof.POSTED), rendered=rendered, now=NOW + DAY)
    before = await claimed(store, "slack:#dead")
    await settled(
        store, before, Transient("to 0049 171 3920011"), rendered=unnamed, now=NOW + 4 * DAY
    )
    await store.journal.append(reading("other", phones=(OTHER,), data={"n": OTHER}), now=NOW)
    mention = {"why": "replaced by 00491713920011", "x": 1}
    await store.journal.append(reading("mention", phones=(OTHER,), data=mention), now=NOW)
    alarm = event("alarm", source=Source.RELAY, title=f"Nobody heard of {display(PHONE)}")
    await store.journal.post(alarm, [owed("alarm", cause=Cause.ALARM)], now=NOW)
    await store.journal.raise_alarm("unheard", f"Nobody heard of {PHONE}", now=NOW)
    body = b'{"phone": "491713920011", broken'
    utf16 = '{"phone": "491713920011"}'.encode("utf-16")
    escaped = json.dumps({"n": "٤٩١٧١٣٩٢٠٠١١"}).encode()
    clean = b'{"phone": "447700900123", broken'
    items = tuple(
        Unreadable("no JSON", len(b), f"hash{n}", b)
        for n, b in enumerate((body, utf16, escaped, clean))
    )
    await store.journal.append(Reading(unreadable=items), now=NOW)
    await store.journal.look_at(4, now=NOW, who=f"me {PHONE}")
    await store.journal.adopt_rules({"rules.yaml": f"a: 1\nphone: '{PHONE}'\nb: 2\n"}, now=NOW)
    await store.journal.adopt_rules({"rules.yaml": "a: 1\n"}, now=NOW)


async def test_no_file_of_the_journal_holds_it_afterwards(store: Store, place: Place):
    await full(store)
    assert b"491713920011" in place.content()
    done = await forget(store)
    assert done.synced
    assert_gone(place, *DIGITS, "171 3920011", "171/392-0011", "Muster Support")
    assert done == Forgotten(
        events=5,
        deliveries=2,
        attempts=2,
        quarantined=3,
        audit=1,
        directory=3,
        others=2,
        unfinished=3,
    )


async def test_it_stays_gone_after_a_restart(store: Store, place: Place, opening: Open):
    await full(store)
    await forget(store)
    await store.journal.close()
    assert_gone(place, *DIGITS)
    again = await opening()
    assert (await forget(again)).found == 0
    await again.journal.close()


async def test_the_event_stays_without_what_is_personal(store: Store):
    await full(store)
    await forget(store)
    stored = await store.records.event(event_id("done"))
    assert stored is not None
    assert stored.state is EventState.ROUTED
    one = stored.event
    assert (one.phones, one.phone_name, one.kind) == ((OTHER,), None, "channel_live")
    assert one.client == Client("dev001CL", "Musterladen GmbH")
    assert one.data == {
        "setup_info": {"phone_number": FORGOTTEN, "phone_name": FORGOTTEN},
        "note": FORGOTTEN,
        "list": [FORGOTTEN, "other", {"deep": FORGOTTEN}],
        "phone_number_id": FORGOTTEN,
        "verified_name": FORGOTTEN,
        "title_of": FORGOTTEN,
        "limit": "TIER_10K",
    }
    mention = await store.records.event(event_id("mention"))
    assert mention is not None
    assert (mention.event.phones, mention.event.data) == ((OTHER,), {"why": FORGOTTEN, "x": 1})
    assert await store.records.events(Filter(phone=PHONE)) == []


async def test_what_the_directory_knew_and_added_is_erased(store: Store, place: Place):
    """An event that named only the account was completed with the number when it was routed."""
    facts = reading("a", phone_name="Muster Support", waba="1001", phones=(PHONE,))
    await store.journal.append(facts, now=NOW)
    assert len(await store.records.directory(PHONE)) == 1
    bare = event("b", phones=(), waba="1001", data={"by": "muster support"})
    await store.journal.append(Reading((replace(reading("b").arrivals[0], event=bare),)), now=NOW)
    completed = complete(bare, await store.records.known_for([bare]))
    assert completed.event.phones == (PHONE,)
    routing = Routing(EventState.UNMATCHED)
    await route_one(store, bare.id, routing, now=NOW, completed=completed)
    done = await forget(store)
    assert (done.events, done.directory > 0) == (2, True)
    stored = await store.records.event(bare.id)
    assert stored is not None
    one = stored.event
    assert (one.phones, one.phone_name, one.waba) == ((), None, "1001")
    assert one.data == {"by": FORGOTTEN}
    assert await store.records.directory() == []
    assert_gone(place, *DIGITS, "Muster Support", "muster support")


async def test_a_token_of_its_twin_is_no_way_back(store: Store, place: Place):
    """A hash of so few possible values could be tried through."""
    tokens = "SELECT count(*) FROM twin_tokens"
    for one in await take(store, live(), rejected()):
        await route(store, one)
    assert place.sql(tokens) != [("0",)]
    await forget(store)
    assert place.sql(tokens) == [("0",)]


async def test_a_fact_that_names_it_is_erased_too(store: Store, place: Place):
    named = reading("a", phones=(OTHER,), client=Client("c1CL", f"Shop {display(PHONE)}"))
    await store.journal.append(named, now=NOW)
    assert (await forget(store)).directory > 0
    assert_gone(place, *DIGITS, "171 3920011")
    assert len(await store.records.directory(OTHER)) == 1


async def test_what_is_of_other_numbers_stays(store: Store):
    await full(store)
    before = await store.records.event(event_id("other"))
    await forget(store)
    assert await store.records.event(event_id("other")) == before
    assert len(await store.records.events(Filter(phone=OTHER))) == 5
    kept = [one.kept for one in await store.records.quarantined()]
    assert kept == [False, False, False, True]


async def test_the_balance_is_the_same_before_and_after(store: Store):
    await full(store)
    before = await store.records.balance()
    await forget(store)
    assert await store.records.balance() == before
    assert before.balanced


async def test_a_repeat_of_the_webhook_does_not_bring_it_back(store: Store, place: Place):
    await store.journal.append(reading("a"), now=NOW)
    await forget(store)
    assert (await store.journal.append(reading("a"), now=NOW + DAY)).duplicates == 1
    assert_gone(place, PHONE)


async def test_unfinished_deliveries_go_out_without_it(store: Store):
    await owe(store, owed())
    done = await forget(store)
    assert (done.unfinished, done.discarded) == (1, 0)
    found = await claim_one(store, "slack:#wa", now=NOW)
    assert found is not None
    assert found.event.phones == ()


async def test_with_discard_they_are_given_up(store: Store):
    await owe(store, owed("a", "slack:#one"), owed("a", "slack:#two"))
    held = await claimed(store, "slack:#two")
    done = await forget(store, discard=True)
    assert (done.unfinished, done.discarded) == (1, 1)
    assert (await only(store, owed("a", "slack:#one"))).state is State.SUPPRESSED
    assert (await only(store, held)).state is State.CLAIMED


async def test_a_send_under_way_does_not_write_it_back(store: Store, place: Place):
    """Its message was rendered before."""
    await owe(store, owed())
    held = await claimed(store)
    await forget(store)
    rendered = {"title": f"Live: {PHONE}", "text": "x"}
    await settled(store, held, Sent(Proof.POSTED), rendered=rendered)
    (stored,) = await store.records.deliveries(Filter())
    assert (stored.delivery.state, stored.rendered) == (State.DELIVERED, None)
    await store.journal.close()
    assert_gone(place, PHONE)


async def test_it_is_recorded_by_a_hash_that_only_fits_the_number(store: Store, place: Place):
    await store.journal.append(reading("a"), now=NOW)
    await forget(store)
    ((who, action, subject),) = place.sql("SELECT who, action, subject FROM audit")
    assert (who, action) == ("me", "forget")
    mark, _, rest = subject.partition(": ")
    assert rest == "1 events"
    assert sealed(PHONE, mark.split(":")[1]) == mark
    assert sealed(OTHER, mark.split(":")[1]) != mark


async def test_a_second_time_finds_nothing_and_records_nothing(store: Store, place: Place):
    await full(store)
    await forget(store)
    before = await store.records.events(Filter())
    assert await forget(store) == Forgotten(synced=True)
    assert await store.records.events(Filter()) == before
    lines = place.sql("SELECT count(*) FROM audit")
    assert lines == [("2",)]  # the look of before, and the forgetting


@pytest.mark.parametrize(
    ("held", "asked"),
    [
        ("+5215512345678", "+525512345678"),
        ("+525512345678", "+5215512345678"),
        ("+5491123456789", "+541123456789"),
        ("+5511987654321", "+551187654321"),
        ("+551187654321", "+5511987654321"),
    ],
)
async def test_the_other_spelling_of_the_same_line_is_erased_too(
    store: Store, place: Place, held: str, asked: str
):
    read = reading("a", phones=(held,), data={"number": display(held), "also": asked})
    await store.journal.append(read, now=NOW)
    done = await forget(store, asked)
    assert done.events == 1
    stored = await store.records.event(event_id("a"))
    assert stored is not None
    assert (stored.event.phones, stored.event.data) == (
        (),
        {"number": FORGOTTEN, "also": FORGOTTEN},
    )
    assert_gone(place, held.removeprefix("+"), asked.removeprefix("+"))


async def test_the_live_rules_stay_and_it_says_so(store: Store):
    """Without them no relay could start; what names the number there is for a person to edit."""
    await store.journal.adopt_rules({"rules.yaml": f"phone: '{PHONE}'\n"}, now=NOW)
    done = await forget(store)
    assert done.in_live_rules
    rules = await store.records.rules()
    assert rules is not None
    assert PHONE in rules.files["rules.yaml"]
    await store.journal.adopt_rules({"rules.yaml": "a: 1\n"}, now=NOW)
    done = await forget(store)
    assert (done.in_live_rules, done.others) == (False, 1)


async def test_troubles_that_name_it_are_erased(store: Store, place: Place):
    await owe(store, owed())
    trouble = Trouble("slack:#wa", Scope.TARGET, f"refused {PHONE}")
    await settled(store, await claimed(store), OutOfOrder(trouble.reason), trouble=trouble)
    assert (await forget(store)).others == 1
    assert [one.reason for one in await store.records.troubles()] == [FORGOTTEN]
    assert_gone(place, PHONE)
    # Nor does what is parked behind them later bring it back.
    await owe(store, owed("later"))
    assert (await only(store, owed("later"))).reason == FORGOTTEN


async def test_a_journal_of_version_3_is_written_anew(tmp_path: Path):
    """Another program left what it replaced in free places of the file."""
    path = tmp_path / "relay.db"
    version_3(path)
    connection = apsw.Connection(str(path))
    text = f"{PHONE} " * 40
    for _ in range(40):
        connection.execute("INSERT INTO alarms VALUES (hex(randomblob(9)), 0, ?)", (text,))
    connection.execute("DELETE FROM alarms")
    connection.close()
    assert PHONE.encode() in path.read_bytes()
    store = await open_journal(f"sqlite:///{path}", now=NOW)
    done = await forget(store)
    assert done.synced
    assert PHONE.encode() not in path.read_bytes()
    await store.journal.close()


async def test_many_events_are_erased_in_pieces_and_webhooks_recorded_between(
    store: Store, place: Place
):
    await store.journal.append(reading(*(f"e{n}" for n in range(1200))), now=NOW)
    running = asyncio.create_task(forget(store))
    for number in range(4):
        await store.journal.append(reading(f"new{number}", phones=(OTHER,)), now=NOW)
        assert not running.done()
    assert (await running).events == 1200
    assert_gone(place, *DIGITS)


async def test_what_needs_to_be_alone_runs_in_its_turn_and_in_no_transaction(tmp_path: Path):
    """The file is written anew between two groups of changes, not within one."""
    store = await open_journal(f"sqlite:///{tmp_path}/relay.db", now=NOW)
    writer = store.journal._writer  # type: ignore[attr-defined]
    go = threading.Event()
    order: list[tuple[str, bool]] = []

    def says(name: str) -> Callable[[apsw.Connection], None]:
        return lambda connection: order.append((name, connection.in_transaction))

    asked = [
        writer.submit(lambda _: go.wait(10)),
        writer.submit(says("before")),
        writer.submit(says("alone"), alone=True),
        writer.submit(says("after")),
    ]
    go.set()
    await asyncio.gather(*asked)
    assert order == [("before", True), ("alone", False), ("after", True)]
    await store.journal.close()


separators = st.sampled_from(["", " ", "-", ".", "/", "\u00a0", "\u2011", "\u200e", "  "])


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """The number as people and programs write it."""
    head = draw(st.sampled_from(["+49", "0049", "49", "+49 (0)", "+49-0", "0"]))
    parts = [head, *"171", *"392", *"0011"]
    if draw(st.booleans()):
        parts = [head, "171", "392", "0011"]
    text = draw(separators).join(parts)
    if draw(st.booleans()):
        text = text.translate({ord(str(d)): chr(0x0660 + d) for d in range(10)})
    return text


@given(before=st.sampled_from(["", "Tel. ", "x", "(", "tel:", "№"]), text=spellings())
def test_every_spelling_is_found(before: str, text: str):
    needle = Needle(PHONE)
    assert needle.is_in(before + text + ", please")
    assert needle.is_in((before + text).encode())
    assert needle.is_in(f"n: {before}{text}".encode("utf-16"))
    assert needle.is_in_json(json.dumps({"a": [before + text]}))


@given(text=st.text(max_size=40), digits=st.text("0123456789", min_size=1, max_size=4))
def test_longer_numbers_and_other_texts_are_not(text: str, digits: str):
    needle = Needle(PHONE)
    assert not needle.is_in(digits + "1" + PHONE.removeprefix("+"))
    assert not needle.is_in(PHONE + digits)
    if "3920011" not in "".join(char for char in text if char.isdecimal()):
        assert not needle.is_in(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(value=values, phones=st.lists(st.sampled_from([PHONE, OTHER]), unique=True))
def test_an_event_is_erased_once_and_only_if_it_holds_the_number(value: Any, phones: list[str]):
    needle = Needle(PHONE)
    shape = event(phones=tuple(phones), data={"value": value, "n": 491713920011}).to_json()
    erased = event_without(needle, shape)
    assert erased is not None
    assert PHONE not in erased["phones"]
    assert not needle.is_in_json(json.dumps(erased))
    assert event_without(needle, erased) is None
    assert {key: erased[key] for key in ("id", "kind", "topic", "received_at")} == {
        key: shape[key] for key in ("id", "kind", "topic", "received_at")
    }
    other = replace(event(), phones=(OTHER,), data={"value": value}).to_json()
    assert event_without(needle, other) is None


@given(st.sampled_from(["+525512345678", "+5491123456789", "+5511987654321", "+12025550123"]))
def test_a_number_and_its_aliases_are_one(phone: str):
    for alias in aliases(phone):
        assert Needle(phone).is_number(alias)
        assert Needle(alias).is_in(f"x {display(phone)} y")


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_no_copy_stays_where_rows_were_moved(store: Store, place: Place):
    """SQLite moves rows between pages and leaves copies of them behind, in this history too."""
    chance = random.Random(5)
    numbers = [f"+4917139200{n:02d}" for n in range(40)]
    for start in range(0, 600, 20):
        arrivals = []
        for n in range(start, start + 20):
            phone = chance.choice(numbers)
            data = {"t": "x" * chance.randrange(300)}
            made = arrival(f"e{n}", phones=(phone,), phone_name=f"Shop {phone}", data=data)
            arrivals.append(made)
        await store.journal.append(Reading(tuple(arrivals)), now=NOW)
    for phone in some(numbers, 0):
        assert (await forget(store, phone)).synced
        assert_gone(place, phone)
