"""What changed between two looks at 360dialog's list, as events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.directory import Contact
from relay.events import Direction, Event, Severity, Source, Topic
from relay.sources.watch import Property, Seen, Watched, compare, seen, value_of
from tests.each import each

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
PERIOD = timedelta(minutes=15)
PHONE = "+491713920011"


def number(phone: str = PHONE, **values: str) -> Seen:
    contact = Contact(phone=phone, name="Laden", client_id="a1CL", client_name="A", waba="1001")
    return Seen(contact, {Property(f"{name}_watch"): value for name, value in values.items()})


class Looks:
    """One look after the other, as the journal keeps what they saw."""

    def __init__(self) -> None:
        self.watched: Mapping[str, Watched] = {}
        self.since: datetime | None = None
        self.now = NOW

    def look(self, *found: Seen) -> list[Event]:
        changes = compare(self.watched, found, now=self.now, since=self.since, period=PERIOD)
        self.watched, self.since = changes.watched, self.now
        self.now += PERIOD
        return list(changes.events)

    def told(self, *found: Seen) -> list[tuple[str, str | None]]:
        return [(event.kind, event.detail) for event in self.look(*found)]


def test_the_first_look_makes_no_event() -> None:
    assert Looks().told(number(quality="RED")) == []


def test_a_drop_and_its_end_are_one_event_each() -> None:
    looks = Looks()
    looks.look(number(quality="GREEN", limit="TIER_2K"))
    (worse,) = looks.look(number(quality="RED", limit="TIER_2K"))
    assert worse.source is Source.WATCH
    assert (worse.kind, worse.detail, worse.topic) == ("quality_watch", "RED", Topic.QUALITY)
    assert (worse.severity, worse.direction) == (Severity.CRITICAL, Direction.WORSE)
    assert (worse.phone, worse.phone_name, worse.waba) == (PHONE, "Laden", "1001")
    assert (worse.client.id, worse.country) == ("a1CL", "DE")
    assert (worse.data["old"], worse.data["new"]) == ("GREEN", "RED")
    assert looks.look(number(quality="RED")) == []
    (better,) = looks.look(number(quality="GREEN"))
    assert (better.detail, better.direction) == ("GREEN", Direction.BETTER)


@each(
    ("kind", "old", "new", "severity", "direction"),
    [
        ("quality", "GREEN", "YELLOW", "warning", "worse"),
        ("quality", "YELLOW", "RED", "critical", "worse"),
        ("quality", "RED", "YELLOW", "warning", "better"),
        ("limit", "TIER_10K", "TIER_2K", "warning", "worse"),
        ("limit", "TIER_2K", "TIER_UNLIMITED", "info", "better"),
        ("status", "READY", "BANNED", "critical", "worse"),
        ("status", "ERROR", "READY", "info", "neutral"),
        ("name", "PENDING_REVIEW", "DECLINED", "warning", "worse"),
    ],
)
def test_what_a_change_means(kind: str, old: str, new: str, severity: str, direction: str) -> None:
    looks = Looks()
    looks.look(number(**{kind: old}))
    (event,) = looks.look(number(**{kind: new}))
    assert (event.kind, event.detail) == (f"{kind}_watch", new)
    assert (event.severity, event.direction) == (severity, direction)


def test_what_is_not_seen_changes_no_last_value() -> None:
    looks = Looks()
    looks.look(number(quality="GREEN"))
    assert looks.told(number()) == []
    assert looks.told(number(quality="RED")) == [("quality_watch", "RED")]


def test_a_low_rating_is_news_also_where_none_was_known() -> None:
    looks = Looks()
    looks.look(number(), number("+491713920012"))
    told = looks.told(
        number(quality="RED", limit="TIER_1K"), number("+491713920012", quality="GREEN")
    )
    assert told == [("quality_watch", "RED")]


def test_a_number_is_gone_after_two_looks_without_it() -> None:
    looks = Looks()
    looks.look(number(), number("+491713920012"))
    assert looks.told(number()) == []
    (gone,) = looks.look(number())
    assert (gone.kind, gone.detail, gone.phone) == ("number_watch", "GONE", "+491713920012")
    assert looks.told(number()) == []
    assert looks.told(number(), number("+491713920012")) == [("number_watch", "APPEARED")]


def test_a_number_that_one_look_missed_is_neither_gone_nor_new() -> None:
    looks = Looks()
    looks.look(number(quality="GREEN"))
    for _ in range(3):
        assert looks.told() == []
        assert looks.told(number(quality="GREEN")) == []


def test_a_number_with_an_ended_channel_is_watched_by_the_one_that_lives() -> None:
    ended = Seen(Contact(phone=PHONE, ended=True), {Property.QUALITY: "RED"})
    looks = Looks()
    looks.look(ended, number(quality="GREEN"))
    assert looks.told(number(quality="GREEN"), ended) == []
    assert looks.told(ended) == []
    assert looks.told(ended) == [("number_watch", "GONE")]


@each(
    ("which", "said", "value"),
    [
        ("quality", "High", "GREEN"),
        ("quality", "medium", "YELLOW"),
        ("quality", " LOW ", "RED"),
        ("quality", "Green", "GREEN"),
        ("quality", "UNKNOWN", None),
        ("quality", "n/a", None),
        ("quality", 5, None),
        ("limit", "TIER_1K", "TIER_1K"),
        ("limit", "tier_2k", "TIER_2K"),
        ("limit", 2000, "TIER_2K"),
        ("limit", "250", "TIER_250"),
        ("limit", -1, "TIER_UNLIMITED"),
        ("limit", "TIER_NOT_SET", None),
        ("status", "ready", "READY"),
        ("status", "whatever", None),
        ("name", "approved", "APPROVED"),
        ("name", "Pending review", "PENDING_REVIEW"),
    ],
)
def test_spellings_are_one_vocabulary(which: str, said: Any, value: str | None) -> None:
    place = {
        "quality": "current_quality_rating",
        "limit": "current_limit",
        "status": "status",
        "name": "name_status",
    }[which]
    found = seen({"setup_info": {"phone_number": PHONE}, place: said})
    assert found.values == ({Property(f"{which}_watch"): value} if value else {})
    assert value_of(Property(f"{which}_watch"), {}) is None


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.sampled_from(["GREEN", "YELLOW", "RED"]),
        "limit": st.sampled_from(["TIER_1K", "TIER_2K"]),
    },
)
LOOKS = st.lists(st.dictionaries(st.sampled_from([PHONE, "+491713920012"]), VALUES), max_size=12)


@given(LOOKS)
def test_events_lead_from_the_first_value_to_the_last(history: list[dict[str, Any]]) -> None:
    looks = Looks()
    last: dict[tuple[str, str], str] = {}
    for number_, found in enumerate(history):
        events = looks.look(*(number(phone, **values) for phone, values in found.items()))
        assert not (events and number_ == 0)
        assert len({event.id for event in events}) == len(events)
        for event in events:
            assert event.phone
            if event.kind == "number_watch":
                last = {key: value for key, value in last.items() if key[0] != event.phone}
            else:
                assert last.get((event.phone, event.kind)) == event.data["old"]
                assert event.data["new"] == event.detail
        for phone, values in found.items():
            last |= {(phone, f"{name}_watch"): value for name, value in values.items()}
