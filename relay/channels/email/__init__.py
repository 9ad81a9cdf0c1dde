"""E-mail: the sending of a message through a submission server."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

from relay.channels import Destination, Outbound, Parcel, own
from relay.channels.email import writing as email_writing
from relay.channels.email.answers import Standing
from relay.channels.email.oauth import Token, Tokens
from relay.channels.email.session import Conversation, full_name
from relay.channels.email.settings import EmailDestination
from relay.channels.exchange import Wire
from relay.outcomes import Outcome

MOST_CONNECTIONS = 3
"""At one server at a time: Exchange Online takes no more (432 4.3.2, thread limit exceeded)."""
_NAME_SERVER = 2.0
"""Seconds that a name server is waited for."""


class EmailChannel:
    """Sends mail."""

    name = "email"

    def __init__(self, outbound: Outbound, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds, by which tokens end."""
        self._outbound = outbound
        self._wire = Wire(outbound)
        self._tokens = Tokens(self._wire, clock)
        self._servers: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(MOST_CONNECTIONS)
        )
        self._standing: defaultdict[str, Standing] = defaultdict(Standing)
        self._tls: ssl.SSLContext | None = None
        self._full_name: asyncio.Future[str | None] | None = None

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        """See `Channel.payload`: `headers`, `recipients`, and the parts `plain` and `html`."""
        return email_writing.write(parcel, own(destination, EmailDestination))

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        """See `Channel.send`.

        The time spent waiting for a free connection or a token does not count.
        """
        mail = own(destination, EmailDestination)
        if self._tls is None:
            self._tls = ssl.create_default_context()
        async with self._servers[f"{mail.host.casefold()}:{mail.port}"]:
            token: Token | None = None
            for _ in range(2):  # the second with another token
                if mail.oauth is not None:
                    got = await self._tokens.get(mail.oauth, refused=token)
                    if not isinstance(got, Token):
                        return got
                    token = got
                conversation = Conversation(
                    mail,
                    payload,
                    self._tls,
                    self._outbound.timeout,
                    self._standing[mail.account],
                    mail.hostname or await self._own_name(),
                    token.value if token is not None else None,
                )
                outcome = await conversation.deliver()
                if not conversation.token_refused:
                    break
            return outcome

    async def _own_name(self) -> str | None:
        """Found out once, in a thread, and not waited for when a name server is slow."""
        if self._full_name is None:
            loop = asyncio.get_running_loop()
            self._full_name = loop.run_in_executor(None, full_name)
        done, _ = await asyncio.wait((self._full_name,), timeout=_NAME_SERVER)
        return self._full_name.result() if done else None

    async def close(self) -> None:
        """See `Channel.close`; no connection to a mail server is kept."""
        await self._tokens.close()
        await self._wire.close()
