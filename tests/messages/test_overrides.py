"""Templates in a channel's own form: what they may hold, and that values stay values in them."""

# ruff: noqa: E501  # templates in tables are read best in one line

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from relay.channels import Outbound
from relay.channels.registry import open_channels
from relay.checks.templates import check
from relay.config import load_text
from relay.deliveries import Cause
from relay.errors import ConfigError, RenderError
from relay.events import Client, Event
from relay.messages import Message
from relay.messages.marks import mark
from relay.messages.overrides import quoted
from relay.messages.templates import Templates
from relay.pipeline import Plan, compose, explain, owe, written
from relay.text import clean
from tests.each import each
from tests.message_cases import BERLIN, NOON, a_context, an_event
from tests.needs import examples

KIND = "phone_number_quality_update"
SUFFIX = {"slack": ".slack.json.j2", "teams": ".teams.json.j2", "email": ".email.html.j2"}

SLACK = """{
  "text": {{ event.phone_name }},
  "blocks": [
    {"type": "header", "text": {"type": "plain_text", "text": {{ event.title }} }},
    {"type": "section", "text": {"type": "mrkdwn",
      "text": {{ "*" ~ event.client.name ~ "* <https://hub.360dialog.com/?q=" ~ event.waba ~ "|hub>" }} }},
    {% for phone in event.phones %}
    {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [
      {"type": "text", "text": {{ phone|phone }} },
      {"type": "link", "url": {{ "https://wa.me/" ~ event.phone_name }}, "text": {{ event.detail }} }
    ]}]},
    {% endfor %}
    {% if event.data.reason %}
    {"type": "context", "elements": [{"type": "mrkdwn", "text": {{ event.data.reason }} }]},
    {% endif %}
  ]
}"""
TEAMS = """{
  "type": "AdaptiveCard", "version": "1.4",
  "body": [
    {"type": "TextBlock", "wrap": true, "text": {{ "**" ~ event.client.name ~ "** " ~ event.phone_name }} },
    {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": {{ event.title }} }]},
    {"type": "FactSet", "facts": [
      {% for key, value in event.data|items %}
      {"title": {{ key }}, "value": {{ value }} },
      {% endfor %}
    ]}
  ],
  "actions": [{"type": "Action.OpenUrl", "title": {{ event.detail }}, "url": {{ "https://hub.360dialog.com/" ~ event.waba }} }]
}"""
NOT_WHOLE = ["x</<script>", "x<!-- open", "x<script<p>", "x<![CDATA[y]]>", "x<?php ?>", "x</ p>"]
EMAIL = """<!DOCTYPE html>
<html lang="en"><head><title>{{ event.title }}</title><style>p { color: red }</style></head><body>
<!-- made by hand -->
<!--[if mso]><table><tr><td>{{ event.kind }}</td></tr></table><![endif]-->
<p title="{{ event.phone_name }}">{{ event.client.name }} &amp; {{ event.phone_name }}</p>
{% for key, value in event.data|items %}<b>{{ key }}</b>: {{ value }}<br>{% endfor %}
<a href="https://hub.360dialog.com/{{ event.phone_name }}?a=1&amp;b={{ event.waba }}">{{ event.detail }}</a>
</body></html>"""
BY_CHANNEL = {"slack": SLACK, "teams": TEAMS, "email": EMAIL}


def a_set(channel: str, text: str, **others: str) -> Templates:
    files = {"default.md.j2": "# T", f"default{SUFFIX[channel]}": text}
    return Templates.from_texts(files | others)


def rendered(channel: str, text: str, event: Event | None = None, **context: Any) -> Message:
    templates = a_set(channel, text)
    return templates.render(event or an_event(), context=a_context(**context))


def native(channel: str, text: str, event: Event | None = None, **context: Any) -> Any:
    message = rendered(channel, text, event, **context)
    assert message.fault is None, message.fault
    return message.native[channel]


