"""What stands in deploy/monitoring returns something from a relay at work, in a real Prometheus."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from math import isnan
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from relay import samples
from relay.metrics import Metrics
from tests.client import waba
from tests.fakes.partner_api import KEY, FakePartnerApi
from tests.fakes.slack import FakeSlack, error
from tests.needs import PATIENCE, ROOT, require
from tests.relay_process import RelayProcess

FOLDER = ROOT / "deploy" / "monitoring"
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text(encoding="utf-8"))
BOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text(encoding="utf-8"))
RULES = """\
version: 1
accounts: {slack: {token: xoxb-of-the-tests, api_url: "%s"}}
destinations:
  support: {slack: {channel: "#support"}, pace: none}
  gone: {slack: {channel: "#gone"}, pace: none}
rules:
  - {name: Gone, when: {event: channel_created}, send_to: gone}
  - {name: Live, when: {event: channel_live}, send_to: support}
watch: {quality: 1m}
"""
_METRIC = re.compile(r"\b(?:relay|process)_\w+")
_COMPARED = re.compile(r"\s(?:==|>|<|unless)\s")


def alerts() -> list[dict[str, Any]]:
    return [rule for group in ALERTS["groups"] for rule in group["rules"]]


def expressions() -> Iterator[str]:
    """What must return something: whole queries of the board, and what alerts compare."""
    for panel in BOARD["panels"]:
        for target in panel["targets"]:
            query = target["expr"].replace("$__rate_interval", "30s").replace("$job", "relay")
            yield query.replace("$instance", ".*")
    for alert in alerts():
        for part in _COMPARED.split(f" {alert['expr']} "):
            if not re.fullmatch(r"[\d.\s)]*", part):
                yield part if part.count("(") == part.count(")") else part.replace("time() - (", "")


def test_every_metric_that_is_asked_for_is_one() -> None:
    shown = {line.split()[2] for line in Metrics().text().decode().splitlines() if line[0] == "#"}
    shown |= {f"{name}_bucket" for name in shown}
    text = (FOLDER / "alerts.yaml").read_text(encoding="utf-8") + json.dumps(BOARD)
    assert set(_METRIC.findall(text)) - shown == set()


def test_promtool_finds_each_alert_where_it_should_and_nowhere_else() -> None:
    require(None if shutil.which("promtool") else "promtool is not installed")
    ran = subprocess.run(
        ["promtool", "test", "rules", str(Path(__file__).with_name("alerts_test.yaml"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_every_alert_is_tried() -> None:
    tried = Path(__file__).with_name("alerts_test.yaml").read_text(encoding="utf-8")
    assert [one["alert"] for one in alerts() if f'alertname="{one["alert"]}"' not in tried] == []


class Prometheus:
    """A real one, which scrapes one relay each second."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def returns(self, session: aiohttp.ClientSession, query: str) -> bool:
        asked = session.get(f"{self._url}/api/v1/query", params={"query": query})
        try:
            async with asked as answer:
                said = await answer.json()
        except aiohttp.ClientConnectionError:  # it is not up yet
            return False
        assert said["status"] == "success", (query, said)
        return any(not isnan(float(one["value"][1])) for one in said["data"]["result"])


@asynccontextmanager
async def prometheus(folder: Path, target: str) -> AsyncIterator[Prometheus]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    config = folder / "prometheus.yml"
    scrape = {"job_name": "relay", "static_configs": [{"targets": [target]}]}
    whole = {"global": {"scrape_interval": "1s"}, "scrape_configs": [scrape]}
    config.write_text(yaml.safe_dump(whole), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={address}",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Prometheus(f"http://{address}")
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.slow
async def test_every_expression_returns_something_from_a_relay_under_load(tmp_path: Path) -> None:
    require(None if shutil.which("prometheus") else "prometheus is not installed")
    async with FakeSlack() as slack, FakePartnerApi() as partner:
        slack.always(error("is_archived"), key="#gone")
        env = {
            "RELAY_360DIALOG_PARTNER_ID": "dev01PA",
            "RELAY_360DIALOG_API_KEY": KEY,
            "RELAY_360DIALOG_API_URL": partner.url,
        }
        relay = RelayProcess(tmp_path / "relay", RULES % slack.api_url, env=env)
        async with relay, prometheus(tmp_path, relay.url.removeprefix("http://")) as one:
            waiting = list(expressions())
            assert len(waiting) > 40
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
                    for number in count():
                        await load(relay, number)
                        found = [await one.returns(session, query) for query in waiting]
                        pairs = zip(waiting, found, strict=True)
                        waiting = [query for query, is_there in pairs if not is_there]
                        if not waiting:
                            break
            assert waiting == []


async def load(relay: RelayProcess, number: int) -> None:
    """Half a second of webhooks: taken, refused, and of all that a graph tells apart."""
    for kind in ("channel_live", "channel_created", "cancellation_request"):
        body = json.loads(samples.find(kind))
        await relay.post({**body, "id": f"evt-{kind}-{number}"})
    await relay.post(waba("messages", {"messages": [{"from": "491701234567", "text": {}}]}))
    await relay.post(b"[", headers={"Authorization": "Bearer wrong"})
    await asyncio.sleep(0.5)
