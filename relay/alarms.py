"""The relay's own troubles, told once when they begin and once when they are over.

An alarm is an event of source `relay` with deliveries of cause `alarm`: it is recorded, rendered
and retried like any other, and goes to every healthy destination of `alarms`, else of `default`,
never through the one that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from relay import logs
from relay.deliveries import Cause, Delivery
from relay.events import Direction, Event, Source, Topic, event_id
from relay.journal import Filter, Store
from relay.notices import Notice
from relay.pipeline import Plan, owe

KIND = "relay_alarm"
FLAPS = 3
"""A trouble that begins so often within `DAMPED` is told once in that time from then on."""
DAMPED = timedelta(hours=1)
_MOST_TOLD = 1_000


class Alarms:
    """Raises and clears alarms, and says which lanes to wake for them."""

    def __init__(
        self, store: Store, *, clock: Callable[[], datetime], wake: Callable[[list[str]], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake
        self._damped = True
        """Something may be damped: it is so, or was not looked up yet since the start."""

    async def begin(self, notice: Notice, plan: Plan) -> bool:
        """Tell of a trouble; False where it was told before."""
        if notice.key in {alarm.key for alarm in await self._store.records.alarms()}:
            return False
        now = self._clock()
        logs.error("alarm", alarm=notice.key, title=notice.title)
        # Told before it is remembered: one that could not be told is told at the next look.
        await self._change(notice, plan, Direction.WORSE, now)
        return await self._store.journal.raise_alarm(notice.key, notice.title, now=now)

    async def end(self, notice: Notice, plan: Plan) -> bool:
        """Tell that it is over; False where it was not on."""
        if notice.key not in {alarm.key for alarm in await self._store.records.alarms()}:
            return False
        logs.info("alarm over", alarm=notice.key)
        await self._change(notice, plan, Direction.BETTER, self._clock())
        return await self._store.journal.clear_alarm(notice.key)

    async def tell(self, notice: Notice, plan: Plan) -> None:
        """Tell of something that has no end."""
        logs.error("alarm", alarm=notice.key, title=notice.title)
        await self._post(notice, plan, Direction.WORSE, self._clock())

    async def sum_up(self, plan: Plan) -> None:
        """Tell what has come of troubles that flap, an hour after the last word of each."""
        if not self._damped:
            return
        now = self._clock()
        self._damped = False
        for key, past in (await self._past(now, 2 * DAMPED)).items():
            last = past[-1]
            if not last.data.get("damped"):
                continue
            told = [event for event in past if not event.data.get("damped")]
            if told and now - told[-1].received_at < DAMPED:
                self._damped = True
                continue
            times = sum(event.direction is Direction.WORSE for event in past if event not in told)
            text = f"{last.data['text']} Since the last message it began {times} times."
            notice = Notice(
                key,
                last.detail or "",
                last.title,
                text,
                recovered=last.title,
                over=text,
                severity=last.severity,
                about=last.data.get("about"),
            )
            await self._post(notice, plan, last.direction, now)

    async def _change(
        self, notice: Notice, plan: Plan, direction: Direction, now: datetime
    ) -> None:
        """Tell of a beginning or an end; of one that flaps it is recorded, and summed up later."""
        past = (await self._past(now, DAMPED)).get(notice.key, [])
        directions = [*(event.direction for event in past), direction]
        begun = directions.count(Direction.WORSE)
        if begun < FLAPS:
            await self._post(notice, plan, direction, now)
        elif begun == FLAPS and direction is Direction.WORSE:
            often = (
                f"This is the {FLAPS}rd time within an hour: from now on it is told once an hour."
            )
            await self._post(replace(notice, text=f"{notice.text} {often}"), plan, direction, now)
        else:
            self._damped = True
            await self._post(notice, plan, direction, now, damped=True)

    async def _past(self, now: datetime, span: timedelta) -> dict[str, list[Event]]:
        """What was told or damped of late, oldest first, by the key of its trouble."""
        asked = Filter(kind=KIND, since=now - span, limit=_MOST_TOLD)
        found: dict[str, list[Event]] = {}
        for stored in await self._store.records.events(asked):
            found.setdefault(str(stored.event.data.get("key")), []).append(stored.event)
        return found

    async def _post(
        self,
        notice: Notice,
        plan: Plan,
        direction: Direction,
        now: datetime,
        *,
        damped: bool = False,
    ) -> None:
        over = direction is Direction.BETTER
        event = Event(
            id=event_id(f"alarm:{notice.key}:{direction}:{now.isoformat()}"),
            source=Source.RELAY,
            kind=KIND,
            detail=notice.detail,
            topic=Topic.OTHER,
            severity=notice.severity,
            direction=direction,
            title=(notice.recovered or f"Over: {notice.title}") if over else notice.title,
            received_at=now,
            occurred_at=now,
            data={
                "text": notice.over if over else notice.text,
                "over": over,
                "key": notice.key,
                "about": notice.about,
                "damped": damped,
            },
        )
        ill = {found.key for found in await self._store.records.troubles()}
        if notice.about and not over:
            ill.add(notice.about)
        deliveries: dict[str, Delivery] = {}
        for name in () if damped else plan.alarms or plan.default:
            destination = plan.destinations[name]
            if ill.isdisjoint((destination.target, destination.account)):
                delivery = owe(event, destination, cause=Cause.ALARM, now=now, version=plan.version)
                deliveries.setdefault(delivery.target, delivery)
        if not (deliveries or damped):
            logs.error("no healthy destination for an alarm", alarm=notice.key)
        await self._store.journal.post(event, tuple(deliveries.values()), now=now)
        self._wake(list(deliveries))
