"""A message as a mail: headers, a plain part and an HTML part that loads nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from relay.channels import Parcel
from relay.channels.email import headers
from relay.channels.email.html import html
from relay.channels.email.override import overridden
from relay.channels.email.plain import plain
from relay.channels.email.settings import EmailDestination
from relay.channels.fit import Tone, fit, title, tone
from relay.errors import UnsendableError
from relay.messages import Message
from relay.text import cut, one_line

SUBJECT = 200
"""Characters of a subject; readers show fewer, gateways refuse lines beyond 998 bytes."""
MOST_HTML = 95_000
"""Bytes of the HTML part: Gmail cuts a mail off at 102 KB, and its footer with it."""
_ROOM = 30_000
_EACH = 10_000
_TRIES = 6
_MOST_BLOCKS = 200
_LONGEST_DOMAIN = 40
_ADDRESSES = frozenset({"From", "To", "Cc", "Reply-To"})


def write(parcel: Parcel, destination: EmailDestination) -> dict[str, Any]:
    """What is sent, as JSON-ready values: `headers`, `recipients`, `plain`, `html`."""
    message = parcel.message
    fitted, drawn = _drawn(message)
    native = not parcel.plain and "email" in message.native
    return {
        "headers": _headers(parcel, destination),
        "recipients": list(parcel.recipients or destination.recipients),
        "plain": plain(fitted),
        "html": overridden(message, message.native["email"]) if native else drawn,
    }


def _drawn(message: Message) -> tuple[Message, str]:
    """The message as far as its HTML has room, and that HTML."""
    room = _ROOM
    for _ in range(_TRIES):
        fitted = fit(message, room=room, each=_EACH, most=_MOST_BLOCKS)
        drawn = html(fitted.message)
        if (size := len(drawn.encode())) <= MOST_HTML:
            return fitted.message, drawn
        room = int(fitted.cost * 0.9 * MOST_HTML / size)
    raise UnsendableError("the message is too long for a mail, whatever is cut")


def compose(payload: Mapping[str, Any]) -> bytes:
    """The mail of a payload, ready for DATA: ASCII, CRLF; the same payload gives the same bytes."""
    given: Mapping[str, str] = payload["headers"]
    written = [
        (headers.addresses if name in _ADDRESSES else headers.text)(name, value)
        for name, value in given.items()
    ]
    body = EmailMessage(policy=SMTP)
    body.set_content(payload["plain"], charset="utf-8", cte="quoted-printable")
    body.add_alternative(payload["html"], subtype="html", charset="utf-8", cte="quoted-printable")
    body.set_boundary(f"=_{hashlib.sha256(given['Message-ID'].encode()).hexdigest()[:32]}")
    return b"".join(written) + body.as_bytes()


def message_id(delivery_id: str, sender: str) -> str:
    """The same for every attempt of a delivery, so that who gets it twice can tell."""
    return f"<{delivery_id}@{_domain(sender)}>"


def _domain(sender: str) -> str:
    """The sender's domain; a very long one is replaced, since a folded id is a broken id."""
    domain = sender.rpartition("@")[2].casefold()
    return domain if len(domain) <= _LONGEST_DOMAIN else domain[-_LONGEST_DOMAIN:].lstrip(".-")


@lru_cache(maxsize=64)
def _sender(name: str, address: str) -> str:
    return str(Address(display_name=name, addr_spec=address))


def _headers(parcel: Parcel, destination: EmailDestination) -> dict[str, str]:
    given = {
        "From": _sender(destination.sender_name, destination.sender),
        "To": ", ".join(destination.to),
    }
    if destination.cc:
        given["Cc"] = ", ".join(destination.cc)
    if destination.reply_to:
        given["Reply-To"] = destination.reply_to
    message = parcel.message
    given |= {
        "Subject": cut(title(message), SUBJECT, message.language),
        "Date": format_datetime(parcel.at),
        "Message-ID": message_id(parcel.delivery_id, destination.sender),
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's holiday notice answers it
        "X-Auto-Response-Suppress": "All",  # the same for Exchange
        "Content-Language": one_line(message.language) or "en",
        "X-Relay-Severity": message.severity.value,  # for the rules of readers
        "X-Relay-Direction": message.direction.value,
    }
    if tone(message) is Tone.BAD:
        given |= {"Importance": "high", "X-Priority": "1"}
    if parcel.thread:
        # A root that no mail has: readers thread by it, and no mail need be the first. Outlook
        # goes by the name of the thread, where subjects differ.
        topic = hashlib.sha256(parcel.thread.encode("utf-8", "replace")).hexdigest()[:20]
        root = f"<thread-{topic}@{_domain(destination.sender)}>"
        name = one_line(parcel.thread[:SUBJECT], SUBJECT) or "relay"
        given |= {"In-Reply-To": root, "References": root, "Thread-Topic": name}
    if first := parcel.living.get("Message-ID"):
        known = given.get("References", "")
        given |= {"In-Reply-To": first, "References": f"{known} {first}".strip()}
    return given