def faults(channel: str, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        a_set(channel, text)
    return [str(fault) for fault in caught.value.faults]


# What an expression writes


@each(
    ("expression", "value"),
    [
        ("event.phone_name", "Musterladen Support"),
        ("'Hello ' ~ event.client.name ~ '!'", "Hello Musterladen Handels GmbH!"),
        ("event.data.number", "5"),
        ("event.data.flag", "true"),
        ("event.data.tree", '{"type": "mrkdwn"}'),
        ("event.phones", '["+491713920011"]'),
        ("event.data.nope", "[missing: event.data.nope]"),
        ("event.data.nope|default('–')", "–"),
        ("event.occurred_at|date", "2 Mar 2026, 11:00 CET"),
        ("event.phone_name|upper", "MUSTERLADEN SUPPORT"),
        ("('a' ~ event.detail)|lower", "aflagged"),
        ("'yes' if ('a' ~ event.detail) == 'aFLAGGED' else 'no'", "yes"),
        ("'yes' if event.detail in ['FLAGGED'] else 'no'", "yes"),
        ("'x' if event.test", ""),
        ("'a\"b\\\\c' ~ event.detail", 'a"b\\cFLAGGED'),
        ("5", 5),
        ("1.5", 1.5),
        ("true", True),
        ("event.detail == 'FLAGGED'", True),
        ("not event.detail", False),
        ("event.country is defined", True),
        ("event.phones|length", 1),
        ("event.data.number|int", 5),
        ("event.phone_name|int", 0),
    ],
)
def test_what_an_expression_writes_into_json(expression: str, value: Any) -> None:
    event = an_event(data={"number": 5, "flag": True, "tree": {"type": "mrkdwn"}})
    found = native(
        "slack", f'{{"x": {{"type": "plain_text", "text": {{{{ {expression} }}}}}}}}', event
    )
    assert found["x"]["text"] == value
    assert type(found["x"]["text"]) is type(value)


def test_a_number_that_json_does_not_have_is_a_fault() -> None:
    message = rendered("slack", '{"x": {{ ("1e999"|float)|round }}}')
    assert message.fault is not None
    assert message.native == {}


def test_macros_and_set_blocks_write_structure_and_their_values_stay_values() -> None:
    text = """{% macro section(label, value) %}
      {"type": "section", "text": {"type": "mrkdwn", "text": {{ label ~ value }} }}
    {% endmacro %}
    {% set last %}{"type": "divider"}{% endset %}
    {"blocks": [{{ section("*A:* ", event.phone_name) }}, {{ last }}]}"""
    found = native("slack", text, an_event(phone_name='<!here> "'))
    assert found == {
        "blocks": [
            {
                "type": "section",
                "text": {"type": "mrkdwn", "text": '*A:* &lt;!here&gt; "', "verbatim": True},
            },
            {"type": "divider"},
        ]
    }


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [{% for p in [1, 2] %}"x",{% endfor %}]}',
        '{"a": ["x",{% if event.test %}"y"{% endif %},"x"]}',
        '{"a": [,"x","x"],}',
        '{"a": ["x",\n,"x",]}',
    ],
)
def test_commas_that_separate_nothing_do_no_harm(text: str) -> None:
    assert native("slack", text) == {"a": ["x", "x"]}


def test_commas_and_brackets_inside_texts_stay() -> None:
    assert native("slack", '{"a": "x,] ,} \\", ,,", "b": {{ ",]" ~ event.detail }}}') == {
        "a": 'x,] ,} ", ,,',
        "b": ",]FLAGGED",
    }


# What is refused at load


