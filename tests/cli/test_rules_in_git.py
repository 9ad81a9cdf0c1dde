"""Rules in a repository of their own: the hook, and what docs/rules-in-git.md does in CI."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from relay import cli, samples
from tests.needs import ROOT, require

PAGE = (ROOT / "docs" / "rules-in-git.md").read_text(encoding="utf-8")
SEEN = (
    "account_update.ACCOUNT_RESTRICTION",
    "channel_live",
    "phone_number_quality_update.FLAGGED",
)
"""What stands in the page's folder of webhooks."""


def fence(kind: str) -> str:
    (text,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A clone of a repository as `relay init` begins it, with webhooks in `payloads/`."""
    require(None if shutil.which("git") else "git is not installed")
    origin, work = tmp_path / "origin", tmp_path / "work"
    assert cli.run(["init", str(origin)]) == 0
    (origin / "payloads").mkdir()
    for name in SEEN:
        body = samples.find(name.replace(".", "/", 1))
        (origin / "payloads" / f"{name}.json").write_bytes(body)
    git(origin, "init", "-q", "-b", "main")
    git(origin, "add", "-A")
    git(origin, "-c", "user.name=a", "-c", "user.email=a@b.example", "commit", "-q", "-m", "begin")
    git(tmp_path, "clone", "-q", str(origin), str(work))
    return work


def git(where: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=where, check=True, capture_output=True)


def test_the_script_for_ci_shows_what_the_page_shows(folder: Path) -> None:
    rules = folder / "rules.yaml"
    edited = rules.read_text(encoding="utf-8").replace("[oncall, support]", "support", 1)
    rules.write_text(edited, encoding="utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ran = subprocess.run(
        ["sh", "-c", fence("sh")],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.endswith(fence("text"))


def test_the_hook_checks_the_files_that_the_relay_reads() -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["id"] in PAGE
    read = ("rules.yaml", "north.csv", "vip.txt", "message_templates/de/x.md.j2", "sample.json")
    assert all(re.search(hook["files"], name) for name in read)
    program, *words = shlex.split(hook["entry"])
    assert program == "relay"
    assert cli.run([*words, "--rules", str(ROOT / "rules.yaml")]) == 0
