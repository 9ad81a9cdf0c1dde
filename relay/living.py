"""What a message says of more than its event: how long a matter lasts, and what happened so far.

A fallback says for whom it stands in, and why. Whatever stands here comes from the journal at the
moment of sending; the message of an event that is alone is left as it is. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from relay.deliveries import Delivery, Instead
from relay.events import Event
from relay.events.properties import new_value
from relay.incidents import Updates, View
from relay.messages import Block, Bullets, Item, Message, Paragraph, Text
from relay.messages.filters import show_duration, show_moment
from relay.messages.languages import Voice, spell_time
from relay.messages.words import phrase, title
from relay.outcomes import Act
from relay.text import one_line

MINUTE = timedelta(minutes=1)
ROOM = 110
"""Of the title, so that what stands behind it is never cut: Slack shows 150."""


def subject(event: Event, view: View, act: Act, updates: Updates) -> Event:
    """The event that a message is written for: what holds now, unless it tells a change."""
    shows_state = act is Act.EDIT or (act is Act.POST and updates is not Updates.POST)
    return view.history[-1] if shows_state else event


def told(
    message: Message, delivery: Delivery, view: View, act: Act, updates: Updates, voice: Voice
) -> Message:
    """A message with what its incident adds to it."""
    if act is Act.REPLY or view.incident.changes == 1:
        return message
    if updates is Updates.POST:
        return _follow_up(message, view, voice) if view.place > 1 else message
    language = voice.language
    head = one_line(message.title, ROOM, language)
    blocks: list[Block] = [*message.blocks]
    if Act.LOST in delivery.acts:
        blocks.insert(0, _line(phrase("living_lost", language)))
    blocks += [Paragraph((Text(phrase("so_far", language), bold=True),)), _history(view, voice)]
    return replace(message, title=f"{head} · {_how_long(view, voice)}", blocks=tuple(blocks))


def noticed(message: Message, delivery: Delivery, voice: Voice) -> Message:
    """A message that says why it came here, or that somebody else was told meanwhile.

    A form of its own gives way to the usual one, which can say it; JSON that somebody's service
    waits for stays as it is.
    """
    if delivery.instead is not None:
        text = _stands_in(delivery.instead, voice)
    elif name := delivery.fell_back_to:
        text = phrase("told_meanwhile", voice.language, destination=one_line(name, 80))
    else:
        return message
    native = {channel: made for channel, made in message.native.items() if channel == "webhook"}
    return replace(message, native=native, blocks=(_line(text), *message.blocks))


def _stands_in(instead: Instead, voice: Voice) -> str:
    """For whom a fallback stands in, and why: `Slack: … (not_in_channel) since 10:42`."""
    clause, end, _remedy = one_line(instead.reason, 300).partition("): ")
    since = instead.since.astimezone(voice.zone)
    if since.date() == voice.now.astimezone(voice.zone).date():
        at = spell_time(since.hour, since.minute, voice.language)
    else:
        at = show_moment(instead.since, voice, short=True)
    return phrase(
        "stands_in",
        voice.language,
        destination=one_line(instead.destination, 80),
        channel=instead.channel.capitalize(),
        reason=f"{clause}{end[:1]}" or phrase("untried", voice.language),
        at=at,
    )


def _how_long(view: View, voice: Voice) -> str:
    """Since when it is open, or after how long it was over."""
    incident, language = view.incident, voice.language
    lasted = incident.state_at - incident.opened_at
    span = show_duration(lasted, voice, "short") if lasted >= MINUTE else ""
    if incident.closed_at is None:
        at = show_moment(incident.opened_at, voice, short=True)
        said = phrase("open_since", language, at=at)
        return f"{said} ({span})" if span else said
    return phrase("over_after", language, span=span) if span else phrase("over_soon", language)


def _follow_up(message: Message, view: View, voice: Voice) -> Message:
    first = view.first
    said = phrase(
        "follows",
        voice.language,
        title=_what(first, voice),
        at=show_moment(first.late_since, voice),
        id=first.short_id,
    )
    return replace(message, blocks=(*message.blocks, _line(said)))


def _history(view: View, voice: Voice) -> Bullets:
    lines = [
        f"{show_moment(event.late_since, voice, short=True)}: {_what(event, voice)}"
        for event in view.history
    ]
    if earlier := view.incident.changes - len(view.history):
        lines.insert(0, phrase("earlier", voice.language, count=earlier))
    return Bullets(tuple(Item((Text(line),)) for line in lines))


def _what(event: Event, voice: Voice) -> str:
    """The title of an event, with the value that it tells where that is not in it."""
    said = one_line(title(event.title, voice.language), 160)
    value = new_value(event)
    return said if value is None or value[1] in said else f"{said} ({value[1]})"


def _line(text: str) -> Paragraph:
    return Paragraph((Text(text),))
