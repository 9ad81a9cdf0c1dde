"""`watch:` of the rules file: what the relay asks for, and who hears that it is alive."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from relay.channels import Outbound
from relay.channels.settings import checked_url
from relay.config.form import Form
from relay.config.nodes import Entry, quoted
from relay.sources.watch import Watching

KEYS: Final = ("quality", "no_events", "heartbeat")
CREDENTIALS: Final = ("RELAY_360DIALOG_PARTNER_ID", "RELAY_360DIALOG_API_KEY")
NEVER: Final = "none"
SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=31)
_DURATION = re.compile(r"(\d{1,9})\s*([smhd])", re.IGNORECASE)
_UNITS: Mapping[str, timedelta] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def read_watch(
    form: Form, entry: Entry | None, env: Mapping[str, str], outbound: Outbound
) -> Watching:
    """What the section says; the defaults where it is missing or silent.

    `env` is where the key of 360dialog's Partner API should stand.
    """
    usual = Watching()
    fields = form.fields(entry.value, "watch", KEYS) if entry is not None else None
    if fields is None:
        return usual
    asked = fields.entry("quality")
    quality = _span(form, asked, usual.quality)
    missing = [name for name in CREDENTIALS if not env.get(name, "").strip()]
    if asked is not None and quality is not None and missing:
        form.warning(
            asked.key,
            f"{asked.name}: 360dialog cannot be asked without {' and '.join(missing)}: both stand "
            "in its Partner Hub; nobody hears of a quality drop until they are set",
        )
    return Watching(
        quality=quality,
        no_events=_span(form, fields.entry("no_events"), usual.no_events),
        heartbeat=_url(form, fields.entry("heartbeat"), outbound),
    )


def duration(text: str) -> timedelta | None:
    """`15m`, `24h`, `30s`, `7d`; None for anything else, and for what is too short or too long."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        return None
    span = int(found[1]) * _UNITS[found[2].lower()]
    return span if SHORTEST <= span <= LONGEST else None


def _span(form: Form, entry: Entry | None, usual: timedelta | None) -> timedelta | None:
    filled = form.given(entry)
    if entry is None or filled is None:
        return usual
    if filled.text.strip().lower() == NEVER:
        return None
    span = duration(filled.text)
    if span is None:
        form.error(
            entry.value,
            f"{entry.name}: {quoted(filled.written)} is no span of time: write 30s, 15m, 24h or "
            f"7d, from 1s to 31d, or {NEVER}",
        )
    return span


def _url(form: Form, entry: Entry | None, outbound: Outbound) -> str | None:
    filled = form.given(entry)
    if entry is None or filled is None:
        return None
    if filled.text.strip().lower() == NEVER:
        return None
    try:
        return checked_url(filled.text.strip(), entry.name, outbound)
    except ValueError as error:
        form.error(entry.value, str(error))
        return None