@each(
    ("channel", "text", "line", "said"),
    [
        ("slack", '{"text":\n"Hi {{ event.who }}"}', 2, "stands inside quotes: write it without them"),
        ("teams", '{"body": [{"text": "{{ event.who }}"}]}', 1, "stands inside quotes"),
        ("slack", '{\n{{ event.kind }}: "x"}', 2, "in the place of a key"),
        ("slack", '{"blocks": [{\n"type": {{ event.kind }}}]}', 2, "type must be fixed"),
        ("slack", '{"x": {"type": "user", "user_id": {{ event.kind }}}}', 1, "user_id must be fixed"),
        ("slack", '{"x": {"type": "broadcast", "range": {{ event.kind }}}}', 1, "range must be fixed"),
        ("slack", '{"x": {"type": "emoji", "name": {{ event.kind }}}}', 1, "name must be fixed"),
        ("slack", '{"a": "x"\n"b": "y"}', 2, "it is not JSON"),
        ("slack", '{"a": "x" {{ event.kind }}}', 1, "it is not JSON"),
        ("slack", '{"a": {{ event.kind }}{{ event.kind }}}', 1, "it is not JSON"),
        ("slack", '{"a": NaN}', 1, "it is not JSON: NaN"),
        ("slack", '{"a": 1, "a": 2}', 1, "'a' is there twice"),
        ("slack", '[{"a": 1}]', 1, "one JSON object"),
        ("slack", '{"a": "x\ny"}', 1, "it is not JSON"),
        ("slack", "[" * 20_000, 1, "nested too deeply"),
        ("slack", '{"a": {{ event.kind|safe }}}', 1, "the filter safe is refused"),
        ("slack", '{% include "x" %}{}', 1, "include is refused"),
        ("slack", "", 1, "it is empty"),
        ("slack", '{"a": "\ue000"}', 1, "private-use"),
        ("email", "<p>\n<a href={{ event.kind }}>x</a>", 2, "stands in quotes"),
        ("email", "<p {{ event.kind }}>x</p>", 1, "stands in quotes"),
        ('email', '<p onclick="{{ event.kind }}">x', 1, "no value may stand in onclick"),
        ("email", '<p style="color:{{ event.kind }}">x', 1, "no value may stand in style"),
        ("email", "<{{ event.kind }}>x", 1, "a tag is not closed, or a value makes it"),
        ("email", "</{{ event.kind }}>x", 1, "a tag is not closed, or a value makes it"),
        *(("email", html, 1, "a tag is not closed") for html in NOT_WHOLE),
        ("email", '<p>x</p>\n<a href="https://x.example/{{ event.kind }}', 2, "a tag is not closed"),
        ("email", "<script>{{ event.kind }}</script>", 1, "may not stand in <script>"),
        ("email", "<style>\np { color: {{ event.kind }} }</style>", 1, "may not stand in <style>"),
        ("email", "<script>if (a < b) x('<p>{{ event.kind }}</p>')</script>", 1, "<script>"),
        ("email", "<!-- {{ event.kind }} -->x", 1, "may not stand in a comment"),
        ("email", '<a href="https://{{ event.kind }}/x">x</a>', 1, "href begins with https://"),
        ("email", '<a href="https://x.example{{ event.kind }}">x</a>', 1, "href begins with https://"),
        ("email", '<a href="java{{ event.kind }}">x</a>', 1, "href begins with https://"),
        ("email", '<a href="java&#115;cript:{{ event.kind }}">x</a>', 1, "href begins with https://"),
    ],
)  # fmt: skip
def test_what_is_refused_at_load(channel: str, text: str, line: int, said: str) -> None:
    start = f"default{SUFFIX[channel]}:{line}:"
    found = faults(channel, text)
    assert any(fault.startswith(start) and said in fault for fault in found), found


def test_faults_of_every_branch_are_found() -> None:
    text = '{"a": [{% if event.test %}\n"x"{% else %}\n"{{ event.kind }}"{% endif %}]}'
    assert faults("slack", text)[0].startswith("default.slack.json.j2:3:2: error: {{ }} stands")


def test_a_field_that_no_event_has_is_refused_at_its_place() -> None:
    (fault,) = faults("slack", '{"a": {{ event.phnoe }}}')
    assert fault.startswith("default.slack.json.j2:1:16: error: an event has no 'phnoe'")
    assert "did you mean 'phone'" in fault


@given(st.text(alphabet='"\\,[]{}: \nxM1', max_size=40))
def test_any_json_is_tidied_in_no_more_than_its_commas(text: str) -> None:
    shown, _ = quoted(text.replace("M", mark(0)))
    assert shown.replace('"', "") == text.replace("M", mark(0)).replace('"', "")


