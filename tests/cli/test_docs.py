"""What the documentation shows is what the relay does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from relay import samples
from relay.cli.preview import ABOUT, CATALOGUE
from relay.errors import ConfigError
from relay.messages.facts import NAMES
from relay.messages.sandbox import FILTERS
from relay.messages.shelf import label
from relay.messages.templates import Templates
from relay.preview import FOR_PEOPLE, events, page, preview
from tests.message_cases import BERLIN, FOLDER, a_context
from tests.needs import ROOT

DOCS = ROOT / "docs"
TEMPLATES = (DOCS / "templates.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEAD = re.compile(r"\{# (\S+), (?:with (\S+)(?:, in (\S+))?|(refused)) #\}\n")


@dataclass(frozen=True, slots=True)
class Example:
    """A template of a page, the sample that it is shown with, and what the page says of it."""

    file: str
    sample: str | None
    language: str
    text: str
    shown: str


def examples() -> Iterator[Example]:
    fences = [(found[1], found[2]) for found in _FENCE.finditer(TEMPLATES)]
    for (kind, text), (_, shown) in zip(fences, [*fences[1:], ("", "")], strict=True):
        if kind == "jinja":
            head = _HEAD.match(text)
            assert head, f"an example begins with {{# FILE, with SAMPLE #}}: {text[:60]}"
            yield Example(head[1], head[2], head[3] or "en", text, shown)


EXAMPLES = [pytest.param(example, id=example.file) for example in examples()]
RENDERED = [param for param in EXAMPLES if param.values[0].sample]  # type: ignore[union-attr]
REFUSED = [param for param in EXAMPLES if not param.values[0].sample]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def folder() -> Templates:
    """All templates of the page that are not refused, as one folder."""
    shown = (param.values[0] for param in RENDERED)
    return Templates.from_texts({one.file: one.text for one in shown if isinstance(one, Example)})


@pytest.mark.parametrize("example", RENDERED)
def test_an_example_becomes_what_stands_below_it(example: Example, folder: Templates) -> None:
    assert example.sample
    (event,) = events(example.sample)
    said = label(example.file)
    assert said
    context = a_context(template=said.name, now=event.late_since, language=example.language)
    message = folder.render(event, context=context)
    assert message.fault is None
    match said.form.channel:
        case None:
            body = message.text.removesuffix(message.footer).rstrip()
            assert f"{message.title}\n\n{body}\n" == example.shown
        case "email":
            assert message.native["email"].strip() == example.shown.strip()
        case channel:
            assert message.native[channel] == json.loads(example.shown)


@pytest.mark.parametrize("channel", FOR_PEOPLE)
def test_the_overrides_of_the_page_are_taken_by_their_channels(
    channel: str, folder: Templates
) -> None:
    (event,) = events("channel_live")
    (written,) = preview("x", event, folder, BERLIN, channels=[channel], template="welcome").written
    assert written.problem is None
    assert written.message.fault is None
    assert set(written.message.native) == {channel}


@pytest.mark.parametrize("example", REFUSED)
def test_what_the_page_calls_refused_is_refused_with_those_words(example: Example) -> None:
    with pytest.raises(ConfigError) as raised:
        Templates.from_texts({example.file: example.text})
    assert f"{raised.value}\n" == example.shown


def test_the_page_names_everything_that_an_event_has() -> None:
    unnamed = [name for name in NAMES if f"`event.{name}" not in TEMPLATES]
    assert unnamed == []


def test_the_page_names_every_filter_of_our_own() -> None:
    own = ("date", "since", "until", "duration", "number", "phone", "country", "language_name",
           "limit", "words")  # fmt: skip
    assert set(own) <= set(FILTERS)
    assert [name for name in own if f"`{name}" not in TEMPLATES] == []


def test_the_catalogue_of_events_has_a_message_for_every_sample() -> None:
    templates = Templates.load(FOLDER)
    previews = [
        preview(name, event, templates, BERLIN)
        for name in samples.names()
        for event in events(name)
    ]
    drawn = page(previews, title=CATALOGUE, about=ABOUT)
    assert all(f">{name}<" in drawn for name in samples.names())
