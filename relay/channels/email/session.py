"""One mail through one connection, step by step, so that silence is told from refusal."""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from relay.channels.email.answers import (
    OAUTH,
    Standing,
    Step,
    ends_all,
    never,
    refusal,
    remedy,
    reply,
)
from relay.channels.email.settings import FULL_NAME, EmailDestination
from relay.channels.email.writing import compose
from relay.channels.exchange import causes, connection_fault, tls_fault
from relay.outcomes import (
    Ambiguous,
    Outcome,
    OutOfOrder,
    PartlyRefused,
    Proof,
    Refused,
    Scope,
    Sent,
    Transient,
)

if TYPE_CHECKING:
    import aiosmtplib
    from pydantic import SecretStr

_DOTS = re.compile(rb"(?m)^\.")


@dataclass(slots=True)
class Conversation:
    """What is said to a mail server for one mail."""

    destination: EmailDestination
    payload: Mapping[str, Any]
    tls: ssl.SSLContext
    limit: float
    """Seconds, of all of it."""
    standing: Standing
    """Of the account."""
    name: str | None
    """What we call ourselves in the greeting; None: by our address."""
    token: SecretStr | None = None
    """To log in with, in the place of a password."""
    token_refused: bool = False
    """Whether the server did not take it (535): it may have ended before its time."""
    _step: Step = Step.CONNECT
    _client: aiosmtplib.SMTP | None = None

    async def deliver(self) -> Outcome:
        """Send the mail. Never raises anything but a cancellation."""
        try:
            async with asyncio.timeout(self.limit):
                return await self._hold()
        except Exception as error:
            return self._broken(error)
        finally:
            self._close()

    @property
    def _secrets(self) -> tuple[str, ...]:
        """What a server may echo and nobody may read."""
        username, password = self.destination.username, self.destination.password
        if self.token is not None:
            token = self.token.get_secret_value()
            return (token, f"user={username}\1auth=Bearer {token}\1\1")
        if password is None:
            return ()
        return (password.get_secret_value(), f"\0{username}\0{password.get_secret_value()}")

    async def _hold(self) -> Outcome:
        """All of it, from the connection to the answer to the final dot."""
        try:
            mail = compose(self.payload)
        except (ValueError, LookupError, TypeError) as error:
            return Refused(f"the mail cannot be written ({type(error).__name__})")
        client = self._client = self._open()
        await client.connect()
        await self._greet(client)
        if (fault := await self._secure(client)) or (fault := await self._login(client)):
            return fault
        self._step = Step.SENDER
        await client.mail(self.destination.sender)
        self._step = Step.RECIPIENT
        recipients: Sequence[str] = self.payload["recipients"]
        refused = await self._recipients(client, recipients)
        if not isinstance(refused, dict):
            return refused
        if len(refused) == len(recipients):
            return self._taken_by_none(refused)
        taken = [recipient for recipient in recipients if recipient not in refused]
        self.standing.taken(self.destination.target, taken, _now())
        answer = await self._hand_over(client, mail)
        reference = {"Message-ID": str(self.payload["headers"]["Message-ID"])}
        if refused:
            return self._sorted(refused, reference)
        return Sent(Proof.POSTED, reference, f"the mail server took it ({answer})")

    def _broken(self, error: Exception) -> Outcome:
        """What it means that the conversation ended with this error."""
        import aiosmtplib

        if isinstance(error, aiosmtplib.SMTPResponseException):
            by_token = self._step is Step.LOGIN and self.token is not None
            self.token_refused = by_token and error.code == 535
            return refusal(self._step, error.code, error.message, self._secrets, by_token=by_token)
        if self._step is Step.SENT:
            late = any(isinstance(cause, TimeoutError) for cause in causes(error))
            how = "did not confirm it in time" if late else "was lost before it confirmed"
            return Ambiguous(f"the mail server got the mail and {how}: it may have been taken")
        if (fault := tls_fault(error)) is not None:
            return OutOfOrder(f"the mail server: {fault}", Scope.ACCOUNT)
        return Transient(
            f"the mail server: {connection_fault(error)}, nothing was sent", Scope.ACCOUNT
        )

    def _close(self) -> None:
        """Say goodbye without waiting for an answer, and let go."""
        if self._client is None:
            return
        protocol = self._client.protocol
        if protocol is not None and protocol.is_connected and self._step > Step.TLS:
            protocol.write(b"QUIT\r\n")
        self._client.close()

    def _open(self) -> aiosmtplib.SMTP:
        import aiosmtplib

        # STARTTLS is asked for in `_secure`: left to itself the client goes on in clear text
        # where the server does not offer it.
        return aiosmtplib.SMTP(
            hostname=self.destination.host,
            port=self.destination.port,
            use_tls=self.destination.tls == "implicit",
            start_tls=False,
            tls_context=self.tls,
            timeout=self.limit,
            local_hostname="localhost",  # never said: without it the client asks a name server
        )

    async def _greet(self, client: aiosmtplib.SMTP) -> None:
        import aiosmtplib

        self._step = Step.GREETING
        name = self.name or _literal(client)
        try:
            await client.ehlo(hostname=name)
        except aiosmtplib.SMTPHeloError as error:
            if not 500 <= error.code < 600 or not client.is_connected:
                raise
            await client.helo(hostname=name)

    async def _secure(self, client: aiosmtplib.SMTP) -> Outcome | None:
        if self.destination.tls != "starttls":
            return None
        self._step = Step.TLS
        if not client.supports_extension("starttls"):
            return OutOfOrder(
                "the mail server does not offer STARTTLS, and nothing is sent in clear text: "
                "correct tls or port of accounts.email",
                Scope.ACCOUNT,
            )
        await client.starttls()
        await self._greet(client)
        return None

    async def _login(self, client: aiosmtplib.SMTP) -> Outcome | None:
        username, password = self.destination.username, self.destination.password
        if username is None:
            return None
        self._step = Step.LOGIN
        offers_tokens = "xoauth2" in client.server_auth_methods
        if self.token is not None and offers_tokens:
            await client.auth_xoauth2(username, self.token.get_secret_value())
            return None
        if password is None:
            return OutOfOrder(
                "the mail server offers no login by token (XOAUTH2): correct host, tls or port of "
                "accounts.email, or give a password in the place of oauth",
                Scope.ACCOUNT,
            )
        if offers_tokens and not client.supported_auth_methods:
            return OutOfOrder(f"the mail server takes tokens alone: {OAUTH}", Scope.ACCOUNT)
        if not client.supports_extension("auth") or not client.supported_auth_methods:
            return OutOfOrder(
                "the mail server offers no login that the relay knows: correct tls or port of "
                "accounts.email, or leave out username and password",
                Scope.ACCOUNT,
            )
        await client.login(username, password.get_secret_value())
        return None

    async def _recipients(
        self, client: aiosmtplib.SMTP, recipients: Sequence[str]
    ) -> dict[str, tuple[int, str]] | Outcome:
        """Name the recipients; the refused ones, or the outcome where it is about all."""
        import aiosmtplib

        refused: dict[str, tuple[int, str]] = {}
        for recipient in recipients:
            try:
                await client.rcpt(recipient)
            except aiosmtplib.SMTPRecipientRefused as error:
                if ends_all(error.code, error.message):
                    return refusal(self._step, error.code, error.message, self._secrets)
                refused[recipient] = (error.code, error.message)
        return refused

    def _taken_by_none(self, refused: Mapping[str, tuple[int, str]]) -> Outcome:
        final = {who: said for who, said in refused.items() if never(*said)}
        if blamed := self.standing.to_blame(self.destination.target, final, _now()):
            told = f"the mail server takes no recipient ({reply(*blamed, self._secrets)})"
            return OutOfOrder(f"{told}: {remedy(blamed[1])}", Scope.ACCOUNT)
        outcome = self._sorted(refused, {})
        if outcome.later:
            return outcome
        return OutOfOrder(
            f"every recipient is refused for good ({outcome.reason}): correct the address",
            Scope.TARGET,
        )

    def _sorted(
        self, refused: Mapping[str, tuple[int, str]], reference: Mapping[str, str]
    ) -> PartlyRefused:
        later: dict[str, str] = {}
        lost: dict[str, str] = {}
        for recipient, (code, text) in refused.items():
            (lost if never(code, text) else later)[recipient] = reply(code, text, self._secrets)
        return PartlyRefused(later, lost, reference)

    async def _hand_over(self, client: aiosmtplib.SMTP, mail: bytes) -> str:
        """DATA, in two steps: until the final dot is written, nothing can have been taken."""
        import aiosmtplib

        self._step = Step.DATA
        started = await client.execute_command(b"DATA")
        if started.code != 354:
            raise aiosmtplib.SMTPDataError(started.code, started.message)
        protocol = client.protocol
        if protocol is None or not protocol.is_connected:
            raise aiosmtplib.SMTPServerDisconnected("lost before the mail was sent")
        self._step = Step.SENT
        protocol.write(_DOTS.sub(b"..", mail) + b".\r\n")
        taken = await protocol.read_response(timeout=self.limit)
        if taken.code != 250:
            raise aiosmtplib.SMTPDataError(taken.code, taken.message)
        return reply(taken.code, taken.message, self._secrets)


def full_name() -> str | None:
    """This machine's name with its domain, if it has one; may ask a name server."""
    for name in (socket.gethostname(), socket.getfqdn()):
        if FULL_NAME.fullmatch(name) and not name.startswith("localhost."):
            return name
    return None


def _literal(client: aiosmtplib.SMTP) -> str:
    """Our address as a name (RFC 5321, 4.1.3), where there is none."""
    address = str(client.get_transport_info("sockname")[0]).partition("%")[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _now() -> float:
    return asyncio.get_running_loop().time()
