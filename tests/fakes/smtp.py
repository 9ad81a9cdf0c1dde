"""A fake mail server with scripted replies, STARTTLS, implicit TLS and AUTH."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import defaultdict, deque
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Self, cast

from tests.needs import PATIENCE

DROP = "drop"
"""As a reply: close the connection instead."""
STALL = "stall"
"""As a reply: never answer."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail whose final dot was read."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage
    encrypted: bool
    user: str | None


@dataclass(slots=True)
class _Session:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    encrypted: bool
    user: str | None = None
    sender: str = ""
    recipients: list[str] = field(default_factory=list)


class FakeSmtp:
    """A mail server on loopback; use `async with` or `start` and `stop`.

    `reply(command, ...)` scripts what is answered to CONNECT, EHLO, STARTTLS, AUTH, MAIL, RCPT,
    DATA (before the mail) and DOT (after it). The mail counts as got before DOT is answered.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
        offer_starttls: bool = True,
        users: dict[str, str] | None = None,
        tokens: dict[str, str] | None = None,
    ) -> None:
        self.mails: list[Mail] = []
        self.commands: list[str] = []
        """Every line of every session, the texts of mails and logins left out."""
        self.open_now = 0
        self.most_open = 0
        self.host = "localhost" if tls else "127.0.0.1"
        self.port = 0
        self._tls = tls
        self._implicit = implicit
        self._starttls = tls is not None and not implicit and offer_starttls
        self._users = users
        self.tokens = tokens
        """By user, of those who log in by XOAUTH2; None where that is not offered."""
        self._once: defaultdict[tuple[str, str], deque[str]] = defaultdict(deque)
        self._always: dict[tuple[str, str], str] = {}
        self._changed = asyncio.Condition()
        self._stop = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._sessions: set[asyncio.Task[None]] = set()

    def reply(self, command: str, *replies: str, to: str = "") -> None:
        """Answer the next of this command so, in order, then normally; `to`: one recipient's."""
        self._once[command, to].extend(replies)

    def always(self, command: str, reply: str | None, to: str = "") -> None:
        """Answer this command so until told otherwise (None)."""
        if reply is None:
            self._always.pop((command, to), None)
        else:
            self._always[command, to] = reply

    async def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Mail]:  # noqa: ASYNC109
        """The mails, once there are so many."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.mails) >= count)
        return self.mails

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen; a port of 0 is a free one."""
        self._stop.clear()
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", port, ssl=self._tls if self._implicit else None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and drop all sessions."""
        self._stop.set()
        if self._server is not None:
            self._server.close()
        for task in tuple(self._sessions):
            task.cancel()
        await asyncio.gather(*self._sessions, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    def _choose(self, command: str, usual: str, to: str = "") -> str:
        for place in ((command, to), (command, "")):
            if self._once[place]:
                return self._once[place].popleft()
            if place in self._always:
                return self._always[place]
        return usual

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._session(reader, writer))
        self._sessions.add(task)
        task.add_done_callback(self._sessions.discard)

    async def _session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)
        session = _Session(reader, writer, encrypted=self._implicit)
        try:
            if await self._say(session, self._choose("CONNECT", "220 fake ready")):
                while (line := await session.reader.readline()).endswith(b"\n"):
                    if not await self._command(session, line.decode("latin-1").strip()):
                        break
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_now -= 1
            session.writer.transport.abort()

    async def _say(self, session: _Session, text: str) -> bool:
        """Answer; False where the session ends with it."""
        if text == STALL:
            await self._stop.wait()
            return False
        if text == DROP:
            return False
        await self._line(session, text)
        return not text.startswith("421")

    async def _line(self, session: _Session, text: str) -> None:
        session.writer.write(text.replace("\n", "\r\n").encode() + b"\r\n")
        await session.writer.drain()

    async def _command(self, session: _Session, line: str) -> bool:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        self.commands.append(verb if verb == "AUTH" else line)
        match verb:
            case "EHLO" | "HELO":
                return await self._say(session, self._choose("EHLO", self._extensions(session)))
            case "STARTTLS" if self._starttls:
                return await self._upgrade(session)
            case "AUTH":
                return await self._login(session, rest)
            case "MAIL":
                session.sender, session.recipients = _address(rest), []
                return await self._say(session, self._choose("MAIL", "250 2.1.0 ok"))
            case "RCPT":
                return await self._recipient(session, _address(rest))
            case "DATA":
                return await self._mail(session)
            case "QUIT":
                await self._line(session, "221 bye")
                return False
        await self._line(session, "250 ok" if verb in ("RSET", "NOOP") else "502 5.5.2 unknown")
        return True

    def _extensions(self, session: _Session) -> str:
        offers = ["fake", "8BITMIME"]
        if self._starttls and not session.encrypted:
            offers.append("STARTTLS")
        if self._users is not None:
            offers.append("AUTH PLAIN")
        if self.tokens is not None:
            offers.append("AUTH XOAUTH2")
        return "\n".join(
            f"250{' ' if number == len(offers) else '-'}{offer}"
            for number, offer in enumerate(offers, 1)
        )

    async def _upgrade(self, session: _Session) -> bool:
        text = self._choose("STARTTLS", "220 2.0.0 go ahead")
        if not await self._say(session, text) or not text.startswith("220"):
            return text not in (DROP, STALL)
        await session.writer.start_tls(cast(ssl.SSLContext, self._tls))
        session.encrypted = True
        return True

    async def _login(self, session: _Session, rest: str) -> bool:
        if rest.startswith("XOAUTH2 "):
            return await self._login_by_token(session, rest)
        _, user, password = base64.b64decode(rest.partition(" ")[2]).decode().split("\0")
        known = (self._users or {}).get(user) == password
        if known:
            session.user = user
        answer = "235 2.7.0 welcome" if known else "535 5.7.8 bad credentials"
        return await self._say(session, self._choose("AUTH", answer))

    async def _login_by_token(self, session: _Session, rest: str) -> bool:
        """As Google and Microsoft do: what is wrong is told as a challenge before the refusal."""
        said = base64.b64decode(rest.partition(" ")[2]).decode()
        user, bearer = said.rstrip("\1").split("\1")
        user = user.removeprefix("user=")
        if bearer == f"auth=Bearer {(self.tokens or {}).get(user)}":
            session.user = user
            return await self._say(session, self._choose("AUTH", "235 2.7.0 welcome"))
        challenge = base64.b64encode(b'{"status": "400", "schemes": "Bearer"}').decode()
        await self._line(session, f"334 {challenge}")
        await session.reader.readline()
        return await self._say(
            session, self._choose("AUTH", "535 5.7.3 Authentication unsuccessful")
        )

    async def _recipient(self, session: _Session, address: str) -> bool:
        text = self._choose("RCPT", "250 2.1.5 ok", address)
        if text.startswith("25"):
            session.recipients.append(address)
        return await self._say(session, text)

    async def _mail(self, session: _Session) -> bool:
        text = self._choose("DATA", "354 go ahead")
        if not await self._say(session, text):
            return False
        if not text.startswith("354"):
            return True
        lines = []
        while (line := await session.reader.readline()) != b".\r\n":
            if not line:
                return False
            lines.append(line[1:] if line.startswith(b".") else line)
        raw = b"".join(lines)
        message = cast(EmailMessage, message_from_bytes(raw, policy=default))
        self.mails.append(
            Mail(
                session.sender,
                tuple(session.recipients),
                raw,
                message,
                session.encrypted,
                session.user,
            )
        )
        async with self._changed:
            self._changed.notify_all()
        return await self._say(session, self._choose("DOT", "250 2.0.0 queued as 4711"))


def _address(rest: str) -> str:
    return rest.partition("<")[2].partition(">")[0]
