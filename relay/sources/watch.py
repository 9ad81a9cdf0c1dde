"""The watch: what changed between two looks at 360dialog's list of numbers, as events.

Since October 2025 Meta tells nobody that the quality of a number drops, so the relay asks for it.
The list is the one of 360dialog's Partner API; its channel object is not documented field by field,
so each property is looked for at the places and in the spellings that are known from its webhooks
and from public clients of it. What is absent, null or spelled in no known way is *not seen*: it
says nothing, and the last known value stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from relay import phones
from relay.directory import Contact
from relay.directory.facts import is_ending
from relay.events import Client, Event, Source, event_id, iso
from relay.events.catalogue import describe
from relay.events.meanings import first_text
from relay.events.properties import Property, spelled
from relay.sources import facts

NUMBER = "number_watch"
APPEARED, GONE = "APPEARED", "GONE"
GONE_AFTER = 2
"""Complete looks without a number after which it is gone: one look may miss a page's shift."""


_PLACES: Mapping[Property, tuple[str, ...]] = {
    Property.QUALITY: ("current_quality_rating", "quality_rating", "quality"),
    Property.LIMIT: ("current_limit", "messaging_limit_tier", "messaging_limit"),
    Property.STATUS: ("status", "hub_status"),
    Property.NAME: (
        *("name_status", "phone_name_status", "display_name_status", "verified_name_status"),
        *("setup_info.phone_name_status", "setup_info.name_status", "setup_info.status"),
    ),
}


def value_of(which: Property, channel: Mapping[str, Any]) -> str | None:
    """The value of a property in the one vocabulary of the watch; None where it is not seen."""
    for place in _PLACES[which]:
        said = first_text(channel, place)
        if said is not None and (value := spelled(which, said)) is not None:
            return value
    return None


@dataclass(frozen=True, slots=True)
class Watching:
    """What the rules want to be asked for; None: it is not."""

    quality: timedelta | None = None
    """Between two looks at 360dialog's list."""
    no_events: timedelta | None = timedelta(hours=24)
    """So long a source that used to speak may say nothing."""
    heartbeat: str | None = field(default=None, repr=False)
    """A URL that is called each minute while all is well."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One number as a complete look saw it."""

    contact: Contact
    values: Mapping[Property, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """By what it is known again: the number in any spelling, else 360dialog's own id."""
        phone = self.contact.phone
        return phones.index_key(phone) if phone else f"channel {self.contact.channel}"


def seen(channel: Mapping[str, Any]) -> Seen:
    """What a look sees of one channel of the list."""
    values = {which: value for which in Property if (value := value_of(which, channel)) is not None}
    return Seen(contact_of(channel), values)


def contact_of(channel: Mapping[str, Any]) -> Contact:
    """Who a channel of 360dialog's list is about."""
    found = facts.of_partner("channel", channel)
    own_country = found.country if _tells_country(channel) else None
    return Contact(
        phone=found.phones[0] if found.phones else None,
        name=found.phone_name,
        waba=found.waba,
        waba_360=found.waba_360,
        client_id=found.client.id,
        client_name=found.client.name,
        channel=facts.id_of(channel.get("id")),
        country=own_country,
        ended=is_ending("channel", channel),
    )


def _tells_country(channel: Mapping[str, Any]) -> bool:
    """Whether the country is the client's own: otherwise it only follows from the number."""
    return facts.of_partner("channel", {"client": channel.get("client")}).country is not None


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of a number since the last look that had it."""

    seen: Seen
    missing: int = 0
    """Complete looks in a row that did not have it."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What a look found: the events, and what is known of each number from now on."""

    events: tuple[Event, ...]
    watched: Mapping[str, Watched]
    """By key; those that are gone are left out."""
    first: bool
    """Nothing was known before, so that nothing is news."""

    def to_json(self) -> dict[str, Any]:
        """How many numbers are watched now, and the events."""
        events = [event.to_json() for event in self.events]
        return {"numbers": len(self.watched), "first": self.first, "events": events}


def compare(
    before: Mapping[str, Watched],
    look: Iterable[Seen],
    *,
    now: datetime,
    since: datetime | None,
    period: timedelta,
) -> Changes:
    """What changed since the last complete look, which was at `since`; None: this is the first.

    The first look makes no event. `period` is the time between two looks: webhooks of the same
    change may come within it.
    """
    told: list[Event] = []
    watched: dict[str, Watched] = {}

    def tell(kind: str, detail: str, one: Seen, data: Mapping[str, Any]) -> None:
        if since is not None:
            told.append(_event(kind, detail, one, data, now=now, since=since, period=period))

    for one in _by_number(look):
        last = before.get(one.key)
        values = dict(one.values)
        if last is None:
            tell(NUMBER, APPEARED, one, {"seen": _plain(values)})
        else:
            values = {**last.seen.values, **values}
            for which, new in one.values.items():
                old = last.seen.values.get(which)
                if new != old and (old is not None or _is_low(which, new)):
                    tell(which.value, new, one, {"old": old, "new": new})
        watched[one.key] = Watched(replace(one, values=values))
    for key, last in before.items():
        if key in watched:
            continue
        missing = last.missing + 1
        if missing >= GONE_AFTER:
            tell(NUMBER, GONE, last.seen, {"seen": _plain(last.seen.values)})
        else:
            watched[key] = replace(last, missing=missing)
    return Changes(tuple(told), watched, since is None)


def _by_number(look: Iterable[Seen]) -> Sequence[Seen]:
    """One for each number: a number may have had other channels before the one that lives."""
    found: dict[str, Seen] = {}
    for one in look:
        if one.contact.ended or not (one.contact.phone or one.contact.channel):
            continue
        first = found.setdefault(one.key, one)
        if first is not one:
            found[one.key] = replace(first, values={**one.values, **first.values})
    return tuple(found.values())


def _is_low(which: Property, value: str) -> bool:
    """Whether a value is news where none was known before."""
    return which is Property.QUALITY and value != "GREEN"


def _plain(values: Mapping[Property, str]) -> dict[str, str]:
    return {which.value.removesuffix("_watch"): value for which, value in values.items()}


def _event(
    kind: str,
    detail: str,
    one: Seen,
    data: Mapping[str, Any],
    *,
    now: datetime,
    since: datetime,
    period: timedelta,
) -> Event:
    said = one.contact
    data = {**data, "since": iso(since), "until": iso(now + period)}
    meaning = describe(Source.WATCH, kind, detail, data)
    key = f"watch:{one.key}:{kind}:{detail}:{iso(now)}"
    return Event(
        id=event_id(key),
        source=Source.WATCH,
        kind=kind,
        detail=detail,
        topic=meaning.topic,
        severity=meaning.severity,
        direction=meaning.direction,
        title=meaning.title,
        received_at=now,
        phones=(said.phone,) if said.phone else (),
        phone_name=said.name,
        client=Client(said.client_id, said.client_name),
        country=said.country or (phones.country(said.phone) if said.phone else None),
        waba=said.waba or said.waba_360,
        waba_360=said.waba_360,
        data=data,
    )
