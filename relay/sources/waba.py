"""Meta's envelope: `{"object", "entry": [{"id", "time", "changes": [{"field", "value"}]}]}`.

Each change is an event of its own: number and account are resolved for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from relay.events import Source
from relay.events.catalogue import detail_of
from relay.sources import Arrival, Reading, facts, payments, privacy
from relay.sources.arrivals import (
    Identity,
    Receipt,
    arrival,
    as_data,
    ignored,
    joined,
    kind_of,
    unreadable_item,
)
from relay.sources.json_body import digest

_OBJECT = "whatsapp_business_account"


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the changes of one entry share."""

    id: str | None
    time: datetime | None

    @property
    def test(self) -> bool:
        """The Test button of Meta's dashboard sends `"0"`."""
        return self.id == "0"


def is_waba(item: dict[str, Any]) -> bool:
    """Whether the object has the shape of Meta's envelope."""
    return isinstance(item.get("entry"), list)


def read(item: dict[str, Any], receipt: Receipt) -> Reading:
    """The events of one envelope; a part that cannot be read costs the others nothing."""
    said = item.get("object")
    if said is not None and (not isinstance(said, str) or said.strip().lower() != _OBJECT):
        return unreadable_item(f"the envelope's object is not {_OBJECT}", item)
    return joined([_entry(entry, receipt) for entry in item["entry"]])


def _entry(entry: Any, receipt: Receipt) -> Reading:
    if not isinstance(entry, dict):
        return unreadable_item("an entry is not an object", entry)
    changes = entry.get("changes")
    if not isinstance(changes, list):
        return unreadable_item("an entry has no list of changes", entry)
    shared = _Entry(facts.id_of(entry.get("id")), facts.moment(entry.get("time")))
    return joined([_change(change, shared, receipt) for change in changes])


def _change(change: Any, entry: _Entry, receipt: Receipt) -> Reading:
    if not isinstance(change, dict):
        return unreadable_item("a change is not an object", change)
    kind = kind_of(change.get("field"))
    if kind is None:
        return unreadable_item("a change has no field", change)
    value = change.get("value")
    paid = payments.split(value)
    if paid.found:
        events = tuple(_payment(payment, entry, receipt) for payment in paid.found)
        rest = _ignored(kind, as_data(value), entry, receipt).ignored if paid.others else ()
        return Reading(arrivals=events, ignored=rest)
    whole = as_data(value)
    if privacy.is_private_kind(kind) or privacy.is_private_value(whole):
        return _ignored(kind, whole, entry, receipt)
    data = privacy.cleaned(whole, receipt.keep)
    return Reading(
        arrivals=(_arrival(kind, data, entry, entry.time, receipt, digest(kind, value)),)
    )


def _ignored(kind: str, data: dict[str, Any], entry: _Entry, receipt: Receipt) -> Reading:
    key = _key(entry, entry.time, digest(kind, data))
    return ignored(
        receipt,
        key,
        Source.WABA,
        kind,
        data,
        waba=entry.id,
        occurred_at=entry.time,
        test=entry.test,
    )


def _key(entry: _Entry, time: datetime | None, content: str) -> str:
    return f"waba:{digest(entry.id, time.timestamp() if time else None, content)}"


def _payment(payment: payments.Payment, entry: _Entry, receipt: Receipt) -> Arrival:
    time = facts.moment(payment.original.get("timestamp")) or entry.time
    content = digest("payment", payment.original)
    return _arrival("payment", payment.data, entry, time, receipt, content)


def _arrival(
    kind: str,
    data: dict[str, Any],
    entry: _Entry,
    time: datetime | None,
    receipt: Receipt,
    content: str,
) -> Arrival:
    detail = detail_of(kind, data)
    return arrival(
        receipt,
        Identity(_key(entry, time, content), time is not None, content),
        Source.WABA,
        kind,
        detail,
        facts.of_waba(kind, detail, data, entry.id),
        data,
        {"id": entry.id, "field": kind, "value": data},
        occurred_at=time,
        test=entry.test,
    )
