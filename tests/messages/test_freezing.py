"""Templates that fail, flood or would freeze the process: an event is told all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.errors import ConfigError
from relay.journal import Filter
from relay.messages.templates import Templates
from tests.client import Client, partner
from tests.conftest import Start
from tests.each import each
from tests.needs import PATIENCE
from tests.world import World, a_world

HEAD = "# {{ event.title }}\n\n"
ROUNDS = "{% for a in range(140) %}{% for b in range(140) %}"
ENDS = "{% endfor %}{% endfor %}"

REFUSED = {
    "power": "{{ 9**9999999 }}",
    "center": "{{ 'a'|center(10**9) }}",
    "format": "{{ '%300000000d'|format(1) }}",
    "import": "{% import 'x' as x %}",
    "table": "| a | b |\n|---|---|\n| {{ event.title }} | b |",
    "include": "{% include '/etc/passwd' %}",
}
"""No relay starts with these; `check` says why."""

STOPPED = {
    "range": "{% for a in range(999999999) %}{% endfor %}",
    "nested ranges": "{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}",
    "doubling": "{% set n = namespace(x='ab') %}{% for a in range(99) %}"
    "{% set n.x = n.x ~ n.x %}{% endfor %}",
    "doubling a list": "{% set n = namespace(x=[1]) %}{% for a in range(99) %}"
    "{% set n.x = n.x + n.x %}{% endfor %}",
    "recursion": "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "sorting": ROUNDS + "{% set x = event.data.many|sort(attribute='b') %}" + ENDS,
    "grouping": ROUNDS + "{% set x = event.data.many|groupby('b') %}" + ENDS,
    "reversing": ROUNDS + "{% set x = event.data.long[::-1] %}" * 100 + ENDS,
    "comparing": ROUNDS
    + "{% if event.data.many[3].a == event.data.long %}{% endif %}" * 300
    + ENDS,
    "a megabyte": "{% for a in range(999) %}" + "x" * 1024 + "{% endfor %}",
    "replacement": "{{ event.data.long|replace('y', event.data.long) }}",
}
"""These load, and are stopped while they run."""

FAILING = {
    "repetition": "{{ 'a' * 1000000000 }}",
    "repetition of a list": "{{ [1] * event.data.count }}",
    "ljust": "{{ 'a'.ljust(1000000000) }}",
    "zfill": "{{ 'a'.zfill(1000000000) }}",
    "format method": "{{ '{:300000000}'.format(1) }}",
    "call": "{{ event.data.none.at.all() }}",
    "division by zero": "{{ 1 / (event.data.count - event.data.count) }}",
    "wrong type": "{{ event.client.name + 1 }}",
    "wrong argument": "{{ event.client.name|round('x') }}",
    "call of a text": "{{ event.title() }}",
}
"""Ordinary faults."""


@pytest.fixture
async def world(folder: Path) -> AsyncIterator[World]:
    async with a_world(folder) as made:
        yield made


def write(folder: Path, body: str) -> None:
    (folder / "message_templates" / "default.md.j2").write_text(HEAD + body)


def hostile(number: int) -> Any:
    many = [{"a": n, "b": f"z{n}"} for n in range(900)]
    return partner(number, many=many, long="y" * 60_000, count=3)


async def message(client: Client) -> str:
    """The one message that was written, title and text."""
    await client.settled()
    (stored,) = await client.app.store.records.deliveries(Filter(state="delivered"))
    assert stored.rendered
    return f"{stored.rendered['title']}\n{stored.rendered['text']}"


@each("body", REFUSED.values(), ids=REFUSED)
def test_what_could_freeze_at_once_is_refused_when_it_is_loaded(body: str) -> None:
    with pytest.raises(ConfigError):
        Templates.from_texts({"default.md.j2": HEAD + body})


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A template's second is over after a tenth of one."""
    real = time.thread_time
    monkeypatch.setattr(time, "thread_time", lambda: 10 * real())


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("body", STOPPED.values(), ids=STOPPED)
async def test_what_takes_too_long_is_stopped_and_the_event_told_with_the_reason(
    folder: Path, start: Start, body: str
) -> None:
    write(folder, body)
    client = await start()
    assert (await client.post(hostile(1)))[0] == 200
    text = await message(client)
    assert "template default.md.j2 failed" in text
    assert "Number is live" in text
    assert "relay_template_faults_total 1.0" in (await client.get("/metrics"))[1]


