"""Templates to HTML: texts of events are text everywhere, moments stand in the rules' zone."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import ChainableUndefined, Environment, PackageLoader, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from relay.events import from_iso
from relay.phones import display
from relay.text import clean


def page(template: str, **values: object) -> str:
    """A whole document. `zone` and `now` say how moments are shown."""
    return _environment().get_template(template).render(values)


def _finalize(value: object) -> object:
    if value is None:
        return ""
    return value if isinstance(value, Markup | int) else clean(str(value))


def _moment(value: datetime | str) -> datetime:
    return from_iso(value) if isinstance(value, str) else value


@pass_context
def when(context: Context, value: datetime | str | None) -> Markup | str:
    """A moment to the second; the day where it is not today, the year where it is not this one."""
    if value is None:
        return ""
    zone: ZoneInfo = context["zone"]
    at, now = _moment(value).astimezone(zone), context["now"].astimezone(zone)
    form = "%H:%M:%S" if at.date() == now.date() else "%d %b %H:%M:%S"
    shown = f"{at:{form if at.year == now.year else '%d %b %Y %H:%M'}}"
    markup = Markup('<time datetime="{}" title="{}">{}</time>')
    return markup.format(
        f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", f"{at:%A, %d %B %Y, %H:%M:%S %Z}", shown
    )


@pass_context
def ago(context: Context, value: datetime | str | None) -> str:
    """How long ago a moment is, or how far ahead, in its largest unit."""
    if value is None:
        return ""
    apart = context["now"] - _moment(value)
    return f"in {span(-apart)}" if apart < timedelta(seconds=-1) else f"{span(apart)} ago"


def span(apart: timedelta) -> str:
    """A span of time in its largest unit that tells it."""
    seconds = max(0.0, apart.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size * (2 if unit == "d" else 1):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


_CODE = re.compile(r"`([^`]+)`")


def codes(text: object) -> Markup:
    """A sentence in which commands stand between backticks."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(clean(str(text))))))  # noqa: S704


def many(count: int, one: str, more: str = "") -> str:
    """`1 event`, `12,345 events`."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


@cache
def own_file(name: str) -> str:
    """The stylesheet or the script."""
    return (files("relay.web.page") / name).read_text(encoding="utf-8")


@cache
def digest(name: str) -> str:
    """What changes with the file: a browser may keep what it has by this name."""
    return hashlib.sha256(own_file(name).encode()).hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("relay.web.page", "views"),
        autoescape=True,
        undefined=ChainableUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "when": when,
        "ago": ago,
        "phone": display,
        "many": many,
        "codes": codes,
        "span": span,
        "pair": lambda word: (word, word),
        "words": lambda text: str(text).replace("_", " "),
    }
    environment.filters |= filters
    environment.globals |= {
        "css": f"/page/page.css?v={digest('page.css')}",
        "js": f"/page/page.js?v={digest('page.js')}",
        "edit_js": f"/page/edit.js?v={digest('edit.js')}",
    }
    return environment
