"""The built-in message: what is sent when no template can speak, and what every message carries.

Footer and title marks belong to no template, so none can leave them out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from relay.events import Event
from relay.messages import READERS, Block, Fact, Facts, Message, Paragraph, Text
from relay.messages.filling import LONGEST_TITLE
from relay.messages.filters import show_moment
from relay.messages.languages import DEFAULT, Voice
from relay.messages.told import emoji, fields, who
from relay.messages.words import phrase, title
from relay.phones import display
from relay.text import one_line

LATE = timedelta(minutes=15)
"""Messages later than this say so."""


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
    """`rule`, `default`, `alarm`, `test`, `replay`, `incident` or `fallback`."""
    destination: str | None = None
    strict: bool = False
    """A missing value raises instead of showing as `[missing: name]`; for checks."""
    language: str = DEFAULT
    """The language of its destination."""
    channel: str | None = None
    """Whose override is wanted beside the Markdown; None: every channel's, for checks."""
    body: str | None = None
    """The template that writes the JSON of a webhook."""
    audience: tuple[str, ...] = READERS
    """Who reads there, and so which advice is shown."""
    is_late: bool = False
    """It comes so late that somebody else was to be told in its destination's place."""

    def voice(self, event: Event) -> Voice:
        """How a message about that event speaks."""
        return Voice(self.language, self.timezone, self.now, event.late_since)


def fallback(event: Event, context: Context, reason: str | None = None) -> Message:
    """The plain message that needs no template; never raises.

    `reason` says in one line why it stands in another's place. Of the sender's data only the
    names of fields are told.
    """
    language = context.language
    said = one_line(reason, 500) if reason else None
    name = who(event, language)
    what = one_line(title(event.title, language), 160)
    blocks: list[Block] = []
    if said:
        blocks.append(Paragraph((Text(phrase("plain", language, reason=said)),)))
    facts = (Fact(label, (Text(value),)) for label, value in _facts(event, language) if value)
    blocks.append(Facts(tuple(facts)))
    return Message(
        title=signed(f"{emoji(event)} {what}{f': {name}' if name else ''}", event, context),
        blocks=tuple(blocks),
        footer=footer(event, context, context.voice(event)),
        severity=event.severity,
        direction=event.direction,
        fault=said,
        language=language,
    )


def without_override(message: Message, reason: str) -> Message:
    """The message in its usual form, which says in one line why its override is not used."""
    said = one_line(reason, 500)
    told = Paragraph((Text(phrase("override", message.language, reason=said)),))
    return replace(message, native={}, fault=said, blocks=(*message.blocks, told))


def _facts(event: Event, language: str) -> Iterator[tuple[str, str]]:
    client = [part for part in (event.client.name, event.client.id) if part]
    yield phrase("client", language), one_line(" / ".join(client), 200)
    yield phrase("name", language), one_line(event.phone_name or "", 200)
    numbers = ", ".join(display(one_line(phone, 40)) for phone in event.phones[:10])
    yield phrase("number", language), numbers
    account = " / ".join(part for part in (event.waba, event.waba_360) if part)
    yield phrase("account_id", language), one_line(account, 200)
    kind = " / ".join(part for part in (event.kind, event.detail) if part)
    yield phrase("event", language), one_line(kind, 200) or phrase("nameless", language)
    yield phrase("fields", language), fields(event) or ""


def signed(title: str, event: Event, context: Context) -> str:
    """The title with what it must say: test, replay, fallback, late."""
    signs = list(_signs(event, context))
    if not signs:
        return title
    line = f"[{', '.join(signs)}] {title}"
    if len(line) > LONGEST_TITLE:
        line = line[: LONGEST_TITLE - 1].rstrip() + "…"
    return line


def _signs(event: Event, context: Context) -> Iterator[str]:
    language = context.language
    if context.cause == "test":
        yield phrase("test", language)
    if context.cause == "replay":
        yield phrase("replay", language)
    if context.cause == "fallback":
        yield phrase("fallback", language)
    if event.test:
        yield phrase("meta_test", language)
    late = context.now - event.late_since
    # A test is sent with a sample, whose time means nothing.
    if (late > LATE or context.is_late) and context.cause != "test":
        yield phrase("late", language, span=_rough(late, language))


def _rough(span: timedelta, language: str) -> str:
    minutes = max(int(span.total_seconds() // 60), 1)
    if minutes < 120:
        return phrase("minutes", language, count=minutes)
    if minutes < 48 * 60:
        return phrase("hours", language, count=minutes // 60)
    return phrase("days", language, count=minutes // 1440)


def footer(event: Event, context: Context, voice: Voice) -> str:
    """When it happened, by which rule, and the short id."""
    at = show_moment(voice.happened, voice)
    when = at if event.occurred_at else phrase("received", context.language, at=at)
    by = _by(context.cause, context.rule, context.destination, context.language)
    return f"{when} · {by} · {one_line(event.short_id, 40)}"


@lru_cache(maxsize=1024)
def _by(cause: str, rule: str | None, destination: str | None, language: str) -> str:
    match cause:
        case "rule" | "replay" | "test" | "fallback" if rule and (named := one_line(rule, 120)):
            return phrase("by_rule", language, rule=named)
        case "default" | "fallback":
            return phrase("by_default", language)
        case "alarm":
            return phrase("by_alarm", language)
        case "digest":
            return phrase("by_digest", language)
        case "incident":
            return phrase("by_incident", language)
        case "test" if destination:
            return phrase("by_test", language, destination=one_line(destination, 60))
        case "test":
            return phrase("by_template_test", language)
        case "replay":
            return phrase("by_replay", language)
    return phrase("by", language, cause=one_line(cause, 40))
