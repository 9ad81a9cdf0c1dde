"""Which network addresses Slack and Teams messages may go to: public ones, unless allowed.

The check is made on the address that a connection is opened to, so no spelling of a host and no
answer of a name server gets around it. Pure.
"""

from __future__ import annotations

import socket
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

_CLOSED_V4 = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this host" (RFC 1122); Linux takes it for loopback
        "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); metadata services of some clouds
        "168.63.129.16/32",  # Azure's host service, reachable from inside every machine there
        "192.0.0.0/24",  # protocol assignments (RFC 6890); Oracle's metadata service
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_CLOSED_V6 = tuple(
    IPv6Network(network)
    for network in (
        "::/96",  # IPv4-compatible (RFC 4291), holds :: and ::1
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "64:ff9b:1::/48",  # local NAT64 (RFC 8215)
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4: `is_global` is true for it, whatever it wraps
        "fec0::/10",  # site-local (RFC 3879)
    )
)


def is_public(address: str) -> bool:
    """Whether an address (as `getsockname` spells it, a scope is allowed) is in the open Internet.

    NAT64 addresses (RFC 6052) count as what they wrap, since on an IPv6-only network they are
    the way to every IPv4 target. What cannot be read is not public.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv4Address):
        return _is_public_v4(found)
    return _is_public_v6(found)


def literal_address(host: str) -> str | None:
    """The address that a host of a URL is, if it is one in any spelling; None for a name.

    The C library reads `2130706433`, `0x7f.1`, `017700000001` and `127.1` as 127.0.0.1.
    """
    bare = host.strip("[]").rstrip(".")
    try:
        return str(ip_address(bare))
    except ValueError:
        pass
    try:
        return socket.inet_ntoa(socket.inet_aton(bare))
    except (OSError, ValueError):
        return None


def _is_public_v4(address: IPv4Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _CLOSED_V4)
    )


def _is_public_v6(address: IPv6Address) -> bool:
    if address in _NAT64:
        return _is_public_v4(IPv4Address(int(address) & 0xFFFFFFFF))
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in _CLOSED_V6)
    )
