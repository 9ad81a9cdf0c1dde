"""Who may see the page, and what a session's cookie and forms are good for."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.app import App
from relay.errors import UsageError
from relay.settings import from_environment
from relay.web.page.sessions import COOKIE, LASTS, Attempts
from tests.client import Client, partner
from tests.conftest import RULES, Start
from tests.each import each

ANNA, BEN = "a-token-of-anna", "a-token-of-ben"
TOKENS = {"admin_token": f"anna:{ANNA} ben:{BEN}"}


class Visitor:
    """A browser without a window: it keeps one cookie and finds the token of forms."""

    def __init__(self, client: Client, **headers: str) -> None:
        self.client = client
        self.headers = headers
        self.cookie = ""
        self.form_token = ""

    async def get(self, path: str = "/") -> tuple[int, str]:
        async with self.client.session.get(
            self.client.url + path, headers=self._sent(), allow_redirects=False
        ) as answer:
            return answer.status, await self._read(answer)

    async def post(self, path: str, **fields: str) -> tuple[int, str]:
        async with self.client.session.post(
            self.client.url + path, data=fields, headers=self._sent(), allow_redirects=False
        ) as answer:
            return answer.status, await self._read(answer)

    async def enter(self, token: str) -> int:
        status, _ = await self.post("/login", token=token, to="/")
        if status == 303:
            await self.get()
        return status

    def _sent(self) -> dict[str, str]:
        return {**self.headers, **({"Cookie": f"{COOKIE}={self.cookie}"} if self.cookie else {})}

    async def _read(self, answer: Any) -> str:
        self.answer = answer
        self.client.session.cookie_jar.clear()
        if COOKIE in answer.cookies:
            self.cookie = answer.cookies[COOKIE].value
        text: str = await answer.text()
        if found := re.search(r'name="form-token" content="([0-9a-f]+)"', text):
            self.form_token = found[1]
        return text


@pytest.fixture
async def client(start: Start) -> Client:
    return await start(**TOKENS)


async def entered(client: Client, token: str = ANNA) -> Visitor:
    visitor = Visitor(client)
    assert await visitor.enter(token) == 303
    return visitor


@each("path", ["/", "/?x=1"])
async def test_without_a_login_a_page_is_its_form(client: Client, path: str) -> None:
    status, text = await Visitor(client).get(path)
    assert status == 401
    assert "Your admin token" in text
    assert "Destinations" not in text


async def test_the_token_opens_the_page_and_names_the_operator(client: Client) -> None:
    visitor = await entered(client, BEN)
    status, text = await visitor.get()
    assert status == 200
    assert "<bdi>ben</bdi>" in text


async def test_a_bearer_opens_it_too(client: Client) -> None:
    assert (await Visitor(client, Authorization=f"Bearer {ANNA}").get())[0] == 200


async def test_the_cookie_is_for_this_site_and_no_script(client: Client) -> None:
    visitor = Visitor(client)
    await visitor.post("/login", token=ANNA)
    said = visitor.answer.headers["Set-Cookie"]
    assert "HttpOnly" in said
    assert "SameSite=Lax" in said
    assert "Secure" not in said


async def test_over_tls_the_cookie_never_goes_without(client: Client) -> None:
    visitor = Visitor(client, Origin="https://relay.example.com")
    await visitor.post("/login", token=ANNA)
    assert "Secure" in visitor.answer.headers["Set-Cookie"]


async def test_every_page_forbids_code_in_itself_and_anything_from_elsewhere(
    client: Client,
) -> None:
    visitor = await entered(client)
    for path in ("/", "/page/page.css", "/nothing-there"):
        status, _ = await visitor.get(path)
        if status == 200:
            policy = visitor.answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy


async def test_a_form_of_another_session_changes_nothing(client: Client) -> None:
    anna, ben = await entered(client, ANNA), await entered(client, BEN)
    second = await entered(client, ANNA)
    for token in ("", "0" * 64, ben.form_token, second.form_token):
        status, text = await anna.post("/logout", form_token=token)
        assert status == 403
        assert "Nothing was done" in text
    assert (await anna.get())[0] == 200


async def test_a_form_that_a_browser_says_is_from_elsewhere_changes_nothing(
    client: Client,
) -> None:
    anna = await entered(client)
    anna.headers["Sec-Fetch-Site"] = "cross-site"
    assert (await anna.post("/logout", form_token=anna.form_token))[0] == 403
    assert (await Visitor(client, **anna.headers).post("/login", token=ANNA))[0] == 403


async def test_after_the_logout_neither_cookie_nor_form_is_good_for_anything(
    client: Client,
) -> None:
    anna, other = await entered(client), await entered(client)
    assert (await anna.post("/logout", form_token=anna.form_token))[0] == 303
    cookie, token = anna.cookie, anna.form_token
    anna.cookie = cookie
    assert (await anna.get())[0] == 401
    assert (await anna.post("/logout", form_token=token))[0] == 401
    assert (await other.get())[0] == 200


async def test_a_logout_outlives_a_restart_and_a_rotated_token_ends_its_sessions(
    start: Start,
) -> None:
    first = await start(**TOKENS)
    left, anna, ben = await entered(first), await entered(first), await entered(first, BEN)
    kept = left.cookie
    await left.post("/logout", form_token=left.form_token)
    await first.app.stop(grace=0.5)
    client = await start(admin_token=f"anna:another-token-of-anna ben:{BEN}")
    left.cookie = kept
    for visitor in (left, anna, ben):
        visitor.client = client
    assert [(await one.get())[0] for one in (left, anna, ben)] == [401, 401, 200]
    assert (await anna.post("/logout", form_token=anna.form_token))[0] == 401


async def test_a_session_ends_after_a_day_of_work(client: Client) -> None:
    anna = await entered(client)
    sessions = await _sessions(client.app, anna)
    now = datetime.now(UTC)
    assert await sessions.known(anna.cookie, now) is not None
    assert await sessions.known(anna.cookie, now + LASTS + timedelta(minutes=1)) is None


async def _sessions(app: App, visitor: Visitor) -> Any:
    from relay.web.page.sessions import Sessions

    return Sessions(app.store, app.settings.operators)


@each("place", range(5))
async def test_no_part_of_a_cookie_can_be_changed(client: Client, place: int) -> None:
    anna = await entered(client)
    parts = anna.cookie.split(".")
    for other in ("", "0", "token", "YmVu", parts[place][:-1] + "0", "9" * 30):
        if other != parts[place]:
            anna.cookie = ".".join([*parts[:place], other, *parts[place + 1 :]])
            assert (await anna.get())[0] == 401


async def test_the_api_takes_a_session_and_for_changes_its_form_token(client: Client) -> None:
    anna = await entered(client)
    assert (await anna.get("/api/status"))[0] == 200
    assert anna.answer.headers["Cache-Control"] == "no-store"
    assert (await anna.post("/api/reload"))[0] == 401
    anna.headers["X-Form-Token"] = anna.form_token
    assert (await anna.post("/api/reload"))[0] == 200
    await anna.post("/logout", form_token=anna.form_token)
    assert (await anna.get("/api/status"))[0] == 401


async def test_who_guesses_tokens_waits_longer_each_time(client: Client) -> None:
    visitor = Visitor(client)
    for _ in range(Attempts.FREE):
        assert (await visitor.post("/login", token="wrong"))[0] == 401
    status, text = await visitor.post("/login", token=ANNA)
    assert status == 429
    assert "Try again in" in text
    assert int(visitor.answer.headers["Retry-After"]) >= 1


async def test_behind_a_proxy_a_guesser_is_known_by_what_the_proxy_adds(start: Start) -> None:
    """In a header of its own, behind the one that the guesser wrote."""
    client = await start(**TOKENS, proxy=proxy("127.0.0.1"))
    statuses = []
    for number in range(Attempts.FREE + 1):
        headers = [("X-Forwarded-For", f"10.1.1.{number}"), ("X-Forwarded-For", "192.0.2.7")]
        async with client.session.post(
            client.url + "/login", data={"token": "wrong"}, headers=headers
        ) as answer:
            statuses.append(answer.status)
    assert statuses == [401] * Attempts.FREE + [429]


@each(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"token=\xff"),
        ("application/x-www-form-urlencoded; charset=klingon", b"token=x"),
        ("application/x-www-form-urlencoded; charset=utf-16", b"token=x"),
        ("multipart/form-data; boundary=x", b"token=x"),
        ("text/plain", b"\0"),
    ],
)
async def test_what_is_no_form_is_a_wrong_token(client: Client, kind: str, body: bytes) -> None:
    async with client.session.post(
        client.url + "/login", data=body, headers={"Content-Type": kind}
    ) as answer:
        assert answer.status == 401
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


@each("query", ["path=1", "self=1", "%0d%0aSet-Cookie:%20a=1", "a%22%3E=%0a&b=%C3%A9"])
async def test_a_query_stays_one_where_a_page_leads_on(client: Client, query: str) -> None:
    await client.post(partner(), headers={"Authorization": "hook"})
    anna = await entered(client)
    name = re.findall(r"/events/([0-9a-f]{20})", (await anna.get("/events"))[1])[0]
    assert (await anna.get(f"/events/{name[:6]}?{query}"))[0] == 303
    assert anna.answer.headers["Location"].startswith(f"/events/{name}?")
    assert "a" not in anna.answer.cookies


def test_a_wait_doubles_up_to_half_a_minute_and_ends_with_the_right_token() -> None:
    attempts = Attempts()
    now, waits = 0.0, []
    for _ in range(13):
        attempts.failed("10.0.0.1", now)
        waits.append(attempts.wait("10.0.0.1", now))
        now += waits[-1]
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert attempts.wait("10.0.0.2", now) == 0
    attempts.succeeded("10.0.0.1")
    assert attempts.wait("10.0.0.1", now) == 0


@each(
    "to",
    ["//evil.example", "//[", "/\\evil.example", "https://evil.example", "javascript:alert(1)"],
)
async def test_a_login_leads_to_no_other_site(client: Client, to: str) -> None:
    visitor = Visitor(client)
    assert (await visitor.post("/login", token=ANNA, to=to))[0] == 303
    assert visitor.answer.headers["Location"] == "/"


async def test_a_login_leads_to_the_page_that_was_asked_for(client: Client) -> None:
    visitor = Visitor(client)
    _, text = await visitor.get("/?at=night&x=%22")
    assert 'value="/?at=night&amp;x=%22"' in text


def proxy(address: str) -> Any:
    env = {"RELAY_ADMIN_USER_HEADER": "X-Forwarded-User", "RELAY_ADMIN_PROXY": address}
    return from_environment(env, {}).proxy


async def test_the_proxy_names_the_operator(start: Start) -> None:
    client = await start(**TOKENS, proxy=proxy("127.0.0.0/8"))
    visitor = Visitor(client, **{"X-Forwarded-User": "carla@example.com"})
    status, text = await visitor.get()
    assert status == 200
    assert "carla@example.com" in text
    assert "Log out" not in text
    assert (await visitor.post("/rules/publish", form_token=visitor.form_token))[0] == 303
    visitor.headers["X-Forwarded-User"] = "dora@example.com"
    assert (await visitor.post("/rules/publish", form_token=visitor.form_token))[0] == 403


async def test_from_elsewhere_the_header_of_the_proxy_means_nothing(start: Start) -> None:
    client = await start(**TOKENS, proxy=proxy("10.9.8.7"))
    visitor = Visitor(client, **{"X-Forwarded-User": "carla@example.com"})
    assert (await visitor.get())[0] == 401
    assert visitor.cookie == ""


async def test_the_session_of_a_proxy_ends_with_its_header(start: Start) -> None:
    client = await start(**TOKENS, proxy=proxy("127.0.0.1"))
    visitor = Visitor(client, **{"X-Forwarded-User": "carla"})
    await visitor.get()
    assert visitor.cookie
    visitor.headers.clear()
    assert (await visitor.get())[0] == 401
    assert (await visitor.get("/api/status"))[0] == 401


@each(
    ("header", "address"),
    [("X-User", ""), ("", "10.0.0.1"), ("X User", "10.0.0.1"), ("X-User", "proxy.example.com")],
)
def test_half_a_proxy_is_refused(header: str, address: str) -> None:
    env = {"RELAY_ADMIN_USER_HEADER": header, "RELAY_ADMIN_PROXY": address}
    with pytest.raises(UsageError, match="RELAY_ADMIN_"):
        from_environment(env, {})


async def test_the_page_stands_behind_the_address_for_admins_alone(start: Start) -> None:
    from relay.settings import Address

    client = await start(**TOKENS, admin_listen=Address("127.0.0.1", 0))
    assert (await client.get("/"))[0] == 404
    client.url = f"http://{client.app.addresses[1]}"
    assert (await Visitor(client).get())[0] == 401


async def test_where_no_token_is_set_the_form_says_so(start: Start) -> None:
    client = await start(admin_token="")
    status, text = await Visitor(client).get()
    assert status == 401
    assert "RELAY_ADMIN_TOKEN" in text


async def test_of_those_who_publish_at_the_same_moment_one_is_told_of_the_other(
    client: Client, folder: Path
) -> None:
    anna, ben = await entered(client), await entered(client, BEN)
    base = re.findall(r'name="base" value="(\w+)"', (await anna.get("/rules/edit"))[1])[0]

    async def publish(visitor: Visitor, name: str) -> str:
        fields = {"file": "rules.yaml", "base": base, "reason": "why not", "do": "publish"}
        text = RULES.replace("name: Everything", f"name: {name}")
        fields |= {"text": text, "form_token": visitor.form_token}
        return (await visitor.post("/rules/edit", **fields))[1]

    said = await asyncio.gather(publish(anna, "Of anna"), publish(ben, "Of ben"))
    assert sorted("changed this file meanwhile" in one for one in said) == [False, True]
    winner = said.index(min(said, key=lambda one: "changed this file meanwhile" in one))
    assert ("Of anna", "Of ben")[winner] in (folder / "rules.yaml").read_text()


async def test_only_files_of_the_rules_are_downloaded(client: Client) -> None:
    anna = await entered(client)
    for name in ('x"; filename="y.exe', "x\r\nSet-Cookie: a=1", "../relay.db"):
        fields = {"file": name, "text": "x", "do": "download", "form_token": anna.form_token}
        assert (await anna.post("/rules/edit", **fields))[0] == 404
