"""Values to columns and back, exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.deliveries import Cause, Delivery, Instead, State
from relay.directory import Completed, Origin
from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.journal.sql.writing import Connection
from relay.outcomes import Act, Proof

Value = str | int | float | bytes | None
Row = dict[str, Value]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

DELIVERY_FIELDS = (
    "id",
    "event_id",
    "destination",
    "channel",
    "target",
    "account",
    "cause",
    "due_at",
    "tried_since",
    "rule",
    "rules_version",
    "template",
    "critical",
    "state",
    "proof",
    "fault",
    "ambiguous",
    "recipients",
    "refused",
    "failures",
    "losses",
    "claim",
    "reason",
    "reference",
    "via",
    "incident",
    "acts",
    "instead",
    "fell_back_to",
)
DELIVERY_COLUMNS = ", ".join(f"d.{name}" for name in DELIVERY_FIELDS)
"""For a SELECT from `deliveries AS d`, in the order that `to_delivery` reads."""


NUMBERS = "(SELECT CAST(value AS BIGINT) FROM json_each(?))"
"""The numbers of a list in JSON, for `IN`."""


def micros(moment: datetime) -> int:
    """Microseconds since 1970 of an aware datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The inverse of `micros`."""
    return _EPOCH + value * _MICROSECOND


def moment_or_none(value: int | None) -> datetime | None:
    """As `moment`, for a column that may be empty."""
    return None if value is None else moment(value)


def plain(text: str) -> str:
    """A text that both engines can hold: lone surrogates and NUL are written out."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return text.replace("\0", "\\x00") if "\0" in text else text


def plain_or_none(text: str | None) -> str | None:
    """As `plain`, for a column that may be empty."""
    return text if text is None else plain(text)


def folded(text: str | None) -> str | None:
    """A text as it is compared without case."""
    return None if text is None else plain(text.casefold())


def packed(value: Any) -> str:
    """JSON in ASCII: every Python text survives it, lone surrogates and NUL included."""
    return _encode(value)


_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def delivery_values(delivery: Delivery) -> tuple[Value, ...]:
    """The columns of a delivery, in the order of `DELIVERY_FIELDS`."""
    recipients, refused, reference = delivery.recipients, delivery.refused, delivery.reference
    return (
        delivery.id,
        delivery.event_id,
        plain(delivery.destination),
        delivery.channel,
        plain(delivery.target),
        plain(delivery.account),
        delivery.cause,
        micros(delivery.due_at),
        micros(delivery.tried_since),
        plain_or_none(delivery.rule),
        delivery.rules_version,
        plain_or_none(delivery.template),
        delivery.critical,
        delivery.state,
        delivery.proof,
        plain_or_none(delivery.fault),
        delivery.ambiguous,
        packed(recipients) if recipients else "[]",
        packed(dict(refused)) if refused else "{}",
        delivery.failures,
        delivery.losses,
        delivery.claim,
        plain_or_none(delivery.reason),
        packed(dict(reference)) if reference else "{}",
        plain_or_none(delivery.via),
        delivery.incident,
        ",".join(delivery.acts),
        None if delivery.instead is None else _instead_text(delivery.instead),
        plain_or_none(delivery.fell_back_to),
    )


def _instead_text(found: Instead) -> str:
    return packed([found.destination, found.channel, found.reason, micros(found.since)])


def _instead(text: str) -> Instead:
    destination, channel, reason, since = json.loads(text)
    return Instead(destination, channel, reason, moment(since))


