"""`relay kinds`: the catalogue."""

from __future__ import annotations

from argparse import Namespace

from relay.cli.output import listing, print_json_lines
from relay.events import Source
from relay.events.catalogue import KINDS
from relay.settings import Settings


async def run(options: Namespace, _settings: Settings) -> int:
    """List the catalogue."""
    if options.json:
        print_json_lines(
            {
                "kind": kind.name,
                "source": kind.source.value,
                "topics": [topic.value for topic in kind.topics],
                "details": list(kind.details),
                "description": kind.description,
            }
            for kind in KINDS.values()
            if kind.source is not Source.RELAY
        )
        return 0
    rows = []
    for kind in KINDS.values():
        if kind.source is not Source.RELAY:
            topics = ", ".join(topic.value for topic in kind.topics)
            details = ", ".join(kind.details)
            rows.append((kind.name, kind.source.value, topics, kind.description, details))
    listing(("kind", "source", "topic", "what it means", "details"), rows)
    return 0
