"""What templates would have to compute of an event: whom it is about, restrictions, sums."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from relay.events import Direction, Event, Severity
from relay.events.catalogue import KINDS
from relay.messages.filters import show_date, show_sum
from relay.messages.languages import DEFAULT, Voice
from relay.messages.words import phrase
from relay.phones import display
from relay.text import boundary, clean, one_line

_ROOM = 60
"""Characters of a name in a title."""
_MOST_FIELDS = 40


def who(event: Event, language: str = DEFAULT) -> str | None:
    """By what people know whom an event is about: a name and the number, else what there is."""
    names = (event.client.name, event.phone_name, None if event.phone else event.client.id)
    several = len(event.phones) > 1
    phone = display(one_line(event.phone, 40)) if event.phone and not several else ""
    if several:
        phone = phrase("numbers", language, count=str(len(event.phones)))
    shown = next((line for name in names if name and (line := one_line(name, 120))), "")
    account = one_line(event.waba or event.waba_360 or "", 60)
    if shown or phone:
        return ", ".join(part for part in (shown, phone) if part)
    return phrase("account", language, id=account) if account else None


def emoji(event: Event) -> str:
    """One sign for how much it matters and which way it went."""
    if event.direction is Direction.BETTER:
        return "✅"
    if event.severity is Severity.CRITICAL:
        return "🚨"
    if event.direction is Direction.WORSE or event.severity is Severity.WARNING:
        return "⚠️"
    return "ℹ️"


def known(event: Event) -> bool:
    """Whether the catalogue knows the kind; of the others only the names of fields are told."""
    return event.kind.lower() in KINDS


def fields(event: Event) -> str | None:
    """The names of what the sender sent; the first ones, if there are very many."""
    names = (one_line(str(name), _ROOM) for name in islice(event.data, _MOST_FIELDS))
    return ", ".join(name for name in names if name) or None


def _first(*texts: str | None) -> str | None:
    """The first text that is there and holds anything to see."""
    for text in texts:
        if text and clean(text):
            return text
    return None


def _name(text: str | None) -> str:
    """A name that a title has room for."""
    name = clean(text or "")
    return name if len(name) <= _ROOM + 5 else name[: boundary(name, _ROOM - 1)] + "…"


def of_number(event: Event, language: str = DEFAULT) -> str | None:
    """Whom an event about a number is about: display name and number, else what there is."""
    if len(event.phones) > 1:
        return of_account(event, language)
    return _of(event, _first(event.phone_name, event.client.name), language)


def of_account(event: Event, language: str = DEFAULT) -> str | None:
    """Whom an event about an account is about: its client, and its number or how many it has."""
    return _of(event, _first(event.client.name, event.phone_name), language)


def _of(event: Event, name: str | None, language: str) -> str | None:
    """Of several numbers none is singled out."""
    said = [_name(name)] if name else []
    if len(event.phones) > 1:
        said = said or [f"WABA {event.waba}"] if event.waba else said
        said.append(phrase("numbers", language, count=str(len(event.phones))))
    elif event.phone:
        said.append(display(event.phone))
    return (
        ", ".join(part for part in said if part)
        or event.client.id
        or (f"WABA {event.waba}" if event.waba else None)
    )


def other_client(event: Event) -> str | None:
    """The client, where `of_number` does not name it."""
    client = _first(event.client.name, event.client.id)
    if client == _first(event.phone_name, event.client.name) or client == of_number(event):
        return None
    return client


def other_waba(event: Event) -> str | None:
    """The account's id, where `of_account` does not name it."""
    named = _first(event.client.name, event.phone_name, event.phone if one_number(event) else None)
    return event.waba if named else None


def one_number(event: Event) -> bool:
    """Whether it is about one number, and not about an account of several."""
    return len(event.phones) == 1


def numbers(event: Event) -> str | None:
    """The numbers of an account that has several."""
    shown_numbers = [display(phone) for phone in event.phones[:10]]
    return ", ".join(shown_numbers) if len(event.phones) > 1 else None


def template(event: Event) -> Mapping[str, Any]:
    """The message template that an event is about, as both families name its parts."""
    data, own = event.data, event.data.get("template")
    own = own if isinstance(own, Mapping) else {}
    reason = data.get("reason") or own.get("rejected_reason")
    return {
        "name": _name(_text(data.get("message_template_name") or own.get("name"))),
        "language": data.get("message_template_language") or own.get("language"),
        "category": data.get("message_template_category") or own.get("category"),
        "reason": None if str(reason).upper() == "NONE" else reason,
    }


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None if value is None else json.dumps(value)


def subject(event: Event, language: str = DEFAULT) -> str | None:
    """The message template and its account."""
    said = (template(event)["name"], of_account(event, language))
    return ", ".join(part for part in said if part) or None


