"""What is concluded from the facts: the entry of one number, and an event completed by them.

Where facts contradict each other the newer one wins, and what belonged to the older one goes
with it: a number that moved to another account leaves its client behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relay import phones
from relay.directory.facts import (
    Evidence,
    Fact,
    Facts,
    Noun,
    Relation,
    channel_of,
    newest,
    number_id_of,
    said_country,
)
from relay.events import Client, Event, Source, from_iso, iso


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one number now; None is not known, or over."""

    phone: str
    """E.164, as the senders spell it."""
    name: Fact | None = None
    waba: Fact | None = None
    """Meta's id; 360dialog's where that is all there is."""
    waba_360: Fact | None = None
    channel: Fact | None = None
    client_id: Fact | None = None
    client_name: Fact | None = None
    gone: Fact | None = None
    """The number was cancelled or removed; nothing else is known of it then."""

    def to_json(self) -> dict[str, Any]:
        """One line of `relay directory --json`."""
        found = {
            "name": self.name,
            "waba": self.waba,
            "waba_360": self.waba_360,
            "client_id": self.client_id,
            "client_name": self.client_name,
            "channel_id": self.channel,
        }
        last = self.last
        return {
            "phone": self.phone,
            **{name: one.value if one else None for name, one in found.items()},
            "gone": self.gone is not None,
            "kind": last.evidence.kind if last else None,
            "event_id": last.evidence.event_id if last else None,
            "at": iso(last.at) if last else None,
        }

    @property
    def last(self) -> Fact | None:
        """The newest word on anything here."""
        return newest(
            self.gone, self.name, self.waba, self.channel, self.client_id, self.client_name
        )


def entry_of(known: Facts, key: str, ignoring: str | None = None) -> Entry:
    """The entry of the number with this key; an end that the event `ignoring` tells is none yet."""
    if not known.tells_end(ignoring):
        ignoring = None
    return known.conclude((key, ignoring), lambda: _entry_of(known, key, ignoring))


def _entry_of(known: Facts, key: str, ignoring: str | None) -> Entry:
    def of_number(relation: Relation) -> Fact | None:
        return known.get(Noun.PHONE, key, relation)

    spelling = of_number(Relation.SPELLING)
    phone = spelling.value if spelling else key
    waba, client, channel = map(of_number, (Relation.WABA, Relation.CLIENT, Relation.CHANNEL))
    ids = ids_of_waba(known, waba.value) if waba else frozenset[str]()
    left = of_number(Relation.LEFT_WABA)
    closed = known.get(Noun.CHANNEL, channel.value if channel else None, Relation.GONE)

    def end_of(fact: Fact | None, end: Fact | None, *about: str) -> Fact | None:
        """The end of what was said, unless it was said again later."""
        if fact is None or end is None or end.value not in about or end.at < fact.at:
            return None
        return None if ignoring and end.evidence.event_id == ignoring else end

    ended = (
        end_of(waba, left, *ids),
        end_of(client, of_number(Relation.LEFT_CLIENT), client.value if client else ""),
        end_of(channel, closed, ""),
    )
    gone = newest(*ended)
    # The end of what the number was at an account that it had left before changes nothing else.
    moved_on = (
        gone is not None
        and left is not None
        and left.evidence == gone.evidence
        and waba is not None
        and left.value not in ids
        and not (ended[2] and channel and channel.under in ids)
    )

    def alive(fact: Fact | None, end: Fact | None = None) -> Fact | None:
        if fact is None or end is not None:
            return None
        return fact if moved_on or gone is None or fact.at > gone.at else None

    waba, client, channel = map(alive, (waba, client, channel), ended)
    name = alive(of_number(Relation.NAME))
    if gone is not None and not any((waba, client, channel, name)):
        return Entry(phone, gone=gone)
    waba, client = _agreed(known, waba, client)
    meta, d360 = account_ids(known, waba)
    named = name_of_client(known, client.value if client else None, meta.value if meta else None)
    return Entry(
        phone=phone,
        name=name,
        waba=meta,
        waba_360=d360,
        channel=channel,
        client_id=client,
        client_name=named or alive(of_number(Relation.CLIENT_NAME)),
    )


def numbers_of(
    known: Facts, waba: str, ignoring: str | None = None
) -> tuple[tuple[str, ...], Fact | None]:
    """All numbers that an account has now, sorted, and the newest word on any of them."""
    if not known.tells_end(ignoring):
        ignoring = None

    def found() -> tuple[tuple[str, ...], Fact | None]:
        ids = ids_of_waba(known, waba)
        entries = [entry_of(known, key, ignoring) for key in known.numbers(ids)]
        has = [entry for entry in entries if entry.waba is not None and entry.waba.value in ids]
        numbers = tuple(sorted(entry.phone for entry in has))
        return numbers, newest(*(entry.waba for entry in has))

    return known.conclude(("numbers", waba, ignoring), found)


