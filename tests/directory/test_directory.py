"""The directory: facts learned from events, and events completed by facts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.directory import (
    Completed,
    Contact,
    Evidence,
    Fact,
    Facts,
    Noun,
    Relation,
    channel_of,
    complete,
    entry_of,
    facts_of,
    learn,
)
from relay.events import Client, Event
from relay.phones import index_key
from relay.sources.reading import read
from tests.directory_cases import CLIENT, NOW, PHONE, WABA, channel, partner, template, waba
from tests.each import each


def known(*events: Event) -> Facts:
    return Facts(fact for event in events for fact in learn(event))


def after(event: Event, minutes: float) -> Event:
    """The same event, received so much later."""
    return replace(event, received_at=NOW + timedelta(minutes=minutes))


def fill(event: Event, *others: Event) -> Event:
    return complete(event, known(*others, event)).event


def test_a_template_event_gets_number_name_client_and_country_of_its_account() -> None:
    found = fill(template(), channel())
    assert found.phones == (PHONE,)
    assert found.phone_name == "Musterladen Support"
    assert found.client == Client(CLIENT, "Musterladen GmbH")
    assert found.country == "DE"


def test_every_filled_field_says_where_it_came_from() -> None:
    live = channel()
    done = complete(template(), known(live))
    assert set(done.origins) == {
        "phones", "phone_name", "client.id", "client.name", "country", "waba_360"
    }  # fmt: skip
    assert {origin.evidence.event_id for origin in done.origins.values()} == {live.id}
    assert done.origins["phones"].through == f"waba {WABA}"
    assert done.origins["phones"].evidence.kind == "channel_live"


def test_a_complete_event_has_no_origins() -> None:
    live = channel()
    assert complete(live, known(live)) == Completed(live)


def test_what_the_event_says_is_never_overwritten() -> None:
    said = channel(client=("other01CL", "Other Ltd"), name="Another name")
    assert complete(said, known(channel(), after(channel(), 5))).event == said


def test_all_numbers_of_an_account_are_filled_in_sorted() -> None:
    other = channel(phone="447700900123", number="dev009CH")
    found = fill(template(), channel(), other)
    assert found.phones == ("+447700900123", PHONE)
    assert found.phone_name is None
    assert found.client.id == CLIENT


def test_several_numbers_have_no_one_name_also_when_the_event_says_them_itself() -> None:
    other = channel(phone="447700900123", number="dev009CH")
    both = replace(template(), phones=(PHONE, "+447700900123"))
    assert fill(both, channel(), other).phone_name is None


def test_one_client_may_have_several_accounts() -> None:
    second = channel(phone="447700900123", waba="100000000000202", number="dev009CH")
    assert fill(template(), channel(), second).phones == (PHONE,)
    assert fill(template(waba="100000000000202"), channel(), second).phones == ("+447700900123",)


def test_a_client_alone_tells_no_number() -> None:
    created = partner("client_created", {"client": {"id": CLIENT}})
    found = fill(created, channel())
    assert (found.phones, found.waba) == ((), None)
    assert found.client.name == "Musterladen GmbH"


def test_a_number_event_gets_its_client() -> None:
    flagged = waba(
        "phone_number_quality_update", {"event": "FLAGGED", "display_phone_number": PHONE}
    )
    assert fill(flagged, channel()).client == Client(CLIENT, "Musterladen GmbH")


def test_an_event_with_a_channel_alone_gets_its_number() -> None:
    bare = partner("template_messaging_enabled", {"id": "dev001CH"})
    found = fill(bare, channel())
    assert (found.phones, found.waba, found.client.id) == ((PHONE,), WABA, CLIENT)


@each(
    ("kind", "said", "channel"),
    [
        ("template_messaging_enabled", "dev001CH", "dev001CH"),
        ("template_messaging_enabled", "4711-a", "4711-a"),
        ("template_messaging_enabled", WABA, None),
        ("template_messaging_enabled", CLIENT, None),
        ("template_messaging_enabled", "dev001WA", None),
        ("client_created", "4711-a", None),
    ],
)
def test_not_every_id_is_that_of_a_channel(kind: str, said: str, channel: str | None) -> None:
    assert channel_of(partner(kind, {"id": said})) == channel


def test_the_other_id_of_an_account_leads_to_the_same_numbers() -> None:
    early = channel(waba=None)
    assert early.waba == "dev001WA"
    assert fill(template(), early, after(channel(), 1)).phones == (PHONE,)
    mapped = partner("channel_ready", {"waba_account": {"id": "dev001WA", "external_id": WABA}})
    assert fill(template(), early, after(mapped, 1)).phones == (PHONE,)


def test_a_360dialog_id_gives_way_to_metas() -> None:
    early = channel(waba=None)
    done = complete(early, known(early, channel()))
    assert (done.event.waba, done.event.waba_360) == (WABA, "dev001WA")
    assert "waba" in done.origins


@pytest.mark.parametrize("turn", [1, -1])
def test_a_number_that_moved_leaves_its_old_account_and_client(turn: int) -> None:
    moved = after(
        channel(waba="100000000000909", waba_360="dev009WA", client=("new01CL", "New Ltd")), 9
    )
    both = (channel(), moved)[::turn]
    assert fill(template(), *both).phones == ()
    found = fill(template(waba="100000000000909"), *both)
    assert (found.phones, found.client.id) == ((PHONE,), "new01CL")


def test_a_number_that_moved_to_an_unknown_client_leaves_the_old_one() -> None:
    moved = after(
        waba(
            "phone_number_quality_update",
            {"event": "FLAGGED", "display_phone_number": PHONE},
            waba="100000000000909",
        ),
        9,
    )
    moved = replace(moved, occurred_at=None)
    facts = known(channel(), moved)
    bare = replace(moved, waba=None)
    assert complete(bare, facts).event.client.id is None
    assert complete(bare, facts).event.waba == "100000000000909"


def test_a_late_old_report_changes_nothing() -> None:
    moved = after(channel(waba="100000000000909", client=("new01CL", "New Ltd")), 9)
    old = waba("security", {"event": "PIN_CHANGED", "display_phone_number": PHONE})
    old = replace(after(old, 20), occurred_at=NOW - timedelta(hours=3))
    assert fill(template(waba="100000000000909"), channel(), moved, old).phones == (PHONE,)


def test_a_sender_cannot_speak_from_the_future() -> None:
    liar = replace(
        waba("security", {"event": "PIN_CHANGED", "display_phone_number": PHONE}, waba="666"),
        occurred_at=NOW + timedelta(days=9000),
    )
    assert fill(template(), liar, after(channel(), 1)).phones == (PHONE,)


def test_a_cancelled_number_leaves_its_account() -> None:
    gone = after(channel("cancellation_processed"), 5)
    assert fill(template(), channel(), gone).phones == ()
    assert fill(template(), gone, channel()).phones == ()


def test_the_cancellation_itself_is_still_about_the_number() -> None:
    bare = partner("cancellation_processed", {"id": "dev001CH", "setup_info": None})
    found = fill(after(bare, 5), channel())
    assert (found.phones, found.client.id) == ((PHONE,), CLIENT)


def test_a_cancellation_that_names_only_the_channel_ends_the_number_too() -> None:
    bare = after(partner("cancellation_processed", {"id": "dev001CH", "setup_info": None}), 5)
    assert fill(template(), channel(), bare).phones == ()


def test_a_cancelled_number_that_comes_back_is_known_again() -> None:
    gone = after(channel("cancellation_processed"), 5)
    again = after(channel(client=("new01CL", "New Ltd"), waba="100000000000909"), 9)
    assert fill(template(), channel(), gone, again).phones == ()
    assert fill(template(waba="100000000000909"), channel(), gone, again).client.id == "new01CL"


def test_the_end_of_an_old_channel_does_not_end_where_the_number_is_now() -> None:
    moved = after(channel(waba="100000000000909", number="dev009CH", client=("n01CL", "N")), 3)
    gone = after(channel("cancellation_processed"), 5)
    assert fill(template(waba="100000000000909"), channel(), moved, gone).phones == (PHONE,)
    assert fill(template(), channel(), moved, gone).phones == ()


def test_the_same_client_may_take_a_cancelled_number_back() -> None:
    gone = after(channel("cancellation_processed"), 5)
    again = after(channel(), 9)
    for order in ((channel(), gone, again), (again, gone, channel()), (gone, again, channel())):
        assert fill(template(), *order).client.id == CLIENT


def test_a_number_that_only_meta_saw_move_survives_the_end_of_its_old_channel() -> None:
    value = {"event": "PIN_CHANGED", "display_phone_number": PHONE}
    moved = replace(after(waba("security", value, waba="100000000000909"), 3), occurred_at=None)
    gone = after(channel("cancellation_processed"), 5)
    assert fill(template(waba="100000000000909"), channel(), moved, gone).phones == (PHONE,)


def test_a_number_follows_its_account_to_another_client() -> None:
    other = channel(phone="447700900123", number="dev009CH", client=("new01CL", "New Ltd"))
    found = entry_of(known(channel(), after(other, 5)), index_key(PHONE))
    assert found.client_id is not None
    assert found.client_name is not None
    assert (found.client_id.value, found.client_name.value) == ("new01CL", "New Ltd")


def test_a_newer_word_about_the_client_alone_takes_the_number_from_its_account() -> None:
    flat = partner("channel_live", {"phone_number": PHONE, "client_id": "new01CL"})
    facts = known(channel(), after(flat, 5))
    found = entry_of(facts, index_key(PHONE))
    assert found.client_id is not None
    assert found.client_id.value == "new01CL"
    assert found.waba is None
    assert complete(template(), facts).event.phones == ()


def test_nothing_of_a_cancelled_number_is_told_of_its_next_owner() -> None:
    gone = after(channel("cancellation_processed"), 5)
    said = replace(
        after(waba("security", {"event": "PIN_CHANGED", "display_phone_number": PHONE}), 9),
        waba=None,
        occurred_at=None,
    )
    found = complete(said, known(channel(), gone)).event
    assert (found.client, found.phone_name, found.waba) == (Client(), None, None)


@pytest.mark.parametrize("changes", [{"test": True}])
def test_a_test_teaches_nothing_and_is_not_completed(changes: dict[str, Any]) -> None:
    assert learn(replace(channel(), **changes)) == ()
    test = replace(template(), **changes)
    assert complete(test, known(channel())) == Completed(test)


def test_metas_test_button_teaches_nothing() -> None:
    body = {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": "0",
                "time": 1772445600,
                "changes": [
                    {
                        "field": "phone_number_quality_update",
                        "value": {"display_phone_number": "16505551111", "event": "FLAGGED"},
                    }
                ],
            }
        ],
    }
    (arrival,) = read(json.dumps(body).encode(), received_at=NOW).arrivals
    assert learn(arrival.event) == ()


def test_all_spellings_of_a_number_are_one_number() -> None:
    facts = known(channel(phone="5511987654321"))
    bare = replace(template(), phones=("+551187654321",), waba=None)
    assert complete(bare, facts).event.client.id == CLIENT
    assert complete(template(), facts).event.phones == ("+5511987654321",)


def test_an_events_client_name_is_not_taken_for_another_client() -> None:
    other = replace(template(), waba=None, client=Client("x01CL", None), phones=(PHONE,))
    assert complete(other, known(channel())).event.client == Client("x01CL", None)


def test_a_name_without_an_id_belongs_to_the_account() -> None:
    named = partner(
        "channel_ready",
        {"waba_account": {"external_id": WABA, "on_behalf_of_business_info": {"name": "Acme"}}},
    )
    assert fill(template(), named).client == Client(None, "Acme")


def test_a_list_that_is_older_than_an_event_loses_and_a_newer_one_wins() -> None:
    said = Contact(phone=PHONE, name="From the list", waba="100000000000909")
    for minutes, name in ((-5, "Musterladen Support"), (5, "From the list")):
        at = NOW + timedelta(minutes=minutes)
        facts = known(channel()).with_more(facts_of(said, Evidence(at, "imported")))
        found = entry_of(facts, index_key(PHONE)).name
        assert found is not None
        assert found.value == name


def test_the_clients_country_counts_before_the_numbers() -> None:
    british = channel(phone="447700900123")
    flagged = waba("security", {"event": "PIN_CHANGED", "display_phone_number": "447700900123"})
    assert flagged.country == "GB"
    assert fill(flagged, british).country == "DE"


def test_every_bundled_sample_teaches_and_completes_without_a_fault() -> None:
    events = [samples.event(name, NOW) for name in samples.names()]
    facts = known(*events)
    for event in events:
        found = complete(event, facts).event
        assert replace(found, data={}).to_json()["kind"] == event.kind


# Properties

_PHONES = ("+491713920011", "+447700900123", "+5511987654321")
_MOMENTS = st.integers(0, 40)


@st.composite
def _contacts(draw: st.DrawFn) -> Contact:
    def some(*values: str) -> str | None:
        return draw(st.sampled_from((None, *values)))

    return Contact(
        phone=some(*_PHONES),
        name=some("N1", "N2"),
        waba=some("100", "200"),
        waba_360=some("aWA", "bWA"),
        client_id=some("aCL", "bCL"),
        client_name=some("A", "B"),
        channel=some("aCH", "bCH"),
        country=some("DE", "GB"),
        ended=draw(st.booleans()),
    )


@st.composite
def _lessons(draw: st.DrawFn) -> list[tuple[Fact, ...]]:
    count = draw(st.integers(1, 7))
    moments = draw(st.lists(_MOMENTS, min_size=count, max_size=count))
    return [
        facts_of(
            draw(_contacts()),
            Evidence(NOW + timedelta(seconds=moment), "k", f"e{number}"),
        )
        for number, moment in enumerate(moments)
    ]


@given(_lessons(), st.randoms(use_true_random=False))
def test_the_order_of_lessons_does_not_matter(lessons: list[tuple[Fact, ...]], chance: Any) -> None:
    straight = [fact for lesson in lessons for fact in lesson]
    mixed = list(straight)
    chance.shuffle(mixed)
    assert Facts(mixed) == Facts(straight)
    for number in _PHONES:
        key = index_key(number)
        assert entry_of(Facts(mixed), key) == entry_of(Facts(straight), key)


@given(_lessons())
def test_a_lesson_twice_is_a_lesson_once(lessons: list[tuple[Fact, ...]]) -> None:
    facts = Facts(fact for lesson in lessons for fact in lesson)
    assert facts.with_more(fact for lesson in lessons[:2] for fact in lesson) == facts
    assert Facts(facts) == facts


@st.composite
def _events(draw: st.DrawFn) -> Event:
    said = draw(_contacts())
    return replace(
        template(),
        phones=(said.phone,) if said.phone else (),
        phone_name=said.name,
        client=Client(said.client_id, said.client_name),
        country=said.country,
        waba=said.waba or said.waba_360,
        waba_360=said.waba_360,
        data={"contact_info": {"country": said.country}, "id": said.channel},
    )


@given(_events(), _lessons())
def test_completing_overwrites_nothing(event: Event, lessons: list[tuple[Fact, ...]]) -> None:
    done = complete(event, Facts(fact for lesson in lessons for fact in lesson))
    found = done.event
    for before, now in (
        (event.phones, found.phones),
        (event.phone_name, found.phone_name),
        (event.client.id, found.client.id),
        (event.client.name, found.client.name),
        (event.country, found.country),
        (event.waba if event.waba != event.waba_360 else None, found.waba),
        (event.waba_360, found.waba_360),
    ):
        assert not before or before == now
    changed = {
        "phones": found.phones != event.phones,
        "phone_name": found.phone_name != event.phone_name,
        "client.id": found.client.id != event.client.id,
        "client.name": found.client.name != event.client.name,
        "country": found.country != event.country,
    }
    assert {name for name, did in changed.items() if did} <= set(done.origins)
    assert replace(
        found,
        phones=event.phones,
        phone_name=event.phone_name,
        client=event.client,
        country=event.country,
        waba=event.waba,
        waba_360=event.waba_360,
    ) == event  # fmt: skip


@given(_events(), _lessons())
def test_completing_a_completed_event_adds_nothing(
    event: Event, lessons: list[tuple[Fact, ...]]
) -> None:
    facts = Facts(fact for lesson in lessons for fact in lesson)
    once = complete(event, facts).event
    assert complete(once, facts).event == once


def test_a_fact_is_about_a_noun_that_it_names() -> None:
    nouns = {fact.noun for fact in learn(channel())}
    assert nouns == set(Noun)
    assert Relation.GONE not in {fact.relation for fact in learn(channel())}


def test_evidence_of_the_same_moment_has_one_order() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    facts = [
        fact
        for name, number in (("a", "e1"), ("b", "e2"))
        for fact in facts_of(Contact(phone=PHONE, name=name), Evidence(at, "k", number))
    ]
    found = [entry_of(Facts(order), index_key(PHONE)).name for order in (facts, facts[::-1])]
    assert found[0] == found[1]
