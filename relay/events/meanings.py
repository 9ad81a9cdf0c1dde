"""What an event means, and the few kinds whose meaning stands in their data.

Each function here sharpens the meaning that the catalogue's table gives for kind and detail. Data
is the sender's: any value may be missing or of another type, and then the table's meaning stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from relay.events import Direction, Severity, Topic


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one kind of event, with its detail and data, says."""

    topic: Topic
    title: str
    """What happened in plain words, without names."""
    severity: Severity
    direction: Direction


def text_at(data: Any, path: str) -> str | None:
    """The text at a dotted path; of a list its first element counts. Numbers become text."""
    value = data
    for name in path.split(".") if "." in path else (path,):
        value = first(value)
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return as_text(first(value))


def first(value: Any) -> Any:
    """The first element of a list, anything else as it is."""
    while isinstance(value, list):
        value = value[0] if value else None
    return value


def as_text(value: Any) -> str | None:
    """A text without blanks around it, a number or a truth value as text; else None."""
    if isinstance(value, str):
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else None


def first_text(data: Any, *paths: str) -> str | None:
    """The first of several places that holds a text."""
    for path in paths:
        if (text := text_at(data, path)) is not None:
            return text
    return None


_UNLIMITED = 10**12
_UNITS = {"K": 1_000, "M": 1_000_000}


def tier(text: str | None) -> int | None:
    """Messages a day of `TIER_2K`, `TIER_UNLIMITED`, `10000` or `-1` (no limit); else None."""
    if text is None:
        return None
    word = text.upper().removeprefix("TIER_")
    if word in {"UNLIMITED", "-1"}:
        return _UNLIMITED
    unit = _UNITS.get(word[-1:], 1)
    digits = word[:-1] if unit > 1 else word
    # More than nine digits are no limit that anybody sets; they would only cost time.
    return (
        int(digits) * unit if digits.isascii() and digits.isdecimal() and len(digits) < 10 else None
    )


def tier_name(size: int) -> str:
    """The inverse of `tier`, in Meta's spelling: `TIER_2K`, `TIER_250`, `TIER_UNLIMITED`."""
    if size >= _UNLIMITED:
        return "TIER_UNLIMITED"
    for unit, worth in (("M", 1_000_000), ("K", 1_000)):
        if size and size % worth == 0:
            return f"TIER_{size // worth}{unit}"
    return f"TIER_{size}"


_OLD_LIMITS = ("old_limit", "previous_limit", "old_max_daily_conversations_per_business")
NEW_LIMITS = (
    "current_limit",
    "new_limit",
    "max_daily_conversations_per_business",
    "max_daily_conversation_per_phone",
)


def _first_tier(data: Mapping[str, Any], paths: tuple[str, ...]) -> int | None:
    return next((size for path in paths if (size := tier(text_at(data, path))) is not None), None)


