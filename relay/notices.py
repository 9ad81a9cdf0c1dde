"""What each alarm says: what is wrong, whose, since when, and what helps."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.deliveries import Delivery
from relay.events import Event, Severity, Source
from relay.journal import Alarm, Dead, Trouble
from relay.outcomes import Scope


@dataclass(frozen=True, slots=True)
class Notice:
    """What an alarm says: what is wrong, what it means, what to do."""

    key: str
    """The same trouble has the same key for as long as it lasts."""
    detail: str
    """One word for rules of thumb and templates: `TARGET_OUT_OF_ORDER`."""
    title: str
    text: str = ""
    """What it means and what to do, in one or two sentences."""
    recovered: str = ""
    """The title when it is over: `Recovered: sales works again`."""
    over: str = "It is over."
    """What is said then."""
    severity: Severity = Severity.CRITICAL
    about: str | None = None
    """The target or account that it is about; it is not told through it."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Deliveries that wait, and the event of the oldest."""

    count: int
    since: datetime | None
    event: Event | None

    def __str__(self) -> str:
        many = "1 delivery waits" if self.count == 1 else f"{self.count} deliveries wait"
        since = f" since {_time(self.since)}" if self.since else ""
        if self.count > 1:
            since = f", the oldest{since}" if since else ""
        return f"{many}{since}{f' ({whose(self.event)})' if self.event else ''}."


def whose(event: Event) -> str:
    """Of which client, number and kind an event is, and its id."""
    detail = f"/{event.detail}" if event.detail else ""
    client = " ".join(filter(None, (event.client.name, event.client.id)))
    parts = (event.kind + detail, client, event.phone, event.short_id)
    return ", ".join(part for part in parts if part)


def out_of_order(trouble: Trouble, names: tuple[str, ...], waiting: Waiting | None) -> Notice:
    """The alarm for a target or an account that takes nothing from us."""
    what = "The account of" if trouble.scope is Scope.ACCOUNT else "Destination"
    waits = waiting or "Nothing waits for it yet."
    return Notice(
        key=f"out-of-order:{trouble.key}",
        detail="TARGET_OUT_OF_ORDER",
        title=f"{what} {_listed(names, trouble.key)} is out of order",
        text=(
            f"{trouble.reason}. {waits} None is lost: it is tried again every few minutes, and "
            f"all goes out by itself when it works. {_mend(names)}"
        ),
        about=trouble.key,
    )


def works_again(key: str, names: tuple[str, ...]) -> Notice:
    """The end of the same, when it took a message."""
    works = "works" if len(names) < 2 else "work"
    return Notice(
        key=f"out-of-order:{key}",
        detail="TARGET_OUT_OF_ORDER",
        title=f"{_listed(names, key)} {works} again",
        recovered=f"Recovered: {_listed(names, key)} {works} again",
        over="It took a message. What waited for it is going out now.",
    )


def edited(alarm: Alarm, names: tuple[str, ...]) -> Notice:
    """The end of the same, when its settings were edited and nothing has tried them yet."""
    return Notice(
        key=alarm.key,
        detail="TARGET_OUT_OF_ORDER",
        title=alarm.text,
        over=f"It was edited, and nothing waits for it. {_mend(names)}",
    )


def no_destination(alarm: Alarm) -> Notice:
    """The end of the same, when no destination of the rules leads there any more."""
    return Notice(
        key=alarm.key,
        detail="TARGET_OUT_OF_ORDER",
        title=alarm.text,
        over=(
            "No destination of the rules leads there any more. What waited for it stays parked: "
            "`relay deliveries --state parked` lists it, `relay discard` gives it up."
        ),
    )


def overdue(target: str, names: tuple[str, ...], waiting: Waiting | None = None) -> Notice:
    """The alarm for work that has been due for too long."""
    return Notice(
        key=f"overdue:{target}",
        detail="OVERDUE",
        title=f"Messages for {_listed(names, target)} are late",
        text=f"{waiting or 'Deliveries wait.'} {_listing(names, 'pending')}",
        recovered=f"Recovered: no message for {_listed(names, target)} is late",
        over="What waited there has been sent, or was given up or discarded.",
        about=target,
    )


