"""The heartbeat: called while all is well, and by nobody else than it should."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from relay import logs
from relay.channels import Outbound
from relay.worker.loops import Heartbeat
from tests.world import QUICK, RULES, World, a_world


class Listener:
    """Counts who calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answer = web.Response()
        app = web.Application()
        app.router.add_get("/{path:.*}", self._take)
        self.server = TestServer(app)

    async def _take(self, request: web.Request) -> web.Response:
        self.calls.append(request.path)
        return self.answer

    @property
    def url(self) -> str:
        return str(self.server.make_url("/secret-of-the-heartbeat"))


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    made = Listener()
    await made.server.start_server(access_log=None)
    yield made
    await made.server.close()


async def yes() -> bool:
    return True


async def no() -> bool:
    return False


OPEN = Outbound(allow_private=True)


async def test_it_is_called_only_while_all_is_well(listener: Listener) -> None:
    await Heartbeat(OPEN, url=lambda: listener.url, is_well=no).beat()
    assert listener.calls == []
    await Heartbeat(OPEN, url=lambda: listener.url, is_well=yes).beat()
    assert listener.calls == ["/secret-of-the-heartbeat"]
    await Heartbeat(OPEN, url=lambda: None, is_well=yes).beat()
    assert len(listener.calls) == 1


async def test_it_follows_no_redirect_and_a_fault_is_told_without_the_url(
    listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.reset()
    listener.answer = web.Response(status=302, headers={"Location": "/elsewhere"})
    await Heartbeat(OPEN, url=lambda: listener.url, is_well=yes).beat()
    assert listener.calls == ["/secret-of-the-heartbeat"]
    await Heartbeat(Outbound(), url=lambda: listener.url, is_well=yes).beat()
    assert len(listener.calls) == 1
    assert "secret-of-the-heartbeat" not in "".join(capsys.readouterr())


async def test_a_relay_that_serves_calls_it(tmp_path: Path, listener: Listener) -> None:
    class Beating(World):
        tempo = replace(QUICK, heartbeat=0.05)

        def __init__(self, *given: object) -> None:
            super().__init__(*given)  # type: ignore[arg-type]
            self.tempo = replace(QUICK, heartbeat=0.05)

    (tmp_path / "message_templates").mkdir()
    rules = RULES + f"watch: {{heartbeat: '{listener.url}'}}\n"
    async with a_world(tmp_path, rules, kind=Beating) as world:
        await world.become(lambda: len(listener.calls) >= 2)
