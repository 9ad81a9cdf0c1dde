"""The table of commands: each has a module of its own, and pays for no other."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from inspect import iscoroutinefunction
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from relay import preview
from relay.cli import arguments, main, module_of
from relay.control import user
from tests.each import each
from tests.needs import some


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


CLIENTS = {"aiohttp", "aiosmtplib", "slack_sdk", "prometheus_client", "babel", "uvloop"}


@pytest.mark.parametrize(
    ("words", "unwanted"),
    [
        ("--version", HEAVY),
        ("--help", HEAVY),
        ("explain --help", HEAVY),
        ("nonsense", HEAVY),
        ("kinds --json", {*CLIENTS, "rich", "apsw", "jinja2"}),
        ("explain channel_live --json", {*CLIENTS, "rich", "apsw"}),
        ("explain channel_live", {*CLIENTS, "apsw"}),
        ("routes", {*CLIENTS, "apsw"}),
        ("check", CLIENTS),
    ],
)
def test_a_command_imports_what_it_needs(words: str, unwanted: set[str], folder: Path) -> None:
    program = f"""
import sys
from relay.cli import run
try:
    run({words.split()!r})
except SystemExit:
    pass
print("imported:", *sys.modules)
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    _, found, modules = done.stdout.rpartition("imported: ")
    assert found, done.stderr
    assert not unwanted & set(modules.split())


_SAID = [
    ["routes"],
    ["explain", "channel_live"],
    ["explain", "channel_live", "--json"],
    ["check", "--rules=ünï🚨.yaml"],
    ["schema"],
    ["preview", "channel_live", "--channel=slack", "--out=-"],
    ["discard", "ü🚨"],
    ["nonsense🚨"],
]
_ENCODINGS = ["ascii", "latin-1", "cp1252", "utf-16", "utf-8"]


@each("encoding", _ENCODINGS)
def test_any_encoding_of_the_output_will_do(
    encoding: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    for words in some(_SAID, _ENCODINGS.index(encoding)):
        out, err = (TextIOWrapper(BytesIO(), encoding) for _ in range(2))
        with monkeypatch.context() as streams:
            streams.setattr("sys.stdout", out)
            streams.setattr("sys.stderr", err)
            with pytest.raises(SystemExit) as ended:
                main(words)
        out.flush()
        said = out.buffer.getvalue()
        assert ended.value.code in (0, 1, 2)
        if "--json" in words:
            assert json.loads(said.decode(encoding))["events"]
        if words[0] == "preview":
            assert "Number is live" in said.decode("utf-8")


def test_a_user_without_a_name_is_named_by_its_number() -> None:
    assert user(2**31 - 5) == "uid 2147483643"
    assert user(0) == "root"