# What fails with an event leaves the Markdown


@each(
    ("channel", "text", "said"),
    [
        ("slack", '{"url": {{ event.data.url }}}', "url is no http(s) address for this event"),
        ("email", '<a href="{{ event.data.url }}">x</a>', "an address is no http(s) address"),
        ("slack", '{"url": {{ "https://" ~ event.kind }}}', "url begins with https://"),
        ("slack", '{"text": {{ "<@" ~ event.kind ~ ">" }}}', "could name anybody"),
        ("slack", '{"text": {{ "<" ~ event.data.url ~ "|x>" }}}', "could name anybody"),
        ("slack", '{"text": {{ "<https://" ~ event.kind ~ "|x>" }}}', "could name anybody"),
        ("teams", '{"text": {{ "[x](" ~ event.data.url ~ ")" }}}', "fixed host"),
        ("slack", '{"a": {{ 1 // (event.phones|length - 1) }}}', "ZeroDivisionError"),
        ("slack", '{"a": [{% for i in range(1000) %}{% for j in range(1000) %}{% endfor %}{% endfor %}]}', "works for too long"),
        ("slack", '{"a": {{ event.title ~ "x" * 2 }}}', "numbers"),
    ],
)  # fmt: skip
def test_an_override_that_fails_leaves_the_markdown_which_says_so(
    channel: str, text: str, said: str
) -> None:
    if "* 2" in text:
        text = text.replace('"x" * 2', "event.title * 2")
    event = an_event(data={"url": "javascript:alert(1)"})
    message = rendered(channel, text, event)
    assert message.native == {}
    assert message.template == "default.md.j2"
    assert message.fault is not None
    assert message.fault.startswith(f"override default{SUFFIX[channel]} failed: ")
    assert said in message.fault
    assert f"This is the usual form of the message: {message.fault}" in message.text
    assert "\n" not in message.fault
    with pytest.raises(RenderError, match="override default"):
        rendered(channel, text, event, strict=True)


def test_an_address_that_is_a_value_is_kept_if_it_can_be_followed() -> None:
    event = an_event(data={"url": "https://x.example/a b?c=d#e"})
    assert native("slack", '{"url": {{ event.data.url }}}', event) == {
        "url": "https://x.example/a%20b?c=d#e"
    }
    assert 'href="https://x.example/a%20b?c=d#e"' in native(
        "email", '<a href="{{ event.data.url }}">x</a>', event
    )


def test_what_an_override_misses_is_counted_with_the_rest() -> None:
    templates = Templates.from_texts(
        {
            "default.md.j2": "# {{ event.data.a }}",
            "default.slack.json.j2": '{"text": {{ event.data.b }}}',
        }
    )
    message = templates.render(an_event(), context=a_context())
    assert message.missing == ("event.data.a", "event.data.b")
    with pytest.raises(RenderError, match=r"event\.data\.b is missing"):
        a_set("slack", '{"text": {{ event.data.b }}}').render(
            an_event(), context=a_context(strict=True)
        )


def test_an_override_speaks_the_language() -> None:
    text = '{"text": {{ event.occurred_at|date ~ " " ~ event.data.nope }}}'
    assert native("slack", text, language="de") == {
        "text": "2. März 2026, 11:00 MEZ [fehlt: event.data.nope]"
    }


# Search


def chosen(files: list[str], language: str = "en", wanted: str | None = None) -> str | None:
    texts = {file: "{}" if file.endswith("json.j2") else f"# {file}" for file in files}
    templates = Templates.from_texts(texts)
    return templates.overrides(an_event(), wanted, language).get("slack")


S = ".slack.json.j2"
M = ".md.j2"


