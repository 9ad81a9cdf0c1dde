"""Values to columns and back, exactly."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.deliveries import Cause, Delivery, State
from relay.outcomes import Proof

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
    return text if text is None or text.isascii() else plain(text)


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
    )


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
    )
