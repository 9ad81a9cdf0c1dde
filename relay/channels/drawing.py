"""Previews: payloads drawn by page templates of ours, in which whatever is not markup is text.

What is written is well-formed XML too, so that a strict parser can prove it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_WEB = re.compile(r"(https?://|mailto:)[^\s<>\"'`\\]+", re.IGNORECASE)
_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}")


@dataclass(frozen=True, slots=True)
class Sketch:
    """How a channel is shown."""

    title: str
    draw: Callable[[Mapping[str, Any], str], Markup]
    """(payload, time of day): the message as its client shows it."""
    settings: Mapping[str, Any]
    """Of a made-up destination, as `rules.yaml` has them."""
    account: Mapping[str, Any] = field(default_factory=dict)


def drawn(template: str, **values: object) -> Markup:
    """A template of this package, filled; its path begins below `relay/`."""
    return Markup(_environment().get_template(template).render(values))  # noqa: S704  # escaped


def printable(value: object) -> str:
    """A value's text; what HTML and XML cannot hold shows as U+FFFD."""
    return value if isinstance(value, Markup) else _NO_XML.sub("\ufffd", str(value))


def is_web(url: object) -> bool:
    """Whether a browser may be given this address."""
    return isinstance(url, str) and _WEB.fullmatch(url) is not None


def link(label: object, url: object, class_: str = "") -> Markup:
    """A link as a client shows it; an address that no browser should open is shown as text."""
    kind = Markup(' class="{}"').format(class_) if class_ else ""
    said, aim = printable(label), printable(url)
    if not is_web(url):
        return Markup('<span{} title="no link: {}">{}</span>').format(kind, aim, said)
    markup = Markup('<a{} href="{}" rel="noopener noreferrer" target="_blank">{}</a>')
    return markup.format(kind, aim, said)


def _unknown(what: object) -> Markup:
    """A part that the preview cannot draw: said, not hidden."""
    return Markup('<p class="unknown">not drawn here: {}</p>').format(printable(what))


def _colour(value: object, default: str) -> str:
    """A colour that may stand in a style: `#` and hexadecimal digits."""
    return value if isinstance(value, str) and _COLOUR.fullmatch(value) else default


def _word(value: object, default: str = "default") -> str:
    """A value of a payload as a part of a class name."""
    word = str(value or default).casefold()
    return word if word.isascii() and word.isalpha() else default


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("relay", "."),
        autoescape=True,
        undefined=ChainableUndefined,
        finalize=lambda value: "" if value is None else printable(value),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"link": link, "unknown": _unknown}
    environment.filters |= {"colour": _colour, "word": _word}
    return environment
