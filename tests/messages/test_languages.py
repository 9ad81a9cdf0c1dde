"""What language a message speaks: templates, dates, numbers, the relay's own words, settings."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels import Outbound
from relay.checks.templates import check
from relay.config import load_text
from relay.errors import ConfigError
from relay.events import Client
from relay.events.catalogue import KINDS
from relay.messages import Paragraph, Text
from relay.messages.builtin import fallback
from relay.messages.filters import (
    show_country,
    show_date,
    show_duration,
    show_language,
    show_limit,
    show_number,
    show_since,
    show_until,
    show_words,
)
from relay.messages.languages import DEFAULT, Voice, canonical, family, locale, meant
from relay.messages.templates import Templates
from relay.messages.words import phrase, title, words
from relay.pipeline import Plan
from relay.rules import Ruleset
from relay.samples import event as sample
from relay.samples import names
from relay.text import clean
from tests.each import each
from tests.message_cases import BERLIN, ENGLISH, GERMAN, NOON, a_context, an_event, written

KIND = "phone_number_quality_update"


def a_set(*files: str) -> Templates:
    """Templates whose titles are their files' names."""
    return Templates.from_texts({f"{file}.md.j2": f"# {file}" for file in files})


def voice(language: str, zone: str = "Europe/Berlin") -> Voice:
    return Voice(language, ZoneInfo(zone), NOON, NOON)


# Codes


@each(
    ("written", "code"),
    [
        *(("de", "de"), ("DE", "de"), ("pt-br", "pt-BR"), ("pt_BR", "pt-BR")),
        *(("zh-hant-tw", "zh-Hant-TW"), (" en ", "en"), ("fil", "fil")),
    ],
)
def test_a_code_has_one_spelling(written: str, code: str) -> None:
    assert canonical(written) == code


@each(
    "word",
    ["", "d", "xx", "de-XX", "german", "und", "root", "de.", "../de", "de/..", "de\nen", "x" * 99],
)
def test_what_babel_does_not_know_is_no_code(word: str) -> None:
    assert canonical(word) is None


@given(st.text(max_size=20))
def test_no_text_breaks_the_reading_of_codes(text: str) -> None:
    code = canonical(text)
    meant(text)
    if code is not None:
        assert canonical(code) == code
        assert locale(code)


def test_a_language_is_found_by_its_name() -> None:
    assert (meant("German"), meant("deutsch"), meant("Français")) == ("de", "de", "fr")
    assert meant("klingonish") is None


# Search


@each(
    ("files", "language", "chosen"),
    [
        ((f"{KIND}.FLAGGED", "de/default"), "de", "de/default"),
        ((f"{KIND}.FLAGGED", "de/quality", "de/default"), "de", "de/quality"),
        ((KIND, f"de/{KIND}", f"de/{KIND}.FLAGGED"), "de", f"de/{KIND}.FLAGGED"),
        ((KIND, "quality"), "de", KIND),
        ((KIND, "fr/default"), "de", KIND),
        ((KIND, "de/default"), "en", KIND),
        (("de/default",), "en", None),
        (("quality", f"en/{KIND}"), "en", f"en/{KIND}"),
        ((f"{KIND}", "en/quality"), "en", KIND),
        ((f"{KIND}", f"en/{KIND}"), "en-GB", f"en/{KIND}"),
        (("de-AT/default", f"de/{KIND}"), "de-AT", f"de/{KIND}"),
        ((f"de-AT/{KIND}", f"de/{KIND}"), "de-AT", f"de-AT/{KIND}"),
        ((f"DE/{KIND}", "default"), "de", f"DE/{KIND}"),
        ((f"pt_BR/{KIND}", "default"), "pt-BR", f"pt_BR/{KIND}"),
        ((f"pt-BR/{KIND}", "default"), "pt", "default"),
    ],
)
def test_whatever_there_is_in_the_language_comes_before_the_plain_folder(
    files: tuple[str, ...], language: str, chosen: str | None
) -> None:
    expected = None if chosen is None else f"{chosen}.md.j2"
    assert a_set(*files).choose(an_event(), None, language) == expected


