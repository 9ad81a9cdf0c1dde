"""Whom a message calls: what the rules file names, where it is grave, and never an event."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.channels import Call, Outbound
from relay.channels.exchange import encoded
from relay.channels.registry import CHANNELS, open_channels
from relay.channels.teams.preview import draw
from relay.checks.diff import Comparison
from relay.config import load_text
from relay.deliveries import Cause
from relay.events import Direction, Event, Severity
from relay.messages import Message
from relay.messages.templates import Templates
from relay.pipeline import Plan, called, compose, explain, owe, route, written
from tests.channels.test_outbound_payloads import BOT, FLOW, HOOK, LONG
from tests.client import waba
from tests.each import each
from tests.fakes.messages import HOSTILE, everything, message, parcel
from tests.fakes.slack import FakeSlack, error
from tests.needs import examples
from tests.relay_process import RelayProcess

OPEN = open_channels(Outbound())
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SLACK = tuple(
    filter(None, map(CHANNELS["slack"].call, ("here", "@channel", "U012AB3CD", "S1234567")))
)
TEAMS = tuple(
    filter(None, map(CHANNELS["teams"].call, ("Anna Meier <anna@example.com>", "bob@example.com")))
)
ELEMENTS = [
    {"type": "broadcast", "range": "here"},
    {"type": "broadcast", "range": "channel"},
    {"type": "user", "user_id": "U012AB3CD"},
    {"type": "usergroup", "usergroup_id": "S1234567"},
]
TOKENS = "<!here> <!channel> <@U012AB3CD> <!subteam^S1234567>"
ENTITIES = [
    {
        "type": "mention",
        "text": "<at>Anna Meier</at>",
        "mentioned": {"id": "anna@example.com", "name": "Anna Meier"},
    },
    {
        "type": "mention",
        "text": "<at>bob@example.com</at>",
        "mentioned": {"id": "bob@example.com", "name": "bob@example.com"},
    },
]
LINE = "<at>Anna Meier</at> <at>bob@example.com</at>"
OVERRIDES = {
    "slack": {"blocks": [{"type": "section", "text": {"type": "plain_text", "text": "own"}}]},
    "teams": {"type": "AdaptiveCard", "body": [{"type": "TextBlock", "text": "own"}]},
}
FORMS = {
    "dressed": (message(), False),
    "plain": (message(), True),
    "override": (replace(message(), native=OVERRIDES), False),
}


def payload(to: Any, content: Message, calls: tuple[Call, ...], *, plain: bool) -> dict[str, Any]:
    return OPEN[to.channel].payload(to, parcel(content, calls=calls, plain=plain))


def elements(node: object) -> Iterator[dict[str, Any]]:
    """All objects of a payload."""
    match node:
        case dict():
            yield node
            for inner in node.values():
                yield from elements(inner)
        case list():
            for inner in node:
                yield from elements(inner)


def calling(shape: dict[str, Any]) -> list[dict[str, Any]]:
    """The elements that make a phone ring."""
    kinds = ("broadcast", "user", "usergroup", "mention")
    return [one for one in elements(shape) if one.get("type") in kinds]


@each("to, form", itertools.product([BOT, HOOK], FORMS))
def test_slack_calls_in_the_text_and_in_a_block_of_its_own(to: Any, form: str) -> None:
    content, plain = FORMS[form]
    shape = payload(to, content, SLACK, plain=plain)
    assert shape["text"].startswith("Quality dropped")
    assert shape["text"].endswith(f"\n{TOKENS}")
    assert calling(shape) == ([] if plain else ELEMENTS)
    assert shape.get("mrkdwn", True)
    assert all(one not in list(elements(shape.get("attachments"))) for one in ELEMENTS)


@each("form", FORMS)
def test_teams_calls_with_an_entity_for_each(form: str) -> None:
    content, plain = FORMS[form]
    card = payload(FLOW, content, TEAMS, plain=plain)["attachments"][0]["content"]
    assert card["msteams"] == {"width": "Full", "entities": ENTITIES}
    assert [one["text"] for one in card["body"] if one.get("text", "").startswith("<at>")] == [LINE]


@each("plain", [False, True])
def test_there_is_room_for_those_who_are_called(plain: bool) -> None:
    assert len(encoded(payload(FLOW, LONG, TEAMS, plain=plain))) <= 20_000
    shape = payload(BOT, LONG, SLACK, plain=plain)
    assert len(shape["text"]) <= 4_000
    blocks = [part.get("blocks", []) for part in (shape, *shape.get("attachments", []))]
    assert sum(map(len, blocks)) <= 50


@each("to, plain, value", itertools.product([BOT, HOOK, FLOW], [False, True], HOSTILE.values()))
def test_hostile_texts_call_nobody(to: Any, plain: bool, value: str) -> None:
    shape = payload(to, everything(value), (), plain=plain)
    assert calling(shape) == []
    assert "<!" not in shape.get("text", "")
    assert "<@" not in shape.get("text", "")


WHOEVER = st.sampled_from(
    [
        "<!here>",
        "<!channel>",
        "<@U012AB3CD>",
        "<!subteam^S1|x>",
        "<at>Anna Meier</at>",
        "@here",
        "&lt;!here&gt;",
    ]
)
WORDS = st.lists(st.one_of(WHOEVER, st.text(max_size=8)), max_size=6).map("".join)


@examples(60)
@given(WORDS, st.sampled_from([BOT, HOOK, FLOW]), st.booleans(), st.booleans())
def test_whatever_an_event_says_those_are_called_whom_the_file_names(
    text: str, to: Any, plain: bool, named: bool
) -> None:
    whom = (TEAMS if to is FLOW else SLACK) if named else ()
    shape = payload(to, everything(text), whom, plain=plain)
    assert calling(shape) == (
        [] if not whom or (plain and to is not FLOW) else ENTITIES if to is FLOW else ELEMENTS
    )
    said, _, tail = shape.get("text", "").rpartition("\n")
    if to is not FLOW:
        assert tail == TOKENS if whom else "<" not in tail
        assert "<" not in said


RULES = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests}
  email: {host: h.example.com, tls: none, sender: relay@example.com}
destinations:
  support: {slack: {channel: "#support"}, mention: here}
  quiet: {slack: {channel: "#quiet"}}
  early: {slack: {channel: "#early"}, mention: {who: U012AB3CD, for: warning}}
  all: {slack: {channel: "#all"}, mention: {who: channel, for: info}}
  flow: {teams: {url: "https://x.environment.api.powerplatform.com/y"}, mention: anna@example.com}
  mail: {email: {to: a@example.com}}
rules:
  - name: called
    when: {event: "*"}
    send_to: [support, quiet, early, all, flow, mail]
    mention: S1234567
  - {name: plain, when: {event: "*"}, send_to: [support, quiet, early, all, flow, mail]}
default: {send_to: support}
alarms: {send_to: [support, mail]}
"""
CONFIG = load_text(RULES, "rules.yaml", env={}, strict_env=True, outbound=Outbound())
PLAN = Plan(
    1,
    CONFIG.rules,
    CONFIG.destinations,
    Templates.shipped(),
    ZoneInfo("UTC"),
    mentions=CONFIG.mentions,
)
EVENT = samples.event("account_update/DISABLED_UPDATE", NOON)


