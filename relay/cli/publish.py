"""`relay publish`: make an edit live that waits."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from relay import reload
from relay.cli.control import RefusedError, ask_relay, opened
from relay.control import user
from relay.errors import ConfigError
from relay.reload.withheld import changes
from relay.settings import Settings

PATIENCE = 120.0
"""Seconds; rules are checked and tested before they are live."""


async def run(_options: Namespace, settings: Settings) -> int:
    """Through the relay that serves, else under the lock; 1 if the files are refused."""
    try:
        answer = await ask_relay(settings, "/api/publish", {}, patience=PATIENCE)
        if answer is None:
            answer = await _under_lock(settings)
    except (ConfigError, RefusedError) as error:
        print(error, file=sys.stderr)
        return 1
    changed = ", ".join(answer["changed"])
    print(f"version {answer['version']} is live: {changed or 'nothing waited'}")
    return 0


async def _under_lock(settings: Settings) -> dict[str, Any]:
    now = datetime.now(UTC)
    async with opened(settings, now) as store:
        before = await store.records.rules()
        loaded = await reload.publish(settings, store, now=now, who=user())
        changed = changes(before.files if before else {}, loaded.kept)
        return {"version": loaded.plan.version, "changed": changed}
