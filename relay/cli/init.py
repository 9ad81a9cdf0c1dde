"""`relay init`."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path

from relay import starter
from relay.cli.output import clean
from relay.cli.schema import schema_text
from relay.errors import UsageError
from relay.settings import Settings

SCHEMA = "rules.schema.json"
_POINTER = "# yaml-language-server: $schema="
_README = """\
Templates that differ from those that the relay ships stand here. `relay template copy channel_live`
fetches one to edit; `relay preview all` shows them all.
"""


async def run(options: Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Write what a new folder begins with, overwrite nothing, and say what comes next."""
    folder = Path(options.folder)
    written, left = _write(folder, contents())
    for name, files in (("wrote", written), ("left alone, as it is there already:", left)):
        for line in files:
            print(f"{name} {clean(str(folder / line))}")
    _next_steps(folder)
    return 0


def contents() -> Mapping[str, str]:
    """All files by their paths in the new folder."""
    rules = starter.contents()[starter.RULES]
    first, _, rest = rules.partition("\n")
    if not first.startswith(_POINTER):
        rest = rules
    return {
        starter.RULES: f"{_POINTER}{SCHEMA}\n{rest}",
        f"{starter.TEMPLATES}/README.md": _README,
        SCHEMA: schema_text(),
    }


def _write(folder: Path, texts: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """What was written, and what was there before. Raises `UsageError`."""
    written: list[str] = []
    left: list[str] = []
    for name, text in texts.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            (written if write_new(path, text) else left).append(name)
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise UsageError(f"cannot write {clean(str(path))}: {reason}") from None
    return written, left


def write_new(path: Path, text: str) -> bool:
    """Whether nothing was there, so that it could be written; never half of it."""
    try:
        file = path.open("x", encoding="utf-8")
    except FileExistsError:
        return False
    try:
        with file:
            file.write(text)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return True


def _next_steps(folder: Path) -> None:
    inside = "" if folder == Path() else f"cd {shlex.quote(clean(str(folder)))} && "
    print(
        "\nNext:\n"
        f"  1. {inside}relay demo --once\n"
        "     shows who would be told of sample events, and in which words; nothing is sent\n"
        "  2. edit rules.yaml, then `relay check` and `relay explain channel_live`\n"
        "     say what is wrong with it, and who is told of an event and why\n"
        "  3. set the secrets that it names and RELAY_360DIALOG_SECRET, then `relay serve`;\n"
        "     `relay connect --url https://YOUR.HOST/webhooks/360dialog` tells 360dialog"
    )
