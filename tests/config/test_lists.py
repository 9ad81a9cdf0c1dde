"""Lists of numbers and clients in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from relay.channels import Outbound
from relay.config import Config, load, load_text
from relay.errors import ConfigError
from relay.events import Client, Direction, Event, Severity, Source, Topic
from tests.counting import calls
from tests.each import each

RULES = """\
version: 1
accounts: {slack: {token: xoxb-x}}
destinations:
  north: {slack: {channel: "#north"}}
phones:
  team: {file: north.csv}
clients:
  big: {file: big.csv}
  few: [acme01CL, "Muster*"]
rules:
  - name: North
    when: {phone: team}
    send_to: north
  - name: Big
    when: {client: [big, few]}
    send_to: north
alarms: {send_to: north}
default: {send_to: none}
"""


def loaded(**files: str) -> Config:
    texts = {"north.csv": "+49 171 3920011\n", "big.csv": "big01CL\n"}
    texts |= {f"{name}.csv": text for name, text in files.items()}

    def read(name: str) -> bytes:
        return texts[name].encode()

    return load_text(
        RULES, "rules.yaml", env={}, strict_env=True, outbound=Outbound(), read_file=read
    )


def faults(**files: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(**files)
    return [str(fault) for fault in caught.value.faults if fault.level == "error"]


def event(*phones: str, client: Client = Client()) -> Event:  # noqa: B008  a frozen value
    return Event(
        id="1", source=Source.PARTNER, kind="channel_live", detail=None, topic=Topic.OTHER,
        severity=Severity.INFO, direction=Direction.NEUTRAL, title="", phones=phones,
        client=client, received_at=datetime.now(UTC),
    )  # fmt: skip


def matched(config: Config, subject: Event) -> tuple[str, ...]:
    return config.rules.match(subject).matched


@each(
    "text",
    [
        "+49 171 3920011",
        "491713920011",
        "0049 171 3920011\n",
        "\ufeff# the north\n\n+49 (0) 171 3920011\r\n",
        "phone\n+491713920011",
        "name;phone;since\nShop;+49 171-3920011;2026",
        'Name,Phone\n"Shop, north","+49 171 3920011"',
        "name\tnumber\nx\t+491713920011",
        "+49171*",
    ],
)
def test_a_list_file_is_read_as_people_write_it(text: str) -> None:
    config = loaded(north=text)
    assert matched(config, event("+491713920011")) == ("North",)
    assert matched(config, event("+491723920011")) == ()


@each(
    ("text", "fault"),
    [
        ("+491713920011\n0171 3920011\n", 'north.csv:2:1: error: "0171 3920011" is a national'),
        ("+491713920011\nfoo\n", 'north.csv:2:1: error: "foo" is no phone number'),
        ("name,phone\nx,+491713920011\ny,\n", "north.csv:3:3: error: nothing stands"),
        ("name,fone\nx,+491713920011\n", "north.csv:1:1: error: several columns need a heading"),
        ("", "north.csv:1:1: error: the list is empty"),
        ("# nobody\n\n", "north.csv:1:1: error: the list is empty"),
        ('phone\n"+49171', "north.csv:2:1: error:"),
    ],
)
def test_a_fault_in_a_list_file_is_told_at_its_line(text: str, fault: str) -> None:
    found = faults(north=text)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_a_wrong_column_is_not_told_a_thousand_times() -> None:
    found = faults(north="phone\n" + "nonsense\n" * 1000)
    assert len(found) == 21
    assert "not looked at any more" in found[-1]


def from_bytes(tmp_path: Path, north: bytes) -> Config:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "north.csv").write_bytes(north)
    (tmp_path / "big.csv").write_text("big01CL\n")
    return load(tmp_path / "rules.yaml", env={}, strict_env=True, outbound=Outbound())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("said", ["", "sep={separator}\r\n"])
@pytest.mark.parametrize("written", ["+49 171 3920011", '="+491713920011"', "'+491713920011"])
@pytest.mark.parametrize("heading", ["Phone", "Rufnummer", "phone_number", "WhatsApp-Nummer"])
def test_a_list_is_read_as_a_spreadsheet_writes_it(
    tmp_path: Path, encoding: str, separator: str, said: str, written: str, heading: str
) -> None:
    rows = [["Müller", heading], ["Bäcker Größe", written]]
    text = said.format(separator=separator) + "".join(f"{separator.join(row)}\r\n" for row in rows)
    config = from_bytes(tmp_path, text.encode(encoding))
    assert matched(config, event("+491713920011")) == ("North",)
    assert matched(config, event("+491723920011")) == ()


@pytest.mark.parametrize("data", [b"+491713920011\n\x00\x01\x02\n", b"+491713920011\n\x81\n"])
def test_a_list_file_that_is_no_text_is_told_at_its_own_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigError) as caught:
        from_bytes(tmp_path, data)
    assert str(caught.value.faults[0]).startswith(f"{tmp_path / 'north.csv'}:")
    assert "save the table as CSV, in UTF-8" in str(caught.value.faults[0])


@pytest.mark.parametrize("rounded", ["4.9E+11", "4,91714E+11", "4.91713920011e+11", "+5E12"])
def test_a_number_that_the_spreadsheet_rounded_says_so(rounded: str) -> None:
    assert (
        "the spreadsheet rounded this number" in faults(north=f"phone;since\n{rounded};2026\n")[0]
    )


@pytest.mark.parametrize("heading", ["Client-ID", "client_id", "Kundennummer", "ID", "Kunde"])
def test_a_column_of_clients_is_known_by_its_heading(heading: str) -> None:
    config = loaded(big=f"sep=;\nBemerkung;{heading}\nBäckerei;big01CL\n")
    assert matched(config, event(client=Client(id="big01CL"))) == ("Big",)
    assert matched(config, event(client=Client(name="Bäckerei"))) == ()


def test_headings_that_nobody_knows_are_named_with_those_that_are_known() -> None:
    assert faults(big="Betreuer;Konto\nMia;big01CL\n") == [
        "big.csv:1:1: error: several columns need a heading that is known, and here stand "
        '"Betreuer", "Konto": name the column one of client id, client, id, customer id, customer, '
        "kundennummer, kunde, name"
    ]


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (Client(id="BIG01cl"), ("Big",)),
        (Client(id="acme01CL"), ("Big",)),
        (Client(name="Musterladen"), ("Big",)),
        (Client(id="other01CL", name="Other"), ()),
    ],
)
def test_a_rule_names_a_list_of_clients(client: Client, expected: tuple[str, ...]) -> None:
    assert matched(loaded(), event(client=client)) == expected


def test_the_texts_of_the_files_are_kept_with_the_rules() -> None:
    files: Mapping[str, str] = loaded().files
    assert dict(files) == {"north.csv": "+49 171 3920011\n", "big.csv": "big01CL\n"}


def test_an_explanation_shows_how_many_a_list_has_and_not_all_of_them() -> None:
    config = loaded(north="\n".join(f"+4917100{n:05}" for n in range(500)))
    reason = config.rules.explain(event("+33612345678"))[0].reason
    assert reason == "phone: wants team (500 numbers), found +33612345678"


def test_many_numbers_are_no_burden() -> None:
    """Each costs the same to load, and matching stays what it is."""

    def listed(count: int) -> Config:
        return loaded(north="\n".join(f"+4915000{n:06}" for n in range(count)))

    listed(10)
    assert calls(lambda: listed(8_000)) < 2.2 * calls(lambda: listed(4_000))
    many = listed(10_000)
    assert matched(many, event("+4915000003456")) == ("North",)
    assert matched(many, event("+4915000300000")) == ()
    unknown = event("+4915000300000")
    many.rules.match(unknown)
    assert calls(lambda: many.rules.match(unknown)) < 100
