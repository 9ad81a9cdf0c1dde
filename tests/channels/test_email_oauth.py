"""Logins by XOAUTH2: a fake mail server that takes tokens alone, and a fake endpoint of tokens."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from relay.channels import Destination, Outbound
from relay.channels.email import EmailChannel
from relay.channels.email.settings import EmailAccount, account_doubts
from relay.channels.registry import CHANNELS
from relay.outcomes import Outcome, OutOfOrder, RateLimited, Scope, Sent, Transient
from tests.each import each
from tests.fakes.http import DROP_AFTER, DROP_BEFORE, STALL, Reply
from tests.fakes.messages import HASTY, LOOPBACK, destination, parcel, post
from tests.fakes.smtp import FakeSmtp
from tests.fakes.tokens import TOKEN, FakeTokens, refusal

USER = "relay@example.com"
SECRET = "client-secret~of-the-tests"
REFRESH = "1//refresh-token-of-the-tests"
WRONG = "535 5.7.3 Authentication unsuccessful"


class Clock:
    """Seconds that pass when they are told to."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def smtp() -> AsyncIterator[FakeSmtp]:
    async with FakeSmtp(tokens={}) as fake:
        yield fake


@pytest.fixture
async def endpoint(smtp: FakeSmtp) -> AsyncIterator[FakeTokens]:
    async with FakeTokens(smtp, USER) as fake:
        yield fake


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def channel(clock: Clock) -> AsyncIterator[EmailChannel]:
    made = EmailChannel(LOOPBACK, clock)
    yield made
    await made.close()


def account(smtp: FakeSmtp, endpoint: FakeTokens, **oauth: Any) -> dict[str, Any]:
    login = {"token_url": endpoint.url, "client_id": "app", "client_secret": SECRET, **oauth}
    server = {"host": smtp.host, "port": smtp.port, "tls": "none", "sender": USER}
    return {**server, "username": USER, "oauth": login}


def to(smtp: FakeSmtp, endpoint: FakeTokens, who: str = "a@b.de", **oauth: Any) -> Destination:
    return destination("email", {"to": who}, account(smtp, endpoint, **oauth))


def asked(endpoint: FakeTokens) -> list[dict[str, str]]:
    """The forms that were posted, by field."""
    return [{k: v[0] for k, v in parse_qs(one.raw.decode()).items()} for one in endpoint.posts]


