"""Loading, choosing and rendering templates; what they may use; what becomes of their faults."""

# ruff: noqa: E501  # templates in tables are read best in one line

from __future__ import annotations

import itertools
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from relay.errors import ConfigError, RenderError
from relay.events import Client, Event, Topic
from relay.messages import Fact, Facts, Message, Paragraph, Text
from relay.messages.markdown import parse
from relay.messages.templates import SlowError, Templates
from tests.each import each
from tests.message_cases import a_context, an_event, body, written

TAGS = st.sampled_from(
    [
        *("{% if a %}", "{% endif %}", "{% for a in b %}", "{% endfor %}", "{% else %}", "x\n"),
        *("{{ event.kind }}", "{{ a", "{% set x %}", "{% endset %}", "{% raw %}", "{% endraw %}"),
        *("{# a #}", "{#", "{% macro m() %}", "{% endmacro %}", "{% elif a %}", "}}", "{% end %}"),
    ]
)


def faults(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        Templates.from_texts({"x.md.j2": text})
    return [str(fault) for fault in caught.value.faults]


def a_set(*names: str) -> Templates:
    return Templates.from_texts({f"{name}.md.j2": f"# {name}" for name in names})


# Loading


def test_a_folder_is_loaded_whole_and_gives_its_texts_back(tmp_path: Path) -> None:
    (tmp_path / "welcome.md.j2").write_text("# Welcome\n", encoding="utf-8")
    (tmp_path / "quality.md.j2").write_text("\ufeff# Qualität\r\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("no template")
    templates = Templates.load(tmp_path)
    assert templates.names == ("quality", "welcome")
    again = Templates.from_texts(templates.texts)
    assert again.texts == templates.texts
    assert again.render(an_event(), context=a_context()).title == "Qualität"


def test_every_fault_of_every_file_is_told_with_file_line_and_column(tmp_path: Path) -> None:
    folder = tmp_path / "message_templates"
    folder.mkdir()
    (folder / "a.md.j2").write_text("# A\n\n  <b>x</b>\n{{ event.title|safe }}\n")
    (folder / "b.md.j2").write_text("# B\n{% if %}\n")
    (folder / "c.md.j2").write_bytes(b"# \xff")
    (folder / "d.md.j2").write_text("\n")
    with pytest.raises(ConfigError) as caught:
        Templates.load(folder)
    found = [str(fault).removeprefix(f"{folder}/") for fault in caught.value.faults]
    assert found == [
        "a.md.j2:3:3: error: HTML is not part of the subset: instead of <b> write **bold**",
        "a.md.j2:4:16: error: the filter safe is refused: values are always text; write the "
        "Markdown in the template itself",
        "b.md.j2:2:1: error: Expected an expression, got 'end of statement block'",
        "c.md.j2:1:1: error: it is not UTF-8",
        "d.md.j2:1:1: error: it is empty",
    ]


def test_names_that_begin_with_a_dot_are_not_read(tmp_path: Path) -> None:
    """Locks of editors, files of macOS, and what a mounted ConfigMap keeps beside its links."""
    (tmp_path / "..2026_11_28").mkdir()
    (tmp_path / "..2026_11_28" / "default.md.j2").write_text("# {{ event.title }}\n\nText.\n")
    (tmp_path / "..data").symlink_to("..2026_11_28")
    (tmp_path / "default.md.j2").symlink_to("..data/default.md.j2")
    (tmp_path / ".#default.md.j2").symlink_to("nobody@nowhere.1")
    (tmp_path / "._default.md.j2").write_bytes(b"\x00\x05\x16\x07\xff")
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / ".#default.md.j2").symlink_to("nobody@nowhere.2")
    templates = Templates.load(tmp_path)
    assert list(templates.texts) == ["default.md.j2"]
    assert templates.warnings == ()


def test_a_folder_that_is_not_there_is_one_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="template folder cannot be read"):
        Templates.load(tmp_path / "nowhere")


def test_names_that_differ_by_case_alone_are_a_fault() -> None:
    with pytest.raises(ConfigError, match="case alone"):
        a_set("Quality", "quality")


def test_faults_of_stored_texts_name_the_folder() -> None:
    with pytest.raises(ConfigError, match=r"^message_templates/x\.md\.j2:1:1"):
        Templates.from_texts({"x.md.j2": "x"}, "message_templates")


