"""The live plan and how it changes: as a whole, between two events, or not at all; and back to a
version that was live: in the journal first, then in the files.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from relay import logs
from relay.config.lists import LARGEST_LIST
from relay.config.yaml_reader import NOT_KEPT
from relay.errors import ConfigError, UsageError
from relay.files import read_regular
from relay.journal import Store
from relay.messages.shelf import read_folder
from relay.pipeline import Plan
from relay.reload import record, show, withheld
from relay.reload.files import Loaded, from_files, from_version, path_of
from relay.reload.withheld import BESIDE, RULES, changes
from relay.settings import Settings

_LARGEST = 1 << 26


@dataclass(frozen=True, slots=True)
class Reverted:
    """What was done, and what could not be."""

    loaded: Loaded
    written: tuple[str, ...]
    """Files that were written or deleted."""
    unwritten: tuple[str, ...]
    """Files that still say something else, each with the reason."""

    @property
    def placeholders(self) -> bool:
        """Whether the written rules have placeholders for secrets that no version keeps."""
        return RULES in self.written and f"${{{NOT_KEPT}_" in self.loaded.kept[RULES]


async def revert(
    version: int, settings: Settings, store: Store, *, now: datetime, who: str
) -> Reverted:
    """Record the version anew and write its files; one that cannot be written is told.

    Raises `UsageError` where there is no such version, or `ConfigError` where it cannot be live
    today, say for a secret that is gone.
    """
    kept = await store.records.rules(version)
    if kept is None:
        raise UsageError(f"there is no version {version}: `relay rules log` lists them")
    older = await asyncio.to_thread(from_version, kept, settings, store)
    loaded = await record(older, settings, store, now, who=who)
    if not loaded.secrets:
        await asyncio.to_thread(withheld.forget, withheld.place(settings))
    written, unwritten = await asyncio.to_thread(_write, settings, kept.files)
    return Reverted(loaded, written, unwritten)


def on_disk(settings: Settings) -> Mapping[str, str] | None:
    """The files as a version would keep them; None where they are refused."""
    try:
        return show(settings).kept
    except ConfigError:
        return None


def _write(settings: Settings, files: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Make the files say what the version says; a template that it does not have goes."""
    written, unwritten = [], []
    now = on_disk(settings)
    with suppress(OSError):
        surplus = read_folder(settings.templates)[0].keys() - files.keys()
        files = {**dict.fromkeys(sorted(surplus)), **files}  # type: ignore[dict-item]
    for name, text in files.items():
        path = path_of(settings, name)
        if _says(path, text) or (name == RULES and now and now[RULES] == text):
            continue
        try:
            put(path, text)
        except OSError as error:
            unwritten.append(f"{path}: {error.strerror or error}")
        else:
            written.append(name.removeprefix(BESIDE))
    return tuple(written), tuple(unwritten)


def _says(path: Path, text: str | None) -> bool:
    try:
        return read_regular(path, _LARGEST).decode("utf-8-sig") == text
    except (OSError, UnicodeDecodeError):
        return False


