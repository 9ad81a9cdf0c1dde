"""The Markdown subset: what each construct becomes, and that all others are named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.messages import (
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Item,
    Link,
    Paragraph,
    Quote,
    Text,
)
from relay.messages.filling import filled
from relay.messages.markdown import MarkdownError, Problem, parse
from relay.messages.marks import mark
from tests.each import each


def blocks(text: str, *values: str) -> tuple[object, ...]:
    return filled(parse(f"# T\n\n{text}"), values)[1]


def problems(text: str) -> list[Problem]:
    with pytest.raises(MarkdownError) as caught:
        parse(text)
    return caught.value.problems


def test_the_first_line_is_the_title_and_styles_in_it_are_words() -> None:
    assert parse("# A **b** `c` [d](https://x.example)\n").title == "A b c d"


def test_styles_of_a_paragraph() -> None:
    assert blocks("a **b** *c* ***d*** `e`") == (
        Paragraph(
            (
                Text("a "),
                Text("b", bold=True),
                Text(" "),
                Text("c", italic=True),
                Text(" "),
                Text("d", bold=True, italic=True),
                Text(" "),
                Text("e", code=True),
            )
        ),
    )


def test_a_line_end_in_a_paragraph_is_a_break() -> None:
    assert blocks("a\nb") == (Paragraph((Text("a"), Break(), Text("b"))),)


def test_a_link_among_words_stays_in_its_paragraph() -> None:
    assert blocks("see [this](https://x.example/a)") == (
        Paragraph((Text("see "), Link("this", "https://x.example/a"))),
    )


def test_a_paragraph_of_nothing_but_links_is_a_row_of_buttons() -> None:
    assert blocks("[A](https://x.example/a)\n[B](https://x.example/b)") == (
        Buttons((Link("A", "https://x.example/a"), Link("B", "https://x.example/b"))),
    )


def test_a_raw_address_stays_text() -> None:
    assert blocks("https://x.example www.x.example a@x.example") == (
        Paragraph((Text("https://x.example www.x.example a@x.example"),)),
    )


@pytest.mark.parametrize(
    "line", ["- **Label:** value", "- **Label**: value", "* **Label:**  value"]
)
def test_an_item_with_a_bold_label_is_a_fact(line: str) -> None:
    assert blocks(line) == (Facts((Fact("Label", (Text("value"),)),)),)


def test_facts_and_other_items_of_one_list_keep_their_order() -> None:
    assert blocks("- **A:** 1\n- plain\n- **B:** 2") == (
        Facts((Fact("A", (Text("1"),)),)),
        Bullets((Item((Text("plain"),)),)),
        Facts((Fact("B", (Text("2"),)),)),
    )


def test_lists_of_two_levels() -> None:
    assert blocks("- a\n  - b\n- c") == (
        Bullets((Item((Text("a"),), (Item((Text("b"),)),)), Item((Text("c"),)))),
    )


def test_an_ordered_list_has_no_facts() -> None:
    assert blocks("1. **A:** b") == (
        Bullets((Item((Text("A:", bold=True), Text(" b"))),), ordered=True),
    )


def test_a_quote_holds_paragraphs() -> None:
    assert blocks("> a\n>\n> b") == (Quote(((Text("a"),), (Text("b"),))),)


def test_indented_lines_are_not_code() -> None:
    assert blocks("- a\n\n    - b") == (Bullets((Item((Text("a"),), (Item((Text("b"),)),)),)),)


@each(
    ("text", "line", "word"),
    [
        ("no title", 1, "title"),
        ("\n\nno title", 3, "title"),
        ("#no title", 1, "title"),
        ("## second level", 1, "title"),
        ("# T\n\n## More", 3, "heading"),
        ("# T\n\nMore\n====", 3, "heading"),
        ("# T\n\na\n\n| a | b |\n|---|---|\n| 1 | 2 |", 5, "tables"),
        ("# T\n\n```\ncode\n```", 3, "code blocks"),
        ("# T\n\n***", 3, "rules"),
        ("# T\n\n<div>x</div>", 3, "HTML"),
        ("# T\n\na\nb <b>x</b>", 4, "HTML"),
        ("# <b>T</b>", 1, "HTML"),
        ("# T\n\n<!-- hidden -->", 3, "HTML"),
        ("# T\n\n![x](https://x.example/a.png)", 3, "images"),
        ("# T\n\n<https://x.example>", 3, "[label](address)"),
        ("# T\n\n- a\n  - b\n    - c", 5, "two levels"),
        ("# T\n\n- a\n\n  > b", 5, "only paragraphs"),
        ("# T\n\n> - a", 3, "only paragraphs"),
        ("# T\n\n> # a", 3, "heading"),
        ("# T\n\n[x](javascript:alert)", 3, "https://"),
        ("# T\n\n[x](//x.example)", 3, "https://"),
        ("# T\n\n[x](mailto:a@x.example)", 3, "https://"),
        ("# T\n\n[x](https://user@x.example/)", 3, "https://"),
        (f"# T\n\n[x](https://{mark(0)}/a)", 3, "https://"),
        (f"# T\n\n[x](https://x.example{mark(0)})", 3, "https://"),
        (f"# T\n\n[x]({mark(0)}{mark(1)})", 3, "https://"),
        (f"# T\n\n[x](javascript:{mark(0)})", 3, "https://"),
        ("  \n ", 1, "empty"),
    ],
)
def test_what_is_outside_the_subset_is_named_with_its_line(text: str, line: int, word: str) -> None:
    assert any(at == line and word in said for at, said, _ in problems(text)), problems(text)


def test_all_problems_are_told_at_once() -> None:
    assert len(problems("# T\n\n## a\n\n---\n\n<b>x</b>")) == 3


def test_a_newline_in_a_value_breaks_a_paragraph_and_is_a_space_elsewhere() -> None:
    value = "a\nb"
    title, found = filled(
        parse(f"# {mark(0)}\n\n{mark(0)}\n\n- **X:** {mark(0)}\n- {mark(0)}"), [value]
    )
    assert title == "a b"
    assert found == (
        Paragraph((Text("a"), Break(), Text("b"))),
        Facts((Fact("X", (Text("a b"),)),)),
        Bullets((Item((Text("a b"),)),)),
    )


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("https://x.example/a?b=c", "https://x.example/a?b=c"),
        ("http://x.example:8080/", "http://x.example:8080/"),
        ("https://x.example/a b<c>|\"'", "https://x.example/a%20b%3Cc%3E%7C%22%27"),
        ("https://[2001:db8::1]/", "https://[2001:db8::1]/"),
    ],
)
def test_a_value_may_be_a_whole_address(value: str, url: str) -> None:
    assert blocks(f"go [there]({mark(0)})", value) == (
        Paragraph((Text("go "), Link("there", url))),
    )


@each(
    "value",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "data:text/html,x",
        "//x.example/",
        "https:x.example",
        "https:///x",
        "https://a@x.example/",
        "https://x.example:99999/",
        "https://x.exa\nmple/",
        "https://[oops/",
        "https://пример.example/",
        "ftp://x.example/",
        "x",
        "",
    ],
)
def test_a_value_that_is_no_plain_address_makes_no_link(value: str) -> None:
    assert blocks(f"go [there]({mark(0)})", value) == (Paragraph((Text("go "), Text("there"))),)


def test_values_in_an_address_are_percent_encoded() -> None:
    found = blocks(f"[x](https://x.example/a?q={mark(0)}#top)", "&b=1/../ü )[y](https://evil")
    assert found == (
        Buttons(
            (
                Link(
                    "x",
                    "https://x.example/a?q=%26b%3D1%2F..%2F%C3%BC%20%29%5By%5D%28https%3A%2F%2Fevil"
                    "#top",
                ),
            )
        ),
    )


def test_a_button_without_an_address_becomes_text() -> None:
    assert blocks(f"[A](https://x.example/a) [B]({mark(0)})", "javascript:x") == (
        Buttons((Link("A", "https://x.example/a"),)),
        Paragraph((Text("B"),)),
    )


def test_blocks_that_stay_empty_are_left_out_and_empty_facts_show_a_dash() -> None:
    text = f"{mark(0)}\n\n> {mark(0)}\n\n1. {mark(0)}\n\n- **A:** {mark(0)}"
    assert blocks(text, " ") == (Facts((Fact("A", (Text("–"),)),)),)


@given(st.text(alphabet="ab *_`[]()<>#->|!\\\n&;1.:~\u00a0", max_size=60))
def test_any_text_parses_or_is_refused_in_words(text: str) -> None:
    found: list[Problem] = []
    title = "T"
    try:
        title = filled(parse(f"# T\n{text}"), [])[0]
    except MarkdownError as error:
        found = error.problems
    assert title == "T"
    assert all(line >= 1 and said for line, said, _ in found)


@given(st.text(max_size=40), st.text(max_size=40))
def test_the_structure_does_not_depend_on_the_values(first: str, second: str) -> None:
    template = (
        f"# T\n\n**{mark(0)}** *x{mark(1)}* `{mark(0)}` [{mark(1)}](https://x.example/{mark(0)})"
    )
    paragraph = filled(parse(template), [f"a{first}", f"b{second}"])[1][0]
    assert isinstance(paragraph, Paragraph)
    styles = {(i.bold, i.italic, i.code) for i in paragraph.inlines if isinstance(i, Text)}
    assert styles == {
        (True, False, False),
        (False, False, False),
        (False, True, False),
        (False, False, True),
    }
    assert sum(isinstance(i, Link) for i in paragraph.inlines) == 1
