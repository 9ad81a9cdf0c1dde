"""The words for the senders' constants: complete, the same in both languages, and safe to ask."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import relay.messages.words
from relay.events.catalogue import KINDS
from relay.messages.words import TIER, Words, say, words
from tests.each import each

FOLDER = Path(relay.messages.words.__file__).parent
LANGUAGES = ("en", "de")
BOTH = pytest.mark.parametrize("language", LANGUAGES)


def held(language: str) -> Words:
    found = words(language)
    assert found is not None
    return found


GROUPS = (TIER, *held("en").constants)
"""What a constant can be about. Some mean different things in different groups."""
CONSTANTS = {
    "restriction": (
        *("RESTRICTED_ADD_PHONE_NUMBER_ACTION", "RESTRICTED_BIZ_INITIATED_MESSAGING"),
        *("RESTRICTED_CUSTOMER_INITIATED_MESSAGING", "RESTRICTED_UTILITY_TEMPLATES"),
        *("RESTRICTED_DIRECT_SEND_UTILITY_TEMPLATES", "RESTRICTED_BUSINESS_INITIATED_CALLING"),
        "RESTRICTED_USER_INITIATED_CALLING",
    ),
    "violation": (
        *("SCAM", "ADULT", "GAMBLING", "LOW_BUSINESS_INITIATED_CALLING_QUALITY"),
        "LOW_USER_INITIATED_CALLING_QUALITY",
    ),
    "name_rejection": (
        *("NAME_EMPLOYEE_ISSUE", "NAME_ENDCLIENT_NOTRELATED", "NAME_FORMAT_UNACCEPTABLE"),
        *("NAME_INDIVIDUAL_ISSUE", "NAME_NOT_CONSISTENT", "UNKNOWN"),
    ),
    "template_rejection": (
        *("ABUSIVE_CONTENT", "INCORRECT_CATEGORY", "INVALID_FORMAT", "PROMOTIONAL", "SCAM"),
        *("TAG_CONTENT_MISMATCH", "CATEGORY_NOT_AVAILABLE", "NONE"),
    ),
    "pause": ("FIRST_PAUSE", "SECOND_PAUSE", "RATE_LIMITING_PAUSE", "UNPAUSE", "DISABLED"),
    "quality": ("GREEN", "YELLOW", "RED", "UNKNOWN"),
    "verification": (
        *("verified", "not_verified", "rejected", "pending_submission", "failed", "pending"),
        "pending_need_more_info",
    ),
    "channel": (
        *("created", "unverified", "verified", "ready", "modified", "imported", "error"),
        *("new_name_requested", "certificate_declined", "consents_signed", "porting_ready"),
        *("ready_for_migration", "waiting_for_migration_code", "migration_code_requested"),
        *("sandbox", "live"),
    ),
    "account": (
        *("submitted", "approved", "rejected", "denied", "bsp_removed", "disabled", "banned"),
    ),
    "ban": ("SCHEDULE_FOR_DISABLE", "DISABLE", "REINSTATE"),
    "certification": ("APPROVED", "DISCARDED", "FAILED", "PENDING", "REVOKED"),
    "category": ("MARKETING", "UTILITY", "AUTHENTICATION"),
}
"""What the senders document, by group; what the catalogue has is looked up in it."""


@BOTH
@each(("group", "term"), [(group, term) for group, terms in CONSTANTS.items() for term in terms])
def test_every_documented_constant_has_words(language: str, group: str, term: str) -> None:
    assert say(term, language, group)
    assert say(term, language)


@BOTH
def test_every_detail_of_the_catalogue_has_words(language: str) -> None:
    details = {detail for kind in KINDS.values() for detail in kind.details}
    assert {detail for detail in details if say(detail, language) is None} == set()


def test_both_languages_have_words_for_the_same_constants() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(LANGUAGES)
    english, german = (held(language) for language in LANGUAGES)
    assert tuple(german.constants) == tuple(english.constants)
    for section in (*english.constants, "phrases", TIER):
        assert set(english.sections[section]) == set(german.sections[section])


@each("group", GROUPS[1:])
def test_no_words_are_forgotten_or_left_as_constants(group: str) -> None:
    for language in LANGUAGES:
        for term, said in held(language).sections[group].items():
            assert said.strip() == said != "", term
            assert "_" not in said, term


@each(
    ("term", "english", "german"),
    [
        ("TIER_50", "50 people a day", "50 Menschen am Tag"),
        ("TIER_250", "250 people a day", "250 Menschen am Tag"),
        ("TIER_2K", "2,000 people a day", "2.000 Menschen am Tag"),
        ("tier_100k", "100,000 people a day", "100.000 Menschen am Tag"),
        ("TIER_1M", "1,000,000 people a day", "1.000.000 Menschen am Tag"),
        ("TIER_UNLIMITED", "any number of people a day", "beliebig viele Menschen am Tag"),
        ("TIER_NOT_SET", "not set yet", "noch nicht festgelegt"),
    ],
)
def test_tiers_are_told_in_numbers(term: str, english: str, german: str) -> None:
    assert (say(term, "en"), say(term, "de")) == (english, german)
    assert (say(term, "en", TIER), say(term, "de", TIER)) == (english, german)


def test_bare_numbers_are_limits_only_where_a_limit_is_asked_for() -> None:
    assert say("2000", "en", TIER) == "2,000 people a day"
    assert say("-1", "de", TIER) == "beliebig viele Menschen am Tag"
    assert say("2000", "en") is say("-1", "en") is None
    assert say("TIER_-2", "en", TIER) is None


@each("term", ["TIER_", "TIER_X", "TIER_10G", "TIER_9999999999", "TIER_²", "K"])
def test_what_is_no_tier_is_not_taken_for_one(term: str) -> None:
    assert say(term, "en", TIER) is None


@pytest.mark.parametrize(
    "term", ["Needs Connecting", "needs connecting", "NEEDS_CONNECTING", " needs-connecting "]
)
def test_case_and_blanks_do_not_matter(term: str) -> None:
    assert say(term, "en") == "not connected yet"


def test_the_group_decides_where_a_constant_means_several_things() -> None:
    assert say("PENDING", "en") == "pending"
    assert say("PENDING", "en", "template_status") == "in review"
    assert say("DISABLED", "de", "pause") == "endgültig deaktiviert"
    assert say("GREEN", "en", "ban") is None


@pytest.mark.parametrize("code", ["de", "de-AT", "de_CH", "DE"])
def test_a_country_behind_the_language_does_not_matter(code: str) -> None:
    assert say("MARKETING", code) == "Marketing"
    assert say("SCAM", code) == "Betrug oder Täuschung"


@each(
    ("term", "language", "group"),
    [
        ("SOMETHING_NEW", "en", None),
        ("SCAM", "fr", None),
        ("SCAM", "", None),
        ("SCAM", "en", "no such group"),
        ("", "en", None),
        ("  ", "de", None),
        ("A" * 10_000, "en", None),
    ],
)
def test_what_is_unknown_has_no_words(term: str, language: str, group: str | None) -> None:
    assert say(term, language, group) is None


def test_every_line_of_a_language_is_a_section_a_remark_or_words_for_a_key_of_its_own() -> None:
    for language in LANGUAGES:
        lines = (
            (Path(relay.messages.words.__file__).parent / f"{language}.txt")
            .read_text("utf-8")
            .splitlines()
        )
        said = [line for line in lines if line and not line.startswith(("[", "#"))]
        assert all(" = " in line for line in said)
        assert sum(map(len, held(language).sections.values())) == len(said)


@given(
    st.text(max_size=30) | st.from_regex(r"(?i)\A(TIER_)?-?[0-9²٣]{1,12}[KMkm]?\Z"),
    st.sampled_from(["en", "de", "de-DE", "fr", ""]) | st.text(max_size=5),
    st.none() | st.sampled_from(GROUPS) | st.text(max_size=5),
)
def test_nothing_that_is_asked_raises(term: str, language: str, group: str | None) -> None:
    said = say(term, language, group)
    assert said is None or said
