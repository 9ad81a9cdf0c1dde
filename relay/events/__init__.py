"""`Event`: one thing that happened to a client's account, as a frozen value.

The catalogue of kinds (`relay.events.catalogue`) says what each kind and detail means.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class Source(StrEnum):
    """The family that an event belongs to, whoever posted it."""

    PARTNER = "partner"
    """360dialog's Partner API."""
    WABA = "waba"
    """Meta's envelope."""
    WATCH = "watch"
    """Found by asking 360dialog."""
    RELAY = "relay"
    """The relay's own alarms and tests; outside rules and balance."""


class Topic(StrEnum):
    """What an event is about, the same for both families."""

    ONBOARDING = "onboarding"
    QUALITY = "quality"
    LIMIT = "limit"
    NAME = "name"
    TEMPLATE = "template"
    VIOLATION = "violation"
    RESTRICTION = "restriction"
    BAN = "ban"
    REVIEW = "review"
    CANCELLATION = "cancellation"
    BILLING = "billing"
    SECURITY = "security"
    PARTNER = "partner"
    OTHER = "other"


class Severity(StrEnum):
    """How much the subject matters, whichever way it went."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Direction(StrEnum):
    """Which way it went."""

    WORSE = "worse"
    BETTER = "better"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True)
class Client:
    """The partner's client that an event is about; what is not known is None."""

    id: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: a Partner event, one change of a WABA webhook, a payment status.

    Texts come from the senders and from their clients: they are data, never markup.
    """

    id: str
    source: Source
    kind: str
    """The type as the sender spells it: `channel_live`, `account_update`."""
    detail: str | None
    """The sub-event as the sender spells it: `ACCOUNT_VIOLATION`, `REJECTED`."""
    topic: Topic
    severity: Severity
    direction: Direction
    title: str
    """What happened in plain words, without names: "Number is live"."""
    received_at: datetime
    """When the relay took it, in UTC."""
    occurred_at: datetime | None = None
    """The sender's own time in UTC; Partner events have none."""
    phones: tuple[str, ...] = ()
    """Numbers in E.164 with the plus sign, the most telling first."""
    phone_name: str | None = None
    client: Client = Client()
    country: str | None = None
    """ISO 3166 alpha-2 code: the client's, else the number's."""
    waba: str | None = None
    """Meta's id of the WhatsApp Business Account; 360dialog's own where that is all there is."""
    waba_360: str | None = None
    """360dialog's id of the same account (`…WA`)."""
    test: bool = False
    """It came from the Test button of Meta's dashboard."""
    data: Mapping[str, Any] = field(default_factory=dict)
    """The sender's own data (Partner: `data`, WABA: `value`) without private content."""

    @property
    def phone(self) -> str | None:
        """The first of the numbers."""
        return self.phones[0] if self.phones else None

    @property
    def short_id(self) -> str:
        """Enough of the id for a person to find it again."""
        return self.id[:8]

    @property
    def late_since(self) -> datetime:
        """The moment from which lateness counts: when it happened, else when it came."""
        return self.occurred_at or self.received_at

    def to_json(self) -> dict[str, Any]:
        """The shape of an event wherever JSON shows one; every field is always there."""
        return {
            "id": self.id,
            "source": self.source.value,
            "kind": self.kind,
            "detail": self.detail,
            "topic": self.topic.value,
            "phone": self.phone,
            "phones": list(self.phones),
            "phone_name": self.phone_name,
            "client": {"id": self.client.id, "name": self.client.name},
            "country": self.country,
            "waba": self.waba,
            "waba_360": self.waba_360,
            "severity": self.severity.value,
            "direction": self.direction.value,
            "title": self.title,
            "test": self.test,
            "occurred_at": iso(self.occurred_at) if self.occurred_at else None,
            "received_at": iso(self.received_at),
            "data": dict(self.data),
        }

    @classmethod
    def from_json(cls, shape: Mapping[str, Any]) -> Event:
        """The event whose `to_json` this is."""
        occurred_at = shape["occurred_at"]
        return cls(
            id=shape["id"],
            source=Source(shape["source"]),
            kind=shape["kind"],
            detail=shape["detail"],
            topic=Topic(shape["topic"]),
            severity=Severity(shape["severity"]),
            direction=Direction(shape["direction"]),
            title=shape["title"],
            received_at=from_iso(shape["received_at"]),
            occurred_at=from_iso(occurred_at) if occurred_at else None,
            phones=tuple(shape["phones"]),
            phone_name=shape["phone_name"],
            client=Client(**shape["client"]),
            country=shape["country"],
            waba=shape["waba"],
            waba_360=shape.get("waba_360"),
            test=shape["test"],
            data=shape["data"],
        )


def event_id(key: str) -> str:
    """The id that follows from a dedupe key: 20 hex digits, the same wherever it is derived."""
    return hashlib.sha256(key.encode()).hexdigest()[:20]


def iso(moment: datetime) -> str:
    """A moment as JSON and SQL show it: UTC, `Z`, no fraction where there is none."""
    text = moment.astimezone(UTC).isoformat()
    return text.replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The inverse of `iso`."""
    return datetime.fromisoformat(text).astimezone(UTC)