@pytest.mark.parametrize(
    ("files", "chosen"),
    [
        (("welcome", "de/welcome"), "de/welcome"),
        (("welcome", "de/default"), "welcome"),
        (("de/welcome",), "de/welcome"),
    ],
)
def test_a_rules_own_template_is_looked_for_in_the_language_and_then_beside_it(
    files: tuple[str, ...], chosen: str
) -> None:
    assert a_set(*files).choose(an_event(), "welcome", "de") == f"{chosen}.md.j2"
    assert a_set(*files).choose(an_event(), "Welcome.md.j2", "de") == f"{chosen}.md.j2"


def test_rules_name_templates_without_their_language() -> None:
    templates = a_set("welcome", "de/welcome", "de/nur")
    assert templates.names == ("nur", "welcome")
    assert templates.languages == ("de",)


def test_a_message_is_written_by_the_file_of_its_language_and_says_so() -> None:
    message = a_set("default", "de/default").render(an_event(), context=a_context(language="de"))
    assert message.template == "de/default.md.j2"
    assert message.title == "de/default"
    assert message.language == "de"


# Folders


def test_folders_called_like_languages_are_read_and_give_their_texts_back(tmp_path: Path) -> None:
    for folder, text in ((".", "plain"), ("de", "deutsch"), ("pt-BR", "brasil")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "quality.md.j2").write_text(f"# {text}", encoding="utf-8")
    templates = Templates.load(tmp_path)
    assert set(templates.texts) == {"quality.md.j2", "de/quality.md.j2", "pt-BR/quality.md.j2"}
    again = Templates.from_texts(templates.texts)
    assert again.languages == ("de", "pt-BR")
    assert again.render(an_event(), context=a_context(language="pt-BR")).title == "brasil"


def test_a_folder_called_otherwise_is_not_read_and_said_so(tmp_path: Path) -> None:
    (tmp_path / "deutsch").mkdir()
    (tmp_path / "deutsch" / "quality.md.j2").write_text("# {% broken")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "quality.md.j2").write_text("# ok")
    templates = Templates.load(tmp_path)
    assert [str(warning) for warning in templates.warnings] == [
        f"{tmp_path}/deutsch:1:1: warning: the folder is not read: it is not called like a "
        "language, such as de or pt-BR"
    ]


def test_a_fault_in_a_language_names_its_file(tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "quality.md.j2").write_text("# T\n<b>x</b>")
    with pytest.raises(ConfigError, match=r"de/quality\.md\.j2:2:1: error: HTML"):
        Templates.load(tmp_path)


def test_two_spellings_of_one_folder_are_a_fault() -> None:
    with pytest.raises(ConfigError, match="case alone"):
        a_set("de/quality", "DE/quality")


# Dates, numbers, names


@pytest.mark.parametrize(
    ("form", "english", "german"),
    [
        (None, "9 Mar 2026, 11:00 CET", "9. März 2026, 11:00 MEZ"),
        ("short", "9 Mar, 11:00", "9. März, 11:00"),
        ("day", "9 Mar 2026", "9. März 2026"),
        ("time", "11:00", "11:00"),
        ("%d.%m.%Y", "09.03.2026", "09.03.2026"),
    ],
)
def test_a_moment_is_written_in_the_language(form: str | None, english: str, german: str) -> None:
    moment = datetime(2026, 3, 9, 10, tzinfo=UTC)
    assert show_date(moment, ENGLISH, form) == english
    assert show_date(moment, GERMAN, form) == german


@pytest.mark.parametrize(
    ("form", "english", "german"),
    [
        (None, "9 Mar 2026", "9. März 2026"),
        ("short", "9 Mar", "9. März"),
        ("day", "9 Mar 2026", "9. März 2026"),
        ("time", date(2026, 3, 9), date(2026, 3, 9)),
    ],
)
def test_a_day_has_no_time(form: str | None, english: Any, german: Any) -> None:
    assert show_date(date(2026, 3, 9), ENGLISH, form) == english
    assert show_date(date(2026, 3, 9), GERMAN, form) == german


