"""Relays that share a database go by the same rules: those that somebody adopted last."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from relay.app import App
from tests.conftest import RULES, Start
from tests.engines import InPostgres
from tests.needs import PATIENCE

NEWER = RULES.replace("Everything", "All of it")


def another(folder: Path, rules: str = RULES) -> dict[str, Path]:
    """The files of one more relay."""
    copy = folder.parent / f"{folder.name}-{len(list(folder.parent.iterdir()))}"
    shutil.copytree(folder, copy)
    (copy / "rules.yaml").write_text(rules)
    return {"rules": copy / "rules.yaml", "templates": copy / "message_templates"}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)


def version(app: App) -> int:
    return app.worker.plan.version


def waits(app: App) -> tuple[str, ...]:
    return app._live.result().reloader.loaded.waits


async def test_what_one_adopts_is_live_everywhere_and_files_that_differ_are_told(
    folder: Path, tmp_path: Path, start: Start
):
    url = InPostgres(tmp_path).url
    first = await start(journal=url)
    files = another(folder)
    second = await start(journal=url, **files)
    assert (version(first.app), version(second.app)) == (1, 1)
    files["rules"].write_text(NEWER)
    await until(lambda: version(first.app) == version(second.app) == 2)
    await until(lambda: bool(waits(first.app)))
    _, ready = await first.get("/readyz")
    assert ready["rules"]["waits"] == ["rules.yaml"]
    _, status = await second.api("/api/status")
    assert sorted(tuple(one["waits"]) for one in status["relays"]) == [(), ("rules.yaml",)]
    # The files of the first one reach it later, as in a rolling update: then all is well.
    (folder / "rules.yaml").write_text(NEWER)
    await until(lambda: not waits(first.app))
    assert version(first.app) == 2


async def test_a_start_with_older_files_goes_by_what_is_live(
    folder: Path, tmp_path: Path, start: Start
):
    url = InPostgres(tmp_path).url
    first = await start(journal=url)
    (folder / "rules.yaml").write_text(NEWER)
    await until(lambda: version(first.app) == 2)
    older = await start(journal=url, **another(folder))
    assert version(older.app) == 2
    assert waits(older.app) == ("rules.yaml",)
    newest = await start(journal=url, **another(folder, NEWER.replace("All of it", "All")))
    assert version(newest.app) == 3
    await until(lambda: version(first.app) == version(older.app) == 3)
