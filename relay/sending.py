"""What is done to one claimed delivery: write it, send it once, and record what came of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from relay import failpoints, logs
from relay.channels import Channel, Destination
from relay.deliveries import (
    Ambiguous,
    Delivery,
    Interrupted,
    Lost,
    Outcome,
    OutOfOrder,
    Proof,
    Refused,
    Scope,
    State,
    outcome_word,
    readdressed,
    settle,
    took,
)
from relay.errors import (
    JournalBrokenError,
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFullError,
)
from relay.events import Event
from relay.failpoints import Failpoint
from relay.journal import Journal, Trouble
from relay.logs import Seldom
from relay.messages import Message
from relay.pipeline import Plan, compose, written

RECORD_AGAIN = 1.0
"""Seconds until an outcome that could not be recorded is tried again."""


_seldom = Seldom()


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


async def deliver(
    delivery: Delivery,
    event: Event,
    plan: Plan,
    channels: Mapping[str, Channel],
    journal: Journal,
    *,
    clock: Callable[[], datetime],
    chance: float,
    threads: Executor | None = None,
    moved: Callable[[], timedelta] = timedelta,
) -> Settled | None:
    """Render, send and settle one claimed delivery; None if the claim was lost before sending.

    A cancellation is recorded as an interruption before it goes on. `threads` writes the message;
    `moved` says how far the wall clock has been set so far, so that setting it during the send
    does not count as time in which the target failed.
    """
    destination = plan.destinations.get(delivery.destination)
    if destination is None or destination.target != delivery.target:
        gone = Interrupted(written=False, reason="its destination was edited")
        return await settle_unsent(delivery, gone, journal, now=clock())
    delivery = readdressed(delivery, destination.recipients)
    channel = channels[delivery.channel]
    now = clock()
    moved_before = moved()
    loop = asyncio.get_running_loop()
    try:
        # In a thread: a template may compute for as long as its budget lasts.
        payload, message, unsendable = await loop.run_in_executor(
            threads, _prepared, delivery, event, plan, channel, now
        )
        attempt = await journal.open_attempt(delivery, now=now)
    except asyncio.CancelledError:
        stopped_early = Interrupted(written=False)
        await asyncio.shield(settle_unsent(delivery, stopped_early, journal, now=clock()))
        raise
    except (JournalBrokenError, JournalClosedError):
        raise
    except JournalError as error:
        # What cannot be recorded is not sent.
        await settle_unsent(
            delivery, Interrupted(written=False, reason=str(error)), journal, now=clock()
        )
        raise
    if attempt is None:
        return None
    started = time.monotonic()
    outcome: Outcome
    stopped: asyncio.CancelledError | None = None
    if unsendable is not None:
        outcome = Refused(unsendable)
    else:
        failpoints.reach(Failpoint.BEFORE_SEND)
        try:
            outcome = await channel.send(destination, payload)
            failpoints.reach(Failpoint.AFTER_SEND)
        except asyncio.CancelledError as cancelled:
            outcome, stopped = Interrupted(written=True), cancelled
        except Exception as error:  # a channel must not raise; if it does, nothing is lost by it
            outcome = Ambiguous(f"unforeseen {type(error).__name__} while sending")
    took = int((time.monotonic() - started) * 1000)
    delivery = replace(delivery, tried_since=delivery.tried_since + moved() - moved_before)
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
    failpoints.reach(Failpoint.AFTER_SETTLE)
    if stopped is not None:
        raise stopped
    return settled


def _prepared(
    delivery: Delivery, event: Event, plan: Plan, channel: Channel, now: datetime
) -> tuple[dict[str, Any], Message, str | None]:
    message = compose(delivery, event, plan, now)
    return written(delivery, event, plan, channel, message, now)


async def settle_unsent(
    delivery: Delivery, outcome: Interrupted | Lost, journal: Journal, *, now: datetime
) -> Settled:
    """Put a claimed delivery back of which nothing was written, or nobody knows what."""
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
    while True:
        try:
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
            break
        except (JournalBrokenError, JournalClosedError):
            raise
        except Exception as error:
            # It may have been sent, so nobody may take it before this is recorded: the lane waits.
            _seldom(
                logs.error,
                "a settlement cannot be recorded; it is tried again",
                delivery_id=delivery.id,
                error=str(error) if isinstance(error, JournalError) else type(error).__name__,
            )
            if not isinstance(error, JournalBusyError | JournalFullError):
                rendered = None  # the message may be what no journal can hold
            await asyncio.sleep(RECORD_AGAIN)
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
    if took(outcome):
        return (delivery.target, delivery.account)
    return ()
