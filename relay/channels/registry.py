"""All channels by name: the models of their settings, and how to build and open them.

Importing this module imports no client library; each is imported when it is first used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from relay.channels import Call, Channel, Destination, Outbound, Pace, Parcel
from relay.channels.email import EmailChannel
from relay.channels.email import settings as email_settings
from relay.channels.slack import SlackChannel
from relay.channels.slack import settings as slack_settings
from relay.channels.teams import TeamsChannel
from relay.channels.teams import settings as teams_settings
from relay.channels.webhook import WebhookChannel
from relay.channels.webhook import settings as webhook_settings
from relay.outcomes import Outcome, Proof, Sent


@dataclass(frozen=True, slots=True)
class ChannelKind:
    """One transport as the configuration sees it."""

    name: str
    account: type[BaseModel] | None
    """Model of `accounts.<name>`; None where the transport has no accounts."""
    destination: type[BaseModel]
    """Model of `destinations.<any>.<name>`."""
    build: Callable[[str, Any, Any, Pace | None, Outbound], Destination]
    """(name, destination model, account model or None, pace or None for the default, outbound).

    Raises ValueError with one clear sentence that shows no secret.
    """
    open: Callable[[Outbound], Channel]
    """A channel that sends; opens no connection yet."""
    account_needed: Callable[[Any], bool] = lambda _settings: True
    """Whether this destination model sends by the account."""
    doubts: Callable[[Any], tuple[str, ...]] = lambda _settings: ()
    """What about a destination model is allowed and probably wrong; sentences for warnings."""
    account_doubts: Callable[[Any], tuple[tuple[str, str], ...]] = lambda _account: ()
    """The same about an account model, each with the key that it stands at."""
    call: Callable[[str], Call | None] = lambda _word: None
    """Whom a word of `mention` names there; None where it is nobody that can be called."""


CHANNELS: Mapping[str, ChannelKind] = MappingProxyType(
    {
        "slack": ChannelKind(
            "slack",
            slack_settings.SlackAccount,
            slack_settings.SlackSettings,
            slack_settings.build,
            SlackChannel,
            slack_settings.account_needed,
            slack_settings.doubts,
            call=slack_settings.call,
        ),
        "email": ChannelKind(
            "email",
            email_settings.EmailAccount,
            email_settings.EmailSettings,
            email_settings.build,
            EmailChannel,
            account_doubts=email_settings.account_doubts,
        ),
        "teams": ChannelKind(
            "teams",
            None,
            teams_settings.TeamsSettings,
            teams_settings.build,
            TeamsChannel,
            lambda _settings: False,
            teams_settings.doubts,
            call=teams_settings.call,
        ),
        "webhook": ChannelKind(
            "webhook",
            None,
            webhook_settings.WebhookSettings,
            webhook_settings.build,
            WebhookChannel,
            lambda _settings: False,
            webhook_settings.doubts,
        ),
    }
)


def open_channels(outbound: Outbound) -> Mapping[str, Channel]:
    """Every channel, by name."""
    return {name: kind.open(outbound) for name, kind in CHANNELS.items()}


def sandboxed(channel: Channel) -> Channel:
    """The same channel with its last step taken away: it writes payloads and sends nothing."""
    return _Sandboxed(channel)


class _Sandboxed:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.name = channel.name

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        return self._channel.payload(destination, parcel)

    async def send(
        self,
        destination: Destination,  # noqa: ARG002
        payload: Mapping[str, Any],  # noqa: ARG002
    ) -> Outcome:
        return Sent(Proof.SANDBOX, reason="kept in the journal (sandbox)")

    async def close(self) -> None:
        await self._channel.close()
