"""One HTTP request of a channel, and what an answer, or the lack of one, means for any target."""

from __future__ import annotations

import asyncio
import base64
import errno
import json
import math
import re
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from relay.channels import Outbound
from relay.outcomes import Ambiguous, OutOfOrder, RateLimited, Scope, Transient
from relay.text import one_line

if TYPE_CHECKING:
    import aiohttp

_NO_MORE: Mapping[str, str] = MappingProxyType({})
_JSON = {"Content-Type": "application/json; charset=utf-8"}
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_HOPELESS_TLS = frozenset(
    {"UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER", "TLSV1_ALERT_PROTOCOL_VERSION",
     "NO_PROTOCOLS_AVAILABLE", "HTTP_REQUEST", "DH_KEY_TOO_SMALL"}
)  # fmt: skip

_LONG = 64
"""Characters of a secret by half of which it is known."""

# In this order: client libraries wrap the cause into errors that are ConnectionErrors as well.
_CONNECTION_FAULTS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "its host name was not found"),
    (ConnectionRefusedError, "the connection was refused"),
    (TimeoutError, "no connection in time"),
    (ConnectionError, "the connection was lost"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `whole` is false where the body was cut or broke off."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


class PrivateAddressError(OSError):
    """A connection to an address that is not public."""

    def __init__(self, address: str) -> None:
        super().__init__(errno.EACCES, "the address is not public")
        self.address = address


@dataclass(slots=True)
class Exchange:
    """The one request of one send, and what came of it."""

    proxy: str | None = field(default=None, repr=False)
    """By which proxy it goes, if by one."""
    written: bool = False
    """Whether any byte of the request may have reached the target."""
    answer: Answer | None = None
    error: Exception | None = None


class Wire:
    """How a channel reaches its targets over HTTP; its session is opened when first needed."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._session: aiohttp.ClientSession | None = None

    async def post(
        self, url: str, body: Mapping[str, Any], headers: Mapping[str, str] = _NO_MORE
    ) -> Exchange:
        """What came of one POST of JSON, under the total timeout of a send.

        Raises nothing but a cancellation.
        """
        return await self._post(url, encoded(body), {**_JSON, **headers})

    async def post_form(self, url: str, fields: Mapping[str, str]) -> Exchange:
        """The same of a form."""
        return await self._post(url, urlencode(fields).encode(), _FORM)

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Exchange:
        from relay.channels import http

        if self._session is None:
            self._session = http.open_session(self._outbound)
        exchange = Exchange(self._outbound.proxies.of_url(url))
        try:
            async with asyncio.timeout(self._outbound.timeout):
                await http.post(self._session, url, body, headers, exchange)
        except Exception as error:
            exchange.error = error
        return exchange

    async def close(self) -> None:
        """Give back its connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None


# Letters as they are, since some limits count bytes; a payload holds no circles to look for.
as_json = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode


def encoded(body: object) -> bytes:
    """JSON as it goes out."""
    return as_json(body).encode("utf-8", "replace")


def causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what lies beneath it."""
    seen: set[int] = set()
    under: BaseException | None = error
    while under is not None and id(under) not in seen:
        seen.add(id(under))
        yield under
        under = getattr(under, "os_error", None) or under.__cause__ or under.__context__


def tls_fault(error: BaseException) -> str | None:
    """What somebody must mend before TLS can work, in words; None for passing faults."""
    # The deepest says most, and aiohttp's own errors are SSL errors that lack its fields.
    for cause in reversed(list(causes(error))):
        if isinstance(cause, ssl.SSLCertVerificationError):
            why = getattr(cause, "verify_message", "") or "not trusted"
            return f"its TLS certificate is not valid ({why})"
        reason = getattr(cause, "reason", None)
        if isinstance(cause, ssl.SSLError) and reason in _HOPELESS_TLS:
            return f"it speaks no TLS that is safe ({reason.lower().replace('_', ' ')})"
    return None


def connection_fault(error: BaseException) -> str:
    """Why no connection came about, in words that name neither host nor URL."""
    beneath = list(causes(error))
    for kind, words in _CONNECTION_FAULTS:
        if any(isinstance(cause, kind) for cause in beneath):
            return words
    for cause in beneath:
        if isinstance(cause, OSError) and cause.errno is not None and cause.errno > 0:
            return f"no connection ({errno.errorcode.get(cause.errno, cause.errno)})"
    return f"no connection ({type(error).__name__})"


def unanswered(
    who: str, exchange: Exchange, scope: Scope = Scope.TARGET
) -> Transient | Ambiguous | OutOfOrder:
    """The outcome of a request that got no answer; `scope` is whose the address is."""
    error = exchange.error or ConnectionError("no request was made")
    if exchange.written:
        late = any(isinstance(cause, TimeoutError) for cause in causes(error))
        how = "no answer in time" if late else "the connection was lost before an answer"
        return Ambiguous(f"{who}: {how}, it may have been posted")
    for cause in causes(error):
        if "HttpProxyError" in type(cause).__name__:
            status: int = getattr(cause, "status", 0)
            said = f"{who}: the proxy answers {status}"
            if status >= 500:  # It may only not have reached the target.
                return Transient(f"{said}, nothing was sent", scope)
            look = "HTTPS_PROXY" if status == 407 else "what the proxy lets through"
            return OutOfOrder(f"{said}: look at {look}", scope)
        if isinstance(cause, PrivateAddressError):
            return OutOfOrder(
                f"{who}: its host leads to {cause.address}, which is not a public address; "
                "RELAY_ALLOW_PRIVATE_DESTINATIONS=1 allows it",
                scope,
            )
        if isinstance(cause, ValueError) and "InvalidUrl" in type(cause).__name__:
            return OutOfOrder(f"{who}: its URL cannot be used: correct it", scope)
    if (fault := tls_fault(error)) is not None:
        return OutOfOrder(f"{who}: {fault}", scope)
    way = "" if exchange.proxy is None else " by the proxy"
    return Transient(f"{who}{way}: {connection_fault(error)}, nothing was sent", scope)


def redirected(who: str, answer: Answer, scope: Scope = Scope.TARGET) -> OutOfOrder | None:
    """The outcome of a redirect, which is never followed; None for other answers."""
    if not 300 <= answer.status < 400:
        return None
    return OutOfOrder(
        f"{who} answered with a redirect (HTTP {answer.status}), which is not followed: "
        "correct the address",
        scope,
    )


def rate_limited(who: str, answer: Answer, word: str = "") -> RateLimited:
    """The outcome of a 429 or its equivalent."""
    wait = retry_after(answer.headers.get("Retry-After"), datetime.now(UTC))
    asked = f", asked for {wait:g} s" if wait is not None else ""
    return RateLimited(f"{who} asks to wait ({word or f'HTTP {answer.status}'}{asked})", wait)


def retry_after(value: str | None, now: datetime) -> float | None:
    """Whole seconds of a `Retry-After` header, read leniently; None where it says nothing.

    Numbers with a fraction and HTTP dates are understood; negative and senseless ones are not.
    """
    if value is None or len(value) > 100:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = max(0.0, (moment - now).total_seconds())
    if not math.isfinite(seconds) or seconds < 0:
        return None
    return float(math.ceil(seconds))


def remark(text: str, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """What a target said, fit for a reason: one short line, our secrets taken out.

    Secrets are found as they are, percent-encoded or not, and in base64 (a mail server may echo
    the line it did not understand); long ones also by their beginning, as an echo may be cut.
    """
    said = one_line(text[: 8 * limit])
    spellings = {
        spelling
        for secret in secrets
        for spelling in (
            secret,
            quote(secret, safe=""),
            unquote(secret),
            base64.b64encode(secret.encode()).decode(),
            base64.urlsafe_b64encode(secret.encode()).decode(),
        )
        if len(spelling) > 2
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        said = re.sub(re.escape(spelling), "[secret]", said, flags=re.IGNORECASE)
        if len(spelling) >= _LONG:
            beginning = rf"{re.escape(spelling[: _LONG // 2])}[\w.~+/=%-]*"
            said = re.sub(beginning, "[secret]", said, flags=re.IGNORECASE)
    return one_line(said, limit)


def url_secrets(url: str) -> tuple[str, ...]:
    """What of a webhook's URL is secret: all of it that is long, since any part may be."""
    parts = urlsplit(url)
    pieces = re.split(r"[/?&=]", f"{parts.path}?{parts.query}")
    return (url, *(piece for piece in pieces if len(piece) >= 8))
