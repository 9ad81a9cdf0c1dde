"""Every command that the documentation names is one, with the options that it shows."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path

from relay import cli
from tests.needs import ROOT as TOP

PAGES = [TOP / "README.md", TOP / "CONTRIBUTING.md", *sorted((TOP / "docs").rglob("*.md"))]
_CODE = re.compile(r"```.*?\n(.*?)```|`([^`\n]+)`", re.DOTALL)
_COMMAND = re.compile(
    r"^(?:\$ )?(?:[A-Z_]+=\S+ )*(?:\.venv/bin/)?relay ([^\n#|&;…]*)", re.MULTILINE
)
_OPTION = re.compile(r"--[a-z][a-z-]+")


def commands() -> Iterator[tuple[Path, str]]:
    """The words behind `relay` wherever a page shows it as code, with the page."""
    for page in PAGES:
        if page.exists():
            for fence, inline in _CODE.findall(page.read_text("utf-8")):
                for found in _COMMAND.finditer(fence or inline):
                    yield page, found[1]


@cache
def help_of(command: str) -> str | None:
    """What a command says of itself; None where there is none."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(io.StringIO()):
        try:
            code = cli.run([command, "--help"])
        except SystemExit as end:
            code = int(end.code or 0)
    return said.getvalue() if code == 0 else None


def test_every_command_of_the_documentation_is_one_with_its_options() -> None:
    wrong, seen = [], set()
    for page, words in commands():
        name, *rest = words.replace("[", " ").replace("]", " ").split() or [""]
        if name.startswith("--") or not name:
            continue
        seen.add(name)
        known = help_of(name)
        if known is None:
            wrong.append(f"{page.name}: relay {name}")
            continue
        options = _OPTION.findall(" ".join(rest))
        wrong += [f"{page.name}: relay {name} {o}" for o in options if o not in known]
    assert len(seen) > 15
    assert wrong == []
