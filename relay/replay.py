"""Replays: recorded events are told again, by the rules that are live now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from relay import deliveries
from relay.deliveries import Cause, Delivery, State
from relay.errors import UsageError
from relay.events import Event
from relay.journal import Filter, Records
from relay.pipeline import Plan, owe, route
from relay.text import shown

AT_ONCE = 200
"""Events of a page, and deliveries of one transaction: webhooks are recorded between two."""
MOST_LISTED = 100
"""Of a dry run."""
LATELY = 10_000
"""Owed deliveries that are remembered for their twins, which come within minutes."""

Had = Mapping[str, Sequence[Delivery]]
"""What was owed for events and for the twins of these, by the id of the event."""
Place = tuple[str, str]
"""An event's id, and a target."""


@dataclass(slots=True)
class Replay:
    """What a replay owes, and why not more."""

    events: int = 0
    replayed: int = 0
    destinations: Counter[str] = field(default_factory=Counter)
    first: list[tuple[Event, str]] = field(default_factory=list)
    """The first ones, each with the destination that is told."""
    told_before: int = 0
    """Deliveries left out because their targets have the message, or will have it."""
    unheard: int = 0
    """Events of which nobody would be told."""

    def take(self, event: Event, owed: Sequence[Delivery], told_before: int) -> None:
        """Count what one event owes."""
        self.events += 1
        self.replayed += len(owed)
        self.told_before += told_before
        self.unheard += not owed and not told_before
        for one in owed:
            self.destinations[one.destination] += 1
            if len(self.first) < MOST_LISTED:
                self.first.append((event, one.destination))

    def to_json(self, *, dry_run: bool) -> dict[str, Any]:
        """What `POST /api/replay` answers."""
        shape: dict[str, Any] = {
            "dry_run": dry_run,
            "events": self.events,
            "replayed": self.replayed,
            "destinations": dict(self.destinations),
            "told_before": self.told_before,
            "unheard": self.unheard,
        }
        if dry_run:
            shape["first"] = [
                {"event_id": event.id, "kind": event.kind, "destination": destination}
                for event, destination in self.first
            ]
        return shape


def owed_again(
    event: Event,
    had: Had,
    plan: Plan,
    now: datetime,
    *,
    to: str | None = None,
    again: bool = False,
    lately: Collection[Place] = (),
) -> tuple[list[Delivery], int]:
    """What a replay of one event owes, and how many targets have it already. Pure.

    It is owed to whom the rules say, or to one destination. A target that was told, or is about
    to be, is left out unless it is to hear of it `again`. Two replays at the same time owe one
    delivery: its id counts those before. `lately` is what this replay owes already.
    """
    if to is None:
        wanted: Sequence[Delivery] = route(event, plan, now).deliveries
    else:
        destination = plan.destinations[to]
        wanted = [owe(event, destination, cause=Cause.REPLAY, now=now, version=plan.version)]
    owed = []
    for one in wanted:
        if not again and _is_told((event.id, one.target), had, lately):
            continue
        before = [other for other in had.get(event.id, ()) if other.target == one.target]
        count = sum(other.cause is Cause.REPLAY for other in before)
        identity = deliveries.delivery_id(event.id, one.target, f"replay {count}")
        owed.append(replace(one, id=identity, cause=Cause.REPLAY))
    return owed, len(wanted) - len(owed)


def _is_told(place: Place, had: Had, lately: Collection[Place]) -> bool:
    """Whether a target has an event or will have it, by itself or by its twin."""
    if place in lately:
        return True
    event_id, target = place
    for one in had.get(event_id, ()):
        if one.target != target or one.state is State.DEAD:
            continue
        if one.state is not State.SUPPRESSED:
            return True
        twin = deliveries.twin_of(one)
        # A twin that is no longer recorded was finished long ago.
        if twin and (twin not in had or _is_told((twin, target), had, lately)):
            return True
    return False


async def tell(
    records: Records,
    plan: Plan,
    wanted: Filter,
    now: datetime,
    *,
    to: str | None = None,
    again: bool = False,
    record: Callable[[Sequence[Delivery]], Awaitable[object]] | None = None,
) -> Replay:
    """Replay what is recorded now, page by page; without `record` only count it.

    Cut off, it goes on where it was when it is asked for again. Raises `UsageError`, before
    anything is done, for what is not there.
    """
    if to is not None and to not in plan.destinations:
        known = ", ".join(plan.destinations)
        raise UsageError(f'to: there is no destination "{shown(to, 80)}"; there are {known}')
    for name in wanted.ids or ():
        if not await records.places(replace(wanted, ids=(name,))):
            raise UsageError(f"no event that meets the conditions has an id like {shown(name, 40)}")
    places = await records.places(wanted)
    found, lately = Replay(), dict[Place, None]()
    for start in range(0, len(places), AT_ONCE):
        page = await records.past(places[start : start + AT_ONCE])
        events = [one.event for one in page if one.is_complete]
        had = await _had([event.id for event in events], records)
        owed: list[Delivery] = []
        for event in events:
            more, before = owed_again(event, had, plan, now, to=to, again=again, lately=lately)
            found.take(event, more, before)
            owed += more
            lately.update(((one.event_id, one.target), None) for one in more)
        while len(lately) > LATELY:
            del lately[next(iter(lately))]
        if record is not None:
            for begin in range(0, len(owed), AT_ONCE):
                await record(owed[begin : begin + AT_ONCE])
    return found


async def _had(event_ids: Collection[str], records: Records) -> Had:
    """What was owed for some events, for their twins, and for the twins of these."""
    had: dict[str, list[Delivery]] = {}
    asked = set(event_ids)
    while asked:
        found = await records.owed(sorted(asked))
        for one in found:
            had.setdefault(one.event_id, []).append(one)
        asked = {twin for one in found if (twin := deliveries.twin_of(one))} - had.keys() - asked
    return had
