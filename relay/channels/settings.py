"""What the settings of all channels have in common: strict models, hashes, checked URLs."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, ConfigDict, SecretStr

from relay.channels import Outbound
from relay.channels.addresses import is_public, literal_address


@dataclass(frozen=True, slots=True)
class StandIn:
    """What a trial takes for a value that the environment does not have; `{name}` is its name."""

    text: str


A_URL = StandIn("https://relay.invalid/{name}")
"""RFC 2606: no name under `.invalid` ever resolves."""


class Settings(BaseModel):
    """Settings of an account or a destination: unknown keys are errors, values stay unseen.

    Every value may come as text, as the YAML reader gives it.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


def short_hash(text: str) -> str:
    """Eight hex digits that tell secrets apart without telling them."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def fingerprint(key: bytes, *models: BaseModel | None) -> str:
    """A hash over all settings, secrets included; another one means that they were edited.

    It is stored, so it is keyed: without the key no password can be guessed from it.
    """
    shape = [_opened(model.model_dump()) if model is not None else None for model in models]
    text = json.dumps(shape, sort_keys=True)
    return hmac.new(key, text.encode(), "sha256").hexdigest()[:16]


def _opened(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _shown(value) for key, value in values.items()}


def _shown(value: Any) -> Any:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case dict():
            return _opened(value)
    return value


def split_url(url: str) -> SplitResult:
    """The parts of a URL that nobody has checked; empty ones where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def checked_url(url: str, what: str, outbound: Outbound) -> str:
    """The same URL, if it may be posted to; raises ValueError in words that never show it.

    Names are not resolved here: where they lead is checked when the connection is opened.
    """
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise ValueError(f"{what} holds spaces, control characters or letters that no URL has")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"{what} is not a URL: copy it again, whole") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"{what} is not a URL: it must begin with https://")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"{what} must not hold a user name or a password")
    if parts.fragment:
        raise ValueError(f"{what} must not hold a fragment (#…)")
    if outbound.allow_private:
        return url
    if parts.scheme != "https":
        raise ValueError(
            f"{what} must begin with https:// (plain http is for tests: "
            "RELAY_ALLOW_PRIVATE_DESTINATIONS=1 allows it)"
        )
    address = literal_address(host)
    if address is not None and not is_public(address):
        raise ValueError(
            f"{what} stands on a private address; RELAY_ALLOW_PRIVATE_DESTINATIONS=1 allows it"
        )
    return url
