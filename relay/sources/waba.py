"""Meta's envelope: `{"object", "entry": [{"id", "time", "changes": [{"field", "value"}]}]}`.

Each change is an event of its own: number and account are resolved for each. Of a change with
chats only payment statuses are taken out. They are rebuilt from fields that are known to be
harmless: the recipient's number and the message id, which encodes that number, are not.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from relay.events import Source
from relay.events.catalogue import detail_of
from relay.sources import (
    Arrival,
    Identity,
    Items,
    Receipt,
    arrival,
    as_data,
    facts,
    ignored,
    kind_of,
    privacy,
    unreadable_item,
)
from relay.sources.json_body import digest

_OBJECT = "whatsapp_business_account"
_CHATS = ("messages", "message_echoes", "history", "state_sync", "calls")
"""Beside payment statuses; contacts there only repeat whom the status is about."""
_TRANSACTION = ("id", "type", "status", "created_timestamp", "updated_timestamp", "currency")
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class _Entry:
    """What the changes of one entry share."""

    id: str | None
    time: datetime | None

    def identity(self, kind: str, time: datetime | None, content: str) -> Identity:
        """Of one change; the Test button of Meta's dashboard sends the id `"0"`."""
        key = digest(self.id, time.timestamp() if time else None, content)
        return Identity(
            f"waba:{key}", time is not None, content, Source.WABA, kind, time, self.id == "0"
        )


def is_waba(item: dict[str, Any]) -> bool:
    """Whether the object has the shape of Meta's envelope."""
    return isinstance(item.get("entry"), list)


def read(item: dict[str, Any], receipt: Receipt) -> Items:
    """The events of one envelope; a part that cannot be read costs the others nothing."""
    said = item.get("object")
    if said is not None and (not isinstance(said, str) or said.strip().lower() != _OBJECT):
        yield unreadable_item(f"the envelope's object is not {_OBJECT}", item)
        return
    for entry in item["entry"]:
        if not isinstance(entry, dict):
            yield unreadable_item("an entry is not an object", entry)
        elif not isinstance(changes := entry.get("changes"), list):
            yield unreadable_item("an entry has no list of changes", entry)
        else:
            shared = _Entry(facts.id_of(entry.get("id")), facts.moment(entry.get("time")))
            for change in changes:
                yield from _change(change, shared, receipt)


def _change(change: Any, entry: _Entry, receipt: Receipt) -> Items:
    if not isinstance(change, dict):
        yield unreadable_item("a change is not an object", change)
        return
    kind = kind_of(change.get("field"))
    if kind is None:
        yield unreadable_item("a change has no field", change)
        return
    value = change.get("value")
    data = as_data(value)
    statuses = _statuses(data)
    payments = [status for status in statuses if _is_payment(status)]
    if payments:
        for status in payments:
            yield _payment(status, data, entry, receipt)
        others = len(payments) < len(statuses)
        if others or not all(privacy.is_nothing(data.get(key)) for key in _CHATS):
            identity = entry.identity(kind, entry.time, digest(kind, data))
            yield ignored(receipt, identity, data, entry.id)
        return
    if privacy.is_private_kind(kind) and (errors := _lone_errors(data)) is not None:
        identity = entry.identity("message_errors", entry.time, digest("message_errors", errors))
        yield _arrival(identity, errors, entry, receipt)
        return
    content = receipt.content(kind, value)
    identity = entry.identity(kind, entry.time, content)
    if privacy.is_private(kind, data):
        yield ignored(receipt, identity, data, entry.id)
        return
    if identity.occurred_at is None and (said := facts.moment(data.get("timestamp"))):
        identity = replace(identity, occurred_at=said)
    yield _arrival(identity, receipt.kept(kind, data), entry, receipt)


def _arrival(identity: Identity, data: dict[str, Any], entry: _Entry, receipt: Receipt) -> Arrival:
    detail = detail_of(identity.kind, data)
    found = facts.of_waba(identity.kind, detail, data, entry.id)
    raw = {"id": entry.id, "field": identity.kind, "value": data}
    return arrival(receipt, identity, detail, found, data, raw)


def _statuses(data: dict[str, Any]) -> list[Any]:
    statuses = data.get("statuses")
    if isinstance(statuses, dict):
        return [statuses]
    return statuses if isinstance(statuses, list) else []


def _is_payment(status: Any) -> bool:
    if not isinstance(status, dict):
        return False
    said = status.get("type")
    if said is None:
        return isinstance(status.get("payment"), dict)
    return isinstance(said, str) and said.strip().lower() == "payment"


def _payment(
    status: dict[str, Any], value: dict[str, Any], entry: _Entry, receipt: Receipt
) -> Arrival:
    time = facts.moment(status.get("timestamp")) or entry.time
    identity = entry.identity("payment", time, digest("payment", status))
    payment = _object(status.get("payment"))
    transaction = _object(payment.get("transaction"))
    paid = _only(payment, "reference_id", "currency") | _amount(payment)
    if transaction:
        paid["transaction"] = _only(transaction, *_TRANSACTION) | _amount(transaction)
    data = _only(status, "status", "timestamp", "type") | {"payment": paid}
    errors = status.get("errors")
    if isinstance(errors, list):
        data["errors"] = [_only(_object(error), "code", "title") for error in errors]
    metadata = _only(_object(value.get("metadata")), "display_phone_number", "phone_number_id")
    if metadata:
        data["metadata"] = metadata
    privacy.clean(data)
    return _arrival(identity, data, entry, receipt)


def _lone_errors(data: dict[str, Any]) -> dict[str, Any] | None:
    """Errors of the platform in a change that holds no chat, by their codes; else None.

    They stand in `value.errors`, beside the number alone; those of a chat stand in its messages.
    """
    errors = data.get("errors")
    chats = (*_CHATS, "statuses", "contacts")
    if not isinstance(errors, list) or not all(privacy.is_nothing(data.get(key)) for key in chats):
        return None
    told = [only for error in errors if (only := _only(_object(error), "code", "title"))]
    found: dict[str, Any] = {"errors": told} if told else {}
    metadata = _only(_object(data.get("metadata")), "display_phone_number", "phone_number_id")
    if found and metadata:
        found["metadata"] = metadata
    return found or None


def _amount(holder: dict[str, Any]) -> dict[str, Any]:
    amount = holder.get("amount")
    if isinstance(amount, dict):
        return {"amount": _only(amount, "value", "offset")}
    return _only(holder, "amount")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _only(holder: dict[str, Any], *names: str) -> dict[str, Any]:
    """The named fields that hold a text, a number or a truth value."""
    found = {name: holder[name] for name in names if name in holder}
    return {
        name: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in found.items()
        if value is None or isinstance(value, str | int | float)
    }
