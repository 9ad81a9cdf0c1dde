"""Logins to mail servers by OAuth: tokens for XOAUTH2, fetched, kept and renewed.

Microsoft gives an application tokens for its own sake (client credentials), Google for a person who
once agreed (a refresh token); both by RFC 6749. Tokens are kept in memory alone.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Self

from pydantic import SecretStr, field_validator, model_validator

from relay.channels.exchange import (
    Answer,
    Exchange,
    Wire,
    rate_limited,
    redirected,
    remark,
    unanswered,
)
from relay.channels.settings import A_URL, Settings
from relay.outcomes import Ambiguous, OutOfOrder, RateLimited, Scope, Transient

_MICROSOFT = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
_MICROSOFT_SCOPE = "https://outlook.office365.com/.default"
"""Both from Microsoft, "Authenticate an IMAP, POP or SMTP connection using OAuth"."""
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}")
_MARGIN = 300.0
"""Seconds before its end at which a token is renewed, or a tenth of its life if that is less."""
_UNTOLD = 300.0
"""Seconds that a token is kept whose endpoint does not say how long it holds."""
_TOKEN = re.compile(r"[\x21-\x7e]+")
_WHO = "the token endpoint of accounts.email.oauth"
_PASSING = frozenset({"temporarily_unavailable", "server_error"})
_REMEDIES: Mapping[str, str] = {
    "invalid_client": "correct client_id and client_secret (Microsoft Entra: the secret's value, "
    "not its id; it holds until a date)",
    "unauthorized_client": "correct client_id and tenant, and let an admin grant the application "
    "SMTP.SendAsApp",
    "invalid_scope": "correct scope",
    "invalid_request": "correct tenant or token_url, and scope",
    "unsupported_grant_type": "give a refresh_token, as this endpoint gives applications nothing",
}
"""By the word of the refusal (RFC 6749, 5.2)."""


class OAuth(Settings):
    """What an account shows its token endpoint."""

    tenant: str | None = None
    """Of Microsoft 365: its id or one of its domains; stands for `token_url` and `scope`."""
    token_url: Annotated[str | None, A_URL] = None
    client_id: str
    client_secret: SecretStr
    refresh_token: SecretStr | None = None
    """Of somebody who agreed; without it the application logs in for itself.

    It must stay good: one that the endpoint replaces at each use is not followed."""
    scope: str | None = None

    @field_validator("tenant")
    @classmethod
    def _tenant_is_one(cls, tenant: str | None) -> str | None:
        if tenant is None or _TENANT.fullmatch(tenant):
            return tenant
        raise ValueError("tenant must be the id of a Microsoft tenant, or one of its domains")

    @model_validator(mode="after")
    def _endpoint_is_one(self) -> Self:
        if (self.tenant is None) == (self.token_url is None):
            raise ValueError("give either tenant (Microsoft 365) or token_url")
        return self

    @property
    def endpoint(self) -> str:
        """The URL that gives tokens."""
        return self.token_url or _MICROSOFT.format(tenant=self.tenant)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What nobody may read."""
        held = (self.client_secret, self.refresh_token)
        return tuple(secret.get_secret_value() for secret in held if secret is not None)

    def request(self) -> dict[str, str]:
        """The fields of the form that asks for a token."""
        fields = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret.get_secret_value(),
        }
        if self.refresh_token is not None:
            fields["grant_type"] = "refresh_token"
            fields["refresh_token"] = self.refresh_token.get_secret_value()
        if scope := self.scope or (_MICROSOFT_SCOPE if self.tenant else None):
            fields["scope"] = scope
        return fields


@dataclass(frozen=True, slots=True)
class Token:
    """A token, and until when it is good, in seconds of the clock that was asked."""

    value: SecretStr
    renew: float
    ends: float


NoToken = Transient | OutOfOrder | RateLimited


class Tokens:
    """The tokens of all accounts; those who need the same one share one request."""

    def __init__(self, wire: Wire, clock: Callable[[], float]) -> None:
        self._wire = wire
        self._clock = clock
        self._held: dict[OAuth, Token] = {}
        self._asked: dict[OAuth, asyncio.Task[Token | NoToken]] = {}

    async def get(self, oauth: OAuth, refused: Token | None = None) -> Token | NoToken:
        """A token that is good, or why there is none; never `refused`, which a server refused.

        While a token is good, an endpoint that gives no other does not matter.
        """
        held = self._held.get(oauth)
        if held is refused:
            held = None
        if held is not None and self._clock() < held.renew:
            return held
        if oauth not in self._asked:
            self._asked[oauth] = asyncio.create_task(self._fetch(oauth))
        # One who gives up waiting must not end it for the others.
        got = await asyncio.shield(self._asked[oauth])
        if held is not None and not isinstance(got, Token) and self._clock() < held.ends:
            return held
        return got

    async def _fetch(self, oauth: OAuth) -> Token | NoToken:
        try:
            now = self._clock()
            got = read(await self._wire.post_form(oauth.endpoint, oauth.request()), oauth, now)
            if isinstance(got, Token):
                self._held[oauth] = got
            return got
        finally:
            del self._asked[oauth]

    async def close(self) -> None:
        """End the requests that are under way."""
        under_way = tuple(self._asked.values())
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


def read(exchange: Exchange, oauth: OAuth, now: float) -> Token | NoToken:
    """What a token endpoint answered to a request that was made at `now`."""
    answer = exchange.answer
    if answer is None:
        outcome = unanswered(_WHO, exchange, Scope.ACCOUNT)
        if isinstance(outcome, Ambiguous):  # a token more does no harm
            return Transient(f"{_WHO} did not answer, nothing was sent", Scope.ACCOUNT)
        return outcome
    if (moved := redirected(_WHO, answer, Scope.ACCOUNT)) is not None:
        return moved
    if answer.status == 429:
        return replace(rate_limited(_WHO, answer), scope=Scope.ACCOUNT)
    said = _said(answer)
    error = said.get("error")
    word = error if isinstance(error, str) else ""
    if answer.status >= 500 or answer.status == 408 or word in _PASSING or not answer.whole:
        told = f"{_WHO} is out of order (HTTP {answer.status}), nothing was sent"
        return Transient(told, Scope.ACCOUNT)
    if answer.status == 200 and not word:
        return _token(said, now)
    why = remark(f"{word}: {said.get('error_description', '')}".strip(": "), oauth.secrets, 160)
    told = f"{_WHO} refuses (HTTP {answer.status}{f', {why}' if why else ''})"
    return OutOfOrder(f"{told}: {_remedy(answer.status, word, oauth)}", Scope.ACCOUNT)


def _said(answer: Answer) -> Mapping[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _token(said: Mapping[str, Any], now: float) -> Token | OutOfOrder:
    value = said.get("access_token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        told = f"{_WHO} answers without a token: correct token_url or tenant"
        return OutOfOrder(told, Scope.ACCOUNT)
    try:
        lifetime = float(said.get("expires_in", _UNTOLD))
    except (TypeError, ValueError, OverflowError):
        lifetime = _UNTOLD
    if not math.isfinite(lifetime) or lifetime <= 0:
        lifetime = _UNTOLD
    ends = now + lifetime
    return Token(SecretStr(value), ends - min(_MARGIN, lifetime / 10), ends)


def _remedy(status: int, word: str, oauth: OAuth) -> str:
    if word == "invalid_grant" and oauth.refresh_token is not None:
        return "the refresh_token was revoked or has expired, give a new one"
    if status == 404:
        return "correct tenant or token_url"
    return _REMEDIES.get(word, "correct client_id, client_secret and tenant or token_url")
