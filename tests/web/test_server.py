"""The HTTP side of the contract: what is admitted, what is answered, what is stored."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import apsw
import pytest

from relay.settings import Address
from relay.web.senders import LARGEST_BODY
from tests.client import Client, partner, sign, waba
from tests.conftest import Start

SIGNATURE = "x-360dialog-signature"


async def received(client: Client) -> int:
    status: dict[str, Any] = (await client.api("/api/status"))[1]
    count: int = status["events"]["received"]
    return count


async def test_a_webhook_is_counted_in_its_answer(start: Start) -> None:
    client = await start()
    private = waba("messages", {"messages": [{"from": "1", "text": {"body": "hello"}}]})
    assert await client.post(partner(1)) == (
        200,
        {"accepted": 1, "duplicate": 0, "ignored": 0, "quarantined": 0},
    )
    assert (await client.post(partner(1)))[1]["duplicate"] == 1
    assert (await client.post(private))[1]["ignored"] == 1
    assert (await client.post(b"not json"))[1]["quarantined"] == 1


async def test_the_same_event_by_both_routes_is_one(start: Start) -> None:
    client = await start()
    body = waba("account_update", {"event": "ACCOUNT_DELETED"})
    assert (await client.post(body))[1]["accepted"] == 1
    assert (await client.post(body, "/webhooks/meta"))[1]["duplicate"] == 1


async def test_the_same_id_with_another_body_is_a_conflict_in_quarantine(start: Start) -> None:
    client = await start()
    await client.post(partner(1, status="ready"))
    answer = (await client.post(partner(1, status="error")))[1]
    assert (answer["accepted"], answer["duplicate"], answer["quarantined"]) == (0, 0, 1)


async def test_a_thousand_changes_in_one_webhook_are_a_thousand_events(start: Start) -> None:
    client = await start()
    changes = [
        {"field": "account_update", "value": {"event": "ACCOUNT_VIOLATION", "n": n}}
        for n in range(1000)
    ]
    body = {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}
    assert (await client.post(body))[1]["accepted"] == 1000
    assert await received(client) == 1000


async def test_a_body_at_the_limit_is_taken_and_one_byte_more_is_not(start: Start) -> None:
    client = await start()
    empty = json.dumps(partner(1, filler="")).encode()
    room = LARGEST_BODY - len(empty)
    fits = json.dumps(partner(1, filler="x" * room)).encode()
    assert len(fits) == LARGEST_BODY
    assert (await client.post(fits))[0] == 200
    assert (await client.post(fits + b" "))[0] == 413


async def test_a_chunked_body_beyond_the_limit_is_refused(start: Start) -> None:
    client = await start()

    async def chunks() -> Any:
        for _ in range(LARGEST_BODY // 65_536 + 1):
            yield b" " * 65_536

    async with client.session.post(client.url + "/webhooks/360dialog", data=chunks()) as answer:
        assert answer.status == 413
    assert await received(client) == 0


async def test_a_compressed_body_is_refused_as_its_signature_could_not_be_checked(
    start: Start,
) -> None:
    client = await start()
    body = gzip.compress(json.dumps(partner(1)).encode())
    assert (await client.post(body, headers={"Content-Encoding": "gzip"}))[0] == 415
    assert (await client.post(b"rubbish", headers={"Content-Encoding": "br"}))[0] == 415
    assert await received(client) == 0


@pytest.mark.parametrize("spelling", ["{}", "sha256={}", "SHA256={}"])
async def test_a_right_signature_admits(start: Start, spelling: str) -> None:
    client = await start(secret_360dialog="old-secret new-secret")
    body = json.dumps(partner(1)).encode()
    for secret in ("old-secret", "new-secret"):
        headers = {SIGNATURE: spelling.format(sign(body, secret))}
        assert (await client.post(body, headers=headers))[0] == 200


async def test_a_wrong_signature_refuses_even_with_a_right_token(start: Start) -> None:
    client = await start(secret_360dialog="secret", webhook_token="token")
    body = json.dumps(partner(1)).encode()
    headers = {SIGNATURE: sign(body + b" ", "secret"), "Authorization": "Bearer token"}
    assert (await client.post(body, headers=headers))[0] == 401
    assert await received(client) == 0


@pytest.mark.parametrize("header", ["token", "Bearer token", "bearer token", "Basic token"])
async def test_the_static_header_admits_with_or_without_a_scheme(start: Start, header: str) -> None:
    client = await start(webhook_token="token")
    assert (await client.post(partner(1), headers={"Authorization": header}))[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer toke"},
        {"Authorization": "Bearer tokenx"},
        {"Authorization": "Bearer " + "x" * 5000},
        {"Authorization": "Bearer t\u00f6ken"},
        {SIGNATURE: ""},
        {SIGNATURE: "sha256="},
    ],
)
async def test_without_a_proof_nothing_is_stored(start: Start, headers: dict[str, str]) -> None:
    client = await start(webhook_token="token", secret_360dialog="secret")
    status, answer = await client.post(partner(1), headers=headers)
    assert status == 401
    assert answer == {"error": "not admitted"}
    assert await received(client) == 0


async def test_a_route_without_a_configured_proof_answers_401(start: Start) -> None:
    client = await start(webhook_token="token")
    body = json.dumps(partner(1)).encode()
    assert (await client.post(body, "/webhooks/meta"))[0] == 401
    headers = {"X-Hub-Signature-256": f"sha256={sign(body, '')}"}
    assert (await client.post(body, "/webhooks/meta", headers))[0] == 401


async def test_meta_is_admitted_by_its_signature_over_the_raw_bytes(start: Start) -> None:
    client = await start(meta_app_secret="app")
    body = json.dumps(waba("security", {"event": "PIN_CHANGED"}), indent=3).encode()
    right = {"X-Hub-Signature-256": f"sha256={sign(body, 'app')}"}
    assert (await client.post(body, "/webhooks/meta", right))[0] == 200
    assert (await client.post(body + b" ", "/webhooks/meta", right))[0] == 401


async def test_metas_handshake_returns_the_bare_challenge(start: Start) -> None:
    client = await start(meta_verify_token="verify")
    path = "/webhooks/meta?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token="
    assert await client.get(path + "verify") == (200, "1158201444")
    assert (await client.get(path + "wrong"))[0] == 403
    assert (await client.get("/webhooks/meta"))[0] == 403


async def test_a_get_on_360dialogs_route_is_answered(start: Start) -> None:
    client = await start(webhook_token="token")
    assert (await client.get("/webhooks/360dialog"))[0] == 200


async def test_unknown_paths_and_methods_are_plain_refusals(start: Start) -> None:
    client = await start()
    assert (await client.get("/nothing"))[0] == 404
    async with client.session.put(client.url + "/webhooks/360dialog") as answer:
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"]


async def test_half_a_body_is_not_stored(start: Start) -> None:
    client = await start()
    host, port = client.app.addresses[0].host, client.app.addresses[0].port
    reader, writer = await asyncio.open_connection(host, port)
    body = json.dumps(partner(1)).encode()
    head = f"POST /webhooks/360dialog HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body[:-5])
    writer.write_eof()
    await reader.read()
    writer.close()
    assert await received(client) == 0


async def test_the_api_needs_the_admin_token(start: Start) -> None:
    client = await start()
    assert (await client.get("/api/status"))[0] == 401
    assert (await client.get("/api/status", {"Authorization": "Bearer wrong"}))[0] == 401
    assert (await client.get("/api/status", {"Authorization": "admin"}))[0] == 401
    assert (await client.get("/api/status", {"Authorization": "Bearer admin"}))[0] == 200


@pytest.mark.parametrize(
    ("token", "admitted"),
    [
        ("one", True),
        ("ada:one", True),
        ("two", True),
        ("bob:one", False),
        ("ada", False),
        ("ada:", False),
        ("", False),
        ("ada:one bob:three ada:two", False),
    ],
)
async def test_an_operator_sends_the_token_with_or_without_the_name(
    start: Start, token: str, admitted: bool
) -> None:
    client = await start(admin_token="ada:one bob:three ada:two cem:")
    status, _ = await client.get("/api/status", {"Authorization": f"Bearer {token}"})
    assert status == (200 if admitted else 401)


async def test_what_an_operator_changes_carries_the_name(start: Start, folder: Path) -> None:
    client = await start(admin_token="admin ada:ada-secret")
    await client.post(b"not json")
    await client.api("/api/quarantine/1/look", "POST")
    async with client.session.post(
        f"{client.url}/api/quarantine/1/look", headers={"Authorization": "Bearer ada-secret"}
    ) as answer:
        assert answer.status == 200
    looking = apsw.Connection(str(folder / "relay.db"), flags=apsw.SQLITE_OPEN_READONLY)
    assert looking.execute("SELECT who FROM audit").fetchall() == [("admin",), ("ada",)]
    looking.close()


async def test_without_an_admin_token_nobody_gets_in(start: Start) -> None:
    client = await start(admin_token="")
    assert (await client.get("/api/status", {"Authorization": "Bearer "}))[0] == 401


async def test_the_api_shows_events_and_deliveries_as_the_contract_says(start: Start) -> None:
    client = await start()
    await client.post(partner(1))
    deliveries = await client.settled()
    events = (await client.api("/api/events"))[1]["events"]
    assert events[0]["kind"] == "channel_live"
    assert events[0]["phones"] == ["+491713920011"]
    assert events[0]["client"] == {"id": "c1CL", "name": "Musterladen"}
    assert deliveries[0]["event_id"] == events[0]["id"]
    assert deliveries[0]["state"] == "delivered"
    assert deliveries[0]["proof"] == "sandbox"
    assert [attempt["outcome"] for attempt in deliveries[0]["attempts"]] == ["sent"]
    one = (await client.api(f"/api/events/{events[0]['id']}"))[1]
    assert one["state"] == "routed"
    assert one["deliveries"] == deliveries
    assert (await client.api("/api/events/0000"))[0] == 404


async def test_the_status_balances(start: Start) -> None:
    client = await start()
    await client.post(partner(1))
    await client.post(waba("message_template_status_update", {"event": "APPROVED"}))
    await client.settled()
    status = (await client.api("/api/status"))[1]
    events = status["events"]
    parts = ("unrouted", "unmatched", "muted", "routed")
    assert events["received"] == sum(events[part] for part in parts) == 2
    assert events["muted"] == 1
    assert status["deliveries"]["delivered"] == 1
    assert status["rules"]["ok"] is True
    assert status["destinations"][0]["name"] == "support"


async def test_wrong_filters_are_refused_in_words(start: Start) -> None:
    client = await start()
    assert (await client.api("/api/events?phone=030123"))[0] == 400
    assert (await client.api("/api/events?colour=red"))[0] == 400
    assert (await client.api("/api/events?since=yesterday"))[0] == 400


async def test_health_readiness_and_metrics(start: Start) -> None:
    client = await start()
    await client.post(partner(1))
    await client.settled()
    assert (await client.get("/healthz"))[0] == 200
    status, body = await client.get("/readyz")
    assert status == 200
    assert body["ready"] is True
    metrics = (await client.get("/metrics"))[1]
    assert 'relay_events_received_total{kind="channel_live",source="partner"} 1.0' in metrics
    assert 'relay_deliveries_delivered_total{destination="support",proof="sandbox"} 1.0' in metrics
    assert "491713920011" not in metrics


async def test_an_unknown_kind_is_an_event_and_no_label(start: Start) -> None:
    client = await start()
    await client.post({"id": "x", "event": "brand_new_kind", "data": {}})
    await client.settled()
    assert (await client.api("/api/events"))[1]["events"][0]["kind"] == "brand_new_kind"
    assert "brand_new_kind" not in (await client.get("/metrics"))[1]


async def test_admin_routes_leave_the_public_address_when_they_have_their_own(
    start: Start,
) -> None:
    client = await start(admin_listen=Address("127.0.0.1", 0))
    assert (await client.get("/metrics"))[0] == 404
    assert (await client.get("/api/status", {"Authorization": "Bearer admin"}))[0] == 404
    client.url = f"http://{client.app.addresses[1]}"
    assert (await client.get("/metrics"))[0] == 200
    assert (await client.api("/api/status"))[0] == 200


@pytest.mark.parametrize("route", ["/webhooks/360dialog", "/webhooks/meta"])
async def test_a_slash_at_the_end_of_a_path_makes_no_difference(start: Start, route: str) -> None:
    client = await start(insecure=True)
    assert await client.post(partner(1), route + "/") == await client.post(partner(2), route)
    assert await received(client) == 2


WRONG = [
    "/webhook",
    "/Webhooks",
    "/webhooks/360dialog/token-in-a-path",
    "/360dialog",
    "//webhooks/meta",
    "/meta/",
]


async def test_a_wrong_path_that_looks_like_a_webhook_is_told_the_right_one(
    start: Start, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await start(insecure=True)
    for path in WRONG * 5:
        status, said = await client.post(partner(1), path)
        assert status == 404
        assert "/webhooks/360dialog and /webhooks/meta" in said["error"]
    assert (await client.post(partner(1), "/wp-login.php"))[0] == 404
    assert (await client.get("/wp-login.php"))[0] == 404
    assert await received(client) == 0
    metrics = (await client.get("/metrics"))[1]
    assert f'relay_webhooks_refused_total{{status="404"}} {len(WRONG) * 5}.0' in metrics
    lines = [line for line in capfd.readouterr().err.splitlines() if "at a wrong path" in line]
    assert 0 < len(lines) <= 3
    assert "/webhooks/360dialog" in lines[0]
    assert "token-in-a-path" not in "".join(lines)
