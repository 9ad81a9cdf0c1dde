"""360dialog's Partner API, as far as the relay asks it: the partner's numbers and its webhook URL.

Base address, path, the parameters `limit`, `offset` and `sort`, and the `X-API-Key` header are
those of 360dialog's Partner API documentation; the channel object is the one of its webhooks.
How a page is wrapped is not documented, so any list of objects in it is taken. The webhook URL
is read from and posted to `…/webhook_url`, as `{"webhook_url": …}`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
from yarl import URL

from relay.directory import Contact
from relay.errors import PartnerApiError, UsageError
from relay.phones import index_key
from relay.proxies import Proxies
from relay.sources import facts
from relay.sources.watch import Seen, contact_of, seen

BASE_URL = "https://hub.360dialog.io"
PREFIX = "/api/v2"
PAGE = 100
MOST_PAGES = 10_000
LARGEST_PAGE = 32 * 1024 * 1024
TIMEOUT = 30.0
"""Seconds for one page."""
TRIES = 5
"""Of one page that 360dialog cannot give now."""
LONGEST_PAUSE = 60.0
UNCHANGED = "nothing was changed"
_WRAPPINGS = ("partner_channels", "channels", "data", "items", "results")


@dataclass(frozen=True, slots=True)
class Access:
    """Where the Partner API is, and who asks."""

    partner_id: str
    api_key: str = field(repr=False)
    base_url: str = BASE_URL
    proxy: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, env: Mapping[str, str], *, allow_private: bool = False) -> Access:
        """From the environment. Raises `UsageError` naming each variable that is missing."""
        names = ("RELAY_360DIALOG_PARTNER_ID", "RELAY_360DIALOG_API_KEY")
        missing = [name for name in names if not env.get(name, "").strip()]
        if missing:
            raise UsageError(f"set {' and '.join(missing)}: both stand in 360dialog's Partner Hub")
        partner_id, key = (env[name].strip() for name in names)
        if not key.isascii() or not key.isprintable():
            raise UsageError("RELAY_360DIALOG_API_KEY holds characters that no key has")
        url = env.get("RELAY_360DIALOG_API_URL", "").strip() or BASE_URL
        base = _checked(url, allow_private)
        return cls(partner_id, key, base, Proxies.of(env).of_url(base))


class PartnerApi:
    """Asks the Partner API; made by `connect`."""

    def __init__(
        self,
        access: Access,
        session: aiohttp.ClientSession,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
        tries: int = TRIES,
    ) -> None:
        self._access = access
        self._session = session
        self._pause = pause
        self._tries = tries

    async def contacts(self) -> Sequence[Contact]:
        """All numbers of the partner, read page by page.

        Of a number with several channels, those that ended count only if all did. Raises
        `PartnerApiError`.
        """
        found = [contact_of(channel) async for channel in self._channels()]
        alive = {index_key(one.phone) for one in found if one.phone and not one.ended}
        return [
            one for one in found if not (one.ended and one.phone and index_key(one.phone) in alive)
        ]

    async def look(self) -> Sequence[Seen]:
        """All numbers with what is watched of them.

        Raises `PartnerApiError`, also where the list ends before all that it says it has.
        """
        return [seen(channel) async for channel in self._channels(whole=True)]

    async def _channels(self, *, whole: bool = False) -> AsyncIterator[dict[str, Any]]:
        known: set[str] = set()
        offset, whole_count = 0, None
        for _ in range(MOST_PAGES):
            answer = await self.get("channels", limit=PAGE, offset=offset, sort="id")
            channels = _listed(answer)
            new = [one for one in channels if _key(one) not in known]
            for channel in new:
                known.add(_key(channel))
                yield channel
            offset += len(channels)
            total = answer.get("total") if isinstance(answer, dict) else None
            whole_count = total if type(total) is int else whole_count
            # A full page of as many as there are in all may have counted itself alone.
            counts_itself = whole_count == len(channels) == PAGE
            if whole_count is not None and offset >= whole_count and not counts_itself:
                return
            # A page without anything new is the end too: whoever ignores `offset` repeats it.
            if not new:
                if whole and whole_count is not None and len(known) < whole_count:
                    raise PartnerApiError(
                        f"360dialog's list has {len(known)} of {whole_count} channels; {UNCHANGED}"
                    )
                return
        raise PartnerApiError(f"360dialog lists more than {MOST_PAGES} pages of channels")

    async def get(self, path: str, **query: str | int) -> Any:
        """The JSON at a path below the partner. Raises `PartnerApiError`."""
        return _read(*await self._done("GET", path, query=query), UNCHANGED)

    async def webhook_url(self, otherwise: str = UNCHANGED) -> str | None:
        """Where the partner's events are posted to; None: nowhere.

        Raises `PartnerApiError`, which says `otherwise` of what was done before.
        """
        status, body = await self._done("GET", "webhook_url", given_up=otherwise)
        if status != 404:
            return _webhook_url(_read(status, body, otherwise), otherwise)
        # Perhaps there is none yet; of an unknown partner its own address says so.
        status, body = await self._done("GET", "", given_up=otherwise)
        return _webhook_url([_read(status, body, otherwise), {"webhook_url": None}], otherwise)

    async def set_webhook_url(self, url: str) -> None:
        """Have the partner's events posted to this URL, in the place of any other.

        Raises `PartnerApiError`; what is registered then is known by asking only.
        """
        unclear = "whether it was changed is not known: ask again"
        wanted = {"webhook_url": url}
        status, body = await self._done("POST", "webhook_url", wanted, unclear)
        if status in (404, 405):
            status, body = await self._done("PATCH", "", wanted, unclear)
        # The answer is not needed: whoever wants to be sure asks what is registered.
        if not 200 <= status < 300:
            _read(status, body, UNCHANGED)

    async def _done(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        given_up: str = UNCHANGED,
        *,
        query: Mapping[str, str | int] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of what may be asked repeatedly, once 360dialog can answer."""
        partner = quote(self._access.partner_id, safe="")
        place = f"{partner}/{path}" if path else partner
        url = URL(f"{self._access.base_url}{PREFIX}/partners/{place}", encoded=True)
        reason, wait = "", 0.0
        for attempt in range(self._tries):
            if attempt:
                await self._pause(wait)
            wait = min(2.0**attempt, LONGEST_PAUSE)
            try:
                status, after, answer = await self._ask(method, url.update_query(query or {}), body)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                reason = f"360dialog's Partner API cannot be reached ({type(error).__name__})"
                continue
            if status == 429 or status >= 500:
                reason = f"360dialog's Partner API answers {status}"
                wait = wait if after is None else min(after, LONGEST_PAUSE)
                continue
            return status, answer
        times = f", {self._tries} times" if self._tries > 1 else ""
        raise PartnerApiError(f"{reason}{times}; {given_up}")

    async def _ask(
        self, method: str, url: URL, body: Mapping[str, str] | None
    ) -> tuple[int, float | None, bytes]:
        headers = {"X-API-Key": self._access.api_key, "Accept": "application/json"}
        async with self._session.request(
            method, url, headers=headers, json=body, allow_redirects=False
        ) as answer:
            content = bytearray()
            async for piece in answer.content.iter_chunked(65_536):
                content += piece
                if len(content) > LARGEST_PAGE:
                    raise PartnerApiError("360dialog's answer is larger than any page can be")
            said = answer.headers.get("Retry-After", "").strip()
            after = float(said) if said.isascii() and said.isdecimal() else None
            return answer.status, after, bytes(content)