def to_delivery(values: Sequence[Any]) -> Delivery:
    """The delivery of a row that was read by `DELIVERY_COLUMNS`; further values are left alone."""
    (
        id_,
        event_id,
        destination,
        channel,
        target,
        account,
        cause,
        due_at,
        tried_since,
        rule,
        rules_version,
        template,
        critical,
        state,
        proof,
        fault,
        ambiguous,
        recipients,
        refused,
        failures,
        losses,
        claim,
        reason,
        reference,
        via,
        incident,
        acts,
        instead,
        fell_back_to,
    ) = values[: len(DELIVERY_FIELDS)]
    return Delivery(
        id=id_,
        event_id=event_id,
        destination=destination,
        channel=channel,
        target=target,
        account=account,
        cause=Cause(cause),
        due_at=moment(due_at),
        tried_since=moment(tried_since),
        rule=rule,
        rules_version=rules_version,
        template=template,
        critical=bool(critical),
        state=State(state),
        proof=Proof(proof) if proof else None,
        fault=fault,
        ambiguous=bool(ambiguous),
        recipients=() if recipients == "[]" else tuple(json.loads(recipients)),
        refused={} if refused == "{}" else json.loads(refused),
        failures=failures,
        losses=losses,
        claim=claim,
        reason=reason,
        reference={} if reference == "{}" else json.loads(reference),
        via=via,
        incident=incident,
        acts=tuple(map(Act, acts.split(","))) if acts else (),
        instead=None if instead is None else _instead(instead),
        fell_back_to=fell_back_to,
    )


COMPLETED = "completed"
"""Where an event has what the directory added to it until version 6, and after an erasure; else
this stands in a column of its own."""


def shape_of(text: str, added: str | None = None) -> dict[str, Any]:
    """The JSON of a stored event, with what was added to it."""
    shape: dict[str, Any] = json.loads(text)
    if added is not None:
        shape[COMPLETED] = json.loads(added)
    return shape


def additions(completed: Completed) -> dict[str, Any]:
    """The JSON of what was added to an event."""
    event = completed.event
    return {
        "phones": list(event.phones),
        "phone_name": event.phone_name,
        "client": {"id": event.client.id, "name": event.client.name},
        "country": event.country,
        "waba": event.waba,
        "waba_360": event.waba_360,
        "origins": {name: origin.to_json() for name, origin in completed.origins.items()},
    }


def event_of(shape: Mapping[str, Any]) -> Event:
    """The event as it was completed when it was routed; before that, as it was said."""
    event = Event.from_json(shape)
    added = shape.get(COMPLETED)
    if not isinstance(added, Mapping):
        return event
    return replace(
        event,
        phones=tuple(added["phones"]),
        phone_name=added["phone_name"],
        client=Client(**added["client"]),
        country=added["country"],
        waba=added["waba"],
        waba_360=added["waba_360"],
    )


def origins_of(text: str, found: str | None) -> dict[str, Origin]:
    """Where the additions came from; `text` and `found` are the columns `json` and `added`."""
    try:
        added = shape_of(text, found).get(COMPLETED)
    except ValueError:
        return {}
    if not isinstance(added, Mapping):
        return {}
    return {name: Origin.from_json(origin) for name, origin in added["origins"].items()}


EVENT_COLUMNS = "e.json, e.added, e.id, e.source, e.kind, e.received_at"
"""For a SELECT from `events AS e`, in the order that `event_of_row` reads."""


def event_of_row(row: Sequence[Any]) -> Event:
    """The event of a row read by `EVENT_COLUMNS`, completed if it was routed.

    Where its JSON cannot be read, the columns say that there is one: it must not stop the others.
    """
    text, added, event_id, source, kind, received_at = row
    try:
        return event_of(shape_of(text, added))
    except Exception:
        return Event(
            id=event_id,
            source=Source(source),
            kind=kind,
            detail=None,
            topic=Topic.OTHER,
            severity=Severity.WARNING,
            direction=Direction.NEUTRAL,
            title="Event that cannot be read any more",
            received_at=moment(received_at),
        )


def completed_event(connection: Connection, event_id: str) -> Event:
    """A stored event as it was completed."""
    row: Any = connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM events AS e WHERE e.id = ?",
        (event_id,),
    ).fetchone()
    return event_of_row(row)
