"""What a login may publish: a page is no shell, and two people who edit at once are told.

Secrets are shown as placeholders and put back when a file is written. An account, or the transport
of a destination, that holds a variable or a secret stays as the live version has it, with all that
stands beside it: whoever may move a token, or the address that it is sent to, can read it.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.config.nodes import Fields, Findings, Items, Node, Scalar
from relay.config.yaml_reader import read
from relay.errors import ConfigError, Fault, UsageError
from relay.journal import RulesVersion
from relay.reload import show, withheld
from relay.reload.files import path_of
from relay.reload.reloader import put
from relay.reload.withheld import RULES
from relay.settings import Settings

CHANNELS = frozenset({"slack", "email", "teams", "webhook"})
_VARIABLE = re.compile(r"\$\{[^}]*\}")

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """What an editor begins with."""

    files: Mapping[str, str]
    """Without secrets, as a version keeps them."""
    secrets: Mapping[str, str] = field(repr=False)
    """By the names of the placeholders that stand for them."""
    refused: bool = False
    """What the files on the disk say is refused today: this is the live version."""


def source(settings: Settings, live: RulesVersion) -> Source:
    """The files as they are, or the live version where these are refused."""
    try:
        loaded = show(settings)
    except ConfigError:
        secrets = withheld.read(withheld.place(settings), live.files[RULES])
        return Source(live.files, secrets, refused=True)
    return Source(loaded.kept, loaded.secrets)


def base(settings: Settings, name: str) -> str:
    """A digest of a file as it is on the disk: another one says that somebody edited it."""
    try:
        content = path_of(settings, name).read_bytes()
    except OSError:
        content = b""
    return hashlib.sha256(content).hexdigest()[:16]


def guarded(text: str, live: str) -> list[Fault]:
    """What a draft may not say of variables and secrets, each at its line."""
    findings = Findings(RULES)
    root, before = read(text, findings), read(live, Findings(RULES))
    if root is None or before is None:
        return list(findings.all)
    allowed = {path: _plain(node) for path, node in _units(before)}
    for path, unit in _units(root):
        if allowed.get(path) == _plain(unit):
            continue
        for scalar in _scalars(unit):
            if _VARIABLE.search(scalar.text):
                findings.error(
                    scalar,
                    f"{_VARIABLE.search(scalar.text)[0]} may stand only where the live version has "  # type: ignore[index]
                    "it, and what stands beside it stays as it is: change this in the file itself",
                )
    return list(findings.all)


def _units(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """The parts of rules that are compared as a whole: accounts, transports, else each text."""
    is_account = len(path) == 2 and path[0] == "accounts"
    is_transport = len(path) == 3 and path[0] == "destinations" and path[2] in CHANNELS
    if is_account or is_transport or isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, Items):
        for place, item in enumerate(node.items):
            yield from _units(item, (*path, str(place)))
    elif isinstance(node, Fields):
        for entry in node.entries:
            yield from _units(entry.value, (*path, entry.name))


def _scalars(node: Node) -> Iterator[Scalar]:
    if isinstance(node, Scalar):
        yield node
    elif isinstance(node, Items):
        for item in node.items:
            yield from _scalars(item)
    elif isinstance(node, Fields):
        for entry in node.entries:
            yield entry.key
            yield from _scalars(entry.value)


def _plain(node: Node | None) -> Any:
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Items):
        return [_plain(item) for item in node.items]
    if isinstance(node, Fields):
        return {entry.name: _plain(entry.value) for entry in node.entries}
    return None


def whole(text: str, secrets: Mapping[str, str]) -> str:
    """The text with the secrets in the places of their placeholders."""
    for name, secret in secrets.items():
        text = text.replace(f'"${{{name}}}"', json.dumps(secret, ensure_ascii=False))
    return text


async def write(settings: Settings, name: str, text: str) -> bytes | None:
    """Put a text in the place of a file; what stood there. Raises `UsageError` where it cannot."""
    path = path_of(settings, name)

    def write_it() -> bytes | None:
        before = path.read_bytes() if path.exists() else None
        put(path, text)
        return before

    try:
        return await asyncio.to_thread(write_it)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written here ({error.strerror or error}): download the file and "
            "put it there"
        ) from None


async def put_back(settings: Settings, name: str, before: bytes | None) -> None:
    """Undo a `write`."""
    path = path_of(settings, name)
    text = None if before is None else before.decode("utf-8", "surrogateescape")
    await asyncio.to_thread(put, path, text)
