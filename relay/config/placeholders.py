"""`${NAME}` in values: replaced from the environment, and never shown again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from relay.config.findings import Findings, quoted
from relay.config.nodes import Scalar

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHORT = 4
MISSING = "missing-{name}"
"""What takes the place of a value that the environment does not have."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its placeholders replaced."""

    text: str
    missing: tuple[str, ...] = ()
    """Names that the environment does not have; a stand-in is in their place."""


class Placeholders:
    """Replaces placeholders and remembers what came from the environment.

    With `strict` a missing name is an error, without it a warning. A name with an empty value is
    missing: an empty secret is never meant.
    """

    def __init__(self, env: Mapping[str, str], *, strict: bool, findings: Findings) -> None:
        self._env = env
        self._strict = strict
        self._findings = findings
        self._used: dict[str, str] = {}
        self.written: list[Scalar] = []
        """Secrets that stand in the file itself."""

    @property
    def used(self) -> Mapping[str, str]:
        """What came from the environment, by name."""
        return self._used

    def fill(self, scalar: Scalar, stand_in: str = MISSING) -> Filled:
        """The text of a scalar; `stand_in` takes the place of what is missing."""
        if "${" not in scalar.text:
            return Filled(scalar.text)
        missing: list[str] = []

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if not _NAME.fullmatch(name) or not found.group().endswith("}"):
                self._findings.error(
                    scalar,
                    f"{quoted(found.group())} is no placeholder: write ${{NAME}}, with letters, "
                    "digits and underscores only",
                )
            elif self._env.get(name):
                self._used[name] = self._env[name]
                return self._env[name]
            else:
                self._tell_missing(scalar, name)
            missing.append(name)
            return stand_in.replace("{name}", re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))

        return Filled(_PLACEHOLDER.sub(value, scalar.text), tuple(missing))

    def tell_written(self, secret: Scalar, what: str) -> None:
        """Warn of a secret that stands in the file itself, and remember where."""
        if "${" not in secret.text and secret.text:
            self.written.append(secret)
            self._findings.warning(
                secret,
                f"{what} is a secret and stands here for whoever reads this file: write ${{NAME}} "
                "and set NAME in the environment, or NAME_FILE to a file",
            )

    def _tell_missing(self, scalar: Scalar, name: str) -> None:
        state = "is empty" if name in self._env else "is not set"
        message = (
            f"${{{name}}}: {name} {state}: set it in the environment, or {name}_FILE to a file"
        )
        if self._strict:
            self._findings.error(scalar, message)
        else:
            self._findings.warning(scalar, f"{message}; a stand-in takes its place")

    def redact(self, message: str) -> str:
        """A message with every value that came from the environment turned back."""
        for name, value in sorted(self._used.items(), key=lambda item: -len(item[1])):
            shapes = {value, value.strip(), repr(value)[1:-1]} - {""}
            for shape in sorted(shapes, key=len, reverse=True):
                pattern = re.escape(shape)
                if len(shape) < _SHORT:
                    pattern = rf"(?<!\w){pattern}(?!\w)"
                message = f"${{{name}}}".join(re.split(pattern, message))
        return message
