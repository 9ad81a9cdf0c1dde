"""A rules file without the secrets that somebody wrote into it, for whoever keeps a copy of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from relay.config.nodes import Scalar
from relay.config.yaml_reader import LOADER, plain_lines

NOT_KEPT = "SECRET_NOT_KEPT"
"""Begins the placeholders that stand where secrets stood, so that the text still reads as rules."""
_SHORTEST = 6
"""Characters; a shorter text stands elsewhere by chance as well."""


def without(text: str, secrets: Sequence[Scalar]) -> tuple[str, Mapping[str, str]]:
    """The text of a file without these values, also where they are repeated, and what is left out.

    That is by the names of the placeholders that stand there now.
    """
    if not secrets:
        return text, {}
    text = plain_lines(text)
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    names = {
        (secret.line, secret.column): f"{NOT_KEPT}_{number}"
        for number, secret in enumerate(secrets, start=1)
    }

    def offset(mark: Any) -> int:
        return min(starts[int(mark.line)] + int(mark.column), len(text))

    events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
    spans = []
    for event in events:
        start, end = event.start_mark, event.end_mark
        name = names.get((start.line + 1, start.column + 1))
        if isinstance(event, yaml.ScalarEvent) and name:
            spans.append((offset(start), offset(end), name))
    for start, end, name in reversed(spans):
        # A block of text ends with the line before the next key: its line end stays.
        end = start + len(text[start:end].rstrip())
        text = f'{text[:start]}"${{{name}}}"{text[end:]}'
    for secret in {secret.text for secret in secrets if len(secret.text) >= _SHORTEST}:
        text = text.replace(secret, "[secret]")
    return text, {names[secret.line, secret.column]: secret.text for secret in secrets}
