"""Values to columns and back, exactly."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.deliveries import Cause, Delivery, Proof, State
from relay.events import Direction, Event, Severity, Source, Topic
from relay.journal.sqlite.completion import event_of, shape_of

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
)
DELIVERY_COLUMNS = ", ".join(f"d.{name}" for name in DELIVERY_FIELDS)
"""For a SELECT from `deliveries AS d`, in the order that `to_delivery` reads."""


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
    """A text that SQLite can hold: lone surrogates are written out."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def plain_or_none(text: str | None) -> str | None:
    """As `plain`, for a column that may be empty."""
    return None if text is None else plain(text)


def folded(text: str | None) -> str | None:
    """A text as it is compared without case."""
    return None if text is None else plain(text.casefold())


def packed(value: Any) -> str:
    """JSON in ASCII: every Python text survives it, lone surrogates and NUL included."""
    return json.dumps(value, separators=(",", ":"))


def delivery_row(delivery: Delivery) -> Row:
    """The columns of a delivery, by name."""
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "destination": plain(delivery.destination),
        "channel": delivery.channel,
        "target": plain(delivery.target),
        "account": plain(delivery.account),
        "cause": delivery.cause.value,
        "due_at": micros(delivery.due_at),
        "tried_since": micros(delivery.tried_since),
        "rule": plain_or_none(delivery.rule),
        "rules_version": delivery.rules_version,
        "template": plain_or_none(delivery.template),
        "critical": int(delivery.critical),
        "state": delivery.state.value,
        "proof": delivery.proof.value if delivery.proof else None,
        "fault": plain_or_none(delivery.fault),
        "ambiguous": int(delivery.ambiguous),
        "recipients": packed(delivery.recipients),
        "refused": packed(dict(delivery.refused)),
        "failures": delivery.failures,
        "losses": delivery.losses,
        "claim": delivery.claim,
        "reason": plain_or_none(delivery.reason),
        "reference": packed(dict(delivery.reference)),
        "via": plain_or_none(delivery.via),
    }


def to_delivery(values: tuple[Any, ...]) -> Delivery:
    """The delivery of a row that was read by `DELIVERY_COLUMNS`; further values are left alone."""
    row: Mapping[str, Any] = dict(zip(DELIVERY_FIELDS, values, strict=False))
    return Delivery(
        id=row["id"],
        event_id=row["event_id"],
        destination=row["destination"],
        channel=row["channel"],
        target=row["target"],
        account=row["account"],
        cause=Cause(row["cause"]),
        due_at=moment(row["due_at"]),
        tried_since=moment(row["tried_since"]),
        rule=row["rule"],
        rules_version=row["rules_version"],
        template=row["template"],
        critical=bool(row["critical"]),
        state=State(row["state"]),
        proof=Proof(row["proof"]) if row["proof"] else None,
        fault=row["fault"],
        ambiguous=bool(row["ambiguous"]),
        recipients=tuple(json.loads(row["recipients"])),
        refused=json.loads(row["refused"]),
        failures=row["failures"],
        losses=row["losses"],
        claim=row["claim"],
        reason=row["reason"],
        reference=json.loads(row["reference"]),
        via=row["via"],
    )


def event_of_row(row: tuple[Any, ...]) -> Event:
    """The event of a row `(json, id, source, kind, received_at)`, completed if it was routed.

    Where its JSON cannot be read, the columns say that there is one: it must not stop the others.
    """
    text, event_id, source, kind, received_at = row
    try:
        return event_of(shape_of(text))
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
