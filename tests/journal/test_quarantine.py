"""Quarantine shows what came and why it stands there; a body only to who is recorded for it."""

from __future__ import annotations

import base64

from hypothesis import given
from hypothesis import strategies as st

from relay.cli.quarantine import visible
from relay.journal import Store
from relay.sources import Reading, Unreadable
from tests.conftest import Start
from tests.engines import Place
from tests.journal_suite import DAY, NOW, reading


async def keep(store: Store, body: bytes | None, day: int = 0) -> None:
    item = Unreadable("no JSON", 7, "hash", body)
    when = NOW + day * DAY
    await store.journal.append(Reading(unreadable=(item,)), now=when, route="/webhooks/meta")


AUDIT = "SELECT who, action, subject FROM audit"


async def test_the_list_says_everything_but_the_body(store: Store, place: Place):
    await keep(store, b"{{{")
    await keep(store, None, day=1)
    kept, private = await store.records.quarantined()
    assert (kept.at, kept.route, kept.reason) == (NOW, "/webhooks/meta", "no JSON")
    assert (kept.size, kept.sha256, kept.kept, kept.body) == (7, "hash", True, None)
    assert (private.at, private.kept) == (NOW + DAY, False)
    assert place.sql(AUDIT) == []


async def test_the_newest_are_listed_last_and_first_cut(store: Store):
    for day in range(4):
        await keep(store, b"x", day)
    found = await store.records.quarantined(NOW + DAY, limit=2)
    assert [one.at for one in found] == [NOW + 2 * DAY, NOW + 3 * DAY]


async def test_each_look_is_recorded(store: Store, place: Place):
    await keep(store, b"{{{")
    for _ in range(2):
        found = await store.journal.look_at(1, now=NOW, who="me")
        assert found is not None
        assert found.body == b"{{{"
    assert place.sql(AUDIT) == [("me", "look at quarantine", "1")] * 2


async def test_a_look_at_nothing_is_none_and_not_recorded(store: Store, place: Place):
    assert await store.journal.look_at(1, now=NOW, who="me") is None
    assert place.sql(AUDIT) == []


async def test_a_conflict_says_where_it_came_from(store: Store):
    await store.journal.append(reading("a"), now=NOW)
    again = reading("a", content="other")
    await store.journal.append(again, now=NOW, route="/webhooks/360dialog")
    (one,) = await store.records.quarantined()
    assert one.route == "/webhooks/360dialog"
    assert one.reason.startswith("conflict: event")


async def test_the_api_lists_and_shows_and_records(start: Start, place: Place):
    relay = await start(insecure=True, webhook_token="token", journal=place.url)
    status, _ = await relay.post(b"{{{\xff", headers={"Authorization": "Bearer token"})
    assert status == 200
    assert (await relay.get("/api/quarantine"))[0] == 401
    _, listed = await relay.api("/api/quarantine")
    (one,) = listed["quarantine"]
    assert (one["route"], one["size"], one["kept"]) == ("/webhooks/360dialog", 4, True)
    assert "body" not in one
    status, shown = await relay.api(f"/api/quarantine/{one['id']}/look", "POST")
    assert status == 200
    assert base64.b64decode(shown["body_base64"]) == b"{{{\xff"
    assert shown["body"] == r"{{{\xff"
    assert place.sql(AUDIT) == [("admin", "look at quarantine", str(one["id"]))]
    for wrong in ("99", "x", "-1", "9" * 30, "١"):
        assert (await relay.api(f"/api/quarantine/{wrong}/look", "POST"))[0] == 404
    assert (await relay.api("/api/quarantine?since=yesterday"))[0] == 400


async def test_the_api_forgets_a_number(start: Start):
    relay = await start(insecure=True)
    for wrong in ({}, {"phone": "0171"}, {"phone": 5.5}, [], {"phone": "+491713920011", "x": 1}):
        status, said = await relay.api("/api/forget", "POST", wrong)
        assert (status, list(said)) == (400, ["error"])
    status, done = await relay.api("/api/forget", "POST", {"phone": "0049 171 3920011"})
    assert status == 200
    assert set(done) == {"erased", "unfinished", "discarded", "in_live_rules", "synced"}
    assert not any(done["erased"].values())


@given(
    st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace"))
)
def test_no_byte_of_a_body_can_steer_a_terminal(body: bytes):
    shown = visible(body)
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_control_characters_are_visible():
    assert visible(b"a\x1b[31mb\r\nc\x00\xff") == "a\\x1b[31mb\nc\\x00\\xff"
    assert visible("x\u202ey".encode()) == "x\\u202ey"
    assert visible("Müller 🚨".encode()) == "Müller 🚨"
