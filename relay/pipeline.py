"""What is done to one event: route it, and write what it is owed; `sending` does the last step.

The dry run of `explain` is the same code without that step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from relay import living, quiet
from relay.channels import Call, Channel, Destination, Mention, Parcel
from relay.deliveries import (
    Cause,
    Delivery,
    Instead,
    State,
    delivery_id,
    hold,
)
from relay.directory import Origin
from relay.errors import (
    UnsendableError,
)
from relay.events import Direction, Event, Severity
from relay.incidents import Updates, View
from relay.journal import EventState, Routing
from relay.messages import READERS, Message
from relay.messages.builtin import fallback, without_override
from relay.messages.languages import DEFAULT
from relay.messages.templates import Context, Templates
from relay.outcomes import Act
from relay.quiet import Silence
from relay.rules import Choice, Match, Ruleset, Verdict
from relay.sources.watch import Watching


@dataclass(frozen=True, slots=True)
class Plan:
    """What is live: one version of rules, destinations and templates, whole and checked."""

    version: int
    ruleset: Ruleset
    destinations: Mapping[str, Destination]
    templates: Templates
    timezone: ZoneInfo
    alarms: tuple[str, ...] = ()
    """Who hears of the relay's own troubles; empty: whoever is the default."""
    default: tuple[str, ...] = ()
    keep: frozenset[str] = field(default_factory=frozenset)
    """Private fields that the operator chose to keep."""
    watching: Watching = field(default_factory=Watching)
    mentions: Mapping[str, Mention] = field(default_factory=dict)
    """By rule: whom its messages call."""


