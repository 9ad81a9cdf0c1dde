"""`relay connect`: which webhook URL 360dialog posts Partner events to."""

from __future__ import annotations

import sys
from argparse import Namespace
from urllib.parse import urlsplit, urlunsplit

from relay.channels.addresses import is_public, literal_address
from relay.cli.control import agreed
from relay.cli.output import clean, print_json
from relay.errors import UsageError
from relay.partner_api import Access, PartnerApi, connect
from relay.settings import Settings

PATH = "/webhooks/360dialog"
PATIENCE = 10.0
"""Seconds for one request: a person waits."""
TRIES = 3
_EXAMPLE = f"https://relay.example.com{PATH}"
_LOCAL = ("localhost", "local", "internal", "lan", "home", "test", "invalid", "home.arpa")
"""Last labels of names that the Internet does not have (RFC 6761, RFC 6762, RFC 8375, ICANN)."""


async def run(options: Namespace, settings: Settings) -> int:
    """Show what is registered; with `--url`, register that one instead and read it back."""
    url = None if options.url is None else checked(options.url)
    access = Access.of(settings.env, allow_private=settings.allow_private)
    async with connect(access, patience=PATIENCE, tries=TRIES) as api:
        before = await api.webhook_url()
        if url is None:
            _tell(options, before, None, changed=False)
            return 0
        if url == before:
            _tell(options, before, url, changed=False)
            return 0
        _announce(before, url)
        if not options.yes and not agreed("Register it?"):
            print("relay: nothing was changed", file=sys.stderr)
            return 1
        after = await _register(api, url)
    _tell(options, after, url, changed=after != before)
    return 0 if after == url else 1


async def _register(api: PartnerApi, url: str) -> str | None:
    await api.set_webhook_url(url)
    return await api.webhook_url("it took the new URL before: `relay connect` shows what holds")


def checked(url: str) -> str:
    """The same URL if 360dialog can post to it. Raises `UsageError` in words that say why not.

    https, no underscore in the host and no port are documented limits of its webhook URLs; the
    address must be reachable from the Internet.
    """
    wrong = f"--url: it must be an address such as {_EXAMPLE}"
    url = url.strip()
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise UsageError(f"{wrong}, without spaces and other characters that no URL has")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.netloc.rpartition("@")[2]
    except ValueError:
        raise UsageError(wrong) from None
    if parts.scheme != "https" or not host:
        raise UsageError(f"{wrong}: 360dialog posts to https only")
    if "@" in parts.netloc or parts.fragment:
        raise UsageError(f"{wrong}, without a user name, a password or a fragment (#…)")
    if ":" in port.rpartition("]")[2]:
        raise UsageError("--url: 360dialog takes no port: serve it on 443, and leave the port out")
    if "_" in host:
        raise UsageError("--url: 360dialog takes no host with an underscore: use another name")
    _check_host(host)
    if parts.path in ("", "/"):
        raise UsageError(f"--url: the relay takes webhooks at https://{host}{PATH}: name it whole")
    return url


def _check_host(host: str) -> None:
    """Raises `UsageError` where the Internet cannot reach a host by what it is called."""
    private = "--url: 360dialog cannot reach it: it is not in the open Internet"
    address = literal_address(host)
    if address is not None:
        if not is_public(address):
            raise UsageError(private)
        return
    name = host.rstrip(".")
    if "." not in name or any(name == end or name.endswith(f".{end}") for end in _LOCAL):
        raise UsageError(private)


def _announce(before: str | None, url: str) -> None:
    """What is about to happen, before it does; on standard error, so that JSON stays alone."""
    if before is None:
        print(f"360dialog will post Partner events to {_shown(url)}.", file=sys.stderr)
    else:
        print(
            f"This REPLACES {_shown(before)}\nby {_shown(url)}.\n"
            "A partner has one webhook URL: what stands there now will hear of nothing more.",
            file=sys.stderr,
        )
    if (doubt := _doubt(url)) is not None:
        print(f"warning: {doubt}", file=sys.stderr)


def _doubt(url: str) -> str | None:
    """Why a registered URL is probably none of a relay."""
    if urlsplit(url).path.endswith(PATH):
        return None
    return f"that is not a relay's address, which ends in {PATH} unless a proxy rewrites it"


def _tell(options: Namespace, now: str | None, wanted: str | None, *, changed: bool) -> None:
    is_relay = now is not None and (now == wanted or _doubt_of(now) is None)
    if options.json:
        shape = {"registered": _shown(now) if now else None, "is_relay": is_relay}
        print_json({**shape, "wanted": _shown(wanted) if wanted else None, "changed": changed})
        return
    if now is None:
        print("360dialog posts Partner events nowhere: no webhook URL is registered")
    else:
        print(f"360dialog posts Partner events to {_shown(now)}")
    if wanted is not None and now != wanted:
        print(f"warning: {_shown(wanted)} was not registered", file=sys.stderr)
    elif wanted is not None:
        print("as you asked for" if changed else "that was so before: nothing to change")
    elif now is not None and (doubt := _doubt_of(now)) is not None:
        print(f"warning: {doubt}", file=sys.stderr)
    if wanted is None and not is_relay:
        print(f"Register this relay with `relay connect --url https://YOUR.HOST{PATH}`.")


def _doubt_of(registered: str) -> str | None:
    """The same for what 360dialog says, which may be no URL at all."""
    try:
        return _doubt(registered)
    except ValueError:
        return "that is not a URL"


def _shown(url: str) -> str:
    """A URL for people: passwords and the values of its query stay unseen, they may be secrets."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(not a URL)"
    host = parts.netloc.rpartition("@")[2]
    query = "…" if parts.query else ""
    return clean(urlunsplit((parts.scheme, host, parts.path, query, "")))