@each(
    ("files", "language", "wanted", "override"),
    [
        ([f"quality{M}", f"quality{S}"], "en", None, f"quality{S}"),
        ([f"quality{M}", f"quality{S}", f"default{M}", f"default{S}"], "en", None, f"quality{S}"),
        ([f"quality{M}", f"default{M}", f"default{S}"], "en", None, None),
        ([f"default{M}", f"{KIND}{S}"], "en", None, f"{KIND}{S}"),
        ([f"de/default{M}", f"{KIND}{M}", f"{KIND}{S}"], "de", None, None),
        ([f"de/default{M}", f"de/quality{S}"], "de", None, f"de/quality{S}"),
        ([f"default{M}", f"default{S}"], "de", None, f"default{S}"),
        ([f"en/default{M}", f"default{S}"], "en", None, None),
        ([f"welcome{M}", f"welcome{S}", f"quality{S}", f"quality{M}"], "en", "welcome", f"welcome{S}"),
        ([f"welcome{M}", f"quality{S}", f"quality{M}"], "en", "welcome", None),
        ([f"de/welcome{M}", f"welcome{S}"], "de", "welcome", None),
        ([f"quality{S}"], "en", None, None),
    ],
)  # fmt: skip
def test_an_override_is_for_as_much_as_its_markdown_or_for_less(
    files: list[str], language: str, wanted: str | None, override: str | None
) -> None:
    assert chosen(files, language, wanted) == override


def test_each_channel_gets_its_own_and_only_its_own() -> None:
    templates = Templates.from_texts(
        {"default.md.j2": "# T"} | {f"default{SUFFIX[name]}": BY_CHANNEL[name] for name in SUFFIX}
    )
    everything = templates.render(an_event(), context=a_context())
    assert set(everything.native) == {"slack", "teams", "email"}
    for channel in SUFFIX:
        message = templates.render(an_event(), context=a_context(channel=channel))
        assert set(message.native) == {channel}
        assert message.native[channel] == everything.native[channel]


def test_an_override_without_its_markdown_is_a_warning() -> None:
    templates = Templates.from_texts({"default.md.j2": "# T", "de/quality.teams.json.j2": "{}"})
    assert [str(warning) for warning in templates.warnings] == [
        "de/quality.teams.json.j2:1:1: warning: there is no quality.md.j2 beside it: write one, or "
        "the other channels and the plain message say something else"
    ]


def test_overrides_are_no_templates_that_a_rule_can_name() -> None:
    templates = Templates.from_texts({"default.md.j2": "# T", "welcome.slack.json.j2": "{}"})
    assert templates.names == ("default",)


def test_a_folder_gives_its_overrides_back_and_names_what_it_does_not_read(tmp_path: Path) -> None:
    (tmp_path / "default.md.j2").write_text("# T")
    (tmp_path / "default.slack.json.j2").write_text('{"text": {{ event.who }}}')
    (tmp_path / "default.slack.j2").write_text("{}")
    templates = Templates.load(tmp_path)
    assert set(templates.texts) == {"default.md.j2", "default.slack.json.j2"}
    assert [Path(w.file).name for w in templates.warnings] == ["default.slack.j2"]
    assert "it is not read: templates are called NAME and .md.j2" in str(templates.warnings[0])
    again = Templates.from_texts(templates.texts)
    assert again.render(an_event(), context=a_context()).native["slack"]


# Values stay values

FRAGMENTS = [
    *("<!channel>", "<!here|x>", "<@U123>", "<https://evil.example|ok>", "&lt;", "&", "<at>a</at>"),
    *(
        '", "url": "https://evil.example',
        '"}',
        "]}",
        "\\",
        '\\"',
        "\\u0022",
        "\n",
        "\r\n",
        "\t",
        "'",
    ),
    *("**b**", "_i_", "[l](https://evil.example)", "![i](x)", "`c`", "# h", "- x", "1. x", "> q"),
    *("====", "---", "~~~", "<script>", "--></style>", "</p>", "javascript:alert(1)", "{{ 7*7 }}"),
    *(
        "{{DATE(2026-01-01T00:00:00Z)}}",
        "${x}",
        "\u202e",
        "\u200b",
        "\ue000",
        "\U000f0000",
        "\ud800",
    ),
    *("\x00", "\x1b[31m", "\u2028", "    code", "|", "*", "x"),
]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join) | st.text(max_size=30)


