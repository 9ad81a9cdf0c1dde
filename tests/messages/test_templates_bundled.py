"""The templates of `message_templates/`: right for every sample, hostile text and shape of data."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay import notices, samples, silences, starter
from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.events.catalogue import KINDS, describe, templates_of
from relay.messages import Link, Message
from relay.messages.marks import PRIVATE
from relay.messages.templates import Templates
from relay.messages.words import words
from relay.phones import display
from relay.text import clean
from tests.each import each
from tests.message_cases import FOLDER, NOON, a_context, all_inlines, an_event, shape
from tests.needs import examples

BUNDLED = Templates.shipped()
LANGUAGES = ("en", "de")
BOTH = each("language", LANGUAGES)


def events_in(body: bytes) -> tuple[Event, ...]:
    return samples.events_in(body, NOON)


def events_of(name: str) -> tuple[Event, ...]:
    return events_in(samples.find(name))


def the(name: str, **data: Any) -> Event:
    """The event of a sample, with other values in its data; None takes a value away."""
    (event,) = events_of(name)
    changed = {k: v for k, v in {**event.data, **data}.items() if v is not None}
    return replace(event, data=changed)


EVENTS = tuple(event for name in samples.names() for event in events_of(name))


def rendered(event: Event, template: str | None = None, **given: Any) -> Message:
    context = a_context(**{"template": template, "now": event.late_since} | given)
    return BUNDLED.render(event, context=context)


def told(event: Event, **given: Any) -> str:
    """Title and body of a strict rendering, which raises where anything is missing."""
    message = rendered(event, **{"strict": True} | given)
    return f"{message.title}\n{message.text.removesuffix(message.footer)}"


def test_no_template_has_doubts() -> None:
    assert Templates.load(FOLDER).warnings == ()


def named_by_the_catalogue() -> Iterator[tuple[str, str | None]]:
    for kind, known in KINDS.items():
        for detail in (None, "SOMETHING_NEW", *known.details):
            yield kind, detail


def test_every_template_speaks_for_something_that_the_catalogue_names() -> None:
    chosen = {BUNDLED.choose(an_event(kind=k, detail=d)) for k, d in named_by_the_catalogue()}
    chosen.add(BUNDLED.choose(an_event(kind="brand_new", detail=None)))
    assert chosen == {f"{name}.md.j2" for name in BUNDLED.names}


WORDLESS = {"relay_digest.md.j2"}
"""Every word of theirs comes from the event, in the reader's language."""


def test_german_and_english_have_the_same_files_and_no_two_say_the_same() -> None:
    english = {path.name for path in FOLDER.glob("*.md.j2")}
    assert {path.name for path in (FOLDER / "de").glob("*.j2")} == english
    texts = [p.read_text("utf-8") for p in FOLDER.rglob("*.j2") if p.name not in WORDLESS]
    assert len(set(texts)) == len(texts)


def test_the_shipped_templates_are_those_that_the_tests_have_tried() -> None:
    """Whoever edits a template writes the new digest into `relay/starter/__init__.py`."""
    assert starter.digest(starter.templates()) == starter.TESTED
    tried = Templates.load(FOLDER)
    assert starter.templates() == tried.texts
    assert BUNDLED.names == tried.names


def tags(text: str) -> Counter[str]:
    """The tags of a template without the words in them."""
    return Counter(re.sub(r'"[^"]*"', '""', tag) for tag in re.findall(r"{[{%].*?[%}]}", text))


@each("file", sorted({path.name for path in FOLDER.glob("*.md.j2")} - WORDLESS))
def test_german_and_english_differ_in_words_alone(file: str) -> None:
    if file == "relay_alarm.md.j2":  # the relay writes its alarms in English: German frames them
        return
    english, german = ((folder / file).read_text("utf-8") for folder in (FOLDER, FOLDER / "de"))
    assert tags(german) == tags(english)
    assert german != english