@each(
    ("text", "line", "said"),
    [
        ("# T\n{% include 'a' %}", 2, "include is refused"),
        ("{% extends 'a' %}", 1, "extends is refused"),
        ("{% import 'a' as b %}\n# T", 1, "import is refused"),
        ("# T\n{% from 'a' import b %}", 2, "import is refused"),
        ("# T\n{% block a %}x{% endblock %}", 2, "block is refused"),
        ("# T\n{% filter upper %}x{% endfilter %}", 2, "filter blocks are refused"),
        ("# T\n{% set x | upper %}x{% endset %}", 2, "set block is refused"),
        ("# T\n{% macro m() %}{{ caller() }}{% endmacro %}{% call m() %}{% endcall %}", 2, "call"),
        ("# T\n{% autoescape false %}x{% endautoescape %}", 2, "autoescape is refused"),
        ("# T\n{% for x in [] recursive %}{% endfor %}", 2, "recursive loops"),
        ("# T\n{{ 'x'|forceescape }}", 2, "no filter 'forceescape'"),
        ("# T\n{{ 'x'|urlize }}", 2, "no filter 'urlize'"),
        ("# T\n{{ {}|xmlattr }}", 2, "no filter 'xmlattr'"),
        ("# T\n{{ '%99d'|format(1) }}", 2, "no filter 'format'"),
        ("# T\n{{ 'x'|attr('y') }}", 2, "no filter 'attr'"),
        ("# T\n{{ 'x'|center(99) }}", 2, "no filter 'center'"),
        ("# T\n{{ 'x'|uper }}", 2, "did you mean 'upper'"),
        ("# T\n{{ event.occurred_at|date('%999999999d') }}", 2, "nor a pattern"),
        (
            "# T\n{{ event.occurred_at|date('shrt') }}",
            2,
            "neither short, day, day as sent, time nor",
        ),
        ("# T\n{{ 'x'|_plain }}", 2, "no filter '_plain'"),
        ("# T\n{% if 1 is od %}{% endif %}", 2, "no test 'od'"),
        ("# T\n{{ 9 ** 9 }}", 2, "** is refused"),
        ("# T\n{{ event.data.items() }}", 2, "write value|items"),
        ("# T\n\n\ue000", 3, "U+E000"),
        ("# T\n{{ 'x }}", 2, "unexpected char"),
        ("# T\n{% for %}", 2, ""),
        ("# T\n{% endif %}", 2, ""),
        ("x" * 70_000, 1, "larger than 64 KB"),
        ("# T\n{{ " + "(" * 400 + ")" * 400 + " }}", 1, "nested too deeply"),
        ("# T\n{{ " + "1" * 5_000 + " }}", 1, "a number in it is too large"),
        ("# T\n" + "{% for a in [] %}" * 25 + "{% endfor %}" * 25, 1, "nested too deeply"),
        ("# T\n" + "{% if a %}" * 120 + "{% endif %}" * 120, 1, "nested too deeply"),
    ],
)
def test_what_is_refused_at_load(text: str, line: int, said: str) -> None:
    found = faults(text)
    assert any(f"x.md.j2:{line}:" in fault and said in fault for fault in found), found


@each(
    ("text", "line"),
    [
        ("# T\n{% if event.phone %}\n\n## a\n{% endif %}", 4),
        ("# T\n{% if event.phone %}\nx\n{% else %}\n\n---\n{% endif %}", 6),
        (
            "# T\n{% if a %}{% elif b %}\n{% if c %}\nx\n{% else %}\n\n<b>x</b>\n{% endif %}{% endif %}",
            7,
        ),
        ("# T\n{% for x in event.phones %}\nx\n{% else %}\n\n## a\n{% endfor %}", 6),
        ("# T\n{% macro m() %}\n\n## a\n{% endmacro %}\n\n{{ m() }}", 4),
        ("# T\n\n{% set x %}\n![a](https://b.example)\n{% endset %}\n{{ x }}", 4),
        ("{% if event.phone %}\n# T\n{% endif %}\nx", 4),
        ("# T\n\n{# a\ncomment #}\n\n{{ event.data.a\n}}\n\n---", 9),
    ],
)
def test_markdown_of_every_branch_is_checked_at_load(text: str, line: int) -> None:
    assert any(fault.startswith(f"x.md.j2:{line}:") for fault in faults(text)), faults(text)


@each(
    "text",
    [
        "{% for a in event.phones %}" * 12 + "x" + "{% endfor %}" * 12,
        "{% if event.phone %}" * 37 + "x" + "{% endif %}" * 37,
        "{{ " + "[" * 37 + "1" + "]" * 37 + " }}",
        "{{ " + "not " * 36 + "event.phone }}",
        "{{ event" + ".data['a']" * 18 + " }}",
        "{{ event.kind" + "|upper|lower" * 18 + " }}",
        "{{ " + "(event.kind ~ " * 36 + "'x'" + ")" * 36 + " }}",
        "{% macro m(x) %}" * 12 + "{{ x }}" + "{% endmacro %}" * 12 + "x",
        "{% set x %}" * 30 + "x" + "{% endset %}" * 30 + "x",
        "{{ " + " + ".join(["1"] * 36) + " }}",
        "{{ " + " or ".join(["event.data.nope"] * 30) + " or 'x' }}",
        "{% with a = 1 %}" * 35 + "x" + "{% endwith %}" * 35,
        "{% if a %}" + "{% elif b %}" * 300 + "{% endif %}x",
    ],
)
def test_what_loads_can_be_compiled(text: str) -> None:
    for suffix in (".md.j2", ".slack.json.j2"):
        shown = (
            f"# T\n\n{text}"
            if suffix == ".md.j2"
            else f'{{% set s %}}{text}{{% endset %}}{{"a": 1}}'
        )
        templates = Templates.from_texts({"default.md.j2": "# T", f"default{suffix}": shown})
        assert templates.render(an_event(), context=a_context()).fault is None


def test_a_title_may_differ_by_branch() -> None:
    text = "{% if event.test %}\n# A\n{% else %}\n# B\n{% endif %}\nbody"
    assert written(text).title == "B"
    assert written(text, an_event(test=True)).title.endswith("A")


def test_names_that_stand_for_nothing_are_warnings() -> None:
    text = "# {{ evnt.title }}\n{{ event.data.anything }}\n{% set own = 1 %}{{ own }}"
    templates = Templates.from_texts({"x.md.j2": text})
    assert [str(warning) for warning in templates.warnings] == [
        "x.md.j2:1:6: warning: there is no 'evnt' here: did you mean 'event'?",
    ]


