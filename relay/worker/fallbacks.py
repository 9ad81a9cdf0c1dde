"""Owes the fallback of what is late, and sleeps until the next one is.

Nothing is counted in memory: since when each delivery is due stands in the journal, as does that it
fell back, so that a restart or another relay neither forgets a fallback nor owes it twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from relay import logs
from relay.deliveries import Delivery, Fallback, Instead, State
from relay.events import Event
from relay.journal import Attempt, Late, Store, Trouble
from relay.outcomes import FAULTS
from relay.pipeline import Plan, owe_fallback
from relay.quiet import falls_back_at
from relay.worker.loops import LONGEST_REST


class Fallbacks:
    """Looks at what is unfinished at destinations that have a fallback."""

    def __init__(
        self,
        store: Store,
        *,
        plan: Callable[[], Plan],
        clock: Callable[[], datetime],
        wake: Callable[[Sequence[str]], None],
    ) -> None:
        self._store = store
        self._plan = plan
        self._clock = clock
        self._wake = wake
        self.look_now = asyncio.Event()
        """A delivery was given up, or the rules are others."""

    async def go_round(self) -> None:
        """Owe what is to be owed now, then wait for the next; for ever where there is none."""
        self.look_now.clear()
        rest = await self._look()
        with suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await self.look_now.wait()

    async def _look(self) -> float | None:
        """Seconds until the next look; a minute at most, as the wall clock may be set."""
        plan, now = self._plan(), self._clock()
        fallbacks = {
            name: one.fallback
            for name, one in plan.destinations.items()
            if one.fallback is not None
        }
        if not fallbacks:
            return None
        due: list[Late] = []
        # What is routed from now on falls back after that at the earliest.
        next_at = now + min(one.after for one in fallbacks.values())
        for late in await self._store.records.late(fallbacks):
            after = fallbacks[late.delivery.destination].after
            at = falls_back_at(late.delivery, late.since, after, now)
            if at is not None and at <= now:
                due.append(late)
            elif at is not None:
                next_at = min(next_at, at)
        if due:
            await self._fall_back(due, fallbacks, plan, now)
            return 0.0
        return min((next_at - now) / timedelta(seconds=1), LONGEST_REST)

    async def _fall_back(
        self, due: Sequence[Late], fallbacks: Mapping[str, Fallback], plan: Plan, now: datetime
    ) -> None:
        records = self._store.records
        names = {late.delivery.destination for late in due}
        targets = {name: plan.destinations[name].target for name in names}
        answers = await records.answers(targets, 1)
        troubles = await records.troubles()
        owed: list[tuple[str, Event, Delivery]] = []
        for late in due:
            delivery = late.delivery
            stored = await records.event(delivery.event_id)
            if stored is None:  # retention took it meanwhile
                continue
            to = plan.destinations[fallbacks[delivery.destination].to]
            instead = _why(late, answers[delivery.destination], troubles)
            one = owe_fallback(delivery, stored.event, instead, to, plan, now)
            owed.append((delivery.id, stored.event, one))
            logs.warning(
                "fallback",
                event_id=one.event_id,
                delivery_id=one.id,
                destination=one.destination,
                instead_of=delivery.destination,
                reason=instead.reason,
            )
        self._wake(list(await self._store.journal.fall_back(owed, now=now)))


def _why(late: Late, answers: Sequence[Attempt], troubles: Iterable[Trouble]) -> Instead:
    """Why a delivery is late, and since when: its own reason, or what stands before it."""
    delivery, since = late.delivery, late.since
    reason = delivery.reason or ""
    if delivery.state is State.PARKED:
        keys = (delivery.target, delivery.account)
        ill = [one.since for one in troubles if one.key in keys and one.since is not None]
        since = min(ill, default=since)
    elif not reason and answers and answers[0].outcome in FAULTS:
        reason = answers[0].reason or ""
    return Instead(delivery.destination, delivery.channel, reason, since)
