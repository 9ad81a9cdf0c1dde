"""The transports: how a message is written and sent natively to each kind of target.

A channel module (`slack`, `email`, `teams`, `webhook`) holds the settings of its account and
destinations, writes the payload, sends it, and reads the target's answer. It never retries: the
delivery table does. `registry.CHANNELS` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from relay.deliveries import Cause, Fallback
from relay.events import Direction, Severity
from relay.incidents import Updates
from relay.messages import READERS
from relay.outcomes import Act, Outcome
from relay.proxies import Proxies
from relay.quiet import Daily, Every, Hours

if TYPE_CHECKING:
    from relay.events import Event
    from relay.messages import Message


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `count` messages in `seconds`, after a burst of `burst`; a count of 0 is no limit."""

    count: float
    seconds: float
    burst: int = 1


NO_PACE = Pace(count=0, seconds=1)


@dataclass(frozen=True, slots=True)
class Call:
    """Somebody whom a message calls by name, so that a phone rings."""

    channel: str
    """The one that knows them: `slack` or `teams`."""
    id: str
    """In Slack `here`, `channel`, a user's or a group's id; in Teams an address or an id."""
    name: str
    """What people read."""


@dataclass(frozen=True, slots=True)
class Mention:
    """Whom the messages of a destination or a rule call, and for which events."""

    calls: tuple[Call, ...]
    least: Severity = Severity.CRITICAL

    def is_for(self, event: Event) -> bool:
        """Whether an event is grave enough; good news is only where everything is."""
        if self.least is Severity.INFO:
            return True
        grave = event.severity in (self.least, Severity.CRITICAL)
        return grave and event.direction is not Direction.BETTER


@dataclass(frozen=True, slots=True)
class Destination:
    """A named place with all that is needed to send there.

    Each channel has its own subclass with the fields that it sends by. Secrets are held in
    `pydantic.SecretStr`, so that no repr shows them.
    """

    name: str
    channel: str
    """`slack`, `email`, `teams` or `webhook`."""
    target: str
    """The lane: equal for destinations that end in the same place. Readable, holds no secret."""
    account: str
    """What it shares with others at the target: a workspace's token, a mail server. No secret."""
    pace: Pace
    account_pace: Pace = NO_PACE
    recipients: tuple[str, ...] = ()
    """Mail addresses; empty for the other channels."""
    fingerprint: str = ""
    """A hash over all its settings, secrets included: another one means that it was edited."""
    language: str = "en"
    """The language of its messages: `de`, `pt-BR`."""
    audience: tuple[str, ...] = READERS
    """Who reads there, and so whose advice its messages show."""
    mention: Mention | None = None
    """Whom its messages call."""
    body: str | None = None
    """The template that writes its JSON, for a webhook that has its own."""
    quiet: Hours | None = None
    """When it is told of nothing that can wait."""
    digest: Daily | Every | None = None
    """When it is told of what can wait."""
    updates: Updates = Updates.POST
    """How it is told of a change of an open incident."""
    fallback: Fallback | None = None
    """Who is told in its place when it cannot be."""

    @property
    def address(self) -> str:
        """By what people know where it ends; the same also with another token or server."""
        return ", ".join(self.recipients) or self.target


_Own = TypeVar("_Own", bound=Destination)


def own(destination: Destination, kind: type[_Own]) -> _Own:
    """The destination as the channel's own kind, which the registry pairs it with."""
    if not isinstance(destination, kind):
        raise TypeError(f"{destination.name} is no {kind.__name__}")
    return destination


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message on its way: all that a channel needs to write it."""

    delivery_id: str
    event_id: str
    message: Message
    at: datetime
    """Now, in UTC: the mail's Date."""
    recipients: tuple[str, ...] = ()
    """Mail addresses that are still owed it."""
    thread: str = ""
    """What a conversation is about (topic and number): mails with the same one are threaded."""
    event: Event | None = None
    """What the message is about, for those that read facts."""
    cause: Cause = Cause.RULE
    """Why it is owed, for those that read no title."""
    calls: tuple[Call, ...] = ()
    """Whom it calls, of those that the channel knows."""
    act: Act = Act.POST
    """Whether it is a message of its own, or edits or answers an earlier one."""
    living: Mapping[str, str] = field(default_factory=dict)
    """How the target names that earlier one: what a `Sent` had as its reference."""
    broadcast: bool = False
    """An answer in a thread is shown in the channel as well."""
    incident: str | None = None
    """The incident that the event belongs to."""
    plain: bool = False
    """The target refused it in full dress: write it with as little structure as there is."""


class Channel(Protocol):
    """One transport."""

    name: str

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """Exactly what would be sent, as JSON-ready values without secrets.

        Raises `UnsendableError` where the message cannot be written at all. Pure.
        """
        ...

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """Send once, under a total timeout, and say what the answer means. Never raises.

        A cancellation while the request is under way is let through.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...


@dataclass(frozen=True, slots=True)
class Outbound:
    """What may be reached, and how long a send may take."""

    allow_private: bool = False
    """URLs that are posted to may stand on private or loopback addresses and on plain http."""
    proxies: Proxies = field(default_factory=Proxies)
    """By which proxies. One that is used judges the address; the relay does not know it."""
    traceparent: Callable[[str], str] | None = None
    """What tells a webhook's receiver of the trace of a delivery, by its id; None: nothing."""
    timeout: float = 20.0
    """Seconds for one send, from the first byte to the last."""
    key: bytes = field(default=b"no journal", repr=False)
    """What fingerprints of settings are keyed with; the journal keeps a random one, since it alone
    keeps fingerprints."""