@pytest.mark.parametrize(
    ("text", "at", "said"),
    [
        ("Hi {{ event.phon }}", "2:13", "an event has no 'phon': did you mean 'phone'?; the sender's"),
        ("{{ event.phone }} {{ event.phon }}", "2:28", "an event has no 'phon'"),
        ("{{ event.client.nam }}", "2:17", "event.client has no 'nam': did you mean 'name'?"),
        ("{{ event.__class__.__mro__ }}", "2:10", "an event has no '__class__'"),
        ("a {{ event.phone }\n\nb {{ event.kind }}", "2:3", "{{ is not closed: write }} at its end"),
        ("{{ event.phone\n\nb }}", "2:1", "{{ is not closed: write }} at its end"),
        ("a {% if event.phone }\nx\n{% endif %}", "2:3", "{% is not closed: write %} at its end"),
        ("{% if a %}\nx\n{% endif }", "4:1", "{% is not closed: write %} at its end"),
        ("{# a comment", "2:1", "{# is not closed: write #} at its end"),
        ("a\n {% if a %}\nx\n\ny", "3:2", "{% if %} is never closed: write {% endif %} behind"),
        ("{% for a in b %}{% if a %}{% endif %}", "2:1", "{% for %} is never closed"),
        ("a {% endif %}", "2:3", "{% endif %} closes nothing: there is no {% if %} before it"),
        ("{% if a %}\n{% endfor %}", "3:1", "cannot close the {% if %} of line 2: write {% endif %}"),
        ("{% for a in b %}{% elif a %}{% endfor %}", "2:17", "{% elif %} stands in no {% if %}"),
        ("{% iff a %}{% endif %}", "2:1", "there is no tag 'iff': did you mean 'if'?"),
        ("{% when a %}", "2:1", "there is no tag 'when': there are if, for, set, with and macro"),
        ("{{ event.kind }} {% if a = 1 %}x{% endif %}", "2:18", "values are compared with =="),
        ("{{ event.kind }} {{ a b }}", "2:18", "texts stand in quotes, and values are joined with ~"),
        ("{{ event.kind }} {{ b + }}", "2:18", "unexpected 'end of print statement'"),
        ("a { event.phone }} b", "2:3", "a stray brace: a value is written {{ event.phone }}"),
        ("a {event.phone} b", "2:3", "a stray brace"),
        ("a {{ event.phone }}} b", "2:20", "a stray brace"),
        ("a event.phone }} b", "2:15", "a stray brace"),
        ("a if event.phone %} b", "2:18", "a stray brace"),
        ("a <br> b <i>c</i>", "2:3", "instead of <br> end the line"),
        ("a <br> b <i>c</i>", "2:10", "instead of <i> write *italic*"),
        ('a <a href="https://x.example">b</a>', "2:3", "instead of <a> write [label](https://…)"),
        ("<table><tr>", "2:1", "instead of <table> write Markdown"),
        ("a ![b](https://x.example/y.png)", "2:3", "images are not part"),
        ("a <https://x.example>", "2:3", "write links as [label](address)"),
        ("safe {{ event.kind|upper|safe }}", "2:26", "the filter safe is refused"),
        ("a {{ 2 ** 3 }}", "2:8", "** is refused"),
        ("a {% include 'b' %}", "2:3", "include is refused"),
        ("a \ue000", "2:3", "private-use character U+E000"),
    ],
)  # fmt: skip
def test_a_fault_is_told_at_its_own_column_with_what_would_be_right(
    text: str, at: str, said: str
) -> None:
    found = faults(f"# T\n{text}")
    assert any(f.startswith(f"x.md.j2:{at}: error: ") and said in f for f in found), found


@given(st.text(alphabet="{}%#\n '\"a=|.([e", max_size=30) | st.lists(TAGS).map("".join))
def test_any_text_is_a_template_or_refused_at_a_place_of_its_own(text: str) -> None:
    try:
        Templates.from_texts({"x.md.j2": f"# T\n{text}"})
    except ConfigError as error:
        lines = f"# T\n{text}".split("\n")
        for fault in error.faults:
            assert 1 <= fault.line <= len(lines)
            assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1
            assert fault.message


@pytest.mark.parametrize(
    "text",
    [
        "{{ {'a': {'b': {}}} }}", "{{ '}}' }} {{ \"%}\" }} {{ '{' ~ event.kind ~ '}' }}", "{1} {a} a}",
        "{% raw %}{{ x }} {% if %} }}{% endraw %}", "{# {{ }} %} { event.x #}", "{{ [[1], [2]]|list }}",
        "{% set x = {'a': 1} %}{{ x.a }}", "{{- event.kind -}}", "{%- if a -%}x{%- endif -%}",
        "{{\n  event.kind\n}}", "`{ event }`"[:3],
    ],
)  # fmt: skip
def test_braces_that_belong_there_are_no_fault(text: str) -> None:
    assert Templates.from_texts({"x.md.j2": f"# T\n{text}"}).names == ("x",)


# Choosing


