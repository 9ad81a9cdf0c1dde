"""Only regular files are opened, and nothing waits for one: a named pipe would be waited for."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.channels import Outbound
from relay.config import load
from relay.errors import ConfigError, UsageError
from relay.files import read_regular
from relay.messages.templates import Templates
from relay.settings import Environment
from tests.client import Client
from tests.conftest import RULES, Start

LISTED = RULES.replace("rules:\n", "phones: {vip: {file: %s}}\nrules:\n", 1).replace(
    '{event: "*"}', "{phone: vip}"
)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


def a_folder(path: Path) -> None:
    path.mkdir()


odd = pytest.mark.parametrize("odd", [pipe, device, a_folder])
Odd = Callable[[Path], None]
WORDS = r"(it is not a regular file|Is a directory)"


def faults(rules: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(rules, env={}, strict_env=True, outbound=Outbound())
    return "\n".join(str(one) for one in caught.value.faults)


@odd
def test_rules_that_are_no_regular_file_are_a_fault(tmp_path: Path, odd: Odd) -> None:
    odd(tmp_path / "rules.yaml")
    found = faults(tmp_path / "rules.yaml")
    assert "cannot be read: it is not a regular file" in found or "Is a directory" in found


@odd
def test_a_list_that_is_no_regular_file_is_a_fault_where_it_is_named(
    tmp_path: Path, odd: Odd
) -> None:
    (tmp_path / "rules.yaml").write_text(LISTED % "vip.csv")
    odd(tmp_path / "vip.csv")
    assert "rules.yaml:6:" in faults(tmp_path / "rules.yaml")


@pytest.mark.parametrize("odd", [pipe, device])
def test_a_template_that_is_no_regular_file_is_a_fault(tmp_path: Path, odd: Odd) -> None:
    odd(tmp_path / "default.md.j2")
    with pytest.raises(ConfigError, match=rf"default\.md\.j2.* cannot be read: {WORDS}"):
        Templates.load(tmp_path)


@odd
def test_a_secret_that_is_no_regular_file_is_a_usage_error(tmp_path: Path, odd: Odd) -> None:
    odd(tmp_path / "secret")
    environment = Environment({"RELAY_ADMIN_TOKEN_FILE": str(tmp_path / "secret")})
    with pytest.raises(UsageError, match=rf"RELAY_ADMIN_TOKEN_FILE: cannot read .*{WORDS}"):
        environment["RELAY_ADMIN_TOKEN"]


def test_no_more_is_read_than_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"x" * 100)
    assert read_regular(tmp_path / "large", 10) == b"x" * 11


@pytest.mark.parametrize(
    "name", ["../secret", "{out}/secret", "below/../../secret", "link", "below/link"]
)
def test_a_list_outside_the_folder_of_the_rules_is_not_read(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "rules"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "secret").write_text("+49 171 3920011\n")
    for link in (folder / "link", folder / "below" / "link"):
        link.symlink_to(tmp_path / "secret")
    (folder / "rules.yaml").write_text(LISTED % name.replace("{out}", str(tmp_path)))
    assert "it is outside the folder of the rules file" in faults(folder / "rules.yaml")


@pytest.mark.parametrize("name", ["vip.csv", "below/vip.csv", "./below/../vip.csv"])
def test_a_list_in_the_folder_may_be_a_link_as_a_config_map_makes_them(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "..2026_11_28").mkdir()
    (tmp_path / "below").mkdir()
    (tmp_path / "..2026_11_28" / "vip.csv").write_text("+49 171 3920011\n")
    (tmp_path / "..data").symlink_to("..2026_11_28")
    (tmp_path / "vip.csv").symlink_to("..data/vip.csv")
    (tmp_path / "below" / "vip.csv").symlink_to("../..data/vip.csv")
    (tmp_path / "rules.yaml").write_text(LISTED % name)
    config = load(tmp_path / "rules.yaml", env={}, strict_env=True, outbound=Outbound())
    assert dict(config.files) == {name: "+49 171 3920011\n"}


async def test_a_pipe_in_the_place_of_the_rules_changes_nothing_and_ends_no_reload(
    start: Start, folder: Path
) -> None:
    client = await start()
    rules = folder / "rules.yaml"
    rules.unlink()
    pipe(rules)
    await refused(client, True)
    rules.unlink()
    rules.write_text(RULES, encoding="utf-8")
    await refused(client, False)


async def refused(client: Client, yes: bool) -> None:
    await client.until("/api/status", lambda status: status["rules"]["ok"] is not yes)