@BOTH
def test_every_kind_and_detail_finds_a_template_of_its_own_or_of_its_twin(language: str) -> None:
    for kind, detail in named_by_the_catalogue():
        chosen = BUNDLED.choose(an_event(kind=kind, detail=detail), language=language)
        assert chosen is not None
        folder, _, name = chosen.rpartition("/")
        assert folder == ("de" if language == "de" else "")
        assert name.removesuffix(".md.j2") in templates_of(kind, detail)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("phone_number_quality_changed", "phone_number_quality_update"),
        ("waba_template_status_changed", "message_template_status_update"),
        ("waba_template_category_changed", "template_category_update"),
    ],
)
def test_both_families_tell_the_same_happening_in_the_same_words(theirs: str, ours: str) -> None:
    for detail in (None, *KINDS[ours].details):
        files = {BUNDLED.choose(an_event(kind=kind, detail=detail)) for kind in (theirs, ours)}
        assert len(files) == 1


@pytest.mark.parametrize("what", ["VIOLATION", "RESTRICTION"])
def test_a_kind_of_the_partner_is_told_as_a_detail_of_metas(what: str) -> None:
    theirs = an_event(kind=f"account_{what.lower()}", detail="SCAM")
    ours = an_event(kind="account_update", detail=f"ACCOUNT_{what}")
    assert BUNDLED.choose(theirs) == BUNDLED.choose(ours) == f"account_update.ACCOUNT_{what}.md.j2"


@each("event", EVENTS)
def test_every_sample_is_told_whole(event: Event) -> None:
    for language in LANGUAGES:
        message = rendered(event, strict=True, language=language)
        assert message.missing == ()
        assert message.template is not None
        assert message.template.rpartition("/")[2] != "default.md.j2"
        assert "{{" not in message.text.replace("{{1}}", "")
        assert not re.search("[A-Z]_[A-Z]", f"{message.title} {message.text}")


@each("event", EVENTS)
def test_every_sample_is_short_enough_for_a_phone(event: Event) -> None:
    for language in LANGUAGES:
        message = rendered(event, language=language)
        body = message.text.removesuffix(message.footer).strip()
        assert len(message.title) <= 90
        assert len([line for line in body.split("\n") if line.strip()]) <= 12


def with_names(event: Event) -> Event:
    """The event as the directory completes it."""
    return replace(
        event,
        phones=event.phones or ("+491713920011",),
        phone_name=event.phone_name or "Musterladen Support",
        client=Client(event.client.id, event.client.name or "Musterladen Handels GmbH"),
    )


@each("event", EVENTS)
def test_the_title_names_the_subject(event: Event) -> None:
    solution = event.data.get("solution_id", "200000")
    said = display(event.phone) if event.phone else event.client.name or event.waba or solution
    named = with_names(event)
    for language in LANGUAGES:
        assert said in rendered(event, language=language).title
        full = rendered(named, language=language).title
        assert display(str(named.phone)) in full
        assert str(named.client.name) in full or str(named.phone_name) in full


@each("event", EVENTS)
def test_the_client_is_named_also_where_the_title_shows_the_display_name(event: Event) -> None:
    named = with_names(event)
    for language in LANGUAGES:
        assert str(named.client.name) in told(named, language=language)


@each("event", [event for event in EVENTS if not event.phone])
def test_an_account_with_several_numbers_is_not_told_as_one_of_them(event: Event) -> None:
    several = replace(with_names(event), phones=("+491713920011", "+447700900123"))
    for language in LANGUAGES:
        title = rendered(several, strict=True, language=language).title
        assert "+49" not in title
        assert "+44" not in title
        assert str(several.client.name) in title


def without_each_key(value: Any) -> Iterator[Any]:
    """Copies of a JSON value, each without one of its keys, at every depth."""
    match value:
        case dict():
            for key in value:
                yield {k: v for k, v in value.items() if k != key}
                yield {**value, key: None}
                for inner in without_each_key(value[key]):
                    yield {**value, key: inner}
        case list():
            for at, item in enumerate(value):
                for inner in without_each_key(item):
                    yield [*value[:at], inner, *value[at + 1 :]]


@each("name", samples.names())
def test_a_sample_without_any_one_value_is_still_told_whole(name: str) -> None:
    body = json.loads(samples.find(name))
    count = 0
    for changed in without_each_key(body):
        for event in events_in(json.dumps(changed).encode()):
            # Both languages have the same tags, so that it is enough to take them in turn.
            assert "[missing" not in told(event, language=LANGUAGES[count % 2])
            count += 1
    assert count


