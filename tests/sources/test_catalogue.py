"""What events mean: topic, severity and direction are read from the meaning."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.events import Source
from relay.events.catalogue import KINDS, describe, detail_of
from tests.each import each

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [place.split(".")[0] for kind in KINDS.values() for place in kind.places]
    + ["old_limit", "current_limit", "ban_info", "correct_category", "new_category", "template"]
)


def meaning(kind: str, detail: str | None = None, **data: Any) -> tuple[str, str, str]:
    said = describe(Source.WABA, kind, detail, data)
    return said.topic.value, said.severity.value, said.direction.value


@each(
    ("kind", "detail", "expected"),
    [
        ("client_created", None, ("onboarding", "info", "neutral")),
        ("channel_live", None, ("onboarding", "info", "better")),
        ("channel_permission_revoked", None, ("onboarding", "warning", "worse")),
        ("channel_subscription_set", None, ("billing", "info", "neutral")),
        ("template_messaging_disabled", None, ("onboarding", "warning", "worse")),
        ("cancellation_request", None, ("cancellation", "warning", "worse")),
        ("cancellation_revoke", None, ("cancellation", "warning", "better")),
        ("account_violation", "SCAM", ("violation", "critical", "worse")),
        ("account_violation", "SOMETHING_NEW", ("violation", "critical", "worse")),
        ("account_restriction", None, ("restriction", "critical", "worse")),
        ("waba_template_status_changed", "approved", ("template", "info", "better")),
        ("message_template_status_update", "REJECTED", ("template", "warning", "worse")),
        ("message_template_status_update", "REINSTATED", ("template", "warning", "better")),
        ("message_template_status_update", "DELETED", ("template", "info", "neutral")),
        ("message_template_status_update", "SOMETHING_NEW", ("template", "info", "neutral")),
        ("phone_number_quality_update", "FLAGGED", ("quality", "warning", "worse")),
        ("phone_number_quality_changed", "flagged", ("quality", "warning", "worse")),
        ("phone_number_quality_changed", "Unflagged", ("quality", "warning", "better")),
        ("phone_number_quality_update", "UPGRADE", ("limit", "info", "better")),
        ("phone_number_quality_update", "DOWNGRADE", ("limit", "warning", "worse")),
        ("phone_number_quality_update", "ONBOARDING", ("limit", "info", "neutral")),
        ("phone_number_quality_update", None, ("quality", "warning", "neutral")),
        ("phone_number_quality_update", "RED", ("quality", "warning", "worse")),
        ("account_update", "VERIFIED_ACCOUNT", ("review", "info", "better")),
        ("account_update", "DISABLED_UPDATE", ("ban", "critical", "worse")),
        ("account_update", "ACCOUNT_VIOLATION", ("violation", "critical", "worse")),
        ("account_update", "ACCOUNT_RESTRICTION", ("restriction", "critical", "worse")),
        ("account_update", "ACCOUNT_DELETED", ("cancellation", "warning", "worse")),
        ("account_update", "PARTNER_ADDED", ("partner", "info", "better")),
        ("account_update", "VOLUME_BASED_PRICING_TIER_UPDATE", ("billing", "info", "neutral")),
        ("account_update", None, ("other", "info", "neutral")),
        ("account_review_update", "REJECTED", ("review", "warning", "worse")),
        ("phone_number_name_update", "APPROVED", ("name", "info", "better")),
        ("security", "PIN_CHANGED", ("security", "critical", "worse")),
        ("security", "PIN_SOMETHING_NEW", ("security", "critical", "worse")),
        ("business_status_update", "COMPROMISED_NOTIFICATION", ("security", "critical", "worse")),
        ("business_capability_update", None, ("limit", "info", "neutral")),
        ("payment", "Captured", ("billing", "info", "better")),
        ("payment", "failed", ("billing", "warning", "worse")),
        ("payment", "pending", ("billing", "info", "neutral")),
        ("payment_configuration_update", "active", ("billing", "info", "better")),
        ("payment_configuration_update", "Needs Testing", ("billing", "warning", "worse")),
        ("payment_configuration_update", "Needs Love", ("billing", "warning", "worse")),
        ("some_news", None, ("other", "info", "neutral")),
    ],
)
def test_kind_and_detail_have_a_meaning(
    kind: str, detail: str | None, expected: tuple[str, str, str]
) -> None:
    assert meaning(kind, detail) == expected


@each(
    ("old", "new", "expected"),
    [
        ("TIER_10K", "TIER_2K", ("limit", "warning", "worse")),
        ("TIER_250", "TIER_1K", ("limit", "info", "better")),
        ("TIER_UNLIMITED", "TIER_100K", ("limit", "warning", "worse")),
        ("TIER_100K", -1, ("limit", "info", "better")),
        (2000, "1000", ("limit", "warning", "worse")),
        ("tier_1k", "Tier_1K", ("limit", "info", "neutral")),
        ("TIER_NOT_SET", "TIER_1K", ("limit", "info", "neutral")),
        ("TIER_1K", "TIER_NOT_SET", ("limit", "info", "neutral")),
        (None, "TIER_1K", ("limit", "info", "neutral")),
        ([], {}, ("limit", "info", "neutral")),
    ],
)
def test_old_and_new_limit_decide_the_direction(
    old: object, new: object, expected: tuple[str, str, str]
) -> None:
    kind = "phone_number_quality_update"
    assert meaning(kind, "ONBOARDING", old_limit=old, current_limit=new) == expected
    third = meaning(kind, "ONBOARDING", old_limit=old, max_daily_conversations_per_business=new)
    assert third == expected


def test_a_raise_that_lowers_is_a_lowering() -> None:
    kind = "phone_number_quality_update"
    data = {"old_limit": "TIER_10K", "current_limit": "TIER_2K"}
    assert meaning(kind, "UPGRADE", **data) == ("limit", "warning", "worse")
    assert describe(Source.WABA, kind, "UPGRADE", data).title == "Messaging limit lowered"


def test_a_flag_stays_about_quality_whatever_the_limits_say() -> None:
    data = {"old_limit": "TIER_1K", "current_limit": "TIER_10K"}
    assert meaning("phone_number_quality_update", "FLAGGED", **data)[::2] == ("quality", "worse")


@pytest.mark.parametrize(
    ("rating", "direction"), [("RED", "worse"), ("yellow", "worse"), ("GREEN", "better")]
)
def test_an_unknown_quality_event_is_judged_by_the_rating(rating: str, direction: str) -> None:
    told = meaning("phone_number_quality_changed", "NEW_WORD", current_quality_rating=rating)
    assert told == ("quality", "warning", direction)


@pytest.mark.parametrize(
    ("state", "direction", "title"),
    [
        ("SCHEDULE_FOR_DISABLE", "worse", "Account will be disabled"),
        (["DISABLE"], "worse", "Account disabled"),
        ("reinstate", "better", "Account reinstated"),
        (None, "worse", "Ban of the account changed"),
    ],
)
def test_the_ban_state_tells_the_direction(state: object, direction: str, title: str) -> None:
    data = {"ban_info": {"waba_ban_state": state}}
    said = describe(Source.WABA, "account_update", "DISABLED_UPDATE", data)
    assert (said.topic, said.severity, said.direction) == ("ban", "critical", direction)
    assert said.title == title


@each(
    ("old", "new", "expected"),
    [
        ("GREEN", "YELLOW", ("warning", "worse")),
        ("RED", "YELLOW", ("warning", "better")),
        ("YELLOW", "GREEN", ("warning", "better")),
        ("UNKNOWN", "GREEN", ("info", "better")),
        (None, "RED", ("warning", "worse")),
        ("GREEN", "UNKNOWN", ("info", "neutral")),
    ],
)
def test_template_quality_is_compared(old: str | None, new: str, expected: tuple[str, str]) -> None:
    told = meaning("message_template_quality_update", new, previous_quality_score=old)
    assert told == ("template", *expected)


@pytest.mark.parametrize("kind", ["template_category_update", "waba_template_category_changed"])
@pytest.mark.parametrize("nested", [False, True])
def test_a_dearer_category_is_worse_done_or_coming(kind: str, nested: bool) -> None:
    def told(**data: str) -> tuple[str, str, str]:
        return meaning(kind, None, **({"template": data} if nested else data))

    worse, better = ("template", "warning", "worse"), ("template", "info", "better")
    assert told(previous_category="UTILITY", new_category="MARKETING") == worse
    assert told(new_category="UTILITY", correct_category="MARKETING") == worse
    assert told(previous_category="MARKETING", new_category="utility") == better
    assert told(new_category="MARKETING", correct_category="UTILITY") == better
    assert told(new_category="UTILITY") == ("template", "info", "neutral")


def test_a_coming_category_has_another_title_than_a_done_one() -> None:
    kind = "template_category_update"
    done = describe(Source.WABA, kind, None, {"new_category": "MARKETING"})
    coming = describe(
        Source.WABA, kind, None, {"new_category": "UTILITY", "correct_category": "MARKETING"}
    )
    assert done.title != coming.title


@each("flat", [False, True])
@each(
    ("alert", "expected"),
    [
        (("INCREASED_CAPABILITIES_X", "CRITICAL"), ("limit", "critical", "worse")),
        (("INCREASED_CAPABILITIES_X", "INFORMATIONAL"), ("limit", "info", "neutral")),
        (("OBA_APPROVED", "INFORMATIONAL"), ("name", "info", "better")),
        (("DISPLAY_NAME_ODD", "WARNING"), ("name", "warning", "worse")),
        (("PROFILE_PICTURE_LOST", "WARNING"), ("other", "warning", "worse")),
        (("NEW_WORD", None), ("other", "info", "neutral")),
    ],
)
def test_alerts_have_metas_severity_nested_or_flat(
    flat: bool, alert: tuple[str, str | None], expected: tuple[str, str, str]
) -> None:
    info = {"alert_type": alert[0], "alert_severity": alert[1]}
    data: dict[str, Any] = info if flat else {"alert_info": info}
    assert detail_of("account_alerts", data) == alert[0]
    assert meaning("account_alerts", alert[0], **data) == expected


@each(
    ("kind", "data", "detail"),
    [
        ("account_violation", {"violation_type": "SCAM"}, "SCAM"),
        ("account_violation", {"violation_info": {"violation_type": "SCAM"}}, "SCAM"),
        ("account_violation", {"violation_type": {}, "violation_info": "x"}, None),
        ("account_restriction", {"restriction_info": [{"restriction_type": "R"}]}, "R"),
        ("account_restriction", {"restriction_info": {"restriction_type": "R"}}, "R"),
        ("account_restriction", {"restriction_info": []}, None),
        ("waba_template_status_changed", {"template": {"new_status": "PAUSED"}}, "PAUSED"),
        ("waba_template_status_changed", {"template": None, "new_status": "PAUSED"}, "PAUSED"),
        ("waba_template_status_changed", {"event": "PAUSED"}, "PAUSED"),
        ("phone_number_quality_changed", {"current_quality_update_event": "flagged"}, "flagged"),
        (
            "phone_number_quality_changed",
            {"current_quality_update_event": {"event": "FLAGGED"}},
            "FLAGGED",
        ),
        ("account_update", {"event": 7}, "7"),
        ("account_update", {"event": True}, "true"),
        ("account_update", {"event": "  "}, None),
        ("account_update", {}, None),
        ("account_review_update", {"decision": "APPROVED"}, "APPROVED"),
        ("message_template_quality_update", {"new_quality_score": "RED"}, "RED"),
        ("payment", {"status": "captured"}, "captured"),
        ("channel_live", {"status": "ready", "event": "x"}, None),
        ("template_category_update", {"new_category": "UTILITY"}, None),
        ("some_news", {"event": "odd"}, "odd"),
        ("some_news", {"event": {"event": "odd"}}, None),
    ],
)
def test_the_detail_is_found_where_senders_put_it(
    kind: str, data: dict[str, Any], detail: str | None
) -> None:
    assert detail_of(kind, data) == detail


def test_the_title_of_an_unknown_kind_is_short_and_harmless() -> None:
    told = describe(Source.PARTNER, "some_news", None, {})
    assert told.title == "New kind of event: some_news"
    hostile = describe(Source.PARTNER, "<!channel>\n{{ x }}" * 1000, None, {}).title
    assert len(hostile) < 100
    assert not set("<>{}!\n") & set(hostile)
    assert describe(Source.PARTNER, "\u2603", None, {}).title.endswith("without a name")


def test_every_known_detail_tells_more_than_its_kind() -> None:
    for kind in KINDS.values():
        assert kind.name == kind.name.lower()
        assert kind.description
        assert kind.topics
        for detail in kind.details:
            assert describe(kind.source, kind.name.upper(), detail.lower(), {}).title


@given(
    st.sampled_from(list(KINDS)) | st.text(),
    st.none() | st.text() | st.sampled_from(["UPGRADE", "DISABLED_UPDATE", "GREEN"]),
    st.dictionaries(FIELDS | st.text(), JSON, max_size=5),
)
def test_no_data_makes_the_catalogue_fail(
    kind: str, detail: str | None, data: dict[str, Any]
) -> None:
    assert describe(Source.WABA, kind, detail, data).title
    found = detail_of(kind, data)
    assert found is None or found.strip()
