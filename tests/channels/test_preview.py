"""The preview page: every word of a payload once, nothing of an event as markup, nothing loaded."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.channels import Outbound
from relay.channels.drawing import link
from relay.channels.email.html import FILLER
from relay.channels.registry import open_channels
from relay.channels.slack import preview as slack
from relay.channels.slack.preview import mrkdwn, plain
from relay.channels.teams import preview as teams
from relay.events import Client, Event
from relay.messages.templates import Templates
from relay.preview import CHANNEL_NAMES, Preview, Written, destination, events, page, preview
from tests.conftest import RULES
from tests.each import each
from tests.fakes.messages import everything, parcel
from tests.message_cases import BERLIN
from tests.relay_process import run_process, run_relay

BUNDLED = Templates.shipped()
HOSTILE = (
    "</title></style><script>alert(1)</script>\"' onload=x <!channel> ]]> &lt;b&gt; \x07\ud800"
)
HARMLESS = "harmless words, as many as in the hostile text, since what is long stands in one column"
STYLED = {"slack": {"a", "strong", "em", "code", "ol", "blockquote"}, "teams": {"a", "em"}}
DRAW = {"slack": slack.draw, "teams": teams.draw}
Run = Callable[..., Awaitable[tuple[int, str, str]]]


def drawn(text: str) -> ElementTree.Element:
    """What was drawn, as a strict parser sees it."""
    return ElementTree.fromstring(f"<body>{text}</body>")


def parsed(document: str) -> ElementTree.Element:
    return ElementTree.fromstring(document.removeprefix("<!DOCTYPE html>\n"))


def skeleton(node: ElementTree.Element) -> Any:
    """Elements and the names of their attributes, without any text."""
    return node.tag, node.get("class"), sorted(node.attrib), [skeleton(child) for child in node]


def has_class(node: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [found for found in node.iter() if name in found.get("class", "").split()]


def bare(text: str) -> str:
    return "".join(text.split())


def words(node: ElementTree.Element) -> str:
    return bare("".join(node.itertext()))


def texts(value: Any) -> Iterator[str]:
    """Every text of a payload's blocks or card that people see."""
    match value:
        case {"type": "link", "url": url}:
            yield value.get("text", url)
        case {"type": "mrkdwn", "text": label}:
            yield label.strip("*")
        case dict():
            for key, inner in value.items():
                if isinstance(inner, str):
                    if key in ("text", "title"):
                        yield inner
                elif key not in ("selectAction", "fallbackText", "metadata"):
                    yield from texts(inner)
        case list():
            for inner in value:
                yield inner if isinstance(inner, str) else ""
                yield from texts(inner)


def said_once(payload: Any, shown: str) -> None:
    """Each text is in what is shown, and nothing else is: the letters are the same."""
    expected = [bare(text) for text in texts(payload)]
    for text in expected:
        assert text in shown
    assert Counter("".join(expected)) == Counter(shown)


def shown_for(name: str, channel: str) -> tuple[Written, ElementTree.Element]:
    (event, *_) = events(name)
    one = preview(name, event, BUNDLED, BERLIN, channels=[channel])
    return one.written[0], parsed(page([one], title="T"))


def previewed(event: Event, templates: Templates = BUNDLED, **given: Any) -> Preview:
    return preview("a sample", event, templates, BERLIN, **given)


@each("name", samples.names())
def test_slack_is_drawn_with_each_text_once(name: str) -> None:
    written, document = shown_for(name, "slack")
    (body,) = has_class(document, "s-body")
    body.remove(has_class(body, "s-who")[0])
    said_once([written.payload.get("blocks"), written.payload.get("attachments")], words(body))
    (notice,) = has_class(document, "s-notice-text")
    assert words(notice) == bare(plain(written.payload["text"]))


@each("name", samples.names())
def test_the_card_is_drawn_with_each_text_once(name: str) -> None:
    written, document = shown_for(name, "teams")
    (card,) = has_class(document, "t-card")
    said_once(written.payload["attachments"][0]["content"], words(card))
    assert not has_class(document, "unknown")


