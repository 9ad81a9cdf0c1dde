"""Routing by owner: `send_to` names a list with the destination of each client or number."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from relay.channels import Outbound
from relay.checks.rules import check_rules
from relay.cli import routes
from relay.config import Config, load_text
from relay.errors import ConfigError
from relay.events import Client
from tests.client import partner
from tests.config.test_lists import event
from tests.config.test_reload import OTHER
from tests.conftest import Start
from tests.each import each

ANNA, BEN, CEM = (Client(id=f"{name}CL", name=name) for name in ("anna1", "ben1", "cem1"))
RULES = """\
version: 1
accounts: {slack: {token: "${TOKEN}"}}
destinations:
  north: {slack: {channel: "#north"}}
  south: {slack: {channel: "#south"}}
  sales: {slack: {channel: "#sales"}}
rules:
  - name: Owners
    when: {event: "*"}
    send_to: {list: owners.csv, column: Channel, default: sales}
alarms: {send_to: sales}
default: {send_to: none}
"""
OWNERS = """\
Client ID;phone;channel
anna1CL;;north
ben1CL;+49 171 3920011;south
cem1CL;;
;+49 171 3920022;none
"""


def loaded(owners: str = OWNERS, rules: str = RULES) -> Config:
    def read(_name: str) -> bytes:
        return owners.encode()

    return load_text(
        rules,
        "rules.yaml",
        env={"TOKEN": "xoxb-x"},
        strict_env=True,
        outbound=Outbound(),
        read_file=read,
    )


def told(config: Config, *phones: str, client: Client = ANNA) -> list[str]:
    match = config.rules.match(event(*phones, client=client))
    return [choice.destination for choice in match.choices]


def faults(owners: str = OWNERS, rules: str = RULES) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(owners, rules)
    return [str(fault) for fault in caught.value.faults if fault.level == "error"]


@each(
    ("phones", "client", "expected"),
    [
        ((), ANNA, ["north"]),
        ((), Client(id="x", name="BEN1cl"), ["south"]),
        ((), CEM, ["sales"]),
        ((), Client(), ["sales"]),
        (("+491713920011",), ANNA, ["south"]),
        (("+4930123456",), ANNA, ["north"]),
        (("+491713920022",), ANNA, []),
        (("+491713920011", "+491713920022"), CEM, ["south"]),
    ],
)
def test_the_row_of_the_number_else_of_the_client_decides(
    phones: tuple[str, ...], client: Client, expected: list[str]
) -> None:
    assert told(loaded(), *phones, client=client) == expected


def test_a_row_of_nobody_mutes_and_says_so() -> None:
    match = loaded().rules.match(event("+491713920022"))
    assert (match.muted_by, match.by_default) == ("Owners", False)


@each(
    ("client", "reason"),
    [(ANNA, "owners.csv has it in line 2: north"), (CEM, "owners.csv has no row for it: sales")],
)
def test_an_explanation_names_the_line(client: Client, reason: str) -> None:
    (verdict,) = loaded().rules.explain(event(client=client))
    assert verdict.reason.endswith(reason)


@each(
    ("owners", "fault"),
    [
        (
            "client;channel\na1;nroth\n",
            '2:4: error: unknown destination "nroth": did you mean "north"?',
        ),
        (
            "client;chanel\na1;north\n",
            '1:1: error: unknown column "Channel": did you mean "chanel"?',
        ),
        ("shop;channel\na1;north\n", "1:1: error: no column has numbers or clients"),
        ("client;channel\n;north\n", "2:1: error: this row names no number and no client"),
        ("client;channel\na*;north\n", '2:1: error: "a*" is a pattern'),
        ("phone;channel\n+49*;north\n", '2:1: error: "+49*" is a pattern'),
        ("phone;channel\n4.9E+11;north\n", '2:1: error: "4.9E+11": the spreadsheet rounded'),
        ("client;channel\na1;north\nA1;south\n", '3:1: error: "A1" stands in line 2 already'),
        ("client;channel\n", "1:1: error: no row names a destination"),
        ("", "1:1: error: the list is empty"),
    ],
)
def test_a_fault_of_the_list_stands_at_its_line(owners: str, fault: str) -> None:
    (found,) = faults(owners)
    assert found.startswith(f"owners.csv:{fault}")


@each(
    ("send_to", "fault"),
    [
        ("{list: owners.csv, default: sales}", "no `column`"),
        ("{list: owners.csv, column: channel}", "no `default`"),
        ("{column: channel, default: sales}", "no `list`"),
        ("{list: owners.csv, column: channel, default: nobody}", 'unknown destination "nobody"'),
        ("{list: owners.csv, colunm: channel, column: channel, default: sales}", '"colunm"'),
    ],
)
def test_what_is_missing_is_named(send_to: str, fault: str) -> None:
    rules = RULES.replace("{list: owners.csv, column: Channel, default: sales}", send_to)
    (found,) = faults(rules=rules)
    assert fault in found


def test_only_a_rule_takes_a_list() -> None:
    rules = RULES.replace("{send_to: none}", "{send_to: {list: a, column: b, default: sales}}")
    assert "send_to must be a text, not a map" in faults(rules=rules)[0]


def test_an_owner_counts_as_used_and_a_default_of_nobody_is_no_mute() -> None:
    rules = RULES.replace("default: sales}", "default: none}")
    config = loaded(rules=rules.replace("{send_to: none}", "{send_to: sales}"))
    (alarms,) = (*config.warnings, *check_rules(config, "rules.yaml"))
    assert "all alarms go by slack" in alarms.message
    assert told(config, client=CEM) == []


async def test_routes_of_a_client_alone_count_no_number_and_name_those_it_has(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "owners.csv").write_text("client id,channel\nc1CL,other\n")
    owners = "{list: owners.csv, column: channel, default: support}"
    german = "  - {name: German, when: {phone: '+49*'}, send_to: support, stop: true}\n"
    rules = OTHER.replace("send_to: other\nalarms", f"send_to: {owners}\nalarms")
    (folder / "rules.yaml").write_text(rules.replace("rules:\n", f"rules:\n{german}"))
    client = await start()
    await client.post(partner(1))
    asked = client.app.settings
    for name, to, numbers in (
        ("musterladen", "other", "--phone N shows one of +49 171 3920011."),
        ("Nobody", "support", "the directory knows no number of this client"),
    ):
        await routes.run(Namespace(phone=None, client=name, json=True), asked)
        rows = [json.loads(one) for one in capsys.readouterr().out.splitlines() if "kind" in one]
        assert {one["name"] for row in rows for one in row["destinations"]} == {to}
        await routes.run(Namespace(phone=None, client=name, json=False), asked)
        assert numbers in capsys.readouterr().out
    await client.app.stop(grace=0)


@each(
    ("phone", "to"),
    [("+491713920011", ["other"]), ("+4930123456", ["support"])],
)
async def test_routes_of_a_number_go_to_the_owner_of_its_client(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str], phone: str, to: list[str]
) -> None:
    (folder / "owners.csv").write_text("client id,channel\nc1CL,other\n")
    owners = "{list: owners.csv, column: channel, default: support}"
    rules = OTHER.replace("send_to: other\nalarms", f"send_to: {owners}\nalarms")
    (folder / "rules.yaml").write_text(rules)
    client = await start()
    await client.post(partner(1))
    await routes.run(Namespace(phone=phone, client=None, json=True), client.app.settings)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "kind" in line]
    (live,) = [row for row in rows if row.get("kind") == "channel_live"]
    assert [one["name"] for one in live["destinations"]] == to
    await client.app.stop(grace=0)
