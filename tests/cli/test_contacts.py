"""The list that people import into the directory."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.cli.directory import COLUMNS, MOST_FAULTS, Contacts
from relay.directory import Contact
from tests.each import each

HEADER = "phone,name,waba,client_id,client_name,channel_id\n"
LINE = "+49 171 3920011,Support,100000000000101,dev001CL,Musterladen,dev001CH\n"


def read_table(text: str) -> Contacts:
    found = Contacts("list.csv")
    found.read(text.encode("utf-8", "surrogatepass"))
    return found


def faults(text: str) -> list[str]:
    table = read_table(text)
    return [str(fault) for fault in table.faults]


def test_a_line_becomes_a_contact() -> None:
    table = read_table(HEADER + LINE)
    assert table.faults == []
    assert table.contacts == [
        Contact(
            phone="+491713920011",
            name="Support",
            waba="100000000000101",
            client_id="dev001CL",
            client_name="Musterladen",
            channel="dev001CH",
        ),
    ]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_order_blanks_and_mark_are_free(separator: str) -> None:
    text = f"\ufeff\nClient_ID{separator} phone\r\n\r\ndev001CL{separator}0049 171 3920011\r\n"
    table = read_table(text)
    assert table.faults == []
    assert table.contacts == [Contact(phone="+491713920011", client_id="dev001CL")]


def test_a_line_without_a_number_may_tell_an_accounts_client() -> None:
    table = read_table("waba,client_id\n100000000000101,dev001CL\n")
    assert table.contacts == [Contact(waba="100000000000101", client_id="dev001CL")]


def test_360dialogs_id_of_an_account_is_known_as_such() -> None:
    (contact,) = read_table("phone,waba\n+491713920011,dev001WA\n").contacts
    assert contact.waba_360 == "dev001WA"


@each(
    ("text", "place", "said"),
    [
        ("", "list.csv:1:1", "it is empty"),
        ("phone,nmae\n", "list.csv:1:1", 'unknown column "nmae"'),
        ("phone,phone\n", "list.csv:1:1", '"phone" stands here twice'),
        ("name,client_id\n", "list.csv:1:1", 'no column "phone"'),
        ("\n\nname\n", "list.csv:3:1", 'no column "phone"'),
        (HEADER + LINE + "030 123,x,,,,\n", "list.csv:3:1", '"030 123" is no phone number'),
        (HEADER + '\n\n"4.91714E+11",x,,,,\n', "list.csv:4:1", "cut short by a spreadsheet"),
        (HEADER + "+491713920011,x\n", "list.csv:2:1", "it has 2 columns, the header has 6"),
        (HEADER + LINE + LINE, "list.csv:3:1", "stands in line 2 too"),
        (HEADER + "+5511987654321,a,,,,\n+551187654321,b,,,,\n", "list.csv:3:1", "line 2"),
        (HEADER + "+491713920011,,,,,\n", "list.csv:2:1", "it tells nothing"),
        (HEADER + ",Name,,,,\n", "list.csv:2:1", "it tells nothing"),
        (HEADER + f"+491713920011,{'x' * 501},,,,\n", "list.csv:2:1", "more than 500"),
        (HEADER + LINE + '"open\n' + LINE, "list.csv:4:1", "cannot be read as CSV"),
        (HEADER + '"a\nb",x,,,,\n', "list.csv:3:1", "is no phone number"),
    ],
)
def test_a_fault_has_its_line(text: str, place: str, said: str) -> None:
    (fault,) = faults(text)
    assert fault.startswith(f"{place}: error: ")
    assert said in fault


def test_all_faults_come_at_once_up_to_a_bound() -> None:
    found = faults(HEADER + "bad,,,,,\n" * (MOST_FAULTS + 5))
    assert len(found) == MOST_FAULTS + 1
    assert found[-1].endswith("and 5 further faults")


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    for body in (text, HEADER + text):
        table = read_table(body)
        assert all(fault.file == "list.csv" and "\n" not in str(fault) for fault in table.faults)


@given(
    st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1)
    .filter(str.strip)
    .filter(lambda name: not name.strip().startswith(("'", "=")))
)
def test_a_quoted_name_comes_back_whole(name: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerow(["+491713920011", name, "", "", "", ""])
    table = read_table(",".join(COLUMNS) + "\n" + out.getvalue())
    assert [contact.name for contact in table.contacts] == [name.strip()]


def test_what_spreadsheets_write_is_read() -> None:
    found = Contacts("list.csv")
    found.read(b'sep=;\nphone;name\n="+491713920011";M\xfcller\n')
    assert found.faults == []
    assert found.contacts == [Contact(phone="+491713920011", name="Müller")]
