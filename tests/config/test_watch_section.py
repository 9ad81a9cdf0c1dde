"""`watch:` of the rules file."""

from __future__ import annotations

from datetime import timedelta

from relay.sources.watch import Watching
from tests.config.test_config import HEAD, config, messages, warned
from tests.each import each

WHOLE = HEAD + "rules: [{name: All, when: {event: '*'}, send_to: support}]\n"
KEYS = {"RELAY_360DIALOG_PARTNER_ID": "p", "RELAY_360DIALOG_API_KEY": "k"}


def test_without_the_section_nothing_is_asked_and_a_silent_day_is_an_alarm() -> None:
    assert config(WHOLE).watching == Watching(None, timedelta(hours=24), None)


def test_the_section_says_what_is_asked() -> None:
    text = WHOLE + "watch: {quality: 15m, no_events: none, heartbeat: 'https://hc.example.com/x'}\n"
    said = config(text, KEYS).watching
    assert said == Watching(timedelta(minutes=15), None, "https://hc.example.com/x")
    assert "hc.example.com" not in repr(said)


@each(
    ("text", "span"),
    [
        ("1s", timedelta(seconds=1)),
        ("' 90 m'", timedelta(minutes=90)),
        ("7D", timedelta(days=7)),
        ("15 minutes", timedelta(minutes=15)),
        ("1h30m", timedelta(minutes=90)),
    ],
)
def test_a_span_is_a_number_and_a_unit(text: str, span: timedelta | None) -> None:
    assert config(WHOLE + f"watch: {{no_events: {text}}}\n").watching.no_events == span


@each("text", ["0s", "32d", "15", "-5m", "999999999d"])
def test_no_span_is_an_error(text: str) -> None:
    assert "is no span of time" in messages(WHOLE + f"watch: {{no_events: {text}}}\n")[0]


@each(
    ("said", "fault"),
    [
        ("quality: often", 'quality: "often" is no span of time: write 30s, 15m'),
        ("heartbeat: ftp://x", "heartbeat is not a URL"),
        ("qualty: 5m", 'unknown key "qualty": did you mean "quality"?'),
        ("quality: ''", "quality has no value"),
    ],
)
def test_a_fault_says_what_would_be_right(said: str, fault: str) -> None:
    assert any(fault in message for message in messages(WHOLE + f"watch: {{{said}}}\n"))


def test_a_watch_that_cannot_ask_is_a_warning_that_names_what_is_missing() -> None:
    text = WHOLE + "watch: {quality: 15m}\n"
    (told,) = [one for one in warned(text, {}) if "360dialog" in one]
    assert "RELAY_360DIALOG_PARTNER_ID and RELAY_360DIALOG_API_KEY" in told
    assert not [one for one in warned(text, KEYS) if "360dialog" in one]
    assert not [one for one in warned(WHOLE + "watch: {quality: none}\n") if "360dialog" in one]