def dead(dead: Dead, last: Delivery, event: Event | None) -> Notice:
    """The alarm for deliveries that were given up."""
    name = dead.destination
    many = "a message" if dead.count == 1 else f"{dead.count} messages"
    why = (last.reason or "unknown").rstrip(".")
    return Notice(
        key=f"dead:{name}",
        detail="DELIVERY_DEAD",
        title=f"{many.capitalize()} for {name} {'was' if dead.count == 1 else 'were'} given up",
        text=(
            f"{f'{whose(event)}: ' if event else ''}{why}. `relay retry {last.id}` sends it again, "
            f"`relay discard {last.id}` closes it; "
            f"`relay deliveries --state dead --destination {shlex.quote(name)}` lists all of them."
        ),
        about=last.target,
    )


def none_dead(name: str) -> Notice:
    """The end of the same."""
    return Notice(
        key=f"dead:{name}",
        detail="DELIVERY_DEAD",
        title=f"A message for {name} was given up",
        recovered=f"Recovered: no message for {name} is given up any more",
        over="All of them were sent again or discarded.",
    )


def unrouted(count: int, oldest: Event | None) -> Notice:
    """The alarm for events that no rule has seen for too long."""
    first = f" ({whose(oldest)})" if oldest else ""
    since = _time(oldest.received_at) if oldest else ""
    again = oldest.short_id if oldest else "EVENT_ID"
    many = "1 event waits" if count == 1 else f"{count} events wait"
    return Notice(
        key="unrouted",
        detail="EVENTS_UNROUTED",
        title="Events are not being routed",
        text=(
            f"{many} for routing, the oldest since {since}{first}. All are kept. "
            f"`relay explain {again}` says where it would go; the log says what is wrong, and "
            f"a restart routes them again."
        ),
        recovered="Recovered: events are routed again",
        over="No event has waited for routing for more than 15 minutes.",
    )


def unmatched_critical(event: Event) -> Notice:
    """The alarm for a critical event that no rule took."""
    return Notice(
        key=f"unmatched:{event.id}",
        detail="CRITICAL_UNMATCHED",
        title="A critical event was told to nobody",
        text=(
            f"{event.title} ({whose(event)}): no rule matched and there is no default. "
            f"`relay explain {event.short_id}` says why for every rule."
        ),
    )


def withheld_critical(event: Event) -> Notice:
    """The alarm for a critical event that was dropped because private content stood in it."""
    what = event.kind + (f"/{event.detail}" if event.detail else "")
    account = f" of account {event.waba}" if event.waba else ""
    return Notice(
        key=f"withheld:{event.id}",
        detail="CRITICAL_IGNORED",
        title="A critical event was ignored for its private content",
        text=(
            f"{event.title} ({what}){account}: chats or contacts stood in it, so nothing of it was "
            f"kept and nobody was told. Look at the account itself; "
            f"`relay events --state ignored` lists every such event."
        ),
    )


def senders_refused(count: int, now: datetime) -> Notice:
    """The alarm for webhooks without a valid proof."""
    return Notice(
        key="senders-refused",
        detail="SENDERS_REFUSED",
        title="Webhooks are being refused (401)",
        text=(
            f"{count} came without a valid signature or token, the last at {_time(now)}. If "
            f"360dialog or Meta sent them, a secret is wrong here or there, and they will give up "
            f"after some days. The log says why each was refused; `relay connect` prints the "
            f"header to set at 360dialog."
        ),
        recovered="Recovered: no webhook is refused any more",
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
            f"events are answered with 503 until there is room: make some, or keep less by "
            f"`RELAY_RETENTION`."
        ),
        recovered="Recovered: the disk has room again",
        over=f"{free // 1_048_576} MiB are free where the journal stands.",
    )


def nothing_heard(span: timedelta) -> Notice:
    """The alarm for senders that never said anything."""
    return Notice(
        key="silence",
        detail="SILENCE",
        title=f"No event for {_span(span)}",
        text=(
            f"Nothing came from 360dialog or Meta since the relay was started {_span(span)} ago. "
            f"`relay connect` says which webhook URL is set at 360dialog, and how to set it."
        ),
        recovered="Recovered: events come in",
        over="The first one came.",
        severity=Severity.WARNING,
    )


def silence(source: Source, last: datetime, down: timedelta) -> Notice:
    """The alarm for a sender that has not been heard; `down`: so long the relay was not there."""
    who = "360dialog" if source is Source.PARTNER else "Meta"
    away = (
        f" The relay itself was down for {_span(down)} of this time."
        if down >= timedelta(minutes=1)
        else ""
    )
    return Notice(
        key=f"silence:{source.value}",
        detail="SILENCE",
        title=f"No event from {who} any more",
        text=(
            f"The last one came at {_time(last)}.{away} It may be a quiet time, or the webhook URL "
            f"is no longer set: `relay connect` says which one is. `watch: no_events` in "
            f"rules.yaml says after how long this is told."
        ),
        recovered=f"Recovered: events come from {who} again",
        over=f"The last one came at {_time(last)}.",
        severity=Severity.WARNING,
    )


