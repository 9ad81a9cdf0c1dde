"""What is done to one claimed delivery: write it, send it once, and record what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from relay import failpoints, incidents, logs
from relay.channels import Channel, Destination
from relay.deliveries import Delivery, State, go_on, readdressed, settle
from relay.errors import (
    JournalBrokenError,
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFullError,
)
from relay.failpoints import Failpoint
from relay.incidents import Living, Updates, View, next_act
from relay.journal import Ask, Claimed, Journal, Settlement, Trouble, Turn
from relay.logs import Seldom
from relay.messages import Message
from relay.messages.templates import SlowError
from relay.outcomes import (
    Ambiguous,
    Gone,
    Interrupted,
    Merged,
    Outcome,
    OutOfOrder,
    Proof,
    Refused,
    Scope,
    Sent,
    outcome_word,
    took,
)
from relay.pipeline import Plan, Step, compose, written

RECORD_AGAIN = 1.0
"""Seconds until an outcome that could not be recorded is tried again."""


_seldom = Seldom()


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try."""

    delivery: Delivery
    """As it was tried: owed to whom its destination names now."""
    outcome: Outcome
    duration_ms: int = 0
    message: Message | None = None
    payload: Mapping[str, Any] | None = None
    destination: Destination | None = None
    began: datetime | None = None
    """When its message was begun; None where it was not."""
    started: float = 0.0
    """When it was handed to its channel, by the monotonic clock; 0 where it was not."""
    step: Step | None = None
    """What it did for an incident."""


async def deliver(
    claimed: Claimed,
    plan: Plan,
    channels: Mapping[str, Channel],
    *,
    clock: Callable[[], datetime],
    threads: Executor | None = None,
) -> Tried:
    """Write and send one claimed delivery, and say what came of it.

    A cancellation is an outcome too. `threads` writes what a template takes long for.
    """
    delivery, event = claimed.delivery, claimed.event
    destination = plan.destinations.get(delivery.destination)
    if destination is None or destination.target != delivery.target:
        return Tried(delivery, Interrupted(written=False, reason="its destination was edited"))
    delivery = readdressed(delivery, destination.recipients)
    step: Step | None = None
    if (view := claimed.incident) is not None:
        act = next_act(destination.updates, delivery, view)
        if act is None:
            return Tried(delivery, _merged(view))
        step = Step(act, view, destination.updates)
    channel = channels[delivery.channel]
    now = clock()
    try:
        message = compose(delivery, event, plan, now, quick=True, step=step)
    except SlowError:  # in a thread, as its template takes long
        loop = asyncio.get_running_loop()
        try:
            slowly = partial(compose, delivery, event, plan, now, step=step)
            message = await loop.run_in_executor(threads, slowly)
        except asyncio.CancelledError:
            return Tried(delivery, Interrupted(written=False))
    payload, message, unsendable = written(delivery, event, plan, channel, message, now, step)
    started = time.monotonic()
    outcome: Outcome
    if unsendable is not None:
        outcome = Refused(unsendable)
    else:
        failpoints.reach(Failpoint.BEFORE_SEND)
        try:
            outcome = await channel.send(destination, payload)
            failpoints.reach(Failpoint.AFTER_SEND)
        except asyncio.CancelledError:
            outcome = Interrupted(written=True)
        except Exception as error:  # a channel must not raise; if it does, nothing is lost by it
            outcome = Ambiguous(f"unforeseen {type(error).__name__} while sending")
    duration = int((time.monotonic() - started) * 1000)
    handed = started if unsendable is None else 0.0
    return Tried(delivery, outcome, duration, message, payload, destination, now, handed, step)


async def record(
    claimed: Claimed,
    tried: Tried,
    journal: Journal,
    *,
    clock: Callable[[], datetime],
    chance: float,
    then: Ask | None = None,
) -> tuple[Delivery, Turn | None]:
    """Settle a claimed delivery by what came of it; the delivery, and what its lane gets next.

    Tried until it is recorded: it may have been sent, so nobody may take it before; the lane
    waits. Raises `JournalBrokenError` and `JournalClosedError` alone.
    """
    now = clock()
    outcome, message = tried.outcome, tried.message
    after, living = _settled(tried, now, chance)
    rendered: dict[str, Any] | None = None
    if message is not None:
        rendered = {"title": message.title, "text": message.text}
        if after.proof is Proof.SANDBOX or after.state is State.DEAD:
            rendered["payload"] = dict(tried.payload or {})
    settlement = Settlement(
        before=claimed.delivery,
        after=after,
        attempt=claimed.attempt,
        outcome=outcome_word(outcome),
        reason=getattr(outcome, "reason", None),
        duration_ms=tried.duration_ms,
        rendered=rendered,
        living=living,
        trouble=_trouble(tried),
        cured=(after.target, after.account) if took(outcome) else (),
    )
    while True:
        try:
            recorded = await journal.settle(settlement, now=now, then=then)
            break
        except (JournalBrokenError, JournalClosedError):
            raise
        except Exception as error:
            _seldom(
                logs.error,
                "a settlement cannot be recorded; it is tried again",
                delivery_id=after.id,
                error=str(error) if isinstance(error, JournalError) else type(error).__name__,
            )
            if not isinstance(error, JournalBusyError | JournalFullError):
                # The message may be what no journal can hold.
                settlement = replace(settlement, rendered=None)
            await asyncio.sleep(RECORD_AGAIN)
    return after, recorded.turn


def _merged(view: View) -> Merged:
    """Another delivery's message tells it: one that was posted with it, or edited since."""
    if not view.posted:
        return Merged("")
    return Merged(view.living, Proof.POSTED if view.posted >= view.place else Proof.EDITED)


def _settled(tried: Tried, now: datetime, chance: float) -> tuple[Delivery, Living | None]:
    """The delivery after a try, and what its target shows of its incident from now on."""
    delivery, outcome, step = tried.delivery, tried.outcome, tried.step
    if step is None or not isinstance(outcome, Sent | Gone):
        return settle(delivery, outcome, now, chance), None
    view = step.view
    if isinstance(outcome, Gone):
        gone = replace(view, posted=0, shown=0, reference={})
        return settle(delivery, outcome, now, chance), _living(delivery, gone)
    done = replace(delivery, acts=(*delivery.acts, step.act))
    shown = incidents.after(step.act, view, outcome.reference, delivery)
    # Where each change is a post of its own, the first is the one that others follow.
    is_news = shown != view and not (step.updates is Updates.POST and view.posted)
    living = _living(delivery, shown) if is_news else None
    if next_act(step.updates, done, shown) is not None:
        return go_on(delivery, step.act, outcome), living
    return settle(done, outcome, now, chance), living


def _living(delivery: Delivery, view: View) -> Living:
    return Living(
        view.incident.id,
        delivery.target,
        view.living or delivery.id,
        view.reference,
        view.posted,
        view.shown,
    )


def _trouble(tried: Tried) -> Trouble | None:
    outcome, delivery = tried.outcome, tried.delivery
    if not isinstance(outcome, OutOfOrder):
        return None
    key = delivery.account if outcome.scope is Scope.ACCOUNT else delivery.target
    fingerprint = tried.destination.fingerprint if tried.destination else ""
    return Trouble(key, outcome.scope, outcome.reason, fingerprint)
