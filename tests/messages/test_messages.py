"""What every message carries whatever its template says; how values are cleaned and shown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.events import Client, Direction, Severity
from relay.messages.builtin import fallback
from relay.messages.filters import (
    moment,
    show_country,
    show_date,
    show_duration,
    show_language,
    show_limit,
    show_number,
    show_phone,
    show_since,
    show_until,
    show_words,
)
from relay.messages.languages import Voice
from relay.messages.marks import PRIVATE
from relay.text import clean
from tests.each import each
from tests.message_cases import ENGLISH, NOON, a_context, an_event, written

NEVER_LATE = NOON + timedelta(minutes=15)


@each(
    ("now", "sign"),
    [
        (NOON - timedelta(hours=1), ""),
        (NEVER_LATE, ""),
        (NEVER_LATE + timedelta(seconds=1), "[late: 15 min] "),
        (NOON + timedelta(minutes=119), "[late: 119 min] "),
        (NOON + timedelta(hours=2, minutes=10), "[late: 2 h] "),
        (NOON + timedelta(days=3, hours=1), "[late: 3 d] "),
    ],
)
def test_late_messages_say_so_in_the_title(now: datetime, sign: str) -> None:
    assert written("# T", now=now).title == f"{sign}T"


def test_lateness_counts_from_the_receipt_when_the_sender_gave_no_time() -> None:
    event = an_event(occurred_at=None, received_at=NOON)
    assert written("# T", event, now=NOON + timedelta(hours=5)).title == "[late: 5 h] T"


@pytest.mark.parametrize(("cause", "sign"), [("test", "[test] "), ("replay", "[replay] ")])
def test_tests_and_replays_say_so_in_the_title(cause: str, sign: str) -> None:
    assert written("# T", cause=cause).title == f"{sign}T"


def test_metas_test_button_is_named_in_the_title() -> None:
    assert written("# T", an_event(test=True)).title == "[Meta's Test button] T"


def test_a_late_replay_says_both_and_the_sample_of_a_test_is_never_late() -> None:
    late = NOON + timedelta(days=9)
    assert written("# T", cause="replay", now=late).title == "[replay, late: 9 d] T"
    assert written("# T", cause="test", now=late).title == "[test] T"


def test_the_built_in_message_has_the_signs_too() -> None:
    message = fallback(an_event(test=True), a_context(cause="replay"), "x")
    assert message.title.startswith("[replay, Meta's Test button] ")


def test_signs_stay_when_the_title_is_cut() -> None:
    message = written("# {{ event.phone_name }}", an_event(phone_name="n" * 900), cause="replay")
    assert message.title.startswith("[replay] nnn")
    assert message.title.endswith("…")
    assert len(message.title) <= 300


@each(
    ("cause", "rule", "said"),
    [
        ("rule", "Quality drops", "rule “Quality drops”"),
        ("default", None, "by default: no rule matched"),
        ("alarm", None, "alarm of the relay"),
        ("test", None, "a test of support"),
        ("replay", None, "a replay"),
        ("replay", "Quality drops", "rule “Quality drops”"),
    ],
)
def test_the_footer_says_when_by_what_and_which(cause: str, rule: str | None, said: str) -> None:
    message = written("# T", cause=cause, rule=rule, destination="support")
    assert message.footer == f"2 Mar 2026, 11:00 CET · {said} · 01234567"
    assert message.text.endswith(message.footer)


def test_the_footer_says_received_when_the_sender_gave_no_time() -> None:
    message = written("# T", an_event(occurred_at=None), timezone=ZoneInfo("America/New_York"))
    assert message.footer.startswith("received 2 Mar 2026, 05:00 EST · ")


def test_a_rule_name_with_line_ends_stays_one_line() -> None:
    assert "\n" not in written("# T", rule="a\nb").footer


def test_the_built_in_message_names_fields_and_tells_no_values() -> None:
    event = an_event(kind="brand_new", data={"secret_note": "Erika Muster", "other": 1})
    message = fallback(event, a_context())
    assert "secret_note, other" in message.text
    assert "Erika" not in message.text
    assert message.template is None
    assert message.fault is None


def test_the_built_in_message_says_what_happened_to_whom() -> None:
    message = fallback(an_event(), a_context(), "refused by the target:\ninvalid_blocks")
    assert message.title == (
        "⚠️ Number flagged for low quality: Musterladen Handels GmbH, +49 171 3920011"
    )
    assert message.fault == "refused by the target: invalid_blocks"
    assert "refused by the target: invalid_blocks" in message.text
    assert "Number: +49 171 3920011" in message.text


@given(
    st.text(),
    st.dictionaries(st.text(max_size=5), st.none() | st.text() | st.integers(), max_size=4),
)
def test_the_built_in_message_never_raises_and_has_no_strange_characters(
    text: str, data: dict[str, Any]
) -> None:
    event = an_event(
        title=text,
        kind=text,
        detail=text,
        phones=(text,),
        phone_name=text,
        client=Client(text, text),
        waba=text,
        data=data,
    )
    message = fallback(event, a_context(rule=text, cause=text), text)
    for part in (message.title, message.text):
        assert clean(part) == part
    assert "\n" not in message.title


@pytest.mark.parametrize(
    ("severity", "direction", "sign"),
    [
        (Severity.CRITICAL, Direction.WORSE, "🚨"),
        (Severity.CRITICAL, Direction.BETTER, "✅"),
        (Severity.WARNING, Direction.NEUTRAL, "⚠️"),
        (Severity.INFO, Direction.WORSE, "⚠️"),
        (Severity.INFO, Direction.NEUTRAL, "ℹ️"),
    ],
)
def test_the_sign_of_a_title(severity: Severity, direction: Direction, sign: str) -> None:
    event = replace(an_event(), severity=severity, direction=direction)
    assert written("# {{ event.emoji }}", event).title == sign


@given(st.text(alphabet=st.characters(), max_size=50))
def test_clean_text_can_be_encoded_holds_no_mark_and_stays_clean(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not PRIVATE.search(cleaned)
    assert clean(cleaned) == cleaned


def test_a_long_text_is_cut_visibly() -> None:
    event = an_event(phone_name="y" * 3_000)
    assert "y… (cut, 1,019 more)" in written("# T\n\n{{ event.phone_name }}", event).text


@each(
    ("value", "shown"),
    [
        (1773050400, "9 Mar 2026, 11:00 CET"),
        (1773050400.5, "9 Mar 2026, 11:00 CET"),
        ("1773050400", "9 Mar 2026, 11:00 CET"),
        (1773050400000, "9 Mar 2026, 11:00 CET"),
        ("2026-03-09T10:00:00Z", "9 Mar 2026, 11:00 CET"),
        ("2026-03-09T10:00:00+0000", "9 Mar 2026, 11:00 CET"),
        ("2026-07-09 10:00:00", "9 Jul 2026, 12:00 CEST"),
        ("2026-03-31", "31 Mar 2026"),
        ("March 31, 2026", "31 Mar 2026"),
        ("Sept 1st, 2026", "1 Sep 2026"),
        ("31 March 2026", "31 Mar 2026"),
        (datetime(2026, 3, 9, 10, tzinfo=UTC), "9 Mar 2026, 11:00 CET"),
        (date(2026, 3, 9), "9 Mar 2026"),
    ],
)
def test_dates_are_read_in_all_spellings(value: Any, shown: str) -> None:
    assert show_date(value, ENGLISH) == shown


@each(
    "value",
    [
        *("soon", "", "Smarch 3, 2026", "March 32, 2026", "2026", "20260309", "9" * 70),
        *(-1, 0, 5, True, 1e99, float("inf"), 10**30, [1], {"a": 1}, "2026-13-01"),
    ],
)
def test_an_unreadable_date_stays_as_it_is(value: Any) -> None:
    assert show_date(value, ENGLISH) is value


def test_a_zone_without_letters_is_shown_by_its_offset() -> None:
    voice = Voice("en", ZoneInfo("America/Sao_Paulo"), NOON, NOON)
    assert show_date(NOON, voice) == "2 Mar 2026, 07:00 UTC-03"


def test_a_date_takes_a_pattern_without_widths() -> None:
    assert show_date(NOON, ENGLISH, "%d.%m.%Y %H:%M") == "02.03.2026 11:00"
    with pytest.raises(ValueError, match="pattern"):
        show_date(NOON, ENGLISH, "%999999999d")


@given(st.text(max_size=30) | st.integers() | st.floats() | st.none() | st.booleans())
def test_no_value_breaks_a_filter(value: Any) -> None:
    moment(value)
    show_phone(value)
    for show in (
        *(show_date, show_duration, show_since, show_until, show_number),
        *(show_country, show_language, show_words, show_limit),
    ):
        show(value, ENGLISH)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("491713920011", "+49 171 3920011"),
        ("+49 171/3920011", "+49 171 3920011"),
        (491713920011, "+49 171 3920011"),
        ("nobody", "nobody"),
        (None, None),
    ],
)
def test_numbers_are_shown_internationally(value: Any, shown: Any) -> None:
    assert show_phone(value) == shown


@each(
    ("value", "shown"),
    [
        (0, "0 seconds"),
        (59, "59 seconds"),
        (125, "2 minutes"),
        ("7500", "2 hours 5 minutes"),
        (timedelta(days=2, minutes=5), "2 days"),
        (timedelta(days=3, hours=4), "3 days 4 hours"),
        (-60, "-1 minute"),
        ("long", "long"),
    ],
)
def test_durations_have_their_two_largest_units(value: Any, shown: Any) -> None:
    assert show_duration(value, ENGLISH) == shown


@each(
    ("value", "shown"),
    [
        ("A_CONSTANT_OF_TOMORROW", "a constant of tomorrow"),
        ("of_tomorrow", "of tomorrow"),
        ("TIER_10K", "10,000 people a day"),
        ("Of Tomorrow", "Of Tomorrow"),
        ("Keep_This", "Keep_This"),
        (5, 5),
    ],
)
def test_constants_become_words(value: Any, shown: Any) -> None:
    assert show_words(value, ENGLISH) == shown


@each(
    ("value", "shown"),
    [
        ("TIER_250", "250 people a day"),
        ("tier_2k", "2,000 people a day"),
        (2000, "2,000 people a day"),
        ("100000", "100,000 people a day"),
        ("TIER_NEW_THING", "new thing"),
        ("much", "much"),
        (True, True),
    ],
)
def test_limits_become_words(value: Any, shown: Any) -> None:
    assert show_limit(value, ENGLISH) == shown
