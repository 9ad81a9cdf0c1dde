"""Asking the running relay by the socket beside its journal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, UnixConnector

from relay.control import short_path, socket_path
from relay.errors import RelayError
from relay.journal.sqlite.connection import journal_path
from relay.settings import Settings

PATIENCE = 30.0
"""Seconds, unless the question is known to take longer."""


async def ask_relay(
    settings: Settings, path: str, body: Mapping[str, Any], *, patience: float = PATIENCE
) -> dict[str, Any] | None:
    """Post to the API of the relay that serves this journal; None where none does.

    Raises `RelayError` with the relay's own words where it does not answer 200.
    """
    socket = socket_path(journal_path(settings.journal))
    if not socket.exists():
        return None
    with short_path(socket) as short:
        connector = UnixConnector(path=str(short))
        async with ClientSession(
            connector=connector, timeout=ClientTimeout(total=patience)
        ) as session:
            try:
                async with session.post(f"http://relay{path}", json=dict(body)) as answer:
                    shape: dict[str, Any] = await answer.json()
            except ClientConnectionError:
                return None
            except TimeoutError:
                raise RelayError(
                    f"the relay has not answered within {patience:.0f} seconds; it may still do it"
                ) from None
    if answer.status != 200:
        raise RelayError(str(shape.get("error", f"the relay answered {answer.status}")))
    return shape
