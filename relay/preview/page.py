"""The page: previews side by side, with a table of contents; one file that loads nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any

from relay.channels.email import preview as mail
from relay.channels.html import Html, element, fragment, trusted
from relay.channels.slack import preview as slack
from relay.channels.teams import preview as teams
from relay.preview import Preview, Written

_DRAW: Mapping[str, tuple[str, Callable[[Mapping[str, Any], str], Html]]] = {
    "slack": ("Slack", slack.draw),
    "teams": ("Microsoft Teams", teams.draw),
    "email": ("E-mail", mail.draw),
}
# Styles stand in the page and in the mails; nothing may be loaded, run, framed or posted.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
_CHOICES = (
    ("scheme", "Colours", (("auto", "as the system"), ("light", "light"), ("dark", "dark"))),
    ("width", "Width", (("beside", "side by side"), ("desktop", "desktop"), ("phone", "phone"))),
)


def page(previews: Sequence[Preview], *, title: str, about: str = "") -> str:
    """The whole document. The same previews give the same page."""
    anchors = _anchors(preview.name for preview in previews)
    body = element(
        "body",
        element(
            "header",
            element("h1", title),
            element("p", about) if about else None,
            element("form", *map(_choice, _CHOICES), class_="choices", autocomplete="off"),
        ),
        _contents(previews, anchors) if len(previews) > 1 else None,
        element(
            "main",
            *(_section(one, anchor) for one, anchor in zip(previews, anchors, strict=True)),
        ),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("title", title),
        trusted(f"<style>\n{_style()}</style>"),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _style() -> str:
    return (files(__package__) / "page.css").read_text(encoding="utf-8")


def _anchors(names: Iterable[str]) -> list[str]:
    """One for each name, all different."""
    taken: dict[str, int] = {}
    anchors = []
    for name in names:
        bare = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "event"
        taken[bare] = taken.get(bare, 0) + 1
        anchors.append(bare if taken[bare] == 1 else f"{bare}--{taken[bare]}")
    return anchors


def _choice(choice: tuple[str, str, tuple[tuple[str, str], ...]]) -> Html:
    name, legend, options = choice
    drawn = [
        element(
            "label",
            element(
                "input",
                type="radio",
                name=name,
                id=f"{name}-{value}",
                checked="checked" if not place else None,
            ),
            words,
        )
        for place, (value, words) in enumerate(options)
    ]
    return element("fieldset", element("legend", legend), *drawn)


def _contents(previews: Sequence[Preview], anchors: Sequence[str]) -> Html:
    rows = [
        element(
            "tr",
            element("td", element("a", one.event.title, href=f"#{anchor}")),
            element("td", element("code", one.name)),
            element("td", one.event.topic.value),
            element("td", _sign("severity", one.event.severity.value)),
            element("td", _sign("direction", one.event.direction.value)),
            element("td", fragment(map(_code, _templates(one)), ", ")),
        )
        for one, anchor in zip(previews, anchors, strict=True)
    ]
    heads = ("event", "kind/detail", "topic", "severity", "direction", "template")
    table = element(
        "table",
        element("thead", element("tr", *(element("th", word, scope="col") for word in heads))),
        element("tbody", *rows),
    )
    return element("nav", element("h2", "Contents"), element("div", table, class_="scroll"))


def _sign(name: str, value: str) -> Html:
    return element("span", value, class_=f"sign {name}-{value}")


def _code(words: str) -> Html:
    return element("code", words)


def _templates(one: Preview) -> list[str]:
    """What made the messages, each once."""
    made = (written.made_by or "the built-in message" for written in one.written)
    return list(dict.fromkeys(made))


def _section(one: Preview, anchor: str) -> Html:
    event = one.event
    signs = [
        element("span", event.topic.value, class_="sign"),
        _sign("severity", event.severity.value),
        _sign("direction", event.direction.value),
    ]
    return element(
        "section",
        element("h2", element("a", event.title, href=f"#{anchor}")),
        element(
            "p",
            _code(one.name),
            *signs,
            "made by ",
            fragment(map(_code, _templates(one)), ", "),
            class_="is",
        ),
        *_warnings(one),
        element("div", *(_channel(one, written) for written in one.written), class_="channels"),
        id=anchor,
    )


def _warnings(one: Preview) -> Iterator[Html]:
    said = [written.message.fault for written in one.written]
    said += [
        f"missing here: {', '.join(written.message.missing)}"
        for written in one.written
        if written.message.missing
    ]
    for words in dict.fromkeys(filter(None, said)):
        yield element("p", words, class_="warning", role="alert")


def _channel(one: Preview, written: Written) -> Html:
    title, draw = _DRAW[written.channel]
    drawn = (
        draw(written.payload, f"{one.at:%H:%M}")
        if written.problem is None
        else element("p", written.problem, class_="warning", role="alert")
    )
    return element(
        "article", element("h3", title), drawn, class_=f"channel channel-{written.channel}"
    )
