"""What is done to one event (route it) and to one delivery (render, send, settle).

The dry run of `explain` is the same code without the last step.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from relay.channels import Channel, Destination, Parcel
from relay.deliveries import (
    Ambiguous,
    Cause,
    Delivery,
    Interrupted,
    Outcome,
    OutOfOrder,
    PartlyRefused,
    Proof,
    Refused,
    Scope,
    Sent,
    State,
    delivery_id,
    outcome_word,
    settle,
)
from relay.errors import UnsendableError
from relay.events import Event, Severity
from relay.journal import EventState, Journal, Routing, Trouble
from relay.messages import Message
from relay.messages.builtin import fallback
from relay.messages.templates import Context, Templates
from relay.rules import Ruleset, Verdict


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


@dataclass(frozen=True, slots=True)
class Owed:
    """One delivery as the dry run shows it."""

    delivery: Delivery
    message: Message
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would become of an event, and why."""

    event: Event
    verdicts: tuple[Verdict, ...]
    routing: Routing
    owed: tuple[Owed, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one try, for the worker's pauses, the metrics and the log."""

    before: Delivery
    after: Delivery
    outcome: Outcome
    duration_ms: int
    recorded: bool
    """False: the claim was lost meanwhile, and nothing was changed."""
    missing: tuple[str, ...] = ()
    fault: str | None = None
    """Why the template failed, if it did."""


def route(event: Event, plan: Plan, now: datetime) -> Routing:
    """What an event is owed to whom: at most one delivery for each target. Pure."""
    match = plan.ruleset.match(event)
    cause = Cause.DEFAULT if match.by_default else Cause.RULE
    deliveries: dict[str, Delivery] = {}
    for choice in match.choices:
        delivery = owe(
            event,
            plan.destinations[choice.destination],
            cause=cause,
            now=now,
            version=plan.version,
            rule=choice.rule,
            template=choice.template,
        )
        deliveries.setdefault(delivery.target, delivery)
    if deliveries:
        state = EventState.ROUTED
    else:
        state = EventState.MUTED if match.matched else EventState.UNMATCHED
    return Routing(state, tuple(deliveries.values()), plan.version, match.muted_by)


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


def compose(delivery: Delivery, event: Event, plan: Plan, now: datetime) -> Message:
    """The message of a delivery: from its template, or the plain one where that was refused."""
    context = Context(
        rule=delivery.rule,
        template=delivery.template,
        timezone=plan.timezone,
        now=now,
        cause=delivery.cause.value,
        destination=delivery.destination,
    )
    if delivery.degraded:
        return fallback(event, context, f"refused by the target: {delivery.reason}")
    return plan.templates.render(event, context=context)


def write(
    delivery: Delivery,
    event: Event,
    destination: Destination,
    channel: Channel,
    message: Message,
    now: datetime,
    *,
    plain: bool = False,
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
            plain=plain or delivery.degraded,
        ),
    )


def explain(
    event: Event, plan: Plan, channels: Mapping[str, Channel], now: datetime
) -> Explanation:
    """Route and render an event without recording or sending anything."""
    routing = route(event, plan, now)
    owed = []
    for delivery in routing.deliveries:
        destination = plan.destinations[delivery.destination]
        message = compose(delivery, event, plan, now)
        channel = channels[delivery.channel]
        owed.append(
            Owed(
                delivery,
                message,
                write(delivery, event, destination, channel, message, now),
            )
        )
    return Explanation(event, plan.ruleset.explain(event), routing, tuple(owed))


