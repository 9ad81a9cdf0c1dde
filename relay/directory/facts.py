"""Facts with their evidence: of each thing that may be known of a subject, the newest word; and
what one event, or one row of a list, teaches.

Theory of operation: a fact says that a subject has a value for a relation, since some moment. Of
each subject and relation only the newest is kept, so a subject never has more facts than there are
relations, and the order in which facts come does not matter, nor does it when one comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from relay import phones
from relay.events import Event, Source
from relay.events.meanings import first_text, text_at

T = TypeVar("T")


class Noun(StrEnum):
    """What a fact is about."""

    PHONE = "phone"
    """A number, by the key that all its spellings share."""
    CHANNEL = "channel"
    """360dialog's id of a number (`…CH`)."""
    WABA = "waba"
    """A WhatsApp Business Account, by either of its ids."""
    CLIENT = "client"
    """The partner's client, by its id."""


class Relation(StrEnum):
    """What a fact says of its subject."""

    SPELLING = "spelling"
    """How the senders write a number that can be written in two ways."""
    NAME = "name"
    """The display name of a number, or the name of a client."""
    PHONE = "phone"
    CHANNEL = "channel"
    WABA = "waba"
    CLIENT = "client"
    CLIENT_NAME = "client_name"
    """The client's name, from a sender that does not tell its id."""
    META_ID = "meta_id"
    """Meta's id of an account that is known by 360dialog's."""
    D360_ID = "d360_id"
    """360dialog's id of an account that is known by Meta's."""
    COUNTRY = "country"
    GONE = "gone"
    """The number of a channel was cancelled or removed; the value is empty."""
    LEFT_WABA = "left_waba"
    """The account that a number no longer belongs to, as it was cancelled or removed there."""
    LEFT_CLIENT = "left_client"


_ENDS = frozenset({Relation.GONE, Relation.LEFT_WABA, Relation.LEFT_CLIENT})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who said something, and when."""

    at: datetime
    """When the sender said it; never later than when it was received."""
    kind: str
    """The event's kind, or `imported`."""
    event_id: str | None = None


class Fact(NamedTuple):
    """A subject has a value."""

    noun: Noun
    subject: str
    relation: Relation
    value: str
    evidence: Evidence
    under: str = ""
    """Of a number's client and channel: the account that was named in the same breath, if any."""

    @property
    def at(self) -> datetime:
        """When it was said."""
        return self.evidence.at

    @property
    def rank(self) -> tuple[datetime, str, str, str, str]:
        """The larger one counts; equal moments are told apart, so that no order matters."""
        said = self.evidence
        return said.at, said.event_id or "", said.kind, self.value, self.under


def newest(*facts: Fact | None) -> Fact | None:
    """The fact that was said last."""
    return max((fact for fact in facts if fact is not None), key=lambda f: f.rank, default=None)


class Facts:
    """What is known; frozen once made."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._known: dict[tuple[Noun, str], dict[Relation, Fact]] = {}
        self._conclusions: dict[Hashable, Any] = {}
        for fact in facts:
            known = self._known.setdefault((fact.noun, fact.subject), {})
            before = known.setdefault(fact.relation, fact)
            if before is not fact and before.rank < fact.rank:
                known[fact.relation] = fact

    def __iter__(self) -> Iterator[Fact]:
        return (fact for known in self._known.values() for fact in known.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self._known == other._known

    __hash__ = None  # type: ignore[assignment]

    def with_more(self, facts: Iterable[Fact]) -> Facts:
        """These facts and further ones."""
        return Facts([*self, *facts])

    def conclude(self, about: Hashable, conclusion: Callable[[], T]) -> T:
        """What follows from these facts, worked out once: they never change."""
        if about not in self._conclusions:
            self._conclusions[about] = conclusion()
        found: T = self._conclusions[about]
        return found

    def get(self, noun: Noun, subject: str | None, relation: Relation) -> Fact | None:
        """The newest word on a relation."""
        known = self._known.get((noun, subject)) if subject is not None else None
        return None if known is None else known.get(relation)

    def tells_end(self, event_id: str | None) -> bool:
        """Whether an event said that a number is gone."""
        ends: frozenset[str | None] = self.conclude("ends", self._ends)
        return event_id in ends

    def _ends(self) -> frozenset[str | None]:
        return frozenset(fact.evidence.event_id for fact in self if fact.relation in _ENDS)

    def numbers(self, accounts: Iterable[str]) -> list[str]:
        """The keys of all numbers that were last said to belong to one of these ids, sorted."""
        found = self.conclude("numbers", self._numbers)
        return sorted(set().union(*(found.get(one, ()) for one in accounts)))

    def _numbers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for (noun, subject), known in self._known.items():
            if noun is Noun.PHONE and (waba := known.get(Relation.WABA)):
                found.setdefault(waba.value, set()).add(subject)
        return found


_ENDINGS = frozenset(
    {"cancellation_processed", "channel_deleted", "channel_removed", "channel_terminated"}
)
"""Partner kinds after which the number is no longer the client's."""
_ENDED = frozenset({"deleted", "removed", "terminated"})
"""The states of a channel that say the same, whatever the kind."""
_OTHER_IDS = ("CL", "WA", "PA", "WT")
"""Ends of 360dialog's ids of clients, accounts, partners and templates."""
_COUNTRY = ("client.contact_info.country", "contact_info.country")
LONGEST = 500
"""Characters of an id or a name: what is longer is none."""
IMPORTED = "imported"
"""The kind of evidence for what people import."""
SYNCED = "synced"
"""The kind of evidence for what 360dialog's Partner API listed."""


