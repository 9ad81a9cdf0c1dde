"""`when`: from nodes to a condition, every word checked against what is known."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from relay.config.form import Form
from relay.config.lists import ClientLists, PhoneLists
from relay.config.nodes import Entry, Fields, Items, Node, Scalar, quoted, unknown
from relay.events import Direction, Severity, Source, Topic
from relay.events.catalogue import KINDS
from relay.rules import (
    DATA,
    KEYS,
    All,
    AnyOf,
    Condition,
    Exact,
    Glob,
    Matcher,
    Not,
    Regex,
    Test,
    text_matcher,
)
from relay.text import nearest

EVERYTHING = 'everything is `event: "*"`'
MOST_WANTED = 8
LONGEST_REGEX = 1_000
"""Characters. Hundreds of thousands would take the best part of a minute to compile."""
_MEANT = {
    "kind": "event",
    "type": "event",
    "number": "phone",
    "phone_number": "phone",
    "client_id": "client",
    "or": "any",
    "all": "any",
    "data": "data.<path>",
}
_WORDS: Mapping[str, Collection[str]] = {
    "topic": tuple(topic.value for topic in Topic),
    "severity": tuple(severity.value for severity in Severity),
    "direction": tuple(direction.value for direction in Direction),
    "source": tuple(source.value for source in Source),
}
NOTHING = AnyOf(())
"""No event meets it: it stands in rules that are refused."""
_CLIENT_ID_END = "cl"
"""360dialog's client ids end so; a name can be changed by the client itself."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A matcher with the node that it stands in and what an explanation shows of it."""

    node: Node
    matcher: Matcher
    shown: str
    missing: bool = False


