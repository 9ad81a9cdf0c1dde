"""Rules and templates that somebody writes by the page or the API, tried before they are live.

A login is not shell access: what is written there is read, rendered and compared in a child process
with limits on time and memory, which knows no variable of the environment and so no secret, and
sees of the machine the journal and copies of the files that rules may name. It runs the same
commands as a person would.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from relay.errors import UsageError
from relay.journal.doors import journal_path
from relay.messages.shelf import read_folder
from relay.reload.withheld import BESIDE, RULES
from relay.settings import NO_PLACEHOLDERS, Settings
from relay.web.asked import Diff

PATIENCE = 90.0
"""Seconds for a comparison of many events."""
MEMORY = 1 << 30
"""Bytes of addresses."""
BEHIND = 10
"""How much nicer a child is than the relay: what is routed and sent goes first."""
AT_ONCE = 2
"""Children that run at the same time; the others wait."""
TEMPLATES = "message_templates"
_LISTS = frozenset({".csv", ".tsv", ".txt", ".json"})
_LARGEST = 1 << 20
_MOST_FILES = 200
_STAND_IN = ("stand-ins take their places", "a stand-in takes its place", "RELAY_360DIALOG_")
"""In findings that only say that the child knows no variables."""


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be tried; templates stand beside the shipped ones."""

    rules: str
    templates: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, str] = field(default_factory=dict)
    """Lists of the live version, for files that can no longer be read."""

    @classmethod
    def of_files(cls, files: Mapping[str, str]) -> Draft:
        """From the files of a version."""
        beside = {name: text for name, text in files.items() if name.startswith(BESIDE)}
        templates = {
            name: text for name, text in files.items() if name != RULES and name not in beside
        }
        named = {name.removeprefix(BESIDE): text for name, text in beside.items()}
        return cls(files[RULES], templates, named)


def on_disk(settings: Settings) -> Draft:
    """What the files say now. Raises `UsageError`."""
    try:
        rules = settings.rules.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"cannot read {settings.rules}: {why}") from None
    try:
        return Draft(rules, read_folder(settings.templates)[0])
    except OSError:  # Without templates of one's own the shipped ones stand.
        return Draft(rules)


class Tries:
    """Runs commands on drafts, a few at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._free = asyncio.Semaphore(AT_ONCE)
        self._under_way: dict[str, asyncio.Task[Any]] = {}
        """What is being tried, by who asked for it."""

    async def newest(self, who: str, work: Coroutine[Any, Any, T]) -> T | None:
        """What it answers; None where the same one asked for something newer meanwhile."""
        if older := self._under_way.get(who):
            older.cancel()
        task: asyncio.Task[T] = asyncio.create_task(work)
        self._under_way[who] = task
        try:
            return await task
        except asyncio.CancelledError:
            here = asyncio.current_task()
            if here is None or here.cancelling():
                raise
            return None
        finally:
            if self._under_way.get(who) is task:
                del self._under_way[who]

    async def check(self, draft: Draft) -> list[dict[str, Any]]:
        """Every finding of `relay check`: level, file, line, column and message."""
        said = await self._json(draft, "check", "--json")
        return [
            one
            for one in said["findings"]
            if not any(words in one["message"] for words in _STAND_IN)
        ]

    async def diff(self, draft: Draft, *options: str) -> dict[str, Any]:
        """What `relay diff` says of a draft, against what is live. Raises `UsageError`."""
        return await self._json(draft, "diff", ".", "--json", *options)

    async def diff_asked(self, wanted: Diff) -> dict[str, Any]:
        """The same as `POST /api/diff` asks for it. Raises `UsageError`."""
        files = await asyncio.to_thread(on_disk, self._settings)
        draft = Draft(wanted.rules or files.rules, {**files.templates, **wanted.templates})
        options = [f"--since={wanted.since}"]
        if wanted.against is not None:
            options.append(f"--against={wanted.against}")
        if wanted.messages:
            options.append("--messages")
        return await self.diff(draft, *options)

    async def preview(self, draft: Draft, kind: str) -> str:
        """The page of `relay preview`. Raises `UsageError`."""
        return (await self._run(draft, "preview", kind, "--out", "-")).decode()

    async def _json(self, draft: Draft, *words: str) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(await self._run(draft, *words))
        return said

    async def _run(self, draft: Draft, *words: str) -> bytes:
        async with self._free:
            with tempfile.TemporaryDirectory(prefix="relay-draft-") as name:
                folder = Path(name)
                try:
                    await asyncio.to_thread(_write, folder, draft, self._settings)
                except OSError as error:
                    raise UsageError(f"it cannot be tried: {error.strerror}") from None
                async with _child(folder, self._settings, words) as child:
                    out, err = await child.communicate()
        if out and child.returncode in (0, 1):
            return out
        lines = [line.removeprefix("relay: ") for line in err.decode().splitlines() if line]
        raise UsageError("\n".join(lines[-20:]) or "it needs more time or memory than it may have")


def _write(folder: Path, draft: Draft, settings: Settings) -> None:
    """The draft, and the lists that stand beside the rules."""
    source = settings.rules.parent.resolve()
    names = [path.relative_to(source) for path in _lists(source)]
    for name in names[:_MOST_FILES]:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, place)
    texts = {
        **{name: text for name, text in draft.beside.items() if not (folder / name).exists()},
        **{f"{TEMPLATES}/{name}": text for name, text in draft.templates.items()},
        RULES: draft.rules,
    }
    (folder / TEMPLATES).mkdir(exist_ok=True)
    for file, text in texts.items():
        place = (folder / file).resolve()
        if not place.is_relative_to(folder.resolve()):
            raise UsageError(f"{file}: a template has a name, and no path")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode("utf-8", "surrogatepass"))


def _lists(source: Path) -> list[Path]:
    found = [*source.glob("*"), *source.glob("*/*")]
    return [
        path
        for path in sorted(found)
        if path.suffix in _LISTS
        and path.is_file()
        and path.resolve().is_relative_to(source)
        and path.stat().st_size <= _LARGEST
    ]


def _journal(url: str) -> str:
    """The same journal from another folder."""
    return f"sqlite:///{journal_path(url)}" if url.startswith("sqlite:") else url


@asynccontextmanager
async def _child(
    folder: Path, settings: Settings, words: Sequence[str]
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`relay WORDS` in the folder, without any variable of ours; killed when it takes too long."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",  # No module is taken from the folder of the draft.
        "-m",
        "relay",
        *words,
        cwd=folder,
        env={
            "PATH": os.environ.get("PATH", ""),
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONUTF8": "1",
            "RELAY_RULES": RULES,
            "RELAY_TEMPLATES": TEMPLATES,
            "RELAY_JOURNAL": _journal(settings.journal),
            NO_PLACEHOLDERS: "1",
            "RELAY_ALLOW_PRIVATE_DESTINATIONS": "1",
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if hasattr(resource, "prlimit"):
        resource.prlimit(child.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.prlimit(child.pid, resource.RLIMIT_CPU, (int(PATIENCE), int(PATIENCE)))
        os.setpriority(os.PRIO_PROCESS, child.pid, BEHIND)
    try:
        async with asyncio.timeout(PATIENCE):
            yield child
    except TimeoutError:
        raise UsageError(
            f"it was not done within {PATIENCE:.0f} seconds: a comparison may look back less far, "
            "and `relay diff` has no such limit"
        ) from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
