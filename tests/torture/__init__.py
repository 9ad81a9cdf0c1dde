"""Longer rounds of the durability tests: `make torture`. Their sizes come from the environment."""

from __future__ import annotations

import os


def size(name: str, usual: int) -> int:
    """How much of it: from the environment, else as usual."""
    return int(os.environ.get(name, usual))