@each("name", samples.names())
def test_the_mail_is_drawn_with_its_header_and_both_parts(name: str) -> None:
    written, document = shown_for(name, "email")
    headers = written.payload["headers"]
    for field in ("From", "To", "Subject"):
        (line,) = has_class(document, f"m-{field.lower()}")
        assert words(line) == bare(field + headers[field])
    (part,) = has_class(document, "m-plain")
    assert part.text == written.payload["plain"]


class Frames(HTMLParser):
    """The frames of a page with their attributes, as a browser would read them."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "iframe":
            self.found.append(dict(attrs))


@pytest.mark.parametrize("channel", ["slack", "teams"])
def test_every_kind_of_block_is_drawn_with_each_text_once(channel: str) -> None:
    payload = open_channels(Outbound())[channel].payload(
        destination(channel, "en"), parcel(everything("a value"))
    )
    drawing = drawn(DRAW[channel](payload, ""))
    content = payload.get("attachments") if channel == "teams" else None
    body = has_class(drawing, "t-card" if channel == "teams" else "s-body")[0]
    for who in has_class(body, "s-who"):
        body.remove(who)
    said_once(content or [payload["blocks"], payload["attachments"]], words(body))
    assert STYLED[channel] <= {node.tag for node in body.iter()}


def test_the_html_part_stands_in_a_frame_that_may_do_nothing() -> None:
    (event,) = events("channel_live")
    one = previewed(event, channels=["email"])
    (frame,) = Frames(page([one], title="T")).found
    sent = one.written[0].payload["html"]
    assert frame["srcdoc"] == sent.replace(FILLER, "")
    assert FILLER in sent
    assert frame["sandbox"] == ""


def _with_every_fact(text: str) -> Event:
    (event,) = events("message_template_status_update/REJECTED")
    data = event.data | {
        "message_template_name": text,
        "reason": text,
        "rejection_info": {"reason": text, "recommendation": text},
    }
    return replace(
        event,
        title=text,
        phone_name=text,
        client=Client(text, text),
        waba=text,
        data=data,
    )


@pytest.mark.parametrize("channel", CHANNEL_NAMES)
def test_hostile_text_of_an_event_adds_no_element_and_no_attribute(channel: str) -> None:
    harmless, hostile = (
        parsed(page([previewed(_with_every_fact(text), channels=[channel])], title="T"))
        for text in (HARMLESS, HOSTILE)
    )
    assert skeleton(hostile) == skeleton(harmless)
    assert "<script>alert(1)</script>" in "".join(hostile.itertext())


def test_hostile_names_stay_text_in_titles_and_anchors() -> None:
    (event,) = events("channel_live")
    one = replace(previewed(event), name=HOSTILE)
    harmless = replace(one, name="x")
    hostile = parsed(page([one, one], title=HOSTILE))
    assert skeleton(hostile) == skeleton(parsed(page([harmless, harmless], title="T")))
    anchors = [node.get("id") for node in hostile.iter("section")]
    assert len(set(anchors)) == 2


def _with_texts(value: Any, text: str) -> Any:
    """A payload in which every text is another one."""
    match value:
        case {"type": "mrkdwn"}:  # of our own words; nobody puts an event's there
            return value
        case dict():
            return {
                key: text if key == "text" and isinstance(inner, str) else _with_texts(inner, text)
                for key, inner in value.items()
            }
        case list():
            return [_with_texts(inner, text) for inner in value]
    return value


SIGNS = st.text("<>&*_~`|\"'[]()!@#\\-+:/. 1a\n\x07é", min_size=1, max_size=60)
"""What markup is made of; among all characters it would hardly ever come up."""
ANY = SIGNS | st.text(st.characters(codec=None, exclude_categories=()), max_size=200)
LINE = ANY.map(lambda text: text.replace("\n", " ") or "x")


@given(LINE)
def test_no_text_of_a_payload_changes_what_is_drawn_around_it(text: str) -> None:
    (event,) = events("account_update/ACCOUNT_RESTRICTION")
    one = previewed(event, channels=["slack", "teams"])
    for written, draw in zip(one.written, (slack.draw, teams.draw), strict=True):
        payload = dict(written.payload)
        before = drawn(draw(_with_texts(payload, "x"), "9:00"))
        after = drawn(draw(_with_texts(payload, text), "9:00"))
        for node in (before, after):
            for notice in has_class(node, "s-notice-text"):
                notice.clear()
        assert skeleton(after) == skeleton(before)


@given(ANY)
def test_any_mrkdwn_is_drawn_as_something_well_formed(raw: str) -> None:
    kinds = {node.tag for node in drawn(mrkdwn(raw)).iter()}
    assert kinds <= {"body", "strong", "em", "s", "code", "pre", "blockquote", "br", "a", "span"}


@given(ANY)
def test_any_text_block_is_drawn_as_something_well_formed(raw: str) -> None:
    card = {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": raw}]}
    kinds = {
        node.tag for node in drawn(teams.draw({"attachments": [{"content": card}]}, "")).iter()
    }
    known = {"body", "div", "b", "time", "p", "strong", "em", "ul", "ol", "li", "a", "br"}
    assert kinds <= known


@each(
    ("raw", "shown"),
    [
        ("*bold* _it_ ~gone~ `x*y*`", "<strong>bold</strong> <em>it</em> <s>gone</s> "
         "<code>x*y*</code>"),
        ("2*3*4 snake_case_name", "2*3*4 snake_case_name"),
        ("a &lt;b&gt; &amp;lt;", "a &lt;b&gt; &amp;lt;"),
        ("<!channel>", '<span class="mention">@channel</span>'),
        ("<@U1>", '<span class="mention">@U1</span>'),
        ("&gt; said\nmore", "<blockquote>said</blockquote>more"),
        ("1 <b & *x*", "1 &lt;b &amp; <strong>x</strong>"),
        ("```a\n*b*```", '<pre class="code">a\n*b*</pre>'),
        ("<javascript:x|go>", '<span title="no link: javascript:x">go</span>'),
    ],
)  # fmt: skip
def test_mrkdwn_is_drawn_as_slack_shows_it(raw: str, shown: str) -> None:
    assert mrkdwn(raw) == shown


def test_mrkdwn_links_lead_where_they_say() -> None:
    (anchor,) = drawn(mrkdwn("<https://example.com/?a=1&amp;b=2|here>")).iter("a")
    assert (anchor.text, anchor.get("href")) == ("here", "https://example.com/?a=1&b=2")
    assert anchor.get("rel") == "noopener noreferrer"


def test_a_notification_shows_labels_and_no_signs_of_links() -> None:
    assert plain("<https://example.com|here> &amp; *x*") == "here & *x*"


def test_a_text_block_parses_markdown_and_no_html() -> None:
    card = {
        "type": "AdaptiveCard",
        "body": [{"type": "TextBlock", "text": "**b** <i>x</i> [y](javascript:1)\n\n- one"}],
    }
    shown = drawn(teams.draw({"attachments": [{"content": card}]}, ""))
    assert [node.text for node in shown.iter("strong")] == ["b"]
    assert [words(node) for node in shown.iter("li")] == ["one"]
    assert not list(shown.iter("i"))
    assert not list(shown.iter("a"))
    assert "<i>x</i>" in "".join(shown.itertext())


@each(
    "url",
    ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "file:///etc", "//host/x", "x y"],
)
def test_an_address_that_is_no_web_address_is_no_link(url: str) -> None:
    (shown,) = drawn(link("label", url))
    assert (shown.tag, shown.text) == ("span", "label")


def test_what_cannot_be_drawn_is_said() -> None:
    block = {"blocks": [{"type": "video"}], "text": "t"}
    assert "not drawn here: block video" in slack.draw(block, "")
    card = {"type": "AdaptiveCard", "body": [{"type": "Media"}]}
    assert "not drawn here: element Media" in teams.draw({"attachments": [{"content": card}]}, "")


@given(st.text("\"'<>&]a é😀\x07", min_size=1))
def test_any_text_comes_back_out_of_a_link_and_its_attributes(text: str) -> None:
    (node,) = drawn(link(text, text))
    shown = text.replace("\x07", "\ufffd")
    assert (node.text, node.get("title")) == (shown, f"no link: {shown}")


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    (event,) = events("channel_live")
    document = page([previewed(event)], title="T")
    (policy,) = [
        node.get("content", "")
        for node in parsed(document).iter("meta")
        if node.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert not {"script", "link", "img", "object", "base"} & {
        node.tag for node in parsed(document).iter()
    }
    assert not re.search(r"url\(|@import", document)
    named = {name for node in parsed(document).iter() for name in node.attrib}
    assert "src" not in named
    assert not [name for name in named if name.startswith("on")]


def test_the_contents_name_each_event_and_lead_to_it() -> None:
    one, two = (previewed(next(events(name))) for name in ("channel_live", "payment/failed"))
    document = parsed(page([one, two], title="T"))
    (contents,) = document.iter("nav")
    aims = [node.get("href", "")[1:] for node in contents.iter("a")]
    assert aims == [node.get("id") for node in document.iter("section")]
    _, onboarding, _, billing, last = contents.iter("tr")
    assert [words(onboarding), words(billing)] == ["onboarding", "billing"]
    assert [words(cell) for cell in last][2:4] == ["warning", "worse"]
    assert not list(parsed(page([one], title="T")).iter("nav"))


def test_faults_of_a_template_and_missing_values_stand_above_the_messages() -> None:
    (event,) = events("channel_live")
    broken = Templates.from_texts({"default.md.j2": "# {{ (1 // 0) }}\n"})
    lacking = Templates.from_texts({"default.md.j2": "# T\n\n{{ event.data.nope }}\n"})
    for templates, said in (
        (broken, "default.md.j2failed"),
        (lacking, "missinghere:event.data.nope"),
    ):
        document = parsed(page([previewed(event, templates)], title="T"))
        assert said in words(has_class(document, "warning")[0])


def test_a_message_names_the_template_or_override_that_made_it() -> None:
    (event,) = events("channel_live")
    templates = Templates.from_texts(
        {
            "default.md.j2": "# A\n",
            "default.teams.json.j2": '{"type": "AdaptiveCard", "body": []}',
            "channel_live.slack.json.j2": '{"blocks": [{"type": "divider"}]}',
        }
    )
    made = {written.channel: written.made_by for written in previewed(event, templates).written}
    assert made == {
        "slack": "channel_live.slack.json.j2",
        "teams": "default.teams.json.j2",
        "email": "default.md.j2",
    }
    document = parsed(page([previewed(event, templates)], title="T"))
    (line,) = has_class(document, "is")
    assert words(line).endswith(
        "madebychannel_live.slack.json.j2,default.teams.json.j2,default.md.j2"
    )


def test_an_override_that_the_channel_refuses_shows_what_goes_out_and_why() -> None:
    (event,) = events("channel_live")
    templates = Templates.from_texts(
        {
            "default.md.j2": "# Usual\n",
            "default.slack.json.j2": '{"blocks": [{"type": "nonsense"}]}',
        }
    )
    one = previewed(event, templates, channels=["slack"])
    document = parsed(page([one], title="T"))
    assert "nonsense" in words(has_class(document, "warning")[0])
    assert words(has_class(document, "s-header")[0]) == "Usual"


def test_messages_speak_the_language_that_is_asked_for() -> None:
    (event,) = events("channel_live")
    templates = Templates.from_texts({"default.md.j2": "# A\n", "de/default.md.j2": "# Deutsch\n"})
    one = previewed(event, templates, language="de")
    assert {written.message.title for written in one.written} == {"Deutsch"}
    assert {written.message.language for written in one.written} == {"de"}


def test_the_same_templates_give_the_same_page() -> None:
    (event,) = events("phone_number_quality_update/FLAGGED")
    assert page([previewed(event)], title="T") == page([previewed(event)], title="T")


def test_a_template_can_be_seen_as_if_a_rule_named_it() -> None:
    (event,) = events("channel_live")
    templates = Templates.from_texts({"default.md.j2": "# A\n", "welcome.md.j2": "# Welcome\n"})
    one = previewed(event, templates, template="welcome")
    assert {written.message.title for written in one.written} == {"Welcome"}


def test_times_are_shown_in_the_zone_of_the_messages() -> None:
    (event,) = events("phone_number_quality_update/FLAGGED")
    clocks = [
        f"{preview('x', event, BUNDLED, ZoneInfo(zone)).at:%H:%M}" for zone in ("UTC", "Asia/Tokyo")
    ]
    assert clocks == ["17:30", "02:30"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command in a folder that has a template and no rules."""
    (tmp_path / "message_templates").mkdir()
    (tmp_path / "message_templates" / "default.md.j2").write_text(
        "# {{ event.title }}\n\n{{ event.received_at|date }}\n"
    )

    async def go(*arguments: str, **env: str) -> tuple[int, str, str]:
        return await run_relay(*arguments, env=env, cwd=tmp_path)

    return go