@pytest.mark.parametrize(
    ("sent", "day", "as_sent"),
    [
        ("2026-03-31T23:59:59Z", "1 Apr 2026", "31 Mar 2026"),
        ("2026-04-01", "1 Apr 2026", "1 Apr 2026"),
        ("1774998000", "1 Apr 2026", "1 Apr 2026"),
        (1774998000, "1 Apr 2026", "1 Apr 2026"),
    ],
)
def test_a_day_is_the_readers_or_as_it_was_sent(sent: Any, day: str, as_sent: str) -> None:
    assert show_date(sent, ENGLISH, "day") == day
    assert show_date(sent, ENGLISH, "day as sent") == as_sent


def test_the_short_form_names_another_year() -> None:
    assert show_date("2027-01-31", GERMAN, "short") == "31. Jan. 2027"
    # In Berlin it is next year already.
    assert show_date("2026-12-31T23:30:00Z", ENGLISH, "short") == "1 Jan 2027, 00:30"


@each(
    ("language", "zone", "shown"),
    [
        ("en-US", "America/New_York", "Mar 9, 2026, 6:00 AM EDT"),
        ("en-GB", "Europe/London", "9 Mar 2026, 10:00 GMT"),
        ("de", "America/New_York", "9. März 2026, 06:00 EDT"),
        ("de", "America/Sao_Paulo", "9. März 2026, 07:00 UTC-03"),
        ("fr", "Europe/Paris", "9 mars 2026, 11:00 CET"),
        ("ja", "Asia/Tokyo", "2026年3月9日 19:00 JST"),
    ],
)
def test_any_language_of_babel_writes_dates(language: str, zone: str, shown: str) -> None:
    found = show_date(datetime(2026, 3, 9, 10, tzinfo=UTC), voice(language, zone))
    assert found.replace("\u202f", " ") == shown


@each(
    ("value", "english", "german"),
    [
        (10_000, "10,000", "10.000"),
        ("10000", "10,000", "10.000"),
        (1234.5, "1,234.5", "1.234,5"),
        (-7, "-7", "-7"),
        ("1e5", "1e5", "1e5"),
        (True, True, True),
        (10**16, 10**16, 10**16),
        ("much", "much", "much"),
    ],
)
def test_numbers_are_grouped_in_the_language(value: Any, english: Any, german: Any) -> None:
    assert (show_number(value, ENGLISH), show_number(value, GERMAN)) == (english, german)


@pytest.mark.parametrize(
    ("span", "english", "german"),
    [
        (timedelta(days=3, hours=4), "3 days 4 hours", "3 Tage 4 Stunden"),
        (timedelta(days=1, minutes=5), "1 day", "1 Tag"),
        (3_661, "1 hour 1 minute", "1 Stunde 1 Minute"),
        (0, "0 seconds", "0 Sekunden"),
    ],
)
def test_spans_have_units_of_the_language(span: Any, english: str, german: str) -> None:
    assert (show_duration(span, ENGLISH), show_duration(span, GERMAN)) == (english, german)


@each("language", ["pt-BR", "ja", "ar", "hi", "zh-Hant", "pl", "fr"])
def test_no_language_shows_the_name_of_a_unit(language: str) -> None:
    shown = show_duration(timedelta(days=3, hours=4), voice(language))
    assert "duration" not in shown


def test_how_long_it_took_counts_to_the_event() -> None:
    assert show_since("2026-02-27T06:00:00Z", ENGLISH) == "3 days 4 hours"
    assert show_since("2026-02-27", GERMAN) == "3 Tage"
    assert show_since("2026-03-02", ENGLISH) == "0 days"
    assert show_until("2026-03-02T11:30:00Z", GERMAN) == "1 Stunde 30 Minuten"
    assert show_until("March 5, 2026", ENGLISH) == "3 days"


@pytest.mark.parametrize("value", ["soon", None, "2026-03-03", 5, "2026-03-02T10:00:01Z"])
def test_a_span_that_cannot_be_told_is_missing(value: Any) -> None:
    assert show_since(value, ENGLISH) is None
    message = written("# T\n\n{{ event.data.at|since }}", an_event(data={"at": value or "?"}))
    assert message.missing == ("time since",)


