"""docs/try-it.md, from its first command to its last."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import PATIENCE, ROOT, require

_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PORTS = ("8065", "8080", "9090")
NEEDED = ("curl", "openssl", "prometheus")


def script(page: str) -> str:
    """The page as a shell runs it: its commands in their order, and its files where they stand."""
    steps = ["set -eu", "trap 'kill $(jobs -p); wait' EXIT"]
    for kind, file, text in _FENCE.findall(page):
        if kind == "sh":
            steps.append(text)
        elif file:
            steps.append(f"cat > {file} <<'END OF THE FILE'\n{text}END OF THE FILE\n")
    return "\n".join(steps)


def free_ports() -> list[str]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in PORTS]
    found = [str(one.getsockname()[1]) for one in held]
    for one in held:
        one.close()
    return found


@pytest.mark.slow
def test_the_whole_way_is_as_the_page_says(tmp_path: Path) -> None:
    for tool in NEEDED:
        require(None if shutil.which(tool) else f"{tool} is not installed")
    page = (ROOT / "docs" / "try-it.md").read_text(encoding="utf-8")
    ports = dict(zip(PORTS, free_ports(), strict=True))
    for told, taken in ports.items():
        page = page.replace(f":{told}", f":{taken}").replace(f", {told})", f", {taken})")
    env = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "RELAY_LISTEN": f"127.0.0.1:{ports['8080']}",
        "MONITORING": str(ROOT / "deploy" / "monitoring"),
    }
    ran = subprocess.run(
        ["bash", "-c", script(page)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (shown,) = (text for kind, _, text in _FENCE.findall(page) if kind == "text")
    assert shown in ran.stdout
    assert '"accepted": 1' in ran.stdout
    assert "it balances" in ran.stdout
    assert '{destination="chat"} => 1' in ran.stdout
