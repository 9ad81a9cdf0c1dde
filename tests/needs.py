"""What a test needs of the machine, and what becomes of it where that is missing."""

from __future__ import annotations

import os

import pytest


def require(why_not: str | None) -> None:
    """Go on if nothing is missing; else skip with the reason, or fail where none may be left out.

    `RELAY_NO_SKIP=1` says so: CI installs what a newcomer's machine may lack.
    """
    if why_not is None:
        return
    if os.environ.get("RELAY_NO_SKIP") == "1":
        pytest.fail(f"cannot run, and RELAY_NO_SKIP forbids to leave it out: {why_not}")
    pytest.skip(why_not)