@pytest.mark.parametrize("body", FAILING.values(), ids=FAILING)
async def test_a_template_that_fails_yields_the_fallback_through_the_whole_path(
    folder: Path, start: Start, body: str
) -> None:
    write(folder, body)
    client = await start()
    assert (await client.post(hostile(1)))[0] == 200
    text = await message(client)
    assert "Number is live" in text
    assert "template default.md.j2 failed" in text
    assert "relay_template_faults_total 1.0" in (await client.get("/metrics"))[1]


@pytest.mark.parametrize("title", ["# {{ event.data.client and '' }}\n", "# {{ ' ' }}\n\nbody\n"])
async def test_a_template_that_writes_no_title_yields_the_fallback(
    folder: Path, start: Start, title: str
) -> None:
    (folder / "message_templates" / "default.md.j2").write_text(title)
    client = await start()
    assert (await client.post(hostile(1)))[0] == 200
    assert "its title is empty" in await message(client)


async def test_a_missing_value_is_shown_and_counted(folder: Path, start: Start) -> None:
    write(folder, "{{ event.data.never_there }}")
    client = await start()
    await client.post(partner(1))
    assert "[missing: event.data.never_there]" in await message(client)
    assert "relay_template_missing_values_total 1.0" in (await client.get("/metrics"))[1]


async def test_webhooks_are_taken_while_templates_compute(folder: Path, start: Start) -> None:
    """The worst ones that are allowed, one after the other, on one lane."""
    write(folder, STOPPED["reversing"])
    client = await start()
    assert (await client.post(hostile(0)))[0] == 200
    async with asyncio.timeout(PATIENCE):
        while not (await client.app.store.records.deliveries(Filter(state="claimed"))):
            await asyncio.sleep(0)
    for number in range(1, 9):
        assert (await client.post(hostile(number)))[0] == 200
    states = [one["state"] for one in (await client.api("/api/deliveries"))[1]["deliveries"]]
    # On the loop each would be written, for half a second or more, before the next was taken.
    assert states.count("delivered") < len(states) / 2


@pytest.mark.parametrize(
    "body",
    ["- a\n" * 51, "\n\n".join(["paragraph"] * 200), "x" * 60_000, "**b** " * 3_000],
    ids=["bullets", "paragraphs", "long", "bold"],
)
async def test_what_is_too_much_for_a_target_is_cut_and_makes_no_error_loop(
    folder: Path, body: str
) -> None:
    async with a_world(folder) as world:
        await world.stop()
        write(folder, body)
        await world.start()
        for kind in ("channel_live", "channel_ready", "channel_running"):
            await world.happen(kind)
        found = await world.until({"delivered": 3})
        assert [len(one["attempts"]) for one in found] == [1, 1, 1]
        (post,) = world.slack.posts
        assert len(post.json["blocks"]) <= 50
        assert len(world.teams.posts[0].raw) < 28_000


async def test_one_bad_template_affects_no_other_rule(folder: Path) -> None:
    async with a_world(folder) as world:
        await world.stop()
        (folder / "message_templates" / "channel_live.md.j2").write_text(
            HEAD + STOPPED["nested ranges"]
        )
        await world.start()
        await world.happen()
        name = await world.happen("channel_created")
        await world.until({"delivered": 2})
        assert world.shown("#sales") == [name]
        assert "failed" in str(world.slack.posts)
