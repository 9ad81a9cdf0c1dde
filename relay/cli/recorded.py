"""What really became of a recorded event: the answer first, then the story of each delivery."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from relay.cli.output import cell, clean, text_panel, when
from relay.deliveries import State
from relay.journal import StoredDelivery
from relay.web.recorded import Recorded, answer, at, by, waits, why_instead

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {State.DELIVERED: "green", State.DEAD: "red", State.PARKED: "red"}


def show_deliveries(out: Console, recorded: Recorded) -> None:
    """Every delivery with each attempt, the wait before it, and what the target said."""
    for one in recorded.deliveries:
        owed = one.delivery
        proof = f" ({owed.proof})" if owed.proof else ""
        out.print(
            clean(f"{owed.state}{proof}: {owed.destination}, {owed.channel}, by {by(owed)}"),
            style=_COLOURS.get(owed.state, "yellow"),
            markup=False,
        )
        marks = ["may be a repeat" if owed.ambiguous else "", "degraded" if owed.degraded else ""]
        facts = [
            ("delivery", owed.id),
            ("rules", f"version {owed.rules_version}"),
            ("posted as", ", ".join(f"{key} {value}" for key, value in owed.reference.items())),
            ("refused", "; ".join(f"{who}: {why}" for who, why in owed.refused.items())),
            ("note", ", ".join(filter(None, marks))),
            ("reason", owed.reason or ""),
            ("instead", why_instead(owed, recorded.zone)),
            ("late", f"fell back to {owed.fell_back_to}" if owed.fell_back_to else ""),
        ]
        for label, text in facts:
            if text:
                out.print(f"  {label:9} {clean(text)}", style="dim", markup=False, soft_wrap=True)
        _show_attempts(out, one, recorded.zone)
        if one.rendered:
            where = f"what {owed.destination} was told"
            text_of = {key: str(one.rendered.get(key, "")) for key in ("title", "text")}
            out.print(text_panel(text_of["title"], text_of["text"], where, "blue"))


def _show_attempts(out: Console, one: StoredDelivery, zone: ZoneInfo) -> None:
    from relay.cli.output import table

    rows = table(f"  attempt ({zone})", "waited", "took", "outcome", "answer")
    for waited, attempt in waits(one):
        took = "" if attempt.duration_ms is None else f"{attempt.duration_ms} ms"
        word = (attempt.outcome or "under way").replace("_", " ")
        moment = f"  {when(attempt.at, zone)}"
        rows.add_row(moment, spell_span(waited), took, word, cell(attempt.reason))
    if one.attempts:
        out.print(rows)
    if one.delivery.state is State.PENDING:
        out.print(f"  next try {at(one.delivery.due_at, zone)}", style="dim", markup=False)


def spell_span(span: timedelta) -> str:
    """A span as a column of a table has room for: `40 s`, `10 min`, `1.5 h`."""
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def recorded_json(recorded: Recorded) -> dict[str, Any]:
    """The answer, for `relay explain --json`."""
    return {"answer": answer(recorded), "rules_fault": recorded.fault}
