"""Secrets that stand in the live rules, in a file of their own that no backup has.

A version is kept without them, and after a bad edit a start needs them to go back to it. The file
holds those of the newest version alone, for its owner's eyes only, as `rules.yaml` does itself.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from relay import logs
from relay.channels import Outbound
from relay.config import Config, load_text
from relay.errors import ConfigError, JournalError
from relay.files import read_regular
from relay.journal import Store
from relay.journal.doors import is_shared, journal_path
from relay.settings import Settings

RULES = "rules.yaml"
"""The name under which a version keeps the rules, whatever the file is called."""
BESIDE = "beside/"
"""Stands before the names of files that the rules name: lists and events of tests."""
_LARGEST = 1 << 20


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    """The files of a version that differ, the rules first; `+` new and `-` gone."""
    changed = []
    for name in sorted(before.keys() | after.keys(), key=lambda name: (name != RULES, name)):
        if before.get(name) != after.get(name):
            sign = "+" if name not in before else "-" if name not in after else ""
            changed.append(sign + name.removeprefix(BESIDE))
    return tuple(changed)


def write(path: Path, config: Config) -> None:
    """Keep what was taken out of these rules, and nothing of any others.

    Where nothing can be written, as beside rules that are mounted read-only, it is only said.
    """
    try:
        if config.withheld:
            _write(path, config)
        else:
            forget(path)
    except OSError as error:
        logs.warning(
            "secrets that stand in the rules cannot be kept for a start after a bad edit: write "
            "them as ${NAME}",
            error=error.strerror,
        )


def forget(path: Path) -> None:
    """Have no such file; a folder that cannot be written is left alone where there is none."""
    if os.path.lexists(path):
        path.unlink(missing_ok=True)


def _write(path: Path, config: Config) -> None:
    told = json.dumps({"of": _digest(config.kept), "secrets": dict(config.withheld)})
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(told)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read(path: Path, rules: str) -> Mapping[str, str]:
    """What was taken out of the rules of a version; empty where that is not known (any more)."""
    try:
        told = json.loads(read_regular(path, _LARGEST))
    except (OSError, ValueError):
        return {}
    return told["secrets"] if told.get("of") == _digest(rules) else {}


def place(settings: Settings) -> Path:
    """Where the secrets lie: beside the journal's file, or beside the rules of who shares one."""
    if is_shared(settings.journal):
        return settings.rules.with_name(f"{settings.rules.stem}-live.secrets")
    path = journal_path(settings.journal)
    return path.with_name(f"{path.stem}-live-rules.secrets")


async def clean(settings: Settings, store: Store) -> None:
    """Take the secrets out of the versions that an earlier relay kept, once for each journal."""
    rewrite = partial(_cleaned, settings=settings)
    try:
        count = await store.journal.rewrite_rules(rewrite)
    except JournalError as error:
        logs.warning("kept rules could not be cleaned of secrets", error=str(error))
        return
    if count:
        logs.info("secrets were taken out of the kept rules", versions=count)


def _cleaned(files: Mapping[str, str], settings: Settings) -> Mapping[str, str]:
    def read_file(name: str) -> bytes:
        return files[f"{BESIDE}{name}"].encode()

    try:
        config = load_text(
            files[RULES],
            RULES,
            env={},
            strict_env=False,
            outbound=Outbound(allow_private=True),
            read_file=read_file,
        )
    except (ConfigError, KeyError):
        return files
    write(place(settings), config)
    return {**files, RULES: config.kept}


def _digest(rules: str) -> str:
    return hashlib.sha256(rules.encode("utf-8", "surrogatepass")).hexdigest()
