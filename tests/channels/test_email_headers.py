"""Headers of a mail are data: whatever an event says, it is read back and does nothing."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import compat32, default
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.channels.email import EmailChannel
from relay.channels.email.headers import addresses, text
from relay.channels.email.writing import compose
from relay.messages import Message
from relay.messages.templates import Templates
from relay.sources.reading import read
from relay.text import one_line
from tests.each import each
from tests.fakes.messages import LOOPBACK, destination, message, parcel
from tests.message_cases import a_context

BUNDLED = Templates.shipped()
OURS = {
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
    "Content-Language", "X-Relay-Severity", "X-Relay-Direction", "Importance", "X-Priority",
    "In-Reply-To", "References", "Thread-Topic", "Content-Type", "MIME-Version",
}  # fmt: skip
NAMES = [
    "=?utf-8?q?=0D=0ABcc:_evil=40example.com?=",
    "Laden =?utf-8?q?evil?= Nord",
    "Straße zwölf Łódź Bäckerei Möwe Süd",
    "L'épicerie d'été Köln Señor Peña Süd",
    "Musterladen Überlingen Genève Süd",
    "=?utf-8?b?4oCu?= =?iso-8859-1?q?=A0?=",
    "=?utf-8?q?a?==?utf-8?q?b?=",
    "Shop =?",
    "a\u200b\u202e\ufeffb\r\nBcc: evil@example.com",
    "\ud83d lone \udc00",
    "👨\u200d👩\u200d👧" * 60,
    "ü" * 500,
    "a" * 500,
    "ä b " * 200,
    '"quoted" <evil@example.com>, other@example.com',
]
HOSTILE = st.lists(
    st.sampled_from(["=?", "?=", "utf-8?q?", "utf-8?b?", "=0D=0A", "=20", "_", " ", "ä", "Ł", "x",
                     "?", "=", "Bcc: a@b.c", "\r\n", "\u200b", "😀", "\ud800", ",", "<", '"'])
    | st.characters(),
    max_size=40,
).map("".join)  # fmt: skip


def mail(content: Message, **sender: Any) -> bytes:
    account = {"host": "h", "tls": "none", "sender": "relay@example.com", **sender}
    to = destination("email", {"to": ["a@example.com", "b@example.com"]}, account)
    return compose(EmailChannel(LOOPBACK).payload(to, parcel(content, thread=content.title)))


def judge(raw: bytes, title: str) -> None:
    """The headers are the relay's own and are read as the title, by old and new readers."""
    head = raw.partition(b"\r\n\r\n")[0]
    assert head.isascii()
    for line in head.split(b"\r\n"):
        assert len(line) <= 998
        assert len(line) <= 76 or b"=?" not in line
        assert b"?==?" not in line
        for word in line.split(b" "):
            assert len(word) <= 75 or not word.startswith(b"=?")
    new, old = message_from_bytes(raw, policy=default), message_from_bytes(raw, policy=compat32)
    assert set(new.keys()) == set(old.keys()) <= OURS
    assert str(make_header(decode_header(old["Subject"].replace("\r\n", "")))) == title
    assert new["Subject"] == title


@given(HOSTILE)
def test_any_text_is_read_back_as_it_was(said: str) -> None:
    title = one_line(said) or "x"
    judge(text("Subject", title) + b"\r\n", title)


@each("name", NAMES)
def test_no_name_of_an_event_becomes_a_header(name: str) -> None:
    data = {"setup_info": {"phone_number": "491713920011", "phone_name": name}}
    body = json.dumps({"id": "1", "event": "channel_live", "data": data}).encode()
    (arrival,) = read(body, received_at=datetime(2026, 11, 23, 9, tzinfo=UTC)).arrivals
    written = BUNDLED.render(arrival.event, context=a_context())
    raw = mail(written)
    title = message_from_bytes(raw, policy=default)["Subject"]
    judge(raw, title)
    assert one_line(arrival.event.phone_name or "")[:20] in title


@given(HOSTILE)
@example("=?utf-8?q?=0D=0ABcc:_evil=40example.com?=")
def test_no_title_becomes_a_header(title: str) -> None:
    raw = mail(message(title=title))
    shown = message_from_bytes(raw, policy=default)["Subject"]
    judge(raw, shown)
    assert shown.startswith((one_line(title) or "(no title)")[:100])


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("Relay <relay@example.com>", "Relay"),
        ("Rälay Größe <relay@example.com>", "Rälay Größe"),
        ('"Relay, the \\"one\\"" <relay@example.com>', 'Relay, the "one"'),
        ("=?utf-8?q?evil?= <relay@example.com>", "=?utf-8?q?evil?="),
        ("Ä" * 200 + " <relay@example.com>", "Ä" * 200),
    ],
)
def test_a_display_name_is_read_back_as_it_was(sender: str, name: str) -> None:
    for header in ("From", "Reply-To"):
        raw = mail(message(), sender=sender, reply_to=sender)
        found = message_from_bytes(raw, policy=compat32)[header]
        phrase, _, address = found.replace("\r\n", "").rpartition(" <")
        assert address == "relay@example.com>"
        shown = str(make_header(decode_header(phrase)))
        assert (re.sub(r"\\(.)", r"\1", shown[1:-1]) if shown[0] == '"' else shown) == name


def test_many_recipients_are_folded_between_addresses() -> None:
    people = [f"person{number}@example.com" for number in range(100)]
    raw = addresses("To", ", ".join(people))
    assert max(map(len, raw.split(b"\r\n"))) <= 76
    read_back = message_from_bytes(raw + b"\r\n", policy=default)["To"].addresses
    assert [found.addr_spec for found in read_back] == people


def test_an_address_that_is_none_is_not_written() -> None:
    with pytest.raises(ValueError, match="plain ASCII"):
        addresses("To", "a@example.com\r\nBcc: b@example.com")
