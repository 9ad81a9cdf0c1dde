"""How languages spell days, numbers and spans; plain English needs no Babel for that."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date
from babel.numbers import format_decimal
from babel.units import format_unit

from relay.messages.languages import spell_day, spell_number, spell_unit, spell_zone
from tests.each import each
from tests.message_cases import NOON


def test_plain_english_is_spelled_as_babel_does() -> None:
    for month in range(1, 13):
        day = date(2026, month, 9)
        assert spell_day(day, "en") == format_date(day, "d MMM y", "en")
        assert spell_day(day, "en", year=False) == format_date(day, "d MMM", "en")
    for number in (0, 7, 999, 1_000, -1_234_567, 10**14, 0.5, 1234.5678):
        assert spell_number(number, "en") == format_decimal(number, locale="en")
    for unit in ("day", "hour", "minute", "second"):
        for length in ("long", "short"):
            for count in (0, 1, 2, 31, 12_345):
                said = format_unit(count, f"duration-{unit}", length, locale="en")
                assert spell_unit(count, unit, "en", length) == said


@each("language, day", [("en", "9 Mar 2026"), ("de", "9. März 2026"), ("en-US", "Mar 9, 2026")])
def test_a_day_is_spelled_in_its_language(language: str, day: str) -> None:
    assert spell_day(date(2026, 3, 9), language) == day


def test_the_same_moment_has_in_each_zone_the_zones_name() -> None:
    zones = ("Europe/Berlin", "America/New_York", "Europe/London", "Africa/Lagos")
    names = [spell_zone(NOON.astimezone(ZoneInfo(zone)), "en") for zone in zones]
    assert names == ["CET", "EST", "GMT", "WAT"]


@pytest.mark.parametrize(
    ("does", "without"),
    [
        ("import relay.messages.templates, relay.phones", ("babel", "phonenumbers")),
        (
            "from datetime import date; from relay.messages.languages import *; canonical('de'); "
            "spell_day(date(2026, 3, 9), 'en'); spell_number(5, 'en')",
            ("babel",),
        ),
    ],
)
def test_the_tables_of_the_world_are_loaded_when_they_are_first_asked(
    does: str, without: tuple[str, ...]
) -> None:
    code = f"{does}\nimport sys\nassert not set(sys.modules) & set({without!r}), sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
