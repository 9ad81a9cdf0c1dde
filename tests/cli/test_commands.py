"""The table of commands: each has a module of its own, and pays for no other."""

from __future__ import annotations

import argparse
import subprocess
import sys
from inspect import iscoroutinefunction

import pytest

from relay import preview
from relay.cli import arguments, module_of


def names() -> list[str]:
    (commands,) = (
        action
        for action in arguments.build()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    return sorted(commands.choices)


@pytest.mark.parametrize("name", names())
def test_each_command_has_a_module_with_its_name(name: str) -> None:
    assert iscoroutinefunction(module_of(name).run)


def test_the_channels_of_preview_are_those_that_it_draws() -> None:
    assert arguments.CHANNELS == preview.CHANNEL_NAMES


HEAVY = {"asyncio", "aiohttp", "pydantic", "jinja2", "rich", "apsw", "logging", "dataclasses"}


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        ("--version", HEAVY),
        ("--help", HEAVY),
        ("explain --help", HEAVY),
        ("nonsense", HEAVY),
    ],
)
def test_a_command_imports_what_it_needs(words: str, unwanted: set[str]) -> None:
    program = f"""
import sys
from relay.cli import run
try:
    run({words.split()!r})
except SystemExit:
    pass
print("imported:", *sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    _, found, modules = done.stdout.rpartition("imported: ")
    assert found, done.stderr
    assert not unwanted & set(modules.split())
