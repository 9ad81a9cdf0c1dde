"""The systemd unit: whole, closed, and no more closed than the relay can bear."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from relay import samples
from tests.engines import ENGINES
from tests.needs import ROOT, require
from tests.order_proof import require_strace, under_strace
from tests.relay_process import SERVE, RelayProcess

UNIT = ROOT / "deploy" / "relay.service"
MOST_EXPOSED = 15
"""Tenths; what is left is the host's network, which the relay is for."""

RULES = """\
version: 1
destinations:
  support: {slack: {webhook: "${HOOK_URL}"}}
rules:
  - {name: Everything, when: {event: "*"}, send_to: support}
"""
_CALL = re.compile(r"^\d+ +(?:<\.\.\. )?(\w+)(.*)", re.MULTILINE)
_WRITES = re.compile(
    r'"([^"]*)", [^,]*(?:O_WRONLY|O_RDWR|O_CREAT).*\) += \d+'
    r'|\b(?:unlink|rename|mkdir|rmdir|link|chmod|chown)\w*\((?:[A-Z][^,]*, )?"([^"]*)"'
)


pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _tools() -> None:
    require(None if shutil.which("systemd-analyze") else "systemd-analyze is not installed")


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    # Where no relay is installed, its program stands in for itself.
    itself = shutil.which("true") or ""
    text = UNIT.read_text(encoding="utf-8").replace("/opt/relay/bin/relay", itself)
    (tmp_path / "relay.service").write_text(text, encoding="utf-8")
    said = analyze("verify", "--man=no", str(tmp_path / "relay.service"))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_the_unit_is_closed_but_for_the_network() -> None:
    said = analyze(
        "security", "--offline=true", "--no-pager", f"--threshold={MOST_EXPOSED}", str(UNIT)
    )
    assert said.returncode == 0, said.stdout


def allowed() -> set[str]:
    """The system calls that the unit allows, by this machine's systemd."""
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE):
        calls = {call for word in line.lstrip("~").split() for call in _calls(word)}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed


def _calls(word: str) -> set[str]:
    if not word.startswith("@"):
        return {word}
    listed = analyze("syscall-filter", word).stdout.splitlines()[1:]
    found = (line.strip() for line in listed if not line.strip().startswith("#"))
    return {call for one in found if one for call in _calls(one)}


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_relay_asks_for_nothing_that_the_unit_forbids(tmp_path: Path, engine: str) -> None:
    """Which is also what a read-only root asks: it writes beside its journal alone."""
    require_strace()
    trace = tmp_path / "trace"
    folder = tmp_path / "relay"
    folder.mkdir()
    relay = RelayProcess(
        folder,
        RULES,
        program=SERVE,
        options=("--sandbox",),
        env={"PYTHONDONTWRITEBYTECODE": "1", "RELAY_JOURNAL": ENGINES[engine](folder).url},
        under=under_strace(trace, "-e", "trace=all"),
    )
    async with relay:
        await relay.post(samples.find("channel_live"))
        await relay.until(lambda found: any(one["state"] == "delivered" for one in found))
        assert await relay.stop() == 0
    traced = trace.read_text(encoding="utf-8", errors="replace")
    asked = {call[1] for call in _CALL.finditer(traced)} - {"resumed"}
    assert len(asked) > 40
    # SQLite gives its files the owner of the journal, only where it is root itself.
    assert asked - allowed() - {"fchown"} == set()
    writes = {one or other for one, other in _WRITES.findall(traced)} - {"/dev/null"}
    if engine == "sqlite":
        assert str(relay.journal) in writes
        beside = str(relay.journal.with_suffix(""))
        writes = {path for path in writes if not path.startswith(beside)}
    assert writes == set()
    assert [line for line in traced.splitlines() if "PROT_WRITE|PROT_EXEC" in line] == []