def names(
    event: Event, place: str, *, rule: str | None = "plain", cause: Cause = Cause.RULE
) -> list[str]:
    delivery = owe(event, PLAN.destinations[place], cause=cause, now=NOON, version=1, rule=rule)
    return [call.name for call in called(delivery, event, PLAN)]


def a(severity: Severity, direction: Direction = Direction.WORSE) -> Event:
    return replace(EVENT, severity=severity, direction=direction)


@each(
    "place, event, expected",
    [
        ("support", a(Severity.CRITICAL), ["@here"]),
        ("support", a(Severity.CRITICAL, Direction.NEUTRAL), ["@here"]),
        ("support", a(Severity.CRITICAL, Direction.BETTER), []),
        ("support", a(Severity.WARNING), []),
        ("early", a(Severity.WARNING), ["@U012AB3CD"]),
        ("early", a(Severity.CRITICAL), ["@U012AB3CD"]),
        ("early", a(Severity.INFO), []),
        ("early", a(Severity.WARNING, Direction.BETTER), []),
        ("all", a(Severity.INFO, Direction.BETTER), ["@channel"]),
        ("flow", a(Severity.CRITICAL), ["anna@example.com"]),
        ("quiet", a(Severity.CRITICAL), []),
    ],
)
def test_people_are_called_for_what_is_grave(place: str, event: Event, expected: list[str]) -> None:
    assert names(event, place) == expected


@each(
    "place, expected",
    [
        ("support", ["@S1234567"]),
        ("quiet", ["@S1234567"]),
        ("flow", ["anna@example.com"]),
        ("mail", []),
    ],
)
def test_a_rule_s_mention_takes_the_place_of_its_destinations(
    place: str, expected: list[str]
) -> None:
    assert names(EVENT, place, rule="called") == expected


@each(
    "cause, expected",
    [
        (Cause.DEFAULT, ["@here"]),
        (Cause.ALARM, ["@here"]),
        (Cause.FALLBACK, ["@here"]),
        (Cause.TEST, []),
        (Cause.REPLAY, []),
    ],
)
def test_tests_and_replays_call_nobody(cause: Cause, expected: list[str]) -> None:
    assert names(EVENT, "support", rule=None, cause=cause) == expected


def test_meta_s_test_button_calls_nobody() -> None:
    assert names(replace(EVENT, test=True), "support") == []


def test_the_usual_form_calls_where_an_override_is_refused() -> None:
    (delivery, *_) = route(EVENT, PLAN, NOON).deliveries
    refused = replace(message(), native={"slack": {"blocks": [{"type": "nonsense"}]}})
    shape, _, _ = written(delivery, EVENT, PLAN, OPEN["slack"], refused, NOON)
    assert calling(shape) == [ELEMENTS[3]]