@each(
    ("names", "wanted", "chosen"),
    [
        (("welcome", "quality"), "welcome", "welcome.md.j2"),
        (("welcome", "quality"), "Welcome.md.j2", "welcome.md.j2"),
        (("quality",), "gone", "gone.md.j2"),
        (
            ("Phone_Number_Quality_Update.flagged", "phone_number_quality_update", "quality"),
            None,
            "Phone_Number_Quality_Update.flagged.md.j2",
        ),
        (
            ("PHONE_NUMBER_QUALITY_UPDATE", "quality", "default"),
            None,
            "PHONE_NUMBER_QUALITY_UPDATE.md.j2",
        ),
        (("quality", "default"), None, "quality.md.j2"),
        (("limit", "default"), None, "default.md.j2"),
        (("limit",), None, None),
    ],
)
def test_the_template_is_the_rules_else_found_by_detail_kind_topic_default(
    names: tuple[str, ...], wanted: str | None, chosen: str | None
) -> None:
    assert a_set(*names).choose(an_event(), wanted) == chosen


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (("message_template_status_update.PAUSED", "template"), 0),
        (("message_template_status_update", "message_template_status_update.PAUSED"), 1),
        (("waba_template_status_changed", "message_template_status_update.PAUSED"), 0),
        (("message_template_status_update", "waba_template_status_changed.paused"), 1),
        (("template", "message_template_status_update"), 1),
    ],
)
def test_a_twin_of_the_other_family_speaks_where_the_kind_has_no_template_of_its_own(
    names: tuple[str, ...], chosen: int
) -> None:
    kind = "waba_template_status_changed"
    event = an_event(kind=kind, detail="PAUSED", topic=Topic.TEMPLATE)
    assert a_set(*names).choose(event) == f"{names[chosen]}.md.j2"


def test_details_that_say_the_same_share_a_template_and_one_of_their_own_goes_first() -> None:
    kind = "phone_number_quality_update"
    event = an_event(kind=kind, detail="UPGRADE")
    assert a_set(kind, f"{kind}.DOWNGRADE").choose(event) == f"{kind}.DOWNGRADE.md.j2"
    both = a_set(f"{kind}.UPGRADE", f"{kind}.DOWNGRADE")
    assert both.choose(event) == f"{kind}.UPGRADE.md.j2"


def test_a_folder_is_looked_through_wholly_before_the_set_behind_it() -> None:
    behind = Templates.from_texts(
        {"channel_live.md.j2": "# behind", "de/channel_live.md.j2": "# dahinter", "a.md.j2": "# a"}
    )
    live = an_event(kind="channel_live", detail=None, topic=Topic.ONBOARDING)

    def title(own: dict[str, str], event: Event = live, **context: Any) -> str:
        templates = Templates.from_texts(own, behind=behind)
        return templates.render(event, context=a_context(**context)).title

    assert title({}) == "behind"
    assert title({}, language="de") == "dahinter"
    assert title({"channel_live.md.j2": "# own"}) == "own"
    assert title({"onboarding.md.j2": "# topic"}) == "topic"
    assert title({"default.md.j2": "# all"}, language="de") == "all"
    assert title({"quality.md.j2": "# q"}) == "behind"
    assert title({}, template="a") == "a"
    assert title({"b.md.j2": "# b"}, template="b") == "b"


def test_a_set_knows_names_and_languages_of_what_stands_behind_it_and_keeps_its_own_texts() -> None:
    behind = Templates.from_texts({"a.md.j2": "# a", "de/a.md.j2": "# a"})
    templates = Templates.from_texts({"b.md.j2": "# b"}, behind=behind)
    assert templates.names == ("a", "b")
    assert templates.languages == ("de",)
    assert templates.has("a", "de")
    assert not templates.has("c", "de")
    assert templates.texts == {"b.md.j2": "# b"}
    speaks_for_all = Templates.from_texts({"default.md.j2": "# d"}, behind=behind)
    assert speaks_for_all.languages == ()


def test_an_override_may_stand_alone_where_the_set_behind_has_its_markdown() -> None:
    behind = Templates.from_texts({"a.md.j2": "# a"})
    templates = Templates.from_texts({"a.email.html.j2": "<p>own</p>"}, behind=behind)
    assert templates.warnings == ()
    message = templates.render(an_event(), context=a_context(template="a"))
    assert (message.title, message.native) == ("a", {"email": "<p>own</p>"})


def test_what_was_shipped_and_tested_is_not_checked_again_and_what_was_edited_is() -> None:
    shipped = Templates.shipped()
    file = "default.md.j2"
    own = {file: shipped.texts[file], "channel_live.md.j2": "# Live"}
    assert Templates.from_texts(own, behind=shipped).own == {"channel_live.md.j2"}
    assert Templates.from_texts(own).own == set(own)
    with pytest.raises(ConfigError, match="include is refused"):
        Templates.from_texts({"channel_live.md.j2": "# T\n{% include 'a' %}"}, behind=shipped)


def test_a_quick_rendering_neither_compiles_nor_works_for_long() -> None:
    """On the loop, where webhooks wait: what may take long is told to be written in a thread."""
    texts = {"default.md.j2": "# T {{ event.kind }}"}
    templates = Templates.from_texts(texts, trusts=lambda *_: True)
    with pytest.raises(SlowError):
        templates.render(an_event(), context=a_context(), quick=True)
    message = templates.render(an_event(), context=a_context())
    assert templates.render(an_event(), context=a_context(), quick=True) == message


def test_a_template_that_once_worked_for_long_is_quick_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spent = itertools.count()
    text = "# T\n{% for a in event.data.rows %}{{ a|upper }}{% endfor %}"
    templates = Templates.from_texts({"default.md.j2": text})
    few, many = an_event(data={"rows": ["x"]}), an_event(data={"rows": ["x"] * 200})
    assert templates.render(few, context=a_context()).fault is None
    assert templates.render(few, context=a_context(), quick=True).fault is None
    monkeypatch.setattr(time, "thread_time", lambda: next(spent) * 0.1)
    with pytest.raises(SlowError):
        templates.render(many, context=a_context(), quick=True)
    with pytest.raises(SlowError):
        templates.render(few, context=a_context(), quick=True)
    assert templates.render(many, context=a_context()).fault is None


