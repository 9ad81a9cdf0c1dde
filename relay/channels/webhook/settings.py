"""Webhooks: the settings of a receiver of JSON."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import SecretStr

from relay.channels import Destination, Outbound, Pace
from relay.channels.settings import A_URL, Settings, checked_url, fingerprint, short_hash

PACE = Pace(count=5, seconds=1)
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""A token (RFC 9110, 5.6.2)."""
_VALUE = re.compile(r"[\x20-\x7e\t]{0,8000}")
_OURS = frozenset(
    {"host", "connection", "content-length", "content-type", "content-encoding"}
    | {"transfer-encoding", "expect", "te", "trailer", "upgrade"}
)
"""Headers that say how the request is framed."""
CAUSE = "relay-cause"
"""The header that tells replays and tests apart where a body of one's own has no title."""
_TEMPLATE = re.compile(r"[^./\\][^/\\]*")
_ENCODED = "whsec_"
_LEAST = 24
"""Bytes of a secret, by Standard Webhooks."""


class WebhookSettings(Settings):
    """Where JSON is posted, and how the receiver knows that it is ours."""

    url: Annotated[SecretStr, A_URL]
    headers: dict[str, SecretStr] | None = None
    """Such as `Authorization`."""
    body: str | None = None
    """The template of the JSON, `NAME.json.j2`."""
    fields: dict[str, SecretStr] | None = None
    """What is put into the JSON beside the others when it is sent, and shown nowhere."""
    secret: SecretStr | None = None
    """What requests are signed with: `whsec_` and base64, or the bytes themselves."""


@dataclass(frozen=True, slots=True)
class WebhookDestination(Destination):
    """Where to post; URL, headers, fields and secret stay unseen."""

    url: SecretStr | None = None
    headers: Mapping[str, SecretStr] = field(default_factory=dict)
    fields: Mapping[str, SecretStr] = field(default_factory=dict)
    secret: SecretStr | None = None


def build(
    name: str,
    settings: WebhookSettings,
    account: None,  # noqa: ARG001
    pace: Pace | None,
    outbound: Outbound,
) -> WebhookDestination:
    """The destination of these settings; raises ValueError where they cannot be used."""
    url = checked_url(settings.url.get_secret_value(), "the webhook url", outbound)
    headers = settings.headers or {}
    for header, value in headers.items():
        _check_header(header, value.get_secret_value())
    if settings.body is not None and not _TEMPLATE.fullmatch(settings.body):
        raise ValueError("body must name a template such as crm.json.j2, without a folder")
    if settings.secret is not None:
        key_of(settings.secret)
    # One address may lead to several places: by the header or the field that names them, or by
    # the body.
    place = [url, _opened(headers), settings.body]
    if fields := settings.fields or {}:
        place.append(_opened(fields))
    key = f"webhook:{short_hash(repr(tuple(place)))}"
    return WebhookDestination(
        name,
        "webhook",
        target=key,
        account=key,
        pace=pace or PACE,
        fingerprint=fingerprint(outbound.key, settings),
        body=settings.body,
        url=settings.url,
        headers=headers,
        fields=fields,
        secret=settings.secret,
    )


def _opened(values: Mapping[str, SecretStr]) -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in sorted(values.items())}


def key_of(secret: SecretStr) -> bytes:
    """The bytes that sign; raises ValueError in words that do not show them."""
    text = secret.get_secret_value()
    if not text.startswith(_ENCODED):
        key = text.encode()
    else:
        try:
            key = base64.b64decode(text.removeprefix(_ENCODED), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError("secret begins with whsec_, and no base64 follows") from None
    if not key:
        raise ValueError("secret is empty")
    return key


def doubts(settings: WebhookSettings) -> tuple[str, ...]:
    """What is probably wrong about these settings."""
    if settings.secret is None or len(key_of(settings.secret)) >= _LEAST:
        return ()
    return (f"the secret of the webhook is shorter than {_LEAST} bytes: a longer one is safer",)


def _check_header(name: str, value: str) -> None:
    shown = name[:40]
    if not _NAME.fullmatch(name):
        raise ValueError(f"headers: {shown!r} is no name of a header")
    if name.lower() in _OURS | {CAUSE} or name.lower().startswith("webhook-"):
        raise ValueError(f"headers: {shown} is set by the relay")
    if not _VALUE.fullmatch(value):
        raise ValueError(
            f"headers: the value of {shown} holds line breaks, control characters or letters "
            "beyond ASCII"
        )
