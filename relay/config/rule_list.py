"""`rules`, `default`, `alarms` and `tests`: who is named, and whether it exists."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from relay.channels import Destination, Mention
from relay.config.conditions import EVERYTHING, NOTHING, Conditions
from relay.config.destinations import NOBODY
from relay.config.form import Form
from relay.config.lists import ListFiles
from relay.config.mentions import FOR_INSIDE, check_reach, read_mention
from relay.config.nodes import Broken, Entry, Fields, Items, Node, Scalar, quoted, unknown
from relay.config.owners import read_owners
from relay.rules import Owners, Rule

RULE_KEYS = ("name", "when", "send_to", "stop", "always", "template", "mention")
_MEANT = {
    "to": "send_to",
    "then": "send_to",
    "destination": "send_to",
    "if": "when",
    "for": FOR_INSIDE,
}
TEMPLATE_END = ".md.j2"


class Names:
    """The destinations that can be named in `send_to`; None where one is at fault."""

    def __init__(self, form: Form, known: Mapping[str, Destination | None]) -> None:
        self._form = form
        self._places = known
        self._known = dict.fromkeys(known)

    def read(self, node: Node, what: str = "send_to") -> tuple[str, ...]:
        """The named destinations; empty for `none`; those at fault are left out."""
        nodes = self._form.items(node, what)
        names: list[str] = []
        for item in nodes:
            filled = self._form.filled(item, what)
            if filled is None:
                continue
            if filled.missing and self._known:
                names.append(next(iter(self._known)))  # a stand-in, as anywhere in a trial load
            elif filled.text.casefold() == NOBODY:
                if len(nodes) == 1:
                    return ()
                self._form.error(
                    item, f"none means nobody: write `{what}: none`, without other names or a list"
                )
            elif filled.text in self._known:
                names.append(filled.text)
            else:
                self._form.error(item, unknown("destination", filled.written, self._known))
        return tuple(dict.fromkeys(names))

    def channels(self, named: Iterable[str]) -> frozenset[str] | None:
        """By what these are reached; None where one of them is at fault."""
        places = [self._places.get(name) for name in named]
        found = frozenset(place.channel for place in places if place is not None)
        return None if None in places else found

    def read_owners(self, node: Fields, files: ListFiles) -> Owners | None:
        """A list that names the destination of each client or number."""
        default = node.entry("default")
        others = self.read(default.value, "default") if default is not None else ()
        return read_owners(self._form, node, self._known, files, others)


def read_rules(
    form: Form,
    node: Node,
    conditions: Conditions,
    names: Names,
    templates: Collection[str] | None,
    files: ListFiles,
) -> tuple[tuple[Rule, ...], Mapping[str, Mention]]:
    """All rules, in order, and whom they call; what is at fault in one is reported and empty."""
    rules: list[Rule] = []
    mentions: dict[str, Mention] = {}
    if isinstance(node, Broken) or form.empty(node, "rules"):
        return (), mentions
    if not isinstance(node, Items):
        form.error(node, "rules must be a list: put a dash before each rule")
        return (), mentions
    if not node.items:
        form.error(node, f"rules cannot be empty; {EVERYTHING}")
        return (), mentions
    seen: dict[str, Node] = {}
    known = None
    if templates is not None:
        bare = [template.removesuffix(TEMPLATE_END) for template in templates]
        known = {template.casefold(): template for template in bare}
    for item in node.items:
        fields = form.fields(item, "a rule", RULE_KEYS, _MEANT)
        if fields is None:
            continue
        name = _name(form, fields, seen)
        when = fields.entry("when")
        if when is None:
            form.error(fields, f"this rule has no `when`: {EVERYTHING}")
        send_to = fields.entry("send_to")
        if send_to is None:
            form.error(fields, "this rule has no `send_to`: name destinations, or none for nobody")
        condition = conditions.compile(when.value) if when is not None else NOTHING
        destinations: tuple[str, ...] = ()
        owners = None
        if send_to is not None and isinstance(send_to.value, Fields):
            owners = names.read_owners(send_to.value, files)
        elif send_to is not None:
            destinations = names.read(send_to.value)
        stop, always = form.flag(fields.entry("stop")), form.flag(fields.entry("always"))
        template = _template(form, fields.entry("template"), known)
        place = (fields.line, fields.column)
        rule = Rule(name, condition, destinations, stop, always, template, *place, owners=owners)
        rules.append(rule)
        entry = fields.entry("mention")
        mention = read_mention(form, entry) if entry is not None else None
        if entry is not None and mention is not None:
            mentions[name] = mention
            if rule.may_tell or (send_to is not None and _is_nobody(send_to.value)):
                check_reach(form, entry, mention, names.channels(rule.may_tell), "this rule")
    return tuple(rules), mentions


def _is_nobody(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text.strip().casefold() == NOBODY


def _name(form: Form, fields: Fields, seen: dict[str, Node]) -> str:
    entry = fields.entry("name")
    if entry is None:
        form.error(fields, "this rule has no `name`: explanations and the journal name it by that")
        return ""
    filled = form.filled(entry.value, "name")
    if filled is None:
        return ""
    name = " ".join(filled.text.split())
    if name in seen:
        form.error(
            entry.value,
            f"a rule named {quoted(filled.written)} stands in line {seen[name].line} already: "
            "names tell rules apart",
        )
    seen.setdefault(name, entry.value)
    return name


def _template(form: Form, entry: Entry | None, known: Mapping[str, str] | None) -> str | None:
    """The name of a template; `known` has those that there are, by their folded names."""
    filled = form.given(entry)
    if entry is None or filled is None:
        return None
    name = filled.text.strip().removesuffix(TEMPLATE_END)
    if "/" in name or "\\" in name or name.startswith("."):
        form.error(
            entry.value,
            f"{quoted(filled.written)} is a path: name the template, such as welcome for "
            "welcome.md.j2",
        )
    elif known is not None and name.casefold() not in known:
        form.error(entry.value, unknown("template", filled.written, list(known.values())))
    return name


def read_send_to(form: Form, entry: Entry | None, names: Names) -> tuple[str, ...]:
    """The destinations of `default` or `alarms`: `{send_to: …}`."""
    if entry is None:
        return ()
    if isinstance(entry.value, Scalar):
        if not form.empty(entry.value, entry.name):
            form.error(entry.value, f"write {entry.name}: {{send_to: {entry.value.text[:40]}}}")
        return ()
    fields = form.fields(entry.value, entry.name, ("send_to",), _MEANT)
    if fields is None:
        return ()
    send_to = fields.entry("send_to")
    if send_to is None:
        form.error(entry.key, f"{entry.name} has no `send_to`: name destinations, or none")
        return ()
    return names.read(send_to.value)


TEST_KEYS = ("name", "event", "file", "with", "expect", "text", "rule")
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
    form: Form, node: Node, names: Names, rules: tuple[str, ...], files: ListFiles
) -> tuple[RuleTest, ...]:
    """The tests; what is at fault in one is reported and empty in it."""
    if isinstance(node, Scalar | Fields):
        form.error(node, "tests must be a list: put a dash before each test")
        return ()
    tests = []
    for item in node.items if isinstance(node, Items) else ():
        fields = form.fields(item, "a test", TEST_KEYS)
        if fields is not None:
            tests.append(_test(form, fields, names, rules, files))
    return tuple(tests)


def _test(
    form: Form, fields: Fields, names: Names, rules: tuple[str, ...], files: ListFiles
) -> RuleTest:
    asked = {entry.name: entry.value for entry in fields}
    if "name" not in asked:
        form.error(fields, "this test has no `name`")
    if ("event" in asked) == ("file" in asked):
        form.error(fields, "a test needs `event` (a bundled sample) or `file`, one of them")
    if not {"expect", "text", "rule"} & set(asked):
        form.error(fields, "this test has no `expect`: name destinations, or none")
    texts = {
        key: form.text(asked[key], key) for key in ("name", "event", "file", "rule") if key in asked
    }
    file, rule = texts.get("file"), texts.get("rule")
    body = files.text(form, asked["file"], file, "event") if file is not None else None
    overrides = _overrides(form, asked["with"]) if "with" in asked else {}
    expect = names.read(asked["expect"], "expect") if "expect" in asked else None
    if rule is not None and rule not in rules:
        form.error(asked["rule"], unknown("rule", rule, rules))
    shown = form.items(asked["text"], "text") if "text" in asked else ()
    fragments = tuple(text for one in shown if (text := form.text(one, "text")) is not None)
    place = (form.findings.file, fields.line, fields.column)
    name, sample = texts.get("name") or "", texts.get("event")
    return RuleTest(name, *place, sample, body, overrides, expect, fragments, rule)


def _overrides(form: Form, node: Node) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in form.fields(node, "with") or ():
        if one.name in OVERRIDES or (one.name.startswith("data.") and one.name != "data."):
            found[one.name] = form.text(one.value, one.name) or ""
        else:
            form.unknown_key(one.key, (*OVERRIDES, "data.<path>"))
    return found
