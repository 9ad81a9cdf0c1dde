"""Back to a version that was live: in the journal first, then in the files."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from relay.config.yaml_reader import NOT_KEPT
from relay.errors import ConfigError, UsageError
from relay.files import read_regular
from relay.journal import Store
from relay.messages.shelf import read_folder
from relay.reload import record, show, withheld
from relay.reload.files import Loaded, from_version, path_of
from relay.reload.withheld import BESIDE, RULES
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
        await asyncio.to_thread(withheld.place(settings.journal).unlink, missing_ok=True)
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
            _replace(path, text)
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


def _replace(path: Path, text: str | None) -> None:
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
