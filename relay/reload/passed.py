"""What passed all checks before, and need not be checked again while everything is the same."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import jinja2
import markdown_it

import relay
from relay.config import Config
from relay.journal import RulesVersion


@dataclass(frozen=True, slots=True)
class Passed:
    """Files whose checks and tests passed; by default none."""

    files: Mapping[str, str] = field(default_factory=dict)
    """By name. A template with the same text is not checked again."""
    rules: str = ""
    """The digest of the rules whose tests passed with these files."""

    def trusts(self, file: str, text: str) -> bool:
        """Whether this template passed."""
        return self.files.get(file) == text


class Everything(Passed):
    """For commands that show what the files say: the running relay and `relay check` judge them."""

    def trusts(self, file: str, text: str) -> bool:  # noqa: ARG002
        """Yes: what fails when it is used says so there."""
        return True


def passed_before(version: RulesVersion) -> Passed:
    """What a version's adoption proved; nothing if it was by another relay."""
    checked = version.checked
    if checked is None or checked.relay != this_relay():
        return Passed()
    return Passed(version.files, checked.rules)


def digest(config: Config, key: bytes) -> str:
    """What is the same as long as the tests of the rules must have the same outcome.

    Keyed, as the rules and what they took from the environment hold secrets.
    """
    parts = [config.text, dict(config.files), dict(config.used)]
    return hmac.new(key, json.dumps(parts, sort_keys=True).encode(), "sha256").hexdigest()


@lru_cache(maxsize=1)
def this_relay() -> str:
    """A digest of this relay's own sources and samples, and of what reads templates for it."""
    made = hashlib.sha256()
    made.update(f"{sys.version} {jinja2.__version__} {markdown_it.__version__}".encode())
    home = Path(relay.__file__).parent
    for path in sorted([*home.rglob("*.py"), *home.rglob("samples/*.json")]):
        made.update(str(path.relative_to(home)).encode())
        made.update(path.read_bytes())
    return made.hexdigest()
