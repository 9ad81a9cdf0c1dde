"""Whatever is asked of a route or a command: an answer or one line, never a fault of ours.

And what is malformed changes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from relay import cli
from relay.cli import arguments
from relay.deliveries import State
from relay.journal.sqlite.engine import open_journal
from relay.sources.reading import read
from tests.client import Client, partner
from tests.conftest import Start
from tests.each import each
from tests.fakes.slack import FakeSlack, error
from tests.needs import some

ODD = (
    "",
    " ",
    "0",
    "-1",
    "1e9",
    "½",
    "١",
    "9" * 40,
    "9" * 5_000,
    str(2**63 - 1),
    str(2**63),
    "null",
    "abc",
    "\0",
    "\x1b[31m",
    "%",
    "'; DROP TABLE events; --",
    "[" * 3_000,
    "x" * 3_000,
    "\U0010ffff",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01",
    "9999-12-31T23:59:59-14:00",
    "9" * 30 + "w",
    "99999999w",
    "+49 171 3920011",
    "+" + "9" * 40,
    "dead",
    "sqlite:///",
)
VALUES: tuple[Any, ...] = (*ODD, None, True, False, 0, -1, 1.5, 2**63, 10**40, [], [None], {}, "")
"""For a field of a JSON body; a lone surrogate cannot stand in one, but its escape can."""
BROKEN = (b"", b"{", b"[]", b"null", b"0", b'"x"', b"\xff", b"[" * 3_000, b'{"a":' * 3_000)
FIELDS = (
    *("ids", "state", "kind", "phone", "client", "destination", "since", "limit", "all"),
    *("discard", "contacts", "search", "ids "),
)
LONGEST_QUERY = 2_000
"""Characters; HTTP itself refuses a longer line, and three bytes may stand for each."""
ANSWERS = {200, 400, 404, 409, 422}


def paths(client: Client, method: str) -> list[str]:
    """Every route of the API."""
    runner = client.app._runners[0]
    assert runner.app is not None
    return sorted(
        {
            str(resource.canonical)
            for route in runner.app.router.routes()
            if route.method == method and (resource := route.resource) is not None
            if resource.canonical.startswith("/api/")
        }
    )


async def answer(client: Client, method: str, url: URL, body: bytes = b"") -> int:
    headers = {"Authorization": "Bearer admin"}
    async with client.session.request(method, url, headers=headers, data=body) as got:
        text = await got.text()
        assert got.status in ANSWERS, (method, url.human_repr()[:200], body[:200], text)
        assert isinstance(json.loads(text), dict)
        return got.status


async def test_no_query_and_no_path_is_an_internal_error(start: Start) -> None:
    client = await start()
    for path in paths(client, "GET"):
        for odd in ODD:
            placed = path.replace("{id}", "0000")
            for name in FIELDS if len(odd) < LONGEST_QUERY else ():
                await answer(client, "GET", URL(client.url + placed).with_query({name: odd}))
            if placed != path and odd.strip() and len(odd) < LONGEST_QUERY:
                await answer(client, "GET", URL(client.url) / path[1:].replace("{id}", "") / odd)


async def test_no_body_is_an_internal_error(start: Start) -> None:
    client = await start()
    for path in paths(client, "POST"):
        if path == "/api/reload":
            continue
        url = URL(client.url + path.replace("{id}", "0000"))
        bodies = [*BROKEN, b'{"client": "\\ud800"}', b'{"contacts": [{"name": "\\ud800"}]}']
        for value in VALUES:
            bodies += [json.dumps({name: value}).encode() for name in FIELDS]
            bodies.append(json.dumps({"contacts": [value, {"phone": value}]}).encode())
        for body in bodies:
            await answer(client, "POST", url, body)


async def test_an_odd_id_in_a_path_is_an_answer(start: Start) -> None:
    client = await start()
    for path in paths(client, "POST"):
        if "{id}" not in path:
            continue
        before, _, after = path.partition("{id}")
        for odd in ("9" * 40, "x" * 3_000, "%00", "%ff", "%F0%9F%9A%A8", "-1", "[" * 300):
            await answer(client, "POST", URL(client.url + before + odd + after, encoded=True))


# What an operator changes by HTTP

MALFORMED: tuple[Any, ...] = (
    {},
    [],
    None,
    "dead",
    {"ids": "abc"},
    {"ids": []},
    {"ids": [1]},
    {"ids": None},
    {"state": None},
    {"state": "dead "},
    {"state": "delivered"},
    {"state": ["dead"]},
    {"limit": 1},
    {"state": "pending", "limit": 1},
    {"destination": ""},
    {"destination": "support", "colour": "red"},
    {"kind": None, "destination": "support"},
    {"all": False},
    {"all": "true"},
    {"all": 1},
    {"all": True, "destination": "support"},
    {"since": 0},
    {"phone": "0171 3920011"},
    {"All": True},
)


@pytest.fixture
async def waiting(start: Start, folder: Path) -> AsyncIterator[Client]:
    """A relay with one delivery that cannot go out: its channel is gone, so it is parked."""
    async with FakeSlack() as slack:
        slack.always(error("channel_not_found"))
        rules = folder / "rules.yaml"
        account = f'x, api_url: "{slack.api_url}"'
        rules.write_text(rules.read_text().replace("xoxb-of-the-tests", account))
        client = await start(sandbox=False, insecure=True, allow_private=True)
        await client.post(partner(1))
        await client.until("/api/status", lambda found: found["deliveries"]["parked"] == 1)
        yield client


async def the_one(client: Client) -> dict[str, Any]:
    one: dict[str, Any] = (await client.api("/api/deliveries"))[1]["deliveries"][0]
    return one


@pytest.mark.parametrize("verb", ["retry", "discard"])
async def test_a_malformed_change_is_400_and_changes_nothing(waiting: Client, verb: str) -> None:
    for body in MALFORMED:
        status, said = await waiting.api(f"/api/deliveries/{verb}", "POST", body)
        assert (status, list(said)) == (400, ["error"]), body
    assert (await the_one(waiting))["state"] == "parked"


async def test_all_is_said_by_its_name(waiting: Client) -> None:
    status, done = await waiting.api("/api/deliveries/discard", "POST", {"all": True})
    assert (status, done) == (200, {"discarded": 1})


@pytest.mark.parametrize("way", ["id", "ids", "state"])
async def test_a_discard_can_be_taken_back(waiting: Client, way: str) -> None:
    name = (await the_one(waiting))["id"]
    assert await waiting.api(f"/api/deliveries/{name}/discard", "POST") == (200, {"discarded": 1})
    assert (await the_one(waiting))["reason"] == "discarded by admin"
    for body in ({"destination": "support"}, {"all": True}):
        assert (await waiting.api("/api/deliveries/retry", "POST", body))[1] == {"retried": 0}
    path, body = {
        "id": (f"/api/deliveries/{name}/retry", {}),
        "ids": ("/api/deliveries/retry", {"ids": [name]}),
        "state": ("/api/deliveries/retry", {"state": "suppressed"}),
    }[way]
    assert await waiting.api(path, "POST", body) == (200, {"retried": 1})
    assert (await the_one(waiting))["state"] != State.SUPPRESSED


# Commands


NEEDED = {
    "send-test": ["x"],
    "rules": ["show"],
    "forget": ["--phone=+491713920011", "--yes"],
    "explain": ["channel_live"],
    "backup": ["copy.db", "--force"],
    "preview": ["channel_live", "--out=page.html"],
}
"""What must stand beside the parameter that is tried, for the command to come as far as it."""
COMMON = {"--rules": "routes", "--templates": "routes", "--journal": "events"}
"""Options that every command has, and the one command that tries them here."""


def parameters() -> Iterator[list[str]]:
    """Every option and argument of every command, as words that end with the one to be tried."""
    (commands,) = (
        action
        for action in arguments.build()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    for name, command in sorted(commands.choices.items()):
        needed = NEEDED.get(name, [])
        for action in command._actions:
            option = action.option_strings[-1] if action.option_strings else ""
            if action.nargs == 0 or name == "demo" or COMMON.get(option, name) != name:
                continue
            if option in ("--listen", "--admin-listen") and name != "serve":
                continue
            yield [name, *needed, f"{option}="] if option else [name, *needed[:-1], ""]
            if not option and action.nargs in ("?", "*") and needed:
                yield [name, *needed, ""]


@pytest.fixture
def served(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with rules, and a journal in which something came."""
    monkeypatch.chdir(folder)

    async def fill() -> None:
        now = datetime.now(UTC)
        store = await open_journal("sqlite:///relay.db", now=now)
        reading = read(json.dumps(partner(1)).encode(), received_at=now)
        await store.journal.append(reading, now=now)
        await store.journal.adopt_rules(
            {"rules.yaml": (folder / "rules.yaml").read_text()}, now=now
        )
        await store.journal.close()

    asyncio.run(fill())


@each("number, words", list(enumerate(parameters())))
def test_no_parameter_of_a_command_ends_in_a_traceback(
    number: int, words: list[str], served: None, capsys: pytest.CaptureFixture[str]
) -> None:
    for odd in some(ODD, number, 8):
        if "\0" in odd:
            continue  # No program can be given one.
        code = cli.run([*words[:-1], words[-1] + odd])
        out, error = capsys.readouterr()
        assert code in (0, 1, 2), (words, odd[:100])
        assert "Traceback" not in out + error, (words, odd[:100])