def put(path: Path, text: str | None) -> None:
    """Put a text in the place of a file, whole or not at all; None takes the file away.

    Where a link stands, what it leads to is replaced. Mode and owner stay.
    """
    if text is None:
        path.unlink(missing_ok=True)
        return
    path = path.resolve()
    path.parent.mkdir(exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(text.encode())
        with suppress(FileNotFoundError):
            shutil.copymode(path, part)
            was = path.stat()
            if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(part, was.st_uid, was.st_gid)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


LOOK_EVERY = 0.5
"""Seconds between two looks at the files. A change must look the same twice before it is read:
editors and copies write in several steps, and half a file may be a valid one."""

Looks = dict[str, tuple[int, int, int] | None]
"""Of each file what tells that it is another one: time, size and inode; None where it is not."""


class Reloader:
    """Keeps the plan that is live, and replaces it by a better one only."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        loaded: Loaded,
        *,
        clock: Callable[[], datetime],
        adopt: Callable[[Plan], Awaitable[None]],
        told: Callable[[Loaded], Awaitable[None]],
    ) -> None:
        self.loaded = loaded
        """What is live, with the fault of the files if they were refused since."""
        self._settings = settings
        self._store = store
        self._clock = clock
        self._adopt = adopt
        self._told = told
        self._one_at_a_time = asyncio.Lock()
        self._draft: Mapping[str, str] = {}
        """The files of an edit that is held; those that only it names are looked at too."""
        self._seen: Looks | None = None
        """How the files looked that were read last; None before the first look."""
        self._pending: Looks | None = None
        """How they looked at the last look."""

    async def reload(self, why: str, *, who: str = "", publish: bool = False) -> Loaded:
        """Read the files now; afterwards `loaded.error` says whether they were refused.

        Where edits are held, good ones wait until somebody publishes them.
        """
        async with self._one_at_a_time:
            return await self._read(why, who, publish=publish)

    async def _read(self, why: str, who: str, *, publish: bool) -> Loaded:
        now = self._clock()
        try:
            fresh = await asyncio.to_thread(
                from_files,
                self._settings,
                strict_env=not self._settings.sandbox,
                now=now,
                store=self._store,
                passed=self.loaded.passed,
            )
        except ConfigError as error:
            self.loaded = replace(self.loaded, faults=error.faults, waits=())
            logs.error(
                "rules refused",
                why=why,
                error=self.loaded.error,
                live_version=self.loaded.plan.version,
            )
            await self._told(self.loaded)
            return self.loaded
        changed = fresh.differs(self.loaded)
        if self._settings.hold_edits and not publish:
            return await self._hold(fresh, changed, why)
        fresh = await record(fresh, self._settings, self._store, now, who=who)
        await self._adopt(fresh.plan)
        self.loaded = replace(fresh, changed=changed)
        self._draft = {}
        logs.info(
            "rules loaded",
            why=why,
            version=fresh.plan.version,
            changed=changed,
            **({"who": who} if who else {}),
        )
        for warning in fresh.warnings:
            logs.warning("rules", finding=str(warning))
        await self._told(self.loaded)
        return self.loaded

    async def revert(self, version: int, who: str) -> Reverted:
        """Make an older version live, and write its files.

        Raises `UsageError` where there is no such version, or `ConfigError` where it cannot be
        live today.
        """
        async with self._one_at_a_time:
            now = self._clock()
            live = self.loaded
            done = await revert(version, self._settings, self._store, now=now, who=who)
            await self._adopt(done.loaded.plan)
            self.loaded = replace(done.loaded, changed=done.loaded.differs(live))
            self._draft = {}
            self._seen = self._pending = await asyncio.to_thread(self._looks)
            logs.info(
                "an older version is live again",
                older=version,
                version=done.loaded.plan.version,
                who=who,
                written=done.written,
                unwritten=done.unwritten,
            )
            await self._told(self.loaded)
            return done

    async def _hold(self, draft: Loaded, changed: tuple[str, ...], why: str) -> Loaded:
        """Keep what is live, and say that an edit waits."""
        self._draft = draft.files or {}
        self.loaded = replace(self.loaded, faults=(), waits=changed)
        if changed:
            logs.warning(
                "an edit waits: relay publish makes it live",
                why=why,
                changed=changed,
                live_version=self.loaded.plan.version,
            )
        await self._told(self.loaded)
        return self.loaded

    async def follow(self) -> None:
        """Go by the version that another relay made live, if one did."""
        async with self._one_at_a_time:
            newest = await self._store.records.rules()
            if newest is None or newest.version <= self.loaded.plan.version:
                return
            waits = changes(newest.files, self.loaded.kept)
            try:
                fresh = await asyncio.to_thread(from_version, newest, self._settings, self._store)
            except ConfigError as error:
                self.loaded = replace(self.loaded, faults=error.faults)
                logs.error(
                    "rules of another relay cannot be live here",
                    version=newest.version,
                    error=self.loaded.error,
                    live_version=self.loaded.plan.version,
                )
            else:
                await self._adopt(fresh.plan)
                self.loaded = replace(fresh, waits=waits)
                logs.warning(
                    "another relay made rules live; the files here say something else",
                    version=newest.version,
                    changed=waits,
                )
            await self._told(self.loaded)

    async def look(self) -> None:
        """Look at the files once; reload when one changed and then stayed the same."""
        async with self._one_at_a_time:
            now = await asyncio.to_thread(self._looks)
            if self._seen is None:
                # Something may have been edited between the first load and this first look.
                self._seen = now if await asyncio.to_thread(self._as_loaded) else {}
            settled, self._pending = now == self._pending, now
            if now == self._seen or not settled:
                return
            await self._read("a file changed", "", publish=False)
            # The files that are new in the list did not change by being named; what changed
            # while the others were read is seen at the next look.
            later = await asyncio.to_thread(self._looks)
            self._seen = {path: now.get(path, look) for path, look in later.items()}

    def _as_loaded(self) -> bool:
        """The rules, all that they named when they were loaded, and the templates are the same."""
        try:
            found, _ = read_folder(self._settings.templates)
            for name in (self.loaded.files or {}).keys() - found.keys():
                content = read_regular(path_of(self._settings, name), LARGEST_LIST)
                found[name] = content.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError):
            return False
        return found == self.loaded.files

    def _looks(self) -> Looks:
        """How all the files look that the plan is made of."""
        rules, templates = self._settings.rules, self._settings.templates
        named = {**(self.loaded.files or {}), **self._draft}
        paths = [rules, templates, *_visible(templates)]
        paths += [path_of(self._settings, name) for name in named]
        if self.loaded.error:
            # Refused rules may name files that nobody has seen yet: whatever appears may cure them.
            paths += [path for path in rules.parent.glob("*") if _may_be_named(path)]
        return {str(path): _look(path) for path in paths}


def _visible(folder: Path) -> list[Path]:
    """All below a folder that may be read: nothing whose name begins with a dot."""
    return [
        path
        for path in folder.rglob("*")
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def _may_be_named(path: Path) -> bool:
    return path.suffix.lower() in {".csv", ".txt", ".json", ".yaml", ".yml"}


def _look(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = os.stat(path)  # noqa: PTH116  one call for all three
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
