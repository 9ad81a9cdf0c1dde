"""Payment statuses: the only thing that is taken out of a change with chats.

They are rebuilt from a list of fields that are known to be harmless. The recipient's number and
the message id, which encodes that number, are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relay.sources import privacy

_AMOUNT = ("value", "offset")
_TRANSACTION = ("id", "type", "status", "created_timestamp", "updated_timestamp", "currency")
_LONGEST_TEXT = 500


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment status: as it came, for its key, and what is kept of it."""

    original: Mapping[str, Any]
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Split:
    """The payments of a change, and whether it held more than them."""

    found: tuple[Payment, ...] = ()
    others: bool = False


def split(value: Any) -> Split:
    """The payment statuses of a change's value."""
    if not isinstance(value, Mapping):
        return Split()
    statuses = value.get("statuses")
    if isinstance(statuses, Mapping):
        statuses = [statuses]
    if not isinstance(statuses, list):
        return Split()
    payments = tuple(
        Payment(status, privacy.cleaned(_kept(status, value)))
        for status in statuses
        if _is_payment(status)
    )
    # Contacts beside a status only repeat whom the status is about.
    more = ("messages", "message_echoes", "history", "state_sync", "calls")
    others = len(payments) < len(statuses) or any(
        not privacy.is_nothing(value.get(key)) for key in more
    )
    return Split(payments, others)


def _is_payment(status: Any) -> bool:
    if not isinstance(status, Mapping):
        return False
    said = status.get("type")
    if said is None:
        return isinstance(status.get("payment"), Mapping)
    return isinstance(said, str) and said.strip().lower() == "payment"


def _kept(status: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    payment = _object(status.get("payment"))
    transaction = _object(payment.get("transaction"))
    paid = _only(payment, "reference_id", "currency") | _amount(payment)
    if transaction:
        paid["transaction"] = _only(transaction, *_TRANSACTION) | _amount(transaction)
    kept = _only(status, "status", "timestamp", "type") | {"payment": paid}
    errors = status.get("errors")
    if isinstance(errors, list):
        kept["errors"] = [_only(_object(error), "code", "title") for error in errors]
    metadata = _only(_object(value.get("metadata")), "display_phone_number", "phone_number_id")
    return kept | ({"metadata": metadata} if metadata else {})


def _amount(holder: Mapping[str, Any]) -> dict[str, Any]:
    amount = holder.get("amount")
    if isinstance(amount, Mapping):
        return {"amount": _only(amount, *_AMOUNT)}
    return _only(holder, "amount")


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _only(holder: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The named fields that hold a text, a number or a truth value."""
    found = {name: holder[name] for name in names if name in holder}
    return {
        name: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for name, value in found.items()
        if value is None or isinstance(value, str | int | float)
    }
