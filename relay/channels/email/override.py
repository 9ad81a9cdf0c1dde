"""HTML that a template wrote for mail itself: checked, and closed with the footer.

What would run or load something is refused: it tells strangers who reads the mail, and filters
refuse such mail. That tags and comments are whole is known before, by the template's own form.
"""

from __future__ import annotations

import re
from html import escape
from html.parser import HTMLParser

from relay.channels.email.html import FONT, document, footer
from relay.channels.fit import footer as closing
from relay.channels.fit import marks, title
from relay.errors import UnsendableError
from relay.messages import Message
from relay.text import safe_url

MOST_BYTES = 100_000
"""Gmail cuts a mail off at 102 KB."""
_WHAT = "the mail override"
_FORBIDDEN = frozenset(
    {"script", "template", "noscript", "math", "svg", "iframe", "frame", "frameset", "object",
     "embed", "applet", "base", "link", "form", "input", "button", "select", "textarea", "video",
     "audio", "source", "track", "plaintext", "xmp"}
)  # fmt: skip
_LOADS = frozenset({"src", "srcset", "background", "poster", "data", "ping", "longdesc", "lowsrc"})
_VOID = frozenset({"area", "br", "col", "hr", "img", "meta", "wbr"})
_UNSEEN = frozenset({"title", "style", "head"})
_STYLE = re.compile(r"url\s*\(|@import")
_INLINE_IMAGE = re.compile(r"data:image/(png|gif|jpeg);base64,[A-Za-z0-9+/=\s]*")
_ENDS = re.compile(r"</body\s*>|</html\s*>", re.IGNORECASE)


def overridden(message: Message, native: object) -> str:
    """The override's HTML with title marks and footer, a whole document.

    Raises `UnsendableError`.
    """
    if not isinstance(native, str) or not native.strip():
        raise UnsendableError(f"{_WHAT} is no HTML text")
    native = native.encode("utf-8", "replace").decode()
    size = len(native.encode())
    if size > MOST_BYTES:
        raise UnsendableError(f"{_WHAT} is {size} bytes long, {MOST_BYTES} are allowed")
    reading = _Reading(native)
    if reading.fault:
        raise UnsendableError(f"{_WHAT}: {reading.fault}")
    if not reading.seen.strip():
        raise UnsendableError(f"{_WHAT} shows no text")
    html = _closed(message, native)
    if not reading.whole:
        html = document(html, message.language, title(message))
    if not _Reading(html).seen.rstrip().endswith(closing(message)):
        raise UnsendableError(
            f"{_WHAT}: the footer would not be seen below it; close every comment and element"
        )
    return html


def _closed(message: Message, html: str) -> str:
    """The HTML with the title marks before the body's first element, the footer after its last."""
    last = footer(closed) if (closed := closing(message)) else ""
    end = next(_ENDS.finditer(html), None)
    html = html[: end.start()] + last + html[end.start() :] if end else html + last
    mark = marks(title(message))
    if not mark:
        return html
    shown = f'<p style="{FONT};font-weight:bold">{escape(mark)}</p>'
    body = re.search(r"<body\b[^>]*>", html, re.IGNORECASE)
    at = body.end() if body else 0
    return html[:at] + shown + html[at:]


class _Reading(HTMLParser):
    """What is in the HTML: its first fault, the text that is seen, whether it is a document."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.fault: str | None = None
        self.seen = ""
        self.whole = False
        self._open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("html", "body"):
            self.whole = True
        if tag in _FORBIDDEN:
            self._fail(f"<{tag}> is not allowed")
        if tag not in _VOID:
            self._open.append(tag)
        for name, value in attrs:
            self._attribute(tag, name, value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" in self._open and _STYLE.search(data.casefold()):
            self._fail("<style> loads something")
        if not _UNSEEN & set(self._open):
            self.seen += data

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self._fail(f"{name} on <{tag}> is not allowed")
        elif name == "style" and _STYLE.search(value.casefold()):
            self._fail(f"the style of <{tag}> loads something")
        elif name in ("href", "xlink:href") and not _is_address(value):
            self._fail(f"href of <{tag}> must be an http(s), mailto or tel address")
        elif name in _LOADS and not (tag == "img" and _INLINE_IMAGE.fullmatch(value)):
            self._fail(f"{name} of <{tag}> loads something from elsewhere")
        elif tag == "meta" and name == "http-equiv" and value.casefold() != "content-type":
            self._fail("<meta http-equiv> is not allowed")

    def _fail(self, fault: str) -> None:
        self.fault = self.fault or fault


def _is_address(value: str) -> bool:
    return value.startswith(("mailto:", "tel:", "#")) or safe_url(value) is not None