@asynccontextmanager
async def connect(
    access: Access,
    *,
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    patience: float = TIMEOUT,
    tries: int = TRIES,
) -> AsyncIterator[PartnerApi]:
    """The Partner API for some requests: `patience` is in seconds for each of the `tries`."""
    timeout = aiohttp.ClientTimeout(total=patience)
    jar = aiohttp.DummyCookieJar()
    async with aiohttp.ClientSession(
        timeout=timeout, cookie_jar=jar, proxy=access.proxy
    ) as session:
        yield PartnerApi(access, session, pause, tries)


def _read(status: int, body: bytes, given_up: str) -> Any:
    if status in (401, 403):
        raise PartnerApiError(
            f"360dialog refuses the key ({status}): look at RELAY_360DIALOG_API_KEY and "
            "RELAY_360DIALOG_PARTNER_ID"
        )
    if status == 404:
        raise PartnerApiError("360dialog knows no such partner: look at RELAY_360DIALOG_PARTNER_ID")
    if status != 200:
        raise PartnerApiError(f"360dialog's Partner API answers {status}; {given_up}")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PartnerApiError(f"360dialog's answer is no JSON; {given_up}") from None


def _webhook_url(answer: Any, otherwise: str) -> str | None:
    """The URL in an answer, however it is wrapped. Raises `PartnerApiError` where there is none."""
    for outer in answer if isinstance(answer, list) else [answer]:
        wrapped = outer if isinstance(outer, dict) else {}
        for place in (wrapped, wrapped.get("data"), wrapped.get("partner")):
            url = place.get("webhook_url", 0) if isinstance(place, dict) else 0
            if url is None or isinstance(url, str):
                return (url or "").strip() or None
    raise PartnerApiError(f"360dialog's answer names no webhook URL; {otherwise}")


def _listed(answer: Any) -> list[dict[str, Any]]:
    """The channels of a page, however it wraps them."""
    found = answer
    if isinstance(answer, dict):
        named = [answer[name] for name in _WRAPPINGS if isinstance(answer.get(name), list)]
        # `filters` and `sort` of the request may be repeated as lists too.
        others = [one for one in answer.values() if isinstance(one, list) and _are_objects(one)]
        found = named[0] if named else max(others, key=len, default=None)
    if not isinstance(found, list) or not _are_objects(found):
        raise PartnerApiError("360dialog's answer holds no list of channels; nothing was changed")
    return found


def _are_objects(items: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in items)


def _key(channel: Mapping[str, Any]) -> str:
    return facts.id_of(channel.get("id")) or json.dumps(channel, sort_keys=True, default=str)


def _checked(url: str, allow_private: bool) -> str:
    """The base address without the API's own prefix. Raises `UsageError`."""
    wrong = "RELAY_360DIALOG_API_URL must be an address such as https://hub.360dialog.io"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(wrong) from None
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query:
        raise UsageError(wrong)
    local = host == "localhost" or _is_loopback(host)
    if parts.scheme == "http" and not (local or allow_private):
        raise UsageError(f"{wrong}; without https the key would be seen on its way")
    path = parts.path.rstrip("/").removesuffix(PREFIX)
    return f"{parts.scheme}://{parts.netloc}{path}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
