"""`tests`: what the rules file itself says must come of an event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from relay.config.destinations import NOBODY
from relay.config.findings import quoted, unknown
from relay.config.form import Form
from relay.config.list_files import ListFileError, ListFiles
from relay.config.nodes import Entry, Fields, Items, Node, Scalar

KEYS = ("name", "event", "file", "with", "expect", "text", "rule")
OVERRIDES = ("phone", "phone_name", "client", "client_name", "country", "waba", "detail")
"""What `with` can change, besides `data.<path>`."""


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: an event, and what is expected of it."""

    name: str
    file: str
    """Of the rules file, for findings."""
    line: int
    column: int
    sample: str | None
    """`KIND[/DETAIL]`; None where `body` has the event."""
    body: str | None
    overrides: Mapping[str, str] = field(default_factory=dict)
    expect: tuple[str, ...] | None = None
    """Destinations, in any order; empty: nobody; None: not asked."""
    fragments: tuple[str, ...] = ()
    """Texts that each of the messages must show."""
    rule: str | None = None
    """A rule that must match."""


def read_tests(
    form: Form,
    node: Node,
    destinations: Mapping[str, object],
    rules: tuple[str, ...],
    files: ListFiles,
) -> tuple[RuleTest, ...]:
    """The tests that are without fault."""
    if isinstance(node, Scalar | Fields):
        form.error(node, "tests must be a list: put a dash before each test")
        return ()
    tests = []
    for item in node.items if isinstance(node, Items) else ():
        fields = form.fields(item, "a test", KEYS)
        if fields is not None and (test := _test(form, fields, destinations, rules, files)):
            tests.append(test)
    return tuple(tests)


def _test(
    form: Form,
    fields: Fields,
    destinations: Mapping[str, object],
    rules: tuple[str, ...],
    files: ListFiles,
) -> RuleTest | None:
    entries = {entry.name: entry for entry in fields}
    name = form.text(entries["name"].value, "name") if "name" in entries else None
    if "name" not in entries:
        form.error(fields, "this test has no `name`")
    if ("event" in entries) == ("file" in entries):
        form.error(fields, "a test needs `event` (a bundled sample) or `file`, one of them")
    sample = form.text(entries["event"].value, "event") if "event" in entries else None
    body = _body(form, entries["file"], files) if "file" in entries else None
    overrides = _overrides(form, entries.get("with"))
    if not {"expect", "text", "rule"} & set(entries):
        form.error(fields, "this test has no `expect`: name destinations, or none")
    expect = None
    if "expect" in entries:
        expect = _expected(form, entries["expect"].value, destinations)
        if expect is None:
            return None
    rule = form.text(entries["rule"].value, "rule") if "rule" in entries else None
    if rule is not None and rule not in rules:
        form.error(entries["rule"].value, unknown("rule", rule, rules))
        return None
    fragments = form.items(entries["text"].value, "text") if "text" in entries else ()
    texts = tuple(text for one in fragments if (text := form.text(one, "text")) is not None)
    if name is None or (sample is None and body is None) or overrides is None:
        return None
    place = (form.findings.file, fields.line, fields.column)
    return RuleTest(name, *place, sample, body, overrides, expect, texts, rule)


def _body(form: Form, entry: Entry, files: ListFiles) -> str | None:
    name = form.text(entry.value, "file")
    if name is None:
        return None
    try:
        return files.text(name)
    except ListFileError as error:
        form.error(entry.value, f"the event file {quoted(name)} {error}")
        return None


def _overrides(form: Form, entry: Entry | None) -> dict[str, str] | None:
    fields = form.fields(entry.value, "with") if entry is not None else None
    found: dict[str, str] = {}
    for one in fields or ():
        known = one.name in OVERRIDES or (one.name.startswith("data.") and one.name != "data.")
        if not known:
            form.unknown_key(one.key, (*OVERRIDES, "data.<path>"))
            return None
        text = form.text(one.value, one.name)
        if text is None:
            return None
        found[one.name] = text
    return found


def _expected(form: Form, node: Node, destinations: Mapping[str, object]) -> tuple[str, ...] | None:
    nodes = form.items(node, "expect")
    names: list[str] = []
    for item in nodes:
        name = form.text(item, "expect")
        if name is None:
            return None
        if name.casefold() == NOBODY:
            if len(nodes) > 1:
                form.error(item, "none means nobody: write `expect: none`")
                return None
            return ()
        if name not in destinations:
            form.error(item, unknown("destination", name, list(destinations)))
            return None
        names.append(name)
    return tuple(dict.fromkeys(names)) or None
