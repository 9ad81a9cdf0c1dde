"""The commands of docs/start.md, in their order, in a folder that was empty."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from relay.cli import arguments
from relay.cli.connect import checked
from tests.each import each
from tests.needs import ROOT
from tests.relay_process import run_relay

PAGE = (ROOT / "docs" / "start.md").read_text(encoding="utf-8")
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("relay ")
]
ELSEWHERE = ("serve", "connect", "send-test", "directory", "events", "deliveries", "reconcile")
"""They need a target, 360dialog or a journal, and have tests of their own."""


@each("line", COMMANDS)
def test_each_command_exists_with_its_options(line: str) -> None:
    options = arguments.parse(shlex.split(line.partition(" > ")[0])[1:])
    if options.command == "connect" and options.url:
        assert checked(options.url) == options.url


async def test_what_needs_nothing_but_the_folder_works_one_after_the_other(tmp_path: Path) -> None:
    ran = []
    for line in COMMANDS:
        command, _, file = line.partition(" > ")
        words = shlex.split(command)[1:]
        if words[0] in ELSEWHERE:
            continue
        code, out, err = await run_relay(*words, env={}, cwd=tmp_path)
        assert (code, err) == (0, ""), line
        if file:
            assert (tmp_path / file).read_text(encoding="utf-8") == out
        ran.append(words[0])
    assert ran == ["init", "schema", "demo", "check", "explain", "explain", "routes", "kinds"]


def test_every_variable_of_the_starter_is_explained() -> None:
    rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"\$\{([A-Z_]+)\}", rules))
    unexplained = {name for name in wanted - {"NAME"} if f"`{name}`" not in PAGE}
    assert unexplained == set()