async def deliver(
    delivery: Delivery,
    event: Event,
    plan: Plan,
    channels: Mapping[str, Channel],
    journal: Journal,
    *,
    clock: Callable[[], datetime],
    chance: float,
) -> Settled | None:
    """Render, send and settle one claimed delivery; None if the claim was lost before sending.

    A cancellation is recorded as an interruption before it goes on.
    """
    destination = plan.destinations.get(delivery.destination)
    if destination is None or destination.target != delivery.target:
        gone = Interrupted(written=False, reason="its destination was edited")
        return await settle_unsent(delivery, gone, journal, now=clock())
    channel = channels[delivery.channel]
    now = clock()
    message = compose(delivery, event, plan, now)
    payload, message, unsendable = _written(delivery, event, plan, channel, message, now)
    attempt = await journal.open_attempt(delivery, now=now)
    if attempt is None:
        return None
    started = time.monotonic()
    outcome: Outcome
    stopped: asyncio.CancelledError | None = None
    if unsendable is not None:
        outcome = Refused(unsendable)
    else:
        try:
            outcome = await channel.send(destination, payload)
        except asyncio.CancelledError as cancelled:
            outcome, stopped = Interrupted(written=True), cancelled
        except Exception as error:  # a channel must not raise; if it does, nothing is lost by it
            outcome = Ambiguous(f"unforeseen {type(error).__name__} while sending")
    took = int((time.monotonic() - started) * 1000)
    settled = await asyncio.shield(
        _settle(
            delivery,
            outcome,
            journal,
            clock(),
            chance,
            attempt=attempt,
            took=took,
            message=message,
            payload=payload,
            destination=destination,
        )
    )
    if stopped is not None:
        raise stopped
    return settled


def _written(
    delivery: Delivery, event: Event, plan: Plan, channel: Channel, message: Message, now: datetime
) -> tuple[dict[str, Any], Message, str | None]:
    """The payload with its message; the plain message where the channel cannot write the first."""
    destination = plan.destinations[delivery.destination]
    try:
        return write(delivery, event, destination, channel, message, now), message, None
    except UnsendableError as error:
        reason = str(error)
    context = Context(
        rule=delivery.rule,
        template=delivery.template,
        timezone=plan.timezone,
        now=now,
        cause=delivery.cause.value,
        destination=delivery.destination,
    )
    plain = fallback(event, context, reason)
    try:
        payload = write(delivery, event, destination, channel, plain, now, plain=True)
    except UnsendableError as error:
        return {}, plain, str(error)
    return payload, plain, None


async def settle_unsent(
    delivery: Delivery, outcome: Interrupted, journal: Journal, *, now: datetime
) -> Settled:
    """Put a claimed delivery back of which nothing was written."""
    return await _settle(delivery, outcome, journal, now, chance=0.0)


async def _settle(
    delivery: Delivery,
    outcome: Outcome,
    journal: Journal,
    now: datetime,
    chance: float,
    *,
    attempt: int | None = None,
    took: int = 0,
    message: Message | None = None,
    payload: Mapping[str, Any] | None = None,
    destination: Destination | None = None,
) -> Settled:
    after = settle(delivery, outcome, now, chance)
    rendered: dict[str, Any] | None = None
    if message is not None:
        rendered = {"title": message.title, "text": message.text}
        if after.proof is Proof.SANDBOX or after.state is State.DEAD:
            rendered["payload"] = dict(payload or {})
    recorded = await journal.settle(
        delivery,
        after,
        now=now,
        outcome=outcome_word(outcome),
        reason=getattr(outcome, "reason", None),
        attempt=attempt,
        duration_ms=took,
        rendered=rendered,
        trouble=_trouble(delivery, outcome, destination),
        cured=_cured(delivery, outcome),
    )
    return Settled(
        delivery,
        after,
        outcome,
        took,
        recorded,
        missing=message.missing if message else (),
        fault=message.fault if message else None,
    )


def _trouble(
    delivery: Delivery, outcome: Outcome, destination: Destination | None
) -> Trouble | None:
    if not isinstance(outcome, OutOfOrder):
        return None
    key = delivery.account if outcome.scope is Scope.ACCOUNT else delivery.target
    fingerprint = destination.fingerprint if destination else ""
    return Trouble(key, outcome.scope, outcome.reason, fingerprint)


def _cured(delivery: Delivery, outcome: Outcome) -> tuple[str, ...]:
    """A target that took a message works, and so does its account."""
    if isinstance(outcome, Sent | PartlyRefused):
        return (delivery.target, delivery.account)
    return ()
