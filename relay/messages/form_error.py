"""`FormError`: an override whose text cannot be used."""

from __future__ import annotations

from collections.abc import Sequence


class FormError(Exception):
    """What is wrong with an override; `problems` are lines of its text, from 1, with sentences."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(text for _, text in problems))
