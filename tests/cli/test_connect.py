"""`relay connect` against a fake of 360dialog's Partner API on loopback."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from relay import cli
from relay.cli.connect import checked
from relay.errors import UsageError
from relay.partner_api import PartnerApiError, connect
from tests.each import each
from tests.fakes.partner_api import KEY, FakePartnerApi

OURS = "https://relay.example.com/webhooks/360dialog"
THEIRS = "https://crm.example.net/hook?token=of-somebody-else"
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def fake() -> AsyncIterator[FakePartnerApi]:
    async with FakePartnerApi() as one:
        yield one


@pytest.fixture
def run(
    fake: FakePartnerApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run `relay connect`; whatever it says, it never says the key."""
    monkeypatch.setenv("RELAY_360DIALOG_PARTNER_ID", "dev01PA")
    monkeypatch.setenv("RELAY_360DIALOG_API_KEY", KEY)
    monkeypatch.setenv("RELAY_360DIALOG_API_URL", fake.url)

    async def go(*options: str, stdin: str = "", **env: str) -> tuple[int, str, str]:
        with monkeypatch.context() as here:
            here.setattr(sys, "stdin", io.StringIO(stdin))
            for name, value in env.items():
                here.setenv(name, value)
            code = await asyncio.to_thread(cli.run, ["connect", *options])
        told = capsys.readouterr()
        assert KEY not in told.out + told.err
        return code, told.out, told.err

    return go


def methods(fake: FakePartnerApi) -> list[str]:
    return [request.method for request in fake.asked]


async def test_it_shows_what_is_registered_and_changes_nothing(
    run: Run, fake: FakePartnerApi
) -> None:
    fake.webhook_url = OURS
    code, out, err = await run()
    assert (code, err) == (0, "")
    assert out == f"360dialog posts Partner events to {OURS}\n"
    assert methods(fake) == ["GET"]


async def test_it_warns_where_something_else_is_registered_and_hides_its_secret(
    run: Run, fake: FakePartnerApi
) -> None:
    fake.webhook_url = THEIRS
    code, out, err = await run()
    assert code == 0
    assert "https://crm.example.net/hook?…" in out
    assert "warning: that is not a relay's address" in err
    assert "of-somebody-else" not in out + err


@pytest.mark.parametrize("nothing", [None, "", " "])
async def test_it_says_when_nothing_is_registered(
    run: Run, fake: FakePartnerApi, nothing: str | None
) -> None:
    fake.webhook_url = nothing
    code, out, _ = await run()
    assert code == 0
    assert "no webhook URL is registered" in out


async def test_it_registers_and_reads_back(run: Run, fake: FakePartnerApi) -> None:
    fake.webhook_url = THEIRS
    code, out, err = await run("--url", OURS, "--yes")
    assert code == 0
    assert "This REPLACES https://crm.example.net/hook?…" in err
    assert f"360dialog posts Partner events to {OURS}\nas you asked for\n" == out
    assert fake.webhook_url == OURS
    assert methods(fake) == ["GET", "POST", "GET"]
    assert {request.headers["X-API-Key"] for request in fake.asked} == {KEY}


async def test_an_api_without_that_path_is_asked_for_the_partner_itself(
    run: Run, fake: FakePartnerApi
) -> None:
    fake.knows_path, fake.webhook_url = False, THEIRS
    assert (await run("--url", OURS, "--yes"))[0] == 0
    assert fake.webhook_url == OURS
    assert "PATCH" in methods(fake)