def test_without_a_detail_the_kind_decides() -> None:
    kind = "phone_number_quality_update"
    templates = a_set(f"{kind}.None", kind)
    assert templates.choose(an_event(detail=None)) == f"{kind}.md.j2"


def test_a_message_names_its_template() -> None:
    assert a_set("quality").render(an_event(), context=a_context()).template == "quality.md.j2"


# Rendering


def test_all_facts_of_an_event_stand_under_their_names() -> None:
    names = [
        "id",
        "short_id",
        "source",
        "kind",
        "detail",
        "topic",
        "severity",
        "direction",
        "title",
        "phone",
        "phone_name",
        "client.id",
        "client.name",
        "country",
        "waba",
        "test",
        "occurred_at",
        "data.current_limit",
    ]
    text = "\n".join(f"{{{{ event.{name} }}}}" for name in names) + "\n{{ rule }}"
    assert body(text).split("\n") == [
        "0123456789abcdef0123",
        "01234567",
        "waba",
        "phone_number_quality_update",
        "FLAGGED",
        "quality",
        "warning",
        "worse",
        "Number flagged for low quality",
        "+491713920011",
        "Musterladen Support",
        "dev001CL",
        "Musterladen Handels GmbH",
        "DE",
        "100000000000101",
        "false",
        "2 Mar 2026, 11:00 CET",
        "TIER_10K",
        "Quality drops",
    ]


@each(
    ("text", "shown", "missing"),
    [
        ("{{ event.data.nope }}", "[missing: event.data.nope]", ("event.data.nope",)),
        ("{{ event.country }}", "[missing: event.country]", ("event.country",)),
        ("{{ event.client.name }}", "[missing: event.client.name]", ("event.client.name",)),
        ("{{ event.data.null }}", "[missing: event.data.null]", ("event.data.null",)),
        ("{{ event.data.a.b['c'].d }}", "[missing: event.data.a.b.c.d]", ("event.data.a.b.c.d",)),
        (
            "{{ event.data.rows[0].x }}",
            "[missing: event.data.rows[0].x]",
            ("event.data.rows[0].x",),
        ),
        ("{{ event.data.rows[9] }}", "[missing: event.data.rows[9]]", ("event.data.rows[9]",)),
        ("{{ nobody }}", "[missing: nobody]", ("nobody",)),
        ("{{ event.data.nope|upper|date }}", "[missing: event.data.nope]", ("event.data.nope",)),
        ("{{ event.data.nope + 1 }}", "[missing: event.data.nope]", ("event.data.nope",)),
        ("{{ 'x' ~ event.data.nope }}", "x[missing: event.data.nope]", ("event.data.nope",)),
        ("{{ [event.data.nope]|join('-') }}", "[missing: event.data.nope]", ("event.data.nope",)),
        ("{{ event.data.items }}", "[missing: event.data.items]", ("event.data.items",)),
        ("{{ event.kind.title }}", "[missing: title]", ("title",)),
        ("{{ 5 if event.kind.title else 6 }}", "6", ()),
        ("{{ event.data.nope }}{{ event.data.nope }}", None, ("event.data.nope",)),
        ("{% if event.data.nope %}x{% else %}y{% endif %}", "y", ()),
        ("{% if event.data.null is defined %}x{% else %}y{% endif %}", "y", ()),
        ("{% if event.data.null is none %}x{% endif %}", "x", ()),
        ("{% if event.data.nope.deeper == 'x' %}x{% else %}y{% endif %}", "y", ()),
        ("{% if event.data.nope > 5 or event.data.nope < 5 %}x{% else %}y{% endif %}", "y", ()),
        ("{% for a in event.data.nope %}x{% else %}y{% endfor %}", "y", ()),
        ("{{ event.data.nope|default('–') }}{{ event.data.null|d('–') }}", "––", ()),
        ("{{ event.data.nope or event.kind|length }}", "27", ()),
        ("a{{ 'x' if event.data.nope }}b", "ab", ()),
    ],
)
def test_missing_values_show_and_count_unless_tested_for(
    text: str, shown: str | None, missing: tuple[str, ...]
) -> None:
    event = an_event(country=None, client=Client(), data={"null": None, "rows": [{"x": None}]})
    message = written(f"# T\n\n{text}", event)
    assert message.missing == missing
    if shown is not None:
        assert message.blocks == (Paragraph((Text(shown),)),)


def test_strict_rendering_raises_on_a_missing_value_and_on_a_fault() -> None:
    with pytest.raises(RenderError, match=r"default\.md\.j2 failed.*event\.data\.nope is missing"):
        written("# T\n\n{{ event.data.nope }}", strict=True)
    with pytest.raises(RenderError, match="no such template"):
        written("# T", strict=True, template="gone")
    assert written("# T\n\n{{ event.data.nope|default('x') }}", strict=True).missing == ()


def test_keys_come_before_methods_and_there_are_no_methods() -> None:
    data = {"items": "I", "keys": "K", "get": "G", "values": [1, 2], "update": "U"}
    text = (
        "{{ event.data.items }}{{ event.data.keys }}{{ event.data['get'] }}{{ event.data.update }}"
    )
    assert body(text, an_event(data=data)) == "IKGU"
    assert body("{% for k, v in event.data|items %}{{ k }}={{ v }};{% endfor %}") == (
        "event=FLAGGED;current_limit=TIER_10K;"
    )


