"""The relay's own troubles, told once when they begin and once when they are over.

An alarm is an event of source `relay` with deliveries of cause `alarm`: it is recorded, rendered
and retried like any other, and goes to every healthy destination of `alarms`, else of `default`,
never through the one that it is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from relay.deliveries import Cause, Delivery, Scope
from relay.events import Direction, Event, Severity, Source, Topic, event_id
from relay.journal import Store
from relay.pipeline import Plan, owe

KIND = "relay_alarm"

log = structlog.get_logger("relay.alarms")


@dataclass(frozen=True, slots=True)
class Notice:
    """What an alarm says: what is wrong, what it means, what to do."""

    key: str
    """The same trouble has the same key for as long as it lasts."""
    detail: str
    """One word for rules of thumb and templates: `TARGET_OUT_OF_ORDER`."""
    title: str
    text: str
    """What it means and what to do, in one or two sentences."""
    over: str = "It is over."
    """What is said when it is over."""
    severity: Severity = Severity.CRITICAL
    about: str | None = None
    """The target or account that it is about; it is not told through it."""


class Alarms:
    """Raises and clears alarms, and says which lanes to wake for them."""

    def __init__(
        self, store: Store, *, clock: Callable[[], datetime], wake: Callable[[list[str]], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._wake = wake

    async def begin(self, notice: Notice, plan: Plan) -> bool:
        """Tell of a trouble; False where it was told before."""
        if notice.key in {alarm.key for alarm in await self._store.records.alarms()}:
            return False
        now = self._clock()
        if not await self._store.journal.raise_alarm(notice.key, notice.title, now=now):
            return False
        log.error("alarm", alarm=notice.key, title=notice.title)
        await self._post(notice, plan, Direction.WORSE, now)
        return True

    async def end(self, notice: Notice, plan: Plan) -> bool:
        """Tell that it is over; False where it was not on."""
        if notice.key not in {alarm.key for alarm in await self._store.records.alarms()}:
            return False
        if not await self._store.journal.clear_alarm(notice.key):
            return False
        log.info("alarm over", alarm=notice.key)
        await self._post(notice, plan, Direction.BETTER, self._clock())
        return True

    async def tell(self, notice: Notice, plan: Plan) -> None:
        """Tell of something that has no end."""
        log.error("alarm", alarm=notice.key, title=notice.title)
        await self._post(notice, plan, Direction.WORSE, self._clock())

    async def _post(self, notice: Notice, plan: Plan, direction: Direction, now: datetime) -> None:
        over = direction is Direction.BETTER
        event = Event(
            id=event_id(f"alarm:{notice.key}:{direction}:{now.isoformat()}"),
            source=Source.RELAY,
            kind=KIND,
            detail=notice.detail,
            topic=Topic.OTHER,
            severity=notice.severity,
            direction=direction,
            title=f"Over: {notice.title}" if over else notice.title,
            received_at=now,
            occurred_at=now,
            data={"text": notice.over if over else notice.text, "over": over},
        )
        ill = {found.key for found in await self._store.records.troubles()}
        if notice.about and not over:
            ill.add(notice.about)
        deliveries: dict[str, Delivery] = {}
        for name in plan.alarms or plan.default:
            destination = plan.destinations[name]
            if ill.isdisjoint((destination.target, destination.account)):
                delivery = owe(event, destination, cause=Cause.ALARM, now=now, version=plan.version)
                deliveries.setdefault(delivery.target, delivery)
        if not deliveries:
            log.error("no healthy destination for an alarm", alarm=notice.key)
        await self._store.journal.post(event, tuple(deliveries.values()), now=now)
        self._wake(list(deliveries))


def out_of_order(key: str, scope: Scope, reason: str, names: tuple[str, ...]) -> Notice:
    """The alarm for a target or an account that takes nothing from us."""
    named = ", ".join(names) or key
    what = "The account of" if scope is Scope.ACCOUNT else "Destination"
    return Notice(
        key=f"out-of-order:{key}",
        detail="TARGET_OUT_OF_ORDER",
        title=f"{what} {named} is out of order",
        text=(
            f"{reason}. Its deliveries wait and none is lost; they go out by themselves as soon "
            f"as it works again. It is tried again every few minutes."
        ),
        over="It works again. What waited for it is going out now.",
        about=key,
    )


def overdue(target: str, names: tuple[str, ...], since: datetime, waiting: int) -> Notice:
    """The alarm for work that has been due for too long."""
    return Notice(
        key=f"overdue:{target}",
        detail="OVERDUE",
        title=f"Messages for {', '.join(names) or target} are late",
        text=(
            f"{waiting} deliveries wait, the oldest since {since:%Y-%m-%d %H:%M} UTC. "
            f"`relay deliveries --state pending` shows what the target answered."
        ),
        over="Nothing is late there any more.",
        about=target,
    )


def dead(destination: str, reason: str, target: str | None = None) -> Notice:
    """The alarm for deliveries that were given up."""
    return Notice(
        key=f"dead:{destination}",
        detail="DELIVERY_DEAD",
        title=f"A message for {destination} was given up",
        text=(
            f"The last reason: {reason}. `relay deliveries --state dead` lists what was given up; "
            f"`relay retry` sends it again, `relay discard` closes it."
        ),
        over="No delivery to it is given up any more.",
        about=target,
    )


def unmatched_critical(event: Event) -> Notice:
    """The alarm for a critical event that no rule took."""
    return Notice(
        key=f"unmatched:{event.id}",
        detail="CRITICAL_UNMATCHED",
        title="A critical event was told to nobody",
        text=(
            f"{event.title} ({event.kind}): no rule matched and there is no default. "
            f"`relay explain {event.short_id}` says why for every rule."
        ),
    )


def withheld_critical(event: Event) -> Notice:
    """The alarm for a critical event that was dropped because private content stood in it."""
    what = event.kind + (f"/{event.detail}" if event.detail else "")
    whose = f" of account {event.waba}" if event.waba else ""
    return Notice(
        key=f"withheld:{event.id}",
        detail="CRITICAL_IGNORED",
        title="A critical event was ignored for its private content",
        text=(
            f"{event.title} ({what}){whose}: chats or contacts stood in it, so nothing of it was "
            f"kept and nobody was told. Look at the account itself; "
            f"`relay events --state ignored` lists every such event."
        ),
    )


def senders_refused(count: int) -> Notice:
    """The alarm for webhooks without a valid proof."""
    return Notice(
        key="senders-refused",
        detail="SENDERS_REFUSED",
        title="Webhooks are being refused (401)",
        text=(
            f"{count} came without a valid signature or token. If 360dialog or Meta sent them, a "
            f"secret is wrong here or there, and they will give up after some days."
        ),
        over="No webhook was refused in the last 15 minutes.",
    )


def disk_low(free: int) -> Notice:
    """The alarm for a disk that is filling up."""
    return Notice(
        key="disk-low",
        detail="DISK_LOW",
        title="The disk is nearly full",
        text=(
            f"{free // 1_048_576} MiB are left where the journal stands. Below the floor new "
            f"events are answered with 503 until there is room."
        ),
        over="There is room again.",
    )


def silence(last: datetime | None) -> Notice:
    """The alarm for senders that have not been heard."""
    since = f"since {last:%Y-%m-%d %H:%M} UTC" if last else "since the relay was started"
    return Notice(
        key="silence",
        detail="SILENCE",
        title="No event for 24 hours",
        text=(
            f"Nothing came from 360dialog or Meta {since}. It may be a quiet day, or the webhook "
            f"URL is no longer set."
        ),
        over="Events come in again.",
        severity=Severity.WARNING,
    )


def rules_refused(error: str) -> Notice:
    """The alarm for a rules file that cannot go live."""
    return Notice(
        key="rules-refused",
        detail="RULES_REFUSED",
        title="rules.yaml was refused; the last good rules stay live",
        text=f"{error}. Run `relay check` for all findings.",
        over="The rules were read again and are live.",
    )
