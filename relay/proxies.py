"""Which requests go by a proxy, as `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say; pure.

The names and their small spellings, which win, are those that curl reads. Obeyed only with
`RELAY_USE_PROXY=1`: what happens to stand in an environment leads no message astray.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from relay.errors import UsageError
from relay.text import is_on

SWITCH = "RELAY_USE_PROXY"


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies by the scheme of what is asked for, and what is asked for without one.

    A proxy finds the address of a target itself, so that it alone can judge it.
    """

    https: str | None = field(default=None, repr=False)
    http: str | None = field(default=None, repr=False)
    direct: tuple[str, ...] = ()

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Proxies:
        """From the environment, if `RELAY_USE_PROXY=1` stands there. Raises `UsageError`."""
        if not is_on(env.get(SWITCH, "")):
            return cls()
        https, http = (_proxy(env, name) for name in ("HTTPS_PROXY", "HTTP_PROXY"))
        if https is None and http is None:
            raise UsageError(f"{SWITCH}=1, and neither HTTPS_PROXY nor HTTP_PROXY is set")
        return cls(https, http, tuple(re.split(r"[,\s]+", _value(env, "NO_PROXY").lower())))

    @property
    def hosts(self) -> tuple[str, ...]:
        """Where the proxies are, without what they are logged in by."""
        used = (proxy for proxy in (self.https, self.http) if proxy is not None)
        return tuple(dict.fromkeys(urlsplit(proxy).netloc.rpartition("@")[2] for proxy in used))

    @property
    def secrets(self) -> tuple[str, ...]:
        """By what the proxies are logged in to, as it stands and as it is meant."""
        words = (urlsplit(one).password for one in (self.https, self.http) if one)
        return tuple(text for word in words if word for text in (word, unquote(word)))

    def of_url(self, url: str) -> str | None:
        """The proxy for a URL; None where it is asked directly."""
        if self.https is self.http is None:
            return None
        parts = urlsplit(url)
        proxy = self.https if parts.scheme == "https" else self.http
        return None if proxy is None or any(_covers(one, parts) for one in self.direct) else proxy


def _value(env: Mapping[str, str], name: str) -> str:
    return (env.get(name.lower(), "") or env.get(name, "")).strip()


def _proxy(env: Mapping[str, str], name: str) -> str | None:
    value = _value(env, name)
    if not value:
        return None
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"{name}: write the proxy like http://proxy.example:3128")
    return url


def _covers(entry: str, parts: SplitResult) -> bool:
    """Whether an entry of `NO_PROXY` names the host of a URL.

    An entry is `*`, a name with all below it (`.` or `*.` before it changes nothing), an address,
    or a network such as 10.0.0.0/8; a port may follow.
    """
    host = (parts.hostname or "").rstrip(".")
    if not entry or entry == "*" or not host:
        return entry == "*"
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        pass  # One of them is a name.
    name, port = entry, ""
    if found := re.fullmatch(r"(.+):(\d+)", entry):
        name, port = found[1].strip("[]"), found[2]
    if port and int(port) != (parts.port or (443 if parts.scheme == "https" else 80)):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return host == name or host.endswith(f".{name}")
