"""Slack's channel against a fake that accepts, refuses, stalls, drips, drops and lies."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from relay.channels import NO_PACE, Channel, Outbound, Pace
from relay.channels.registry import CHANNELS
from relay.channels.settings import fingerprint
from relay.channels.slack import SlackChannel
from relay.channels.slack.settings import SlackAccount, SlackSettings
from relay.outcomes import Ambiguous, OutOfOrder, Proof, RateLimited, Scope, Sent, Transient
from tests.each import each
from tests.fakes.messages import HASTY, LOOPBACK, destination, message, post
from tests.fakes.slack import DROP_AFTER, DROP_BEFORE, STALL, FakeSlack, Reply, error
from tests.fakes.tls import Authority

TOKEN = "xoxb-very-secret-token"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    opened = SlackChannel(LOOPBACK)
    yield opened
    await opened.close()


@pytest.fixture
async def hasty() -> AsyncIterator[Channel]:
    opened = SlackChannel(HASTY)
    yield opened
    await opened.close()


def bot(slack: FakeSlack, name: str = "#wa") -> object:
    return destination("slack", {"channel": name}, {"token": TOKEN, "api_url": slack.api_url})


def test_settings_come_as_text_and_unknown_keys_are_errors() -> None:
    kind = CHANNELS["slack"]
    with pytest.raises(ValueError, match="channell"):
        kind.destination(channell="#x")
    with pytest.raises(ValueError, match="either channel"):
        kind.destination(channel="#x", webhook="https://x.example")
    with pytest.raises(ValueError, match="either channel"):
        kind.destination()


@each("name", ["", "#", "# wa", "a b", "a,b", "<!here>", "#a\n", "x" * 90])
def test_channel_name_is_checked(name: str) -> None:
    with pytest.raises(ValueError):
        CHANNELS["slack"].destination(channel=name)


def test_same_channel_is_one_lane_however_it_is_spelled() -> None:
    one, two, other = (
        destination("slack", {"channel": name}, {"token": TOKEN}) for name in ("#WA", "wa", "#b")
    )
    assert one.target == two.target != other.target
    assert one.account == other.account
    assert TOKEN not in repr(one)


def test_other_token_is_another_account_and_fingerprint() -> None:
    one, two = (
        destination("slack", {"channel": "#a"}, {"token": token}) for token in ("xoxb-1", "xoxb-2")
    )
    assert one.account != two.account
    assert one.fingerprint != two.fingerprint


def test_a_fingerprint_tells_an_edit_and_needs_the_key_of_its_journal() -> None:
    def made(key: bytes, name: str) -> str:
        settings, account = SlackSettings(channel="#a"), SlackAccount(token=SecretStr(name))
        return fingerprint(key, settings, account)

    assert made(b"1", "xoxb-1") == made(b"1", "xoxb-1")
    assert len({made(key, name) for key in (b"1", b"2") for name in ("xoxb-1", "xoxb-2")}) == 4


def test_pace_is_slacks_unless_given() -> None:
    hook = {"webhook": "https://hooks.slack.com/services/T/B/x"}
    assert destination("slack", hook).pace == Pace(1, 1, 3)
    assert destination("slack", hook, pace=NO_PACE).pace == NO_PACE
    assert destination("slack", hook).target.startswith("slack-hook:")
    assert not CHANNELS["slack"].account_needed(CHANNELS["slack"].destination(**hook))


def test_workflow_trigger_is_doubted() -> None:
    kind = CHANNELS["slack"]
    assert kind.doubts(kind.destination(webhook="https://hooks.slack.com/triggers/T/1/x"))
    assert not kind.doubts(kind.destination(webhook="https://hooks.slack.com/services/T/B/x"))
    assert not kind.doubts(kind.destination(channel="#a"))


def test_channel_without_account_is_told() -> None:
    with pytest.raises(ValueError, match=r"accounts\.slack"):
        destination("slack", {"channel": "#a"})


async def test_post_by_bot(slack: FakeSlack, channel: Channel) -> None:
    outcome = await post(channel, bot(slack))
    assert isinstance(outcome, Sent)
    assert outcome.proof is Proof.POSTED
    assert set(outcome.reference) == {"channel", "ts"}
    sent = slack.posts[0]
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.json == channel.payload(bot(slack), _parcel())


async def test_post_by_webhook(slack: FakeSlack, channel: Channel) -> None:
    to = destination("slack", {"webhook": slack.webhook_url("acme")})
    assert await post(channel, to) == Sent(Proof.POSTED)
    assert slack.posts[0].key == "acme"
    assert slack.posts[0].json == channel.payload(to, _parcel())
    assert "channel" not in slack.posts[0].json


def _parcel() -> object:
    from tests.fakes.messages import parcel

    return parcel(message())


@pytest.mark.parametrize("by", ["bot", "hook"])
@pytest.mark.parametrize(
    ("reply", "posts"),
    [(DROP_BEFORE, 0), (DROP_AFTER, 1), (STALL, 1)],
    ids=["before", "after", "stall"],
)
async def test_lost_answer_is_ambiguous_after_exactly_one_request(
    slack: FakeSlack, hasty: Channel, by: str, reply: Reply, posts: int
) -> None:
    to = bot(slack) if by == "bot" else destination("slack", {"webhook": slack.webhook_url()})
    slack.behave(reply)
    outcome = await post(hasty, to)
    assert isinstance(outcome, Ambiguous)
    assert len(slack.posts) == posts
    assert slack.connections == 1


@pytest.mark.parametrize("by", ["bot", "hook"])
async def test_messages_close_together_go_over_one_connection(
    slack: FakeSlack, channel: Channel, by: str
) -> None:
    to = bot(slack) if by == "bot" else destination("slack", {"webhook": slack.webhook_url()})
    for _ in range(5):
        assert isinstance(await post(channel, to), Sent)
    assert len(slack.posts) == 5
    assert len(slack.peers) == 1


@pytest.mark.parametrize("by", ["bot", "hook"])
async def test_a_connection_that_the_target_closed_meanwhile_is_not_used(
    slack: FakeSlack, channel: Channel, by: str
) -> None:
    """It would count as perhaps posted, and nothing of it was."""
    port = int(slack.base.rpartition(":")[2])
    to = bot(slack) if by == "bot" else destination("slack", {"webhook": slack.webhook_url()})
    assert isinstance(await post(channel, to), Sent)
    await slack.stop()
    await slack.start(port)
    assert isinstance(await post(channel, to), Sent)
    assert len(slack.posts) == 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(slack: FakeSlack, channel: Channel, status: int) -> None:
    async with FakeSlack() as aim:
        slack.always(Reply(status, "ok", {"Location": f"{aim.base}/services/x"}))
        by_bot = await post(channel, bot(slack))
        by_hook = await post(channel, destination("slack", {"webhook": slack.webhook_url()}))
        assert isinstance(by_bot, OutOfOrder)
        assert isinstance(by_hook, OutOfOrder)
        assert aim.connections == 0


async def test_dripping_answer_ends_with_the_total_timeout(
    slack: FakeSlack, hasty: Channel
) -> None:
    slack.behave(Reply(200, '{"ok": true, "x": "…"}', drip=0.05))
    assert isinstance(await post(hasty, bot(slack)), Ambiguous)


async def test_status_counts_also_when_the_body_never_ends(
    slack: FakeSlack, hasty: Channel
) -> None:
    slack.behave(Reply(429, "x" * 100, {"Retry-After": "7"}, drip=0.05))
    outcome = await post(hasty, bot(slack))
    assert isinstance(outcome, RateLimited)
    assert outcome.retry_after == 7


async def test_huge_answer_is_not_read_to_its_end(slack: FakeSlack, channel: Channel) -> None:
    slack.behave(Reply(200, "x", endless=10**12))
    outcome = await post(channel, bot(slack))
    assert isinstance(outcome, Ambiguous)
    assert "not Slack's" in outcome.reason, "it was judged by what was read, not by the timeout"
    assert slack.bytes_sent < 10**7


async def test_nothing_listens(channel: Channel) -> None:
    slack = FakeSlack()
    await slack.start()
    to = bot(slack)
    await slack.stop()
    outcome = await post(channel, to)
    assert isinstance(outcome, Transient)
    assert outcome.scope is Scope.ACCOUNT


async def test_unknown_host_is_transient() -> None:
    channel = SlackChannel(Outbound(timeout=5.0))
    to = destination("slack", {"webhook": "https://no-such-host.invalid/services/T/B/x"})
    assert isinstance(await post(channel, to), Transient)
    await channel.close()


async def test_broken_connection_of_one_channel_is_no_fault_of_others(
    slack: FakeSlack, channel: Channel
) -> None:
    slack.always(error("is_archived"), key="#old")
    assert isinstance(await post(channel, bot(slack, "#old")), OutOfOrder)
    assert isinstance(await post(channel, bot(slack, "#new")), Sent)


@pytest.mark.parametrize("fault", ["untrusted", "expired", "wrong name", "none"])
async def test_tls_is_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    trusted, other = Authority(tmp_path), None
    if fault == "untrusted":
        (tmp_path / "x").mkdir()
        other = Authority(tmp_path / "x")
    names = ["elsewhere.example"] if fault == "wrong name" else ["localhost"]
    context = (other or trusted).server(*names, expired=fault == "expired")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.pem))
    channel = SlackChannel(LOOPBACK)
    async with FakeSlack(context) as slack:
        outcome = await post(channel, bot(slack))
        if fault == "none":
            assert isinstance(outcome, Sent), outcome
        else:
            assert isinstance(outcome, OutOfOrder), outcome
            assert "certificate" in outcome.reason
            assert slack.posts == []
    await channel.close()


async def test_plain_http_where_tls_is_due_is_out_of_order(
    slack: FakeSlack, channel: Channel
) -> None:
    url = slack.webhook_url().replace("http:", "https:")
    outcome = await post(channel, destination("slack", {"webhook": url}))
    assert isinstance(outcome, OutOfOrder)
    assert slack.connections == 0


async def test_no_secret_is_told_by_logs_reasons_or_reprs(
    slack: FakeSlack, hasty: Channel, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    logging.getLogger("aiohttp").setLevel(logging.DEBUG)
    monkeypatch.setenv("HTTPS_PROXY", "http://user:proxy-secret@127.0.0.1:9")
    hook = destination("slack", {"webhook": slack.webhook_url("hook-secret")})
    told = [repr(hook), repr(bot(slack))]
    answers = [
        Reply(200, "[]"),
        Reply(302, "", {"Location": slack.webhook_url("hook-secret")}),
        DROP_AFTER,
        DROP_BEFORE,
        STALL,
        Reply(200, f"{TOKEN} hook-secret", content_type="text/plain"),
        error(TOKEN),
        Reply(502, f"<html>{TOKEN} hook-secret"),
    ]
    for reply in answers:
        for to in (hook, bot(slack)):
            slack.behave(reply)
            told.append(repr(await post(hasty, to)))
    await slack.stop()
    told += [repr(await post(hasty, to)) for to in (hook, bot(slack))]
    text = "\n".join([*told, caplog.text])
    for secret in ("hook-secret", "proxy-secret", TOKEN):
        assert secret not in text
