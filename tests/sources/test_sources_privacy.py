"""Chats, contacts and calls are never kept, under whatever field they come."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relay.sources import Reading
from relay.sources.reading import read
from tests.each import each

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SECRET = "hush-4711"
KINDS = [
    "messages",
    "message_echoes",
    "smb_message_echoes",
    "smb_app_state_sync",
    "history",
    "calls",
]
HOLDERS = ["messages", "message_echoes", "contacts", "statuses", "history", "state_sync", "calls"]
NOTHING = [None, [], {}, "", " \n", [None], [{}], [[], ""], {"data": [], "paging": {"next": None}}]
HELD = [[{"text": SECRET}], {"text": SECRET}, SECRET]
PAYMENT = {
    "id": f"wamid.{SECRET}",
    "recipient_id": SECRET,
    "type": "payment",
    "status": "captured",
    "timestamp": "1772445600",
    "biz_opaque_callback_data": SECRET,
    "payment": {
        "reference_id": "tea-1",
        "amount": {"value": 45000, "offset": 100, "note": SECRET},
        "currency": "INR",
        "payer": {"name": SECRET},
        "transaction": {"id": "order-1", "status": "success", "method": {"upi": SECRET}},
    },
    "errors": [{"code": 7, "title": "Declined", "details": SECRET}],
}


def reading(body: Any, keep: frozenset[str] = frozenset()) -> Reading:
    return read(json.dumps(body).encode(), received_at=NOW, keep=keep)


def bodies(value: Any, kind: str) -> list[dict[str, Any]]:
    return [
        {"id": "1", "event": kind, "data": value},
        {"entry": [{"id": "1", "changes": [{"field": kind, "value": value}]}]},
    ]


def kept(found: Reading) -> str:
    """Everything of a reading that is stored or logged."""
    return repr(found) + json.dumps([arrival.event.to_json() for arrival in found.arrivals])


@each("kind", [*KINDS, "Messages", "messageEchoes"])
def test_private_kinds_are_ignored_in_both_envelopes(kind: str) -> None:
    for body in bodies({"anything": SECRET}, kind):
        found = reading(body)
        assert not found.arrivals
        assert not found.unreadable
        assert len(found.ignored) == 1
        assert SECRET not in kept(found)


@each("holder", [*HOLDERS, "MESSAGES", "stateSync"])
@each("held", HELD)
def test_what_holds_private_content_is_ignored_under_any_kind(holder: str, held: Any) -> None:
    for body in bodies({holder: held, "event": "X"}, "account_update"):
        found = reading(body)
        assert not found.arrivals
        assert len(found.ignored) == 1
        assert "account_update" in found.ignored[0].reason
        assert SECRET not in kept(found)


@each("holder", [*HOLDERS, "smb_message_echoes", "smbAppStateSync", "Contacts"])
@each("held", NOTHING)
def test_what_holds_nothing_is_not_private(holder: str, held: Any) -> None:
    value = {"event": "DISABLED_UPDATE", holder: held}
    for kind in ("account_update", "of_no_known_kind"):
        for body in bodies(value, kind):
            (arrival,) = reading(body).arrivals
            assert arrival.event.detail == "DISABLED_UPDATE"
    shapeless = json.dumps({"notice": 1, holder: held}).encode()
    (item,) = read(shapeless, received_at=NOW).unreadable
    assert item.body == shapeless


@each(
    ("kind", "detail", "known", "severity"),
    [
        ("account_update", "DISABLED_UPDATE", "DISABLED_UPDATE", "critical"),
        ("Account_Update", "partner_removed", "partner_removed", "warning"),
        ("account_update", SECRET, None, "critical"),
        ("account_update", None, None, "critical"),
        ("phone_number_quality_update", [SECRET], None, "warning"),
        ("cancellation_request", None, None, "warning"),
    ],
)
def test_what_people_should_know_of_the_ignored_says_its_kind_and_no_content(
    kind: str, detail: Any, known: str | None, severity: str
) -> None:
    value = {"event": detail, "messages": [{"text": SECRET}], "phone_number": "491713920011"}
    for body in bodies(value, kind):
        (item,) = reading(body).ignored
        assert item.cause == "private content"
        assert item.event is not None
        assert (item.event.kind, item.event.detail) == (kind, known)
        assert item.event.severity == severity
        assert (item.event.phones, item.event.data) == ((), {})
        assert SECRET not in kept(reading(body))
        assert reading(body).ignored[0].event == item.event


@pytest.mark.parametrize("kind", ["messages", "of_no_known_kind", "channel_live"])
def test_nobody_need_know_of_ignored_chats_and_news(kind: str) -> None:
    for body in bodies({"messages": SECRET}, kind):
        (item,) = reading(body).ignored
        assert item.event is None


MESSAGES = [
    {"from": "491701234567", "id": "wamid.A", "type": "text", "text": {"body": SECRET}},
    {"from": "491701234567", "type": "image", "image": {"caption": SECRET}},
    {"from": SECRET, "text": "x"},
    {"From": SECRET, "id": "wamid.A"},
    {"recipient": SECRET, "status": "read", "message_id": " WAMID.B"},
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_private_as_a_whole_whatever_it_stands_under(message: Any) -> None:
    for body in [message, [message], *bodies(message, "of_no_known_kind")]:
        found = reading(body)
        assert not found.arrivals
        assert found.ignored or found.unreadable
        assert SECRET not in kept(found)
    for under in ("preview", "object", "data"):
        for held in (message, [message], {"deep": [message]}):
            for body in bodies({"event": "X", under: held}, "account_update"):
                (arrival,) = reading(body).arrivals
                assert arrival.event.detail == "X"
                assert SECRET not in kept(reading(body))


@pytest.mark.parametrize("under", ["message", "last_message", "message_edits", "messagePins"])
def test_what_chats_are_called_makes_private(under: str) -> None:
    for body in bodies({"anything": SECRET}, under):
        assert len(reading(body).ignored) == 1
    for body in bodies({under: {"x": SECRET}}, "of_no_known_kind"):
        assert len(reading(body).ignored) == 1
        assert SECRET not in kept(reading(body))


@pytest.mark.parametrize("under", ["message", "last_message"])
def test_a_chat_beside_the_data_of_a_known_kind_goes_alone(under: str) -> None:
    for held in (SECRET, {"x": SECRET}, [SECRET]):
        for body in bodies({"status": "X", under: held}, "channel_live"):
            assert reading(body).arrivals[0].event.data == {"status": "X"}
        for body in bodies({"event": "X", "last_message": held}, "channel_live"):
            assert reading(body).arrivals[0].event.data == {"event": "X"}


def test_the_words_of_an_error_or_an_event_are_kept_and_those_of_a_chat_are_not() -> None:
    errors = [{"code": 1, "message": "Too many"}]
    for more, words in (({"event": "X"}, {"message": "Flow x is slow"}), ({"status": "X"}, {})):
        value = {**more, "message": "Flow x is slow", "errors": errors}
        for body in bodies(value, "account_alerts"):
            (arrival,) = reading(body).arrivals
            assert arrival.event.data == {**more, **words, "errors": errors}


@pytest.mark.parametrize(
    "key",
    [
        *("owner", "user", "invited_by", "createdBy", "email", "first_name", "user_id", "customer"),
        *("sender", "participants", "profile", "push_name", "consumer_profile", "invite_link"),
        *("group", "tracking_events", "automatic_events"),
    ],
)
def test_persons_are_reduced_wherever_they_stand(key: str) -> None:
    for held in (SECRET, {"name": SECRET, "mail": SECRET}, [{"full": SECRET}, SECRET]):
        for body in bodies({"client": {"id": "1CL", key: held}, key: held}, "client_created"):
            found = reading(body)
            assert found.arrivals[0].event.client.id == "1CL"
            assert SECRET not in kept(found)


def test_what_people_call_a_group_is_not_kept() -> None:
    group = {"group_id": "g1", "subject": SECRET, "description": SECRET, "name": SECRET}
    for body in bodies({"event": "X", "a": [group]}, "account_alerts"):
        assert reading(body).arrivals[0].event.data == {"event": "X", "a": [{"group_id": "g1"}]}


def test_of_a_person_country_and_language_are_kept() -> None:
    person = {"country": "DE", "language": "de", "name": SECRET}
    for body in bodies({"owner": person}, "client_created"):
        kept_of_it = {"country": "DE", "language": "de"}
        assert reading(body).arrivals[0].event.data == {"owner": kept_of_it}


@pytest.mark.parametrize("text", [json.dumps(message) for message in MESSAGES])
def test_a_message_written_as_a_text_is_not_kept(text: str) -> None:
    for body in bodies(
        {"event": "X", "raw": f" {text}", "list": [text], "n": "{}"}, "account_alerts"
    ):
        (arrival,) = reading(body).arrivals
        assert arrival.event.data == {"event": "X", "list": [], "n": "{}"}


@each("holder", HOLDERS)
@each("held", HELD)
def test_deeper_private_content_is_removed_and_the_event_kept(holder: str, held: Any) -> None:
    for body in bodies({"event": "X", "a": [{"b": {holder: held, "c": 1}}]}, "account_update"):
        (arrival,) = reading(body).arrivals
        assert arrival.event.data == {"event": "X", "a": [{"b": {"c": 1}}]}
        assert SECRET not in kept(reading(body))


def test_a_count_of_messages_is_not_private() -> None:
    for body in bodies({"messages": 5, "calls": None}, "account_update"):
        assert reading(body).arrivals[0].event.data == {"messages": 5, "calls": None}


def test_private_content_beside_the_data_is_not_kept() -> None:
    body = {"event": "x", "data": {"a": 1}, "messages": [SECRET], "contact_info": {"x": SECRET}}
    found = reading(body)
    assert len(found.arrivals) == 1
    assert SECRET not in kept(found)
    assert reading({"event": "x", "messages": [SECRET]}).ignored


def test_of_contact_info_only_country_and_language_are_kept() -> None:
    info = {"country": "DE", "language": "de", "email": SECRET, "phone": SECRET}
    data = {
        "client": {"id": "1CL", "contact_info": info, "contact_user": {"mail": SECRET}},
        "contact_info": [info, SECRET],
        "contactInfo": SECRET,
        "contact_person": SECRET,
    }
    for body in bodies(data, "client_created"):
        found = reading(body)
        clean = {"country": "DE", "language": "de"}
        assert found.arrivals[0].event.data == {
            "client": {"id": "1CL", "contact_info": clean},
            "contact_info": [clean],
        }
        assert found.arrivals[0].event.country == "DE"
        assert SECRET not in kept(found)


def test_hostile_country_and_language_are_not_kept() -> None:
    info = {"country": {"x": SECRET}, "language": [SECRET]}
    assert SECRET not in kept(reading({"event": "x", "data": {"contact_info": info}}))


def test_contact_info_is_kept_whole_where_the_operator_says_so() -> None:
    data = {"client": {"contact_info": {"email": "a@x.example"}, "contact_user": SECRET}}
    found = reading({"event": "x", "data": data}, frozenset({"contact_info"}))
    assert found.arrivals[0].event.data == {"client": {"contact_info": {"email": "a@x.example"}}}


def test_message_ids_and_their_people_are_removed_everywhere() -> None:
    value = {"status": "captured", "id": f"wamid.{SECRET}", "recipient_id": SECRET, "wa_id": SECRET}
    for body in bodies(value | {"list": [f" WAMID.{SECRET}"]}, "payment"):
        found = reading(body)
        assert found.arrivals[0].event.data == {"status": "captured", "list": []}
        assert SECRET not in kept(found)


@pytest.mark.parametrize("field", ["messages", "payment", "statuses"])
def test_payments_are_rebuilt_from_harmless_fields(field: str) -> None:
    value = {
        "metadata": {"display_phone_number": "910000000011", "phone_number_id": "5", "x": SECRET},
        "contacts": [{"wa_id": SECRET}],
        "statuses": [PAYMENT, PAYMENT | {"status": "failed"}],
    }
    found = reading({"entry": [{"id": "1", "changes": [{"field": field, "value": value}]}]})
    first, second = (arrival.event for arrival in found.arrivals)
    assert (first.kind, first.detail, second.detail) == ("payment", "captured", "failed")
    assert first.phone == "+910000000011"
    assert first.occurred_at is not None
    assert first.data == {
        "status": "captured",
        "type": "payment",
        "timestamp": "1772445600",
        "metadata": {"display_phone_number": "910000000011", "phone_number_id": "5"},
        "payment": {
            "reference_id": "tea-1",
            "amount": {"value": 45000, "offset": 100},
            "currency": "INR",
            "transaction": {"id": "order-1", "status": "success"},
        },
        "errors": [{"code": 7, "title": "Declined"}],
    }
    assert not found.ignored
    assert SECRET not in kept(found)


@pytest.mark.parametrize(
    "others",
    [
        {"messages": [{"text": SECRET}] * 3},
        {"statuses": [PAYMENT, {"status": "read", "recipient_id": SECRET}, "x", None]},
    ],
)
def test_what_stands_beside_payments_is_one_ignored_item(others: dict[str, Any]) -> None:
    value = {"statuses": [PAYMENT]} | others
    found = reading({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    assert len(found.arrivals) == 1
    assert len(found.ignored) == 1
    assert SECRET not in kept(found)


@pytest.mark.parametrize("mistyped", [None, 7, "x", [], {"transaction": 5, "amount": [SECRET]}])
def test_a_mistyped_payment_is_still_an_event(mistyped: Any) -> None:
    status = PAYMENT | {"payment": mistyped, "errors": "x"}
    value = {"statuses": [status], "metadata": "x"}
    found = reading({"entry": [{"changes": [{"field": "messages", "value": value}]}]})
    assert found.arrivals[0].event.detail == "captured"
    assert SECRET not in kept(found)


def test_an_ignored_reason_names_the_field_and_nothing_else() -> None:
    (item,) = reading(bodies({"messages": SECRET}, "od<d>\n" + "x" * 500)[0]).ignored
    reason = item.reason
    assert "\n" not in reason
    assert "<" not in reason
    assert len(reason) < 120


@each(
    "body",
    [
        b'{"messages":[{"text":"hush-4711"}],"contacts":[]}',
        b'{"deep":[{"statuses":{"x":"hush-4711"}}]}',
        b'{"contact_info":"hush-4711"}',
        b'{"a":"wamid.hush-4711"}',
        b'{"event":"x","data":{"messages":["hush-4711"',
        b"messages=hush-4711&x=1",
        '{"messages":"hush-4711",'.encode("utf-16"),
        b'{"object":"instagram","entry":[{"messaging":[{"text":"hush-4711"}]}]}',
        b'[7,{"messages":"hush-4711"}]',
        b'{"entry":[{"messaging":["hush-4711"]},{"changes":[{"value":{"calls":"hush-4711"}}]}]}',
    ],
)
def test_an_unreadable_body_that_looks_private_keeps_only_size_and_hash(body: bytes) -> None:
    found = read(body, received_at=NOW)
    assert found.unreadable
    assert not found.arrivals
    assert SECRET not in kept(found)
    assert any(item.body is None and item.size and item.sha256 for item in found.unreadable)


def test_a_broken_body_about_templates_does_not_look_private() -> None:
    body = b'{"entry":[{"changes":[{"field":"message_template_status_update","value":{'
    assert read(body, received_at=NOW).unreadable[0].body == body


@given(
    st.sampled_from([*HOLDERS, "contact_user", "wa_id", "recipient_id"]),
    st.recursive(
        st.just(SECRET),
        lambda inner: (
            st.lists(inner, min_size=1, max_size=3)
            | st.dictionaries(st.text(max_size=3), inner, min_size=1, max_size=3)
        ),
        max_leaves=5,
    ),
    st.lists(st.sampled_from(["a", "b", "data", "value", "client", ""]), max_size=5),
)
def test_private_values_never_come_through(holder: str, held: Any, path: list[str]) -> None:
    value: Any = {holder: held}
    for name in path:
        value = {name: [value] if name == "a" else value}
    for body in [*bodies(value, "account_update"), value, [value], {"entry": [value]}]:
        assert SECRET not in kept(reading(body))


NEWS = {
    "groups": [
        {"subject": SECRET, "group_id": SECRET, "invite_link": SECRET, "type": "group_create"}
    ],
    "automatic_events": [{"event_name": SECRET, "ctwa_clid": SECRET, "custom_data": {"a": 7}}],
    "tracking_events": [{"recipient_user_id": SECRET, "from_user_id": SECRET, "ad_id": SECRET}],
    "consumer_profile": {"name": SECRET, "username": SECRET},
    SECRET: "X",
    "birth_date": "1990-01-01",
    "phone": "491713920099",
    "value": 491713920099,
    "count": 491713920099,
    "reason": SECRET,
}
HARMLESS = {
    "id": "nw001CH",
    "client_id": "nw001CL",
    "client": {"id": "nw001CL", "name": "Laden", "contact_info": {"country": "DE"}},
    "waba_account": {"external_id": "100000000000901"},
    "metadata": {"display_phone_number": "491713920051", "phone_number_id": "100000000000951"},
    "event": "SOME_NEWS",
    "status": "ACTIVE",
    "flow_id": "100000000000661",
    "threshold": 90,
    "is_live": True,
    "timestamp": "1795000000",
    "created_at": "2026-11-02T09:14:07Z",
}


def test_of_an_unknown_kind_only_what_is_known_to_be_harmless_is_kept() -> None:
    for body in bodies({**HARMLESS, **NEWS}, "some_news"):
        found = reading(body)
        (arrival,) = found.arrivals
        assert arrival.event.data.items() >= HARMLESS.items()
        assert arrival.event.phones == ("+491713920051",)
        assert arrival.event.client.id == "nw001CL"
        assert arrival.event.detail == "SOME_NEWS"
        for private in (SECRET, "491713920099", "1990", "group_create"):
            assert private not in kept(found)


def test_of_an_unknown_kind_the_names_of_the_fields_are_kept() -> None:
    for body in bodies({"subject": SECRET, "deep": {"er": [SECRET]}, "Odd": 1}, "some_news"):
        assert reading(body).arrivals[0].event.data == {"subject": None, "deep": {"er": []}}


@each("name", ["otp_code", "verification_code", "pin_code", "zip_code", "is_pregnant", "has_pets"])
def test_what_an_unknown_kind_says_of_a_person_in_numbers_is_not_kept(name: str) -> None:
    for value in (482913, True):
        for body in bodies({name: value}, "some_news"):
            assert reading(body).arrivals[0].event.data == {name: None}


def test_a_date_of_birth_is_not_kept_wherever_its_name_stands() -> None:
    for body in bodies({"birth": {"date": "2004-05-06"}, "code": 7}, "some_news"):
        assert reading(body).arrivals[0].event.data == {"birth": {"date": None}, "code": 7}


TEXTS = st.text(st.characters(codec="utf-8"), min_size=3, max_size=12).map(lambda t: f"~{t}~")
LEAVES = TEXTS | st.integers(10**9, 10**14) | st.booleans() | st.none()
FIELDS = st.sampled_from(sorted({*NEWS, *HARMLESS, "name", "note", "at", "limit"})) | TEXTS
JSONS = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(FIELDS, inner), max_leaves=30
)


@given(st.dictionaries(FIELDS, JSONS))
@example({"waba_account": {"id": 10**9}})
def test_no_free_text_and_no_long_number_of_an_unknown_kind_is_kept(data: dict[str, Any]) -> None:
    def check(value: Any, path: str) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                check(item, f"{path}.{name}")
        elif isinstance(value, list):
            for item in value:
                check(item, path)
        elif value is not None and not isinstance(value, bool):
            assert path in IDENTITIES or path.endswith(("at", "timestamp")), (path, value)

    for body in bodies(data, "some_news"):
        for arrival in reading(body).arrivals:
            check(arrival.event.data, "")


IDENTITIES = {
    *(".client.name", ".client_id", ".client.id", ".flow_id", ".id"),
    *(".waba_account.external_id", ".waba_account.id"),
    *(".metadata.display_phone_number", ".metadata.phone_number_id"),
}