@pytest.mark.parametrize(
    ("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("", 1)]
)
async def test_it_asks_before_it_replaces(
    run: Run, fake: FakePartnerApi, answer: str, code: int
) -> None:
    fake.webhook_url = THEIRS
    told = await run("--url", OURS, stdin=answer)
    assert told[0] == code
    assert told[2].index("REPLACES") < told[2].index("[y/N]")
    assert fake.webhook_url == (THEIRS if code else OURS)


async def test_what_is_registered_already_is_not_registered_again(
    run: Run, fake: FakePartnerApi
) -> None:
    fake.webhook_url = OURS
    code, out, _ = await run("--url", OURS)
    assert code == 0
    assert "nothing to change" in out
    assert methods(fake) == ["GET"]


async def test_a_url_that_was_not_taken_is_said(run: Run, fake: FakePartnerApi) -> None:
    fake.webhook_url, fake.takes_url = THEIRS, False
    code, out, err = await run("--url", OURS, "--yes")
    assert code == 1
    assert "crm.example.net" in out
    assert f"warning: {OURS} was not registered" in err


async def test_json_is_one_line_also_when_it_asks(run: Run, fake: FakePartnerApi) -> None:
    fake.webhook_url = THEIRS
    code, out, _ = await run("--json")
    assert code == 0
    assert json.loads(out) == {
        "registered": "https://crm.example.net/hook?…",
        "is_relay": False,
        "wanted": None,
        "changed": False,
    }
    code, out, _ = await run("--json", "--url", OURS, stdin="y\n")
    assert code == 0
    shape = {"registered": OURS, "is_relay": True, "wanted": OURS, "changed": True}
    assert json.loads(out) == shape


@pytest.mark.parametrize("missing", ["RELAY_360DIALOG_PARTNER_ID", "RELAY_360DIALOG_API_KEY"])
async def test_a_missing_setting_is_named(run: Run, missing: str) -> None:
    code, _, err = await run(**{missing: ""})
    assert code == 2
    assert err == f"relay: set {missing}: both stand in 360dialog's Partner Hub\n"


async def test_a_wrong_key_and_a_wrong_partner_are_told_apart(run: Run) -> None:
    code, _, err = await run(RELAY_360DIALOG_API_KEY="wrong")
    assert code == 1
    assert "refuses the key" in err
    code, _, err = await run(RELAY_360DIALOG_PARTNER_ID="other")
    assert code == 1
    assert "knows no such partner" in err


async def test_a_bad_url_is_refused_before_anything_is_asked(
    run: Run, fake: FakePartnerApi
) -> None:
    code, _, err = await run("--url", "http://relay.example.com/webhooks/360dialog", "--yes")
    assert code == 2
    assert err.startswith("relay: --url: ")
    assert fake.asked == []


async def test_a_redirect_is_not_followed_so_the_key_stays_here(
    run: Run, fake: FakePartnerApi
) -> None:
    async with FakePartnerApi() as other:
        place = f"{other.url}/api/v2/partners/dev01PA/webhook_url"
        for status in (302, 307, 308):
            fake.script = [web.Response(status=status, headers={"Location": place})]
            code, _, err = await run()
            assert code == 1
            assert f"answers {status}" in err
        assert other.asked == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("<html>", "no JSON"),
        ('{"webhook_url": 7}', "names no webhook URL"),
        ("[]", "names no webhook URL"),
        ("null", "names no webhook URL"),
        ('{"url": "https://x.example"}', "names no webhook URL"),
    ],
)
async def test_an_answer_that_says_nothing_is_one_clear_line(
    fake: FakePartnerApi, body: str, said: str
) -> None:
    fake.script = [web.Response(text=body)]
    with pytest.raises(PartnerApiError, match=said):
        async with connect(fake.access()) as api:
            await api.webhook_url()


@pytest.mark.parametrize("wrapping", ["data", "partner"])
async def test_a_wrapped_answer_is_read_too(fake: FakePartnerApi, wrapping: str) -> None:
    fake.script = [web.json_response({wrapping: {"webhook_url": OURS}})]
    async with connect(fake.access()) as api:
        assert await api.webhook_url() == OURS


async def test_hostile_texts_of_the_api_do_not_steer_the_terminal(
    run: Run, fake: FakePartnerApi
) -> None:
    fake.webhook_url = "https://[\x1b[2J\nwarning: gone"
    code, out, _ = await run()
    assert code == 0
    assert "\x1b" not in out
    fake.webhook_url = "https://x.example/\x1b[2J\u202e/webhooks/360dialog"
    _, out, _ = await run()
    assert "\x1b" not in out
    assert "\u202e" not in out