class Conditions:
    """Compiles the `when` of rules."""

    def __init__(self, form: Form, phones: PhoneLists, clients: ClientLists) -> None:
        self._form = form
        self._phones = phones
        self._lists: Mapping[str, PhoneLists | ClientLists] = {"phone": phones, "client": clients}

    def compile(self, node: Node, kinds: Collection[str] = tuple(KINDS)) -> Condition:
        """The condition of a `when`, `any` or `not` map; what is at fault is left out of it.

        `kinds` are those that an event can have here, as far as the maps around it say.
        """
        if isinstance(node, Items):
            self._form.error(
                node, "the conditions of `when` are a map; alternatives go under `any:` as a list"
            )
            return NOTHING
        fields = self._form.fields(node, "when")
        if fields is None:
            return NOTHING
        if not fields.entries:
            self._form.error(node, f"the conditions are empty: {EVERYTHING}")
        test: Condition = NOTHING
        event = fields.entry("event")
        if event is not None:
            test, kinds = self._event(event, kinds)
        # In the file's order, so that an explanation names the first that fails.
        parts = [test if entry is event else self._part(entry, kinds) for entry in fields]
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _part(self, entry: Entry, kinds: Collection[str]) -> Condition:
        match entry.name:
            case "any":
                if isinstance(entry.value, Fields):
                    self._form.error(
                        entry.value,
                        "any takes a list of alternatives: put a dash before each of them",
                    )
                return self._alternatives(entry, kinds)
            case "not" if isinstance(entry.value, Fields):
                return Not(self.compile(entry.value, kinds))
            case "not":
                return Not(self._alternatives(entry, kinds))
            case key if key in KEYS or key.startswith(DATA):
                if key not in KEYS and not all(key.removeprefix(DATA).split(".")):
                    self._form.error(
                        entry.key, f"{quoted(key)} is no path: write data.<name>.<name>"
                    )
                return self._texts(entry, kinds)
            case _:
                self._form.unknown_key(entry.key, (*KEYS, "any", "not", "data.<path>"), _MEANT)
                return NOTHING

    def _alternatives(self, entry: Entry, kinds: Collection[str]) -> Condition:
        parts = []
        for node in self._form.items(entry.value, entry.name):
            if isinstance(node, Scalar) and node.text:
                self._form.error(
                    node, f"{entry.name} takes conditions such as {{topic: quality}}, not a text"
                )
            else:
                parts.append(self.compile(node, kinds))
        return AnyOf(tuple(parts))

    def _event(self, entry: Entry, kinds: Collection[str]) -> tuple[Condition, Collection[str]]:
        """The test of the kind, and the kinds that meet it."""
        wanted = self._values(entry)
        known: list[str] = []
        for value in wanted:
            met = [kind for kind in KINDS if value.matcher.matches(kind)]
            known += met
            if met or value.missing:
                self._own(value, met)
            elif isinstance(value.matcher, Exact):
                self._form.error(value.node, unknown("kind", value.shown, list(KINDS)))
            else:
                self._form.warning(value.node, f"no known kind matches {quoted(value.shown)}")
        # Where the kinds contradict those around, nothing can be said of details.
        both = [kind for kind in dict.fromkeys(known) if kind in kinds]
        return self._test(entry, wanted), both

    def _own(self, value: _Wanted, met: Sequence[str]) -> None:
        if met and all(KINDS[kind].source is Source.RELAY for kind in met):
            self._form.warning(value.node, "the relay's own events are outside the rules")

    def _texts(self, entry: Entry, kinds: Collection[str]) -> Test:
        wanted = self._values(entry)
        for value in wanted:
            if not value.missing:
                self._check_word(entry.name, value, kinds)
        return self._test(entry, wanted)

    def _check_word(self, key: str, value: _Wanted, kinds: Collection[str]) -> None:
        exact = value.matcher.text if isinstance(value.matcher, Exact) else None
        if (words := _WORDS.get(key)) is not None:
            if not any(value.matcher.matches(word) for word in words):
                self._form.error(value.node, unknown(key, value.shown, words))
            elif key == "source" and exact and value.matcher.matches(Source.RELAY.value):
                self._form.warning(value.node, "the relay's own events are outside the rules")
        elif key == "detail":
            self._check_detail(value, kinds)
        elif key == "country" and exact is not None and len(exact) != len("DE"):
            self._form.warning(
                value.node,
                f"no country is {quoted(value.shown)}: write its two letters, such as DE",
            )
        elif key == "client" and isinstance(value.matcher, Exact | Glob):
            text = value.matcher.text
            if text.strip("*?") and not text.casefold().endswith(_CLIENT_ID_END):
                self._form.warning(
                    value.node,
                    f"{quoted(value.shown)} looks like a client's name, which the client can "
                    "change: its id (…CL) lasts",
                )

    def _check_detail(self, value: _Wanted, kinds: Collection[str]) -> None:
        details = sorted({detail for kind in kinds for detail in KINDS[kind].details})
        if not kinds or any(value.matcher.matches(detail) for detail in details):
            return
        close = nearest(value.shown, details)
        hint = f': did you mean "{close}"?' if close else ""
        self._form.warning(
            value.node, f"no known event here has the detail {quoted(value.shown)}{hint}"
        )

    def _test(self, entry: Entry, wanted: list[_Wanted]) -> Test:
        shown = list(dict.fromkeys(value.shown for value in wanted))
        if len(shown) > MOST_WANTED:
            shown[MOST_WANTED:] = [f"{len(shown) - MOST_WANTED} more"]
        matchers = dict.fromkeys(value.matcher for value in wanted)
        return Test(entry.name, tuple(matchers), " or ".join(shown))

    def _values(self, entry: Entry) -> list[_Wanted]:
        """The values of a key; those at fault are left out."""
        wanted = [self._value(entry, node) for node in self._form.items(entry.value, entry.name)]
        return [value for value in wanted if value is not None]

    def _value(self, entry: Entry, node: Node) -> _Wanted | None:
        if isinstance(node, Fields):
            return self._regex(entry, node)
        lists = self._lists.get(entry.name)
        word = node.text.strip() if isinstance(node, Scalar) else ""
        if lists is not None and (members := lists.named(word)) is not None:
            return _Wanted(node, members, lists.shown(word))
        if entry.name == "phone":
            return self._number(node, word)
        filled = self._form.filled(node, entry.name)
        if filled is None:
            return None
        return _Wanted(node, text_matcher(filled.text), filled.written, bool(filled.missing))

    def _number(self, node: Node, word: str) -> _Wanted | None:
        if isinstance(node, Items):
            self._form.error(node, "phone must be a number, a pattern or the name of a list")
        if not isinstance(node, Scalar) or self._phones.tell_unknown(node):
            return None
        matcher = self._phones.matcher(node)
        return _Wanted(node, matcher, word, missing=True) if matcher is not None else None

    def _regex(self, entry: Entry, node: Fields) -> _Wanted | None:
        regex = node.entry("regex")
        if regex is None or len(node.entries) > 1:
            self._form.error(node, f'{entry.name} must be a text, a list, or {{regex: "…"}}')
            return None
        filled = self._form.filled(regex.value, "regex")
        if filled is None:
            return None
        if len(filled.text) > LONGEST_REGEX:
            self._form.error(
                regex.value,
                f"a regular expression of {len(filled.text):,} characters: at most "
                f"{LONGEST_REGEX:,} are read quickly; name many values in a list instead",
            )
            return None
        try:
            matcher = Regex(filled.text)
        except ValueError as error:
            self._form.error(
                regex.value,
                f"not a regular expression of RE2: {error} (it knows no look-around and no "
                "back-references)",
            )
            return None
        return _Wanted(regex.value, matcher, f"/{filled.written}/", bool(filled.missing))
