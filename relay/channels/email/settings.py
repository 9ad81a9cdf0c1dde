"""E-mail: the settings of a submission server and of the people who get the mail."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    field_validator,
    model_validator,
)

from relay.channels import NO_PACE, Destination, Outbound, Pace
from relay.channels.addresses import is_public, literal_address
from relay.channels.email.oauth import OAuth
from relay.channels.settings import Settings, StandIn, checked_url, fingerprint, short_hash

ACCOUNT_PACE = Pace(count=30, seconds=60, burst=3)
"""Exchange Online takes 30 messages a minute (Microsoft, SMTP submission improvements)."""
PORTS = {"implicit": 465, "starttls": 587, "none": 25}
_USUAL_TLS = {465: "implicit", 587: "starttls", 25: "starttls"}
MOST_RECIPIENTS = 100
"""A server must take 100 recipients in one mail (RFC 5321, 4.5.3.1.8); more is no alert."""

_INSIDE = (
    ".local", ".localhost", ".localdomain", ".internal", ".intranet", ".lan", ".corp",
    ".home.arpa", ".private", ".test", ".invalid",
)  # fmt: skip
"""Ends of names that no public name server answers for (RFC 6762, appendix G, and RFC 6761)."""

_PASSWORDLESS = (
    (
        "Microsoft 365",
        re.compile(r"smtp\.office365\.com|(.+\.)?outlook\.com"),
        "tenant: …, client_id: …, client_secret: …",
    ),
    (
        "Google",
        re.compile(r"smtp(-relay)?\.gmail\.com"),
        "token_url: https://oauth2.googleapis.com/token, client_id: …, client_secret: …, "
        "refresh_token: …",
    ),
)
"""Whose servers take tokens, and passwords less and less: a name, the hosts, what to write."""

_ADDRESS = StandIn("{name}@relay.invalid")

# Dot-atoms only: quoted local parts are legal, unused, and the usual way to smuggle.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
FULL_NAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL.pattern}(\.{_LABEL.pattern})+")
"""A name with its domain, as a mail server wants it in a greeting."""
_LITERAL = re.compile(r"\[(\d{1,3}(\.\d{1,3}){3}|IPv6:(?=.*:.*:)[0-9A-Fa-f.:]+)\]")
"""An address in its place (RFC 5321, 4.1.3)."""


def checked_address(text: str) -> str:
    """One bare mail address, its domain in ASCII; raises ValueError where it is none."""
    local, at, domain = text.strip(" ").rpartition("@")
    try:
        domain = domain.encode("idna").decode() if not domain.isascii() else domain
    except UnicodeError:
        at = ""
    labels = domain.split(".")
    if (
        not at
        or len(local) > 64
        or len(domain) > 253
        or not _LOCAL.fullmatch(local)
        or not all(_LABEL.fullmatch(label) for label in labels)
    ):
        raise ValueError("not a mail address: write it as name@example.com")
    return f"{local}@{domain}"


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _addresses(values: list[str]) -> list[str]:
    if len(values) > MOST_RECIPIENTS:
        raise ValueError(f"more than {MOST_RECIPIENTS} addresses: use a distribution list")
    found: dict[str, str] = {}
    for number, value in enumerate(values, 1):
        try:
            address = checked_address(value)
        except ValueError as error:
            raise ValueError(f"address {number} is {error}") from None
        found.setdefault(address.casefold(), address)
    return list(found.values())


class EmailAccount(Settings):
    """A submission server and the sender's identity."""

    host: str
    port: Annotated[int | None, StandIn("587")] = Field(default=None, ge=1, le=65535)
    """Default: 465 for implicit, 587 for starttls, 25 for none."""
    tls: Annotated[Literal["implicit", "starttls", "none"], StandIn("starttls")]
    sender: Annotated[str, _ADDRESS]
    """`Relay <relay@example.com>` or the address alone."""
    username: str | None = None
    password: SecretStr | None = None
    oauth: OAuth | None = None
    reply_to: Annotated[str | None, _ADDRESS] = None
    hostname: Annotated[str | None, StandIn("{name}.relay.invalid")] = None
    """What the relay calls itself in the greeting: a full name, or an address in brackets.

    Default: the machine's full name, or its address where it has none."""

    @field_validator("hostname")
    @classmethod
    def _hostname_is_full(cls, name: str | None) -> str | None:
        if name is None or FULL_NAME.fullmatch(name) or _LITERAL.fullmatch(name):
            return name
        raise ValueError(
            "hostname must be a full name such as relay.example.com, or an address such as "
            "[192.0.2.7]: mail servers refuse others"
        )

    @field_validator("host")
    @classmethod
    def _host_is_one(cls, host: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9_.:\[\]-]{1,253}", host):
            raise ValueError("host must be a bare name or address, such as smtp.example.com")
        return host.strip("[]")

    @field_validator("sender", "reply_to")
    @classmethod
    def _is_identity(cls, text: str | None) -> str | None:
        if text is not None:
            identity(text)
        return text

    @model_validator(mode="after")
    def _credentials_are_whole(self) -> Self:
        password = bool(self.password and self.password.get_secret_value())
        if password and self.oauth is not None:
            raise ValueError("give password or oauth, not both")
        if bool(self.username) != (password or self.oauth is not None):
            raise ValueError("give username with password or oauth, or none of them")
        return self


