"""Microsoft Teams: the posting of a card to a Workflows webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.channels import Destination, Outbound, Parcel, own
from relay.channels.exchange import Wire, unanswered, url_secrets
from relay.channels.teams import writing
from relay.channels.teams.answers import read
from relay.channels.teams.settings import TeamsDestination, is_old
from relay.outcomes import Outcome


class TeamsChannel:
    """Posts to Teams."""

    name = "teams"

    def __init__(self, outbound: Outbound) -> None:
        self._wire = Wire(outbound)

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """See `Channel.payload`; the body of the post."""
        own(destination, TeamsDestination)
        return writing.write(parcel)

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """See `Channel.send`."""
        teams = own(destination, TeamsDestination)
        url = teams.url.get_secret_value() if teams.url else ""
        exchange = await self._wire.post(url, payload)
        if exchange.answer is None:
            return unanswered("Teams", exchange)
        return read(exchange.answer, url_secrets(url), old=is_old(url))

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._wire.close()
