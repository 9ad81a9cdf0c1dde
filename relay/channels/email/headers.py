"""Header lines of a mail, written as data: nothing that stands in a value is ever parsed.

The standard library parses a value before it writes it, so that `=?utf-8?q?=0D=0ABcc:…?=` in a
client's name became a header of its own. Here a value is either plain ASCII that no reader takes
for anything else, or encoded as a whole by RFC 2047.
"""

from __future__ import annotations

import re
from email.header import Header

LINE = 76
"""Characters of a header line with an encoded-word in it (RFC 2047, 2); other lines obey too."""
ENCODED = 62
"""Characters of one encoded-word: RFC 2047 allows 75, the first one has the name on its line."""

_PLAIN = re.compile(r"(?!.*=\?)[!-~]+(?: [!-~]+)*")
"""Printable ASCII with single blanks between the words and nothing that looks encoded."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAILBOX = re.compile(r"(.*?) ?<([^<>]*)>")
_ESCAPED = re.compile(r"\\(.)")


def text(name: str, value: str) -> bytes:
    """A header whose value is text, such as a Subject, with its CRLF."""
    if _PLAIN.fullmatch(value):
        return _folded(name, value.split(" "))
    return _folded(name, _encoded(value))


def addresses(name: str, value: str) -> bytes:
    """A header of bare addresses and `Name <address>`, parted by `, `, with its CRLF."""
    words: list[str] = []
    for mailbox in _parted(value):
        words += _mailbox(mailbox)
        words[-1] += ","
    words[-1] = words[-1].removesuffix(",")
    return _folded(name, words)


def _folded(name: str, words: list[str]) -> bytes:
    """The words with one blank between each two, a line break before it where a line is full."""
    lines = [f"{name}:"]
    for word in words:
        # The first word stays beside the name: some programs take an empty first line for none.
        if len(lines[-1]) + 1 + len(word) > LINE and not lines[-1].endswith(":"):
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines).encode("ascii") + b"\r\n"


def _encoded(value: str) -> list[str]:
    """The text as encoded-words of whole characters; readers join them without a blank."""
    value = _CONTROL.sub(" ", value).encode("utf-8", "replace").decode()
    return Header(value, "utf-8", maxlinelen=ENCODED).encode().split()


def _parted(value: str) -> list[str]:
    """The mailboxes of a list; a comma within quotes parts nothing."""
    found, quoted, escaped = [""], False, False
    for char in value:
        if char == "," and not quoted:
            found.append("")
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
        found[-1] += char
    return [mailbox.strip() for mailbox in found]


def _mailbox(mailbox: str) -> list[str]:
    named = _MAILBOX.fullmatch(mailbox)
    if named is None or not named[1]:
        return [_plain(mailbox)]
    name, address = named[1], f"<{_plain(named[2])}>"
    if _PLAIN.fullmatch(name):
        return [*name.split(" "), address]
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = _ESCAPED.sub(r"\1", name[1:-1])
    return [*_encoded(name), address]


def _plain(address: str) -> str:
    """A bare address, which its settings have checked; raises ValueError where it is none."""
    if not re.fullmatch(r"[!-~]+", address):
        raise ValueError("an address is not plain ASCII")
    return address