def identity(text: str) -> tuple[str, str]:
    """Display name (may be empty) and bare address; raises ValueError where it is no identity."""
    if not text.isprintable():
        raise ValueError("holds control characters: write it as Relay <relay@example.com>")
    name, address = parseaddr(text)
    try:
        return name, checked_address(address)
    except ValueError:
        raise ValueError("not a sender: write it as Relay <relay@example.com>") from None


class EmailSettings(Settings):
    """The people who get the mail."""

    to: Annotated[list[str], BeforeValidator(_as_list), _ADDRESS] = Field(min_length=1)
    cc: Annotated[list[str], BeforeValidator(_as_list), _ADDRESS] = Field(default_factory=list)

    @field_validator("to", "cc")
    @classmethod
    def _are_addresses(cls, values: list[str]) -> list[str]:
        return _addresses(values)


@dataclass(frozen=True, slots=True)
class EmailDestination(Destination):
    """Who gets it, and by which server."""

    host: str = ""
    port: int = 0
    tls: str = "starttls"
    sender: str = ""
    """The bare address, for the envelope and the Message-ID."""
    sender_name: str = ""
    username: str | None = None
    password: SecretStr | None = None
    oauth: OAuth | None = None
    """How to get a token to log in with, where no password does."""
    reply_to: str | None = None
    to: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    hostname: str | None = None
    """What to say in the greeting; None for the machine's own name."""


def account_doubts(account: EmailAccount) -> tuple[tuple[str, str], ...]:
    """What is probably wrong about a server: the key at fault, and a sentence.

    Ports as RFC 8314 has them: 465 speaks TLS from the first byte, 587 turns to it by STARTTLS.
    """
    doubts: list[tuple[str, str]] = []
    fits = _USUAL_TLS.get(account.port or PORTS[account.tls], account.tls)
    if account.tls == "none" and not _stays_inside(account.host):
        doubts.append(
            (
                "tls",
                "tls is none and the mail server is not in a private network: mails and "
                "login cross the Internet in the clear; write starttls or implicit",
            )
        )
    elif account.tls != "none" and fits != account.tls:
        doubts.append(
            (
                "port",
                f"port {account.port} and tls {account.tls} do not go together: write tls {fits}, "
                f"or port {PORTS[account.tls]}",
            )
        )
    host = account.host.rstrip(".").casefold()
    for name, pattern, instead in _PASSWORDLESS:
        if account.password is not None and pattern.fullmatch(host):
            doubts.append(
                ("password", f"{name} ends logins by password: write oauth: {{{instead}}} instead")
            )
    return tuple(doubts)


def _stays_inside(host: str) -> bool:
    """Whether a host is on this machine or in its own network, as far as its name says."""
    address = literal_address(host)
    if address is not None:
        return not is_public(address)
    name = host.rstrip(".").casefold()
    return "." not in name or name.endswith(_INSIDE)


def build(
    name: str,
    settings: EmailSettings,
    account: EmailAccount | None,
    pace: Pace | None,
    outbound: Outbound,
) -> EmailDestination:
    """The destination of these settings; raises ValueError where they cannot be used."""
    if account is None:
        raise ValueError("mail needs accounts.email with host, tls and sender")
    port = account.port or PORTS[account.tls]
    if account.oauth is not None:
        checked_url(account.oauth.endpoint, "token_url of accounts.email.oauth", outbound)
    sender_name, sender = identity(account.sender)
    recipients = tuple(_addresses([*settings.to, *settings.cc]))
    to = tuple(settings.to)
    server = f"{account.host.casefold()}:{port}"
    people = sorted(address.casefold() for address in recipients)
    more = f"+{len(people) - 1}" if len(people) > 1 else ""
    return EmailDestination(
        name,
        "email",
        target=f"email:{server}:{people[0]}{more}:{short_hash(' '.join(people))}",
        account=f"email:{server}:{account.username or ''}",
        pace=NO_PACE if pace is None else pace,
        account_pace=ACCOUNT_PACE if pace is None else pace,
        recipients=recipients,
        fingerprint=fingerprint(outbound.key, settings, account),
        host=account.host,
        port=port,
        tls=account.tls,
        sender=sender,
        sender_name=sender_name,
        username=account.username or None,
        password=account.password if account.username else None,
        oauth=account.oauth,
        reply_to=account.reply_to,
        to=to,
        cc=tuple(address for address in recipients if address not in to),
        hostname=account.hostname,
    )
