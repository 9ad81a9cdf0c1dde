"""Everything that `relay check` knows beyond what loading finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from relay import samples
from relay.channels import Channel, Destination, Outbound
from relay.channels.registry import open_channels
from relay.deliveries import Cause
from relay.errors import Fault
from relay.events import Event
from relay.messages import Message
from relay.messages.compiling import BODY
from relay.messages.languages import DEFAULT, family
from relay.messages.templates import SUFFIX, Context
from relay.pipeline import Plan, compose, owe, written

FALLBACK_SAMPLE = "channel_live"
NO_CHANNEL = ""


def check(plan: Plan, folder: str) -> tuple[Fault, ...]:
    """What is wrong with a plan that could be loaded; `folder` names its templates' place."""
    channels = open_channels(Outbound(allow_private=True))
    checker = _Checker(plan, folder, channels, own=plan.templates.own)
    checker.render_all()
    return tuple(sorted({*checker.faults(), *_languages(plan, folder), *_bodies(plan, folder)}))


@dataclass(slots=True)
class _Checker:
    """Renders what can be met, and remembers what was said of which file with which samples."""

    plan: Plan
    folder: str
    channels: Mapping[str, Channel]
    said: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)
    own: frozenset[str] = frozenset()
    """The files that are not as they were shipped."""

    def render_all(self) -> None:
        """Every sample in every language; every rule's own template with what the rule takes."""
        now = datetime.now(UTC)
        events = {name: samples.event(name, now) for name in samples.names()}
        languages = dict.fromkeys([DEFAULT, *self.plan.templates.languages])
        languages |= dict.fromkeys(place.language for place in self.plan.destinations.values())
        for language in languages:
            for name, event in events.items():
                self.render(name, event, None, language)
        own = {rule.name: rule.template for rule in self.plan.ruleset.rules if rule.template}
        for name, event in events.items():
            matched = self.plan.ruleset.match(event).matched
            for template in dict.fromkeys(own[rule] for rule in matched if rule in own):
                for language in languages:
                    self.render(name, event, template, language)
        for file in self.plan.templates.texts:
            if file.endswith(SUFFIX) and file not in self.met:
                stem = file.rpartition("/")[2].removesuffix(SUFFIX)
                name = _sample_for(stem, events)
                self.render(name, events[name], stem, file.rpartition("/")[0] or DEFAULT)
        for place in self.plan.destinations.values():
            made_by = place.body and self.plan.templates.body(place.body, place.language)
            for name, event in events.items() if made_by else ():
                self.render_body(name, event, place, made_by or "")

    def render_body(self, name: str, event: Event, place: Destination, file: str) -> None:
        """One sample as the JSON that a webhook's own template makes of it."""
        now = event.late_since
        context = Context(
            rule="check",
            template=None,
            timezone=self.plan.timezone,
            now=now,
            cause=Cause.RULE.value,
            language=place.language,
            channel=place.channel,
            body=place.body,
        )
        blank = Message("", (), "", event.severity, event.direction)
        self.note(self.plan.templates.with_body(blank, event, context), file, name)

    def render(self, name: str, event: Event, template: str | None, language: str) -> None:
        """One sample, as Markdown and in every override; and as each channel writes it."""
        templates = self.plan.templates
        file = templates.choose(event, template, language)
        if file is None:
            return
        self.met.add(file)
        files = {NO_CHANNEL: file, **templates.overrides(event, template, language)}
        if not self.own.intersection(files.values()):
            return  # shipped as they are, and tried when the relay was built
        for channel, made_by in files.items():
            context = Context(
                rule="check",
                template=template,
                timezone=self.plan.timezone,
                now=event.late_since,
                cause=Cause.RULE.value,
                language=language,
                channel=channel,
            )
            self.note(templates.render(event, context=context), made_by, name)
        for place in self._places(language):
            self.note(self._written(event, place, template), files.get(place.channel, file), name)

    def _places(self, language: str) -> Iterator[Destination]:
        """One destination of each channel and audience that speaks that language.

        Those with a body of their own are rendered by it, for every sample.
        """
        spoken = (one for one in self.plan.destinations.values() if one.language == language)
        places = (one for one in spoken if one.body is None)
        yield from {(place.channel, place.audience): place for place in places}.values()

    def _written(self, event: Event, place: Destination, template: str | None) -> Message:
        now = event.late_since
        delivery = owe(
            event, place, cause=Cause.RULE, now=now, version=0, rule="check", template=template
        )
        message = compose(delivery, event, self.plan, now)
        channel = self.channels[place.channel]
        return written(delivery, event, self.plan, channel, message, now)[1]

    def note(self, message: Message, file: str, name: str) -> None:
        if message.fault:
            self.said.setdefault((file, "error", message.fault), []).append(name)
        for missing in dict.fromkeys(message.missing):
            text = f"no {missing}; it will show as [missing: {missing}]"
            self.said.setdefault((file, "warning", text), []).append(name)

    def faults(self) -> Iterator[Fault]:
        for (file, level, text), names in self.said.items():
            first, *others = dict.fromkeys(names)
            more = f" (and {len(others)} more)" if others else ""
            place = f"{self.folder}/{file}"
            if level == "error":
                yield Fault(place, 1, 1, "error", f"rendered with {first}{more}: {text}")
            else:
                has = "have" if others else "has"
                yield Fault(place, 1, 1, "warning", f"{first}{more} {has} {text}")


def _languages(plan: Plan, folder: str) -> Iterator[Fault]:
    """Destinations that are written to in a language that there are no templates in."""
    for place in plan.destinations.values():
        codes = family(place.language)
        if codes[-1] != DEFAULT and not set(codes) & set(plan.templates.languages):
            text = (
                f"there are no templates in this language, for the destination {place.name}: it "
                f"gets those of {folder}"
            )
            yield Fault(f"{folder}/{codes[-1]}", 1, 1, "warning", text)
    for rule in plan.ruleset.rules:
        for name in rule.may_tell if rule.template else ():
            language = plan.destinations[name].language
            if rule.template and not plan.templates.has(rule.template, language):
                text = (
                    f'the rule "{rule.name}" sends the template {rule.template} to {name} in '
                    f"{language}: there is no {rule.template}{SUFFIX} in {language} or beside it"
                )
                yield Fault(folder, 1, 1, "error", text)


def _bodies(plan: Plan, folder: str) -> Iterator[Fault]:
    """Webhooks whose template is not there."""
    for place in plan.destinations.values():
        if place.body and plan.templates.body(place.body, place.language) is None:
            name = place.body.removesuffix(BODY.suffix)
            text = f"the destination {place.name} wants {name}{BODY.suffix}: there is none"
            yield Fault(folder, 1, 1, "error", text)


def _sample_for(template: str, events: Mapping[str, Event]) -> str:
    """The name of a sample that a template is for."""
    stem = template.lower()
    by_kind = {name.lower().replace("/", "."): name for name in events}
    if stem in by_kind:
        return by_kind[stem]
    for name, event in events.items():
        if stem in (event.kind.lower(), event.topic.value):
            return name
    return FALLBACK_SAMPLE
