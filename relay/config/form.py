"""Reading nodes by what they should be: maps with known keys, texts, flags, lists of texts."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from relay.config.findings import Findings, quoted, unknown
from relay.config.nodes import Broken, Entry, Fields, Items, Node, Position, Scalar
from relay.config.placeholders import Filled, Placeholders


class Form:
    """Asks nodes for values; what does not fit is reported once, where it stands."""

    def __init__(self, findings: Findings, placeholders: Placeholders) -> None:
        self.findings = findings
        self.placeholders = placeholders

    def error(self, where: Position, message: str) -> None:
        self.findings.error(where, self.placeholders.redact(message))

    def warning(self, where: Position, message: str) -> None:
        self.findings.warning(where, self.placeholders.redact(message))

    def fields(
        self,
        node: Node,
        what: str,
        known: Collection[str] | None = None,
        meant: Mapping[str, str] | None = None,
    ) -> Fields | None:
        """A map; keys that are not `known` are reported. `meant` has frequent wrong words."""
        if isinstance(node, Fields):
            if known is not None:
                for entry in node:
                    if entry.name not in known:
                        self.unknown_key(entry.key, known, meant)
            return node
        if isinstance(node, Broken) or self.empty(node, what):
            return None
        example = ", ".join(f"{key}: …" for key in list(known)[:2]) if known else "name: …"
        self.error(node, f"{what} must be a map: {{{example}}}")
        return None

    def unknown_key(
        self, key: Scalar, known: Collection[str], meant: Mapping[str, str] | None = None
    ) -> None:
        if meant and key.text in meant:
            self.error(key, f'unknown key {quoted(key.text)}: did you mean "{meant[key.text]}"?')
        else:
            self.error(key, unknown("key", key.text, known))

    def empty(self, node: Node, what: str) -> bool:
        """Whether nothing stands where a value should; says so."""
        if not isinstance(node, Scalar) or node.text.strip():
            return False
        if node.comment:
            word = node.comment.split()[0].rstrip("]},")
            self.error(
                node,
                f'{what} has no value: "#" begins a comment; if it is meant, quote it: "{word}"',
            )
        else:
            self.error(node, f"{what} has no value")
        return True

    def filled(self, node: Node, what: str) -> Filled | None:
        """A text that is not empty, its placeholders replaced."""
        if isinstance(node, Broken) or self.empty(node, what):
            return None
        if not isinstance(node, Scalar):
            kind = "a list" if isinstance(node, Items) else "a map"
            self.error(node, f"{what} must be a text, not {kind}")
            return None
        return self.placeholders.fill(node)

    def text(self, node: Node, what: str) -> str | None:
        """The same, as it stands after replacing."""
        filled = self.filled(node, what)
        return filled.text if filled is not None else None

    def flag(self, entry: Entry | None) -> bool:
        """`true` or `false`; false where the key is missing."""
        if entry is None:
            return False
        filled = self.filled(entry.value, entry.name)
        if filled is None or filled.missing:
            return False
        if filled.text not in ("true", "false"):
            self.error(entry.value, f"{entry.name} must be true or false")
        return filled.text == "true"

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """One value or a list of them; an empty list is reported."""
        if isinstance(node, Broken) or self.empty(node, what):
            return ()
        if isinstance(node, Items):
            if not node.items:
                self.error(node, f"{what} is an empty list: name at least one, or delete the key")
            return node.items
        return (node,)