def limit_change(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """Old and current limit decide which way it went, whatever the detail says."""
    old, new = _first_tier(data, _OLD_LIMITS), _first_tier(data, NEW_LIMITS)
    return _limits_compared(base, old, new)


def _limits_compared(base: Meaning, old: int | None, new: int | None) -> Meaning:
    if old is None or new is None or old == new:
        return base
    if new < old:
        return Meaning(Topic.LIMIT, "Messaging limit lowered", Severity.WARNING, Direction.WORSE)
    title = base.title if base.direction is Direction.BETTER else "Messaging limit raised"
    return Meaning(Topic.LIMIT, title, Severity.INFO, Direction.BETTER)


RATINGS = {"GREEN": 3, "HIGH": 3, "YELLOW": 2, "MEDIUM": 2, "RED": 1, "LOW": 1}


def number_quality(base: Meaning, detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """Flags keep their meaning; limits are compared; else the colour of the rating decides."""
    if (detail or "").upper() in {"FLAGGED", "UNFLAGGED"}:
        return base
    changed = limit_change(base, detail, data)
    if changed != base or base.topic is Topic.LIMIT:
        return changed
    rating = RATINGS.get((detail or "").upper())
    if rating is None:
        said = first_text(data, "current_quality_rating", "quality_rating", "new_quality_score")
        rating = RATINGS.get((said or "").upper())
    if rating is None:
        return base
    if rating == 3:
        return replace(base, title="Quality rating is high", direction=Direction.BETTER)
    word = "medium" if rating == 2 else "low"
    return replace(base, title=f"Quality rating is {word}", direction=Direction.WORSE)


def quality_watch(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """The ratings before and after are compared; without the first, the new one decides."""
    said = (text_at(data, "new") or "").upper()
    new, old = RATINGS.get(said), RATINGS.get((text_at(data, "old") or "").upper(), 3)
    if new is None or new == old:
        return base
    if new < old:
        severity = Severity.CRITICAL if new == 1 else Severity.WARNING
        return Meaning(base.topic, f"Quality dropped to {said}", severity, Direction.WORSE)
    title = f"Quality {'is back to' if new == 3 else 'rose to'} {said}"
    return Meaning(base.topic, title, Severity.WARNING, Direction.BETTER)


def limit_watch(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """The limits before and after are compared."""
    return _limits_compared(base, tier(text_at(data, "old")), tier(text_at(data, "new")))


def template_quality(base: Meaning, detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """The scores before and after are compared; without the first, the colour alone decides."""
    new = RATINGS.get((detail or "").upper())
    old = RATINGS.get((text_at(data, "previous_quality_score") or "").upper())
    if new is None:
        return base
    if new == old:
        return replace(base, direction=Direction.NEUTRAL)
    if new == 3:
        severity = Severity.INFO if old is None else Severity.WARNING
        return replace(base, severity=severity)
    if old is not None and new > old:
        return replace(base, title="Template quality rose", direction=Direction.BETTER)
    return base


def ban(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """The ban state tells a coming ban, a ban and its end apart, all under one detail."""
    state = first_text(data, "ban_info.waba_ban_state", "waba_ban_state", "ban_state")
    match (state or "").upper():
        case "SCHEDULE_FOR_DISABLE":
            return replace(base, title="Account will be disabled")
        case "DISABLE" | "DISABLED":
            return replace(base, title="Account disabled")
        case "REINSTATE" | "REINSTATED":
            return replace(base, title="Account reinstated", direction=Direction.BETTER)
    return base


def certification(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """The certification's status decides."""
    status = first_text(data, "partner_client_certification_info.status", "status")
    match (status or "").upper():
        case "APPROVED":
            return replace(base, title="Client certified", direction=Direction.BETTER)
        case "FAILED" | "REVOKED" | "DISCARDED" as word:
            title = f"Certification of the client {word.lower()}"
            return Meaning(base.topic, title, Severity.WARNING, Direction.WORSE)
    return base


_PRICE = {"AUTHENTICATION": 1, "UTILITY": 1, "MARKETING": 2}


def category_change(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """A notice names the coming category in `correct_category` and today's in `new_category`.

    A change to marketing costs the client more. Some done changes lack the category before.
    """

    def category(*names: str) -> str | None:
        return first_text(data, *names, *(f"template.{name}" for name in names))

    coming = category("correct_category")
    if coming is not None:
        if coming.upper() == "AUTHENTICATION":
            # Templates become no authentication templates: Meta rejects them on the first of the
            # next month, without review (template-categorization, September 2026).
            title = "Template will be rejected"
            return replace(base, title=title, severity=Severity.WARNING, direction=Direction.WORSE)
        base = replace(base, title="Template category will change")
        old, new = category("new_category"), coming
    else:
        old = category("previous_category", "old_category")
        new = category("new_category", "category") or ""
    price_then, price_now = _PRICE.get((old or "").upper()), _PRICE.get(new.upper())
    if price_now is None or price_then == price_now:
        return base
    if price_now == 2:
        return replace(base, severity=Severity.WARNING, direction=Direction.WORSE)
    if price_then == 2:
        return replace(base, direction=Direction.BETTER)
    return base


_ALERT_SEVERITY = {
    "CRITICAL": Severity.CRITICAL,
    "WARNING": Severity.WARNING,
    "INFORMATIONAL": Severity.INFO,
    "INFO": Severity.INFO,
}


def alert(base: Meaning, detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """Meta's own severity counts; the type says what it is about and mostly which way it went."""
    said = first_text(data, "alert_info.alert_severity", "alert_severity")
    severity = _ALERT_SEVERITY.get((said or "").upper(), base.severity)
    status = first_text(data, "alert_info.alert_status", "alert_status")
    kind = (detail or "").upper()
    topic, title, direction = base.topic, base.title, base.direction
    if topic is Topic.OTHER:
        if kind.startswith("INCREASED_CAPABILITIES_"):
            topic, title = Topic.LIMIT, "Alert about the messaging limit"
        elif kind.startswith("OBA") or "NAME" in kind.split("_"):
            topic, title = Topic.NAME, "Alert about the display name"
    if (status or "").upper() in {"RESOLVED", "INACTIVE"}:
        direction = Direction.BETTER
    elif direction is Direction.NEUTRAL:
        if kind.endswith(("_APPROVED", "_GRANTED")):
            direction = Direction.BETTER
        elif severity is not Severity.INFO:
            direction = Direction.WORSE
    return Meaning(topic, title, severity, direction)


def template_status(base: Meaning, detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """A template that Meta pauses no longer is approved again, and says so beside the status."""
    told = text_at(data, "other_info.title")
    if (detail or "").upper() == "APPROVED" and (told or "").upper() == "UNPAUSE":
        title = "Template no longer paused"
        return replace(base, title=title, severity=Severity.WARNING, direction=Direction.BETTER)
    return base


_CALLS = ("CALLING", "CALLS")


def is_about_calls(word: str | None) -> bool:
    """Whether a type of violation or restriction is of calls, so that messages are not touched."""
    return any(call in (word or "").upper() for call in _CALLS)


def violation(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """What concerns calls alone is a warning: it is told before calls are blocked."""
    said = first_text(data, "violation_info.violation_type", "violation_type")
    if not is_about_calls(said):
        return base
    few = "PICKUP" in (said or "").upper()
    title = "Few calls of customers are answered" if few else "Quality of the calls is low"
    return replace(base, title=title, severity=Severity.WARNING)


def restriction(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """A hidden call button alone is a warning: calls and messages go on."""
    found = data.get("restriction_info")
    rows = found if isinstance(found, list) else [found]
    types = {as_text(row.get("restriction_type")) for row in rows if isinstance(row, dict)}
    if types and all((one or "").upper().endswith("CALL_BUTTON_HIDDEN") for one in types):
        return replace(base, title="Call button is hidden", severity=Severity.WARNING)
    return base


def flow(base: Meaning, detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """An alert begins or is over; of a status the new one decides."""
    if (text_at(data, "alert_state") or "").upper() == "DEACTIVATED":
        return replace(base, title=f"Over: {base.title}", direction=Direction.BETTER)
    if (detail or "").upper() != "FLOW_STATUS_CHANGE":
        return base
    match (text_at(data, "new_status") or "").upper():
        case "THROTTLED":
            return replace(
                base,
                title="Flow is slowed down",
                severity=Severity.WARNING,
                direction=Direction.WORSE,
            )
        case "BLOCKED":
            return replace(
                base, title="Flow is blocked", severity=Severity.WARNING, direction=Direction.WORSE
            )
        case "PUBLISHED":
            recovers = (text_at(data, "old_status") or "").upper() in {"THROTTLED", "BLOCKED"}
            severity = Severity.WARNING if recovers else Severity.INFO
            return replace(
                base, title="Flow is published", severity=severity, direction=Direction.BETTER
            )
    return base


def calling(base: Meaning, _detail: str | None, data: Mapping[str, Any]) -> Meaning:
    """Whether calls were switched on or off."""
    match (text_at(data, "phone_number_settings.calling.status") or "").upper():
        case "ENABLED":
            return replace(base, title="Calls are switched on")
        case "DISABLED":
            return replace(base, title="Calls are switched off")
    return base


def payment_setup(base: Meaning, detail: str | None, _data: Mapping[str, Any]) -> Meaning:
    """Every status that needs something holds payments up."""
    if (detail or "").upper().startswith("NEEDS"):
        return replace(base, severity=Severity.WARNING, direction=Direction.WORSE)
    return base


def security_sign(base: Meaning, detail: str | None, _data: Mapping[str, Any]) -> Meaning:
    """Whatever happens to the PIN may be a takeover."""
    if (detail or "").upper().startswith("PIN_"):
        return replace(base, direction=Direction.WORSE)
    return base
