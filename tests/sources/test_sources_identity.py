"""The same happening has the same key and id wherever it is parsed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay.events.catalogue import KINDS
from relay.sources import Arrival, privacy
from relay.sources.reading import read
from tests.needs import ROOT

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
LATER = datetime(2026, 11, 24, 9, tzinfo=UTC)
TIME = 1772445600
STATUS = {
    "id": "wamid.ONE",
    "recipient_id": "910000000099",
    "type": "payment",
    "status": "captured",
    "timestamp": str(TIME),
    "payment": {"reference_id": "tea-1"},
}
KEY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
"""Keys that differ by a NUL alone are one key twice, of which JSON takes the last."""
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=4),
    max_leaves=12,
)


def arrivals(body: Any, when: datetime = NOW, **style: Any) -> tuple[Arrival, ...]:
    return read(json.dumps(body, **style).encode(), received_at=when).arrivals


def one(body: Any, **style: Any) -> Arrival:
    (arrival,) = arrivals(body, **style)
    return arrival


def change(value: Any = None, field: str = "account_update") -> dict[str, Any]:
    return {"field": field, "value": value or {"event": "X"}}


def entry(*changes: Any, **facts: Any) -> dict[str, Any]:
    return {"id": "1", "time": TIME} | facts | {"changes": list(changes)}


def backwards(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: backwards(item) for key, item in reversed(value.items())}
    return [backwards(item) for item in value] if isinstance(value, list) else value


@given(st.dictionaries(KEY, JSON, max_size=5))
def test_key_order_and_whitespace_do_not_change_ids(data: dict[str, Any]) -> None:
    for body in (
        {"event": "x", "data": data},
        {"id": "7", "event": "x", "data": data},
        {"entry": [entry(change(data))]},
        {"entry": [{"changes": [change(data)]}]},
    ):
        for here, there in zip(
            arrivals(body), arrivals(backwards(body), LATER, indent=3), strict=True
        ):
            assert here.key == there.key
            assert here.event.id == there.event.id
            assert here.fingerprint == there.fingerprint


def test_the_senders_id_is_the_key_of_a_partner_event() -> None:
    here = one({"id": "evt-1", "event": "x", "data": {"a": 1}})
    there = one({"id": "evt-1", "event": "x", "data": {"a": 2}})
    assert here.key == there.key == "partner:id:evt-1"
    assert here.fingerprint != there.fingerprint
    assert here.lasting
    assert one({"id": 7, "event": "x"}).key == one({"id": "7", "event": "x"}).key


def test_without_a_usable_id_the_content_is_the_key_for_a_while() -> None:
    unusable: list[Any] = [None, "", "  ", True, [], {}, 1.5]
    for sent_id in unusable:
        here = one({"id": sent_id, "event": "x", "data": {"a": 1}})
        assert here.key == one({"event": "x", "data": {"a": 1}}).key
        assert here.key != one({"event": "x", "data": {"a": 2}}).key
        assert not here.lasting


def test_a_change_has_the_same_key_in_every_batch() -> None:
    alone = one({"entry": [entry(change())]})
    batch = {"entry": [entry(change({"event": "Y"}), change()), entry(change(), id="2")]}
    keys = [arrival.key for arrival in arrivals(batch)]
    assert alone.lasting
    assert keys.index(alone.key) == 1
    assert keys.count(alone.key) == 1


def test_account_time_field_and_value_all_tell_changes_apart() -> None:
    bodies = [
        entry(change()),
        entry(change(), id="2"),
        entry(change(), time=TIME + 1),
        entry(change(field="security")),
        entry(change({"event": "Y"})),
    ]
    assert len({one({"entry": [body]}).key for body in bodies}) == len(bodies)


def test_one_time_has_one_key_however_it_is_written() -> None:
    times = (TIME, str(TIME), float(TIME), TIME * 1000)
    assert len({one({"entry": [entry(change(), time=time)]}).key for time in times}) == 1


def test_without_a_time_a_key_does_not_last() -> None:
    for time in (None, 0, "soon"):
        assert not one({"entry": [entry(change(), time=time)]}).lasting


def test_private_content_that_is_not_kept_still_tells_events_apart() -> None:
    def created(mail: str) -> Arrival:
        return one({"event": "client_created", "data": {"contact_info": {"email": mail}}})

    def changed(person: str) -> Arrival:
        return one({"entry": [entry(change({"event": "X", "wa_id": person}))]})

    for made in (created, changed):
        assert made("a@x.example").key != made("b@x.example").key
        assert made("a@x.example").event.data == made("b@x.example").event.data


def test_a_payment_is_known_by_its_status_and_account() -> None:
    def paid(status: dict[str, Any], entry_id: str = "1", **more: Any) -> Arrival:
        value = {"statuses": [status], **more}
        return one({"entry": [{"id": entry_id, "changes": [change(value, "messages")]}]})

    here = paid(STATUS)
    assert here.lasting
    assert here.key == paid(backwards(STATUS), metadata={"phone_number_id": "5"}).key
    assert here.key != paid(STATUS, "2").key
    assert here.key != paid(STATUS | {"id": "wamid.TWO"}).key
    assert here.key != paid(STATUS | {"timestamp": str(TIME + 1)}).key
    assert not paid(STATUS | {"timestamp": None}).lasting


def test_bodies_have_the_keys_that_they_always_had() -> None:
    """Journals in use know events by these keys: `known_keys.json` is never written anew.

    What the catalogue does not know has a key of its own: its data is not kept.
    """
    for known in json.loads((ROOT / "tests" / "known_keys.json").read_text()):
        found = read(known["body"].encode(), received_at=NOW).arrivals
        for one, key in zip(found, known["keys"], strict=True):
            if one.event.kind.lower() in KINDS:
                assert f"{one.key} {one.event.id} {one.fingerprint}" == key


def test_of_an_unknown_kind_the_content_is_told_by_a_key_of_the_journal() -> None:
    body = b'{"event":"some_news","data":{"note":"guess me"}}'
    found = [read(body, received_at=NOW, key=key).arrivals[0] for key in (b"one", b"one", b"two")]
    assert len({one.key for one in found}) == len({one.fingerprint for one in found}) == 2
    again = read(body.replace(b":", b" : "), received_at=NOW, key=b"one").arrivals[0]
    assert again.key == found[0].key


def test_keys_that_a_sender_makes_up_take_no_memory_for_long() -> None:
    for number in range(20_000):
        read(json.dumps({"event": "x", "data": {f"k{number}": 1}}).encode(), received_at=NOW)
    read(json.dumps({"event": "x", "data": {"k" * 100_000: 1}}).encode(), received_at=NOW)
    assert len(privacy.REMEMBERED) <= privacy.MOST_KEYS
    assert max(map(len, privacy.REMEMBERED)) <= privacy.LONGEST_KEY