def test_countries_and_languages_have_names() -> None:
    assert (show_country("DE", ENGLISH), show_country("de", GERMAN)) == ("Germany", "Deutschland")
    assert (show_country("QQ", ENGLISH), show_country(5, ENGLISH)) == ("QQ", 5)
    assert (show_language("de", ENGLISH), show_language("de", GERMAN)) == ("German", "Deutsch")
    assert show_language("pt_BR", GERMAN) == "Portugiesisch (Brasilien)"
    assert show_language("nowhere-at-all", ENGLISH) == "nowhere-at-all"


def test_constants_are_in_words_of_the_language() -> None:
    assert show_words("TIER_10K", GERMAN) == "10.000 Menschen am Tag"
    assert show_limit(2000, GERMAN) == "2.000 Menschen am Tag"
    assert show_words("APPROVED", GERMAN) == "genehmigt"
    # What there are no words for in a language is told in English.
    assert show_words("APPROVED", voice("fr")) == show_words("APPROVED", ENGLISH)
    assert show_words("IN_REVIEW_AGAIN", GERMAN) == "in review again"


def test_templates_reach_all_of_it() -> None:
    text = (
        "# T\n\n{{ 10000|number }} {{ event.occurred_at|date('short') }} {{ 90|duration }} "
        "{{ 'DE'|country }} {{ 'de'|language_name }} {{ '2026-03-01'|since }} "
        "{{ 'TIER_2K'|limit }} {{ 'UTILITY'|words('category') }}"
    )
    templates = Templates.from_texts({"default.md.j2": text})
    message = templates.render(an_event(), context=a_context(language="de"))
    assert message.blocks == (
        Paragraph(
            (
                Text(
                    "10.000 2. März, 11:00 1 Minute Deutschland Deutsch 1 Tag "
                    "2.000 Menschen am Tag Utility"
                ),
            )
        ),
    )


@given(
    st.text(max_size=20)
    | st.integers()
    | st.floats()
    | st.datetimes()
    | st.dates()
    | st.timedeltas()
)
def test_no_value_breaks_a_filter_in_any_language(value: Any) -> None:
    for language in ("de", "pt-BR", "ar", "en-US"):
        for zone in ("Pacific/Kiritimati", "America/Sao_Paulo"):
            speaks = voice(language, zone)
            for form in (None, "short", "day", "time"):
                show_date(value, speaks, form)
            for show in (show_duration, show_number, show_country, show_language, show_since):
                show(value, speaks)


# The relay's own words


def test_every_phrase_is_there_in_both_languages_with_the_same_places() -> None:
    places = {
        language: {key: sorted(_places(text)) for key, text in held.sections["phrases"].items()}
        for language in ("en", "de")
        if (held := words(language))
    }
    assert places["de"] == places["en"]


def _places(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:]]


def test_a_language_without_phrases_gets_the_english_ones() -> None:
    assert phrase("test", "fr") == phrase("test", "en")
    assert phrase("replay", "de-AT") == "Wiederholung"


def test_every_title_of_the_catalogue_and_of_the_samples_is_there_in_german() -> None:
    titles = {
        meaning.title
        for kind in KINDS.values()
        for meaning in (kind.meaning, *kind.meanings.values())
    }
    titles |= {sample(name, NOON).title for name in names()}
    german = words("de")
    assert german
    assert titles - set(german.sections["titles"]) == set()
    assert title("New kind of event: abc", "de") == "Neue Art von Ereignis: abc"
    assert title("Words of an alarm", "de") == "Words of an alarm"


def test_a_title_is_in_the_language_of_the_template() -> None:
    templates = Templates.from_texts({"default.md.j2": "# {{ event.title }}"})
    said = templates.render(an_event(), context=a_context(language="de")).title
    assert said == "Nummer wegen niedriger Qualität markiert"