def test_the_dry_run_says_who_is_called() -> None:
    shown = {
        owed.delivery.destination: [call.name for call in owed.calls]
        for owed in explain(EVENT, PLAN, OPEN, NOON).owed
    }
    assert shown["support"] == ["@S1234567"]
    assert shown["flow"] == ["anna@example.com"]
    assert shown["mail"] == []


def test_a_diff_says_who_would_be_called() -> None:
    silent = {name: replace(one, mention=None) for name, one in PLAN.destinations.items()}
    before = replace(PLAN, destinations=silent, mentions={})
    changes = Comparison(before, replace(PLAN, mentions={}), messages=True)
    changes.take([(EVENT, True)])
    (difference,) = changes.report().differences
    told = {read.destination: read.after for read in difference.reads}
    assert set(told) == {"support", "early", "all", "flow"}
    assert "calls @here" in told["support"]


def test_a_preview_shows_who_is_called_and_takes_no_other_for_it() -> None:
    shape = payload(FLOW, everything("<at>Eve</at> <at>Anna Meier</at>"), TEAMS, plain=False)
    (line,) = (one for one in elements(shape) if one.get("text") == LINE)
    line["text"] += " <at>Eve</at>"
    drawn = draw(shape, "09:00")
    assert drawn.count('<span class="mention">Anna Meier</span>') == 1
    assert '<span class="mention">Eve' not in drawn


SERVED = """\
version: 1
accounts: {{slack: {{token: xoxb-of-the-tests, api_url: "{api_url}"}}}}
destinations:
  support: {{slack: {{channel: "#support"}}, mention: here, pace: none}}
  broken: {{slack: {{channel: "#broken"}}, pace: none}}
rules:
  - {{name: all, when: {{event: "*"}}, send_to: [support, broken]}}
alarms: {{send_to: support}}
"""


async def test_a_relay_calls_once_for_the_event_and_for_its_alarm_and_not_for_a_replay(
    tmp_path: Path,
) -> None:
    async with FakeSlack() as slack:
        slack.always(error("channel_not_found"), "#broken")
        async with RelayProcess(tmp_path, SERVED.format(api_url=slack.api_url)) as relay:
            changed = {"event": "PIN_CHANGED", "display_phone_number": "491713920051"}
            assert (await relay.post(waba("security", changed)))[0] == 200
            await relay.until(lambda all_: any(one["cause"] == "alarm" for one in all_))
            (event,) = (
                one
                for one in (await relay.api("/api/events"))["events"]
                if one["kind"] == "security"
            )
            await relay.api(
                f"/api/events/{event['id']}/replay",
                method="POST",
                body={"to": "support", "again": True},
            )
            await relay.until(
                lambda all_: any(one["cause"] == "replay" and one["proof"] for one in all_)
            )
        texts = {
            post.json["text"].partition("\n")[0]: post.json
            for post in slack.posts
            if post.key == "#support"
        }
    assert len(texts) == 3
    assert sum("[replay" in title for title in texts) == 1
    for title, body in texts.items():
        rings = "[replay" not in title
        assert ("<!here>" in body["text"], bool(calling(body))) == (rings, rings), title


OWN = Templates.from_texts(
    {
        "default.md.j2": "# News of {{ event.phone_name }}\n\n{{ event.phone_name }}\n",
        "default.slack.json.j2": '{"text": {{ "Of " ~ event.phone_name }}, "blocks": [{'
        '"type": "section", "text": {"type": "mrkdwn", "text": {{ "Of " ~ event.phone_name }}}}]}',
        "default.teams.json.j2": '{"type": "AdaptiveCard", "body": [{"type": "TextBlock", '
        '"text": {{ "Of " ~ event.phone_name }}}]}',
    }
)


@examples(40)
@given(WORDS, st.sampled_from(["support", "flow"]))
def test_an_event_calls_nobody_through_an_override_beside_those_who_are_called(
    text: str, place: str
) -> None:
    event = replace(EVENT, phone_name=text)
    plan = replace(PLAN, templates=OWN, mentions={})
    delivery = owe(event, plan.destinations[place], cause=Cause.RULE, now=NOON, version=1)
    channel = OPEN[delivery.channel]
    content = compose(delivery, event, plan, NOON)
    shape, content, _ = written(delivery, event, plan, channel, content, NOON)
    assert delivery.channel in content.native
    assert [one.get("range", "here") for one in calling(shape)] == ["here"]
    said = [one["text"] for one in elements(shape) if isinstance(one.get("text"), str)]
    parsed = r"<[!@][^>]*>" if place == "support" else r"(?<!\\)<at>"
    tokens = re.findall(parsed, "\n".join(said))
    # Teams has it in the line and in the entity of it.
    assert tokens == (["<!here>"] if place == "support" else ["<at>", "<at>"])
