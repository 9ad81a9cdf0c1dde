"""What the environment and the options say, as one frozen value.

Secrets come from a variable or, with the suffix `_FILE`, from a file.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from relay.errors import UsageError
from relay.files import read_regular
from relay.proxies import Proxies
from relay.sources.signatures import SCHEMES
from relay.text import is_on
from relay.times import span

RETENTION = timedelta(days=90)
SHORTEST_RETENTION = timedelta(days=14)
_NOTHING = re.compile(r"0\s*[a-z]*")

NO_PLACEHOLDERS: Final = "RELAY_NO_PLACEHOLDERS"
"""Set for whoever tries rules of somebody who may not read variables, the relay's own included."""

LARGEST_SECRET = 65_536
"""Bytes; a secret file larger than this is not a secret."""


class Environment(Mapping[str, str]):
    """Variables, where `NAME_FILE` stands for the contents of a file if `NAME` is not set."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> str:
        if name in self._variables:
            return self._variables[name]
        if name.endswith("_FILE"):
            raise KeyError(name)
        path = Path(self._variables[f"{name}_FILE"])
        try:
            content = read_regular(path, LARGEST_SECRET)
            if len(content) > LARGEST_SECRET:
                raise UsageError(f"{name}_FILE: {path} is too large for a secret")
            wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            return content.decode("utf-16" if wide else "utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UsageError(f"{name}_FILE: cannot read {path}: {why}") from None

    def __iter__(self) -> Iterator[str]:
        names = dict.fromkeys(self._variables)
        names.update(
            dict.fromkeys(name.removesuffix("_FILE") for name in names if name.endswith("_FILE"))
        )
        return iter(names)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._variables or f"{name}_FILE" in self._variables


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True)
class Operator:
    """A person with a name who changes something, and a token that proves who it is."""

    name: str
    accepted: tuple[bytes, ...] = field(repr=False)
    """What a client may send as the token; none of them empty."""


def operators(text: str) -> tuple[Operator, ...]:
    """Who may use the API, from `NAME:TOKEN` or bare tokens of the operator `admin`.

    Blanks part them. A client sends what stands behind the name, or the whole entry.
    """
    found = []
    for entry in text.split():
        name, colon, token = entry.partition(":")
        if colon and _OPERATOR.fullmatch(name):
            found.append(Operator(name, (_bytes(token), _bytes(entry)) if token else ()))
        else:
            found.append(Operator(ADMIN, (_bytes(entry),)))
    return tuple(found)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


ADMIN = "admin"
_OPERATOR = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")


Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy that logs people in and says who it is in a header of its own."""

    header: str
    networks: tuple[Network, ...]
    """From elsewhere the header means nothing."""

    def is_from(self, address: str | None) -> bool:
        """Whether the peer at this address is the proxy."""
        try:
            peer = ip_address(address or "")
        except ValueError:
            return False
        plain = getattr(peer, "ipv4_mapped", None) or peer
        return any(plain in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that is not in `rules.yaml`."""

    rules: Path = Path("rules.yaml")
    templates: Path = Path("message_templates")
    journal: str = "sqlite:///relay.db"
    listen: Address = Address("127.0.0.1", 8080)
    admin_listen: Address | None = None
    """None: the same as `listen`."""
    sandbox: bool = False
    insecure: bool = False
    hold_edits: bool = False
    """Saved rules and templates wait until they are published."""
    allow_private: bool = False
    proxies: Proxies = field(default_factory=Proxies)
    public_url: str | None = None
    """Where 360dialog posts Partner events to, as seen from outside."""
    retention: timedelta | None = RETENTION
    """How long finished work stays in the journal; None keeps it for ever."""
    traces: bool = False
    """Traces go to OpenTelemetry."""
    record: str | None = None
    """The file, or `-`, that gets a line of JSON for every outcome."""
    secret_360dialog: str = field(default="", repr=False)
    webhook_token: str = field(default="", repr=False)
    meta_app_secret: str = field(default="", repr=False)
    meta_verify_token: str = field(default="", repr=False)
    admin_token: str = field(default="", repr=False)
    proxy: Proxy | None = None
    """Who else may say which operator it is."""
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For the `${NAME}` placeholders of `rules.yaml`."""

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Who may use the API over the network."""
        return operators(self.admin_token)

    @property
    def shares_address(self) -> bool:
        """Webhooks and administration have one address; port 0 is another one each time."""
        admin = self.admin_listen
        return admin is None or (admin == self.listen and admin.port != 0)

    @property
    def has_webhook_secret(self) -> bool:
        """At least one way for a sender to prove itself is configured."""
        return bool(
            self.secret_360dialog.split()
            or self.webhook_token.split()
            or self.meta_app_secret.split()
        )


def from_environment(variables: Mapping[str, str], options: Mapping[str, str | None]) -> Settings:
    """Settings from variables, with the options of the command line before them.

    `options` maps names of `Settings` fields to texts; None is not given. Raises `UsageError`.
    """
    env = Environment(variables)

    def text(option: str, name: str, default: str) -> str:
        return options.get(option) or env.get(name, "").strip() or default

    admin = text("admin_listen", "RELAY_ADMIN_LISTEN", "")
    return Settings(
        rules=Path(text("rules", "RELAY_RULES", "rules.yaml")),
        templates=Path(text("templates", "RELAY_TEMPLATES", "message_templates")),
        journal=text("journal", "RELAY_JOURNAL", "sqlite:///relay.db"),
        listen=parse_address(text("listen", "RELAY_LISTEN", "127.0.0.1:8080"), "RELAY_LISTEN"),
        admin_listen=parse_address(admin, "RELAY_ADMIN_LISTEN") if admin else None,
        allow_private=is_on(env.get("RELAY_ALLOW_PRIVATE_DESTINATIONS", "")),
        proxies=Proxies.of(env),
        hold_edits=is_on(env.get("RELAY_HOLD_EDITS", "")),
        public_url=public_url(env.get("RELAY_PUBLIC_URL", "")),
        retention=parse_retention(env.get("RELAY_RETENTION", "")),
        traces=is_on(env.get("RELAY_TRACES", "")),
        record=text("record", "RELAY_RECORD", "") or None,
        secret_360dialog=env.get("RELAY_360DIALOG_SECRET", ""),
        webhook_token=env.get("RELAY_WEBHOOK_TOKEN", ""),
        meta_app_secret=env.get("RELAY_META_APP_SECRET", ""),
        meta_verify_token=env.get("RELAY_META_VERIFY_TOKEN", "").strip(),
        admin_token=env.get("RELAY_ADMIN_TOKEN", "").strip(),
        proxy=_proxy(env.get("RELAY_ADMIN_USER_HEADER", ""), env.get("RELAY_ADMIN_PROXY", "")),
        env={} if NO_PLACEHOLDERS in variables else env,
    )


_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _proxy(header: str, addresses: str) -> Proxy | None:
    """The proxy that logs people in; both are needed. Raises `UsageError`."""
    header = header.strip()
    if not header and not addresses.strip():
        return None
    if not _HEADER.fullmatch(header):
        raise UsageError(
            "RELAY_ADMIN_USER_HEADER: name the header in which the proxy at RELAY_ADMIN_PROXY says "
            "who is logged in, like X-Forwarded-User"
        )
    if not addresses.strip():
        raise UsageError(
            "RELAY_ADMIN_PROXY: name the address of the proxy that sets RELAY_ADMIN_USER_HEADER; "
            "anybody could say who they are otherwise"
        )
    try:
        networks = tuple(ip_network(word) for word in addresses.replace(",", " ").split())
    except ValueError:
        raise UsageError(
            f'RELAY_ADMIN_PROXY: "{addresses}" is no address; write it like 10.0.0.7 or 10.0.0.0/24'
        ) from None
    return Proxy(header, networks)


WEBHOOK: Final = "/webhooks/360dialog"


def public_url(text: str) -> str | None:
    """The URL of the Partner webhook by the relay's own address; raises `UsageError`."""
    text = text.strip().rstrip("/")
    if not text:
        return None
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError("RELAY_PUBLIC_URL: write the relay's own address, like https://your.host")
    return text if parts.path else f"{text}{WEBHOOK}"


SHORT_SECRET = 8
"""Characters; several words of which one is shorter are probably one secret with blanks in it."""


def doubts(settings: Settings) -> list[str]:
    """What about the secrets is probably not meant, each in a sentence that shows none of them."""
    found = []
    given = {
        "RELAY_360DIALOG_SECRET": settings.secret_360dialog,
        "RELAY_WEBHOOK_TOKEN": settings.webhook_token,
        "RELAY_META_APP_SECRET": settings.meta_app_secret,
        "RELAY_META_VERIFY_TOKEN": settings.meta_verify_token,
        "RELAY_ADMIN_TOKEN": settings.admin_token,
    }
    for name, value in given.items():
        words = value.split()
        if name == "RELAY_ADMIN_TOKEN":
            named = operators(value)
            found += [
                f"{name} names {one.name} without a token: nobody is admitted by it"
                for one in named
                if not one.accepted
            ]
            words = [
                one.accepted[0].decode("utf-8", "surrogateescape") for one in named if one.accepted
            ]
        if name in settings.env and not value.split():
            found.append(f"{name} is set and empty: it proves nothing and is left out")
        if name == "RELAY_META_VERIFY_TOKEN" and len(words) > 1:
            found.append(f"{name} has blanks in it: Meta must be given the very same text")
        elif name == "RELAY_WEBHOOK_TOKEN" and words and words[-1].lower() in SCHEMES:
            found.append(
                f"{name} ends with the name of a scheme, such as Bearer, and no secret behind it: "
                "whoever guesses that word is admitted"
            )
        elif len(words) > 1 and any(
            len(word) < SHORT_SECRET and word.lower() not in SCHEMES for word in words
        ):
            found.append(
                f"{name} is read as {len(words)} secrets, as blanks part them, and one of them is "
                "very short: if it is one, choose one without blanks"
            )
    return found


def parse_address(text: str, name: str) -> Address:
    """`host:port`, `[v6]:port`, `:port` or `port`. Raises `UsageError` naming the setting."""
    host, _, port = text.strip().rpartition(":")
    try:
        number = int(port)
    except ValueError:
        number = -1
    if not 0 <= number <= 65_535:
        raise UsageError(f'{name}: "{text}" is no address; write it like 127.0.0.1:8080')
    return Address(host.strip("[]") or "127.0.0.1", number)


def parse_retention(text: str) -> timedelta | None:
    """How long finished work stays: `90d`, `12w`, `720h`; `none` or `0` keeps it for ever.

    Raises `UsageError` where it is no span of time, or a shorter one than 14 days.
    """
    given = text.strip().lower()
    if not given:
        return RETENTION
    if given == "none" or _NOTHING.fullmatch(given):
        return None
    kept = span(given)
    if kept is None:
        raise UsageError(f'RELAY_RETENTION: "{text}" is no span of time; write 90d, 12w or none')
    if kept < SHORTEST_RETENTION:
        raise UsageError(
            f"RELAY_RETENTION: {text} is too short; it is 14 days at least, as repeats of a "
            "webhook could not be recognised otherwise"
        )
    # Longer than any journal is old, and so long that no date could be reckoned with it.
    return None if kept > timedelta(days=36_500) else kept
