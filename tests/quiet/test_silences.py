"""A silence suppresses what it covers with the routing, keeps it on record, and ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.deliveries import Cause, State
from relay.errors import UsageError
from relay.events import Severity, Source, Topic
from relay.journal import Owing, Store
from relay.quiet import Conditions, Silence, check, until
from tests.engines import Open
from tests.journal_suite import DAY, NOW, event, owe, owed, reading, routed

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)


def silence(**about: Any) -> Silence:
    also_critical = about.pop("also_critical", False)
    return Silence(
        id="",
        about=Conditions(**about),
        why="maintenance",
        who="anna",
        began_at=NOW,
        until=(NOW + HOUR).astimezone(BERLIN),
        also_critical=also_critical,
    )


@pytest.mark.parametrize(
    ("about", "covers"),
    [
        ({"phone": "0049 (0)171 392 00 11"}, True),
        ({"phone": "+49*"}, True),
        ({"phone": "+44*"}, False),
        ({"client": "DEV001cl"}, True),
        ({"client": "muster*"}, True),
        ({"kind": "channel_*"}, True),
        ({"kind": "channel_ready"}, False),
        ({"topic": "Onboarding"}, True),
        ({"destination": "WA"}, True),
        ({"destination": "sales"}, False),
        ({"phone": "+49*", "topic": "quality"}, False),
    ],
)
def test_conditions_are_compared_as_in_rules_and_all_must_hold(
    about: dict[str, str], covers: bool
) -> None:
    assert silence(**about).covers(event(), owed()) is covers


def test_aliases_of_a_number_are_the_same_number() -> None:
    mexican = event(phones=("+5215512345678",))
    assert silence(phone="+52 55 1234 5678").covers(mexican, owed())


def test_an_event_that_is_also_about_another_number_is_news() -> None:
    both = event(phones=("+491713920011", "+447700900123"))
    assert not silence(phone="+491713920011").covers(both, owed())
    assert silence(phone="+4*").covers(both, owed())


def test_a_critical_event_passes_unless_the_silence_says_otherwise() -> None:
    critical = event(severity=Severity.CRITICAL)
    assert not silence(phone="+49*").covers(critical, owed())
    assert silence(phone="+49*", also_critical=True).covers(critical, owed())


@pytest.mark.parametrize("cause", [Cause.ALARM, Cause.TEST, Cause.REPLAY])
def test_alarms_tests_and_replays_pass(cause: Cause) -> None:
    assert not silence(kind="*").covers(event(), owed(cause=cause))


def test_what_a_person_tries_out_at_meta_passes() -> None:
    assert not silence(kind="*").covers(event(test=True), owed())


@given(st.sampled_from(["phone", "client", "kind", "topic", "destination"]), st.text(max_size=12))
def test_a_further_condition_never_covers_more(name: str, text: str) -> None:
    try:
        check(Conditions(**{name: text}), ["wa"])
    except UsageError:
        return
    if silence(kind="channel_live", **{name: text} if name != "kind" else {}).covers(
        event(), owed()
    ):
        assert silence(kind="channel_live").covers(event(), owed())


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({}, "at least one of phone, client, kind, topic, destination"),
        ({"phone": "0171 3920011"}, "country code"),
        ({"topic": "qualty"}, 'did you mean "quality"?'),
        ({"destination": "sale"}, 'did you mean "sales"?'),
        ({"kind": "chanel_live"}, 'did you mean "channel_live"?'),
    ],
)
def test_conditions_that_nothing_can_meet_are_refused(about: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        check(Conditions(**about), ["sales"])
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("moment", "lasting"),
    [
        (None, None),
        ("18:00", "2h"),
        ("2026-11-23T09:59", None),
        ("2h", None),
        ("9999-12-31T23:59Z", None),
        (None, "0h"),
        (None, "9999999w"),
    ],
)
def test_an_end_that_cannot_be_is_refused(moment: str | None, lasting: str | None) -> None:
    with pytest.raises(UsageError):
        until(moment, lasting, NOW, BERLIN)


async def test_what_is_routed_while_a_silence_covers_it_is_suppressed_with_author_and_end(
    store: Store,
) -> None:
    begun = await store.journal.begin_silence(silence(phone="+49*"))
    await owe(store, owed(), owed(target="slack:#sales"))
    found = await store.records.of_event(event().id)
    assert {one.delivery.state for one in found} == {State.SUPPRESSED}
    reason = found[0].delivery.reason
    assert reason == (
        f"silenced by anna until 23 Nov 2026, 11:00 CET (silence {begun.id}): maintenance"
    )
    (listed,) = await store.records.silences()
    assert listed.counts == {("sales", "channel_live"): 1, ("wa", "channel_live"): 1}
    assert {one.event.id for one in listed.last} == {event().id}
    assert (await store.records.balance()).balanced


async def test_an_idle_lane_claims_nothing_that_is_silenced(store: Store) -> None:
    await store.journal.begin_silence(silence(destination="wa"))
    await store.journal.append(reading("a"), now=NOW)
    done = await store.journal.route([Owing(event(), routed(owed()))], now=NOW, idle={"slack:#wa"})
    assert not done.claimed


async def test_a_silence_that_is_over_or_was_ended_covers_nothing(store: Store) -> None:
    begun = await store.journal.begin_silence(silence(kind="*"))
    await owe(store, owed("late"), now=NOW + HOUR)
    ended = await store.journal.end_silence(begun.id, now=NOW + HOUR / 2, who="bert")
    assert ended is not None
    assert (ended.ended_by, ended.ended_at) == ("bert", NOW + HOUR / 2)
    await owe(store, owed("ended"))
    for name in ("late", "ended"):
        (found,) = await store.records.of_event(event(name).id)
        assert found.delivery.state is State.PENDING
    assert await store.journal.end_silence(begun.id, now=NOW, who="bert") is None
    assert await store.journal.end_silence("nonsense", now=NOW) is None


async def test_a_silence_survives_a_restart(opening: Open) -> None:
    first = await opening()
    await first.journal.begin_silence(silence(topic=Topic.ONBOARDING.value))
    await first.journal.close()
    second = await opening()
    await owe(second, owed())
    (found,) = await second.records.of_event(event().id)
    assert found.delivery.state is State.SUPPRESSED
    await second.journal.close()


async def test_the_end_of_a_silence_is_told_once(store: Store) -> None:
    begun = await store.journal.begin_silence(silence(kind="*"))
    assert [one.id for one in await store.records.untold_silences()] == [begun.id]
    told = event("over", source=Source.RELAY, kind="relay_alarm")
    mine = replace(owed("over"), cause=Cause.ALARM)
    assert await store.journal.tell_silence(begun.id, [(told, mine)], now=NOW + DAY)
    assert not await store.journal.tell_silence(begun.id, [(told, mine)], now=NOW + DAY)
    assert len(await store.records.of_event(told.id)) == 1
    assert await store.records.untold_silences() == ()


async def test_a_number_that_is_forgotten_stands_in_no_silence_and_is_silenced_no_more(
    store: Store,
) -> None:
    await store.journal.begin_silence(silence(phone="+491713920011"))
    await store.journal.forget("+491713920011", now=NOW, who="me")
    (listed,) = await store.records.silences()
    assert "3920011" not in str(listed)
    assert listed.silence.ended_at == NOW