@dataclass(frozen=True, slots=True)
class Contact:
    """One number with all that is said of it in one breath; None is not said."""

    phone: str | None = None
    """E.164 with the plus sign."""
    name: str | None = None
    waba: str | None = None
    waba_360: str | None = None
    client_id: str | None = None
    client_name: str | None = None
    channel: str | None = None
    country: str | None = None
    """The client's."""
    ended: bool = False
    """It is the client's number no longer."""


def learn(event: Event) -> tuple[Fact, ...]:
    """The facts that an event tells; tests and the relay's own events tell none."""
    if event.test or event.source is Source.RELAY:
        return ()
    at = min(event.occurred_at or event.received_at, event.received_at)
    evidence = Evidence(at, event.kind, event.id)
    # Several numbers in one event are spellings or stations of one; only the first is sure.
    said = Contact(
        phone=event.phone,
        name=event.phone_name,
        waba=event.waba,
        waba_360=event.waba_360,
        client_id=event.client.id,
        client_name=event.client.name,
        channel=channel_of(event),
        country=said_country(event),
        ended=_is_over(event),
    )
    facts = facts_of(said, evidence)
    number_id = number_id_of(event)
    if number_id is None or event.phone is None or len(number_id) > LONGEST:
        return facts
    key = phones.index_key(event.phone)
    return (*facts, Fact(Noun.CHANNEL, number_id, Relation.PHONE, key, evidence, ""))


def _is_over(event: Event) -> bool:
    if event.source is Source.WATCH:
        return event.detail == "GONE"
    return event.source is Source.PARTNER and is_ending(event.kind, event.data)


def channel_of(event: Event) -> str | None:
    """360dialog's id of the number that an event is about, where the event tells it.

    In events that are passed on from Meta `data.id` is Meta's id of the account, in digits, and
    360dialog's ids of other things have endings of their own.
    """
    if event.source is not Source.PARTNER:
        return None
    if (found := text_at(event.data, "channel_id")) is not None:
        return found
    own = text_at(event.data, "id")
    if own is None or own == event.client.id or event.kind.lower() == "client_created":
        return None
    return None if own.isdecimal() or own.endswith(_OTHER_IDS) else own


_NUMBER_ID = (
    "phone_number_id",
    "metadata.phone_number_id",
    "phone_number_settings.phone_number_id",
)


def number_id_of(event: Event) -> str | None:
    """Meta's id of the number that an event is about, where the event tells it."""
    found = first_text(event.data, *_NUMBER_ID)
    if found is None and (text_at(event.data, "entity_type") or "").upper() == "PHONE_NUMBER":
        found = text_at(event.data, "entity_id")
    return found if found and found.isascii() and found.isdecimal() else None


def said_country(event: Event) -> str | None:
    """The client's own country, where the event tells it; not what follows from a number."""
    if event.country is None:
        return None
    said = first_text(event.data, *_COUNTRY)
    return event.country if said is not None and said.upper() == event.country else None


def is_ending(kind: str, data: Mapping[str, Any]) -> bool:
    """Whether a Partner event, or a channel in a list, says that the number is gone."""
    kind = kind.lower()
    if kind in _ENDINGS or not kind.startswith("channel"):
        return kind in _ENDINGS
    return (text_at(data, "status") or "").lower() in _ENDED


def facts_of(said: Contact, evidence: Evidence) -> tuple[Fact, ...]:
    """The facts of one contact; of one that ended, that its number is gone."""
    return tuple(
        Fact(noun, subject, relation, value or "", evidence, under[:LONGEST])
        for noun, subject, relation, value, under in _told(said)
        if subject and len(subject) <= LONGEST
        if relation is Relation.GONE or (value and len(value) <= LONGEST)
    )


_Told = tuple[Noun, str | None, Relation, str | None, str]


def _told(said: Contact) -> Iterator[_Told]:
    phone, channel, client = said.phone, said.channel, said.client_id
    key = phones.index_key(phone) if phone else None
    account = said.waba or said.waba_360 or ""
    if phone and len(phones.aliases(phone)) > 1:
        yield Noun.PHONE, key, Relation.SPELLING, phone, ""
    yield Noun.CHANNEL, channel, Relation.PHONE, key, ""
    if said.ended:
        yield Noun.CHANNEL, channel, Relation.GONE, "", ""
        yield Noun.PHONE, key, Relation.LEFT_WABA, account, ""
        yield Noun.PHONE, key, Relation.LEFT_CLIENT, client, ""
    else:
        yield Noun.PHONE, key, Relation.WABA, account, ""
        yield Noun.PHONE, key, Relation.CLIENT, client, account
        yield Noun.PHONE, key, Relation.CHANNEL, channel, account
        yield Noun.PHONE, key, Relation.NAME, said.name, ""
    wabas = tuple(dict.fromkeys(filter(None, (said.waba, said.waba_360))))
    if len(wabas) > 1:
        yield Noun.WABA, said.waba_360, Relation.META_ID, said.waba, ""
        yield Noun.WABA, said.waba, Relation.D360_ID, said.waba_360, ""
    for waba in wabas:
        yield Noun.WABA, waba, Relation.CLIENT, client, ""
    if client is None and not said.ended:
        yield Noun.PHONE, key, Relation.CLIENT_NAME, said.client_name, ""
        for waba in wabas:
            yield Noun.WABA, waba, Relation.CLIENT_NAME, said.client_name, ""
    yield Noun.CLIENT, client, Relation.NAME, said.client_name, ""
    yield Noun.CLIENT, client, Relation.COUNTRY, said.country, ""