def _agreed(
    known: Facts, waba: Fact | None, client: Fact | None
) -> tuple[Fact | None, Fact | None]:
    """Account and client of a number, so that they do not contradict each other."""
    if waba is None:
        return None, client
    owner = client_of_waba(known, waba.value)
    if owner is None:
        moved = client and client.under and client.under not in ids_of_waba(known, waba.value)
        return waba, None if moved else client
    if client is None or client.value == owner.value or client.at <= max(waba.at, owner.at):
        return waba, owner
    return None, client


def client_of_waba(known: Facts, waba: str) -> Fact | None:
    """The client that was said last to own an account, under either of its ids."""
    return _of_account(known, waba, Relation.CLIENT)


def ids_of_waba(known: Facts, waba: str) -> frozenset[str]:
    """Both ids of an account, as far as they are known."""
    meta = known.get(Noun.WABA, waba, Relation.META_ID)
    d360 = known.get(Noun.WABA, waba, Relation.D360_ID)
    return frozenset({waba, *(other.value for other in (meta, d360) if other)})


def account_ids(known: Facts, waba: Fact | None) -> tuple[Fact | None, Fact | None]:
    """Meta's id and 360dialog's id of the account that is named by either."""
    if waba is None:
        return None, None
    meta = known.get(Noun.WABA, waba.value, Relation.META_ID)
    if meta is not None:
        return meta, waba
    return waba, known.get(Noun.WABA, waba.value, Relation.D360_ID)


def name_of_client(known: Facts, client_id: str | None, waba: str | None) -> Fact | None:
    """The client's name: its own, else the one that somebody told for its account."""
    own = known.get(Noun.CLIENT, client_id, Relation.NAME)
    if own is not None or waba is None:
        return own
    return _of_account(known, waba, Relation.CLIENT_NAME)


def _of_account(known: Facts, waba: str, relation: Relation) -> Fact | None:
    """What was said last under either id of an account."""
    return newest(*(known.get(Noun.WABA, one, relation) for one in ids_of_waba(known, waba)))


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a completed field came from."""

    through: str
    """What the event itself tells and the fact starts from: `waba 100000000000101`."""
    evidence: Evidence

    def to_json(self) -> dict[str, Any]:
        """As JSON shows it under the name of the field."""
        return {
            "through": self.through,
            "kind": self.evidence.kind,
            "event_id": self.evidence.event_id,
            "at": iso(self.evidence.at),
        }

    @classmethod
    def from_json(cls, shape: Mapping[str, Any]) -> Origin:
        """The origin whose `to_json` this is."""
        evidence = Evidence(from_iso(shape["at"]), shape["kind"], shape["event_id"])
        return cls(shape["through"], evidence)


@dataclass(frozen=True, slots=True)
class Completed:
    """An event as the rules see it."""

    event: Event
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """By field: `phones`, `phone_name`, `waba`, `waba_360`, `client.id`, `client.name`, `country`;
    what is not here, the event says itself."""


def lacks_something(event: Event) -> bool:
    """Whether the directory could add anything; never to tests and the relay's own events."""
    if event.test or event.source is Source.RELAY:
        return False
    whole = event.phones and event.phone_name and event.client.id and event.client.name
    account = event.waba and event.waba_360 and event.waba != event.waba_360
    return not (whole and account and said_country(event))


def complete(event: Event, known: Facts) -> Completed:
    """The event with number, name, account, client and country where it says none itself.

    What it says is never changed, with two refinements: 360dialog's id of an account gives way
    to Meta's (it stays in `waba_360`), and a country that only followed from the number to the
    client's own. All numbers of an account are filled in, sorted; a client alone tells no number.
    Tests and the relay's own events stay as they are.
    """
    return _Completion(event, known).result() if lacks_something(event) else Completed(event)


