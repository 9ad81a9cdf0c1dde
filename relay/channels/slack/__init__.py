"""Slack: the posting of a message by a bot's token or by an incoming webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay.channels import Destination, Outbound, Parcel, own
from relay.channels.exchange import Wire, unanswered
from relay.channels.slack import writing
from relay.channels.slack.answers import read_api, read_edit, read_hook, read_reply
from relay.channels.slack.settings import SlackDestination
from relay.outcomes import Outcome, Scope


class SlackChannel:
    """Posts to Slack."""

    name = "slack"

    def __init__(self, outbound: Outbound) -> None:
        self._wire = Wire(outbound)

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """See `Channel.payload`; by bot the arguments of a method, else the body."""
        slack = own(destination, SlackDestination)
        return writing.write(parcel, slack.to if slack.webhook is None else None)

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """See `Channel.send`."""
        slack = own(destination, SlackDestination)
        if slack.webhook is not None:
            hooked = await self._wire.post(slack.webhook.get_secret_value(), payload)
            return read_hook(hooked.answer) if hooked.answer else unanswered("Slack", hooked)
        method = "chat.update" if "ts" in payload else "chat.postMessage"
        url = f"{slack.api_url.rstrip('/')}/{method}"
        token = slack.token.get_secret_value() if slack.token else ""
        posted = await self._wire.post(url, payload, {"Authorization": f"Bearer {token}"})
        if posted.answer is None:
            return unanswered("Slack", posted, Scope.ACCOUNT)
        if "ts" in payload:
            return read_edit(posted.answer)
        return read_reply(posted.answer) if "thread_ts" in payload else read_api(posted.answer)

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._wire.close()
