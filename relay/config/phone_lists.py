"""Numbers in rules: patterns, and the named lists under `phones`."""

from __future__ import annotations

import re

from relay.config.findings import quoted, unknown
from relay.config.form import Form
from relay.config.nodes import Broken, Fields, Items, Node, Scalar
from relay.phones import PhonePattern
from relay.rules import Exact

_LIST_NAME = re.compile(r"[^\W\d_][\w.-]*")
_SCHEME = re.compile(r"(?:tel|whatsapp)\s*:", re.IGNORECASE)
MOST_SHOWN = 3
Numbers = tuple[PhonePattern | Exact, ...]
"""An `Exact` stands for a number that the environment did not give: no number equals it."""


class PhoneLists:
    """The named lists of a file."""

    def __init__(self, form: Form, node: Node | None) -> None:
        self._form = form
        self._lists: dict[str, Numbers] = {}
        self._shown: dict[str, str] = {}
        fields = form.fields(node, "phones") if node is not None else None
        for entry in fields or ():
            if not _LIST_NAME.fullmatch(entry.name):
                form.error(
                    entry.key,
                    f"{quoted(entry.name)} is no name for a list: begin with a letter, go on with "
                    "letters, digits, dots, dashes",
                )
            # Also a list with faults is known by its name, so that rules may name it.
            self._lists[entry.name] = self._list(entry.name, entry.value)

    def shown(self, word: str) -> str:
        """A word of a rule, and if it names a list, what that holds, as the file has it."""
        return self._shown.get(word, word)

    def _list(self, name: str, node: Node) -> Numbers:
        if isinstance(node, Fields):
            self._form.error(
                node,
                "lists from files are not supported yet: write the numbers here, as "
                f'{name}: ["+49 151 2345678", "+44*"]',
            )
            return ()
        numbers: list[PhonePattern | Exact] = []
        for item in self._form.items(node, f"the list {name}"):
            number = self._pattern(item)
            if number is not None:
                numbers.append(number)
        self._shown[name] = _described(name, node)
        return tuple(numbers)

    def patterns(self, node: Node) -> Numbers | None:
        """What a text under `when: phone` means; None where a fault was reported."""
        if not isinstance(node, Scalar):
            if not isinstance(node, Broken):
                self._form.error(node, "phone must be a number, a pattern or the name of a list")
            return None
        word = node.text.strip()
        if word in self._lists:
            return self._lists[word]
        if word[:1].isalpha() and not _SCHEME.match(word):
            self._form.error(node, unknown("list of numbers", word, list(self._lists)))
            return None
        number = self._pattern(node)
        return (number,) if number is not None else None

    def _pattern(self, node: Node) -> PhonePattern | Exact | None:
        filled = self._form.filled(node, "phone")
        if filled is None:
            return None
        if filled.missing:
            return Exact(filled.text)
        try:
            return PhonePattern.parse(filled.text)
        except ValueError as error:
            # The pattern's own words would show a part of what the environment holds.
            hidden = isinstance(node, Scalar) and "${" in node.text
            reason = "what the environment holds is no phone number with its country code"
            self._form.error(node, reason if hidden else str(error))
            return None


def _described(name: str, node: Node) -> str:
    """`vip (+49 151 2345678 or +44* or 3 more)`."""
    items = node.items if isinstance(node, Items) else (node,)
    texts = [item.text for item in items[:MOST_SHOWN] if isinstance(item, Scalar)]
    if len(items) > MOST_SHOWN:
        texts.append(f"{len(items) - MOST_SHOWN} more")
    return f"{name} ({' or '.join(texts)})"
