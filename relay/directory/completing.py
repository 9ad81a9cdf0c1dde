"""An event completed by what the directory knows, with where each addition came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relay import phones
from relay.directory.entries import (
    Entry,
    Found,
    client_of_waba,
    entry_of,
    ids_of_waba,
    name_of_client,
)
from relay.directory.facts import Evidence, Facts, Noun, Relation, newest
from relay.directory.learning import channel_of, said_country
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


def complete(event: Event, known: Facts) -> Completed:
    """The event with number, name, account, client and country where it says none itself.

    What it says is never changed, with two refinements: 360dialog's id of an account gives way
    to Meta's (it stays in `waba_360`), and a country that only followed from the number to the
    client's own. All numbers of an account are filled in, sorted; a client alone tells no number.
    Tests and the relay's own events stay as they are.
    """
    if event.test or event.source is Source.RELAY:
        return Completed(event)
    return _Completion(event, known).result()


class _Completion:
    """One completion under way: each step may use what those before it found."""

    def __init__(self, event: Event, known: Facts) -> None:
        self._said = event
        self._event = event
        self._known = known
        self._origins: dict[str, Origin] = {}

    def result(self) -> Completed:
        self._fill_account(self._said.waba, f"waba {self._said.waba}")
        self._fill_phones()
        entry = self._entry()
        if entry is not None:
            self._fill_from_number(entry)
        self._fill_client(entry)
        self._fill_country()
        return Completed(self._event, self._origins)

    def _fill(self, name: str, found: Found | None, through: str, **changes: Any) -> None:
        if found is not None:
            self._event = replace(self._event, **changes)
            self._origins[name] = Origin(through, found.evidence)

    def _fill_account(self, waba: str | None, through: str) -> None:
        """The other id of an account that the event names by one."""
        if waba is None:
            return
        said = self._said
        relation = Relation.META_ID if waba == said.waba_360 else None
        for name in (relation,) if relation else (Relation.META_ID, Relation.D360_ID):
            tie = self._known.last(Noun.WABA, waba, name)
            if tie is None or tie.said is None:
                continue
            found = Found(tie.object, tie.said)
            if name is Relation.META_ID:
                if said.waba_360 is None:
                    self._event = replace(self._event, waba_360=waba)
                self._fill("waba", found, through, waba=tie.object)
            elif said.waba_360 is None:
                self._fill("waba_360", found, through, waba_360=tie.object)
            return

    def _fill_phones(self) -> None:
        if self._said.phones:
            return
        channel = channel_of(self._said)
        tie = self._known.last(Noun.CHANNEL, channel, Relation.PHONE)
        if tie is not None and tie.said is not None:
            entry = entry_of(self._known, tie.object, self._said.id)
            if entry.channel is not None and entry.channel.value == channel:
                found = Found(entry.phone, tie.said)
                self._fill("phones", found, f"channel {channel}", phones=(entry.phone,))
                return
        waba = self._event.waba
        if waba is None:
            return
        numbers: list[str] = []
        latest: Evidence | None = None
        for entry in _numbers_of(self._known, waba, self._said.id):
            numbers.append(entry.phone)
            latest = newest(latest, entry.waba.evidence if entry.waba else None)
        if latest is not None:
            found = Found(numbers[0], latest)
            self._fill("phones", found, f"waba {waba}", phones=tuple(sorted(numbers)))

    def _entry(self) -> Entry | None:
        """The entry of the event's number, unless it tells of another account or client."""
        if len(self._event.phones) != 1 and not self._said.phones:
            return None
        assert self._event.phone is not None  # there is one, said or filled in
        entry = entry_of(self._known, phones.index_key(self._event.phone), self._said.id)
        client_id = self._said.client.id
        if client_id and entry.client_id and entry.client_id.value != client_id:
            return None
        if entry.waba is None or self._event.waba is None:
            return entry
        same = entry.waba.value in ids_of_waba(self._known, self._event.waba)
        return entry if same else None

    def _fill_from_number(self, entry: Entry) -> None:
        through = f"number {self._event.phone}"
        if self._said.phone_name is None and entry.name is not None:
            self._fill("phone_name", entry.name, through, phone_name=entry.name.value)
        if self._event.waba is None and entry.waba is not None:
            self._fill("waba", entry.waba, through, waba=entry.waba.value)
            if entry.waba_360 is not None and self._event.waba_360 is None:
                self._fill("waba_360", entry.waba_360, through, waba_360=entry.waba_360.value)

    def _fill_client(self, entry: Entry | None) -> None:
        known, said, waba = self._known, self._said.client, self._event.waba
        if said.id is None:
            owner = client_of_waba(known, waba) if waba else None
            if waba and owner is not None and owner.said is not None:
                self._fill_client_id(Found(owner.object, owner.said), f"waba {waba}")
            elif entry is not None and entry.client_id is not None:
                self._fill_client_id(entry.client_id, f"number {self._event.phone}")
        client = self._event.client
        if client.name is not None:
            return
        # Of a client that the event names, only its own name counts.
        name = name_of_client(known, client.id, waba if said.id is None else None)
        through = f"client {client.id}" if client.id else f"waba {waba}"
        if name is None and entry is not None and said.id is None:
            name, through = entry.client_name, f"number {self._event.phone}"
        if name is not None:
            self._fill("client.name", name, through, client=Client(client.id, name.value))

    def _fill_client_id(self, found: Found, through: str) -> None:
        client = Client(found.value, self._said.client.name)
        self._fill("client.id", found, through, client=client)

    def _fill_country(self) -> None:
        if said_country(self._said) is not None:
            return
        client_id = self._event.client.id
        tie = self._known.last(Noun.CLIENT, client_id, Relation.COUNTRY)
        if tie is not None and tie.said is not None:
            if tie.object != self._event.country:
                found = Found(tie.object, tie.said)
                self._fill("country", found, f"client {client_id}", country=tie.object)
            return
        numbers, origin = self._event.phones, self._origins.get("phones")
        if self._event.country is not None or origin is None:
            return
        country = self._known.conclude(("country", numbers), lambda: _country_of(numbers))
        if country is not None:
            found = Found(country, origin.evidence)
            self._fill("country", found, f"number {self._event.phone}", country=country)


def _country_of(numbers: tuple[str, ...]) -> str | None:
    """The country of all these numbers; None where they have several."""
    countries = {phones.country(number) for number in numbers}
    return countries.pop() if len(countries) == 1 else None


def _numbers_of(known: Facts, waba: str, ignoring: str) -> Iterator[Entry]:
    """The entries of all numbers that an account has now."""
    ids = ids_of_waba(known, waba)
    for key in sorted({key for one in ids for key in known.ever_of(one)}):
        entry = entry_of(known, key, ignoring)
        if entry.waba is not None and entry.waba.value in ids:
            yield entry
