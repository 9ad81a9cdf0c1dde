"""Load rules, lists and templates whole, check and test them, and swap the live plan at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

from relay.errors import ConfigError, Fault
from relay.journal import Checked, RulesVersion, Store
from relay.reload import withheld
from relay.reload.files import (
    Everything,
    Loaded,
    from_files,
    from_version,
    outbound,
    passed_before,
    this_relay,
)
from relay.settings import Settings

__all__ = ["Loaded", "from_version", "outbound", "publish", "read", "record", "show", "start"]


def read(settings: Settings, live: RulesVersion | None = None) -> Loaded:
    """The plan that the files say. Raises `ConfigError` with every fault of all of them.

    What the `live` version's adoption proved is not checked again.
    """
    passed = passed_before(live) if live else None
    return from_files(settings, strict_env=False, now=datetime.now(UTC), passed=passed)


def show(settings: Settings, *, strict_env: bool = False) -> Loaded:
    """The same without checking templates and running tests, for commands that show one thing."""
    return from_files(settings, strict_env=strict_env, now=datetime.now(UTC), passed=Everything())


async def start(settings: Settings, store: Store, *, now: datetime) -> Loaded:
    """The files' plan, recorded as a version; the last good version where the files are bad.

    Where edits are held it is the last version, whatever the files say. Raises `ConfigError` where
    the files are bad and there is no version.
    """
    await withheld.clean(settings, store)
    last = await store.records.rules()
    if last and settings.hold_edits:
        return await _held(last, settings, store, now)
    try:
        fresh = await _checked(settings, store, now)
        if last and await _is_older(fresh, last, store):
            live = await _held(last, settings, store, now)
            return replace(live, waits=withheld.changes(last.files, fresh.kept))
        return await record(fresh, settings, store, now)
    except ConfigError as error:
        if last is None:
            raise
        try:
            kept = from_version(last, settings, store)
        except ConfigError as older:
            # The edit comes first: it is what somebody can mend.
            raise ConfigError([*error.faults, *older.faults]) from None
        return replace(kept, faults=error.faults)


async def _is_older(fresh: Loaded, last: RulesVersion, store: Store) -> bool:
    """Whether another relay lives, and these files were live before what is live now.

    They are what a relay was started with that had not heard of the newer ones: it waits for
    somebody to publish them.
    """
    if store.journal.leads() or fresh.kept == last.files:
        return False
    return await store.records.version_of(fresh.kept) is not None


async def publish(settings: Settings, store: Store, *, now: datetime, who: str = "") -> Loaded:
    """The files' plan, checked and recorded as a version. Raises `ConfigError`."""
    fresh = await _checked(settings, store, now)
    return await record(fresh, settings, store, now, who=who)


async def _held(last: RulesVersion, settings: Settings, store: Store, now: datetime) -> Loaded:
    """The last version, though the files may say something else."""
    try:
        return from_version(last, settings, store)
    except ConfigError as older:
        # A secret that stood in its rules may be lost, and still stand in the file.
        fresh = await _checked(settings, store, now)
        if withheld.changes(last.files, fresh.kept):
            told = Fault(
                str(settings.rules),
                1,
                1,
                "error",
                f"version {last.version} cannot be live again, and edits are held: "
                "`relay publish` makes the files live",
            )
            raise ConfigError([*older.faults, told]) from None
        return await record(fresh, settings, store, now)


async def _checked(settings: Settings, store: Store, now: datetime) -> Loaded:
    last = await store.records.rules()
    return await asyncio.to_thread(
        from_files,
        settings,
        strict_env=not settings.sandbox,
        now=now,
        store=store,
        passed=passed_before(last) if last else None,
    )


async def record(
    loaded: Loaded, settings: Settings, store: Store, now: datetime, *, who: str = ""
) -> Loaded:
    """The same plan under the number of its version in the journal."""
    keep = tuple(sorted(loaded.plan.keep))
    if loaded.config is not None:
        await asyncio.to_thread(withheld.write, withheld.place(settings), loaded.config)
    version = await store.journal.adopt_rules(
        loaded.kept, now=now, checked=Checked(this_relay(), loaded.passed.rules, keep), who=who
    )
    return replace(loaded, plan=replace(loaded.plan, version=version))