@BOTH
@each("name", BUNDLED.names)
def test_every_template_tells_an_event_that_has_next_to_nothing(name: str, language: str) -> None:
    event = Event(
        id="0" * 20,
        source=Source.WABA,
        kind="k",
        detail=None,
        topic=Topic.OTHER,
        severity=Severity.INFO,
        direction=Direction.NEUTRAL,
        title="Something",
        received_at=NOON,
    )
    message = rendered(event, name, strict=True, language=language)
    assert message.title.startswith("ℹ️ ")
    assert message.title.rstrip(":") == message.title
    assert message.missing == ()


@BOTH
@each("kind", KINDS)
def test_every_kind_of_the_catalogue_is_told_without_any_data(kind: str, language: str) -> None:
    known = KINDS[kind]
    for detail in (None, "SOMETHING_NEW", *known.details):
        meaning = describe(known.source, kind, detail, {})
        event = an_event(
            source=known.source,
            kind=kind,
            detail=detail,
            topic=meaning.topic,
            severity=meaning.severity,
            direction=meaning.direction,
            title=meaning.title,
            data={},
        )
        message = rendered(event, strict=True, language=language)
        if known.source is not Source.RELAY:
            assert "Musterladen" in message.title
            assert message.blocks


# --- What single messages must say, and must not.


def test_an_impending_category_names_todays_and_the_coming_one() -> None:
    notice = "template_category_update/notice"
    said = told(the(notice, new_category="UTILITY", correct_category="MARKETING"))
    assert "Category changes to marketing: " in said
    assert "to another category on 12 Mar, 11:00. Until then it counts as utility." in said
    assert "Now: utility\nTo come: marketing\n" in said


def test_a_done_category_change_names_before_and_now() -> None:
    said = told(the("template_category_update"))
    assert "Category is now marketing" in said
    assert "Now: marketing\nBefore: utility\n" in said


def test_a_done_category_change_without_the_category_before_is_told() -> None:
    said = told(the("template_category_update", previous_category=None))
    assert "Now: marketing\n" in said
    assert "Before" not in said


@pytest.mark.parametrize(
    ("name", "english", "german"),
    [
        ("", "🚨 Will be disabled on 14 Apr: ", "🚨 Wird am 14. Apr. deaktiviert: "),
        ("/disable", "🚨 Disabled: ", "🚨 Deaktiviert: "),
        ("/reinstate", "✅ Reinstated: ", "✅ Wieder freigegeben: "),
    ],
)
def test_a_ban_that_comes_that_is_there_and_that_ends_differ(
    name: str, english: str, german: str
) -> None:
    event = the(f"account_update/DISABLED_UPDATE{name}")
    assert told(event).startswith(english)
    assert told(event, language="de").startswith(german)


def test_the_end_of_a_ban_asks_for_no_review() -> None:
    event = the("account_update/DISABLED_UPDATE/reinstate")
    for language in LANGUAGES:
        assert "Business Support Home" not in told(event, language=language)


RESTRICTION = "account_update/ACCOUNT_RESTRICTION"
SENDING = "RESTRICTED_BIZ_INITIATED_MESSAGING"
ADDING = "RESTRICTED_ADD_PHONE_NUMBER_ACTION"


def restricted(*rows: Any, language: str = "en") -> str:
    return told(the(RESTRICTION, restriction_info=list(rows)), language=language)


def row(kind: str, end: Any = None) -> dict[str, Any]:
    return {"restriction_type": kind} | ({} if end is None else {"expiration": end})


def test_restrictions_are_listed_with_their_ends_however_they_come() -> None:
    said = restricted(
        row("RESTRICTED_UTILITY_TEMPLATES", 1773050400),
        row(ADDING, "1773050400"),
        {"restriction_type": "RESTRICTED_X", "expiration": "soon", "remediation": "Do *this*"},
        row("RESTRICTED_Y"),
    )
    assert "- creating utility templates, until 9 Mar, 11:00\n" in said
    assert "- adding numbers, until 9 Mar, 11:00\n" in said
    assert "- restricted x, until soon: Do *this*\n" in said
    assert "- restricted y\n" in said


def test_one_end_of_all_restrictions_stands_in_the_title() -> None:
    said = restricted(row(SENDING, 1773050400), row(ADDING, 1773050400))
    assert said.startswith("🚨 Restricted until 9 Mar, 11:00: WABA 100000000000101\n")


