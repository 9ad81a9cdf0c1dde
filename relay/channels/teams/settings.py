"""Microsoft Teams: the settings of a Workflows webhook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import SecretStr

from relay.channels import Call, Destination, Outbound, Pace
from relay.channels.settings import A_URL, Settings, checked_url, fingerprint, short_hash, split_url

PACE = Pace(count=1, seconds=2)
"""The Teams connector action of a flow takes 100 calls in 60 s for all its flows."""
WORKFLOW_HOST = ".environment.api.powerplatform.com"
"""Where Workflows webhooks stand; sovereign clouds have others, so it is no condition."""
OLD_WORKFLOW_HOST = ".logic.azure.com"
"""Where they stood; Microsoft announced that these addresses end on 30 November 2025."""
NEW_LINK = "open the workflow in Teams, copy its new link from the trigger, and set it here"


_LONGEST_USER = 200
_GUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_USER = re.compile(
    rf"(?P<name>[^<>@]{{1,80}}?)\s*<(?P<named>[^\s<>@]+@[^\s<>@]+|{_GUID})>"
    rf"|(?P<bare>[^\s<>@]+@[^\s<>@]+|{_GUID})"
)
"""An address (UPN) or an Entra object id, alone or behind a name as in mails."""


class TeamsSettings(Settings):
    """A Workflows webhook ("When a Teams webhook request is received")."""

    url: Annotated[SecretStr, A_URL]


@dataclass(frozen=True, slots=True)
class TeamsDestination(Destination):
    """Where to post; the URL is the secret."""

    url: SecretStr | None = None


def call(word: str) -> Call | None:
    """Whom a word of `mention` calls in Teams, if anybody: only persons can be."""
    found = _USER.fullmatch(word)
    if found is None or len(word) > _LONGEST_USER:
        return None
    who = found["named"] or found["bare"]
    return Call("teams", who, found["name"] or who)


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
    if host.endswith((WORKFLOW_HOST, ".invalid")):
        return ()
    if is_old(settings.url.get_secret_value()):
        return (
            f"the Teams url is an old one (*{OLD_WORKFLOW_HOST}), and Microsoft has been ending "
            f"these since 30 November 2025: {NEW_LINK}",
        )
    return (
        "the Teams url does not stand where Workflows webhooks usually do "
        f"(*{WORKFLOW_HOST}): check that it is one",
    )


def is_old(url: str) -> bool:
    """Whether it is an address from before Workflows moved."""
    return (split_url(url).hostname or "").rstrip(".").endswith(OLD_WORKFLOW_HOST)
