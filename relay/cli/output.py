"""How commands print: rich on a terminal, plain text when piped, and a line on what takes long.

`rich` is imported by what draws with it: JSON and single lines need none of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Any

from relay.events import Direction, Severity
from relay.messages import Message
from relay.text import clean as unfeigned
from relay.text import printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.panel import Panel
    from rich.table import Table
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

WIDTH_WHEN_PIPED = 160
GAP = 2
"""Columns of a terminal between two of a table."""
LEAST_FOLDED = 24
"""So wide the last column of a table must be to be worth folding."""


def console() -> Console:
    """Standard output, with colour only where a person looks."""
    from rich.console import Console

    piped = not sys.stdout.isatty()
    return Console(width=WIDTH_WHEN_PIPED if piped else None, highlight=False, soft_wrap=False)


def say(text: str, style: str) -> None:
    """One line, styled on a terminal; what goes elsewhere waits for no rich."""
    if sys.stdout.isatty():
        console().print(text, style=style, markup=False, soft_wrap=True)
    else:
        print(text)


def print_json(value: object) -> None:
    """One JSON value on one line, whole in whatever encoding."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "").startswith("utf")
    print(json.dumps(value, ensure_ascii=not unicode))


def print_json_lines(values: Iterable[Mapping[str, Any]]) -> None:
    for value in values:
        print_json(value)


def table(*columns: str) -> Table:
    """A table that reads well on a terminal and in a pipe."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def listing(columns: Sequence[str], rows: Sequence[Sequence[str]], below: str = "") -> None:
    """Print what was found as a table, if anything was, and a line below that says how much."""
    out = console()
    if rows:
        out.print(fitted(columns, rows, out.width))
    if below:
        out.print(below, style="dim", markup=False)


def fitted(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> RenderableType:
    """A table; where it is too wide, what has no room in a line stands below it, each by name.

    The last column may be folded: it is for the longest texts.
    """
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    texts = [[Text.from_markup(one) for one in cells] for cells in (columns, *rows)]
    widths = [max(cells[at].cell_len for cells in texts) + GAP for at in range(len(columns))]
    if sum(widths[:-1]) + min(widths[-1], LEAST_FOLDED) <= width:
        drawn = table(*columns)
        for column in drawn.columns[:-1]:
            column.no_wrap = True
        for row in rows:
            drawn.add_row(*row)
        return drawn
    beside = max((n for n in range(1, len(columns)) if sum(widths[:n]) <= width), default=1)
    lines: list[RenderableType] = []
    for cells in texts:
        line = Text(overflow="fold", style="bold" if cells is texts[0] else "")
        for one, room in zip(cells[:beside], widths, strict=False):
            one.pad_right(max(0, room - one.cell_len))
            line.append_text(one)
        line.rstrip()
        lines.append(line)
        if cells is texts[0]:
            continue
        named = zip(columns[beside:], cells[beside:], strict=True)
        below = [Text(f"{name} ".lstrip()).append_text(one) for name, one in named if one.plain]
        if below:
            lines.append(Padding(Text(" · ").join(below), (0, 0, 0, 4)))
    return Group(*lines)


def colour(severity: Severity, direction: Direction) -> str:
    """The colour of a message, the same idea as in the channels."""
    if direction is Direction.BETTER:
        return "green"
    if severity is Severity.CRITICAL:
        return "red"
    if severity is Severity.WARNING or direction is Direction.WORSE:
        return "yellow"
    return "blue"


def panel(
    message: Message, where: str, text: str | None = None, *, below: str | None = None
) -> Panel:
    """A rendered message with where it goes; `text` stands for its own, `below` ends the frame."""
    said = message.text if text is None else text
    tone = colour(message.severity, message.direction)
    return text_panel(message.title, said, where, tone, below)


def json_body(channel: str, payload: Mapping[str, Any]) -> str | None:
    """The JSON of a webhook, whose receiver reads nothing else; None for other channels."""
    if channel != "webhook":
        return None
    return unfeigned(json.dumps(payload.get("body"), ensure_ascii=False, indent=2))


def text_panel(title: str, text: str, where: str, border: str, below: str | None = None) -> Panel:
    from rich.panel import Panel
    from rich.text import Text

    body = Text()
    body.append(title, style="bold")
    body.append("\n\n")
    body.append(text)
    return Panel(
        body,
        title=Text(where),
        title_align="left",
        subtitle=Text(below) if below else None,
        subtitle_align="left",
        border_style=border,
        width=92,
        padding=(1, 2),
    )


def when(moment: datetime | None, zone: tzinfo = UTC) -> str:
    """A moment for a table, to the second."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" if moment else ""


def clean(text: str | None) -> str:
    """A text from an event on one line of a terminal, without anything that could steer it."""
    return printable(text or "")


def cell(text: str | None) -> str:
    """The same for a table, where rich would read brackets as markup."""
    from rich.markup import escape

    return escape(clean(text))


SILENT_FOR = 1.0
"""Seconds; what is done earlier is not worth a line."""
REDRAWN_EVERY = 0.5
"""Seconds between two looks at the same line."""
ERASE = "\r\x1b[K"


class Progress:
    """What is being done, and how much of it is."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._part: float | None = None

    def tell(self, part: float) -> None:
        """How much is done, from 0 to 1; what never says so shows the time alone."""
        self._part = part

    def line(self, seconds: float) -> str:
        """`copying the journal … 43%, 12 s`."""
        part = "" if self._part is None else f" {self._part:.0%},"
        return f"{self.what} …{part} {seconds:.0f} s"


@contextmanager
def progress(
    what: str, stream: TextIO | None = None, after: float = SILENT_FOR
) -> Iterator[Progress]:
    """Show what the block does while it takes longer than `after` seconds; erased at its end.

    Standard error unless told, and only if it is a terminal. A thread draws it, since what is
    long may be one call of SQLite or of the rule checks.
    """
    out = stream or sys.stderr
    state = Progress(what)
    if not out.isatty():
        yield state
        return
    done = threading.Event()
    began = time.monotonic()

    def draw() -> None:
        wait, drawn = after, False
        while not done.wait(wait):
            out.write(ERASE + state.line(time.monotonic() - began))
            out.flush()
            wait, drawn = REDRAWN_EVERY, True
        if drawn:
            out.write(ERASE)
            out.flush()

    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        done.set()
        thread.join()
