"""Text on its way out: cleaned of what no reader should get, and cut where everybody sees it."""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote, urlsplit

_NEWLINES = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNWANTED = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f"  # controls
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff"  # bidi and invisible
    "\ufdd0-\ufdef\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_STACK = re.compile(f"({_MARKS}{{4}}){_MARKS}+")
_JOINERS = frozenset("\u200d\ufe0e\ufe0f")
_LONGEST_URL = 2_000
"""Below Slack's 3,000 for a button; longer ones break elsewhere too."""


def clean(text: str) -> str:
    """Text without controls, bidi overrides, invisible characters and lone surrogates.

    Every kind of line break becomes a newline; tabs and joiners inside emoji stay.
    """
    if text.isascii() and text.isprintable():
        return text
    text = _SURROGATE.sub("\ufffd", text)
    text = _UNWANTED.sub("", _NEWLINES.sub("\n", text))
    return _STACK.sub(r"\1", text)


def one_line(text: str) -> str:
    """Clean text on one line."""
    return " ".join(clean(text).split())


def units(text: str) -> int:
    """UTF-16 code units, the strictest way to count the characters of a limit."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut_mark(lost: int) -> str:
    """What stands where text was cut."""
    return f"… (cut, {lost} character{'s' if lost != 1 else ''} more)"


def cut(text: str, limit: int, size: Callable[[str], int] = units) -> str:
    """Text of at most `limit` by `size`, with a visible mark where it was cut.

    `size` must not shrink as text grows, and be at least its number of characters.
    """
    if len(text) <= limit and size(text) <= limit:
        return text
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[:middle] + cut_mark(len(text) - middle)) <= limit:
            low = middle
        else:
            high = middle - 1
    kept = boundary(text, low)
    short = text[:kept] + cut_mark(len(text) - kept)
    return short if size(short) <= limit else "…"[:limit]


def boundary(text: str, index: int) -> int:
    """The nearest index at or before `index` that does not part what is shown as one sign."""
    for _ in range(16):
        if not 0 < index < len(text):
            break
        after, before = text[index], text[index - 1]
        if (
            after in _JOINERS
            or before == "\u200d"
            or unicodedata.combining(after)
            or "\U0001f3fb" <= after <= "\U0001f3ff"  # skin tones
        ):
            index -= 1
        else:
            break
    return index


def safe_url(url: str) -> str | None:
    """The URL if a person may be given it to click: http or https with a host; else None."""
    if not url.isprintable() or any(c in url for c in " <>\"'`|\\^{}") or clean(url) != url:
        return None
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host or len(url) > _LONGEST_URL:
        return None
    return url if url.isascii() else quote(url, safe="%/:?#[]@!$&()*+,;=~-._")


def remark(text: str, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """What a target said, fit for a reason: one short line, our secrets taken out.

    Secrets are found as they are, percent-encoded or not, and in base64 (a mail server may echo
    the line it did not understand).
    """
    said = one_line(text[: 8 * limit])
    spellings = {
        spelling
        for secret in secrets
        for spelling in (
            secret,
            quote(secret, safe=""),
            unquote(secret),
            base64.b64encode(secret.encode()).decode(),
            base64.urlsafe_b64encode(secret.encode()).decode(),
        )
        if len(spelling) > 2
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        said = re.sub(re.escape(spelling), "[secret]", said, flags=re.IGNORECASE)
    return cut(said, limit)


def url_secrets(url: str) -> tuple[str, ...]:
    """What of a webhook's URL is secret: all of it that is long, since any part may be."""
    parts = urlsplit(url)
    pieces = re.split(r"[/?&=]", f"{parts.path}?{parts.query}")
    return (url, *(piece for piece in pieces if len(piece) >= 8))
