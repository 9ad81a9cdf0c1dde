"""Spans and moments are read in every usual spelling, and nothing else is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.times import coming, span

BERLIN = ZoneInfo("Europe/Berlin")
SATURDAY = datetime(2026, 11, 28, 8, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("2h", 120),
        ("90 min", 90),
        ("1h30m", 90),
        ("1.5 hours", 90),
        ("1,5 Std", 90),
        ("1 hour and 5 minutes", 65),
        ("2 Tage", 2 * 24 * 60),
        ("1W", 7 * 24 * 60),
    ],
)
def test_a_span_in_any_usual_spelling(text: str, minutes: int) -> None:
    assert span(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize("text", ["", "2", "h", "0h", "-2h", "2x", "2h ago", "999999999w"])
def test_what_is_no_span(text: str) -> None:
    assert span(text) is None


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("2026-11-29", "2026-11-29 00:00"),
        ("2026-11-29T09:00", "2026-11-29 09:00"),
        ("2026-11-29 09:00", "2026-11-29 09:00"),
        ("2026-11-29T09:00Z", "2026-11-29 10:00"),
        ("2026-11-29T09:00-05:00", "2026-11-29 15:00"),
        ("29.11.2026 09:00", "2026-11-29 09:00"),
        ("29.11. 9:00", "2026-11-29 09:00"),
        ("Nov 29, 2026 9:00 am", "2026-11-29 09:00"),
        ("1. März", "2027-03-01 00:00"),
        ("18:00", "2026-11-28 18:00"),
        ("8:30", "2026-11-29 08:30"),
        ("6pm", "2026-11-28 18:00"),
        ("12 am", "2026-11-29 00:00"),
        ("18 Uhr", "2026-11-28 18:00"),
        ("tomorrow at 9:00", "2026-11-29 09:00"),
        ("Monday", "2026-11-30 00:00"),
        ("Sat 18:00", "2026-11-28 18:00"),
        ("Sat 08:00", "2026-12-05 08:00"),
        ("am Mo um 9 Uhr", "2026-11-30 09:00"),
        ("24:00", "2026-11-29 00:00"),
        ("midnight", "2026-11-29 00:00"),
        ("morgen Mittag", "2026-11-29 12:00"),
        ("übermorgen 24:00", "2026-12-01 00:00"),
        ("9 am tomorrow", "2026-11-29 09:00"),
        ("18 Uhr am Montag", "2026-11-30 18:00"),
        ("2026-11-30T24:00", "2026-12-01 00:00"),
        ("30.11.26 9:00", "2026-11-30 09:00"),
        ("2027-03-28T02:30", "2027-03-28 03:30"),
    ],
)
def test_a_moment_to_come_is_one_of_the_zone(text: str, local: str) -> None:
    """The last one is skipped by the clock, and is what it skips to."""
    found = coming(text, SATURDAY, BERLIN)
    assert found is not None
    assert f"{found.astimezone(BERLIN):%Y-%m-%d %H:%M}" == local


@pytest.mark.parametrize(
    "text", ["", "9", "25:00", "24:01", "13 pm", "2h", "29.13.2026", "29.2.2027", "never"]
)
def test_what_is_no_moment(text: str) -> None:
    assert coming(text, SATURDAY, BERLIN) is None


@pytest.mark.parametrize(
    ("now", "wanted"),
    [
        ("02:10+02:00", "02:30+02:00"),
        ("02:40+02:00", "02:30+01:00"),
        ("02:10+01:00", "02:30+01:00"),
        ("02:40+01:00", None),
    ],
)
@pytest.mark.parametrize("text", ["2:30", "2026-10-25T02:30", "today 2:30"])
def test_of_a_time_that_the_clock_shows_twice_the_next_is_meant(
    text: str, now: str, wanted: str | None
) -> None:
    at = datetime.fromisoformat(f"2026-10-25T{now}")
    found = coming(text, at, BERLIN)
    assert found is not None
    if wanted is not None:
        assert found == datetime.fromisoformat(f"2026-10-25T{wanted}")
    else:
        assert (found > at) is (text == "2:30"), "a time alone is the one of the next day"


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_none(text: str) -> None:
    for found in (coming(text, SATURDAY, BERLIN), span(text)):
        assert found is None or isinstance(found, datetime | timedelta)


@given(st.timedeltas(timedelta(0), timedelta(days=30_000)))
def test_iso_with_an_offset_means_what_it_says_in_any_zone(ahead: timedelta) -> None:
    wanted = SATURDAY + ahead
    assert coming(wanted.isoformat(), SATURDAY, BERLIN) == wanted
