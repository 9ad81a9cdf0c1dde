"""`relay serve` runs on uvloop where it is there, and as well where it is not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import RULES
from tests.relay_process import RelayProcess

WITHOUT = """
import sys
sys.modules["uvloop"] = None
from relay.cli import main
main(["serve", "--sandbox"])
"""


def loaded(relay: RelayProcess) -> str:
    """The files of which it has code in memory."""
    assert relay.process
    return Path(f"/proc/{relay.process.pid}/maps").read_text(encoding="utf-8")


async def is_on_uvloop(folder: Path, *program: str) -> bool:
    """Whether this program, once it answers, has loaded uvloop."""
    async with RelayProcess(folder, RULES, program=program) as relay:
        assert (await relay.get("/healthz"))[0] == 200
        return "/uvloop/" in loaded(relay)


@pytest.mark.skipif(find_spec("uvloop") is None, reason="no uvloop for this platform")
async def test_it_serves_on_uvloop(tmp_path: Path) -> None:
    assert await is_on_uvloop(tmp_path, "-m", "relay", "serve", "--sandbox")


async def test_it_serves_without_uvloop(tmp_path: Path) -> None:
    assert not await is_on_uvloop(tmp_path, "-c", WITHOUT)