class _Completion:
    """One completion under way: each step may use what those before it found."""

    def __init__(self, event: Event, known: Facts) -> None:
        self._said = event
        self._known = known
        self._origins: dict[str, Origin] = {}
        self._phones = event.phones
        self._phone_name = event.phone_name
        self._waba = event.waba
        self._waba_360 = event.waba_360
        self._client_id = event.client.id
        self._client_name = event.client.name
        self._country = event.country

    def result(self) -> Completed:
        self._fill_account()
        self._fill_phones()
        entry = self._entry()
        if entry is not None:
            self._fill_from_number(entry)
        self._fill_client(entry)
        self._fill_country()
        if not self._origins:
            return Completed(self._said)
        event = replace(
            self._said,
            phones=self._phones,
            phone_name=self._phone_name,
            waba=self._waba,
            waba_360=self._waba_360,
            client=Client(self._client_id, self._client_name),
            country=self._country,
        )
        return Completed(event, self._origins)

    def _told(self, name: str, fact: Fact, through: str) -> str:
        """The value of a fact, noted as the origin of a field."""
        self._origins[name] = Origin(through, fact.evidence)
        return fact.value

    def _fill_account(self) -> None:
        """The other id of an account that the event names by one."""
        waba, through = self._waba, f"waba {self._waba}"
        meta = self._known.get(Noun.WABA, waba, Relation.META_ID)
        if meta is not None:
            self._waba_360 = self._waba_360 or waba
            self._waba = self._told("waba", meta, through)
        elif self._waba_360 is None:
            d360 = self._known.get(Noun.WABA, waba, Relation.D360_ID)
            if d360 is not None:
                self._waba_360 = self._told("waba_360", d360, through)

    def _fill_phones(self) -> None:
        if self._phones:
            return
        channel = channel_of(self._said)
        tied = self._known.get(Noun.CHANNEL, channel, Relation.PHONE)
        if tied is not None:
            entry = entry_of(self._known, tied.value, self._said.id)
            if entry.channel is not None and entry.channel.value == channel:
                self._told("phones", tied, f"channel {channel}")
                self._phones = (entry.phone,)
                return
        number_id = number_id_of(self._said)
        tied = self._known.get(Noun.CHANNEL, number_id, Relation.PHONE)
        if tied is not None:
            self._told("phones", tied, f"phone_number_id {number_id}")
            self._phones = (entry_of(self._known, tied.value, self._said.id).phone,)
            return
        if self._waba is None:
            return
        numbers, last = numbers_of(self._known, self._waba, self._said.id)
        if last is not None:
            self._told("phones", last, f"waba {self._waba}")
            self._phones = numbers

    def _entry(self) -> Entry | None:
        """The entry of the event's one number, unless it tells of another account or client."""
        if len(self._phones) != 1:
            return None
        entry = entry_of(self._known, phones.index_key(self._phones[0]), self._said.id)
        client_id = self._said.client.id
        if client_id and entry.client_id and entry.client_id.value != client_id:
            return None
        if entry.waba is None or self._waba is None:
            return entry
        return entry if entry.waba.value in ids_of_waba(self._known, self._waba) else None

    def _fill_from_number(self, entry: Entry) -> None:
        through = f"number {self._phones[0]}"
        if self._phone_name is None and entry.name is not None:
            self._phone_name = self._told("phone_name", entry.name, through)
        if self._waba is None and entry.waba is not None:
            self._waba = self._told("waba", entry.waba, through)
            if entry.waba_360 is not None and self._waba_360 is None:
                self._waba_360 = self._told("waba_360", entry.waba_360, through)

    def _fill_client(self, entry: Entry | None) -> None:
        known, waba = self._known, self._waba
        of_number = f"number {self._phones[0]}" if self._phones else ""
        anybodys = self._client_id is None
        if anybodys:
            owner = client_of_waba(known, waba) if waba else None
            if owner is not None:
                self._client_id = self._told("client.id", owner, f"waba {waba}")
            elif entry is not None and entry.client_id is not None:
                self._client_id = self._told("client.id", entry.client_id, of_number)
        if self._client_name is not None:
            return
        # Of a client that the event names, only its own name counts.
        name = name_of_client(known, self._client_id, waba if anybodys else None)
        through = f"client {self._client_id}" if self._client_id else f"waba {waba}"
        if name is None and entry is not None and anybodys:
            name, through = entry.client_name, of_number
        if name is not None:
            self._client_name = self._told("client.name", name, through)

    def _fill_country(self) -> None:
        if said_country(self._said) is not None:
            return
        of_client = self._known.get(Noun.CLIENT, self._client_id, Relation.COUNTRY)
        if of_client is not None:
            if of_client.value != self._country:
                self._country = self._told("country", of_client, f"client {self._client_id}")
        elif self._country is None and (origin := self._origins.get("phones")):
            numbers = self._phones
            country = self._known.conclude(("country", numbers), lambda: _country_of(numbers))
            if country is not None:
                self._country = country
                self._origins["country"] = Origin(f"number {self._phones[0]}", origin.evidence)


def _country_of(numbers: tuple[str, ...]) -> str | None:
    """The country of all these numbers; None where they have several."""
    countries = {phones.country(number) for number in numbers}
    return countries.pop() if len(countries) == 1 else None
