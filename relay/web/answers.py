"""What the API answers, as models: the description at `/api/openapi.json` is made from them.

Nothing else imports them, and a test holds them against real answers. Moments are ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """The JSON of one answer; what does not stand here is not in it."""

    model_config = ConfigDict(extra="forbid")


class Error(Answer):
    """Nothing was done."""

    error: str


class Client(Answer):
    id: str | None
    name: str | None


class Origin(Answer):
    """Where a field came from that the sender did not say."""

    through: str
    kind: str
    event_id: str | None
    at: str


class SaidEvent(Answer):
    """An event, as its sender said it."""

    id: str
    source: str
    kind: str
    detail: str | None
    topic: str
    phone: str | None
    phones: list[str]
    phone_name: str | None
    client: Client
    country: str | None
    waba: str | None
    waba_360: str | None
    severity: str
    direction: str
    title: str
    test: bool
    occurred_at: str | None
    received_at: str
    data: dict[str, Any]


class Event(SaidEvent):
    """A recorded event with what became of it."""

    origins: dict[str, Origin]
    state: str
    reason: str | None
    muted_by: str | None
    rules_version: int | None


class Attempt(Answer):
    """One try; without an outcome it is under way."""

    at: str
    outcome: str | None
    reason: str | None
    duration_ms: int | None


class Instead(Answer):
    """What a fallback stands in for, and why."""

    destination: str
    channel: str
    reason: str
    since: str


class Delivery(Answer):
    """One event owed to one target."""

    id: str
    event_id: str
    destination: str
    channel: str
    rule: str | None
    rules_version: int
    template: str | None
    cause: str
    state: str
    proof: str | None
    degraded: bool
    ambiguous: bool
    recipients: list[str]
    refused: dict[str, str]
    reason: str | None
    due_at: str
    reference: dict[str, str]
    via: str | None
    incident: str | None
    instead: Instead | None
    fell_back_to: str | None
    attempts: list[Attempt]


class EventList(Answer):
    """Newest last."""

    events: list[Event]


class EventWithDeliveries(Event):
    """One event with all that it owed."""

    deliveries: list[Delivery]


class DeliveryList(Answer):
    """Newest last."""

    deliveries: list[Delivery]


class Retried(Answer):
    """So many were put back."""

    retried: int


class Discarded(Answer):
    """So many were given up."""

    discarded: int


class ToldFirst(Answer):
    event_id: str
    kind: str
    destination: str


class Replayed(Answer):
    """What was told again, or would be."""

    dry_run: bool
    events: int
    replayed: int
    destinations: dict[str, int]
    told_before: int
    unheard: int
    first: list[ToldFirst] = []
    """Of a dry run."""


class LastAnswer(Answer):
    at: str
    outcome: str | None
    reason: str | None


class Destination(Answer):
    name: str
    channel: str
    state: Literal["ok", "failing", "parked"]
    reason: str | None
    pending: int
    parked: int
    held: int
    held_until: str | None
    oldest_due_at: str | None
    next_try_at: str | None
    waiting_since: str | None
    last_answer: LastAnswer | None


class Alarm(Answer):
    key: str
    began_at: str
    title: str


class Rules(Answer):
    version: int
    loaded_at: str | None
    ok: bool
    error: str | None
    waits: list[str]


class LowNumber(Answer):
    phone: str | None
    name: str | None
    client: str | None
    quality: str


class Watch(Answer):
    looked_at: str | None
    failed: int
    reason: str | None
    numbers: int
    not_green: list[LowNumber]


class Silence(Answer):
    """What is known and told to nobody until its end."""

    id: str
    phone: str | None
    client: str | None
    kind: str | None
    topic: str | None
    destination: str | None
    also_critical: bool
    why: str
    who: str
    began_at: str
    until: str
    ended_at: str | None
    ended_by: str | None


class CountedSilence(Silence):
    suppressed: int


class SilencedCount(Answer):
    destination: str
    kind: str
    count: int


class SilencedDelivery(Answer):
    delivery_id: str
    event_id: str
    at: str
    destination: str
    kind: str
    detail: str | None
    phone: str | None
    title: str


class ListedSilence(Silence):
    """A silence with what it suppressed."""

    suppressed: int
    counts: list[SilencedCount]
    last: list[SilencedDelivery]


class SilenceList(Answer):
    silences: list[ListedSilence]


class Relay(Answer):
    """One of the relays that share the journal: whether it delivers, and by which rules it goes."""

    name: str
    leads: bool
    version: int
    waits: list[str]


class Status(Answer):
    """Whether anything is wrong."""

    events: dict[str, int]
    deliveries: dict[str, int]
    destinations: list[Destination]
    alarms: list[Alarm]
    silences: list[CountedSilence]
    rules: Rules
    relays: list[Relay]
    sources: dict[str, str | None]
    watch: Watch
    last_event_at: str | None
    refused_webhooks: int
    ignored: dict[str, int]


class Loaded(Answer):
    """What came of reading the files; with 422 they were refused, and what was live stays so."""

    ok: bool
    version: int
    error: str | None
    changed: list[str]
    waits: list[str]
    findings: list[str]


class Reverted(Answer):
    """What going back to a version did."""

    version: int
    written: list[str]
    unwritten: list[str]
    placeholders: bool


class Watched(Answer):
    """What a look at 360dialog's list of numbers recorded."""

    numbers: int
    first: bool
    events: list[SaidEvent]


class Quarantined(Answer):
    """What could not be read, without its body."""

    id: int
    at: str
    route: str | None
    size: int
    sha256: str
    reason: str
    kept: bool


class Looked(Quarantined):
    """The same with its body, where that is kept."""

    body: str | None
    body_base64: str | None


class QuarantineList(Answer):
    """Newest last."""

    quarantine: list[Quarantined]


class Forgotten(Answer):
    """What was erased of a number."""

    erased: dict[str, int]
    unfinished: int
    discarded: int
    in_live_rules: bool
    synced: bool


class Entry(Answer):
    """A number and whose it is."""

    phone: str | None
    name: str | None
    waba: str | None
    waba_360: str | None
    client_id: str | None
    client_name: str | None
    channel_id: str | None
    gone: bool
    kind: str | None
    event_id: str | None
    at: str | None


class DirectoryList(Answer):
    entries: list[Entry]


class Learned(Answer):
    contacts: int
    changed: int