def test_of_different_ends_the_title_has_that_of_sending() -> None:
    for rows in (
        (row(SENDING, 1773050400), row(ADDING, 1775037600)),
        (row(ADDING, 1775037600), row(SENDING, 1773050400)),
        (row(ADDING), row(SENDING, 1773050400)),
    ):
        said = restricted(*rows)
        assert said.startswith("🚨 Sending restricted until 9 Mar, 11:00: "), rows


def test_no_end_is_claimed_for_all_where_one_restriction_has_none() -> None:
    for rows in ((row(ADDING, 1773050400), row("RESTRICTED_USER_INITIATED_CALLING")),):
        for order in (rows, rows[::-1]):
            assert restricted(*order).startswith("🚨 Restricted: "), order


@pytest.mark.parametrize(
    ("types", "works"),
    [
        ((SENDING,), "answers within 24 hours of a customer's message"),
        ((SENDING, "RESTRICTED_CUSTOMER_INITIATED_MESSAGING"), "no messages at all"),
        (("RESTRICTED_CUSTOMER_INITIATED_MESSAGING",), "starting conversations with templates"),
        (("RESTRICTED_UTILITY_TEMPLATES",), "other templates, and answers to customers"),
        ((ADDING, "RESTRICTED_USER_INITIATED_CALLING"), "all messages"),
    ],
)
def test_what_still_works_follows_from_what_is_blocked(types: tuple[str, ...], works: str) -> None:
    assert f"Still works: {works}\n" in restricted(*map(row, types))


def test_nothing_is_said_to_work_beside_a_restriction_that_is_not_known() -> None:
    assert "Still works" not in restricted(row(SENDING), row("RESTRICTED_NEW_THING"))
    assert "Still works" not in restricted()


def test_a_single_restriction_and_bare_types_are_read_too() -> None:
    assert "- adding numbers" in told(the(RESTRICTION, restriction_info=row(ADDING)))
    assert "- adding numbers" in told(the(RESTRICTION, restriction_info=ADDING))
    assert "- adding numbers" in restricted(ADDING)


def test_the_partner_restriction_reads_as_metas() -> None:
    name = "account_restriction/RESTRICTED_BIZ_INITIATED_MESSAGING"
    assert "- starting conversations with templates\n" in told(the(name))
    said = told(the(name, violation_type="SCAM"))
    assert "Reason: scam or deception" in said
    assert "\n- " not in said


@pytest.mark.parametrize(
    ("value", "shown"),
    [("March 31, 2026", "31 Mar"), ("1773050400", "9 Mar, 11:00"), (1773050400, "9 Mar, 11:00")],
)
def test_a_disable_date_is_read_as_text_and_as_seconds(value: Any, shown: str) -> None:
    event = the("message_template_status_update/FLAGGED", disable_info={"disable_date": value})
    assert f"disable it on {shown} if" in told(event)


def test_braces_in_a_rejection_stay_braces() -> None:
    text = "{{1}} and {{ 7*7 }} {% raw %}"
    event = the("message_template_status_update/REJECTED", rejection_info={"recommendation": text})
    assert f"Advice: {text}" in told(event)


@pytest.mark.parametrize("status", ["FLAGGED", "PAUSED", "DISABLED"])
def test_no_reason_is_no_fact(status: str) -> None:
    for reason in ("NONE", "none", None):
        said = told(the(f"message_template_status_update/{status}", reason=reason))
        assert "Reason" not in said


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"current_limit": "TIER_2K"}, "2,000 people a day"),
        ({"max_daily_conversations_per_business": "TIER_UNLIMITED"}, "any number of people a day"),
        ({"max_daily_conversations_per_business": "TIER_NOT_SET"}, "not set yet"),
        ({"max_daily_conversations_per_business": 100000}, "100,000 people a day"),
        ({"max_daily_conversations_per_business": -1}, "any number of people a day"),
    ],
)
def test_a_limit_is_told_from_every_generation_of_events(data: dict[str, Any], shown: str) -> None:
    event = replace(the("phone_number_quality_update/FLAGGED"), data={"event": "FLAGGED"} | data)
    assert f"Limit: {shown}\n" in told(event)


def test_a_quality_event_without_limits_says_nothing_of_limits() -> None:
    event = replace(the("phone_number_quality_update/FLAGGED"), data={"event": "FLAGGED"})
    assert "Limit" not in told(event)


