"""The relay listens before it reads its rules: what is posted meanwhile is stored, then routed."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from relay.app import App
from relay.errors import ConfigError
from relay.events import Severity
from relay.journal import Checked, EventState, Filter
from relay.journal.sqlite.engine import open_journal
from relay.settings import Address, Settings
from tests.client import Client, partner
from tests.conftest import RULES
from tests.journal_suite import NOW
from tests.needs import PATIENCE

WITH_A_NAME = RULES.replace("xoxb-of-the-tests", '"${TOKEN}"') + "privacy: {keep: [contact_info]}\n"


class Slow(Mapping[str, str]):
    """An environment that lets nobody read it until it is told to."""

    def __init__(self) -> None:
        self.go = threading.Event()

    def __getitem__(self, name: str) -> str:
        self.go.wait(PATIENCE)
        if name == "TOKEN":
            return "xoxb-1"
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("TOKEN",))

    def __len__(self) -> int:
        return 1


def a_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings(folder: Path, env: Mapping[str, str]) -> Settings:
    (folder / "rules.yaml").write_text(WITH_A_NAME, encoding="utf-8")
    return Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
        listen=Address("127.0.0.1", a_port()),
        sandbox=True,
        admin_token="admin",
        env=env,
    )


@asynccontextmanager
async def once_served(made: Settings) -> AsyncIterator[None]:
    """A relay served here before, so that the journal knows rules that were live."""
    app = await App.start(made)
    await app.stop(grace=0)
    yield


async def ask(made: Settings, method: str, path: str, body: object = None) -> tuple[int, object]:
    """The answer of whoever listens there, once somebody does."""
    async with asyncio.timeout(PATIENCE), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.request(
                    method, f"http://{made.listen}{path}", json=body
                ) as answer:
                    return answer.status, await answer.json()
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.01)


async def test_what_is_posted_before_the_rules_are_read_is_stored_and_routed_by_them(
    folder: Path,
) -> None:
    slow = Slow()
    slow.go.set()
    made = settings(folder, slow)
    async with once_served(made):
        slow.go.clear()
        starting = asyncio.create_task(App.start(made))
        status, answer = await ask(made, "POST", "/webhooks/360dialog", contact(1))
        assert (status, answer) == (
            200,
            {"accepted": 1, "duplicate": 0, "ignored": 0, "quarantined": 0},
        )
        ready, body = await ask(made, "GET", "/readyz")
        assert (ready, body) == (200, {"ready": True, "starting": "the rules are being read"})
        assert (await ask(made, "GET", "/healthz"))[0] == 200
        assert not starting.done()
        slow.go.set()
        app = await starting
    try:
        async with Client(app) as client:
            (one,) = await client.settled()
            assert (one["destination"], one["state"]) == ("support", "delivered")
            assert "starting" not in (await client.get("/readyz"))[1]
            (event,) = await app.store.records.events(Filter())
            assert "kept@example.com" in str(event.event.data)
    finally:
        await app.stop(grace=0)


def contact(number: int) -> dict[str, object]:
    """An event with what only `privacy: {keep: [contact_info]}` keeps."""
    client = {"id": "c1CL", "name": "Musterladen", "contact_info": {"email": "kept@example.com"}}
    return partner(number, client=client)


async def test_a_first_start_without_good_rules_never_listens(folder: Path) -> None:
    made = settings(folder, {"TOKEN": "xoxb-1"})
    (folder / "rules.yaml").write_text("version: 1\nrules: []\n")
    with pytest.raises(ConfigError):
        await App.start(made)
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", made.listen.port)):
        pass


async def test_a_start_whose_versions_cannot_be_used_either_ends(folder: Path) -> None:
    made = settings(folder, {"TOKEN": "xoxb-1"})
    store = await open_journal(made.journal, now=NOW)
    checked = Checked("another relay", "")
    await store.journal.adopt_rules({"rules.yaml": "rules: []"}, now=NOW, checked=checked)
    await store.journal.close()
    (folder / "rules.yaml").write_text("version: 1\nrules: []\n")
    with pytest.raises(ConfigError):
        await App.start(made)
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", made.listen.port)):
        pass


async def test_what_was_told_of_before_the_rules_were_read_is_not_forgotten(folder: Path) -> None:
    slow = Slow()
    slow.go.set()
    made = settings(folder, slow)
    async with once_served(made):
        slow.go.clear()
        starting = asyncio.create_task(App.start(made))
        value = {"event": "DISABLED_UPDATE", "messages": [{"text": "hush"}]}
        change = {"field": "account_update", "value": value}
        entry = {"id": "100000000000777", "time": 1790000000, "changes": [change]}
        assert (await ask(made, "POST", "/webhooks/360dialog", {"entry": [entry]}))[0] == 200
        slow.go.set()
        app = await starting
    try:
        async with asyncio.timeout(PATIENCE):
            while not (found := await app.store.records.events(Filter(kind="relay_alarm"))):
                await asyncio.sleep(0.01)
        assert "ignored for its private content" in found[0].event.title
        assert found[0].event.severity is Severity.CRITICAL
        assert found[0].state is EventState.ROUTED
    finally:
        await app.stop(grace=0)