async def pauseless(_: float) -> None:
    """Time is not what these tests are about."""


async def test_what_cannot_be_asked_now_is_asked_again(fake: FakePartnerApi) -> None:
    fake.script = [web.Response(status=429), web.Response(status=503)]
    async with connect(fake.access(), pause=pauseless, tries=3) as api:
        await api.set_webhook_url(OURS)
    assert fake.webhook_url == OURS


@pytest.mark.parametrize(
    ("status", "said"), [(429, "is not known"), (400, "nothing was changed"), (401, "the key")]
)
async def test_a_refused_change_says_what_is_known(
    fake: FakePartnerApi, status: int, said: str
) -> None:
    fake.script = [web.Response(status=status) for _ in range(3)]
    with pytest.raises(PartnerApiError, match=said):
        async with connect(fake.access(), pause=pauseless, tries=3) as api:
            await api.set_webhook_url(OURS)


async def test_one_that_stalls_is_given_up(fake: FakePartnerApi) -> None:
    over = asyncio.Event()

    async def stall(_: object, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    access = fake.access(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    try:
        with pytest.raises(PartnerApiError, match=r"cannot be reached \(.*Timeout.*\), 2 times"):
            async with connect(access, pause=pauseless, patience=0.05, tries=2) as api:
                await api.webhook_url()
    finally:
        over.set()
        server.close()
        await server.wait_closed()


@pytest.mark.parametrize(
    "url",
    [OURS, "https://relay.example.com/a?token=x", "https://8.8.8.8/webhooks/360dialog", f" {OURS}"],
)
def test_a_url_that_360dialog_can_reach_is_taken(url: str) -> None:
    assert checked(url) == url.strip()


@each(
    ("url", "said"),
    [
        ("http://relay.example.com/webhooks/360dialog", "https only"),
        ("relay.example.com/webhooks/360dialog", "https only"),
        ("https:///webhooks/360dialog", "https only"),
        ("", "https only"),
        ("https://re_lay.example.com/webhooks/360dialog", "underscore"),
        ("https://relay.example.com:8443/webhooks/360dialog", "no port"),
        ("https://relay.example.com:443/webhooks/360dialog", "no port"),
        ("https://relay.example.com:/webhooks/360dialog", "no port"),
        ("https://relay.example.com:x/webhooks/360dialog", "no port"),
        ("https://[2606:4700::1]:443/webhooks/360dialog", "no port"),
        ("https://localhost/webhooks/360dialog", "open Internet"),
        ("https://relay/webhooks/360dialog", "open Internet"),
        ("https://relay.local/webhooks/360dialog", "open Internet"),
        ("https://relay.internal./webhooks/360dialog", "open Internet"),
        ("https://127.0.0.1/webhooks/360dialog", "open Internet"),
        ("https://2130706433/webhooks/360dialog", "open Internet"),
        ("https://0x7f.1/webhooks/360dialog", "open Internet"),
        ("https://10.1.2.3/webhooks/360dialog", "open Internet"),
        ("https://[::1]/webhooks/360dialog", "open Internet"),
        ("https://[::ffff:10.0.0.1]/webhooks/360dialog", "open Internet"),
        ("https://me:secret@relay.example.com/webhooks/360dialog", "without a user name"),
        ("https://relay.example.com/webhooks/360dialog#x", "without a user name"),
        ("https://relay.example.com/a b", "no URL has"),
        ("https://relay.example.com/\x00", "no URL has"),
        ("https://rélay.example.com/webhooks/360dialog", "no URL has"),
        ("https://[half/webhooks/360dialog", "such as"),
        ("https://relay.example.com", "name it whole"),
        ("https://relay.example.com/", "name it whole"),
    ],
)
def test_a_url_that_360dialog_cannot_reach_is_refused_in_words(url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        checked(url)
    assert "secret" not in str(caught.value)