def test_an_upgrade_that_lowers_the_limit_is_told_as_lower() -> None:
    body = json.loads(samples.find("phone_number_quality_update/UPGRADE"))
    value = body["entry"][0]["changes"][0]["value"]
    value |= {"old_limit": "TIER_10K", "current_limit": "TIER_2K"}
    (event,) = events_in(json.dumps(body).encode())
    assert told(event).startswith("⚠️ Limit lowered to 2,000 people a day: ")


def test_an_alert_is_read_nested_and_flat() -> None:
    nested = the("account_alerts/OBA_REJECTED")
    flat = replace(nested, data={"entity_id": 1, **nested.data["alert_info"]})
    assert told(flat) == told(nested)
    assert "Meta says: " in told(flat)


@pytest.mark.parametrize(
    ("amount", "english", "german"),
    [
        ({"value": 129900, "offset": 100}, "INR 1,299.00", "INR 1.299,00"),
        ({"value": 5, "offset": 100}, "INR 0.05", "INR 0,05"),
        ({"value": 1299, "offset": 1}, "INR 1,299", "INR 1.299"),
        ({"value": 1234, "offset": 1000}, "INR 1.234", "INR 1,234"),
    ],
)
def test_amounts_are_value_by_offset(amount: dict[str, int], english: str, german: str) -> None:
    event = the("payment/captured", payment={"amount": amount, "currency": "INR"})
    assert told(event).startswith(f"✅ Payment received, {english}: ")
    assert told(event, language="de").startswith(f"✅ Zahlung eingegangen, {german}: ")


@pytest.mark.parametrize("amount", [{"value": 1, "offset": 0}, {"value": "1"}, {}, 5, None])
def test_an_amount_that_cannot_be_read_is_left_out(amount: Any) -> None:
    event = the("payment/captured", payment={"amount": amount, "currency": "INR"})
    assert told(event).startswith("✅ Payment received: ")


def test_a_number_that_went_live_says_how_long_it_took() -> None:
    assert "Live 45 minutes" in told(the("channel_live"))
    assert "Live " not in told(the("channel_live", created_at="soon")).partition("\n")[2]


def test_the_day_on_which_a_number_ends_is_the_senders() -> None:
    event = the("cancellation_request", terminated_at="2026-06-30T23:59:59Z")
    assert "until 30 Jun 2026;" in told(event)
    assert "bis 30. Juni 2026;" in told(event, language="de")


def test_without_an_end_a_cancellation_runs_to_the_end_of_the_month() -> None:
    assert "until the end of the month;" in told(the("cancellation_request", terminated_at=None))


def test_business_verification_is_asked_for_only_where_it_is_missing() -> None:
    account = {"fb_account_status": "verified"}
    assert "Sales" not in told(the("channel_created", waba_account=account))
    assert "help the client with Meta's business verification" in told(the("channel_created"))


def test_a_name_that_was_not_approved_stands_for_nobody() -> None:
    title = rendered(the("phone_number_name_update/REJECTED")).title
    assert title == "⚠️ Display name rejected: +49 171 3920011"


def test_long_names_leave_the_number_in_the_title() -> None:
    event = replace(with_names(the("channel_live")), phone_name="Long " * 60)
    assert rendered(event).title.endswith("…, +49 171 3920011")


@BOTH
def test_an_unknown_kind_names_its_fields_not_their_values(language: str) -> None:
    event = an_event(
        kind="brand_new",
        detail=None,
        topic=Topic.OTHER,
        data={"alert_description": "Erika", "note": "Muster", "alert_info": {"alert_type": "E"}},
    )
    message = rendered(event, language=language)
    assert "brand_new" in message.title
    assert "alert_description, note, alert_info" in message.text
    assert "Erika" not in message.text
    assert "Muster" not in message.text.replace("Musterladen", "")


def test_an_unknown_account_update_names_its_fields_not_their_values() -> None:
    event = the(RESTRICTION)
    event = replace(event, detail="BRAND_NEW", data={"event": "BRAND_NEW", "note": "Erika"})
    assert "Reported: brand new\nFields: event, note\n" in told(event)
    assert "Erika" not in told(event)


