"""Microsoft Teams: the settings of a Workflows webhook."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import SecretStr

from relay.channels import Destination, Outbound, Pace
from relay.channels.settings import A_URL, Settings, checked_url, fingerprint, short_hash, split_url

PACE = Pace(count=1, seconds=2)
"""The Teams connector action of a flow takes 100 calls in 60 s for all its flows."""
WORKFLOW_HOSTS = (".environment.api.powerplatform.com", ".logic.azure.com")
"""Where Workflows webhooks stand; sovereign clouds have others, so it is no condition."""


class TeamsSettings(Settings):
    """A Workflows webhook ("When a Teams webhook request is received")."""

    url: Annotated[SecretStr, A_URL]


@dataclass(frozen=True, slots=True)
class TeamsDestination(Destination):
    """Where to post; the URL is the secret."""

    url: SecretStr | None = None


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
