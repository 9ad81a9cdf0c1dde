"""By a proxy, where the environment names one and RELAY_USE_PROXY=1 allows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay import samples
from relay.channels import Outbound
from relay.channels.registry import CHANNELS
from relay.errors import PartnerApiError, UsageError
from relay.outcomes import OutOfOrder, Sent, Transient
from relay.partner_api import Access, connect
from relay.proxies import Proxies
from relay.settings import from_environment
from tests.each import each
from tests.fakes.http import FakeHttp, Post, Reply
from tests.fakes.messages import destination, post
from tests.fakes.proxy import FakeProxy
from tests.fakes.tls import Authority
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess

HOST = "hooks.example"
"""Known to the proxy alone."""
LOGIN = "relay:pa%73s-of-the-proxy"


class Target(FakeHttp):
    """Whatever is posted to: the answer suits every channel."""

    def key_of(self, path: str, body: Any) -> str:
        return path

    def usual(self, post: Post) -> Reply:
        return Reply(200, "ok", content_type="text/plain")

    @property
    def url(self) -> str:
        return f"{self.base.replace('localhost', HOST)}/services/T0/B0/0123456789abcdef"

    @property
    def place(self) -> str:
        return self.url.split("/")[2]


@pytest.fixture
async def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Target]:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.pem))
    async with Target(authority.server(HOST, "localhost")) as one:
        yield one


@pytest.fixture
async def proxy() -> AsyncIterator[FakeProxy]:
    async with FakeProxy(login="relay:pass-of-the-proxy").listening() as one:
        yield one


def proxies(proxy: FakeProxy, login: str = LOGIN, **more: str) -> Proxies:
    return Proxies.of(
        {"RELAY_USE_PROXY": "1", "HTTPS_PROXY": f"http://{login}@{proxy.url}", **more}
    )


async def told(name: str, url: str, by: Proxies) -> Any:
    """The outcome of one message by a channel that may reach public addresses alone."""
    outbound = Outbound(proxies=by, timeout=PATIENCE)
    channel = CHANNELS[name].open(outbound)
    key = "webhook" if name == "slack" else "url"
    try:
        return await post(channel, destination(name, {key: url}, outbound=outbound))
    finally:
        await channel.close()


@pytest.mark.parametrize("name", ["slack", "teams", "webhook"])
async def test_a_message_goes_by_the_proxy_which_finds_the_host(
    target: Target, proxy: FakeProxy, name: str
) -> None:
    assert isinstance(await told(name, target.url, proxies(proxy)), Sent)
    assert proxy.asked == [target.place]
    assert len(target.posts) == 1


async def test_what_no_proxy_names_is_asked_directly_and_its_address_is_checked(
    target: Target, proxy: FakeProxy
) -> None:
    url = target.url.replace(HOST, "localhost")
    outcome = await told("teams", url, proxies(proxy, NO_PROXY="localhost"))
    assert isinstance(outcome, OutOfOrder)
    assert "not a public address" in outcome.reason
    assert proxy.asked == []


async def test_a_proxy_that_wants_another_login_is_out_of_order_and_the_login_is_not_told(
    target: Target, proxy: FakeProxy
) -> None:
    outcome = await told("slack", target.url, proxies(proxy, "relay:wrong-password"))
    assert isinstance(outcome, OutOfOrder)
    assert outcome.reason.endswith("the proxy answers 407: look at HTTPS_PROXY")
    assert "wrong-password" not in repr(outcome)
    assert target.posts == []


@pytest.mark.parametrize(("status", "kind"), [(403, OutOfOrder), (502, Transient)])
async def test_a_proxy_that_opens_no_way_was_sent_nothing(
    target: Target, proxy: FakeProxy, status: int, kind: type
) -> None:
    proxy.status = status
    outcome = await told("webhook", target.url, proxies(proxy))
    assert isinstance(outcome, kind)
    assert str(status) in outcome.reason


async def test_a_proxy_that_is_gone_is_named(target: Target) -> None:
    by = Proxies(https="http://127.0.0.1:9")
    outcome = await told("teams", target.url, by)
    assert isinstance(outcome, Transient)
    assert "by the proxy: the connection was refused, nothing was sent" in outcome.reason


async def test_the_certificate_is_the_targets(target: Target, proxy: FakeProxy) -> None:
    outcome = await told("teams", target.url.replace(HOST, "other.example"), proxies(proxy))
    assert isinstance(outcome, OutOfOrder)
    assert "certificate" in outcome.reason


async def test_the_partner_api_is_asked_by_the_proxy(proxy: FakeProxy) -> None:
    env = {
        "RELAY_360DIALOG_PARTNER_ID": "dev01PA",
        "RELAY_360DIALOG_API_KEY": "key",
        "RELAY_360DIALOG_API_URL": "http://hub.example",
        "RELAY_USE_PROXY": "1",
        "HTTP_PROXY": f"http://{LOGIN}@{proxy.url}",
    }
    async with connect(Access.of(env, allow_private=True), tries=1) as api:
        with pytest.raises(PartnerApiError):  # The fake answers for itself, and not in JSON.
            await api.contacts()
    assert proxy.asked[0].startswith("http://hub.example/api/v2/partners/dev01PA/")


async def test_a_relay_says_that_the_proxy_judges_addresses(
    target: Target, proxy: FakeProxy, tmp_path: Path
) -> None:
    env = {
        "RELAY_USE_PROXY": "1",
        "HTTPS_PROXY": f"http://{LOGIN}@{proxy.url}",
        "RELAY_ALLOW_PRIVATE_DESTINATIONS": "0",
        "SSL_CERT_FILE": str(tmp_path / "authority.pem"),
    }
    rules = (
        f'version: 1\ndestinations: {{a: {{slack: {{webhook: "{target.url}"}}}}}}\n'
        'rules: [{name: all, when: {event: "*"}, send_to: a}]\n'
    )
    async with RelayProcess(tmp_path / "relay", rules, env=env) as relay:
        await relay.post(samples.find("channel_live"))
        await target.wait_for(1)
        said = await relay.said(
            "targets are asked by a proxy: their addresses are its to judge, not the relay's"
        )
    assert said["proxies"] == [proxy.url]
    assert proxy.asked == [target.place]
    assert "-of-the-proxy" not in "".join(relay.raw)


@each(
    "entry, url, covered",
    [
        ("*", "https://hooks.example/x", True),
        ("hooks.example", "https://hooks.example/x", True),
        ("example", "https://hooks.example/x", True),
        (".example", "https://hooks.example/x", True),
        ("*.example", "https://hooks.example/x", True),
        ("HOOKS.example", "https://Hooks.Example./x", True),
        ("ooks.example", "https://hooks.example/x", False),
        ("hooks.example:443", "https://hooks.example/x", True),
        ("hooks.example:8443", "https://hooks.example/x", False),
        ("hooks.example:8443", "https://hooks.example:8443/x", True),
        ("10.0.0.0/8", "https://10.1.2.3/x", True),
        ("10.0.0.0/8", "https://11.1.2.3/x", False),
        ("10.1.2.3", "https://10.1.2.3:8443/x", True),
        ("10.0.0.0/8", "https://hooks.example/x", False),
        ("[fd00::1]:8443", "https://[fd00::1]:8443/x", True),
        ("fd00::/8", "https://[fd00::1]/x", True),
        ("a, hooks.example  b", "https://hooks.example/x", True),
        ("", "https://hooks.example/x", False),
    ],
)
def test_no_proxy_covers(entry: str, url: str, covered: bool) -> None:
    env = {"RELAY_USE_PROXY": "1", "https_proxy": "proxy.example:3128", "NO_PROXY": entry}
    assert Proxies.of(env).of_url(url) == (None if covered else "http://proxy.example:3128")


def test_a_proxy_of_the_environment_is_left_alone_unless_it_is_asked_for() -> None:
    settings = from_environment({"HTTPS_PROXY": "http://proxy.example"}, {})
    assert settings.proxies.of_url("https://hooks.example") is None


@each(
    "value",
    ["socks5://u:s3cret@proxy.example", "https://u:s3cret@proxy.example", "http://u:s3cret@:x"],
)
def test_a_proxy_that_cannot_be_used_is_refused_in_words_without_it(value: str) -> None:
    with pytest.raises(UsageError, match="HTTPS_PROXY: write the proxy like") as raised:
        from_environment({"RELAY_USE_PROXY": "1", "HTTPS_PROXY": value}, {})
    assert "s3cret" not in str(raised.value)


def test_a_switch_without_a_proxy_is_refused() -> None:
    with pytest.raises(UsageError, match="neither HTTPS_PROXY nor HTTP_PROXY"):
        from_environment({"RELAY_USE_PROXY": "1"}, {})
