"""Overrides: what a template wrote for one channel itself, checked before it is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.errors import UnsendableError
from relay.messages import html_form
from relay.messages.markdown import FormError
from tests.channels.test_outbound_payloads import (
    BOT,
    FLOW,
    HOOK,
    MAIL,
    Tags,
    objects,
    payload,
    sound,
)
from tests.each import each
from tests.fakes.messages import message
from tests.needs import examples

FOOT = "2 Mar 2026, 11:00 CET · rule Quality drops · 1a2b3c4d"
SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "*Hello*"}}
CARD = {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "**Hello**"}]}
URL = "https://hub.360dialog.com/a"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["section", "header", "TextBlock", "AdaptiveCard", "plain_text", URL]),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.sampled_from(
            ["type", "text", "blocks", "elements", "fields", "body", "items", "url", "attachments",
             "inlines", "columns", "actions", "rows", "accessory", "version", "facts", "card"]
        ), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def sent(to: Any, native: Any, **more: Any) -> dict[str, Any]:
    content = replace(message(**more), native={to.channel: native})
    return payload(to, content)


def refused(to: Any, native: Any) -> str:
    with pytest.raises(UnsendableError) as caught:
        sent(to, native)
    assert "override" in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def section(**more: Any) -> dict[str, Any]:
    return {"blocks": [{"type": "section", **more}]}


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def button(**more: Any) -> dict[str, Any]:
    return {
        "blocks": [
            {
                "type": "actions",
                "elements": [{"type": "button", "text": plain("Go"), "url": URL} | more],
            }
        ]
    }


def card(*body: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "AdaptiveCard", "body": list(body), **more}


def opens(url: str) -> dict[str, Any]:
    return {"type": "Action.OpenUrl", "title": "Go", "url": url}


def test_slack_override_is_closed_with_the_footer() -> None:
    shape = sent(BOT, {"blocks": [SECTION]})
    sound(BOT, shape)
    assert shape["blocks"][0] == SECTION
    assert shape["blocks"][-1]["elements"][0]["text"] == FOOT
    assert shape["text"] == "Quality dropped\nSomething happened."
    assert shape["channel"] == "#a"


def test_slack_attachments_keep_their_colour_and_take_the_footer() -> None:
    shape = sent(HOOK, {"attachments": [{"color": "#ff0000", "blocks": [SECTION]}]})
    sound(HOOK, shape)
    assert "blocks" not in shape
    assert shape["attachments"][0]["color"] == "#ff0000"
    assert [block["type"] for block in shape["attachments"][0]["blocks"]] == ["section", "context"]


def test_slack_override_chooses_the_notification_but_not_to_hide_the_title() -> None:
    native = {"blocks": [SECTION], "text": "Short"}
    assert sent(BOT, native, title="[test] a & b")["text"] == "[test] a &amp; b\nShort"
    native = {"blocks": [SECTION], "text": "So: [test] a &amp; b!"}
    assert sent(BOT, native, title="[test] a & b")["text"] == "So: [test] a &amp; b!"


@pytest.mark.parametrize("mark", ["[test]", "[replay, late: 3 h]"])
def test_title_marks_are_seen_above_every_override(mark: str) -> None:
    title = f"{mark} Title"
    assert sent(BOT, {"blocks": [SECTION]}, title=title)["blocks"][0]["text"]["text"] == mark
    body = sent(FLOW, CARD, title=title)["attachments"][0]["content"]["body"]
    assert body[0]["inlines"][0]["text"] == mark
    for html in ("<p>Hello</p>", "<html><body class=x><p>Hello</p></body></html>"):
        shape = sent(MAIL, html, title=title)
        assert shape["html"].index(f">{mark}</p>") < shape["html"].index("<p>Hello")
        assert shape["headers"]["Subject"] == title


def test_override_of_one_channel_leaves_the_others_alone() -> None:
    content = replace(message(), native={"slack": {"blocks": [SECTION]}, "other": 1})
    for to in (FLOW, MAIL):
        assert payload(to, content) == payload(to, message())


@pytest.mark.parametrize(("to", "bad"), [(BOT, 1), (FLOW, 1), (MAIL, 1)], ids=str)
def test_plain_parcel_has_no_override(to: Any, bad: int) -> None:
    content = replace(message(), native={to.channel: bad})
    assert payload(to, content, plain=True) == payload(to, message(), plain=True)


@each(
    ("native", "fault"),
    [
        (None, "not an object"),
        ([], "not an object"),
        ({}, "no blocks"),
        ({"blocks": []}, "no blocks"),
        ({"blocks": "x"}, "must be lists"),
        ({"blocks": [SECTION], "attachments": {}}, "must be a list"),
        ({"blocks": [SECTION], "channel": "#other"}, "unknown key 'channel'"),
        ({"blocks": [SECTION], "text": 1}, "text is no text"),
        ({"blocks": [SECTION], "text": "x" * 5_000}, "top-level text"),
        ({"blocks": ["x"]}, "unknown block 'none'"),
        ({"blocks": [SECTION] * 50}, "51 blocks, 50 are allowed"),
        ({"blocks": [{"type": "input"}]}, "unknown block 'input'"),
        ({"blocks": [{}]}, "unknown block 'None'"),
        (section(), "text or fields attribute must be specified"),
        (section(text=plain("")), "plain_text needs a text"),
        (section(text=plain("x" * 3_001)), "a text of 1 to 3000 characters"),
        (section(text="x"), "a part of type 'none'"),
        (section(text={"type": "mrkdwn", "text": 5}), "mrkdwn needs a text"),
        (section(fields=[plain("x")] * 11), "cannot exceed 10"),
        (section(text=plain("x"), accessory={"type": "datepicker"}), "nobody would answer"),
        (section(text=plain("x"), surprise={"a": [{}] * 3}, block_id="x" * 256), "block_id"),
        ({"blocks": [{"type": "header", "text": {"type": "mrkdwn", "text": "x"}}]}, "plain_text"),
        ({"blocks": [{"type": "header", "text": plain("x" * 151)}]}, "cannot exceed 150"),
        ({"blocks": [{"type": "context", "elements": []}]}, "elements of a context is empty"),
        ({"blocks": [{"type": "actions", "elements": [{"type": "button"}] * 26}]}, "plain_text"),
        (button(url=None), "without an http(s) address"),
        (button(url="javascript:alert(1)"), "without an http(s) address"),
        (button(text=plain("x" * 76)), "cannot exceed 75"),
        (button(style="loud"), "style"),
        ({"blocks": [{"type": "image", "image_url": URL}]}, "alt_text"),
        ({"blocks": [{"type": "image", "image_url": "file:///x", "alt_text": "x"}]}, "an http(s)"),
        ({"blocks": [{"type": "rich_text", "elements": []}]}, "is empty"),
        ({"blocks": [{"type": "rich_text", "elements": [{"type": "x"}]}]}, "it is unknown"),
        ({"attachments": [{"blocks": [SECTION], "title": "x"}]}, "blocks, color and fallback"),
        ({"attachments": ["x"]}, "blocks, color and fallback"),
    ],
)  # fmt: skip
def test_slack_override_is_refused(native: Any, fault: str) -> None:
    assert fault in refused(BOT, native)


def test_slack_override_may_use_what_slack_shows() -> None:
    link = {"type": "link", "url": URL, "text": "x"}
    rich = [
        {"type": "rich_text_section", "elements": [{"type": "text", "text": "x"}, link]},
        {"type": "rich_text_list", "style": "bullet", "elements": [
            {"type": "rich_text_section", "elements": [{"type": "emoji", "name": "tada"}]}]},
    ]  # fmt: skip
    cells = [{"type": "raw_text", "text": "a"}, {"type": "rich_text", "elements": rich[:1]}]
    image = {"type": "image", "image_url": URL, "alt_text": "x"}
    blocks = [
        {"type": "header", "text": plain("x")},
        {"type": "divider"},
        {"type": "section", "fields": [plain("x")], "accessory": image},
        image,
        {"type": "context", "elements": [image, plain("x")]},
        {"type": "rich_text", "elements": rich},
        {"type": "table", "rows": [cells, cells]},
        *button(style="danger")["blocks"],
    ]
    assert sent(BOT, {"blocks": blocks})["blocks"][:-1] == blocks


def test_card_override_is_closed_with_the_footer_and_wraps() -> None:
    shape = sent(FLOW, CARD)
    content = shape["attachments"][0]["content"]
    schema_only = json.loads(json.dumps(shape))
    schema_only["attachments"][0]["content"]["body"] = content["body"][1:]
    sound(FLOW, schema_only)
    assert content["body"][0] == {"type": "TextBlock", "text": "**Hello**", "wrap": True}
    assert content["body"][-1]["inlines"][0]["text"] == FOOT
    assert content["version"] == "1.4"
    assert content["msteams"] == {"width": "Full"}
    assert content["fallbackText"] == "Quality dropped\nSomething happened."
    assert "wrap" not in CARD["body"][0], "the template's own value is left alone"


@each(
    ("native", "fault"),
    [
        (None, "not an object"),
        ([CARD], "not an object"),
        ({}, "unknown type 'None'"),
        ({"type": "MessageCard"}, "unknown type 'MessageCard'"),
        ({"type": "AdaptiveCard"}, "needs 'body'"),
        (card(version="1.5"), "version of AdaptiveCard must be one of 1.0, 1.1"),
        (card(version=1.4), "version of AdaptiveCard must be one of 1.0, 1.1"),
        (card(refresh={}), "has no 'refresh'"),
        (card(msteams={"entities": []}), '{"width": "Full"}'),
        (card({"type": "TextBlock"}), "needs 'text'"),
        (card({"type": "TextBlock", "text": 5}), "must be a text"),
        (card({"type": "TextBlock", "text": "x", "html": "y"}), "has no 'html'"),
        (card({"type": "TextBlock", "text": "x", "wrap": "yes"}), "true or false"),
        (card({"type": "TextBlock", "text": "x", "color": "pink"}), "one of default, dark"),
        (card({"type": "Table", "rows": []}), "version 1.5"),
        (card({"type": "Input.Text", "id": "x"}), "needs a bot"),
        (card({"type": "Media", "sources": []}), "unknown type 'Media'"),
        (card({"type": "Image", "url": "http://x.example/a.png"}), "https://"),
        (card({"type": "Container", "items": [{"type": "Image"}]}), "needs 'url'"),
        (card({"type": "ColumnSet", "columns": [{"items": [], "width": "wide"}]}), "weight or"),
        (card({"type": "FactSet", "facts": [{"title": "x"}]}), "needs 'value'"),
        (card({"type": "RichTextBlock", "inlines": [{"text": "x"}]}), "unknown type 'None'"),
        (card({"type": "ActionSet", "actions": []}), "is empty"),
        (card(actions=[{"type": "Action.Submit", "title": "x"}]), "needs a bot"),
        (card(actions=[{"type": "Action.Execute", "title": "x"}]), "needs a bot"),
        (card(actions=[opens("http://x.example")]), "https://"),
        (card(actions=[opens("javascript:alert(1)")]), "https://"),
        (card(actions=[opens("https://x.example/ y")]), "https://"),
        (card({"type": "Container", "items": [], "selectAction": opens("file:///x")}), "https://"),
        (card(actions=[{"type": "Action.ShowCard", "card": card({"type": "x"})}]), "unknown type"),
        (card({"type": "TextBlock", "text": "x" * 20_000}), "20000 are allowed"),
    ],
)
def test_card_override_is_refused(native: Any, fault: str) -> None:
    assert fault in refused(FLOW, native)


def test_card_override_may_use_what_a_webhook_can_serve() -> None:
    text = {"type": "TextBlock", "text": "x", "wrap": True, "size": "Large", "weight": "bolder"}
    native = card(
        {"type": "Container", "items": [text], "style": "good", "bleed": True, "id": "more"},
        {"type": "ColumnSet", "columns": [{"width": "80px", "items": [text]}, {"width": 2}]},
        {"type": "FactSet", "facts": [{"title": "a", "value": "b"}]},
        {"type": "Image", "url": URL, "altText": "x", "selectAction": opens(URL)},
        {"type": "RichTextBlock", "inlines": ["x", {"type": "TextRun", "text": "y"}]},
        {"type": "ActionSet", "actions": [opens(URL)]},
        actions=[
            {"type": "Action.ToggleVisibility", "title": "More", "targetElements": ["more"]},
            {"type": "Action.ShowCard", "title": "Why", "card": card(text)},
        ],
        version="1.2",
        fallbackText="ours stands here",
    )
    content = sent(FLOW, native)["attachments"][0]["content"]
    assert content["body"][:-1] == native["body"]
    assert content["actions"] == native["actions"]
    assert content["version"] == "1.2"
    assert content["fallbackText"].startswith("Quality dropped")


@pytest.mark.parametrize("html", ["<p>Hello <b>you</b></p>", "Hello"])
def test_mail_override_becomes_a_document_with_the_footer(html: str) -> None:
    shape = sent(MAIL, html)
    sound(MAIL, shape)
    assert html in shape["html"]
    assert shape["html"].index(html) < shape["html"].index(FOOT) < shape["html"].index("</body>")
    assert shape["html"].startswith("<!DOCTYPE html>")
    assert 'lang="en"' in shape["html"]
    assert "Something happened." in shape["plain"]


def test_mail_override_that_is_a_document_stays_one() -> None:
    html = "<html><head><style>p{color:red}</style></head><body><p>Hi</p></body></html>"
    shown = sent(MAIL, html)["html"]
    assert shown.count("<body") == shown.count("<html") == 1
    assert shown.index("Hi") < shown.index(FOOT) < shown.index("</body>")


@each(
    ("html", "fault"),
    [
        ("", "no HTML text"),
        (None, "no HTML text"),
        ({"a": 1}, "no HTML text"),
        ("<p></p>", "shows no text"),
        ("<title>x</title>", "shows no text"),
        ("x" * 100_001, "100001 bytes"),
        ("ü" * 50_001, "100002 bytes"),
        ("x<script>alert(1)</script>", "<script>"),
        ("x<SCRIPT >alert(1)", "<script>"),
        ("x<svg><a/></svg>", "<svg>"),
        ("x<form action=https://x.example>", "<form>"),
        ("x<iframe src=https://x.example>", "<iframe>"),
        ("x<link rel=stylesheet href=https://x.example>", "<link>"),
        ("x<base href=https://x.example>", "<base>"),
        ("<p onclick=alert(1)>x</p>", "onclick"),
        ("<p ONMOUSEOVER='a'>x</p>", "onmouseover"),
        ("<a href=javascript:alert(1)>x</a>", "href"),
        ("<a href=' java\nscript:alert(1)'>x</a>", "href"),
        ("<a href='&#106;avascript:alert(1)'>x</a>", "href"),
        ("<a href='data:text/html,x'>x</a>", "href"),
        ("x<img src=https://x.example/pixel.png>", "src"),
        ("x<img src=//x.example/pixel.png>", "src"),
        ("x<img srcset='https://x.example/a 1x'>", "srcset"),
        ("x<img src='data:image/svg+xml;base64,AAAA'>", "src"),
        ("<table background=https://x.example/a.png><tr><td>x</table>", "background"),
        ("<p style='background:url(https://x.example/a)'>x</p>", "style"),
        ("<p style='background:URL (//x.example/a)'>x</p>", "style"),
        ("<style>@import 'https://x.example/a.css';</style>x", "<style>"),
        ("<style>p{background:url(//x)}</style>x", "<style>"),
        ("<meta http-equiv=refresh content='0;url=https://x.example'>x", "http-equiv"),
        ("x<title>open", "footer"),
        ("x<style>open", "footer"),
        ("<body>x<!-- </body> --></body>", "footer"),
    ],
)
def test_mail_override_is_refused(html: Any, fault: str) -> None:
    assert fault in refused(MAIL, html)


def test_mail_override_may_speak_to_outlook_alone() -> None:
    html = (
        '<!--[if mso]><table width="640"><tr><td><![endif]--><p>x</p>'
        "<!--[if mso]></td></tr></table><![endif]--><!--[if !mso]><!--><b>y</b><!--<![endif]-->"
    )
    assert html in sent(MAIL, html)["html"]


def test_mail_override_may_have_small_images_of_its_own() -> None:
    image = '<img src="data:image/png;base64,iVBORw0KGgo=" alt="logo">'
    assert image in sent(MAIL, f"<p>x{image}</p>")["html"]


@examples(300)
@given(JSON)
def test_any_json_is_sent_soundly_or_refused(native: Any) -> None:
    for to in (BOT, FLOW):
        for value in (native, {"blocks": [native]}, card(native)):  # type: ignore[arg-type]
            try:
                shape = sent(to, value)
            except UnsendableError:
                continue
            assert any(part.get("text") == FOOT for part in objects(shape))
            if to is BOT:
                sound(to, shape)


@examples(200)
@given(st.lists(st.sampled_from(
    ["<", ">", "<p>", "</p>", "<!--", "-->", "<body>", "</body>", "</html>", "<style>", "</style>",
     "<title>", "x", '"', "'", "<p style='", "<![CDATA[", "]]>", "<?", "&", "<textarea>", "</",
     "<script", "=", "/", " "]), max_size=14))  # fmt: skip
def test_any_html_ends_with_the_footer_or_is_refused(pieces: list[str]) -> None:
    native = "".join(pieces)
    try:
        html_form.parse(native)
        html = sent(MAIL, native)["html"]
    except (FormError, UnsendableError):
        return
    assert FOOT in html
    assert "script" not in [name for name, _ in Tags(html).found]
