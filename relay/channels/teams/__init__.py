"""Microsoft Teams: settings, and the posting of a card to a Workflows webhook."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from relay.channels import Destination, Outbound, Pace, Parcel
from relay.channels.exchange import Wire, encoded, unanswered, url_secrets
from relay.channels.settings import Settings, checked_url, fingerprint, short_hash, split_url
from relay.channels.teams import answers as teams_answers
from relay.channels.teams import card as teams_card
from relay.deliveries import Outcome

PACE = Pace(count=1, seconds=2)
"""The Teams connector action of a flow takes 100 calls in 60 s for all its flows."""
WORKFLOW_HOSTS = (".environment.api.powerplatform.com", ".logic.azure.com")
"""Where Workflows webhooks stand; sovereign clouds have others, so it is no condition."""


class TeamsSettings(Settings):
    """A Workflows webhook ("When a Teams webhook request is received")."""

    url: SecretStr


@dataclass(frozen=True, slots=True)
class TeamsDestination(Destination):
    """Where to post; the URL is the secret."""

    url: SecretStr | None = None


def account_needed(settings: TeamsSettings) -> bool:  # noqa: ARG001
    """A Workflows webhook is its own account."""
    return False


def build(
    name: str,
    settings: TeamsSettings,
    account: None,  # noqa: ARG001
    pace: Pace | None,
    outbound: Outbound,
) -> TeamsDestination:
    """The destination of these settings; raises ValueError where they cannot be used."""
    url = checked_url(settings.url.get_secret_value(), "the Teams url", outbound)
    if is_retired(url):
        raise ValueError(
            "the Teams url is an Office 365 connector, and Microsoft has shut those down: create "
            "a Workflows webhook (When a Teams webhook request is received) in its place"
        )
    key = f"teams:{short_hash(url)}"
    return TeamsDestination(
        name,
        "teams",
        target=key,
        account=key,
        pace=pace or PACE,
        fingerprint=fingerprint(outbound.key, settings),
        url=settings.url,
    )


def is_retired(url: str) -> bool:
    """Whether it is a connector's: `*.webhook.office.com`, `outlook.office.com/webhook/…`."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    return f".{host}".endswith(".webhook.office.com") or (
        host in ("outlook.office.com", "outlook.office365.com")
        and parts.path.startswith("/webhook")
    )


def doubts(settings: TeamsSettings) -> tuple[str, ...]:
    """What is probably wrong about these settings."""
    host = (split_url(settings.url.get_secret_value()).hostname or "").rstrip(".")
    # What ends in .invalid stands in for a secret that is not set here.
    if host.endswith((*WORKFLOW_HOSTS, ".invalid")):
        return ()
    return (
        "the Teams url does not stand where Workflows webhooks usually do "
        f"(*{WORKFLOW_HOSTS[0]} or *{WORKFLOW_HOSTS[1]}): check that it is one",
    )


class TeamsChannel:
    """Posts to Teams."""

    name = "teams"

    def __init__(self, outbound: Outbound) -> None:
        self._wire = Wire(outbound)

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """See `Channel.payload`; the body of the post."""
        _own(destination)
        return teams_card.write(parcel)

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """See `Channel.send`."""
        teams = _own(destination)
        url = teams.url.get_secret_value() if teams.url else ""
        exchange = await self._wire.post(url, encoded(payload))
        if exchange.answer is None:
            return unanswered("Teams", exchange)
        return teams_answers.read(exchange.answer, url_secrets(url))

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._wire.close()


def _own(destination: Destination) -> TeamsDestination:
    if not isinstance(destination, TeamsDestination):
        raise TypeError(f"{destination.name} is no Teams destination")
    return destination