def watch_unset(missing: str) -> Notice:
    """The alarm for a watch that the rules ask for and nobody can do."""
    return Notice(
        key="watch-unset",
        detail="WATCH_UNSET",
        title="The quality of the numbers is not watched",
        text=(
            f"`watch: quality` stands in rules.yaml, but 360dialog cannot be asked: {missing}. "
            f"Until then nobody hears of a quality drop: Meta reports none by itself."
        ),
        recovered="Recovered: the quality of the numbers is watched",
        over="360dialog can be asked.",
    )


def watch_failed(count: int, reason: str) -> Notice:
    """The alarm for 360dialog's list that cannot be read."""
    return Notice(
        key="watch-failed",
        detail="WATCH_FAILED",
        title="360dialog's list of numbers cannot be read",
        text=(
            f"{count} looks in a row failed, the last one so: {reason}. Until it can be read "
            f"nobody hears of a quality drop. `relay watch once --dry-run` tries it again."
        ),
        recovered="Recovered: 360dialog's list of numbers is read again",
        over="What changed meanwhile is told now.",
    )


def no_ratings(numbers: int) -> Notice:
    """The alarm for a list in which no number has a rating."""
    return Notice(
        key="watch-no-ratings",
        detail="WATCH_NO_RATINGS",
        title="360dialog gives no quality ratings",
        text=(
            f"{numbers} numbers were read and none has a rating that the relay knows, so a quality "
            f"drop cannot be seen. Ask 360dialog to give `current_quality_rating` with the "
            f"channels of the Partner API; limits and states are watched all the same."
        ),
        recovered="Recovered: 360dialog gives quality ratings",
        over="Numbers have ratings again.",
        severity=Severity.WARNING,
    )


def registered_elsewhere(registered: str | None, own: str) -> Notice:
    """The alarm for a webhook URL at 360dialog that leads somewhere else."""
    where = registered or "nowhere: no URL is set"
    return Notice(
        key="registered-elsewhere",
        detail="REGISTERED_ELSEWHERE",
        title="360dialog posts its events somewhere else",
        text=(
            f"Registered at 360dialog is {where}; this relay is at {own}. Until that is mended no "
            f"event of 360dialog comes in: `relay connect --url {shlex.quote(own)}` registers it."
        ),
        recovered="Recovered: 360dialog posts its events here",
        over=f"Registered is {own}.",
    )


def rules_refused(where: str) -> Notice:
    """The alarm for files that cannot go live: where they are at fault, and not a word of them."""
    return Notice(
        key="rules-refused",
        detail="RULES_REFUSED",
        title="rules.yaml was refused; the last good rules stay live",
        text=f"The fault is at {where}. Run `relay check` for what it is.",
        recovered="Recovered: rules.yaml is live",
        over="The rules were read again and are live.",
    )


def journal_damaged(faults: Sequence[str]) -> Notice:
    """The alarm for a journal whose file is broken."""
    return Notice(
        key="journal-damaged",
        detail="JOURNAL_DAMAGED",
        title="The journal is damaged",
        text=(
            f"{len(faults)} faults were found, the first: {' '.join(faults[:1])}. What can be read "
            f"is served on. Stop the relay, look with `relay check --journal`, and put the newest "
            f"`relay backup` in its place, as docs/operation.md says."
        ),
        recovered="Recovered: the journal is whole",
        over="Every page of it was read.",
    )


def _span(span: timedelta) -> str:
    """Whole minutes, hours or days of a span of time, the largest unit that tells it."""
    minutes = int(span.total_seconds() // 60)
    for unit, size in (("days", 24 * 60), ("hours", 60)):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}"
    return f"{minutes} minutes" if minutes != 1 else "1 minute"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _listed(names: tuple[str, ...], key: str) -> str:
    return ", ".join(names) or key


def _listing(names: tuple[str, ...], state: str) -> str:
    only = f" --destination {shlex.quote(names[0])}" if len(names) == 1 else ""
    return f"`relay deliveries --state {state}{only}` shows them, and what the target answered."


def _mend(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    return f"`relay send-test {shlex.quote(names[0])}` shows whether it works."
