"""The Teams channel against a fake workflow."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relay.channels import Channel, Outbound, Pace
from relay.channels.exchange import Answer
from relay.channels.registry import CHANNELS
from relay.channels.teams import TeamsChannel
from relay.channels.teams.answers import read
from relay.channels.teams.settings import TeamsSettings, doubts, is_old
from relay.outcomes import (
    Ambiguous,
    Outcome,
    OutOfOrder,
    Proof,
    RateLimited,
    Refused,
    Sent,
    Transient,
)
from relay.proxies import Proxies
from tests.each import each
from tests.fakes.messages import HASTY, LOOPBACK, destination, message, parcel, post
from tests.fakes.teams import DROP_AFTER, DROP_BEFORE, STALL, FakeTeams, Reply, error
from tests.needs import PATIENCE

WRAPPED = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error"


@pytest.fixture
async def teams() -> AsyncIterator[FakeTeams]:
    async with FakeTeams() as fake:
        yield fake


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    opened = TeamsChannel(LOOPBACK)
    yield opened
    await opened.close()


@pytest.mark.parametrize(
    "url",
    [
        "https://contoso.webhook.office.com/webhookb2/secret-id", "https://webhook.office.com/x",
        "https://CONTOSO.WEBHOOK.OFFICE.COM./x", "https://outlook.office.com/webhook/secret-id",
        "https://outlook.office365.com/webhook/x",
    ],
)  # fmt: skip
def test_retired_connector_is_refused_and_its_replacement_named(url: str) -> None:
    with pytest.raises(ValueError, match="Workflows") as caught:
        destination("teams", {"url": url})
    assert "secret-id" not in str(caught.value)


def test_unusual_host_is_taken_with_a_doubt() -> None:
    kind = CHANNELS["teams"]
    assert destination("teams", {"url": "https://flows.example.com/x"}).pace == Pace(1, 2)
    assert kind.doubts(kind.destination(url="https://flows.example.com/x"))
    usual = "https://a.0b.environment.api.powerplatform.com:443/x?y"
    assert kind.doubts(kind.destination(url=usual)) == ()


def test_teams_has_no_account() -> None:
    kind = CHANNELS["teams"]
    assert kind.account is None
    assert not kind.account_needed(kind.destination(url="https://x.example"))


async def test_post_is_accepted_and_no_more(teams: FakeTeams, channel: Channel) -> None:
    to = destination("teams", {"url": teams.url()})
    outcome = await post(channel, to, message(title="Zürich 🚀"))
    assert isinstance(outcome, Sent)
    assert outcome.proof is Proof.ACCEPTED
    assert teams.posts[0].json == channel.payload(to, parcel(message(title="Zürich 🚀")))
    assert "Zürich 🚀".encode() in teams.posts[0].raw


async def test_url_is_sent_byte_by_byte(teams: FakeTeams, channel: Channel) -> None:
    """A signature covers the URL as it is spelled: %2F must not become a slash."""
    await post(channel, destination("teams", {"url": teams.url()}))
    assert teams.base + teams.posts[0].path == teams.url()


@each(
    ("status", "body", "kind"),
    [
        (202, "", Sent), (200, "1", Sent), (200, "", Sent),
        (200, f"{WRAPPED} 429 with ContextId x", RateLimited),
        (200, f"{WRAPPED} 413 with ContextId x", Refused),
        (200, f"{WRAPPED} 400 with ContextId x", Refused),
        (200, f"{WRAPPED} 404 with ContextId x", OutOfOrder),
        (200, "Webhook message delivery failed with error: timeout", Ambiguous),
        (204, "", Ambiguous),
        (301, "", OutOfOrder), (302, "", OutOfOrder), (307, "", OutOfOrder),
        (401, "", OutOfOrder), (403, "", OutOfOrder), (404, "", OutOfOrder), (410, "", OutOfOrder),
        (405, "", OutOfOrder), (413, "", Refused), (429, "", RateLimited),
        (400, '{"error":{"code":"TriggerInputSchemaMismatch","message":"x"}}', Refused),
        (400, '{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"x"}}', OutOfOrder),
        (400, '{"error":{"code":"WorkflowDisabled","message":"x"}}', OutOfOrder),
        (400, "not json", Refused), (400, '{"error":"x"}', Refused), (400, "[]", Refused),
        (400, '{"error":{"code":"MessageSizeExceeded"}}', Refused),
        (408, "", Ambiguous), (500, "", Ambiguous), (502, "<html>", Ambiguous),
        (503, "", Ambiguous), (504, "", Ambiguous),
    ],
)  # fmt: skip
def test_answers(status: int, body: str, kind: type[Outcome]) -> None:
    assert type(read(Answer(status, {}, body.encode(), True))) is kind


@pytest.mark.parametrize("status", [401, 404, 410])
def test_an_old_address_that_has_ended_says_where_the_new_one_is(status: int) -> None:
    answer = Answer(status, {}, b"", True)
    assert "copy its new link" in read(answer, old=True).reason
    assert "old one" not in read(answer).reason
    assert "old one" not in read(Answer(403, {}, b"", True), old=True).reason
    (doubt,) = doubts(TeamsSettings(url=SecretStr("https://prod-1.logic.azure.com/workflows/x")))
    assert "copy its new link" in doubt
    assert is_old("https://prod-1.westeurope.logic.azure.com/workflows/x")
    assert not is_old("https://logic.azure.com.example.com/")
    assert not is_old("https://x.1.environment.api.powerplatform.com/workflows/x")


@given(st.integers(200, 599), st.binary(max_size=200))
def test_every_answer_has_one_line_of_meaning(status: int, body: bytes) -> None:
    assert len(read(Answer(status, {}, body, True)).reason.splitlines()) == 1


async def test_retry_after_is_heard(teams: FakeTeams, channel: Channel) -> None:
    teams.behave(Reply(429, "", {"Retry-After": "12"}))
    outcome = await post(channel, destination("teams", {"url": teams.url()}))
    assert isinstance(outcome, RateLimited)
    assert outcome.retry_after == 12


@pytest.mark.parametrize(
    "reply", [DROP_BEFORE, DROP_AFTER, STALL], ids=["before", "after", "stall"]
)
async def test_lost_answer_is_ambiguous_after_one_request(teams: FakeTeams, reply: Reply) -> None:
    channel = TeamsChannel(HASTY)
    teams.behave(reply)
    outcome = await post(channel, destination("teams", {"url": teams.url()}))
    assert isinstance(outcome, Ambiguous)
    assert teams.connections == 1
    await channel.close()


async def test_redirect_is_not_followed(teams: FakeTeams, channel: Channel) -> None:
    async with FakeTeams() as aim:
        teams.behave(Reply(307, "", {"Location": aim.url()}))
        outcome = await post(channel, destination("teams", {"url": teams.url()}))
        assert isinstance(outcome, OutOfOrder)
        assert aim.connections == 0


async def test_nothing_listens(channel: Channel) -> None:
    teams = FakeTeams()
    await teams.start()
    to = destination("teams", {"url": teams.url()})
    await teams.stop()
    assert isinstance(await post(channel, to), Transient)


@each("status", [401, 404, 410])
async def test_a_link_that_has_ended_says_how_to_get_the_new_one(status: int) -> None:
    """The fake is a proxy here, so that the address is the old one indeed."""
    async with FakeTeams() as teams:
        by_proxy = Outbound(True, Proxies(http=teams.base), PATIENCE)
        channel = TeamsChannel(by_proxy)
        for host, is_old_link in (
            ("prod-1.westeurope.logic.azure.com", True),
            ("x.example", False),
        ):
            to = destination("teams", {"url": f"http://{host}/workflows/x"}, outbound=by_proxy)
            teams.behave(error(status))
            outcome = await post(channel, to)
            assert isinstance(outcome, OutOfOrder)
            assert ("copy its new link" in outcome.reason) is is_old_link
        await channel.close()


async def test_no_secret_is_told(
    teams: FakeTeams, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when the target repeats its own URL."""
    caplog.set_level(logging.DEBUG)
    to = destination("teams", {"url": teams.url("flow-secret")})
    told = [repr(to), str(to.target)]
    for status in (302, 400, 401, 404, 500):
        teams.behave(error(status, "Code", f"no {teams.url('flow-secret')} here"))
        told.append(repr(await post(channel, to)))
    text = "\n".join([*told, caplog.text])
    assert "a-secret-signature" not in text
    assert "flow-secret" not in text
