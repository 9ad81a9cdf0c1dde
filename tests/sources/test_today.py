"""What Meta and 360dialog send today is read for what it means (their references of 2026)."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from relay.directory import Facts, complete, learn
from relay.events import Event
from relay.sources.reading import read
from tests.each import each

NOW = datetime(2026, 11, 28, 9, tzinfo=UTC)
WABA = "100000000000901"
PHONE = "491713920051"


def events(field: str, value: Any, **more: Any) -> list[Event]:
    entry = {"id": WABA, "time": 1_795_000_000, "changes": [{"field": field, "value": value}]}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{**entry, **more}]})
    return [one.event for one in read(body.encode(), received_at=NOW).arrivals]


def event(field: str, value: Any, **more: Any) -> Event:
    (found,) = events(field, value, **more)
    return found


TEMPLATE = {"message_template_id": 1, "message_template_name": "order"}
RESTRICTED = {"phone_number": PHONE, "event": "ACCOUNT_RESTRICTION"}
VIOLATED = {"phone_number": PHONE, "event": "ACCOUNT_VIOLATION"}


@each(
    ("field", "value", "meaning"),
    [
        (
            "template_category_update",
            {**TEMPLATE, "correct_category": "AUTHENTICATION", "new_category": "UTILITY"},
            ("template", "warning", "worse", "Template will be rejected"),
        ),
        (
            "message_template_status_update",
            {**TEMPLATE, "event": "ARCHIVED"},
            ("template", "warning", "worse", "Template archived"),
        ),
        (
            "message_template_status_update",
            {**TEMPLATE, "event": "APPROVED", "other_info": {"title": "UNPAUSE"}},
            ("template", "warning", "better", "Template no longer paused"),
        ),
        (
            "account_update",
            {"event": "PARTNER_CLIENT_CERTIFICATION_NEEDED"},
            ("partner", "warning", "worse", "Client must be verified by you"),
        ),
        (
            "account_update",
            {**VIOLATED, "violation_info": {"violation_type": "LOW_CALLING_QUALITY"}},
            ("violation", "warning", "worse", "Quality of the calls is low"),
        ),
        (
            "account_update",
            {**VIOLATED, "violation_info": {"violation_type": "SCAM"}},
            ("violation", "critical", "worse", "Policy violated"),
        ),
        (
            "account_update",
            {
                **RESTRICTED,
                "restriction_info": [
                    {"restriction_type": "RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN"}
                ],
            },
            ("restriction", "warning", "worse", "Call button is hidden"),
        ),
        (
            "account_update",
            {
                **RESTRICTED,
                "restriction_info": [
                    {"restriction_type": "RESTRICTED_USER_INITIATED_CALLING_CALL_BUTTON_HIDDEN"},
                    {"restriction_type": "RESTRICTED_BIZ_INITIATED_MESSAGING"},
                ],
            },
            ("restriction", "critical", "worse", "Account restricted"),
        ),
        (
            "account_alerts",
            {"alert_info": {"alert_type": "PROFILE_PICTURE_LOST", "alert_severity": "WARNING"}},
            ("other", "warning", "worse", "Profile photo was deleted"),
        ),
        (
            "business_username_update",
            {"display_phone_number": PHONE, "status": "deleted"},
            ("name", "warning", "worse", "Username deleted"),
        ),
        (
            "template_correct_category_detection",
            {**TEMPLATE, "category": "UTILITY", "correct_category": "MARKETING"},
            ("template", "warning", "worse", "Template is in the wrong category"),
        ),
        (
            "flows",
            {"event": "FLOW_STATUS_CHANGE", "old_status": "PUBLISHED", "new_status": "BLOCKED"},
            ("template", "warning", "worse", "Flow is blocked"),
        ),
        (
            "flows",
            {"event": "FLOW_STATUS_CHANGE", "old_status": "THROTTLED", "new_status": "PUBLISHED"},
            ("template", "warning", "better", "Flow is published"),
        ),
        (
            "flows",
            {"event": "ENDPOINT_LATENCY", "alert_state": "DEACTIVATED"},
            ("template", "warning", "better", "Over: The endpoint of a flow is slow"),
        ),
        (
            "account_settings_update",
            {"phone_number_settings": {"calling": {"status": "DISABLED"}}},
            ("other", "info", "neutral", "Calls are switched off"),
        ),
        (
            "partner_solutions",
            {"event": "SOLUTION_UPDATED", "solution_status": "DEACTIVATED"},
            ("partner", "warning", "worse", "Partner solution deactivated"),
        ),
        (
            "group_status_update",
            {"groups": [{"type": "group_suspend", "group_id": "x"}]},
            ("restriction", "warning", "worse", "Group suspended"),
        ),
    ],
)
def test_what_it_means(field: str, value: Any, meaning: tuple[str, str, str, str]) -> None:
    found = event(field, value)
    assert (found.topic, found.severity, found.direction, found.title) == meaning


@each(
    ("field", "value", "waba"),
    [
        ("account_update", {"event": "PARTNER_CLIENT_CERTIFICATION_NEEDED"}, WABA),
        ("account_update", {"event": "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE"}, WABA),
        ("account_update", {"event": "PARTNER_APP_INSTALLED"}, None),
        ("account_update", {"event": "PARTNER_REMOVED"}, None),
        ("partner_solutions", {"solution_status": "ACTIVE"}, None),
    ],
)
def test_whose_id_the_entry_has(field: str, value: Any, waba: str | None) -> None:
    assert event(field, value).waba == waba


def test_settings_have_the_time_that_stands_in_them() -> None:
    value = {"timestamp": "1795000000", "type": "PHONE_NUMBER_SETTINGS"}
    found = event("account_settings_update", value, time=None)
    assert found.occurred_at == datetime.fromtimestamp(1_795_000_000, UTC)


def test_errors_of_the_platform_without_a_chat_are_events_by_code_and_title() -> None:
    error = {"code": 131035, "title": "Undeliverable", "message": "hush", "error_data": {"a": "h"}}
    metadata = {"display_phone_number": PHONE, "phone_number_id": "100000000000951"}
    alone = {"messaging_product": "whatsapp", "metadata": metadata, "errors": [error]}
    found = event("messages", {**alone, "contacts": []})
    assert (found.kind, found.detail, found.phone) == ("message_errors", "131035", f"+{PHONE}")
    assert found.data["errors"] == [{"code": 131035, "title": "Undeliverable"}]
    assert "hush" not in json.dumps(found.to_json())
    for chat in ({"messages": [{"id": "x"}]}, {"statuses": [{"id": "x", "errors": [error]}]}):
        assert events("messages", {**alone, **chat}) == []


PERSONS = (
    *("user_id", "parent_user_id", "from_user_id", "recipient_user_id", "username", "bsuid"),
    *("parent_bsuid", "to_wa_id", "oldUserId", "New-Username"),
)


@each("field", ["account_update", "flows", "account_alerts", "group_status_update", "some_news"])
@each("key", PERSONS)
def test_ids_and_names_of_persons_are_kept_nowhere(field: str, key: str) -> None:
    value = {"event": "X", key: "hush", "deep": [{key: "hush"}], "groups": [{key: "hush"}]}
    for found in events(field, value):
        assert "hush" not in json.dumps(found.to_json())


def test_a_business_keeps_its_own_username_and_no_other() -> None:
    value = {"username": "laden", "status": "approved", "by": {"username": "hush"}}
    found = event("business_username_updates", value)
    assert found.data["username"] == "laden"
    assert "hush" not in json.dumps(found.to_json())


def test_of_a_group_neither_subject_nor_link_is_kept() -> None:
    group = {"type": "group_suspend", "group_id": "Z3I6MQ==", "subject": "hush", "x": {"y": "hush"}}
    found = event("group_status_update", {"groups": [group], "note": "hush"})
    assert found.data == {"groups": [{"type": "group_suspend", "group_id": "Z3I6MQ=="}]}


@each(
    "field",
    [
        "group_lifecycle_update",
        "group_settings_update",
        "group_participants_update",
        "consumer_profile",
        "tracking_events",
        "automatic_events",
        "user_preferences",
        "standby",
    ],
)
def test_what_only_persons_do_is_no_event(field: str) -> None:
    assert events(field, {"metadata": {"display_phone_number": PHONE}, "x": "hush"}) == []


NUMBER_ID = "100000000000951"


@each(
    ("field", "value"),
    [
        ("account_settings_update", {"phone_number_settings": {"phone_number_id": NUMBER_ID}}),
        ("account_alerts", {"entity_type": "PHONE_NUMBER", "entity_id": NUMBER_ID}),
        ("some_news", {"phone_number_id": NUMBER_ID}),
    ],
)
def test_an_event_with_the_id_of_a_number_alone_gets_the_number(field: str, value: Any) -> None:
    payment = {"type": "payment", "status": "captured", "payment": {"reference_id": "a"}}
    metadata = {"display_phone_number": PHONE, "phone_number_id": NUMBER_ID}
    taught = event("messages", {"metadata": metadata, "statuses": [payment]})
    known = Facts(learn(taught))
    lacking = event(field, value)
    assert lacking.phones == ()
    assert complete(lacking, known).event.phones == (f"+{PHONE}",)


def test_an_event_with_the_id_of_another_number_does_not_get_it() -> None:
    metadata = {"display_phone_number": PHONE, "phone_number_id": NUMBER_ID}
    error = {"code": 131035, "title": "Undeliverable"}
    taught = event("messages", {"metadata": metadata, "errors": [error]}, id="1")
    other = event("account_settings_update", {"phone_number_settings": {"phone_number_id": "7"}})
    assert complete(other, Facts(learn(taught))).event.phones == ()
