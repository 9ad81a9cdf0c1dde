"""`relay schema`: what a rules file may say, or which tables a database needs."""

from __future__ import annotations

import json
from argparse import Namespace

from relay.config.schema import rules_schema
from relay.journal.doors import tables_script
from relay.settings import Settings


async def run(options: Namespace, settings: Settings) -> int:
    """Print the JSON Schema of the rules file, or the SQL that makes the journal's tables."""
    print(tables_script(settings.journal) if options.sql else schema_text(), end="")
    return 0


def schema_text() -> str:
    """The schema as a file holds it."""
    return json.dumps(rules_schema(), indent=1, ensure_ascii=False) + "\n"
