"""Webhooks: events as JSON for whatever takes it, signed as Standard Webhooks defines.

The id of the delivery is that of the message: the same on every try, so a receiver can tell a
repeat (standardwebhooks.com, specification 1.0).
"""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from relay.channels import Destination, Outbound, Parcel, own
from relay.channels.exchange import Wire, encoded, unanswered, url_secrets
from relay.channels.fit import title
from relay.channels.webhook.answers import WHO, read
from relay.channels.webhook.settings import CAUSE, WebhookDestination, key_of
from relay.errors import UnsendableError
from relay.events import iso
from relay.outcomes import Outcome

MOST_BYTES = 262_144
"""Of a body."""


class WebhookChannel:
    """Posts JSON."""

    name = "webhook"

    def __init__(self, outbound: Outbound) -> None:
        self._wire = Wire(outbound)
        self._traceparent = outbound.traceparent

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """See `Channel.payload`; the id of the message and the body of the post."""
        hook = own(destination, WebhookDestination)
        native = None if parcel.plain else parcel.message.native.get("webhook")
        body = native if native is not None else _usual(parcel)
        if hook.fields and not isinstance(body, dict):
            raise UnsendableError("its fields can be put into a JSON object alone")
        if (size := len(encoded(body))) > MOST_BYTES:
            raise UnsendableError(f"the body has {size} bytes, {MOST_BYTES} are allowed")
        return {"webhook-id": parcel.delivery_id, CAUSE: parcel.cause.value, "body": body}

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """See `Channel.send`."""
        hook = own(destination, WebhookDestination)
        url = hook.url.get_secret_value() if hook.url else ""
        body = payload["body"]
        headers = {name: value.get_secret_value() for name, value in hook.headers.items()}
        fields = {name: value.get_secret_value() for name, value in hook.fields.items()}
        if fields:
            body = {**body, **fields}
        stamp = str(int(time.time()))
        marked = {"webhook-id": str(payload["webhook-id"]), "webhook-timestamp": stamp}
        if self._traceparent is not None:
            marked["traceparent"] = self._traceparent(str(payload["webhook-id"]))
        if hook.secret is not None:
            marked["webhook-signature"] = signature(
                hook.secret, marked["webhook-id"], stamp, encoded(body)
            )
        marked[CAUSE] = str(payload[CAUSE])
        exchange = await self._wire.post(url, body, {**headers, **marked})
        if exchange.answer is None:
            return unanswered(WHO, exchange)
        hidden = [*url_secrets(url), *headers.values(), *fields.values()]
        # Of "Bearer TOKEN" a receiver may repeat the token alone.
        hidden += [word for value in headers.values() for word in value.split() if len(word) > 7]
        if hook.secret is not None:
            hidden.append(hook.secret.get_secret_value())
        return read(exchange.answer, tuple(hidden))

    async def close(self) -> None:
        """See `Channel.close`."""
        await self._wire.close()


def signature(secret: SecretStr, id_: str, stamp: str, body: bytes) -> str:
    """What proves that a request is ours and when it was made."""
    signed = f"{id_}.{stamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), signed, "sha256")).decode()


def _usual(parcel: Parcel) -> dict[str, Any]:
    """The body that needs no template: `type`, `timestamp` and `data` as the standard advises.

    A plain one is short: it goes without the sender's own data.
    """
    event, message = parcel.event, parcel.message
    facts = event.to_json() if event is not None else {"id": parcel.event_id}
    if parcel.plain:
        facts.pop("data", None)
    return {
        "type": event.kind if event is not None else "",
        "timestamp": iso(event.late_since if event is not None else parcel.at),
        "title": title(message),
        "text": message.text,
        "data": facts,
        **({"incident": parcel.incident} if parcel.incident else {}),
    }
