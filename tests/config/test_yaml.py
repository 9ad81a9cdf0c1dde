"""The strict YAML reader: text stays text, and nothing but maps, lists and texts gets in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.config.nodes import Fields, Findings, Items, Node, Scalar
from relay.config.yaml_reader import DEEPEST, LARGEST, MOST_FAULTS, decode, read
from tests.each import each
from tests.needs import examples


def plain(node: Node | None) -> object:
    match node:
        case Scalar(text=text):
            return text
        case Items(items=items):
            return [plain(item) for item in items]
        case Fields(entries=entries):
            return {entry.name: plain(entry.value) for entry in entries}
    return None


def loaded(text: str) -> object:
    findings = Findings("f")
    node = read(text, findings)
    assert findings.all == ()
    return plain(node)


def faults(text: str) -> list[str]:
    findings = Findings("f")
    read(text, findings)
    return [f"{fault.line}:{fault.column} {fault.message}" for fault in findings.all]


@each(
    "value",
    "+4917012345678 0049170123 01701234567 NO on yes 22:00 1_000 0x1F 1.10 2024-01-01 null ~ "
    "1e3 .inf true - -5 =".replace(" - ", " ").split(),
)
def test_what_a_value_looks_like_is_what_it_means(value: str) -> None:
    assert loaded(f"a: {value}\nb: [{value}]\n{value}: c\n") == {
        "a": value,
        "b": [value],
        value: "c",
    }


def test_positions_count_from_one_and_in_characters() -> None:
    root = read('ä:\n  - "ö": x\n', Findings("f"))
    assert isinstance(root, Fields)
    items = root.entries[0].value
    assert isinstance(items, Items)
    inner = items.items[0]
    assert isinstance(inner, Fields)
    entry = inner.entries[0]
    assert (entry.key.line, entry.key.column) == (2, 5)
    assert (entry.value.line, entry.value.column) == (2, 10)


@each(
    ("text", "fault"),
    [
        ("a: *\n", '1:4 a text that begins with "*" needs quotes: "*"'),
        ("a: [*, b]\n", '1:5 a text that begins with "*" needs quotes: "*"'),
        ("a: & b\n", '1:4 a text that begins with "&" needs quotes: "& b"'),
        ("a: !x b\n", "1:4 tags (!…) are not known here"),
        ("a: 1\nb: &x 2\n", "2:4 anchors are not known here"),
        ("a: b: c\n", '1:5 a second ": " stands in this value'),
        ("a:b\nc: d\n", "1:2 a space is missing behind this colon"),
        ("a\nb: c\n", '1:1 a key needs ":" and a space behind it'),
        ("a: {x: ${Y}}\n", '1:8 inside [] and {} a placeholder needs quotes: "${NAME}"'),
        ("a: [x, #y]\nb: 2\n", '1:8 "#" begins a comment that takes the rest of the line'),
        ("a: {x: #y}\n", '1:8 "#" begins a comment that takes the rest of the line'),
        ("a: [x\nb: 2\n", '1:4 "[" opens here'),
        ('a: "x\nb: 2\n', "1:4 the quotes that open here are never closed"),
        ('a: "x\nb: "y"\n', "1:4 the quotes that open here do not close where the value ends"),
        ("a: 'it's'\n", "1:8 something stands behind the closing quotes"),
        ('a: "\\d"\n', "1:5 a backslash in double quotes begins an escape"),
        ('a: "\\x"\n', "1:7 a backslash in double quotes begins an escape"),
        ('a: "\\0"\n', "1:4 a control character (U+0000) is in this text"),
        ("a: |x\n", '1:4 a text that begins with "|" or ">" needs quotes'),
        ("a: ?\n", '1:4 a text that begins with "?" needs quotes'),
        ("a: - b\n", "1:4 a list begins on a line of its own"),
        ("a: @b # c\n", '1:4 a text that begins with "@" needs quotes: "@b"'),
        ("a: ]\n", "1:4 a value is missing here"),
        ("a:\n  - b\n - c\n", "3:2 the indentation does not fit"),
        ("a:\n\tb: 1\n", "2:1 a tab stands in the indentation"),
        ("a: [\n\tb]\n", "2:1 a tab stands in the indentation"),
        ("\r{", "3:1 a value is missing here"),
        ("a: 1\rb: *\r\nc: 1\n", '2:4 a text that begins with "*"'),
        ("a: 1\n---\nb: 1\n", "2:1 a second document begins here"),
        ("a: 1\n...\nb: 1\n", "3:1 something stands behind the end"),
        ("%YAML 1.1\n---\na: 1\n", "1:1 directives (%…) are not known here"),
        ("%FOO\n---\na: 1\n", "1:5 directives (%…) are not known here"),
        ("a: 1\na: 2\n", '2:1 "a" is here twice: it stands in line 1 already'),
        ("a: {b: 1, b: 2}\n", '1:11 "b" is here twice'),
        ("a: {<<: {b: 1}}\n", "1:5 merge keys (<<) are not known here"),
        ("a: {{ x }}\n", "1:5 a map or list cannot be a key: put quotes around {{ … }}"),
        ("a: \x1b[0m\n", "1:4 a control character (U+001B)"),
        ("a: b\u2028c\n", "1:5 a control character (U+2028)"),
        ("[[[[", "2:1 a value is missing here"),
    ],
)
def test_what_is_wrong_is_told_with_its_place_and_a_remedy(text: str, fault: str) -> None:
    assert [found[: len(fault)] for found in faults(text)] == [fault]


def test_an_eaten_value_keeps_the_comment_that_ate_it() -> None:
    root = read("channel: #wa\n", Findings("f"))
    assert isinstance(root, Fields)
    assert root.entries[0].value == Scalar(1, 10, "", plain=True, comment="#wa")


def test_several_faults_of_structure_are_told_at_once() -> None:
    assert [found.partition(" ")[0] for found in faults("a: &x 1\na: *x\nb: !t c\n")] == [
        "1:4",
        "2:1",
        "2:4",
        "3:4",
    ]


def test_after_many_faults_of_structure_the_rest_is_not_read() -> None:
    found = faults("".join(f"k{n}: &x 1\n" for n in range(MOST_FAULTS * 3)))
    assert len(found) == MOST_FAULTS + 1
    assert f"has {MOST_FAULTS} faults of structure or more" in found[0]


@each("opening", ["[", "{", "- ", "? ", "a: {", "[{x: "])
def test_depth_is_refused(opening: str) -> None:
    assert "levels deep" in " ".join(faults(opening * (DEEPEST + 1)))


def test_depth_up_to_the_limit_is_read() -> None:
    assert faults("[" * DEEPEST + "]" * DEEPEST) == []


BOMBS = {
    "billion laughs": "a: &a [x]\n"
    + "".join(f"b{n}: &b{n} [{','.join(['*a'] * 9)}]\n" for n in range(9)),
    "self": "a: &a [*a]",
    "flow": "[" * LARGEST,
    "dashes": "- " * (LARGEST // 2),
    "aliases": f"a: [{'*x,' * 300_000}]",
    "quotes": '"a\n' * 250_000,
    "escapes": 'a: "' + '\\"' * 500_000,
    "colons": "a: " * 300_000,
    "comments": "a: [" + " #" * 500_000,
    "blank": " " * (LARGEST - 1) + "@",
}


@each("name", BOMBS)
def test_a_bomb_is_refused(name: str) -> None:
    assert faults(BOMBS[name])


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"x" * (LARGEST + 1), "f:1:1: error: is larger than 1 MB"),
        ("version: 1".encode("utf-16"), "f:1:1: error: is UTF-16: save it as UTF-8"),
        (b"a: b\nc: \xff\n", "f:2:4: error: is not UTF-8 text"),
        ("ä: ö".encode("latin-1"), "f:1:1: error: is not UTF-8 text"),
    ],
)
def test_bytes_that_are_no_text_are_refused(data: bytes, fault: str) -> None:
    findings = Findings("f")
    assert decode(data, findings) is None
    assert [str(found)[: len(fault)] for found in findings.all] == [fault]


def test_a_byte_order_mark_does_not_matter() -> None:
    text = decode(b"\xef\xbb\xbfa: 1\n", Findings("f"))
    assert text == "a: 1\n"
    assert loaded("\ufeffa: 1\n") == {"a": "1"}


texts = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029\ufeff\ufffe\uffff"
    )
)


@given(
    st.recursive(texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=9)
)
def test_quoted_text_is_read_as_itself(value: object) -> None:
    """JSON is YAML, so whatever JSON shows is read as it is."""
    assert loaded(json.dumps({"a": value}, ensure_ascii=False)) == {"a": value}


@examples(300)
@given(
    st.text(st.sampled_from("ab:-#*&!|>'\"{}[],?%@`\\ \n\t\r~<=$0"), max_size=40)
    | st.text(max_size=40)
    | st.binary(max_size=40).map(lambda data: data.decode("latin-1"))
)
def test_no_text_raises_and_every_refusal_has_a_place_in_it(text: str) -> None:
    findings = Findings("f")
    node = read(text, findings)
    assert node is not None or findings.errors or not plain(node)
    lines = text.count("\n") + text.count("\r") + 2
    for fault in findings.all:
        assert 0 <= fault.line <= lines
        assert str(fault).isprintable()


@given(st.binary(max_size=60))
def test_no_bytes_raise(data: bytes) -> None:
    findings = Findings("f")
    text = decode(data, findings)
    assert (text is None) == bool(findings.errors)