def an_alarm(**given: Any) -> Event:
    fields = {
        "source": Source.RELAY,
        "kind": "relay_alarm",
        "detail": "OVERDUE",
        "topic": Topic.OTHER,
        "title": "Messages for support are late",
        "phones": (),
        "client": Client(),
        "data": {"text": "3 deliveries wait. `relay deliveries` shows more.", "over": False},
    }
    return an_event(**(fields | given))


def test_an_alarm_of_the_relay_is_told_in_its_own_words() -> None:
    message = rendered(an_alarm(), cause="alarm", rule=None)
    assert message.title == "⚠️ Messages for support are late"
    assert message.text.startswith("3 deliveries wait. `relay deliveries` shows more.")


def test_an_alarm_in_german_names_the_trouble_in_german_and_keeps_the_words() -> None:
    said = told(an_alarm(), language="de")
    assert said.startswith("⚠️ Nachrichten sind überfällig\n")
    assert "Messages for support are late" in said
    assert "3 deliveries wait." in said
    over = told(an_alarm(direction=Direction.BETTER), language="de")
    assert over.startswith("✅ Vorbei: Nachrichten sind überfällig\n")


def test_every_alarm_has_a_title_in_every_language() -> None:
    source = "".join(Path(one.__file__).read_text("utf-8") for one in (notices, silences))
    details = set(re.findall('detail="([A-Z_]+)"', source))
    assert len(details) > 10
    for language in LANGUAGES:
        held = words(language)
        assert held is not None
        assert set(held.sections["alarm"]) == details


def test_a_late_message_of_a_bundled_template_says_so() -> None:
    message = rendered(an_event(), now=NOON + timedelta(hours=3))
    assert message.title.startswith("[late: 3 h] ⚠️ ")


# --- Hostile texts and shapes.

HOSTILE = st.sampled_from(
    [
        "**bold** *it* `code` [a](https://evil.example) <https://evil.example>",
        "# Heading\n\n## More\n---\n- item\n  1. x\n> quote\n\n```\ncode",
        "- **Fake:** value\n- **Rule:** none",
        "[Log in](https://evil.example)",
        "<!channel> <@U123> <https://evil.example|x> <at>all</at> &lt;!here&gt;",
        "<script>alert(1)</script><img src=x onerror=alert(1)>",
        "{{ 7*7 }} {% for x in y %} {# c #} {{1}}",
        "\U000f0000\U000f0001\ue000\U0010fffd&#xF0000;",
        "a\x00b\x1b[31m\x07\ud800\udfff",
        "\u202eevil\u2066\u200b\u200d\ufeff",
        "line\r\nBcc: all@example.com\r\n\r\nbody",
        "x" * 5_000,
        "| a | b |\n|---|---|\n",
        "![x](https://evil.example/a.png)",
        "\\* \\ ` `` ``` ~~x~~ &amp; &#42;",
        "javascript:alert(1)",
    ]
) | st.text(min_size=1, max_size=40)


def poisoned(value: Any, text: str) -> Any:
    """The same data with the text in the place of every text; what decides is left alone."""
    match value:
        case str():
            return text
        case dict():
            return {key: poisoned(inner, text) for key, inner in value.items()}
        case list():
            return [poisoned(inner, text) for inner in value]
    return value


def with_text(event: Event, text: str) -> Event:
    return replace(
        event,
        title=text,
        detail=event.detail and text,
        phones=tuple(text for _ in event.phones),
        phone_name=text,
        client=Client(f"i{text}", f"c{text}"),
        country=text,
        waba=text,
        waba_360=text,
        data=poisoned(event.data, text),
    )