async def test_an_application_logs_in_by_a_token(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    outcome = await post(channel, to(smtp, endpoint, scope="mail.send"))
    assert isinstance(outcome, Sent), outcome
    assert smtp.mails[0].user == USER
    assert asked(endpoint) == [
        {
            "grant_type": "client_credentials", "client_id": "app", "client_secret": SECRET,
            "scope": "mail.send",
        }
    ]  # fmt: skip


async def test_a_refresh_token_is_shown_where_there_is_one(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    assert isinstance(await post(channel, to(smtp, endpoint, refresh_token=REFRESH)), Sent)
    assert asked(endpoint) == [
        {
            "grant_type": "refresh_token", "client_id": "app", "client_secret": SECRET,
            "refresh_token": REFRESH,
        }
    ]  # fmt: skip


@each(
    ("lifetime", "kept", "renewed"),
    [
        (3600, 3299, 3301), ("3600", 3299, 3301), (60, 53, 55), (None, 269, 271),
        ("soon", 269, 271), (-1, 269, 271), (float("nan"), 269, 271), (10**400, 269, 271),
    ],
)  # fmt: skip
async def test_a_token_is_kept_for_its_life_and_renewed_before_its_end(
    smtp: FakeSmtp, clock: Clock, channel: EmailChannel, lifetime: Any, kept: int, renewed: int
) -> None:
    async with FakeTokens(smtp, USER, lifetime) as endpoint:
        here = to(smtp, endpoint)
        began = clock.now
        for after, count in ((0, 1), (kept, 1), (renewed, 2)):
            clock.now = began + after
            assert isinstance(await post(channel, here), Sent)
            assert len(endpoint.posts) == count


async def test_while_a_token_is_good_a_dead_endpoint_does_not_matter(
    smtp: FakeSmtp, endpoint: FakeTokens, clock: Clock, channel: EmailChannel
) -> None:
    here = to(smtp, endpoint)
    assert isinstance(await post(channel, here), Sent)
    endpoint.always(Reply(503))
    clock.now += 3599
    assert isinstance(await post(channel, here), Sent)
    clock.now += 1
    assert isinstance(await post(channel, here), Transient)


async def test_a_token_that_ended_early_is_renewed_at_once(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    here = to(smtp, endpoint)
    assert isinstance(await post(channel, here), Sent)
    smtp.tokens = {}
    assert isinstance(await post(channel, here), Sent)
    assert isinstance(await post(channel, here), Sent)
    assert len(endpoint.posts) == 2


async def test_a_second_refusal_stops_the_account_until_it_is_mended(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    here = to(smtp, endpoint)
    smtp.reply("AUTH", WRONG, WRONG)
    outcome = await post(channel, here)
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.ACCOUNT
    assert "SMTP.SendAsApp" in outcome.reason
    assert "password" not in outcome.reason
    assert len(endpoint.posts) == 2
    assert isinstance(await post(channel, here), Sent)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500), Reply(503), Reply(408), DROP_BEFORE, DROP_AFTER,
        refusal("temporarily_unavailable"), refusal("server_error"),
    ],
)  # fmt: skip
async def test_an_endpoint_that_fails_is_tried_again_later(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel, reply: Reply
) -> None:
    here = to(smtp, endpoint)
    endpoint.behave(reply)
    outcome = await post(channel, here)
    assert isinstance(outcome, Transient), outcome
    assert outcome.scope is Scope.ACCOUNT
    assert smtp.commands == []
    assert isinstance(await post(channel, here), Sent)


async def test_an_endpoint_that_never_answers_is_tried_again_later(
    smtp: FakeSmtp, endpoint: FakeTokens
) -> None:
    channel = EmailChannel(HASTY)
    endpoint.behave(STALL)
    assert isinstance(await post(channel, to(smtp, endpoint)), Transient)
    await channel.close()


async def test_an_endpoint_that_nobody_keeps_is_tried_again_later(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    await endpoint.stop()
    assert isinstance(await post(channel, to(smtp, endpoint)), Transient)


async def test_an_endpoint_that_asks_to_wait_is_obeyed(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    endpoint.behave(Reply(429, headers={"Retry-After": "30"}))
    outcome = await post(channel, to(smtp, endpoint))
    assert isinstance(outcome, RateLimited)
    assert (outcome.retry_after, outcome.scope) == (30, Scope.ACCOUNT)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (refusal("invalid_client", "AADSTS7000215: Invalid client secret", 401), "client_secret"),
        (refusal("unauthorized_client", "AADSTS700016: not found"), "SMTP.SendAsApp"),
        (refusal("invalid_grant", "Token has been revoked."), "refresh_token"),
        (refusal("invalid_scope"), "scope"),
        (refusal("invalid_request", "AADSTS90002: Tenant not found"), "tenant"),
        (refusal("unsupported_grant_type"), "refresh_token"),
        (refusal("new_word"), "client_id"),
        (Reply(404, "<html>"), "token_url"),
        (Reply(302, headers={"Location": "https://elsewhere.example"}), "redirect"),
        (Reply(200, "<html>"), "without a token"),
        (Reply(200, '{"access_token": "two words"}'), "without a token"),
        (Reply(200, '["access_token"]'), "without a token"),
        (Reply(400, '{"error": {"code": 7}}'), "client_id"),
    ],
)
async def test_an_endpoint_that_refuses_stops_the_account_and_says_what_helps(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel, reply: Reply, words: str
) -> None:
    endpoint.behave(reply)
    here = to(smtp, endpoint, refresh_token=REFRESH)
    outcome = await post(channel, here)
    assert isinstance(outcome, OutOfOrder), outcome
    assert outcome.scope is Scope.ACCOUNT
    assert words in outcome.reason
    assert smtp.commands == []
    assert isinstance(await post(channel, here), Sent)


async def test_all_who_wait_for_a_token_share_one_request(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    here = [to(smtp, endpoint, f"p{number}@b.de") for number in range(6)]
    outcomes = await asyncio.gather(*(post(channel, one) for one in here))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert len(endpoint.posts) == 1


async def test_one_who_gives_up_waiting_ends_it_for_nobody(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    endpoint.behave(Reply(body='{"access_token": "t"}', drip=0.01))
    smtp.tokens = {USER: "t"}
    first = asyncio.create_task(post(channel, to(smtp, endpoint)))
    await endpoint.wait_for(1)
    second = asyncio.create_task(post(channel, to(smtp, endpoint, "c@b.de")))
    first.cancel()
    assert isinstance(await second, Sent)
    assert len(endpoint.posts) == 1


async def test_a_restart_and_new_settings_fetch_anew(
    smtp: FakeSmtp, endpoint: FakeTokens, channel: EmailChannel
) -> None:
    assert isinstance(await post(channel, to(smtp, endpoint)), Sent)
    again = EmailChannel(LOOPBACK)
    assert isinstance(await post(again, to(smtp, endpoint)), Sent)
    await again.close()
    assert isinstance(await post(channel, to(smtp, endpoint, client_secret="new")), Sent)
    assert [one["client_secret"] for one in asked(endpoint)] == [SECRET, SECRET, "new"]


async def test_closing_ends_what_is_under_way(smtp: FakeSmtp, endpoint: FakeTokens) -> None:
    channel = EmailChannel(LOOPBACK)
    endpoint.behave(STALL)
    waiting = asyncio.create_task(post(channel, to(smtp, endpoint)))
    await endpoint.wait_for(1)
    await channel.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_an_endpoint_on_a_private_address_is_not_asked(
    smtp: FakeSmtp, endpoint: FakeTokens
) -> None:
    here = to(smtp, endpoint, token_url=endpoint.url.replace("127.0.0.1", "localhost"))
    channel = EmailChannel(Outbound())
    outcome = await post(channel, here)
    assert isinstance(outcome, OutOfOrder)
    assert "RELAY_ALLOW_PRIVATE_DESTINATIONS" in outcome.reason
    assert endpoint.connections == 0
    await channel.close()
    for url in ("https://10.0.0.1/token", "http://login.example.com/token"):
        with pytest.raises(ValueError, match=r"token_url of accounts\.email\.oauth"):
            destination(
                "email", {"to": "a@b.de"}, account(smtp, endpoint, token_url=url),
                outbound=Outbound(),
            )  # fmt: skip


async def test_a_server_that_offers_no_login_by_token(
    endpoint: FakeTokens, channel: EmailChannel
) -> None:
    async with FakeSmtp(users={USER: "p"}) as smtp:
        outcome = await post(channel, to(smtp, endpoint))
        assert isinstance(outcome, OutOfOrder)
        assert "XOAUTH2" in outcome.reason
        assert smtp.mails == []


async def test_a_password_where_tokens_alone_are_taken_names_oauth(
    smtp: FakeSmtp, channel: EmailChannel
) -> None:
    server = {"host": smtp.host, "port": smtp.port, "tls": "none", "sender": USER}
    here = destination("email", {"to": "a@b.de"}, {**server, "username": USER, "password": "p"})
    outcome = await post(channel, here)
    assert isinstance(outcome, OutOfOrder)
    assert "oauth of accounts.email" in outcome.reason
    assert "AUTH" not in smtp.commands


@each(
    ("reply", "remedy"),
    [
        ("550 5.7.30 Basic authentication is not supported for Client Submission.", "oauth"),
        ("534 5.7.9 Application-specific password required.", "oauth"),
        ("535 5.7.139 Authentication unsuccessful, basic authentication is disabled.", "oauth"),
        (
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the "
            "Tenant.",
            "authenticated SMTP",
        ),
    ],
)
async def test_a_password_that_microsoft_takes_no_more(
    channel: EmailChannel, reply: str, remedy: str
) -> None:
    async with FakeSmtp(users={USER: "p"}) as smtp:
        smtp.always("AUTH", reply)
        server = {"host": smtp.host, "port": smtp.port, "tls": "none", "sender": USER}
        here = destination("email", {"to": "a@b.de"}, {**server, "username": USER, "password": "p"})
        outcome = await post(channel, here)
        assert isinstance(outcome, OutOfOrder)
        assert outcome.scope is Scope.ACCOUNT
        assert remedy in outcome.reason.partition("): ")[2]


async def test_no_secret_and_no_token_is_told(
    smtp: FakeSmtp,
    endpoint: FakeTokens,
    channel: EmailChannel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Not even when a server repeats them, in whole or in part."""
    caplog.set_level(logging.DEBUG)
    here = to(smtp, endpoint, refresh_token=REFRESH)
    told = [repr(here), repr(channel.payload(here, parcel()))]
    outcomes: list[Outcome] = []
    for words in (SECRET, REFRESH, base64.b64encode(SECRET.encode()).decode()):
        endpoint.behave(refusal("invalid_client", f"what is {words}"), refusal(words))
        outcomes += [await post(channel, here), await post(channel, here)]
    for number in (1, 3, 5, 7):
        one, two = TOKEN.format(number), TOKEN.format(number + 1)
        line = base64.b64encode(f"user={USER}\1auth=Bearer {two}\1\1".encode()).decode()
        echo = {1: two, 3: line, 5: line[:200], 7: two[:100]}[number]
        smtp.reply("AUTH", WRONG, f"535 5.7.3 AUTH XOAUTH2 {echo}")
        outcomes.append(await post(channel, here))
        assert one not in repr(outcomes)
    smtp.reply("DOT", f"554 5.0.0 {TOKEN.format(8)}")
    outcomes.append(await post(channel, here))
    assert not [outcome for outcome in outcomes if isinstance(outcome, Sent)]
    text = "\n".join([*told, *map(repr, outcomes), caplog.text])
    for hidden in (SECRET, REFRESH, TOKEN[:20], base64.b64encode(SECRET.encode()).decode()):
        assert hidden not in text
    assert base64.b64encode(f"user={USER}".encode()).decode()[:20] not in text


WHOLE = {
    "tenant": "example.onmicrosoft.com", "client_id": "app", "client_secret": SECRET,
}  # fmt: skip


def with_oauth(changes: dict[str, Any], **more: Any) -> EmailAccount:
    oauth = {key: value for key, value in {**WHOLE, **changes}.items() if value is not None}
    server = {"host": "smtp.office365.com", "tls": "starttls", "sender": USER, "username": USER}
    shape = {**server, "oauth": oauth, **more}
    made = CHANNELS["email"].account
    assert made is EmailAccount
    return EmailAccount(**{key: value for key, value in shape.items() if value is not None})


def test_a_tenant_is_microsofts_endpoint_and_scope() -> None:
    oauth = with_oauth({}).oauth
    assert oauth is not None
    assert oauth.endpoint == (
        "https://login.microsoftonline.com/example.onmicrosoft.com/oauth2/v2.0/token"
    )
    assert oauth.request()["scope"] == "https://outlook.office365.com/.default"


@each(
    "wrong",
    [
        {"tenant": None}, {"token_url": "https://login.example.com/token"}, {"tenant": "a/../b"},
        {"client_id": None}, {"client_secret": None}, {"extra": "x"},
    ],
)  # fmt: skip
def test_oauth_is_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        with_oauth(wrong)


@pytest.mark.parametrize("wrong", [{"password": "p"}, {"username": None}])
def test_oauth_stands_with_a_user_and_without_a_password(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="oauth"):
        with_oauth({}, **wrong)


def test_other_secrets_are_another_fingerprint(smtp: FakeSmtp, endpoint: FakeTokens) -> None:
    one, two = (to(smtp, endpoint, client_secret=secret) for secret in ("one", "two"))
    assert one.fingerprint != two.fingerprint
    assert one.account == two.account


@each(
    ("host", "named"),
    [
        ("smtp.office365.com", "Microsoft"), ("SMTP-mail.outlook.com", "Microsoft"),
        ("smtp.outlook.com", "Microsoft"), ("smtp.gmail.com", "Google"),
        ("smtp-relay.gmail.com.", "Google"), ("smtp.example.com", ""),
        ("outlook.com.example.com", ""),
    ],
)  # fmt: skip
def test_a_password_at_microsoft_or_google_is_doubted(host: str, named: str) -> None:
    server = {"host": host, "tls": "starttls", "sender": USER}
    doubts = account_doubts(EmailAccount(**server, username=USER, password="p"))
    assert [(key, named in words and "oauth" in words) for key, words in doubts] == (
        [("password", True)] if named else []
    )
    assert account_doubts(EmailAccount(**server)) == ()
    assert account_doubts(EmailAccount(**server, username=USER, oauth=WHOLE)) == ()
