"""Changing something: through the relay that serves the journal, else under its lock."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, UnixConnector

from relay.control import short_path, socket_path, user
from relay.errors import RelayError, UsageError
from relay.journal import Journal, Store
from relay.journal.doors import is_shared, is_there, journal_path, open_journal, shown
from relay.settings import Settings

PATIENCE = 30.0
"""Seconds, unless the question is known to take longer."""

Change = Callable[[Journal, datetime, str], Awaitable[dict[str, Any]]]
"""What is done under the lock: with the journal, now, and who it is; its answer in JSON."""


class RefusedError(RelayError):
    """The relay refused rules or templates; the text has a line for every finding."""


async def change(
    settings: Settings,
    path: str,
    body: Mapping[str, Any],
    under_lock: Change,
    *,
    patience: float = PATIENCE,
) -> dict[str, Any]:
    """What `POST path` answers, or the same where no relay serves the journal."""
    answer = await ask_relay(settings, path, body, patience=patience)
    return await locked(settings, under_lock) if answer is None else answer


async def locked(settings: Settings, under_lock: Change) -> dict[str, Any]:
    """Change the journal, which no relay serves. Raises `UsageError` where there is none."""
    now = datetime.now(UTC)
    async with opened(settings, now) as store:
        return await under_lock(store.journal, now, user())


@asynccontextmanager
async def opened(settings: Settings, now: datetime) -> AsyncIterator[Store]:
    """The journal, which no relay serves, under its lock. Raises `UsageError` if there is none."""
    if not is_there(settings.journal):
        raise UsageError(
            f"there is no journal at {shown(settings.journal)}; `relay serve` makes one"
        )
    store = await open_journal(settings.journal, now=now)
    try:
        yield store
    finally:
        await store.journal.close()


def agreed(question: str) -> bool:
    """Ask whoever sits there; where nobody does, it is a no."""
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


async def ask_relay(
    settings: Settings,
    path: str,
    body: Mapping[str, Any] | None,
    *,
    patience: float = PATIENCE,
) -> dict[str, Any] | None:
    """Ask the API of the relay that serves this journal, with a body by POST; None where none does.

    Raises `RelayError` with the relay's own words where it does not answer 200; `UsageError` where
    it says that it was asked wrongly, `RefusedError` where it refused the files.
    """
    if is_shared(settings.journal):
        return None  # what relays share, a command changes as they do
    socket = socket_path(journal_path(settings.journal))
    if not socket.exists():
        return None
    with short_path(socket) as short:
        connector = UnixConnector(path=str(short))
        async with ClientSession(
            connector=connector, timeout=ClientTimeout(total=patience)
        ) as session:
            try:
                method = "GET" if body is None else "POST"
                async with session.request(method, f"http://relay{path}", json=body) as answer:
                    shape: dict[str, Any] = await answer.json()
            except ClientConnectionError:
                return None
            except TimeoutError:
                raise RelayError(
                    f"the relay has not answered within {patience:.0f} seconds; it may still do it"
                ) from None
    if findings := shape.get("findings") if answer.status == 422 else None:
        raise RefusedError("\n".join(findings))
    if answer.status != 200:
        wrong = UsageError if answer.status == 400 else RelayError
        raise wrong(str(shape.get("error", f"the relay answered {answer.status}")))
    return shape
