"""Values to columns and back, exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from relay.deliveries import Cause, Delivery, Proof, State

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


def _packed(value: Any) -> str:
    """As `packed`; most of these are empty."""
    return packed(value) if value else _EMPTY[type(value)]


_EMPTY: Mapping[type, str] = {tuple: "[]", list: "[]", dict: "{}"}


ENCODERS: Mapping[str, Callable[[Any], Value]] = {
    "channel": str,
    "target": plain,
    "account": plain,
    "due_at": micros,
    "tried_since": micros,
    "template": plain_or_none,
    "state": attrgetter("value"),
    "proof": lambda proof: proof.value if proof else None,
    "fault": plain_or_none,
    "ambiguous": int,
    "recipients": _packed,
    "refused": lambda refused: _packed(dict(refused)),
    "failures": int,
    "losses": int,
    "claim": int,
    "reason": plain_or_none,
    "reference": lambda reference: _packed(dict(reference)),
    "via": plain_or_none,
}
"""How the fields that change are written."""
_FIXED: Mapping[str, Callable[[Any], Value]] = {
    "id": str,
    "event_id": str,
    "destination": plain,
    "cause": attrgetter("value"),
    "rule": plain_or_none,
    "rules_version": int,
    "critical": int,
}
_ALL = tuple((name, ENCODERS.get(name) or _FIXED[name]) for name in DELIVERY_FIELDS)


def delivery_values(delivery: Delivery) -> list[Value]:
    """The columns of a delivery, in the order of `DELIVERY_FIELDS`."""
    return [encoded(getattr(delivery, name)) for name, encoded in _ALL]


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
