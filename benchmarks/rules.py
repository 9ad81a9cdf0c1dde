"""What ten thousand rules cost for one event, against ten."""

from __future__ import annotations

import timeit
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks import yard
from benchmarks.yard import Options, Row
from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.phones import PhonePattern
from relay.rules import All, Condition, Rule, Ruleset, Test, text_matcher

REPEATS = 5


def event(number: int) -> Event:
    """An event that a few of the rules match."""
    return Event(
        id=f"e{number}",
        source=Source.WABA,
        kind="phone_number_quality_update",
        detail="FLAGGED",
        topic=Topic.QUALITY,
        severity=Severity.WARNING,
        direction=Direction.WORSE,
        title="Quality fell",
        received_at=datetime(2026, 11, 23, tzinfo=UTC),
        phones=(f"+49171{number:07}",),
        client=Client(f"c{number}CL", "Musterladen"),
        country="DE",
        waba=f"{number}",
    )


def test(key: str, text: str) -> Test:
    return Test(key, (text_matcher(text),), text)


def condition(number: int) -> Condition:
    """Numbers, prefixes, clients and accounts, each with a topic, as partners write them."""
    quality = test("topic", "quality")
    match number % 4:
        case 0:
            text = f"+49171{number:07}"
            return All((quality, Test("phone", (PhonePattern.parse(text),), text)))
        case 1:
            text = f"+49171{number:07}*"
            return All((quality, Test("phone", (PhonePattern.parse(text),), text)))
        case 2:
            return All((quality, test("client", f"c{number}CL")))
        case _:
            return All((quality, test("waba", f"{number}")))


def seconds(count: int, options: Options) -> float:
    """The best time of one match among `count` rules."""
    rules = tuple(Rule(f"r{n}", condition(n), ("support",)) for n in range(count))
    ruleset = Ruleset(rules, ("support",))
    events = [event(number) for number in range(10)]
    calls = options.of(2_000, 50)
    turns = iter(range(REPEATS * calls + 1))

    def once() -> None:
        ruleset.match(events[next(turns) % len(events)])

    return min(timeit.repeat(once, number=calls, repeat=REPEATS)) / calls


def measure(options: Options) -> Sequence[Row]:
    few = seconds(10, options)
    rows = []
    for count, least, aim in ((1_000, "1.5", "1.2"), (10_000, "1.5", "1.2")):
        many = seconds(count, options)
        yard.say(
            f"one match among {count:6,} rules {many * 1e6:6.1f} µs, among 10 {few * 1e6:6.1f} µs"
        )
        rows.append(
            Row(f"matching among {count:,} rules against 10", f"{many / few:.2f}", least, aim)
        )
    return rows


if __name__ == "__main__":
    yard.run(measure)
