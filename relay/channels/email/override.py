"""HTML that a template wrote for mail itself: checked, and closed with the footer.

Whoever may edit templates may choose the look, not have readers' programs run or load something:
that would tell strangers who reads the mail, and filters refuse such mail.
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
_CODE = {"script", "template", "noscript", "math", "svg", "portal"}
_FRAMES = {"iframe", "frame", "frameset", "object", "embed", "applet", "base", "link"}
_FORMS = {"form", "input", "button", "select", "textarea"}
_MEDIA = {"video", "audio", "source", "track"}
_RAW = {"plaintext", "xmp", "marquee", "listing"}
_FORBIDDEN = frozenset(_CODE | _FRAMES | _FORMS | _MEDIA | _RAW)
_LOADS = frozenset({"src", "srcset", "background", "poster", "data", "ping", "longdesc", "lowsrc"})
_VOID = frozenset({"area", "br", "col", "hr", "img", "meta", "wbr"})
_UNSEEN = frozenset({"title", "style", "head"})
_STYLE = re.compile(r"url\s*\(|@import|expression\s*\(|javascript:|behavior\s*:|-moz-binding|\\")
_INLINE_IMAGE = re.compile(r"data:image/(png|gif|jpeg);base64,[A-Za-z0-9+/=\s]*")
_NAME = re.compile(r"[a-z][a-z0-9]*(?::[a-z]+)?")
_COMMENT = re.compile(r"<!--(?!-?>)(?:(?!--!>).)*?-->", re.DOTALL)
_ODD = re.compile(r"<!(?!doctype\b)|<\?|</(?![a-z])", re.IGNORECASE)
"""Outside of comments: what browsers read otherwise than Python does."""
_FOR_OUTLOOK = re.compile(r"\[if [^\]]*\]>(.*)<!\[endif\]", re.DOTALL)
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
        if _ODD.search(_COMMENT.sub("", html)):
            self._fail("a comment or declaration that not all programs read alike, or is not ended")
        self.feed(html)
        if "<" in self.rawdata:
            self._fail("it ends within a tag or a style, so the footer would be lost")
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("html", "body"):
            self.whole = True
        if not _NAME.fullmatch(tag):
            self._fail("a tag has no end or no name")
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
            self._fail("<style> loads something or runs code")
        if not _UNSEEN & set(self._open):
            self.seen += data

    def handle_comment(self, data: str) -> None:
        if found := _FOR_OUTLOOK.fullmatch(data):
            inner = _Reading(found[1]).fault
            if inner:
                self._fail(f"in a comment for Outlook: {inner}")

    def _attribute(self, tag: str, name: str, value: str) -> None:
        if name.startswith("on"):
            self._fail(f"{name} on <{tag}> is not allowed")
        elif name == "style" and _STYLE.search(value.casefold()):
            self._fail(f"the style of <{tag}> loads something or runs code")
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
