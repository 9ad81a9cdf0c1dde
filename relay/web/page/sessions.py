"""Who is logged in to the page: sealed cookies, and tokens that belong to one session's forms.

A seal is made with the operator's token and the journal's own key: it ends when the token is
rotated, and every relay on the same journal knows it. What was logged out is remembered in the
journal until it would have ended by itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from relay.journal import Store
from relay.settings import Operator

COOKIE = "relay_session"
LASTS = timedelta(hours=12)
"""A working day; then one logs in again."""
_ENDED = "page: sessions that ended"
_LONGEST = 500
"""Characters of a cookie of ours; longer ones are somebody else's."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login."""

    id: str
    who: str
    begun: int
    """Seconds since 1970."""
    by_token: bool
    """False: a proxy says who it is, and must say so with each request."""
    key: bytes = field(repr=False)

    @property
    def cookie(self) -> str:
        """The session as a browser keeps it."""
        who = base64.urlsafe_b64encode(self.who.encode()).decode()
        how = "token" if self.by_token else "proxy"
        return f"{self.id}.{self.begun}.{how}.{who}.{self._sealed('session')}"

    @property
    def form_token(self) -> str:
        """What each form of this session carries, so that no other page can post it."""
        return self._sealed("form")

    def admits(self, token: str) -> bool:
        """Whether a form was made for this session."""
        return hmac.compare_digest(self.form_token.encode(), token.encode("utf-8", "replace"))

    def _sealed(self, what: str) -> str:
        said = json.dumps([what, self.id, self.who, self.begun, self.by_token]).encode()
        return hmac.new(self.key, said, hashlib.sha256).hexdigest()


class Sessions:
    """Begins, recognises and ends sessions."""

    def __init__(self, store: Store, operators: Iterable[Operator]) -> None:
        self._store = store
        self._operators = tuple(operators)
        self._ending = asyncio.Lock()

    def begun(self, who: str, token: bytes | None, now: datetime) -> Session:
        """A new session; without a token a proxy says who it is."""
        key = self._key(token)
        return Session(
            secrets.token_hex(16), who, int(now.timestamp()), by_token=token is not None, key=key
        )

    async def known(self, cookie: str, now: datetime) -> Session | None:
        """The session of a cookie, if it holds still."""
        session = self._opened(cookie)
        if session is None:
            return None
        age = now.timestamp() - session.begun
        if not -60 < age < LASTS.total_seconds():
            return None
        return None if session.id in await self._ended() else session

    async def end(self, session: Session, now: datetime) -> None:
        """Nobody is admitted by its cookie or its forms any more."""
        async with self._ending:
            oldest = (now - LASTS).timestamp()
            ended = {one: at for one, at in (await self._ended()).items() if at > oldest}
            ended[session.id] = session.begun
            await self._store.journal.remember(_ENDED, json.dumps(ended))

    async def _ended(self) -> dict[str, int]:
        told = await self._store.records.recalled(_ENDED)
        found: dict[str, int] = json.loads(told) if told else {}
        return found

    def _opened(self, cookie: str) -> Session | None:
        parts = cookie.split(".")
        if len(cookie) > _LONGEST or len(parts) != 5 or not cookie.isascii():
            return None
        id_, begun, how, packed, _ = parts
        try:
            who = base64.urlsafe_b64decode(packed).decode()
            at = int(begun)
        except ValueError:
            return None
        if how not in ("token", "proxy"):
            return None
        found = None
        for key in self._keys(who, how):
            session = Session(id_, who, at, by_token=how == "token", key=key)
            if hmac.compare_digest(session.cookie, cookie):
                found = session
        return found

    def _keys(self, who: str, how: str) -> Iterator[bytes]:
        if how == "proxy":
            yield self._key(None)
            return
        for operator in self._operators:
            if operator.name == who and operator.accepted:
                yield self._key(operator.accepted[0])

    def _key(self, token: bytes | None) -> bytes:
        said = b"page: by the proxy" if token is None else b"page: by the token " + token
        return hmac.new(self._store.key, said, hashlib.sha256).digest()


class Attempts:
    """Slows whoever guesses: after a few wrong tokens in a row each waits longer than the last."""

    FREE = 5
    LONGEST = 30.0
    """Seconds: somebody who guesses must not shut the door for good on others behind the same
    proxy."""
    _MOST = 10_000
    """Addresses that are remembered."""

    def __init__(self) -> None:
        self._failed: dict[str, tuple[int, float]] = {}
        """By address: how many in a row, and when the last was, in seconds."""

    def wait(self, address: str, now: float) -> float:
        """Seconds until this address may try again."""
        count, last = self._failed.get(address, (0, now))
        if count < self.FREE:
            return 0.0
        return max(0.0, last + min(self.LONGEST, 2.0 ** (count - self.FREE)) - now)

    def failed(self, address: str, now: float) -> None:
        """A token was wrong."""
        count, _ = self._failed.pop(address, (0, now))
        while len(self._failed) >= self._MOST:
            del self._failed[next(iter(self._failed))]
        self._failed[address] = (count + 1, now)

    def succeeded(self, address: str) -> None:
        """Somebody logged in."""
        self._failed.pop(address, None)