@each(
    ("text", "shown"),
    [
        ("{{ event.phone|phone }}", "+49 171 3920011"),
        ("{{ event.data.current_limit|words }}", "10,000 people a day"),
        ("{{ event.occurred_at|date('%d.%m.%Y') }}", "02.03.2026"),
        ("{{ 7500|duration }}", "2 hours 5 minutes"),
        ("{{ event.phones|map('phone')|join(', ') }}", "+49 171 3920011"),
        ("{{ [3, 1, 2]|sort|join('-') }} {{ [1, 2]|sum }} {{ [1, 5]|max }}", "1-2-3 3 5"),
        ("{{ 'a,b'.split(',')|last }} {{ ' x '.strip() }} {{ 'abc'[1:] }}", "b x bc"),
        ("{{ 'a-b'|replace('-', '+') }} {{ 'a-b'.replace('-', '+') }}", "a+b a+b"),
        (
            "{{ true }} {{ 5.0 }} {{ 2.5 }} {{ 10 / 4 }} {{ 7 % 4 }} {{ 6 * 7 }}",
            "true 5 2.5 2.5 3 42",
        ),
        ("{{ {'a': [1, 'ü', true]} }} {{ 'a\"b'|tojson }}", '{"a": [1, "ü", true]} "a\\"b"'),
        (
            "{% set ns = namespace(n=0) %}{% for i in range(4) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}",
            "6",
        ),
        (
            "{% for i in 'ab' %}{{ loop.index }}{{ i }}{{ ',' if not loop.last }}{% endfor %}",
            "1a,2b",
        ),
        ("{% with a = 1 %}{{ a }}{% endwith %}{% raw %}{{ x }}{% endraw %}", "1{{ x }}"),
        ("{{ [{'n': 1}, {'n': 2}]|map(attribute='n')|join }}", "12"),
        (
            "{% for k, rows in [{'n': 1}, {'n': 1}]|groupby('n') %}{{ k }}:{{ rows|length }}{% endfor %}",
            "1:2",
        ),
        ("{{ event.data.current_limit|e }} {{ 3.14159|round(2) }}", "TIER_10K 3.14"),
    ],
)
def test_what_templates_can_do(text: str, shown: str) -> None:
    assert body(text) == shown


def test_a_line_of_tags_leaves_no_line_and_tags_in_a_line_leave_it_whole() -> None:
    text = (
        "a{% if event.phone %} b{% endif %}\n"
        "  {% if event.phone %}\n"
        "c\n"
        "  {% endif %}\n"
        "{# nothing #}\n"
        "d{# nothing #}\n"
        "{% set x = 1 %} {% set y = 2 %}\n"
        "e"
    )
    assert body(text) == "a b\nc\nd\ne"


def test_a_fact_is_a_line_of_its_own_and_nothing_where_its_value_is_missing_or_empty() -> None:
    text = (
        "# T\n\n{{ fact('Kind', event.kind) }}\n{{ fact('No', event.data.nope) }}\n"
        "{{ fact('Empty', '') }}\n{{ fact(event.phone_name, '**b**') }}\n"
    )
    message = written(text, an_event(phone_name="*N* <b>"))
    values = (("Kind", "phone_number_quality_update"), ("*N* <b>", "**b**"))
    assert message.blocks == (Facts(tuple(Fact(label, (Text(said),)) for label, said in values)),)
    assert message.missing == ()


def test_a_macro_of_that_name_is_the_templates_own() -> None:
    text = "{% macro fact(a, b) %}{{ a }}+{{ b }}{% endmacro %}{{ fact('x', 'y') }}"
    assert body(text) == "x+y"


def test_advice_is_shown_to_those_who_read_there_and_to_all_where_nobody_says_who() -> None:
    text = "".join(
        f"{{% if for_{one} %}}\n{one}\n{{% endif %}}\n" for one in ("support", "sales", "billing")
    )
    assert body(text) == "support\nsales\nbilling"
    assert body(text, audience=("sales",)) == "sales"
    assert body(text, audience=("billing", "support")) == "support\nbilling"


def test_markdown_that_a_template_captures_stays_markdown_when_printed_directly() -> None:
    text = "{% macro fact(l, v) %}\n- **{{ l }}:** {{ v }}\n{% endmacro %}\n{{ fact('A', event.kind) }}"
    message = written(f"# T\n\n{text}")
    assert message.blocks == (Facts((Fact("A", (Text("phone_number_quality_update"),)),)),)
    message = written("# T\n{% set x %}**{{ event.kind }}**{% endset %}\n{{ x }}")
    assert message.blocks == (Paragraph((Text("phone_number_quality_update", bold=True),)),)


