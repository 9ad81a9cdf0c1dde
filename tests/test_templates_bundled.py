"""The templates of `message_templates/`: right for every sample, hostile text and shape of data."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay import samples
from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.events.catalogue import KINDS, describe
from relay.messages import Link, Message
from relay.messages.marks import PRIVATE, clean
from relay.messages.templates import Templates
from relay.sources import reading
from tests.message_cases import FOLDER, NOON, a_context, all_inlines, an_event, shape

BUNDLED = Templates.load(FOLDER)


def events_of(name: str) -> tuple[Event, ...]:
    found = reading.read(samples.find(name), received_at=NOON)
    return tuple(arrival.event for arrival in found.arrivals)


SAMPLES = tuple(
    pytest.param(event, id=name) for name in samples.names() for event in events_of(name)
)


def test_every_topic_has_a_template_and_no_template_has_doubts() -> None:
    assert {topic.value for topic in Topic} | {"default", "relay_alarm"} <= set(BUNDLED.names)
    assert BUNDLED.warnings == ()


@pytest.mark.parametrize("event", SAMPLES)
def test_every_sample_is_told_whole_by_a_template(event: Event) -> None:
    message = BUNDLED.render(event, context=a_context(strict=True, now=event.late_since))
    assert message.fault is None
    assert message.missing == ()
    assert event.title in message.title
    assert message.template is not None
    assert "{{" not in message.text.replace("{{1}}", "")


@pytest.mark.parametrize("name", BUNDLED.names)
def test_every_template_tells_an_event_that_has_next_to_nothing(name: str) -> None:
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
    message = BUNDLED.render(event, context=a_context(template=name, strict=True))
    assert message.title == "ℹ️ Something"
    assert message.missing == ()


def test_an_impending_category_names_todays_and_the_coming_one() -> None:
    (event,) = events_of("template_category_update/notice")
    event = replace(
        event, data=event.data | {"new_category": "UTILITY", "correct_category": "MARKETING"}
    )
    text = BUNDLED.render(event, context=a_context()).text
    assert "Category now: utility" in text
    assert "Category to come: marketing" in text


def test_a_done_category_change_names_before_and_now() -> None:
    (event,) = events_of("template_category_update")
    text = BUNDLED.render(event, context=a_context()).text
    assert "Category before: utility\nCategory now: marketing" in text


def test_a_reinstated_account_is_good_news() -> None:
    (event,) = events_of("account_update/DISABLED_UPDATE/reinstate")
    message = BUNDLED.render(event, context=a_context(now=event.late_since))
    assert message.title.startswith("✅ Account reinstated")


def test_restrictions_are_listed_with_their_ends_however_they_come() -> None:
    rows = [
        {"restriction_type": "RESTRICTED_UTILITY_TEMPLATES", "expiration": 1773050400},
        {"restriction_type": "RESTRICTED_ADD_PHONE_NUMBER_ACTION", "expiration": "1773050400"},
        {"restriction_type": "RESTRICTED_X", "expiration": "soon", "remediation": "Do *this*"},
        {"restriction_type": "RESTRICTED_Y"},
    ]
    (event,) = events_of("account_update/ACCOUNT_RESTRICTION")
    event = replace(event, data={"event": "ACCOUNT_RESTRICTION", "restriction_info": rows})
    text = BUNDLED.render(event, context=a_context()).text
    assert "- restricted utility templates, until 9 Mar 2026, 11:00 CET\n" in text
    assert "- restricted add phone number action, until 9 Mar 2026, 11:00 CET\n" in text
    assert "- restricted x, until soon: Do *this*\n" in text
    assert "- restricted y\n" in text
    single = replace(event, data={"restriction_info": rows[0]})
    assert (
        "- restricted utility templates, until" in BUNDLED.render(single, context=a_context()).text
    )


def test_a_disable_date_is_read_as_text_and_as_seconds() -> None:
    (event,) = events_of("message_template_status_update/FLAGGED")
    for value, shown in (
        ("March 31, 2026", "31 Mar 2026"),
        ("1773050400", "9 Mar 2026, 11:00 CET"),
    ):
        told = replace(event, data=event.data | {"disable_info": {"disable_date": value}})
        assert f"Disable date: {shown}\n" in BUNDLED.render(told, context=a_context()).text


def test_braces_in_a_rejection_stay_braces() -> None:
    (event,) = events_of("message_template_status_update/REJECTED")
    text = "{{1}} and {{ 7*7 }} {% raw %}"
    told = replace(event, data=event.data | {"rejection_info": {"recommendation": text}})
    assert f"Recommendation: {text}" in BUNDLED.render(told, context=a_context()).text


@pytest.mark.parametrize("name", ["other", "default"])
def test_an_unknown_kind_names_its_fields_not_their_values(name: str) -> None:
    event = an_event(
        kind="brand_new",
        detail=None,
        topic=Topic.OTHER,
        data={"alert_description": "Erika", "note": "Muster", "alert_info": {"alert_type": "E"}},
    )
    message = BUNDLED.render(event, context=a_context(template=name))
    assert "alert_description, note, alert_info" in message.text
    assert "Erika" not in message.text
    assert "Muster" not in message.text.replace("Musterladen", "")


def test_an_alarm_of_the_relay_is_told_in_its_own_words() -> None:
    event = an_event(
        source=Source.RELAY,
        kind="relay_alarm",
        detail="OVERDUE",
        topic=Topic.OTHER,
        title="Messages for support are late",
        phones=(),
        client=Client(),
        data={"text": "3 deliveries wait. `relay deliveries` shows more.", "over": False},
    )
    message = BUNDLED.render(event, context=a_context(cause="alarm", rule=None))
    assert message.title == "⚠️ Messages for support are late"
    assert message.text.startswith("3 deliveries wait. `relay deliveries` shows more.")


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
        client=Client(text, text),
        country=text,
        waba=text,
        waba_360=text,
        data=poisoned(event.data, text),
    )


def rendered(event: Event, template: str | None = None) -> Message:
    return BUNDLED.render(event, context=a_context(template=template, now=event.late_since))


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([param.values[0] for param in SAMPLES]), HOSTILE)
def test_hostile_text_in_every_field_of_every_sample_is_text_and_nothing_else(
    event: Event, text: str
) -> None:
    assert isinstance(event, Event)
    chosen = BUNDLED.choose(event)
    # Blank texts are left out and so are no fair comparison; a sign in front makes all visible.
    hostile = rendered(with_text(event, f"x{text}"), chosen)
    harmless = rendered(with_text(event, "harmless"), chosen)
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
    | st.sampled_from(["NONE", "REJECTED", "1773050400", "TIER_2K", ""]),
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
    *("correct_category", "rejection_reason", "decision", "text", "country"),
)
INNER = (
    *("reason", "restriction_type", "expiration", "remediation", "amount", "rejection_reasons"),
    *("name", "waba_ban_state", "waba_ban_date", "alert_description", "start_time", "title"),
    *("disable_date", "currency", "reference_id", "new_category", "status"),
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(BUNDLED.names),
    st.sampled_from([*KINDS, "brand_new"]),
    st.none() | st.text(max_size=10) | st.sampled_from(["REJECTED", "FLAGGED"]),
    st.dictionaries(st.sampled_from(PATHS), JSON, max_size=6),
    st.sampled_from([*Direction]),
)
def test_no_shape_of_data_breaks_a_bundled_template(
    template: str, kind: str, detail: str | None, data: dict[str, Any], direction: Direction
) -> None:
    event = an_event(kind=kind, detail=detail, data=data, direction=direction)
    message = rendered(event, template)
    assert message.fault is None, message.fault


@pytest.mark.parametrize("inner", [1, 1.5, True, "x", [], [1], {}, {"a": 1}, [[1]], None, [None]])
@pytest.mark.parametrize("name", BUNDLED.names)
def test_a_wrong_type_at_any_known_place_breaks_no_template(name: str, inner: Any) -> None:
    for shaped in (inner, dict.fromkeys(INNER, inner), [dict.fromkeys(INNER, inner)]):
        message = rendered(an_event(data=dict.fromkeys(PATHS, shaped)), name)
        assert message.fault is None, message.fault


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_the_catalogue_is_told_without_any_data(kind: str) -> None:
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
        message = BUNDLED.render(event, context=a_context(strict=True))
        assert message.fault is None
        assert meaning.title in message.title


def test_a_late_message_of_a_bundled_template_says_so() -> None:
    event = an_event()
    message = BUNDLED.render(event, context=a_context(now=NOON + timedelta(hours=3)))
    assert message.title.startswith("[late: 3 h] ⚠️ ")
