"""How each channel shows a message: what a notification says, columns, colours, buttons, limits."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels.email.writing import compose
from relay.channels.fit import Tone, gist, marks, tone
from relay.events import Direction, Severity
from relay.messages import (
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)
from tests.channels.test_outbound_payloads import (
    BOT,
    EVERY,
    FLOW,
    HOOK,
    LONG,
    MAIL,
    kinds,
    objects,
    payload,
    sound,
)
from tests.counting import calls
from tests.each import each
from tests.fakes.messages import everything, message

SAID = Paragraph((Text("Meta reports low quality; sending goes on for now. More follows."),))
LIMIT = Facts((Fact("Limit", (Text("10,000 people a day"),)), Fact("Name", (Text("A*b"),))))
TWO = Buttons((Link("Hub", "https://hub.360dialog.com"), Link("Docs", "https://docs.example")))


def words(text: str) -> Paragraph:
    return Paragraph((Text(text),))


@each(
    ("blocks", "said"),
    [
        ((SAID,), "Meta reports low quality; sending goes on for now."),
        ((LIMIT, SAID), "Meta reports low quality; sending goes on for now."),
        ((words("Acme GmbH. It is live now."),), "Acme GmbH. It is live now."),
        ((words("Until 9. März all is blocked, and z. B. ads go on as they did. No."),),
         "Until 9. März all is blocked, and z. B. ads go on as they did."),
        ((LIMIT,), "Limit: 10,000 people a day · Name: A*b"),
        ((Paragraph((Text("See "), Link("the docs", "https://x.example"), Text("."))),),
         "See the docs."),
        ((Quote(((Text("Said"),),)),), "Said"),
        ((Bullets((Item((Text("one"),)),)),), "one"),
        ((words("Blocked:"), Bullets((Item((Text("ads"),)), Item((Text("numbers"),)))), SAID),
         "Blocked: ads · numbers"),
        ((words("Blocked:"), LIMIT), "Blocked:"),
        ((TWO,), ""),
    ],
)  # fmt: skip
def test_gist_is_how_the_body_begins(blocks: Any, said: str) -> None:
    assert gist(message(*blocks)) == said


@given(st.text(max_size=3_000))
def test_gist_is_one_short_line(text: str) -> None:
    said = gist(message(Paragraph((Text(text), Break(), Text(text)))))
    assert len(said) <= 200
    assert len(said.splitlines()) <= 1


@each(
    ("title", "found"),
    [
        ("[test] a", "[test]"),
        ("[test, late: 3 h] a", "[test, late: 3 h]"),
        ("[a] [b] c", "[a] [b]"),
        ("a [test] b", ""),
        ("[test]", ""),
        ("", ""),
    ],
)
def test_marks_are_what_stands_before_the_title(title: str, found: str) -> None:
    assert marks(title) == found


def test_notifications_say_title_and_first_sentence() -> None:
    content = message(SAID, LIMIT, title="[test] a & b")
    first = "Meta reports low quality; sending goes on for now."
    assert payload(BOT, content)["text"] == f"[test] a &amp; b\n{first}"
    body = payload(FLOW, content)
    assert body["summary"] == f"[test] a & b\n{first}"
    assert body["attachments"][0]["content"]["fallbackText"] == body["summary"]
    mail = payload(MAIL, content)
    assert mail["headers"]["Subject"] == "[test] a & b"
    hidden = mail["html"].partition("<body")[2].partition("</div>")[0]
    assert first in hidden
    assert "display:none" in hidden


@each("severity", list(Severity))
@each("direction", list(Direction))
def test_each_tone_has_a_colour_of_its_own_in_every_channel(
    severity: Severity, direction: Direction
) -> None:
    content = message(severity=severity, direction=direction)
    colour = payload(BOT, content)["attachments"][0]["color"]
    style = payload(FLOW, content)["attachments"][0]["content"]["body"][0]["style"]
    wanted = {
        Tone.GOOD: ("#2eb67d", "good"),
        Tone.INFO: ("#1d9bd1", "accent"),
        Tone.WARNING: ("#ecb22e", "warning"),
        Tone.BAD: ("#e01e5a", "attention"),
    }
    assert (colour, style) == wanted[tone(content)]
    if direction is Direction.BETTER:
        assert tone(content) is Tone.GOOD


def test_slack_shows_short_facts_in_two_columns_with_values_that_are_not_parsed() -> None:
    fields = [part["fields"] for part in objects(payload(HOOK, message(LIMIT))) if "fields" in part]
    assert fields == [
        [
            {"type": "mrkdwn", "text": "*Limit*", "verbatim": True},
            {"type": "plain_text", "text": "10,000 people a day", "emoji": False},
            {"type": "mrkdwn", "text": "*Name*", "verbatim": True},
            {"type": "plain_text", "text": "A*b", "emoji": False},
        ]
    ]


@each(
    "fact",
    [
        Fact("Reason", (Text("long " * 20),)),
        Fact("a*b", (Text("x"),)),
        Fact("<!here>", (Text("x"),)),
        Fact(":tada:", (Text("x"),)),
        Fact("Two lines", (Text("x\ny"),)),
        Fact("Link", (Link("x", "https://x.example"),)),
        Fact("Code", (Text("x", code=True),)),
    ],
)
def test_slack_shows_other_facts_line_by_line(fact: Fact) -> None:
    shape = payload(HOOK, message(Facts((fact,))))
    assert "mrkdwn" not in set(kinds(shape))
    assert "section" not in set(kinds(shape))


def test_slack_takes_any_number_of_facts() -> None:
    many = tuple(Fact(f"l{n}", (Text("v"),)) for n in range(240))
    sound(HOOK, payload(HOOK, message(Facts(many))))


@pytest.mark.parametrize(
    ("severity", "direction", "styled"),
    [
        (Severity.CRITICAL, Direction.WORSE, True),
        (Severity.WARNING, Direction.NEUTRAL, True),
        (Severity.CRITICAL, Direction.BETTER, False),
        (Severity.INFO, Direction.NEUTRAL, False),
    ],
)
def test_first_button_stands_out_where_something_is_to_be_done(
    severity: Severity, direction: Direction, styled: bool
) -> None:
    content = message(TWO, severity=severity, direction=direction)
    buttons = [part for part in objects(payload(BOT, content)) if part.get("type") == "button"]
    assert ["style" in button for button in buttons] == [styled, False]
    actions = [part for part in objects(payload(FLOW, content)) if "title" in part]
    assert ["style" in action for action in actions] == [styled, False]


def test_slack_says_nothing_twice() -> None:
    shape = payload(BOT, message(SAID, LIMIT, TWO))
    del shape["text"], shape["attachments"][0]["fallback"]
    texts = [part["text"] for part in objects(shape) if isinstance(part.get("text"), str)]
    assert len(texts) == len(set(texts))


def test_card_is_full_width_and_speaks_its_language() -> None:
    from dataclasses import replace

    card = payload(FLOW, replace(message(), language="de"))["attachments"][0]["content"]
    assert (card["version"], card["msteams"], card["lang"]) == ("1.4", {"width": "Full"}, "de")


def test_card_buttons_stand_beside_each_other_only_where_a_phone_has_room() -> None:
    def rows(*labels: str) -> list[int]:
        links = tuple(Link(label, "https://x.example") for label in labels)
        shape = payload(FLOW, message(Buttons(links)))
        return [len(part["actions"]) for part in objects(shape) if "actions" in part]

    assert rows("Hub", "Docs", "Help") == [3]
    assert rows("Open in 360dialog Hub", "Meta Business Support") == [1, 1]
    assert rows(*["x"] * 9) == [6, 3]


def test_card_label_with_a_long_word_stands_above_its_value() -> None:
    facts = Facts((Fact("Name", (Text("a"),)), Fact("Unternehmensverifizierung", (Text("offen"),))))
    body = payload(FLOW, message(facts))["attachments"][0]["content"]["body"]
    assert [part["type"] for part in body[1:4]] == ["ColumnSet", "RichTextBlock", "RichTextBlock"]
    widths = [column["width"] for column in body[1]["columns"]]
    assert widths == ["72px", "stretch"], "which a phone's 288 pixels have room for"


def test_mail_names_its_thread_the_same_on_every_day() -> None:
    one, two = (
        payload(MAIL, message(title=title), thread="quality +491")["headers"]
        for title in ("a", "b")
    )
    assert one["References"] == two["References"] == one["In-Reply-To"]
    assert one["Thread-Topic"] == two["Thread-Topic"] == "quality +491"
    other = payload(MAIL, message(), thread="quality +492")["headers"]
    assert other["References"] != one["References"]


def test_mail_says_its_language_in_header_and_html() -> None:
    from dataclasses import replace

    shape = payload(MAIL, replace(message(), language="de"))
    mail = message_from_bytes(compose(shape), policy=default)
    assert mail["Content-Language"] == "de"
    assert '<html lang="de"' in shape["html"]


def test_only_bad_critical_news_is_important_mail() -> None:
    bad = message(severity=Severity.CRITICAL)
    good = message(severity=Severity.CRITICAL, direction=Direction.BETTER)
    assert payload(MAIL, bad)["headers"]["Importance"] == "high"
    assert "Importance" not in payload(MAIL, good)["headers"]
    assert "Importance" not in payload(MAIL, message())["headers"]


def test_mail_html_needs_no_style_element() -> None:
    html = payload(MAIL, message(SAID, LIMIT, TWO))["html"]
    style = html.partition("<style>")[2].partition("</style>")[0]
    assert "font" not in style
    assert "flex" not in html
    assert "grid" not in html
    assert 'name="color-scheme" content="light dark"' in html
    assert html.count("<!--[if mso]>") == 2


def test_plain_mail_has_aligned_facts_and_links_on_lines_of_their_own() -> None:
    content = message(
        Paragraph((Text("See "), Link("the docs", "https://x.example/a"), Text("."))),
        Facts((Fact("Limit now", (Text("10K"),)), Fact("Name", (Text("two\nlines"),)))),
        Bullets((Item((Text("one"),), (Item((Text("in"),)),)), Item((Text("two"),)))),
        Quote(((Text("said"),),)),
        TWO,
        title="Title",
        footer="foot",
    )
    assert payload(MAIL, content)["plain"] == (
        "Title\n\nSee the docs.\nthe docs: https://x.example/a\n\n"
        "Limit now: 10K\nName:      two\n           lines\n\n"
        "- one\n  - in\n- two\n\n> said\n\n"
        "Hub: https://hub.360dialog.com\nDocs: https://docs.example\n\nfoot\n"
    )


def test_mail_with_many_facts_is_not_cut_off_by_gmail() -> None:
    many = tuple(Fact(f"label {n}", (Text("value"),)) for n in range(2_000))
    shape = payload(MAIL, message(Facts(many)))
    sound(MAIL, shape)
    assert len(shape["html"].encode()) > 50_000, "no more is cut than must be"
    assert "… (cut, " in shape["html"]
    assert "1a2b3c4d" in shape["html"]


def test_blank_lines_cannot_push_a_message_out_of_sight() -> None:
    content = message(Paragraph((Text("\n" * 50 + "a" + "\n" * 5_000 + "b"),)))
    assert payload(MAIL, content)["plain"].startswith("Quality dropped\n\na\n\nb\n")


def test_what_is_dropped_uncleaned_is_counted() -> None:
    content = message(*(words("x" * 1_000) for _ in range(100)))
    text = payload(HOOK, content)["attachments"][0]["blocks"]
    lost = next(part["text"] for part in objects({"b": text}) if "(cut, " in str(part.get("text")))
    kept = sum(str(part.get("text", "")).count("x") for part in objects({"b": text}))
    assert lost == f"… (cut, {100_000 - kept:,} more)"


@each("to", EVERY, ids=lambda to: to.target)
@each("plain", [False, True])
@each(
    "content",
    [
        everything("line\n" * 2_000),
        everything("wörd " * 13_000),
        LONG,
        message(Facts(tuple(Fact(f"l{n}", (Text("v"),)) for n in range(2_000)))),
        message(*(words("a\n" * 2_000) for _ in range(20))),
        message(Paragraph(tuple(Text("a", bold=bool(n % 2)) for n in range(20_000)))),
    ],
    ids=["lines", "words", "long", "facts", "breaks", "runs"],
)
def test_writing_does_not_hold_up_the_event_loop(to: Any, plain: bool, content: Message) -> None:
    payload_only(to, content, plain)
    assert calls(lambda: payload_only(to, content, plain)) < 400_000


def payload_only(to: Any, content: Message, plain: bool) -> None:
    from tests.channels.test_outbound_payloads import CHANNELS
    from tests.fakes.messages import parcel

    CHANNELS[to.channel].payload(to, parcel(content, plain=plain))