@each(
    "expression",
    [
        "x|upper", "x|lower|string", "x|e", "x ~ ''", "'' ~ x", "x + ''", "'' + x", "x[:]", "x[0:9]",
        "[x]|join", "[x]|first|string", "[x, x]|join('')", "x|replace('q', 'q')", "x.strip()",
        "''.join([x])", "x|trim", "x|truncate(99)", "[[x]]|map('join')|join", "x|default('')|lower",
        "('q' ~ x)|replace('q', '')", "'q'|replace('q', x)", "'q'.replace('q', x)", "x|list|join",
        "{'a': x}|tojson", "[x]", "x.split('§')[0]", "x|string",
    ],
)  # fmt: skip
def test_whatever_is_done_to_captured_markdown_makes_it_text(expression: str) -> None:
    message = written(f"# T\n{{% set x %}}**a**{{% endset %}}\n{{{{ {expression} }}}}")
    assert message.fault is None, message.fault
    assert isinstance(message.blocks[0], Paragraph)
    for inline in message.blocks[0].inlines:
        assert isinstance(inline, Text)
        assert not inline.bold
    assert "**A**" in message.text.upper()


def test_a_value_inside_captured_markdown_survives_a_filter() -> None:
    event = an_event(phone_name="*N*")
    assert body("{% set x %}_{{ event.phone_name }}_{% endset %}\n{{ x|lower }}", event) == "_*n*_"


def test_a_method_takes_captured_text_as_plain() -> None:
    text = "{% set s %}{{ event.detail }}{% endset %}\n{{ 'aFLAGGEDb'.split(s)|join('-') }}"
    assert body(text) == "a-b"


def test_filters_and_conditions_see_clean_values() -> None:
    event = an_event(phone_name="a\ud800b\u202e", client=Client("\u200b\ufeff", "\ue000"))
    text = (
        "{{ event.phone_name|urlencode }}{% if event.client.id or event.client.name %}x{% endif %}"
    )
    assert body(text, event) == "ab"


def test_a_long_value_is_cut_visibly() -> None:
    assert body("{{ event.title }}", an_event(title="y" * 2_500)).endswith("y… (cut, 517 more)")


def test_of_data_without_end_only_that_is_read_which_is_shown() -> None:
    class Counted(list[Any]):
        def __getitem__(self, at: Any) -> Any:
            read.append(1)
            return super().__getitem__(at)

    read: list[int] = []
    event = an_event(data={"many": Counted([{"a": 1}] * 300_000), "text": "z" * 3_000_000})
    assert written("# {{ event.title }}", event).fault is None
    assert not read
    assert written("# T\n\n{{ event.data }}", event).fault is None
    assert 0 < len(read) <= 2_000


def test_data_without_end_is_cut_where_it_is_shown_and_keeps_nothing_from_what_is_beside_it() -> (
    None
):
    event = an_event(data={"many": [[1]] * 300_000, "last": "text"})
    assert body("{{ event.data.last }}", event) == "text"
    assert body("{{ event.data.many[299999][0] }}", event) == "1"
    assert "(cut, " in body("{{ event.data.many }}", event)


def test_an_event_of_very_many_fields_is_told_by_its_template() -> None:
    event = an_event(data=dict.fromkeys(map(str, range(30_000)), 1))
    assert body("{{ (event.data|list)[:2]|join(', ') }}", event) == "0, 1"


def test_names_that_the_sender_gave_are_clean_where_a_template_goes_through_them() -> None:
    event = an_event(data={"a\u202e\nb": 1, "\ue000c": 2})
    text = "{% for key in event.data %}{{ key|urlencode }}={{ event.data[key] }};{% endfor %}"
    assert body(text, event) == "a%20b=1;c=2;"


def test_a_replacement_that_would_grow_too_large_is_refused_before_it_is_made() -> None:
    tracemalloc.start()
    try:
        event = an_event(data={"wide": "w" * 1_900})
        message = written("# T\n\n{{ event.data.wide|replace('w', event.data.wide) }}", event)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "longer than 64 KB" in (message.fault or "")
    assert peak < 1_500_000


def test_the_parse_is_the_same_for_all_events_that_take_the_same_way() -> None:
    templates = Templates.from_texts(
        {"default.md.j2": "# A {{ event.title }}\n\n{{ event.phone }}"}
    )
    templates.render(an_event(), context=a_context())
    before = parse.cache_info().misses
    for number in range(5):
        event = an_event(title=f"t{number}", phones=(f"+4917139200{number}",))
        templates.render(event, context=a_context())
    assert parse.cache_info().misses == before


# Faults while rendering