def hostile(text: str) -> Event:
    return an_event(
        title=f"x{text}",
        detail=f"x{text}",
        phone_name=f"x{text}",
        phones=(f"+49{text}",),
        client=Client(f"x{text}", f"x{text}"),
        waba=f"x{text}",
        data={"reason": f"x{text}", "event": f"x{text}", f"k{text}": [text, {text: text}]},
    )


def shape(value: Any) -> Any:
    """The structure without texts."""
    match value:
        case dict():
            return {key: shape(inner) for key, inner in value.items()}
        case list():
            return [shape(inner) for inner in value]
        case str():
            return "text"
    return value


@examples(60)
@given(HOSTILE)
def test_hostile_values_change_nothing_of_the_structure_of_json(text: str) -> None:
    for channel in ("slack", "teams"):
        tree = native(channel, BY_CHANNEL[channel], hostile(text))
        assert shape(tree) == shape(native(channel, BY_CHANNEL[channel], hostile("")))
        json.dumps(tree).encode("ascii")
        for said in texts(tree):
            assert clean(said) == said


def texts(tree: Any) -> Iterator[str]:
    match tree:
        case dict():
            for inner in tree.values():
                yield from texts(inner)
        case list():
            for inner in tree:
                yield from texts(inner)
        case str():
            yield tree


_ESCAPED = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}


@examples(60)
@given(HOSTILE)
def test_hostile_values_are_text_to_slack(text: str) -> None:
    tree = native("slack", SLACK, hostile(text))
    header, section, rich, *_ = tree["blocks"]
    seen = clean(f"x{text}")
    assert header["text"]["text"] == seen
    said = section["text"]["text"]
    assert re.findall("<[^>]*>", said)[0].startswith("<https://hub.360dialog.com/?q=")
    assert len(re.findall("[<>]", said)) == 2
    assert section["text"]["verbatim"] is True
    name = said[1:].rpartition("* <https://")[0]
    assert re.sub("&(lt|gt|amp);", lambda found: _ESCAPED[found[0]], name) == seen
    link = rich["elements"][0]["elements"][1]
    assert link["text"] == seen
    assert link["url"].startswith("https://wa.me/")
    assert re.fullmatch(r"[!-~]*", link["url"])


@examples(120)
@given(HOSTILE)
def test_hostile_values_are_text_to_the_markdown_of_cards(text: str) -> None:
    tree = native(
        "teams",
        '{"text": {{ event.phone_name }}, "t": {"type": "TextRun", "text": {{ event.phone_name }} }}',
        hostile(text),
    )
    seen = clean(f"x{text}")
    assert tree["t"]["text"] == seen
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    tokens = parser.parse(tree["text"])
    kinds = {token.type for token in tokens}
    assert kinds <= {"paragraph_open", "paragraph_close", "inline"}, tree["text"]
    inner = [token for found in tokens for token in found.children or ()]
    assert {token.type for token in inner} <= {"text", "softbreak", "hardbreak", "text_special"}
    shown = "".join(token.content for token in inner)
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", seen.replace("&nbsp;", ""))
    assert "{{" not in tree["text"]


@each(
    ("value", "shown"),
    [
        ("a\n- x", "a\n\\- x"),
        ("a\n  + x", "a\n\\+ x"),
        ("a\n12. x", "a\n12\\. x"),
        ("1) x", "1\\) x"),
        ("a\n===", "a\n\\==="),
        ("a\n---", "a\n\\---"),
        ("a\n\n    code", "a\n\n code"),
        ("a\n\n\tcode", "a\n\n code"),
        ("a-b 1.5 c+d", "a-b 1.5 c+d"),
    ],
)
def test_what_would_begin_a_list_or_a_heading_in_a_card_is_text(value: str, shown: str) -> None:
    assert native("teams", '{"text": {{ event.phone_name }}}', an_event(phone_name=value)) == {
        "text": shown
    }


def test_an_address_in_html_is_escaped_once() -> None:
    found = native("email", '<a href="https&#58;//x.example/?a=1&amp;b={{ event.detail }}">x</a>')
    assert found == '<a href="https://x.example/?a=1&amp;b=FLAGGED">x</a>'


