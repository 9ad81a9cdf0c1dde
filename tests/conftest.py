"""What many tests share: rules that send nowhere far, and a relay in this process."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from relay import logs
from relay.app import App
from relay.journal import Store
from relay.journal.doors import open_journal
from relay.settings import Address, Settings
from tests.client import Client
from tests.engines import ENGINES, Engine, Open, Place
from tests.journal_suite import NOW

RULES = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests}
destinations:
  support: {slack: {channel: "#support"}}
rules:
  - name: Approved templates are no news
    when: {topic: template, detail: APPROVED}
    send_to: none
  - name: Everything
    when: {event: "*"}
    send_to: support
alarms: {send_to: support}
"""

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", UNTIMED, max_examples=50, derandomize=True, database=None)
settings.register_profile("random", UNTIMED, max_examples=500, print_blob=True)
settings.load_profile("same")
"""`make test` tries the same examples everywhere, `make test-all` random ones, and more."""

Start = Callable[..., Awaitable[Client]]


@pytest.fixture(autouse=True)
def _logs_of_its_own() -> Iterator[None]:
    """Whatever a test does to the logging, the next one does not write into its closed stream."""
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logs.reset()
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with rules and one template."""
    (tmp_path / "rules.yaml").write_text(RULES, encoding="utf-8")
    (tmp_path / "message_templates").mkdir()
    (tmp_path / "message_templates" / "default.md.j2").write_text("# {{ event.title }}\n")
    return tmp_path


@pytest.fixture
async def start(folder: Path) -> AsyncIterator[Start]:
    """Start a relay in this process, in sandbox mode unless said otherwise; stopped at the end."""
    async with AsyncExitStack() as stack:

        async def run(**changes: Any) -> Client:
            settings = Settings(
                **{
                    "rules": folder / "rules.yaml",
                    "templates": folder / "message_templates",
                    "journal": f"sqlite:///{folder / 'relay.db'}",
                    "listen": Address("127.0.0.1", 0),
                    "sandbox": True,
                    "admin_token": "admin",
                    **changes,
                }
            )
            app = await App.start(settings)
            stack.push_async_callback(app.stop, grace=0.5)
            return await stack.enter_async_context(Client(app))

        yield run


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """In `make test` the second engine answers to `test_engines` alone."""
    for item in items:
        parameters = getattr(getattr(item, "callspec", None), "params", {})
        if parameters.get("engine") == "postgresql" and item.path.name != "test_engines.py":
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine of the journal."""
    return ENGINES[request.param]


@pytest.fixture
def place(engine: Engine, tmp_path: Path) -> Place:
    """Where a new journal stands."""
    return engine(tmp_path)


@pytest.fixture
def opening(place: Place) -> Open:
    """Opens the same journal at each call."""
    return partial(open_journal, place.url, now=NOW)


@pytest.fixture
async def store(opening: Open) -> AsyncIterator[Store]:
    """An open journal."""
    opened = await opening()
    yield opened
    await opened.journal.close()
