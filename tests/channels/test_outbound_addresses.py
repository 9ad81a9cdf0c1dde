"""Where messages may go: the SSRF table, at build time and when connecting."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from relay.channels import Outbound
from relay.channels.addresses import is_public, literal_address
from relay.channels.slack import SlackChannel
from relay.channels.slack.settings import SlackDestination
from relay.channels.teams import TeamsChannel
from relay.channels.teams.settings import TeamsDestination
from relay.outcomes import OutOfOrder
from tests.each import each
from tests.fakes.messages import LOOPBACK, destination, post
from tests.fakes.slack import FakeSlack
from tests.fakes.teams import FakeTeams

CLOSED = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1",
    "192.168.1.1", "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16",
    "192.0.0.192", "192.88.99.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:8.8.8.8",
    "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1", "2001:db8::1",
    "2002:7f00:1::", "2002:808:808::", "2001:0:7f00:1::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "nonsense", "",
]  # fmt: skip
OPEN = ["8.8.8.8", "52.96.0.1", "2606:4700::1111", "64:ff9b::808:808"]


@each("address", CLOSED)
def test_address_is_closed(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OPEN)
def test_address_is_open(address: str) -> None:
    assert is_public(address)


@given(st.integers(0, 2**32 - 1))
def test_what_wraps_an_address_is_no_more_public_than_it(number: int) -> None:
    from ipaddress import IPv4Address, IPv6Address

    plain = is_public(str(IPv4Address(number)))
    nat64 = is_public(str(IPv6Address((0x64FF9B << 96) | number)))
    sixtofour = is_public(str(IPv6Address((0x2002 << 112) | (number << 80))))
    mapped = is_public(str(IPv6Address((0xFFFF << 32) | number)))
    assert nat64 == plain
    assert not sixtofour
    assert not mapped


@each("host", ["2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.1", "127.0.0.1."])
def test_spelling_of_loopback_is_seen_through(host: str) -> None:
    assert literal_address(host) == "127.0.0.1"


@pytest.mark.parametrize("host", ["hooks.slack.com", "example.com", "x"])
def test_names_are_no_addresses(host: str) -> None:
    assert literal_address(host) is None


CLOSED_URLS = [
    "http://hooks.slack.com/x",
    "https://127.0.0.1/x",
    "https://2130706433/x",
    "https://0x7f.1/x",
    "https://[::1]/x",
    "https://[::ffff:127.0.0.1]/x",
    "https://169.254.169.254/latest",
    "https://user:secret-word@hooks.slack.com/x",
    "https://hooks.slack.com/x secret-word",
    "https://hooks.slack.com/x#secret-word",
    "ftp://hooks.slack.com/secret-word",
    "hooks.slack.com/secret-word",
    "https:///secret-word",
    "https://[broken/secret-word",
    "https://host:99999/secret-word",
    "secret-word",
    "",
]


@each("url", CLOSED_URLS)
@each(("channel", "key"), [("slack", "webhook"), ("teams", "url")])
def test_url_is_refused_in_words_that_do_not_show_it(url: str, channel: str, key: str) -> None:
    with pytest.raises(ValueError) as caught:
        destination(channel, {key: url}, outbound=Outbound())
    assert "secret-word" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_api_url_must_be_https() -> None:
    with pytest.raises(ValueError, match="api_url"):
        destination(
            "slack", {"channel": "#a"}, {"token": "t", "api_url": "http://x.example/"},
            outbound=Outbound(),
        )  # fmt: skip


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
async def test_loopback_is_refused_when_connecting(host: str) -> None:
    """Whatever the host is called, no connection is opened to an address that is not public."""
    channel = TeamsChannel(Outbound(timeout=5.0))
    async with FakeTeams() as teams:
        to = destination("teams", {"url": teams.url()})
        assert isinstance(to, TeamsDestination)
        port = teams.base.rpartition(":")[2]
        outcome = await post(channel, replace(to, url=SecretStr(f"http://{host}:{port}/x")))
        assert isinstance(outcome, OutOfOrder), outcome
        # aiohttp itself refuses hosts that only the C library takes for numbers.
        assert "public address" in outcome.reason or "URL cannot be used" in outcome.reason
        assert teams.connections == 0
    await channel.close()


async def test_the_web_api_of_slack_is_guarded_too() -> None:
    channel = SlackChannel(Outbound(timeout=5.0))
    async with FakeSlack() as slack:
        to = destination("slack", {"channel": "#a"}, {"token": "t", "api_url": slack.api_url})
        assert isinstance(to, SlackDestination)
        outcome = await post(channel, to)
        assert isinstance(outcome, OutOfOrder)
        assert slack.connections == 0
    await channel.close()


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    channel = SlackChannel(LOOPBACK)
    async with FakeSlack() as slack:
        to = destination("slack", {"channel": "#a"}, {"token": "t", "api_url": slack.api_url})
        hook = destination("slack", {"webhook": slack.webhook_url()})
        await post(channel, to)
        await post(channel, hook)
        assert len(slack.posts) == 2
    await channel.close()
