"""What people will see: the exact payload of each channel, for sample events.

Nothing is routed and nothing is sent: the destinations are made up, the payloads are those that
`relay.pipeline` writes, and a page shows them side by side as the clients do. It is one file with a
table of contents that loads nothing.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from markupsafe import Markup

from relay import samples
from relay.channels import Destination, Outbound
from relay.channels.drawing import Sketch, drawn
from relay.channels.email import preview as mail
from relay.channels.registry import CHANNELS, open_channels
from relay.channels.slack import preview as slack
from relay.channels.teams import preview as teams
from relay.channels.webhook import preview as webhook
from relay.deliveries import Cause
from relay.events import Event
from relay.messages import Message
from relay.messages.languages import DEFAULT
from relay.messages.templates import Templates
from relay.messages.words import title as title_in
from relay.pipeline import Plan, compose, owe, written
from relay.rules import Ruleset

RECEIVED = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""When the samples came, so that a preview of the same templates is always the same."""
RULE = "Your rule"
"""What the footer names."""

_SKETCHES: Mapping[str, Sketch] = {
    "slack": slack.SKETCH,
    "teams": teams.SKETCH,
    "email": mail.SKETCH,
    "webhook": webhook.SKETCH,
}
CHANNEL_NAMES = tuple(_SKETCHES)
"""In the order in which they are shown."""
FOR_PEOPLE = CHANNEL_NAMES[:3]
"""Those that people read; JSON is shown to those who ask for it."""
# Styles stand in the page and in the mails; nothing may be loaded, run, framed or posted.
SCRIPT = """
const box = document.getElementById("search");
box.addEventListener("input", () => {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const group of document.querySelectorAll("nav tbody")) {
    let some = false;
    for (const row of group.querySelectorAll("tr[data-of]")) {
      const text = (row.textContent + " " + group.rows[0].textContent).toLowerCase();
      const found = words.every(word => text.includes(word));
      row.hidden = !found;
      document.getElementById(row.dataset.of).hidden = !found;
      some ||= found;
    }
    group.hidden = !some;
  }
});
"""
"""Finds a kind by typing; without scripts the page shows all of them."""
_HASH = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
POLICY = (
    f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'; "
    "img-src data:; base-uri 'none'; form-action 'none'"
)


@dataclass(frozen=True, slots=True)
class Written:
    """What one channel would send."""

    channel: str
    message: Message
    payload: Mapping[str, Any]
    made_by: str | None = None
    """The file of the template or override; None for the built-in message."""
    problem: str | None = None
    """Why the channel cannot write it at all; the payload is empty then."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One event in all channels that were asked for."""

    name: str
    """Of the sample."""
    event: Event
    at: datetime
    """When it is told, in the time zone of the messages."""
    written: tuple[Written, ...]

    @property
    def title(self) -> str:
        """What happened, in the language of the messages."""
        languages = [written.message.language for written in self.written]
        return title_in(self.event.title, languages[0] if languages else DEFAULT)

    @property
    def made_by(self) -> tuple[str, ...]:
        """What made the messages, each once."""
        made = (written.made_by or "the built-in message" for written in self.written)
        return tuple(dict.fromkeys(made))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What failed, and what the templates missed."""
        said = [written.message.fault for written in self.written]
        missing = (", ".join(written.message.missing) for written in self.written)
        said += [f"missing here: {names}" for names in missing if names]
        return tuple(dict.fromkeys(filter(None, said)))


def destination(channel: str, language: str) -> Destination:
    """A made-up destination of a channel, by the same settings as in `rules.yaml`."""
    kind, sketch = CHANNELS[channel], _SKETCHES[channel]
    account = kind.account.model_validate(sketch.account) if kind.account else None
    settings = kind.destination.model_validate(sketch.settings)
    built = kind.build(channel, settings, account, None, Outbound())
    return replace(built, language=language)


def events(name: str) -> Iterator[Event]:
    """The events of a bundled sample, as they stand in March 2026. Raises `UsageError`."""
    yield from samples.events_in(samples.find(name), RECEIVED)


def preview(
    name: str,
    event: Event,
    templates: Templates,
    timezone: ZoneInfo,
    *,
    channels: Collection[str] = FOR_PEOPLE,
    language: str = "en",
    template: str | None = None,
) -> Preview:
    """What each channel would send for an event.

    `template` is the one that a rule would name, or the body that a webhook would.
    """
    places = {channel: destination(channel, language) for channel in CHANNEL_NAMES}
    body = templates.body(template, language) if template else None
    if body is not None:
        places["webhook"], template = replace(places["webhook"], body=template), None
    plan = Plan(0, Ruleset(()), places, templates, timezone)
    now = event.late_since
    writers = open_channels(Outbound())
    shown = []
    for channel, place in places.items():
        if channel not in channels:
            continue
        delivery = owe(
            event, place, cause=Cause.RULE, now=now, version=0, rule=RULE, template=template
        )
        message = compose(delivery, event, plan, now)
        payload, message, problem = written(delivery, event, plan, writers[channel], message, now)
        made_by = message.template
        if channel in message.native and channel == "webhook":
            made_by = body
        elif channel in message.native:
            made_by = templates.overrides(event, template, language)[channel]
        shown.append(Written(channel, message, payload, made_by, problem))
    return Preview(name, event, now.astimezone(timezone), tuple(shown))


def page(previews: Sequence[Preview], *, title: str, about: str = "") -> str:
    """The whole document. The same previews give the same page."""
    anchors = _anchors(preview.name for preview in previews)
    shown = [(one, anchor, one.made_by) for one, anchor in zip(previews, anchors, strict=True)]
    topics: dict[str, list[tuple[Preview, str, tuple[str, ...]]]] = {}
    for row in shown:
        topics.setdefault(row[0].event.topic.value, []).append(row)
    return drawn(
        "preview/page.html.j2",
        title=title,
        about=about,
        policy=POLICY,
        titles={name: sketch.title for name, sketch in _SKETCHES.items()},
        draw=_draw,
        shown=shown,
        topics=list(topics.items()),
        script=Markup(SCRIPT),  # noqa: S704  our own
    )


def single(channel: str, payload: Mapping[str, Any], at: datetime) -> str:
    """One message alone, as its channel draws it, in a document of its own; `at` is its time."""
    sketch = _SKETCHES[channel]
    return drawn(
        "preview/single.html.j2",
        title=sketch.title,
        policy=POLICY,
        message=sketch.draw(payload, f"{at:%H:%M}"),
    )


def _draw(one: Preview, written: Written) -> Markup:
    return _SKETCHES[written.channel].draw(written.payload, f"{one.at:%H:%M}")


def _anchors(names: Iterable[str]) -> list[str]:
    """One for each name, all different."""
    taken: dict[str, int] = {}
    anchors = []
    for name in names:
        bare = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "event"
        taken[bare] = taken.get(bare, 0) + 1
        anchors.append(bare if taken[bare] == 1 else f"{bare}--{taken[bare]}")
    return anchors
