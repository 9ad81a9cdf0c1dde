"""Matching and explaining: examples of each promise, and one property that holds both together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.phones import PhonePattern
from relay.rules import (
    All,
    AnyOf,
    Choice,
    Condition,
    Exact,
    Glob,
    Match,
    Not,
    Regex,
    Rule,
    Ruleset,
    Test,
    text_matcher,
)
from relay.rules.conditions import Facts
from tests.each import each
from tests.needs import examples

EVENT = Event(
    id="e1",
    source=Source.WABA,
    kind="phone_number_quality_update",
    detail="FLAGGED",
    topic=Topic.QUALITY,
    severity=Severity.WARNING,
    direction=Direction.WORSE,
    title="Quality fell",
    received_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
    phones=("+491713920011", "+33612345678"),
    client=Client("dev001CL", "Müller & Söhne"),
    country="DE",
    waba="100000000000101",
    waba_360="dev001WA",
    data={
        "event": "FLAGGED",
        "limit": {"current": 1000, "ratio": 10.0, "on": True, "old": None},
        "items": [{"code": 7}, {"code": 8, "names": [["deep"]]}, "text"],
    },
)


def text(key: str, *values: str) -> Test:
    return Test(key, tuple(text_matcher(value) for value in values), " or ".join(values))


def phone(*patterns: str) -> Test:
    return Test("phone", tuple(PhonePattern.parse(p) for p in patterns), " or ".join(patterns))


def rule(name: str, when: Condition, *send_to: str, **more: Any) -> Rule:
    return Rule(name, when, send_to, **more)


def holds(condition: Condition, event: Event = EVENT) -> bool:
    return condition.holds(Facts(event))


ALL = text("event", "*")


class TestConditions:
    @each(
        ("key", "value"),
        [
            ("event", "Phone_Number_Quality_Update"),
            ("event", "phone_*_update"),
            ("event", "phone_number_quality_updat?"),
            ("detail", "flagged"),
            ("topic", "QUALITY"),
            ("severity", "warning"),
            ("direction", "worse"),
            ("source", "waba"),
            ("client", "DEV001cl"),
            ("client", "MÜLLER & SÖHNE"),
            ("client", "mu\u0308ller*"),
            ("waba", "100000000000101"),
            ("waba", "dev001wa"),
            ("country", "de"),
            ("data.event", "flagged"),
            ("data.limit.current", "1000"),
            ("data.limit.ratio", "10"),
            ("data.limit.ratio", "10.0"),
            ("data.limit.on", "true"),
            ("data.items.code", "8"),
            ("data.items.names", "deep"),
            ("data.items", "text"),
        ],
    )
    def test_these_hold(self, key: str, value: str) -> None:
        assert holds(text(key, value))
        assert not holds(Not(text(key, value)))

    @each(
        ("key", "value"),
        [
            ("event", "phone_number_quality"),
            ("event", "?"),
            ("detail", "FLAG"),
            ("client", "dev001"),
            ("data.limit.old", "null"),
            ("data.limit.old", "*"),
            ("data.limit", "*"),
            ("data.nothing.here", "*"),
            ("data.event.deeper", "*"),
            ("data.limit.on", "1"),
        ],
    )
    def test_these_fail_and_their_not_holds(self, key: str, value: str) -> None:
        assert not holds(text(key, value))
        assert holds(Not(text(key, value)))

    @each("key", ["detail", "phone", "client", "waba", "country", "data.x"])
    def test_a_value_that_the_event_does_not_have_fails_even_for_everything(self, key: str) -> None:
        bare = replace(
            EVENT, detail=None, phones=(), client=Client(), waba=None, waba_360=None, country=None
        )
        everything = phone("*") if key == "phone" else text(key, "*")
        assert not holds(everything, bare)
        assert holds(Not(everything), bare)

    def test_one_of_several_numbers_suffices(self) -> None:
        assert holds(phone("+33*"))
        assert holds(phone("+49 171 3920011"))
        assert not holds(phone("+44*"))

    def test_the_other_spelling_of_a_number_matches(self) -> None:
        mexican = replace(EVENT, phones=("+5215512345678",))
        assert holds(phone("+52 55 1234 5678"), mexican)
        assert holds(phone("+5255*"), mexican)

    def test_a_prefix_finds_the_other_spelling_also_by_the_index(self) -> None:
        mexican = replace(EVENT, phones=("+525512345678",))
        assert Ruleset((rule("mx", phone("+521*"), "a"),)).match(mexican).matched == ("mx",)

    def test_a_regex_is_searched_without_case(self) -> None:
        assert holds(Test("client", (Regex("^müller.*SÖHNE$"),), ""))
        assert not holds(Test("client", (Regex("^söhne"),), ""))

    def test_a_regex_that_needs_more_than_linear_time_is_refused(self) -> None:
        with pytest.raises(ValueError, match="invalid perl operator"):
            Regex("a(?=b)")

    def test_characters_of_regular_expressions_mean_themselves_in_globs(self) -> None:
        assert Glob("a.[b]+*").matches("A.[B]+\nc")
        assert not Glob("a.*").matches("ab")

    def test_a_lone_surrogate_in_a_value_is_no_fault(self) -> None:
        assert Glob("a?b").matches("a\ud800b")
        assert not Regex("x").matches("\ud800")

    def test_hostile_text_costs_linear_time(self) -> None:
        """Finishes at all: a backtracking engine would not."""
        assert not Regex("(x+x+)+y").matches("x" * 50_000)
        assert not Glob("*x" * 30 + "y").matches("x" * 50_000)

    def test_hostile_depth_is_no_fault(self) -> None:
        deep: Any = "x"
        for _ in range(5_000):
            deep = [deep]
        assert holds(text("data.a", "x"), replace(EVENT, data={"a": deep}))


class TestMatch:
    def test_all_matching_rules_apply_in_order_and_each_destination_once(self) -> None:
        rules = (
            rule("one", ALL, "a", "b", template="t1"),
            rule("no", text("topic", "ban"), "c"),
            rule("two", text("topic", "quality"), "b", "c", template="t2"),
        )
        assert Ruleset(rules, ("d",)).match(EVENT) == Match(
            (Choice("a", "one", "t1"), Choice("b", "one", "t1"), Choice("c", "two", "t2")),
            ("one", "two"),
            None,
            by_default=False,
        )

    def test_stop_ends_the_list_after_a_match_only(self) -> None:
        rules = (
            rule("unmatched", text("topic", "ban"), "a", stop=True),
            rule("stopper", ALL, "b", stop=True),
            rule("late", ALL, "c"),
            rule("always", ALL, "d", always=True),
        )
        match = Ruleset(rules).match(EVENT)
        assert match.matched == ("stopper", "always")

    def test_a_mute_tells_nobody_ends_the_list_and_lets_earlier_choices_stand(self) -> None:
        rules = (rule("first", ALL, "a"), rule("mute", ALL), rule("late", ALL, "b"))
        match = Ruleset(rules, ("d",)).match(EVENT)
        assert match.choices == (Choice("a", "first", None),)
        assert match.muted_by == "mute"
        alone = Ruleset(rules[1:], ("d",)).match(EVENT)
        assert alone == Match((), ("mute",), "mute", by_default=False)

    def test_an_always_rule_is_told_even_after_a_mute(self) -> None:
        rules = (rule("mute", ALL), rule("late", ALL, "b"), rule("wake", ALL, "c", always=True))
        match = Ruleset(rules).match(EVENT)
        assert match.choices == (Choice("c", "wake", None),)
        assert match.muted_by == "mute"

    def test_the_default_applies_only_where_no_rule_matched(self) -> None:
        ruleset = Ruleset((rule("ban", text("topic", "ban"), "a"),), ("d", "d"))
        assert ruleset.match(EVENT) == Match((Choice("d", None, None),), (), None, by_default=True)
        assert Ruleset((), ()).match(EVENT) == Match((), (), None, by_default=False)


class TestExplain:
    def reasons(self, *rules: Rule, event: Event = EVENT) -> list[str]:
        return [verdict.reason for verdict in Ruleset(rules).explain(event)]

    def test_an_unmatched_rule_says_what_it_wants_and_what_it_found(self) -> None:
        assert self.reasons(
            rule("p", phone("+44*", "+1*"), "a"),
            rule("c", All((ALL, text("client", "acme01CL"))), "a"),
            rule("d", text("data.limit.current", "250"), "a"),
        ) == [
            "phone: wants +44* or +1*, found +491713920011 and +33612345678",
            "client: wants acme01CL, found dev001CL and Müller & Söhne",
            "data.limit.current: wants 250, found 1000",
        ]

    def test_a_value_that_is_not_there_is_said(self) -> None:
        event = replace(EVENT, client=Client())
        assert self.reasons(rule("c", text("client", "acme01CL"), "a"), event=event) == [
            "client: wants acme01CL, the event has none"
        ]

    def test_a_matching_rule_says_by_what(self) -> None:
        when = All((text("topic", "quality"), text("direction", "worse"), phone("+33*")))
        assert self.reasons(rule("r", when, "a")) == [
            "matched: topic is quality, direction is worse, phone is +33612345678"
        ]

    def test_rules_after_a_stop_or_a_mute_say_who_ended_the_list(self) -> None:
        reasons = self.reasons(rule("S", ALL, "a", stop=True), rule("late", ALL, "b"))
        assert reasons[1] == 'not judged: rule "S" stopped the list'
        reasons = self.reasons(rule("M", ALL), rule("S", ALL, "a", stop=True, always=True), ALL_B)
        assert reasons[2] == 'not judged: rule "M" muted the event'

    def test_nested_conditions_read_well(self) -> None:
        ban, better = text("topic", "ban"), text("direction", "better")
        assert self.reasons(
            rule("1", AnyOf((ban, better)), "a"),
            rule("2", Not(AnyOf((ban, better))), "a"),
            rule("3", Not(text("topic", "quality")), "a"),
            rule("4", Not(ban), "a"),
            rule("5", AnyOf((ban, text("detail", "flagged"))), "a"),
        ) == [
            "any: none of (topic: wants ban, found quality; direction: wants better, found worse)",
            "matched: neither of (topic: wants ban, found quality; "
            "direction: wants better, found worse)",
            "not: must not be so, but topic is quality",
            "matched: not (topic: wants ban, found quality)",
            "matched: detail is FLAGGED",
        ]

    def test_what_is_found_is_cut_and_cleaned(self) -> None:
        event = replace(EVENT, client=Client("x\x1b[31m\n\u202ey" + "z" * 500))
        (reason,) = self.reasons(rule("r", text("client", "q"), "a"), event=event)
        assert reason.startswith("client: wants q, found x[31m yzzz")
        assert reason.endswith("z…")
        assert len(reason) < 120


ALL_B = rule("late", ALL, "b")

# One property holds the two together, the index included.

NUMBERS = ("+491713920011", "+33612345678", "+5215512345678", "+525512345678", "+5511987654321")
PATTERNS = (*NUMBERS, "+49*", "+521*", "+52*", "*", "+5511 8765 4321", "+49171392001?")
WORDS = ("a", "B", "a*", "?", "*", "ä", "Ä", "x1")
TEXT_KEYS = ("event", "detail", "client", "waba", "country", "data.k", "data.l.k")

tests = st.one_of(
    st.builds(
        lambda key, words: text(key, *words),
        st.sampled_from(TEXT_KEYS),
        st.lists(st.sampled_from(WORDS), min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, word: text(key, word),
        st.sampled_from(("topic", "severity", "direction", "source")),
        st.sampled_from(("quality", "ban", "info", "worse", "better", "waba", "partner")),
    ),
    st.builds(
        lambda patterns: phone(*patterns),
        st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=3),
    ),
    st.builds(
        lambda key, pattern: Test(key, (Regex(pattern), Exact("b")), "regex or b"),
        st.sampled_from(("client", "data.k")),
        st.sampled_from(("^a", "ä|x", ".")),
    ),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: All(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)
names = st.sampled_from(("d1", "d2", "d3", "d4"))
rule_lists = st.lists(
    st.tuples(
        conditions,
        st.lists(names, max_size=2).map(tuple),
        st.booleans() | st.just(False),
        st.booleans(),
    ),
    max_size=8,
).map(
    lambda rows: tuple(
        Rule(f"r{number}", when, send_to, stop=stop, always=always)
        for number, (when, send_to, stop, always) in enumerate(rows)
    )
)
maybe = st.none() | st.sampled_from(("a", "A", "b", "ä", "Ä", "x1", "q"))
leaves = st.sampled_from(("a", "b", 1, True, None, 1.0))
events = st.builds(
    replace,
    st.just(EVENT),
    kind=st.sampled_from(("a", "b", "ab")),
    detail=maybe,
    topic=st.sampled_from((Topic.QUALITY, Topic.BAN)),
    direction=st.sampled_from(Direction),
    phones=st.lists(st.sampled_from(NUMBERS), max_size=2).map(tuple),
    client=st.builds(Client, maybe, maybe),
    waba=maybe,
    country=maybe,
    data=st.fixed_dictionaries(
        {}, optional={"k": leaves | st.lists(leaves), "l": st.lists(st.just({"k": "b"}))}
    ),
)


def judged(rules: tuple[Rule, ...], event: Event) -> Mapping[str, Rule]:
    """The rules that match, by the plain reading of the contract: each in turn, no index."""
    matched = {}
    ended = False
    for one in rules:
        if (not ended or one.always) and one.when.holds(Facts(event)):
            matched[one.name] = one
            ended = ended or one.stop or not one.send_to
    return matched


@examples(400)
@given(rules=rule_lists, default=st.lists(names, max_size=2), event=events)
def test_match_explain_and_a_plain_reading_of_all_rules_agree(
    rules: tuple[Rule, ...], default: list[str], event: Event
) -> None:
    ruleset = Ruleset(rules, tuple(default))
    expected = judged(rules, event)
    match, verdicts = ruleset.match(event), ruleset.explain(event)
    assert match.matched == tuple(expected)
    assert [v.name for v in verdicts] == [one.name for one in rules]
    assert tuple(v.name for v in verdicts if v.matched) == match.matched
    wanted = [name for one in expected.values() for name in one.send_to]
    if not expected:
        wanted = default
    assert [choice.destination for choice in match.choices] == list(dict.fromkeys(wanted))
    for choice in match.choices:
        first = next((n for n, one in expected.items() if choice.destination in one.send_to), None)
        assert choice.rule == first
    mutes = [name for name, one in expected.items() if not one.send_to]
    assert match.muted_by == (mutes[0] if mutes else None)
    assert match.by_default == (not expected and bool(default))
    for verdict in verdicts:
        assert verdict.reason.startswith("matched: ") == verdict.matched
        assert verdict.reason.isprintable()


@given(st.text())
def test_a_text_without_wildcards_matches_itself_in_any_case(value: str) -> None:
    plain = value.replace("*", "").replace("?", "")
    matcher = text_matcher(plain)
    assert matcher.matches(plain)
    assert matcher.matches(plain.casefold())
    assert Glob("*").matches(value)
    assert Glob(plain + "*").matches(plain + value)


def test_many_rules_are_not_judged_one_by_one() -> None:
    """The index leaves only the rules that name the event's number, client, WABA or prefix."""
    rules = tuple(
        rule(
            f"r{n}",
            (
                All((ALL, phone(f"+49171{n:07}"))),
                All((text("event", "*"), text("client", f"c{n}CL"), text("topic", "quality"))),
                All((phone(f"+49172{n:06}*"), text("topic", "quality"))),
                AnyOf((text("waba", f"{n}"), text("data.x", f"{n}"))),
            )[n % 4],
            "d",
        )
        for n in range(2_000)
    )
    event = replace(EVENT, phones=("+491710000008",), client=Client("c13CL"), waba="15")
    ruleset = Ruleset(rules)
    assert ruleset._index.candidates(Facts(event)) == [8, 13, 15]
    assert ruleset.match(event).matched == ("r8", "r13", "r15")
