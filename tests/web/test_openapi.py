"""The description of the API, held against what it really answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator

from tests.client import Client, partner, waba
from tests.conftest import Start
from tests.needs import examples
from tests.page import PageWorld, a_page


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PageWorld]:
    async with a_page(tmp_path) as one:
        await one.fill()
        yield one


class Described:
    """Asks, and holds each answer against the description."""

    def __init__(self, world: PageWorld, described: dict[str, Any]) -> None:
        self.world = world
        self.described = described
        self.met: set[tuple[str, str]] = set()

    async def ask(
        self, path: str, body: object = None, *, like: str | None = None, status: int = 200
    ) -> Any:
        method = "get" if body is None else "post"
        template = like or path.partition("?")[0]
        operation = self.described["paths"][template][method]
        async with self.world.client.session.request(
            method,
            self.world.client.url + path,
            json=body,
            headers={"Authorization": f"Bearer {self.world.token}"},
        ) as answer:
            assert answer.status == status, await answer.text()
            said = await answer.json()
        schema = operation["responses"][str(status)]["content"]["application/json"]["schema"]
        whole = {**schema, "components": self.described["components"]}
        errors = [error.message for error in Draft202012Validator(whole).iter_errors(said)]
        assert errors == [], (path, errors)
        self.met.add((method, template))
        return said


async def test_every_answer_is_as_it_is_described(world: PageWorld) -> None:
    described = await world.api("/api/openapi.json")
    api = Described(world, described)
    await world.client.post(b"not json")
    await world.client.post(waba("messages", {"messages": [{"from": "1"}]}))
    status = await api.ask("/api/status")
    assert status["alarms"]
    events = (await api.ask("/api/events"))["events"]
    (dead,) = (await api.ask("/api/deliveries?state=dead"))["deliveries"]
    (parked,) = (await api.ask("/api/deliveries?state=parked"))["deliveries"]
    event = next(one["id"] for one in events if one["id"] == dead["event_id"])
    await api.ask(f"/api/events/{event}", like="/api/events/{id}")
    await api.ask("/api/events/ffff00", like="/api/events/{id}", status=404)
    replay = "/api/events/{id}/replay"
    await api.ask(f"/api/events/{event}/replay", {"dry_run": True}, like=replay)
    await api.ask("/api/replay", {"state": "muted", "to": "support"})
    await api.ask("/api/replay", {}, status=400)
    one = "/api/deliveries/{id}/"
    await api.ask(f"/api/deliveries/{dead['id']}/discard", {}, like=one + "discard")
    await api.ask(f"/api/deliveries/{dead['id']}/discard", {}, like=one + "discard", status=409)
    await api.ask(f"/api/deliveries/{dead['id']}/retry", {}, like=one + "retry")
    await api.ask("/api/deliveries/retry", {"reason": parked["reason"]})
    await api.ask("/api/deliveries/discard", {"state": "parked"})
    silence = await api.ask("/api/silences", {"phone": "+49*", "for": "2h", "why": "known"})
    await world.happen()
    await world.settled()
    await api.ask("/api/silences")
    await api.ask("/api/status")
    await api.ask(f"/api/silences/{silence['id']}/end", {}, like="/api/silences/{id}/end")
    (item,) = (await api.ask("/api/quarantine"))["quarantine"]
    look = "/api/quarantine/{id}/look"
    await api.ask(f"/api/quarantine/{item['id']}/look", {}, like=look)
    await api.ask("/api/directory", {"contacts": [{"phone": "+49 171 3920011", "name": "M"}]})
    await api.ask("/api/directory")
    await api.ask("/api/forget", {"phone": "+49 171 3920011"})
    rules = (
        (world.folder / "rules.yaml").read_text().replace("direction: worse", "direction: better")
    )
    diff = await api.ask("/api/diff", {"rules": rules, "messages": True})
    assert diff["different"] == 1
    await api.ask("/api/diff", {"rules": "rules: []"}, status=422)
    await api.ask("/api/reload", {})
    await api.ask("/api/publish", {})
    await api.ask("/api/rules/1/revert", {}, like="/api/rules/{version}/revert")
    await api.ask("/api/rules/99/revert", {}, like="/api/rules/{version}/revert", status=404)
    await api.ask("/api/watch", {}, status=422)
    paths = described["paths"]
    everything = {(method, path) for path in paths for method in paths[path]}
    assert everything - api.met == set()


async def test_it_is_there_for_operators_alone(start: Start) -> None:
    client: Client = await start()
    assert (await client.get("/api/openapi.json"))[0] == 401
    status, described = await client.api("/api/openapi.json")
    assert (status, described["openapi"]) == (200, "3.1.0")
    assert await client.post(partner(1))


@pytest.mark.slow
async def test_whatever_is_asked_is_answered_as_it_is_described(world: PageWorld) -> None:
    """Schemathesis asks by the description, rightly and wrongly: no 500, and nothing else."""
    await asyncio.to_thread(_attack, world.client.url)


def _attack(url: str) -> None:
    import schemathesis  # two seconds, paid by this one alone
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as spec

    headers = {"Authorization": f"Bearer {PageWorld.token}"}
    schema = schemathesis.openapi.from_url(f"{url}/api/openapi.json", headers=headers)
    checks = [
        not_a_server_error,
        spec.status_code_conformance,
        spec.content_type_conformance,
        spec.response_schema_conformance,
    ]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for operation in schema.get_all_operations():

            @examples(8)
            @given(case=operation.ok().as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                case.call_and_validate(headers=headers, checks=checks)

            with suppress(Unsatisfiable):  # Of what takes nothing nothing can be wrong.
                ask()
