"""A rules file without the secrets that somebody wrote into it, for whoever keeps a copy of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from relay.config.nodes import Scalar
from relay.config.yaml_reader import LOADER, plain_lines

NOT_KEPT = '"${SECRET_NOT_KEPT}"'
"""Stands where a secret stood: a placeholder, so that the text reads as rules all the same."""
_SHORTEST = 6
"""Characters; a shorter text stands elsewhere by chance as well."""


def without(text: str, secrets: Sequence[Scalar]) -> str:
    """The text of a file with each of these values replaced, also where it is repeated."""
    if not secrets:
        return text
    text = plain_lines(text)
    starts = [0]
    for line in text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    places = {(secret.line, secret.column) for secret in secrets}

    def offset(mark: Any) -> int:
        return min(starts[int(mark.line)] + int(mark.column), len(text))

    events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
    spans = []
    for event in events:
        start, end = event.start_mark, event.end_mark
        if isinstance(event, yaml.ScalarEvent) and (start.line + 1, start.column + 1) in places:
            spans.append((offset(start), offset(end)))
    for start, end in reversed(spans):
        # A block of text ends with the line before the next key: its line end stays.
        end = start + len(text[start:end].rstrip())
        text = text[:start] + NOT_KEPT + text[end:]
    for secret in {secret.text for secret in secrets if len(secret.text) >= _SHORTEST}:
        text = text.replace(secret, "[secret]")
    return text