@pytest.mark.parametrize(
    ("given", "title_starts"),
    [
        ({"cause": "test"}, "[Test] "),
        ({"cause": "replay"}, "[Wiederholung] "),
        ({"now": NOON + timedelta(minutes=16)}, "[verspätet: 16 Min.] "),
        ({"now": NOON + timedelta(hours=5)}, "[verspätet: 5 Std.] "),
    ],
)
def test_the_signs_of_a_title_are_german(given: dict[str, Any], title_starts: str) -> None:
    message = a_set("default").render(an_event(), context=a_context(language="de", **given))
    assert message.title == f"{title_starts}default"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "Regel „Quality drops“"),
        ({"cause": "default", "rule": None}, "Vorgabe: keine Regel traf zu"),
        ({"cause": "alarm", "rule": None}, "Alarm des Relays"),
        ({"cause": "test", "rule": None, "destination": "vertrieb"}, "ein Test von vertrieb"),
        ({"cause": "replay", "rule": None}, "eine Wiederholung"),
    ],
)
def test_the_footer_is_german(given: dict[str, Any], said: str) -> None:
    message = a_set("default").render(an_event(), context=a_context(language="de", **given))
    assert message.footer == f"2. März 2026, 11:00 MEZ · {said} · 01234567"


def test_the_footer_says_in_german_that_the_time_is_that_of_the_receipt() -> None:
    event = an_event(occurred_at=None)
    message = a_set("default").render(event, context=a_context(language="de"))
    assert message.footer.startswith("empfangen 2. März 2026, 11:00 MEZ · ")


def test_the_built_in_message_is_german() -> None:
    message = fallback(an_event(), a_context(language="de"), "kaputt")
    assert message.title == (
        "⚠️ Nummer wegen niedriger Qualität markiert: Musterladen Handels GmbH, +49 171 3920011"
    )
    assert "Dies ist die einfache Nachricht: kaputt" in message.text
    assert "Kunde: Musterladen Handels GmbH / dev001CL" in message.text
    assert message.language == "de"
    nobody = an_event(phones=(), phone_name=None, client=Client())
    assert fallback(nobody, a_context(language="de")).title.endswith(": Konto 100000000000101")


def test_what_is_missing_is_named_in_the_language_and_counted_by_its_name() -> None:
    templates = Templates.from_texts({"default.md.j2": "# T {{ event.data.nope }}"})
    message = templates.render(an_event(), context=a_context(language="de"))
    assert message.title == "T [fehlt: event.data.nope]"
    assert message.missing == ("event.data.nope",)


def test_a_value_is_cut_once_and_in_the_language() -> None:
    templates = Templates.from_texts({"default.md.j2": "# T\n\n{{ event.phone_name }}"})
    event = an_event(phone_name="y" * 2_500)
    message = templates.render(event, context=a_context(language="de"))
    assert message.text.count("gekürzt um") == 1
    assert "y… (gekürzt um 526 Zeichen)" in message.text


@given(st.text(max_size=30), st.sampled_from(["en", "de", "ar", "ja"]))
def test_the_built_in_message_never_raises_in_any_language(text: str, language: str) -> None:
    event = an_event(title=text, kind=text, detail=text, phones=(text,), waba=text)
    message = fallback(event, a_context(language=language, rule=text, cause=text), text)
    assert clean(message.title) == message.title


# Settings

RULES = """\
version: 1
{top}destinations:
  a: {{slack: {{webhook: "https://hooks.slack.com/services/T0/B0/x"}}{beside}}}
  b: {{slack: {{webhook: "https://hooks.slack.com/services/T0/B0/y"}}}}
rules:
  - {{name: all, when: {{event: "*"}}, send_to: [a, b]}}
default: {{send_to: a}}
alarms: {{send_to: a}}
"""


def languages(top: str = "", beside: str = "") -> list[str]:
    text = RULES.format(top=top, beside=beside)
    config = load_text(text, "rules.yaml", env={}, strict_env=True, outbound=Outbound())
    return [place.language for place in config.destinations.values()]


def test_destinations_speak_english_the_files_language_or_their_own() -> None:
    assert languages() == [DEFAULT, DEFAULT]
    assert languages(top="language: de\n") == ["de", "de"]
    assert languages(top="language: de\n", beside=", language: pt_br") == ["pt-BR", "de"]


