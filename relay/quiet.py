"""What is not told now, or told to another: silences, quiet hours, digests, fallbacks.

A silence is no rule: rules with `always` are covered by it as well. It covers what the rules and
the default send; alarms, replays and tests pass, and so does a critical event, unless the silence
says otherwise.

Quiet hours and digests hold what is neither critical nor sent by a rule with `always`. Hours are
those of a wall clock: where it is set, they last as long as it says. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from relay.deliveries import FALLING_BACK, Cause, Delivery, State
from relay.errors import UsageError
from relay.events import Event, Severity, Topic
from relay.phones import PhonePattern, display
from relay.text import nearest, shown
from relay.times import coming, span

if TYPE_CHECKING:
    from relay.rules.conditions import Matcher

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COVERED = frozenset({Cause.RULE, Cause.DEFAULT, Cause.INCIDENT, Cause.FALLBACK})
LONGEST_WHY = 200
SILENCED = "silenced by "
"""How the reason of a delivery begins that a silence suppressed."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a silence is about; what is None is no condition, and all others must hold.

    Written as in rules: `*` and `?` are wildcards, case does not matter, numbers are compared by
    their digits and with their aliases, a client is an id or a name.
    """

    phone: str | None = None
    client: str | None = None
    kind: str | None = None
    topic: str | None = None
    destination: str | None = None

    @property
    def given(self) -> dict[str, str]:
        """Those that there are, by name."""
        every = ((one.name, getattr(self, one.name)) for one in fields(self))
        return {name: text for name, text in every if text is not None}

    def __str__(self) -> str:
        """In the words of a person: `phone +49 171 3920011, topic quality`."""
        shown = {**self.given, **({"phone": display(self.phone)} if self.phone else {})}
        return ", ".join(f"{name} {text}" for name, text in shown.items())


@dataclass(frozen=True)
class Silence:
    """One silence, on or over."""

    id: str
    about: Conditions
    why: str
    who: str
    began_at: datetime
    until: datetime
    """In the zone in which it was said."""
    also_critical: bool = False
    ended_at: datetime | None = None
    """When it was over: at `until` or, by hand, before."""
    ended_by: str | None = None
    """Who ended it by hand."""

    def is_on(self, now: datetime) -> bool:
        """Whether it suppresses anything."""
        return self.ended_at is None and now < self.until

    def covers(self, event: Event, delivery: Delivery) -> bool:
        """Whether it is about a delivery that is owed for an event.

        An event of several numbers is covered if it is about all of them: what it says of the
        others is news.
        """
        if delivery.cause not in COVERED or event.test:
            return False
        if event.severity is Severity.CRITICAL and not self.also_critical:
            return False
        phone = self._matchers.get("phone")
        if phone and not (event.phones and all(map(phone.matches, event.phones))):
            return False
        return (
            self._meets("kind", event.kind)
            and self._meets("topic", event.topic)
            and self._meets("client", event.client.id, event.client.name)
            and self._meets("destination", delivery.destination)
        )

    def _meets(self, name: str, *found: str | None) -> bool:
        matcher = self._matchers.get(name)
        return matcher is None or any(text is not None and matcher.matches(text) for text in found)

    @cached_property
    def _matchers(self) -> dict[str, Matcher]:
        from relay.rules.conditions import text_matcher  # paid by who silences something

        return {
            name: PhonePattern.parse(text) if name == "phone" else text_matcher(text)
            for name, text in self.about.given.items()
        }

    @property
    def reason(self) -> str:
        """Why a delivery that it covers is owed to nobody: with its author and its end."""
        until = f"{self.until:%d %b %Y, %H:%M %Z}"
        return f"{SILENCED}{self.who} until {until} (silence {self.id}): {self.why}"


def covering(
    silences: Iterable[Silence], event: Event, owed: Delivery, now: datetime
) -> Silence | None:
    """The first silence that covers what is about to be owed."""
    return next((one for one in silences if one.is_on(now) and one.covers(event, owed)), None)


def until(text: str | None, lasting: str | None, now: datetime, zone: ZoneInfo) -> datetime:
    """When a silence ends that is to last for a span, or until a moment. Raises `UsageError`."""
    if (text is None) == (lasting is None):
        raise UsageError("say when it ends: either for, such as 2h, or until, such as 18:00")
    if lasting is not None:
        length = span(lasting)
        if length is None:
            raise UsageError(f'for: "{shown(lasting, 40)}" is no span; write 30m, 2h, 3 days or 1w')
        try:
            return (now + length).astimezone(zone)
        except OverflowError:
            raise UsageError("for: no calendar knows the end of it; write 30m, 2h or 3d") from None
    end = coming(text or "", now, zone)
    if end is None:
        if span(text or "") is not None:
            raise UsageError(f'until: "{shown(text or "", 40)}" is a span: say it with for')
        raise UsageError(
            f'until: "{shown(text or "", 40)}" is no time; write 18:00, "Monday 9:00" or '
            "2026-11-29T09:00"
        )
    if end <= now:
        raise UsageError(f"until: {end.astimezone(zone):%d %b %Y, %H:%M %Z} is over already")
    return end.astimezone(zone)


def check(about: Conditions, destinations: Collection[str]) -> None:
    """Raise `UsageError` for conditions that nothing can meet, and for none at all.

    A kind with wildcards may be one that the relay does not know yet.
    """
    from relay.events.catalogue import KINDS
    from relay.rules.conditions import Glob, text_matcher

    if not about.given:
        names = ", ".join(one.name for one in fields(about))
        raise UsageError(f"say what nobody is to be told of: at least one of {names}")
    if about.phone is not None:
        try:
            PhonePattern.parse(about.phone)
        except ValueError as error:
            raise UsageError(f"phone: {error}") from None
    known: dict[str, Collection[str]] = {
        "kind": KINDS,
        "topic": list(Topic),
        "destination": destinations,
    }
    for name, words in known.items():
        text = about.given.get(name)
        if text is None or (name == "kind" and isinstance(text_matcher(text), Glob)):
            continue
        if not any(map(text_matcher(text).matches, words)):
            if near := nearest(text, words):
                hint = f'did you mean "{near}"?'
            else:
                hint = "see `relay kinds`" if name == "kind" else f"there are {', '.join(words)}"
            raise UsageError(f'{name}: there is no "{shown(text, 80)}": {hint}')


@dataclass(frozen=True, slots=True)
class Hours:
    """Every day from a time to another one, into the next day where that is earlier."""

    begin: time
    end: time
    days: frozenset[int] = frozenset(range(7))
    """On which they begin; Monday is 0."""
    zone: ZoneInfo | None = None
    """None: that of the rules."""

    def over(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """When the quiet hours of a moment end; None where it is in none."""
        zone = self.zone or zone
        day = now.astimezone(zone).date()
        for began in (day, day - timedelta(days=1)):
            last = began + timedelta(days=self.end <= self.begin)
            until = _at(last, self.end, zone)
            if began.weekday() in self.days and _at(began, self.begin, zone) <= now < until:
                return until
        return None


@dataclass(frozen=True, slots=True)
class Daily:
    """A digest each day at a time."""

    at: time

    def following(self, now: datetime, zone: ZoneInfo) -> datetime:
        """The next one after a moment."""
        day = now.astimezone(zone).date()
        coming = (_at(day + timedelta(days=more), self.at, zone) for more in range(3))
        return next(moment for moment in coming if moment > now)


@dataclass(frozen=True, slots=True)
class Every:
    """A digest again and again, counted from 1970 on, so that each relay means the same."""

    span: timedelta

    def following(self, now: datetime, _zone: ZoneInfo) -> datetime:
        """The next one after a moment."""
        return now + self.span - (now - _EPOCH) % self.span


def release(
    hours: Hours | None, digest: Daily | Every | None, now: datetime, zone: ZoneInfo
) -> datetime | None:
    """Until when a message is held that is routed now; None: it is not."""
    at = digest.following(now, zone) if digest is not None else None
    over = hours.over(at or now, zone) if hours is not None else None
    return over or at


def _at(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """A time of a wall clock in UTC; one that it skips is the one that it skips to."""
    return datetime.combine(day, clock, zone).astimezone(UTC)


def falls_back_at(
    delivery: Delivery, since: datetime, after: timedelta, now: datetime
) -> datetime | None:
    """When the fallback of a delivery is owed that first became due at `since`; None: never."""
    if delivery.cause not in FALLING_BACK or delivery.via is not None:
        return None
    match delivery.state:
        case State.DEAD:
            return since
        case State.PENDING | State.CLAIMED | State.PARKED:
            # Longer than that from now cannot be true: somebody set the clock back meanwhile.
            return since + after if since - now <= after else now
        case _:
            return None