async def test_preview_writes_a_page_with_all_channels_and_prints_its_path(
    run: Run, tmp_path: Path
) -> None:
    code, out, err = await run("preview", "channel_live")
    assert (code, out, err) == (0, "relay-preview.html\n", "")
    document = parsed((tmp_path / "relay-preview.html").read_text(encoding="utf-8"))
    assert [words(node) for node in document.iter("h3")] == ["Slack", "MicrosoftTeams", "E-mail"]
    assert len(list(document.iter("section"))) == 1


async def test_preview_of_a_kind_has_all_its_details_and_channel_leaves_the_others_out(
    run: Run, tmp_path: Path
) -> None:
    code, out, _ = await run(
        "preview", "SECURITY", "--channel", "teams", "--out", str(tmp_path / "x.html")
    )
    assert (code, out) == (0, f"{tmp_path / 'x.html'}\n")
    document = parsed((tmp_path / "x.html").read_text(encoding="utf-8"))
    heads = [words(node) for node in document.iter("h3")]
    assert heads == ["MicrosoftTeams"] * len(samples.matching("security"))
    assert len(heads) > 1


async def test_preview_takes_the_time_zone_of_the_rules_where_they_can_be_loaded(
    run: Run, tmp_path: Path
) -> None:
    shown = []
    for rules in (None, RULES + "timezone: Asia/Tokyo\n", RULES + "nonsense: 1\n"):
        if rules:
            (tmp_path / "rules.yaml").write_text(rules)
        code, out, _ = await run("preview", "channel_live", "--channel", "slack", "--out", "-")
        assert code == 0
        shown.append("19:00 JST" in out or "19:00 GMT+9" in out)
    assert shown == [False, True, False]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("chanel_live",), 'did you mean "channel_live"'),
        (("security/NONE",), "there is no sample"),
        (("channel_live", "--channel", "fax"), "fax"),
        (("channel_live", "--language", "klingonish"), "klingonish"),
        (("channel_live", "--out", "no/where.html"), "cannot write no/where.html"),
        (("channel_live", "--templates", "gone"), "gone"),
    ],
)
async def test_wrong_use_is_one_clear_line(
    run: Run, arguments: tuple[str, ...], fragment: str, tmp_path: Path
) -> None:
    code, out, err = await run("preview", *arguments)
    assert (code, out) == (2, "")
    assert fragment in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "relay-preview.html").exists()


async def test_open_hands_the_page_to_the_browser(run: Run, tmp_path: Path) -> None:
    page, env = ("preview", "channel_live", "--open"), {"BROWSER": "echo %s"}
    code, out, _ = await run_process(*page, env=env, cwd=tmp_path)
    assert code == 0
    assert f"file://{tmp_path / 'relay-preview.html'}" in out


def test_events_are_named_in_the_language_that_was_asked_for() -> None:
    (event,) = events("quality_watch/RED")
    assert "Qualität gesunken auf RED" in page([previewed(event, language="de")], title="T")


def test_the_only_script_is_the_one_that_the_policy_names() -> None:
    event = next(events("channel_live"))
    document = html.unescape(page([previewed(event)] * 2, title="T"))
    told = re.search(r"script-src 'sha256-([^']+)'", document)
    ran = re.findall(r"<script>(.*?)</script>", document, re.DOTALL)
    assert told is not None
    assert len(ran) == 1
    assert base64.b64encode(hashlib.sha256(ran[0].encode()).digest()).decode() == told[1]
