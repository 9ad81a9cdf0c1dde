"""The built-in message: what is sent when no template can speak, and what every message carries.

Footer and title marks belong to no template, so none can leave them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from relay.events import Event
from relay.messages import Block, Fact, Facts, Message, Paragraph, Text
from relay.messages.facts import emoji, who
from relay.messages.filling import LONGEST_TITLE
from relay.messages.filters import show_moment
from relay.messages.marks import one_line
from relay.phones import display

LATE = timedelta(minutes=15)
"""Messages later than this say so."""
MOST_FIELDS = 40


@dataclass(frozen=True, slots=True)
class Context:
    """All that a message depends on besides its event."""

    rule: str | None
    """The rule by which it is sent."""
    template: str | None
    """The template that the rule names; None: found by kind."""
    timezone: ZoneInfo
    now: datetime
    cause: str
    """`rule`, `default`, `alarm`, `test` or `replay`."""
    destination: str | None = None
    strict: bool = False
    """A missing value raises instead of showing as `[missing: name]`; for checks."""


def fallback(event: Event, context: Context, reason: str | None = None) -> Message:
    """The plain message that needs no template; never raises.

    `reason` says in one line why it stands in another's place. Of the sender's data only the
    names of fields are told.
    """
    said = one_line(reason, 500) if reason else None
    name = who(event)
    title = f"{emoji(event)} {one_line(event.title, 160)}{f': {name}' if name else ''}"
    blocks: list[Block] = []
    if said:
        blocks.append(Paragraph((Text(f"This is the plain message: {said}"),)))
    facts = (Fact(label, (Text(value),)) for label, value in _facts(event) if value)
    blocks.append(Facts(tuple(facts)))
    message = Message(
        title=title,
        blocks=tuple(blocks),
        footer=footer(event, context),
        severity=event.severity,
        direction=event.direction,
        fault=said,
    )
    return marked(message, event, context)


def _facts(event: Event) -> Iterator[tuple[str, str]]:
    client = [part for part in (event.client.name, event.client.id) if part]
    yield "Client", one_line(" / ".join(client), 200)
    yield "Name", one_line(event.phone_name or "", 200)
    yield "Number", ", ".join(display(one_line(phone, 40)) for phone in event.phones[:10])
    account = " / ".join(part for part in (event.waba, event.waba_360) if part)
    yield "Account", one_line(account, 200)
    kind = " / ".join(part for part in (event.kind, event.detail) if part)
    yield "Event", one_line(kind, 200) or "without a name"
    fields = [one_line(str(name), 60) for name in list(event.data)[:MOST_FIELDS]]
    yield "Fields", ", ".join(field for field in fields if field)


def marked(message: Message, event: Event, context: Context) -> Message:
    """The message with what its title must say: test, replay, late."""
    signs = list(_signs(event, context))
    if not signs:
        return message
    title = f"[{', '.join(signs)}] {message.title}"
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1].rstrip() + "…"
    return replace(message, title=title)


def _signs(event: Event, context: Context) -> Iterator[str]:
    if context.cause == "test":
        yield "test"
    if context.cause == "replay":
        yield "replay"
    if event.test:
        yield "Meta's Test button"
    late = context.now - event.late_since
    # A test is sent with a sample, whose time means nothing.
    if late > LATE and context.cause != "test":
        yield f"late: {_rough(late)}"


def _rough(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


def footer(event: Event, context: Context) -> str:
    """When it happened, by which rule, and the short id."""
    at = show_moment(event.late_since, context.timezone)
    when = at if event.occurred_at else f"received {at}"
    return f"{when} · {_by(context)} · {one_line(event.short_id, 40)}"


def _by(context: Context) -> str:
    rule = one_line(context.rule, 120) if context.rule else None
    match context.cause:
        case "rule" | "replay" | "test" if rule:
            return f"rule “{rule}”"
        case "default":
            return "by default: no rule matched"
        case "alarm":
            return "alarm of the relay"
        case "test":
            return f"a test of {one_line(context.destination or 'a template', 60)}"
        case "replay":
            return "a replay"
    return f"by {one_line(context.cause, 40)}"
