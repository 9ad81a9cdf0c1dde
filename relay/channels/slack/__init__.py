"""Slack: the posting of a message by a bot's token or by an incoming webhook."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from relay.channels import Destination, Outbound, Parcel, own
from relay.channels.exchange import Wire, encoded, unanswered
from relay.channels.slack import writing
from relay.channels.slack.answers import read_api, read_hook
from relay.channels.slack.settings import SlackDestination
from relay.deliveries import Outcome, Scope

if TYPE_CHECKING:
    import aiohttp
    from slack_sdk.web.async_client import AsyncWebClient


class SlackChannel:
    """Posts to Slack."""

    name = "slack"

    def __init__(self, outbound: Outbound) -> None:
        self._wire = Wire(outbound)
        self._clients: dict[str, AsyncWebClient] = {}
        """By account."""

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """See `Channel.payload`; by bot the arguments of `chat.postMessage`, else the body."""
        slack = own(destination, SlackDestination)
        return writing.write(parcel, slack.to if slack.webhook is None else None)

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """See `Channel.send`."""
        slack = own(destination, SlackDestination)
        if slack.webhook is not None:
            hooked = await self._wire.post(slack.webhook.get_secret_value(), encoded(payload))
            answer = hooked.answer
            return read_hook(answer) if answer else unanswered("Slack", hooked)

        async def post(session: aiohttp.ClientSession) -> None:
            await self._client(slack, session).api_call("chat.postMessage", json=dict(payload))

        # The answer decides, where there is one; the SDK's opinion of it does not matter.
        posted = await self._wire.exchange(post)
        if posted.answer is None:
            return unanswered("Slack", posted, Scope.ACCOUNT)
        return read_api(posted.answer)

    async def close(self) -> None:
        """See `Channel.close`."""
        self._clients.clear()
        await self._wire.close()

    def _client(self, slack: SlackDestination, session: aiohttp.ClientSession) -> AsyncWebClient:
        """The SDK's client of an account, which costs more to make than a post."""
        client = self._clients.get(slack.account)
        if client is None or client.session is not session:
            from slack_sdk.web.async_client import AsyncWebClient

            client = AsyncWebClient(
                slack.token.get_secret_value() if slack.token else "",
                slack.api_url,
                session=session,
                # By default it repeats a post whose connection was lost, which posts it twice.
                retry_handlers=[],
                # At DEBUG it writes URLs, tokens of proxies and bodies.
                logger=logging.Logger("slack_sdk silenced", logging.CRITICAL + 1),
            )
            client.proxy = None  # it takes HTTPS_PROXY by itself
            self._clients[slack.account] = client
        return client
