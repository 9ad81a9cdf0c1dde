"""Lists fit the terminal: what has no room beside stands below, whole and by its name."""

from __future__ import annotations

import io

from rich.cells import cell_len
from rich.console import Console

from relay.cli.output import cell, fitted

COLUMNS = ("id", "destination", "client", "reason")
LONG = ("f2ccbfb9", "kundenbetreuung-süddeutschland", cell("株式会社[ウェブ]開発"), "なぜ " * 30)
SHORT = ("9ca0dafb", "support", "Acme", "Slack does not know the channel: invite the bot")


def drawn(*rows: tuple[str, ...], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, highlight=False).print(fitted(COLUMNS, rows, width))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_what_fits_is_a_table_whose_last_column_may_fold() -> None:
    lines = drawn(SHORT, width=60)
    assert lines[0].split() == list(COLUMNS)
    assert lines[1].startswith("9ca0dafb  support      Acme    Slack")


def test_what_does_not_fit_stands_below_by_its_name_and_no_line_is_too_long() -> None:
    for width in (20, 40, 60):
        lines = drawn(SHORT, LONG, width=width)
        assert max(map(cell_len, lines)) <= width
        assert "".join(lines).replace(" ", "").count("なぜ") == 30
    lines = drawn(SHORT, LONG, width=60)
    assert lines[0].split() == ["id", "destination"]
    assert lines[1] == "9ca0dafb  support"
    assert lines[2].startswith("    client Acme · reason Slack does not know")
    assert any(line.startswith("    client 株式会社[ウェブ]開発 · reason なぜ") for line in lines)