@dataclass(frozen=True, slots=True)
class Owed:
    """One delivery as the dry run shows it."""

    delivery: Delivery
    message: Message
    payload: Mapping[str, Any]
    silence: Silence | None = None
    """What suppresses it."""
    until: datetime | None = None
    """Until when it would be held."""
    calls: tuple[Call, ...] = ()
    """Whom the message calls."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of an event, and why."""

    event: Event
    verdicts: tuple[Verdict, ...]
    routing: Routing
    owed: tuple[Owed, ...]
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where the fields came from that the sender did not say."""


def route(event: Event, plan: Plan, now: datetime) -> Routing:
    """What an event is owed to whom: at most one delivery for each target. Pure."""
    match = plan.ruleset.match(event)
    deliveries = tuple(owe_choice(event, choice, plan, now) for choice in chosen(match, plan))
    if deliveries:
        state = EventState.ROUTED
    else:
        state = EventState.MUTED if match.matched else EventState.UNMATCHED
    return Routing(state, deliveries, plan.version, match.muted_by)


def chosen(match: Match, plan: Plan) -> Iterable[Choice]:
    """The choices that are told: of those with the same target the first alone."""
    if len(match.choices) < 2:
        return match.choices
    first: dict[str, Choice] = {}
    for choice in match.choices:
        first.setdefault(plan.destinations[choice.destination].target, choice)
    return first.values()


def owe_choice(event: Event, choice: Choice, plan: Plan, now: datetime) -> Delivery:
    """The delivery that a choice of the rules, or of the default, makes."""
    return owe(
        event,
        plan.destinations[choice.destination],
        cause=Cause.DEFAULT if choice.rule is None else Cause.RULE,
        now=now,
        version=plan.version,
        rule=choice.rule,
        template=choice.template,
    )


def held_until(name: str, plan: Plan, at: datetime) -> datetime | None:
    """Until when a destination is told nothing that can wait of what is routed at a moment."""
    destination = plan.destinations.get(name)
    if destination is None or (destination.quiet is None and destination.digest is None):
        return None
    return quiet.release(destination.quiet, destination.digest, at, plan.timezone)


def held_back(routing: Routing, event: Event, plan: Plan, now: datetime) -> Routing:
    """A routing with what its destinations are to be told later.

    Never what is critical, what a rule with `always` sends there, or a test.
    """
    until = {
        one.id: at
        for one in routing.deliveries
        if not (one.critical or event.test)
        and (at := held_until(one.destination, plan, now)) is not None
    }
    if not until:
        return routing
    always = {plan.destinations[name].target for name in plan.ruleset.always_tells(event)}
    owed = tuple(
        hold(one, until[one.id]) if one.id in until and one.target not in always else one
        for one in routing.deliveries
    )
    return replace(routing, deliveries=owed)


def route_faulty(event: Event, plan: Plan, now: datetime, fault: str) -> Routing:
    """What becomes of an event that cannot be routed: the default hears of it, in plain words."""
    owed: dict[str, Delivery] = {}
    for name in plan.default:
        destination = plan.destinations[name]
        delivery = owe(event, destination, cause=Cause.DEFAULT, now=now, version=plan.version)
        owed.setdefault(delivery.target, replace(delivery, fault=fault))
    state = EventState.ROUTED if owed else EventState.UNMATCHED
    return Routing(state, tuple(owed.values()), plan.version)


def owe(
    event: Event,
    destination: Destination,
    *,
    cause: Cause,
    now: datetime,
    version: int,
    rule: str | None = None,
    template: str | None = None,
    occasion: str = "",
) -> Delivery:
    """The delivery that an event owes a destination."""
    return Delivery(
        id=delivery_id(event.id, destination.target, occasion),
        event_id=event.id,
        destination=destination.name,
        channel=destination.channel,
        target=destination.target,
        account=destination.account,
        cause=cause,
        due_at=now,
        tried_since=now,
        rule=rule,
        rules_version=version,
        template=template,
        critical=event.severity is Severity.CRITICAL,
        recipients=destination.recipients,
    )


def owe_fallback(
    late: Delivery, event: Event, instead: Instead, to: Destination, plan: Plan, now: datetime
) -> Delivery:
    """What a destination is owed in the place of another one that could not be told in time.

    An event owes a target one such delivery at most, whomever it stands in for. What can wait is
    held there as ever.
    """
    delivery = owe(
        event,
        to,
        cause=Cause.FALLBACK,
        now=now,
        version=plan.version,
        rule=late.rule,
        template=late.template,
        occasion="fallback",
    )
    delivery = replace(delivery, instead=instead, incident=late.incident)
    if delivery.critical or event.test or plan.ruleset.is_always(late.rule):
        return delivery
    until = held_until(to.name, plan, now)
    return delivery if until is None else hold(delivery, until)


@dataclass(frozen=True, slots=True)
class Step:
    """What one attempt does for an incident at a target."""

    act: Act
    view: View
    updates: Updates


def compose(
    delivery: Delivery,
    event: Event,
    plan: Plan,
    now: datetime,
    *,
    quick: bool = False,
    step: Step | None = None,
) -> Message:
    """The message of a delivery: from its template, or the plain one where that was refused.

    With `quick` it raises `SlowError` where it had better be written in a thread.
    """
    context = _context(delivery, plan, now)
    if step is not None:
        event = living.subject(event, step.view, step.act, step.updates)
    if delivery.fault is not None:
        message = fallback(event, context, delivery.fault)
    else:
        message = plan.templates.render(event, context=context, quick=quick)
    voice = context.voice(event)
    if step is not None:
        message = living.told(message, delivery, step.view, step.act, step.updates, voice)
    return living.noticed(message, delivery, voice)


def _context(delivery: Delivery, plan: Plan, now: datetime) -> Context:
    destination = plan.destinations.get(delivery.destination)
    return Context(
        rule=delivery.rule,
        template=delivery.template,
        timezone=plan.timezone,
        now=now,
        cause=delivery.cause,
        destination=delivery.destination,
        language=destination.language if destination is not None else DEFAULT,
        channel=delivery.channel,
        body=destination.body if destination is not None else None,
        audience=destination.audience if destination is not None else READERS,
        is_late=delivery.fell_back_to is not None,
    )


def write(
    delivery: Delivery,
    event: Event,
    destination: Destination,
    channel: Channel,
    message: Message,
    now: datetime,
    *,
    calls: tuple[Call, ...] = (),
    plain: bool = False,
    step: Step | None = None,
    broadcast: bool = False,
) -> dict[str, Any]:
    """Exactly what would be sent; `plain` without structure. Raises `UnsendableError`."""
    number = event.phone or event.waba or event.client.id or event.id
    return channel.payload(
        destination,
        Parcel(
            delivery_id=delivery.id,
            event_id=event.id,
            message=message,
            at=now,
            recipients=delivery.recipients,
            thread=f"{event.topic} {number}",
            event=event,
            cause=Cause.TEST if event.test else delivery.cause,
            calls=calls,
            act=Act.POST if step is None else step.act,
            living={} if step is None else step.view.reference,
            broadcast=broadcast,
            incident=delivery.incident,
            plain=plain or delivery.degraded,
        ),
    )


_CALLING = frozenset({Cause.RULE, Cause.DEFAULT, Cause.ALARM, Cause.FALLBACK})
"""Why a delivery is owed that may call people: tests and replays never do."""


def called(delivery: Delivery, event: Event, plan: Plan) -> tuple[Call, ...]:
    """Whom the message of a delivery calls: whom its rule names there, else its destination."""
    by_rule = plan.mentions.get(delivery.rule or "")
    by_place = plan.destinations[delivery.destination].mention
    if by_rule is None and by_place is None:
        return ()
    if delivery.cause not in _CALLING or event.test:
        return ()
    for mention in filter(None, (by_rule, by_place)):
        there = tuple(call for call in mention.calls if call.channel == delivery.channel)
        if there:
            return there if mention.is_for(event) else ()
    return ()


def explain(
    event: Event,
    plan: Plan,
    channels: Mapping[str, Channel],
    now: datetime,
    silences: Sequence[Silence] = (),
) -> Explanation:
    """Route and render an event without recording or sending anything."""
    routing = held_back(route(event, plan, now), event, plan, now)
    owed = []
    for delivery in routing.deliveries:
        message = compose(delivery, event, plan, now)
        channel = channels[delivery.channel]
        payload, message, _ = written(delivery, event, plan, channel, message, now)
        silence = quiet.covering(silences, event, delivery, now)
        until = delivery.due_at if delivery.state is State.HELD else None
        owed.append(Owed(delivery, message, payload, silence, until, called(delivery, event, plan)))
    return Explanation(event, plan.ruleset.explain(event), routing, tuple(owed))


def written(
    delivery: Delivery,
    event: Event,
    plan: Plan,
    channel: Channel,
    message: Message,
    now: datetime,
    step: Step | None = None,
) -> tuple[dict[str, Any], Message, str | None]:
    """The payload with its message, and why it cannot be sent if it cannot.

    Where the channel cannot write an override, the usual form of the message takes its place;
    where it cannot write that, the plain message.
    """
    destination = plan.destinations[delivery.destination]
    is_edit = step is not None and step.act is Act.EDIT  # an edit calls nobody
    more: dict[str, Any] = {
        "calls": () if is_edit else called(delivery, event, plan),
        "step": step,
        "broadcast": _is_shown_to_all(delivery, event, plan, step),
    }
    try:
        payload = write(delivery, event, destination, channel, message, now, **more)
    except UnsendableError as error:
        reason = str(error)
    else:
        return payload, message, None
    if message.native:
        usual = without_override(message, reason)
        return written(delivery, event, plan, channel, usual, now, step)
    about = event if step is None else living.subject(event, step.view, step.act, step.updates)
    context = _context(delivery, plan, now)
    plain = living.noticed(fallback(about, context, reason), delivery, context.voice(about))
    try:
        payload = write(delivery, event, destination, channel, plain, now, plain=True, **more)
    except UnsendableError as error:
        return {}, plain, str(error)
    return payload, plain, None


def _is_shown_to_all(delivery: Delivery, event: Event, plan: Plan, step: Step | None) -> bool:
    """Whether an answer in a thread is posted as well: what is worse, and what is always told."""
    if step is None or step.act is not Act.REPLY or delivery.cause is Cause.INCIDENT:
        return False
    if event.direction is Direction.WORSE:
        return True
    return plan.ruleset.is_always(delivery.rule)