_START = "RESTRICTED_BIZ_INITIATED_MESSAGING"
_ANSWER = "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"
_SENDING = "INITIATED_MESSAGING"
_UTILITY = ("RESTRICTED_UTILITY_TEMPLATES", "RESTRICTED_DIRECT_SEND_UTILITY_TEMPLATES")
_HARMLESS = frozenset(
    {
        *("RESTRICTED_ADD_PHONE_NUMBER_ACTION", "RESTRICTED_BUSINESS_INITIATED_CALLING"),
        "RESTRICTED_USER_INITIATED_CALLING",
        "RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN",
        "RESTRICTED_BIZ_INITIATED_AND_USER_INITIATED_CALLING",
    }
)
_MOST_ROWS = 20


def _rows(event: Event) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What an event says of restrictions, in all the forms in which it was seen."""
    data, violation = event.data, event.data.get("violation_info")
    places = [data.get(name) for name in ("restriction_info", "violation_type", "restriction_type")]
    if isinstance(violation, Mapping):
        places.append(violation.get("violation_type"))
    found = next((place for place in places if place), None)
    for row in found[:_MOST_ROWS] if isinstance(found, list | tuple) else [found]:
        held: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
        kind = row if isinstance(row, str) else held.get("restriction_type")
        if kind:
            yield (_text(kind) or "").upper(), held


def restrictions(event: Event, voice: Voice) -> list[Mapping[str, Any]]:
    """What is blocked: `type`, `until` in words and what `remediation` the sender names."""
    return [
        {
            "type": kind,
            "until": _text(show_date(row.get("expiration") or None, voice, "short")),
            "remediation": row.get("remediation"),
        }
        for kind, row in _rows(event)
        if "RESTRICT" in kind
    ]


def restricted(event: Event, voice: Voice) -> Mapping[str, Any]:
    """What the restrictions come to: `until` when all of them last, or `sending` alone; what
    still `works` (`nothing`, `answers`, `starting`, `other_templates`, `messages`); a `reason`.
    """
    rows = restrictions(event, voice)
    types = {row["type"] for row in rows}
    ends = {row["until"] for row in rows}
    utility = {kind for kind in types if "UTILITY_TEMPLATES" in kind}
    works = None
    if types and types <= {_START, _ANSWER, *_HARMLESS, *_UTILITY}:
        if {_START, _ANSWER} <= types:
            works = "nothing"
        elif types & {_START, _ANSWER}:
            works = "answers" if _START in types else "starting"
        else:
            works = "other_templates" if utility else "messages"
    return {
        "until": ends.pop() if len(ends) == 1 else None,
        "sending": next(
            (row["until"] for row in rows if _SENDING in row["type"] and row["until"]), None
        ),
        "works": works,
        "sends": bool(types & {_START, _ANSWER}),
        "reason": next(
            (kind for kind, _ in reversed([*_rows(event)]) if "RESTRICT" not in kind), None
        ),
    }


_MANAGER = "https://business.facebook.com/wa/manage/home/"


def manager(event: Event) -> str:
    """The address of WhatsApp Manager, of the event's account where its id is known."""
    waba = event.waba or ""
    return f"{_MANAGER}?waba_id={waba}" if waba.isascii() and waba.isdecimal() else _MANAGER


_ARCHIVED_FOR = timedelta(days=28)
"""After so long Meta deletes a template that was archived (template-archival, September 2026)."""


def deleted_on(event: Event, voice: Voice) -> str | None:
    """The day on which a template that was archived is deleted for good."""
    if (event.detail or "").upper() != "ARCHIVED":
        return None
    return _text(show_date(event.late_since + _ARCHIVED_FOR, voice, "day"))


def errors(event: Event) -> list[str]:
    """Errors of the platform, each by its title and code."""
    found = event.data.get("errors")
    rows = [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
    said = [(_text(row.get("title")), _text(row.get("code"))) for row in rows[:_MOST_ROWS]]
    return [f"{title} ({code})" if title and code else title or code or "" for title, code in said]


def amount(event: Event, voice: Voice) -> str | None:
    """The sum of a payment, `EUR 1,234.50`; None where it cannot be read."""
    paid = event.data.get("payment")
    paid = paid if isinstance(paid, Mapping) else event.data
    found = paid.get("amount")
    value, offset = (
        (found.get("value"), found.get("offset")) if isinstance(found, Mapping) else (None, None)
    )
    if type(value) is not int or type(offset) is not int or offset <= 0 or value < 0:
        return None
    said = show_sum(value, offset, voice)
    currency = paid.get("currency")
    return f"{clean(_text(currency) or '')} {said}" if currency else said
