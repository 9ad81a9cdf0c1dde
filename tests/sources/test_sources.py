"""Bytes to events: both families, whatever shape they come in."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.errors import RelayError
from relay.events import Event, Source, event_id
from relay.events.catalogue import KINDS
from relay.sources import Reading
from relay.sources.reading import read
from tests.each import each

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
TIME = 1772445600

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


def reading(body: Any, keep: frozenset[str] = frozenset()) -> Reading:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(raw, received_at=NOW, keep=keep)


def event(body: Any) -> Event:
    found = reading(body)
    assert len(found.arrivals) == 1, found
    assert not found.ignored
    assert not found.unreadable
    return found.arrivals[0].event


def partner(data: Any, kind: str = "channel_live", sent_id: Any = "evt-1") -> dict[str, Any]:
    return {"id": sent_id, "event": kind, "data": data}


def waba(value: Any, field: Any = "account_update", **entry: Any) -> dict[str, Any]:
    entry = {"id": "100000000000777", "time": TIME} | entry
    change = {"field": field, "value": value}
    return {"object": "whatsapp_business_account", "entry": [entry | {"changes": [change]}]}


CHANNEL = {
    "id": "abc7CH",
    "client_id": "abc7CL",
    "client": {"id": "abc7CL", "name": "Teeladen Nord", "contact_info": {"country": "de"}},
    "setup_info": {"phone_number": "+49 (0)171 3920017", "phone_name": "Teeladen"},
    "waba_account": {"id": "abc7WA", "external_id": "100000000000777"},
}


def test_a_partner_event_has_all_its_facts() -> None:
    shown = event(partner(CHANNEL)).to_json()
    assert shown["source"] == "partner"
    assert shown["kind"] == "channel_live"
    assert shown["phones"] == ["+491713920017"]
    assert shown["phone_name"] == "Teeladen"
    assert shown["client"] == {"id": "abc7CL", "name": "Teeladen Nord"}
    assert shown["country"] == "DE"
    assert shown["waba"] == "100000000000777"
    assert shown["waba_360"] == "abc7WA"
    assert shown["occurred_at"] is None
    assert shown["received_at"] == "2026-11-23T09:00:00Z"


def test_a_change_has_all_its_facts() -> None:
    found = event(waba({"display_phone_number": "491713920017", "event": "X"}))
    assert found.source is Source.WABA
    assert (found.kind, found.detail) == ("account_update", "X")
    assert found.phones == ("+491713920017",)
    assert found.country == "DE"
    assert found.waba == "100000000000777"
    assert found.occurred_at == datetime.fromtimestamp(TIME, UTC)
    assert not found.test


@each(
    ("data", "numbers"),
    [
        ({"phone_number": "491713920017"}, ("+491713920017",)),
        ({"phone_number": 491713920017}, ("+491713920017",)),
        ({"metadata": {"display_phone_number": "+1 555-078-3881"}}, ("+15550783881",)),
        ({"setup_info": {"phone_number": []}, "phone_number": "491713920017"}, ("+491713920017",)),
        ({"setup_info": "?", "display_phone_number": "491713920017"}, ("+491713920017",)),
        (
            {
                "display_phone_number": "447700900123",
                "phone_number": "+447700900456",
                "setup_info": {"phone_number": "491713920017"},
                "metadata": {"display_phone_number": "00447700900123"},
            },
            ("+491713920017", "+447700900456", "+447700900123"),
        ),
        ({"phone_number": "5215512345678", "display_phone_number": "+52 55 1234 5678"}, None),
        ({"phone": "491713920017", "phone_number_id": "491713920017"}, ()),
        ({"client": {"phone_number": "491713920017"}}, ()),
        ({"deep": {"display_phone_number": "491713920017"}}, ()),
    ],
)
def test_numbers_are_looked_for_only_where_senders_put_them(
    data: dict[str, Any], numbers: tuple[str, ...] | None
) -> None:
    for found in (event(partner(data)), event(waba(data))):
        assert found.phones == (("+5215512345678",) if numbers is None else numbers)


@each(
    ("kind", "data", "client"),
    [
        ("client_created", {"client": {"id": "x1CL", "name": "Nord"}}, ("x1CL", "Nord")),
        ("client_created", {"id": "x1CL", "name": "Nord"}, ("x1CL", "Nord")),
        ("other", {"id": "x1CL", "name": "Nord"}, ("x1CL", "Nord")),
        ("channel_live", {"id": "x1CH", "name": "No"}, (None, None)),
        ("channel_live", {"client_id": "x1CL"}, ("x1CL", None)),
        ("channel_live", {"client_id": "x1CL", "client": ["?"]}, ("x1CL", None)),
        ("channel_live", {"client": {"id": [], "name": 5}, "client_id": 7}, ("7", None)),
        ("channel_live", {"client": {"id": False}, "client_id": {"id": "x"}}, (None, None)),
        (
            "channel_live",
            {
                "client_id": "x1CL",
                "waba_account": {"on_behalf_of_business_info": {"name": "Nord"}},
            },
            ("x1CL", "Nord"),
        ),
        (
            "channel_live",
            {
                "client": {"name": "Nord"},
                "waba_account": {"on_behalf_of_business_info": {"name": "Other"}},
            },
            (None, "Nord"),
        ),
    ],
)
def test_the_client_is_found_nested_flat_or_by_id(
    kind: str, data: dict[str, Any], client: tuple[str | None, str | None]
) -> None:
    found = event(partner(data, kind)).client
    assert (found.id, found.name) == client


@each(
    ("data", "waba_id", "own_id"),
    [
        ({"id": "100000000000777"}, "100000000000777", None),
        ({"id": 100000000000777}, "100000000000777", None),
        ({"id": "abc7CH"}, None, None),
        ({"waba_account": {"external_id": True, "id": 1.5}, "id": "1007"}, "1007", None),
        ({"waba_account": {"id": "abc7WA"}}, "abc7WA", "abc7WA"),
        ({"waba_info": {"waba_id": "1007"}, "waba_account": {"id": "a"}}, "1007", "a"),
    ],
)
def test_the_account_of_a_partner_event(
    data: dict[str, Any], waba_id: str | None, own_id: str | None
) -> None:
    found = event(partner(data))
    assert (found.waba, found.waba_360) == (waba_id, own_id)


@each(
    ("value", "entry_id", "waba_id"),
    [
        ({"event": "ACCOUNT_DELETED"}, "100000000000777", "100000000000777"),
        ({"event": "ACCOUNT_DELETED"}, 100000000000777, "100000000000777"),
        ({"event": "ACCOUNT_DELETED"}, None, None),
        ({"event": "ACCOUNT_DELETED"}, ["?"], None),
        ({"event": "PARTNER_ADDED", "waba_info": {"waba_id": "1001"}}, "2002", "1001"),
        ({"event": "PARTNER_REMOVED", "phone_number": "491713920017"}, "2002", None),
        ({"event": "ad_account_linked", "waba_info": "?"}, "2002", None),
        ({"event": "ACCOUNT_UPDATE", "waba_info": {"waba_id": 1001}}, "2002", "1001"),
    ],
)
def test_the_entry_is_the_account_except_where_it_is_a_portfolio(
    value: dict[str, Any], entry_id: Any, waba_id: str | None
) -> None:
    assert event(waba(value, id=entry_id)).waba == waba_id


@pytest.mark.parametrize("entry_id", ["0", 0])
def test_the_test_button_is_a_test_without_an_account(entry_id: Any) -> None:
    found = event(waba({"display_phone_number": "16505551111", "event": "FLAGGED"}, id=entry_id))
    assert found.test
    assert found.waba is None
    assert found.phones == ("+16505551111",)


@each(
    ("time", "seconds"),
    [
        (TIME, TIME),
        (str(TIME), TIME),
        (float(TIME), TIME),
        (TIME * 1000, TIME),
        (f" {TIME}000 ", TIME),
        (None, None),
        (0, None),
        (-5, None),
        (True, None),
        ("soon", None),
        (10**30, None),
        (5, None),
        (9e18, None),
        ([], None),
        ("9" * 5000, None),
    ],
)
def test_the_time_of_an_entry_is_read_or_left_out(time: Any, seconds: int | None) -> None:
    found = event(waba({"event": "X"}, time=time)).occurred_at
    assert found == (None if seconds is None else datetime.fromtimestamp(seconds, UTC))


def test_an_approved_name_is_the_numbers_name_and_a_refused_one_is_not() -> None:
    value = {"requested_verified_name": "Teeladen", "decision": "APPROVED"}
    assert event(waba(value, "phone_number_name_update")).phone_name == "Teeladen"
    value["decision"] = "REJECTED"
    assert event(waba(value, "phone_number_name_update")).phone_name is None


@pytest.mark.parametrize(
    ("data", "kept"),
    [(None, {}), ([1], {"value": [1]}), ("x", {"value": "x"}), (7, {"value": 7}), ({}, {})],
)
def test_data_of_another_type_does_not_cost_the_event(data: Any, kept: dict[str, Any]) -> None:
    assert event(partner(data)).data == kept
    assert event(waba(data)).data == kept


def test_an_event_without_data_keeps_what_stands_beside_it() -> None:
    assert event({"type": "ping"}).data == {}
    flat = event({"event": "channel_live", "phone_number": "491713920017"})
    assert flat.phone == "+491713920017"
    assert event({"entry": [{"changes": [{"field": "account_update"}]}]}).data == {}


def test_a_list_may_mix_both_families_and_faults() -> None:
    bad: list[Any] = [7, "x", [], {}, {"event": 5}, {"entry": {}}]
    found = reading([partner(CHANNEL), *bad, waba({"event": "X"}), waba({"event": "Y"})])
    assert [arrival.event.detail for arrival in found.arrivals] == [None, "X", "Y"]
    assert [json.loads(item.body or b"") for item in found.unreadable] == bad


def test_a_bad_part_of_an_envelope_does_not_cost_its_siblings() -> None:
    good = {"field": "account_update", "value": {"event": "X"}}
    changes: list[Any] = [
        good,
        None,
        {"value": {}},
        {"field": " "},
        {"field": 7},
        good | {"value": 1},
    ]
    body = {"entry": [5, {"id": "1"}, {"id": "1", "changes": changes}, {"changes": [good]}]}
    found = reading(body)
    assert len(found.arrivals) == 3
    assert len(found.unreadable) == 6


def test_facts_of_one_change_never_reach_another() -> None:
    first = {"field": "account_update", "value": {"phone_number": "491713920017"}}
    second = {"field": "account_update", "value": {"event": "X"}}
    found = reading({"entry": [{"id": "1", "changes": [first, second]}, {"changes": [second]}]})
    assert [len(item.event.phones) for item in found.arrivals] == [1, 0, 0]
    assert [item.event.waba for item in found.arrivals] == ["1", "1", None]


def test_empty_envelopes_hold_nothing() -> None:
    assert reading({"object": "whatsapp_business_account", "entry": []}) == Reading()
    assert reading({"entry": [{"id": "1", "changes": []}]}) == Reading()


@each(
    "body",
    [
        b"",
        b"null",
        b"7",
        b"[]",
        b"{}",
        b'"text"',
        b"not json",
        b'{"event":"x"',
        b'{"event":"x"} tail',
        b'{"event":"\xff"}',
        '{"event":"x"}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b'{"object":"page","entry":[]}',
        b'{"object":7,"entry":[]}',
        b'{"event":""}',
        b"9" * 5000,
    ],
)
def test_a_body_of_no_known_shape_is_one_unreadable_with_its_bytes(body: bytes) -> None:
    found = reading(body)
    assert not found.arrivals
    assert [item.size for item in found.unreadable] == [len(body)]
    assert found.unreadable[0].body == body


def test_more_faults_than_updates_fit_are_one_fault() -> None:
    found = reading([partner(CHANNEL), *([1] * 5000)])
    assert len(found.arrivals) == 1
    assert len(found.unreadable) == 1


@each(
    ("literal", "kept"),
    [
        (b'"\\ud800"', "\ufffd"),
        (b'"a\\uDC00b"', "a\ufffdb"),
        (b'"\\ud83d\\ude00"', "😀"),
        (b'"\\ud83d\\ud83d\\ude00"', "\ufffd😀"),
        (b'"\\\\ud800"', "\\ud800"),
        (b'"\\\\\\ud800"', "\\\ufffd"),
        (b'"a\\u0000b"', "ab"),
        (b"NaN", "NaN"),
        (b"-Infinity", "-Infinity"),
        (b"1e999", "Infinity"),
        (b"12345678901234567890", "12345678901234567890"),
        (b"9223372036854775807", 9223372036854775807),
        (b"1.5", 1.5),
    ],
)
def test_odd_values_are_kept_as_something_that_can_be_stored(literal: bytes, kept: Any) -> None:
    found = event(b'\xef\xbb\xbf{"event":"channel_live","data":{"odd":' + literal + b"}}")
    assert found.data == {"odd": kept}
    json.dumps(found.to_json(), allow_nan=False).encode()


def test_a_key_without_its_nul_is_the_same_key() -> None:
    assert reading(b'{"event":"x","data":{"mess\\u0000ages":[1]}}').ignored


def test_long_words_are_cut_and_the_data_keeps_them() -> None:
    assert len(event(waba({}, "k" * 5000)).kind) == 200
    found = event(waba({"event": "D" * 5000}, "account_update"))
    assert len(found.detail or "") == 200
    assert found.data == {"event": "D" * 5000}


OPEN = ("limit_watch", "message_errors", "account_settings_update")
"""Kinds whose details are no closed list."""


def test_every_sample_is_one_event_of_its_kind_and_detail() -> None:
    for name in samples.names():
        (found,) = samples.events_in(samples.find(name), NOW)
        kind, *rest = name.split("/")
        detail = rest[0] if rest and rest[0] != rest[0].lower() else None
        if kind in ("payment", "channel_status_changed", "group_status_update") or (
            kind.startswith("business_username")
        ):
            detail = rest[0]
        if kind == "message_errors":
            detail = "131035"
        if kind == "account_settings_update":
            detail = "PHONE_NUMBER_SETTINGS"
        assert (found.kind, found.detail) == (kind, detail), name
        assert detail is None or kind in OPEN or detail in KINDS[kind].details, name


def test_every_kind_and_detail_has_a_sample() -> None:
    names = samples.names()
    siblings = {"waba_template_status_changed", "phone_number_quality_changed"}
    open_lists = {"account_violation", "account_restriction"}
    for kind in KINDS.values():
        if kind.source is Source.RELAY:
            continue
        assert any(name.partition("/")[0] == kind.name for name in names)
        if kind.name not in siblings | open_lists:
            assert {f"{kind.name}/{detail}" for detail in kind.details} <= set(names)


def test_a_sample_is_found_in_any_case_and_by_its_kind_alone() -> None:
    assert samples.find("Account_Update/account_restriction") == samples.find("account_update")
    assert samples.find("payment_configuration_update/needs testing")
    assert event(samples.find("phone_number_quality_changed")).detail == "FLAGGED"
    assert all(samples.find(name) for name in samples.demo())
    with pytest.raises(RelayError, match='did you mean "account_update"'):
        samples.find("acount_update")
    with pytest.raises(RelayError, match="no sample"):
        samples.find("../../etc/passwd")


def test_the_times_of_a_sample_move_with_it() -> None:
    """What lay two weeks ahead of it lies two weeks ahead, and nothing says March 2026 any more."""
    now = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
    for name in samples.names():
        shown = samples.fresh(name, now).decode()
        assert not re.search(r"\b1[78]\d{8}\b|2026-|March|April", shown), name
    restricted = json.loads(samples.fresh("account_update/ACCOUNT_RESTRICTION", now))["entry"][0]
    old = json.loads(samples.find("account_update/ACCOUNT_RESTRICTION"))["entry"][0]
    assert restricted["time"] == now.timestamp()
    for then, moved in zip(_ends(old), _ends(restricted), strict=True):
        assert moved - restricted["time"] == then - old["time"]


def _ends(entry: dict[str, Any]) -> list[int]:
    return [one["expiration"] for one in entry["changes"][0]["value"]["restriction_info"]]


def test_the_id_of_an_event_follows_from_its_key() -> None:
    for body in (partner(CHANNEL), waba({"event": "X"})):
        arrival = reading(body).arrivals[0]
        assert arrival.event.id == event_id(arrival.key)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_raise_and_none_disappear(body: bytes) -> None:
    found = reading(body)
    assert found.arrivals or found.unreadable or found.ignored or b"entry" in body


@given(JSON, JSON, JSON, JSON, st.sampled_from(list(KINDS)))
def test_no_values_cost_an_event_in_either_family(
    data: Any, nested: Any, entry_id: Any, time: Any, kind: str
) -> None:
    spread = {"client": nested, "setup_info": nested, "waba_account": nested, "event": nested}
    for value in (data, spread, spread | {"metadata": nested, "waba_info": nested, "id": data}):
        for body in (partner(value, kind, entry_id), waba(value, kind, id=entry_id, time=time)):
            found = reading(body)
            assert len(found.arrivals) + len(found.ignored) == 1
            for arrival in found.arrivals:
                shown = json.dumps(arrival.event.to_json(), allow_nan=False).encode()
                assert Event.from_json(json.loads(shown)) == arrival.event
