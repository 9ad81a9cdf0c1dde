"""Load rules, lists and templates whole, check and test them, and swap the live plan at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from relay.errors import ConfigError
from relay.journal import Checked, Store
from relay.reload import withheld
from relay.reload.files import Loaded, from_files, from_version, outbound
from relay.reload.passed import Everything, passed_before, this_relay
from relay.reload.withheld import RULES
from relay.settings import Settings

__all__ = ["Loaded", "outbound", "read", "show", "start"]


def read(settings: Settings) -> Loaded:
    """The plan that the files say. Raises `ConfigError` with every fault of all of them."""
    return from_files(settings, strict_env=False, now=datetime.now(UTC))


def show(settings: Settings, *, strict_env: bool = False) -> Loaded:
    """The same without checking templates and running tests, for commands that show one thing."""
    return from_files(settings, strict_env=strict_env, now=datetime.now(UTC), passed=Everything())


async def start(settings: Settings, store: Store, *, now: datetime) -> Loaded:
    """The files' plan, recorded as a version; the last good version where the files are bad.

    Raises `ConfigError` where the files are bad and there is no version.
    """
    await withheld.clean(settings, store)
    last = await store.records.rules()
    try:
        loaded = await asyncio.to_thread(
            from_files,
            settings,
            strict_env=not settings.sandbox,
            now=now,
            store=store,
            passed=passed_before(last) if last else None,
        )
    except ConfigError as error:
        if last is None:
            raise
        try:
            kept = from_version(last, settings, store)
        except ConfigError as older:
            # The edit comes first: it is what somebody can mend.
            raise ConfigError([*error.faults, *older.faults]) from None
        return replace(kept, faults=error.faults)
    return await record(loaded, settings, store, now)


async def record(loaded: Loaded, settings: Settings, store: Store, now: datetime) -> Loaded:
    """The same plan under the number of its version in the journal."""
    keep = tuple(sorted(loaded.plan.keep))
    files = dict(loaded.files or {})
    if loaded.config is not None:
        files[RULES] = loaded.config.kept
        await asyncio.to_thread(withheld.write, withheld.place(settings.journal), loaded.config)
    version = await store.journal.adopt_rules(
        files, now=now, checked=Checked(this_relay(), loaded.passed.rules, keep)
    )
    return replace(loaded, plan=replace(loaded.plan, version=version))