@each(
    ("top", "beside", "said"),
    [
        ("", ", language: german", '3:79: error: unknown language "german": did you mean "de"?'),
        ("language: Deutsch\n", "", '2:11: error: unknown language "Deutsch": did you mean "de"?'),
        ("language: de-XX\n", "", '2:11: error: unknown language "de-XX": did you mean "de"?'),
        ("language: 12\n", "", 'unknown language "12": write a code such as de, en or pt-BR'),
        ("", ", language: [de]", "language must be a text, not a list"),
        ("", ", language: ''", "language has no value"),
        ("", ", languge: de", 'unknown key "languge": did you mean "language"?'),
    ],
)
def test_a_language_that_nobody_knows_is_an_error_with_its_place_and_remedy(
    top: str, beside: str, said: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        languages(top, beside)
    assert said in str(caught.value)


def test_a_language_inside_the_transport_is_pointed_out() -> None:
    text = RULES.format(top="", beside="").replace('/x"}', '/x", language: de}')
    with pytest.raises(ConfigError, match="language stands beside slack, not inside of it"):
        load_text(text, "rules.yaml", env={}, strict_env=True, outbound=Outbound())


# Checks


def a_plan(templates: Templates, top: str = "", beside: str = "", template: str = "") -> Plan:
    text = RULES.format(top=top, beside=beside)
    if template:
        text = text.replace("send_to: [a, b]}", f"send_to: [a, b], template: {template}}}")
    config = load_text(
        text, "rules.yaml", env={}, strict_env=True, outbound=Outbound(), templates=templates.names
    )
    return Plan(1, config.rules, config.destinations, templates, BERLIN)


def findings(plan: Plan) -> list[str]:
    return [str(fault) for fault in check(plan, "templates")]


def test_every_template_is_rendered_in_its_language_with_every_sample_that_meets_it() -> None:
    templates = Templates.from_texts(
        {
            "default.md.j2": "# T",
            "de/default.md.j2": "# T",
            "de/quality.md.j2": "# {{ event.data.nowhere }}",
            f"{KIND}.FLAGGED.md.j2": "# {{ 'x' + 1 if event.phone else 'y' }}",
            "welcome.md.j2": "# {{ event.phones|first }}{{ event.data.nope }}",
        }
    )
    found = findings(a_plan(templates))
    assert any(f.startswith(f"templates/{KIND}.FLAGGED.md.j2:1:1: error: ") for f in found)
    assert any(
        f.startswith("templates/de/quality.md.j2:1:1: warning: ")
        and f.endswith("no event.data.nowhere; it will show as [missing: event.data.nowhere]")
        for f in found
    )
    assert any(f.startswith("templates/welcome.md.j2:1:1:") for f in found)
    assert not any("default.md.j2" in f for f in found)


def test_a_rules_own_template_is_rendered_with_every_sample_that_the_rule_takes() -> None:
    text = "# {{ 1 // 0 if event.kind == 'cancellation_request' else 'T' }}"
    templates = Templates.from_texts({"default.md.j2": "# T", "welcome.md.j2": text})
    found = findings(a_plan(templates, template="welcome"))
    assert [f.partition(" failed")[0] for f in found] == [
        "templates/welcome.md.j2:1:1: error: rendered with cancellation_request: template "
        "welcome.md.j2"
    ]


def test_a_language_without_templates_is_a_warning() -> None:
    plan = a_plan(a_set("default"), beside=", language: fr")
    assert findings(plan) == [
        "templates/fr:1:1: warning: there are no templates in this language, for the destination "
        "a: it gets those of templates"
    ]
    assert findings(a_plan(a_set("default"), beside=", language: en-GB")) == []


def test_a_rules_template_that_a_reader_cannot_get_is_an_error() -> None:
    templates = a_set("default", "de/default", "de/welcome")
    assert findings(a_plan(templates, top="language: de\n", template="welcome")) == []
    found = findings(a_plan(templates, beside=", language: de", template="welcome"))
    assert found == [
        'templates:1:1: error: the rule "all" sends the template welcome to b in en: there is no '
        "welcome.md.j2 in en or beside it"
    ]


def test_a_plan_of_any_rules_can_be_checked() -> None:
    assert check(Plan(1, Ruleset(()), {}, a_set("default"), BERLIN), "templates") == ()


def test_regional_codes_fall_back_to_their_language() -> None:
    assert family("zh-Hant-TW") == ("zh-Hant-TW", "zh-Hant", "zh")
