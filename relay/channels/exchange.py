"""One HTTP request of a channel: guarded, capped, and honest about how far it came.

No redirects, no proxy from the environment, no cookies, no address that is not public (unless
allowed), at most 64 KB of an answer. Connections are not kept: on a kept one, a target that
closed it meanwhile would make a needless "may have been posted".
"""

from __future__ import annotations

import errno
import math
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from relay.channels import Outbound
from relay.channels.addresses import is_public
from relay.deliveries import Ambiguous, OutOfOrder, RateLimited, Scope, Transient

if TYPE_CHECKING:
    import aiohttp

MOST_BYTES = 65_536
"""Of an answer; a longer one is cut."""

_HOPELESS_TLS = frozenset(
    {"UNSUPPORTED_PROTOCOL", "WRONG_VERSION_NUMBER", "TLSV1_ALERT_PROTOCOL_VERSION",
     "NO_PROTOCOLS_AVAILABLE", "HTTP_REQUEST", "DH_KEY_TOO_SMALL"}
)  # fmt: skip

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


class Wire:
    """The one request of one send.

    It has as much of an `aiohttp.ClientSession` as the Slack SDK uses, so that the SDK can write
    the request. The answer is kept here; the SDK is shown a plain success instead, since it
    crashes on odd answers.
    """

    closed = False

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._used = False
        self.written = False
        """Whether any byte of the request may have reached the target."""
        self.answer: Answer | None = None

    @asynccontextmanager
    async def request(
        self,
        verb: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        data: str | bytes | None = None,
        json: Any = None,
        **_ignored: Any,
    ) -> AsyncIterator[_Success]:
        """Send it and keep the answer; `proxy`, `ssl` and the like of a caller are ignored."""
        from yarl import URL

        if self._used:
            raise RuntimeError("a send is one request")
        self._used = True
        async with self._session.request(
            verb,
            URL(url, encoded=True),
            headers=headers,
            data=data,
            json=json,
            allow_redirects=False,
            trace_request_ctx=self,
        ) as response:
            body = bytearray()
            whole = False
            try:
                async for piece in response.content.iter_chunked(8_192):
                    body += piece
                    if len(body) > MOST_BYTES:
                        break
                else:
                    whole = True
            finally:
                self.answer = Answer(
                    response.status, response.headers, bytes(body[:MOST_BYTES]), whole
                )
                if not whole:
                    response.close()
        yield _Success(headers={})


@dataclass(frozen=True, slots=True)
class _Success:
    """What the Slack SDK gets to see of every answer."""

    headers: Mapping[str, str]
    status: int = 200
    content_type: str = "application/json"

    async def json(self) -> dict[str, bool]:
        return {"ok": True}

    async def text(self) -> str:
        return "ok"


class Sessions:
    """The HTTP session of one channel, opened when it is first needed."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound
        self._session: aiohttp.ClientSession | None = None

    def wire(self) -> Wire:
        """A request to be made; must be called inside a running loop."""
        if self._session is None or self._session.closed:
            self._session = self._open()
        return Wire(self._session)

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(_note_written)
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(),
                force_close=True,
                limit=0,
                socket_factory=_open_socket if self._outbound.allow_private else _guarded_socket,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            # The total of a send is kept by its caller, over everything it does.
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            trace_configs=[trace],
        )

    async def close(self) -> None:
        """Close it."""
        if self._session is not None:
            await self._session.close()
            self._session = None


async def _note_written(_session: Any, context: Any, _params: Any) -> None:
    context.trace_request_ctx.written = True


def _open_socket(info: tuple[Any, ...]) -> socket.socket:
    return socket.socket(family=info[0], type=info[1], proto=info[2])


def _guarded_socket(info: tuple[Any, ...]) -> socket.socket:
    address = str(info[4][0])
    if not is_public(address):
        raise PrivateAddressError(address)
    return _open_socket(info)


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
    who: str, error: BaseException, wire: Wire, scope: Scope = Scope.TARGET
) -> Transient | Ambiguous | OutOfOrder:
    """The outcome of a request that got no answer; `scope` is whose the address is."""
    if wire.written:
        late = any(isinstance(cause, TimeoutError) for cause in causes(error))
        how = "no answer in time" if late else "the connection was lost before an answer"
        return Ambiguous(f"{who}: {how}, it may have been posted")
    for cause in causes(error):
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
    return Transient(f"{who}: {connection_fault(error)}, nothing was sent", scope)


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
