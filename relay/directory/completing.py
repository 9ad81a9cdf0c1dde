"""An event completed by what the directory knows, with where each addition came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relay import phones
from relay.directory.entries import (
    Entry,
    client_of_waba,
    entry_of,
    ids_of_waba,
    name_of_client,
    numbers_of,
)
from relay.directory.facts import Evidence, Fact, Facts, Noun, Relation
from relay.directory.learning import channel_of, number_id_of, said_country
from relay.events import Client, Event, Source, from_iso, iso


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
