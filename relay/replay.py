"""Replays: recorded events are told again, by the rules that are live now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from relay import deliveries
from relay.deliveries import Cause, Delivery, State
from relay.errors import UsageError
from relay.events import Event, Source
from relay.journal import EventState, Filter, Records, Store, StoredDelivery
from relay.pipeline import Plan, owe, route
from relay.text import shown

AT_ONCE = 200
"""Deliveries of one transaction: webhooks are recorded between two of them."""
MOST_LISTED = 100
"""Of a dry run."""
_REPLAYED = frozenset({EventState.ROUTED, EventState.MUTED, EventState.UNMATCHED})


@dataclass(frozen=True, slots=True)
class Replay:
    """What a replay owes, and why not more."""

    events: int
    owed: tuple[tuple[Event, Delivery], ...]
    told_before: int
    """Deliveries left out because their targets have the message, or will have it."""
    unheard: int
    """Events of which nobody would be told."""

    def to_json(self, *, dry_run: bool) -> dict[str, Any]:
        """What `POST /api/replay` answers."""
        shape: dict[str, Any] = {
            "dry_run": dry_run,
            "events": self.events,
            "replayed": len(self.owed),
            "destinations": dict(Counter(one.destination for _, one in self.owed)),
            "told_before": self.told_before,
            "unheard": self.unheard,
        }
        if dry_run:
            shape["first"] = [
                {"event_id": event.id, "kind": event.kind, "destination": one.destination}
                for event, one in self.owed[:MOST_LISTED]
            ]
        return shape


def owed_again(
    event: Event,
    had: Sequence[StoredDelivery],
    plan: Plan,
    now: datetime,
    *,
    to: str | None = None,
    again: bool = False,
) -> tuple[list[Delivery], int]:
    """What a replay of one event owes, and how many targets have it already. Pure.

    It is owed to whom the rules say, or to one destination. A target that was told, or is about
    to be, is left out unless it is to hear of it `again`. Two replays at the same time owe one
    delivery: its id counts those before.
    """
    if to is None:
        wanted: Sequence[Delivery] = route(event, plan, now).deliveries
    else:
        destination = plan.destinations[to]
        wanted = [owe(event, destination, cause=Cause.REPLAY, now=now, version=plan.version)]
    owed = []
    for one in wanted:
        before = [other.delivery for other in had if other.delivery.target == one.target]
        if not again and any(_reaches(other) for other in before):
            continue
        count = sum(other.cause is Cause.REPLAY for other in before)
        identity = deliveries.delivery_id(event.id, one.target, f"replay {count}")
        owed.append(replace(one, id=identity, cause=Cause.REPLAY))
    return owed, len(wanted) - len(owed)


def _reaches(delivery: Delivery) -> bool:
    """Whether its target has it or will have it, by itself or by its twin."""
    if delivery.state is State.SUPPRESSED:
        return not deliveries.is_discarded(delivery)
    return delivery.state is not State.DEAD


async def prepared(
    records: Records,
    plan: Plan,
    wanted: Filter,
    now: datetime,
    *,
    to: str | None = None,
    again: bool = False,
) -> Replay:
    """What a replay of recorded events owes. Raises `UsageError` for what is not there."""
    if to is not None and to not in plan.destinations:
        known = ", ".join(plan.destinations)
        raise UsageError(f'to: there is no destination "{shown(to, 80)}"; there are {known}')
    found = await records.events(wanted)
    for name in wanted.ids or ():
        if not any(one.event.id.startswith(name) for one in found):
            raise UsageError(f"no event that meets the conditions has an id like {shown(name, 40)}")
    events = told = unheard = 0
    owed: list[tuple[Event, Delivery]] = []
    for stored in found:
        if stored.state not in _REPLAYED or stored.event.source is Source.RELAY:
            continue
        events += 1
        had = await records.of_event(stored.event.id)
        more, before = owed_again(stored.event, had, plan, now, to=to, again=again)
        owed += [(stored.event, one) for one in more]
        told += before
        unheard += not more and not before
    return Replay(events, tuple(owed), told, unheard)


async def record(store: Store, replay: Replay, *, now: datetime, who: str) -> None:
    """Owe what a replay found. Cut off, it goes on where it was when it is asked for again."""
    owed = [one for _, one in replay.owed]
    for begin in range(0, len(owed), AT_ONCE):
        await store.journal.owe(owed[begin : begin + AT_ONCE], now=now, who=who)
