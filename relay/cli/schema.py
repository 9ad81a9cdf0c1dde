"""`relay schema`."""

from __future__ import annotations

import json
from argparse import Namespace

from relay.config.schema import rules_schema
from relay.settings import Settings


async def run(options: Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Print the JSON Schema of the rules file, for editors."""
    print(schema_text(), end="")
    return 0


def schema_text() -> str:
    """The schema as a file holds it."""
    return json.dumps(rules_schema(), indent=1, ensure_ascii=False) + "\n"
