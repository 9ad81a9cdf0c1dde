"""HTML that cannot be broken into: elements are written here alone, and any other text is text.

What is written is well-formed XML too, so that a strict parser can prove it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

VOID = frozenset({"br", "hr", "input", "link", "meta"})
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_SAFE_URL = re.compile(r"(https?://|mailto:)[^\s<>\"'`\\]+", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}")


class Html(str):
    """Markup that this package wrote. Only `element`, `fragment` and `trusted` make it."""

    __slots__ = ()


def printable(value: object) -> str:
    """A value's text; what HTML and XML cannot hold shows as U+FFFD."""
    return _NO_XML.sub("\ufffd", str(value))


def text(value: object) -> Html:
    """Any value as the text that it is."""
    return Html(escape(printable(value), quote=True))


def trusted(markup: str) -> Html:
    """Markup from a writer that escapes by itself; never for a text of an event."""
    return Html(markup)


def fragment(children: Iterable[str | None], between: str = "") -> Html:
    """Children one after another; what is no `Html` is text, None is nothing."""
    parts = [
        part if isinstance(part, Html) else text(part) for part in children if part is not None
    ]
    return Html(between.join(parts))


def element(
    tag: str, /, *children: str | None, class_: str | None = None, **attributes: str | None
) -> Html:
    """One element; `data_x` becomes `data-x`, and attributes that are None are left out."""
    pairs = {"class": class_, **{key.replace("_", "-"): value for key, value in attributes.items()}}
    written = "".join(
        f" {key}={_quoted(value)}" for key, value in pairs.items() if value is not None
    )
    if tag in VOID:
        return Html(f"<{tag}{written}/>")
    return Html(f"<{tag}{written}>{fragment(children)}</{tag}>")


def _quoted(value: str) -> str:
    """An attribute's value, in the quotes that need fewer escapes: a mail in a frame has many."""
    value = printable(value).replace("&", "&amp;").replace("<", "&lt;")
    if value.count('"') > value.count("'"):
        return "'" + value.replace("'", "&#39;") + "'"
    return '"' + value.replace('"', "&quot;") + '"'


def is_safe(url: str) -> bool:
    """Whether a browser may be given this address."""
    return _SAFE_URL.fullmatch(url) is not None


def link(label: str, url: object, class_: str | None = None) -> Html:
    """A link as a client shows it; an address that no browser should open is shown as text."""
    if isinstance(url, str) and is_safe(url):
        return element(
            "a", label, class_=class_, href=url, rel="noopener noreferrer", target="_blank"
        )
    return element("span", label, class_=class_, title=f"no link: {url}")


def colour(value: object) -> str | None:
    """A colour that may stand in a style: `#` and hexadecimal digits; else None."""
    return value if isinstance(value, str) and _COLOUR.fullmatch(value) else None


def unknown(what: object) -> Html:
    """A part that the preview cannot draw: said, not hidden."""
    return element("p", f"not drawn here: {what}", class_="unknown")