@examples(300)
@given(st.sampled_from(EVENTS), HOSTILE, st.sampled_from(LANGUAGES))
def test_hostile_text_in_every_field_of_every_sample_is_text_and_nothing_else(
    event: Event, text: str, language: str
) -> None:
    assert isinstance(event, Event)
    file = BUNDLED.choose(event)
    assert file is not None
    chosen = file.removesuffix(".md.j2")
    # Blank texts are left out and so are no fair comparison; a sign in front makes all visible.
    hostile = rendered(with_text(event, f"x{text}"), chosen, language=language)
    harmless = rendered(with_text(event, "harmless"), chosen, language=language)
    assert hostile.fault is None, hostile.fault
    assert shape(hostile) == shape(harmless)
    for part in (hostile.title, hostile.footer, hostile.text):
        assert not PRIVATE.search(part)
        assert clean(part) == part
    assert "\n" not in hostile.title
    links = [i for i in all_inlines(hostile.blocks) if isinstance(i, Link)]
    assert [i.url for i in links if "evil" in i.url] == []


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=True)
    | st.text(max_size=10)
    | st.sampled_from(["NONE", "REJECTED", "1773050400", "TIER_2K", "", SENDING, "1:2"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["restriction_type", "value", "offset", "name", "reason", "amount"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)
PATHS = (
    *("restriction_info", "ban_info", "violation_info", "alert_info", "rejection_info", "template"),
    *("other_info", "disable_info", "waba_account", "waba_info", "disconnection_info", "payment"),
    *("partner_client_certification_info", "auth_international_rate_eligibility", "status"),
    *("volume_tier_info", "current_limit", "reason", "violation_type", "terminated_at", "event"),
    *("correct_category", "rejection_reason", "decision", "text", "country", "errors", "title"),
    *("created_at", "billing_started_at", "current_quality_rating", "requested_verified_name"),
    *("message_template_name", "message_template_language", "max_phone_numbers_per_waba"),
)
INNER = (
    *("reason", "restriction_type", "expiration", "remediation", "amount", "rejection_reasons"),
    *("name", "waba_ban_state", "waba_ban_date", "alert_description", "start_time", "title"),
    *("disable_date", "currency", "reference_id", "new_category", "status", "value", "offset"),
    *("tier", "exception_countries", "country_code", "violation_type", "initiated_by"),
)


@example(
    "channel_live", "channel_live", None, {"current_limit": 10**18 + 1}, Direction.BETTER, "en"
)
@examples(400)
@given(
    st.sampled_from(BUNDLED.names),
    st.sampled_from([*KINDS, "brand_new"]),
    st.none() | st.text(max_size=10) | st.sampled_from(["REJECTED", "FLAGGED"]),
    st.dictionaries(st.sampled_from(PATHS), JSON, max_size=6),
    st.sampled_from([*Direction]),
    st.sampled_from(LANGUAGES),
)
def test_no_shape_of_data_breaks_a_bundled_template(
    template: str,
    kind: str,
    detail: str | None,
    data: dict[str, Any],
    direction: Direction,
    language: str,
) -> None:
    event = an_event(kind=kind, detail=detail, data=data, direction=direction)
    message = rendered(event, template, language=language)
    assert message.fault is None, message.fault
    assert message.missing == ()


@each("name", BUNDLED.names)
def test_a_wrong_type_at_any_known_place_breaks_no_template(name: str) -> None:
    odd = (1, 1.5, True, "x", [], [1], {}, {"a": 1}, [[1]], None, [None])
    large = (10**18 + 1, 2**63 - 1, -(2**63), 1e18, 1e300, -1e300, 5e-324, -0.0)
    for inner in (*odd, *large):
        for shaped in (inner, dict.fromkeys(INNER, inner), [dict.fromkeys(INNER, inner)]):
            message = rendered(an_event(data=dict.fromkeys(PATHS, shaped)), name)
            assert message.fault is None, (inner, message.fault)
            assert message.missing == (), inner


@each(
    "detail, data, words",
    [
        ("ENDPOINT_LATENCY", {}, ("Latency: 8,000 ms", "Threshold: 7,000 ms")),
        ("ENDPOINT_ERROR_RATE", {}, ("Error rate: 14.28%", "Threshold: 10%")),
        ("ENDPOINT_AVAILABILITY", {"availability": 0}, ("Availability: 0%", "Threshold: 90%")),
        ("FLOW_STATUS_CHANGE", {"new_status": "THROTTLED"}, ("only 10 messages an hour",)),
        ("FLOW_VERSION_EXPIRY_WARNING", {}, ("to a newer version",)),
    ],
)
def test_what_is_wrong_with_a_flow_is_told_in_units_and_with_what_helps(
    detail: str, data: dict[str, Any], words: tuple[str, ...]
) -> None:
    text = told(the(f"flows/{detail}", **data))
    assert all(word in text for word in words), text
    assert ("endpoint" in text) is (detail != "FLOW_VERSION_EXPIRY_WARNING")
