"""Numbers and clients in rules: patterns, and the named lists under `phones` and `clients`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from relay.config.findings import Findings, quoted, unknown
from relay.config.form import Form
from relay.config.list_files import ListFileError, ListFiles, read_clients, read_phones
from relay.config.nodes import Broken, Fields, Items, Node, Place, Scalar
from relay.config.spreadsheets import UnreadableError
from relay.phones import PhonePattern
from relay.rules import Exact, Members
from relay.rules.conditions import Matcher, text_matcher

_LIST_NAME = re.compile(r"[^\W\d_][\w.-]*")
_SCHEME = re.compile(r"(?:tel|whatsapp)\s*:", re.IGNORECASE)
MOST_SHOWN = 3
Numbers = tuple[PhonePattern | Exact | Members, ...]
"""An `Exact` stands for a number that the environment did not give: no number equals it."""


class PhoneLists:
    """The named lists of a file."""

    def __init__(self, form: Form, node: Node | None, files: ListFiles) -> None:
        self._form = form
        self._files = files
        self._lists: dict[str, Numbers] = {}
        self._shown: dict[str, str] = {}
        self._unused: dict[str, Scalar] = {}
        fields = form.fields(node, "phones") if node is not None else None
        for entry in fields or ():
            self._unused[entry.name] = entry.key
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

    def warn_of_unused(self) -> None:
        """Says of each list that no rule names it, once all rules are read."""
        _warn_of_unused(self._form, self._unused, "phone")

    def _list(self, name: str, node: Node) -> Numbers:
        if isinstance(node, Fields):
            members = _from_file(self._form, node, name, self._files, read_phones)
            if members is None:
                return ()
            self._shown[name] = f"{name} ({len(members.keys) + len(members.patterns)} numbers)"
            return (members,)
        numbers: list[PhonePattern | Exact | Members] = []
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
            self._unused.pop(word, None)
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


class ClientLists:
    """The named lists of clients, by id or name."""

    def __init__(self, form: Form, node: Node | None, files: ListFiles) -> None:
        self._form = form
        self._lists: dict[str, Members] = {}
        self._shown: dict[str, str] = {}
        self._unused: dict[str, Scalar] = {}
        fields = form.fields(node, "clients") if node is not None else None
        for entry in fields or ():
            self._unused[entry.name] = entry.key
            if isinstance(entry.value, Fields):
                members = _from_file(form, entry.value, entry.name, files, read_clients)
                if members is not None:
                    count = len(members.keys) + len(members.patterns)
                    self._shown[entry.name] = f"{entry.name} ({count} clients)"
            else:
                members = self._members(form, entry.name, entry.value)
                self._shown[entry.name] = _described(entry.name, entry.value)
            self._lists[entry.name] = members or Members(frozenset())

    def members(self, word: str) -> Members | None:
        """The list that a word of a rule names, if it names one."""
        self._unused.pop(word, None)
        return self._lists.get(word)

    def shown(self, word: str) -> str:
        """What a list holds, as the file has it."""
        return self._shown.get(word, word)

    def warn_of_unused(self) -> None:
        """Says of each list that no rule names it, once all rules are read."""
        _warn_of_unused(self._form, self._unused, "client")

    def _members(self, form: Form, name: str, node: Node) -> Members:
        keys: set[str] = set()
        patterns: list[Matcher] = []
        for item in form.items(node, f"the list {name}"):
            text = form.text(item, "client")
            matcher = text_matcher(text) if text is not None else None
            if isinstance(matcher, Exact):
                keys.add(matcher.folded)
            elif matcher is not None:
                patterns.append(matcher)
        return Members(frozenset(keys), tuple(patterns))


def _warn_of_unused(form: Form, unused: Mapping[str, Scalar], key: str) -> None:
    for name, where in unused.items():
        form.warning(
            where,
            f"no rule names the list {quoted(name)}: write `{key}: {name}` in the `when` of a "
            "rule, or delete the list",
        )


def _from_file(
    form: Form,
    node: Fields,
    name: str,
    files: ListFiles,
    read: Callable[[str, str], tuple[Members, Findings]],
) -> Members | None:
    """What a list file holds; None where its faults were reported."""
    form.fields(node, f"the list {name}", ("file",))
    entry = node.entry("file")
    if entry is None:
        form.error(node, f"the list {name} must be a list, or {{file: {name}.csv}}")
        return None
    file = form.text(entry.value, "file")
    if file is None:
        return None
    try:
        text = files.text(file)
    except ListFileError as error:
        form.error(entry.value, f"the list file {quoted(file)} {error}")
        return None
    except UnreadableError as error:
        found = Findings(files.place(file))
        found.error(Place(error.line, 1), str(error))
        form.findings.adopt(found)
        return None
    members, found = read(files.place(file), text)
    form.findings.adopt(found)
    return None if found.errors else members


def _described(name: str, node: Node) -> str:
    """`vip (+49 151 2345678 or +44* or 3 more)`."""
    items = node.items if isinstance(node, Items) else (node,)
    texts = [item.text for item in items[:MOST_SHOWN] if isinstance(item, Scalar)]
    if len(items) > MOST_SHOWN:
        texts.append(f"{len(items) - MOST_SHOWN} more")
    return f"{name} ({' or '.join(texts)})"