class Page(HTMLParser):
    """The elements of a page with their attributes' names, and its texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_comment(self, data: str) -> None:
        self.tags.append(("!", (data.partition("]")[0],)))

    def handle_data(self, data: str) -> None:
        self.words += data


@examples(60)
@given(HOSTILE)
def test_hostile_values_are_text_to_html(text: str) -> None:
    page = Page(native("email", EMAIL, hostile(text)))
    assert page.tags == Page(native("email", EMAIL, hostile(""))).tags
    seen = clean(f"x{text}")
    assert f"{seen} & {seen}" in page.words
    assert seen in page.values
    assert all(v.startswith("https://hub.360dialog.com/") for v in page.values if "://hub" in v)


# The channels' checks


RULES = """\
version: 1
accounts:
  slack: {{token: xoxb-of-the-tests}}
destinations:
  support: {{slack: {{channel: "#support"}}, language: {language}}}
rules:
  - {{name: all, when: {{event: "*"}}, send_to: support}}
default: {{send_to: support}}
alarms: {{send_to: support}}
"""


def a_plan(override: str, language: str = "en", **others: str) -> Plan:
    text = RULES.format(language=language)
    config = load_text(text, "rules.yaml", env={}, strict_env=True, outbound=Outbound())
    templates = a_set("slack", override, **others)
    return Plan(1, config.rules, config.destinations, templates, BERLIN)


def payload(plan: Plan, event: Event) -> tuple[Mapping[str, Any], Message, str | None]:
    place = plan.destinations["support"]
    delivery = owe(event, place, cause=Cause.RULE, now=NOON, version=1, rule="all")
    message = compose(delivery, event, plan, NOON)
    channel = open_channels(Outbound())["slack"]
    return written(delivery, event, plan, channel, message, NOON)


GOOD = '{"blocks": [{"type": "section", "text": {"type": "plain_text", "text": {{ "own: " ~ event.kind }} }}]}'


def test_a_good_override_is_what_is_sent() -> None:
    sent, message, unsendable = payload(a_plan(GOOD), an_event())
    assert unsendable is None
    assert message.fault is None
    assert "own: phone_number_quality_update" in json.dumps(sent)


def test_an_override_that_the_channel_refuses_leaves_the_markdown_which_says_so() -> None:
    sent, message, unsendable = payload(a_plan('{"blocks": [{"type": "nonsense"}]}'), an_event())
    assert unsendable is None
    assert message.fault is not None
    assert message.template == "default.md.j2"
    assert "nonsense" not in {block["type"] for block in sent["blocks"]}
    assert "This is the usual form of the message" in json.dumps(sent)


def test_explain_shows_what_would_be_sent_when_the_channel_refuses_the_override() -> None:
    plan = a_plan('{"blocks": []}')
    explained = explain(an_event(), plan, open_channels(Outbound()), NOON)
    assert "usual form" in json.dumps(explained.owed[0].payload)


def test_a_destination_is_written_to_in_its_language() -> None:
    plan = a_plan(GOOD, "de", **{"de/default.md.j2": "# Hallo"})
    sent, message, _ = payload(plan, an_event())
    assert message.title == "Hallo"
    assert message.native == {}
    assert "Regel „all“" in json.dumps(sent, ensure_ascii=False)


def test_check_names_an_override_that_a_sample_or_the_channel_refuses() -> None:
    refused = a_plan('{"blocks": [{"type": "nonsense"}]}')
    found = [str(fault) for fault in check(refused, "templates")]
    assert any(
        f.startswith("templates/default.slack.json.j2:1:1: error: rendered with ") for f in found
    )
    failing = a_plan('{"text": {{ "<@" ~ event.kind ~ ">" }}}')
    found = [str(fault) for fault in check(failing, "templates")]
    assert any("could name anybody" in f and "default.slack.json.j2" in f for f in found)
    assert check(a_plan(GOOD), "templates") == ()