@each(
    ("text", "said"),
    [
        ("# T\n\n{{ 1 // 0 }}", "line 3: ZeroDivisionError"),
        ("# {{ '' }}", "title is empty"),
        ("# {{ event.data.blank }}", "title is empty"),
        ("# T\n\n{{ event.data.word * 3 }}", "line 3: * is for numbers alone"),
        ("# T\n\n{{ event.data.word % 3 }}", "% is for numbers alone"),
        ("# T\n\n{{ 'a' * 9 }}", "* is for numbers alone"),
        ("# T\n\n{{ '{0.a}'.format(1) }}", "line 3: 'format' is undefined"),
        ("# T\n\n{{ 'x'.ljust(9) }}", "'ljust' is undefined"),
        ("# T\n\n{{ lipsum() }}", "'lipsum' is undefined"),
        ("# T\n\n{{ event.data.big * event.data.big }}", "a number grows too large"),
        ("# T\n\n{{ event.data.word > 3 }}", "TypeError"),
        ("# T\n\n{% for i in range(event.data.n) %}{% endfor %}", "Range too big"),
        ("# T\n\n{% for i in event.data.n %}{% endfor %}", "line 3: TypeError"),
        ("# T\n\n{% for i in event.data.long %}{% endfor %}", "works for too long"),
        (
            "# T\n{% for i in range(999) %}{% for j in range(999) %}{% endfor %}{% endfor %}",
            "works for too long",
        ),
        ("# T\n\n{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"),
        (
            "# T\n{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}"
            "{{ m(40) }}",
            "works for too long",
        ),
        ("# T\n\n{% for i in range(900) %}" + "x" * 99 + "{% endfor %}", "more than 64 KB"),
        ("# T\n\n{% for i in range(90) %}{{ event.data.wide }}{% endfor %}", "more than 64 KB"),
        (
            "# T\n{% set x %}{% for i in range(900) %}" + "x" * 99 + "{% endfor %}{% endset %}",
            "more than 64 KB",
        ),
        (
            "# T\n{% set n = namespace(x='xxxxxxxxxx') %}{% for i in range(40) %}"
            "{% set n.x = n.x ~ n.x %}{% endfor %}",
            "longer than 64 KB",
        ),
        (
            "# T\n{% set n = namespace(x='xxxxxxxxxx') %}{% for i in range(40) %}"
            "{% set n.x = n.x|replace('x', 'xx') %}{% endfor %}",
            "longer than 64 KB",
        ),
        (
            "# T\n{% set n = namespace(x=[1]) %}{% for i in range(40) %}"
            "{% set n.x = n.x + n.x %}{% endfor %}",
            "a list grows too long",
        ),
        (
            "# T\n{% set n = namespace(x='') %}{% set n.x %}xxxxxxxxxx{% endset %}"
            "{% for i in range(40) %}{% set n.x %}{{ n.x }}{{ n.x }}{% endset %}{% endfor %}",
            "more than 64 KB",
        ),
        ("# T\n\n{{ 1.5|round(999999999) }}", "precision goes from 0 to 12"),
        ("# T\n{% set f = '%999999999d' %}\n{{ event.occurred_at|date(f) }}", "nor a pattern"),
    ],
)  # fmt: skip
def test_a_fault_yields_the_built_in_message_that_names_it(text: str, said: str) -> None:
    data: dict[str, Any] = {
        "word": "x", "n": 500_000, "big": 10**400, "long": [0] * 30_000, "wide": "w" * 1_900,
        "blank": " \u200b ",
    }  # fmt: skip
    message = written(text, an_event(data=data))
    assert message.fault is not None
    assert message.template is None
    assert "template default.md.j2 failed" in message.fault
    assert said in message.fault
    assert message.fault in message.text
    assert "\n" not in message.fault
    assert message.title.startswith("⚠️ Number flagged for low quality")


def test_a_template_that_is_not_there_yields_the_built_in_message() -> None:
    message = written("# T", template="gone")
    assert message.fault == "template gone.md.j2 failed: there is no such template"
    assert message.fault in message.text


def test_markdown_that_is_wrong_for_one_event_alone_yields_the_built_in_message() -> None:
    # Only a third round nests a third level; the check at load goes round once.
    text = (
        "# T\n\n{% for x in event.data.rows %}\n{% if loop.index == 2 %}\n  - c\n"
        "{% elif loop.index == 3 %}\n    - d\n{% else %}\n- b\n{% endif %}{% endfor %}"
    )
    assert written(text, an_event(data={"rows": [1, 2]})).fault is None
    message = written(text, an_event(data={"rows": [1, 2, 3]}))
    assert message.fault is not None
    assert "two levels" in message.fault


@each(
    "attack",
    [
        "''.__class__", "event.client['__class__'].__mro__", "event.data.__init__", "rule.__len__",
        "loop", "namespace.__init__.__globals__", "range.__self__", "dict.mro",
        "event['__class__']", "[].__class__", "event.data.keys", "rule.format", "rule.encode",
        "(event|list).append", "event.occurred_at.replace", "''['__class__']",
    ],
)  # fmt: skip
def test_nothing_but_data_can_be_reached(attack: str) -> None:
    message = written(f"# T\n\n{{{{ {attack} }}}}")
    assert message.fault is None
    assert message.missing, message.text


def test_without_any_template_the_built_in_message_goes_out_without_a_fault() -> None:
    message = Templates.from_texts({}).render(an_event(), context=a_context())
    assert isinstance(message, Message)
    assert message.template is None
    assert message.fault is None


def test_an_event_of_strange_data_does_not_break_rendering() -> None:
    deep: Any = "end"
    for _ in range(500):
        deep = {"a": deep, "b": [deep]} if _ < 3 else [deep]
    event = an_event(data={"deep": deep, "": "", "set": {1, 2}, 5: 6}, topic=Topic.OTHER)
    text = "# T\n\n{{ event.data }}"
    assert written(text, event).fault is None


def test_compiling_and_a_busy_machine_cost_a_template_none_of_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compiling takes a minute here, and between any two looks at the wall clock an hour goes by."""
    spent, compile_it = [0.0], Environment.compile

    def slowly(*given: Any, **named: Any) -> Any:
        spent[0] += 60
        return compile_it(*given, **named)

    monkeypatch.setattr(Environment, "compile", slowly)
    monkeypatch.setattr(time, "thread_time", lambda: spent[0])
    hours = itertools.count(step=3600.0)
    for clock in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, clock, lambda: next(hours))
    assert written("# Compiled for the first time {{ event.title }}").fault is None
    assert spent == [60]


def test_a_method_of_a_text_works_inside_a_loop_too() -> None:
    text = '# T\n\n{% for word in ["ab", "cd"] %}{% if word.startswith("a") %}{{ word }}{% endif %}{% endfor %}\n'
    message = written(text, an_event())
    assert message.fault is None
    assert message.text.startswith("ab")
