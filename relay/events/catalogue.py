"""The catalogue: every known kind of event, where its detail stands, and what each detail means.

A kind that is not here is an event like any other: topic `other`, told as a new kind. The kinds
and details are those of 360dialog's Partner API and of Meta's webhook reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from relay.events import Direction, Severity, Source, Topic, details, meanings
from relay.events.details import bad, good, grave, plain, relief
from relay.events.meanings import Meaning, first_text, text_at

Sharpen = Callable[[Meaning, str | None, Mapping[str, Any]], Meaning]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event, and what it means by default."""

    name: str
    source: Source
    description: str
    """One line for `relay kinds`."""
    meaning: Meaning
    """Of a detail that the table does not know, or of none."""
    meanings: Mapping[str, Meaning] = field(default_factory=dict)
    """By detail, as the sender spells it."""
    places: tuple[str, ...] = ()
    """Dotted paths into the data at which the detail may stand, the likeliest first."""
    sharpen: Sharpen | None = None
    """Reads from the data what kind and detail leave open."""

    @property
    def details(self) -> tuple[str, ...]:
        """The known details, as the sender spells them."""
        return tuple(self.meanings)

    @property
    def topics(self) -> tuple[Topic, ...]:
        """Every topic that an event of this kind may have."""
        said = (self.meaning, *self.meanings.values())
        return tuple(dict.fromkeys(meaning.topic for meaning in said))


def _account_update(base: Meaning, detail: str | None, data: Mapping[str, Any]) -> Meaning:
    match (detail or "").upper():
        case "DISABLED_UPDATE":
            return meanings.ban(base, detail, data)
        case "ACCOUNT_VIOLATION":
            return meanings.violation(base, detail, data)
        case "ACCOUNT_RESTRICTION":
            return meanings.restriction(base, detail, data)
        case "PARTNER_CLIENT_CERTIFICATION_STATUS_UPDATE":
            return meanings.certification(base, detail, data)
    return base


def _kind(
    source: Source,
    name: str,
    topic: Topic,
    said: details.Said,
    description: str,
    known: Mapping[str, Meaning] | None = None,
    *,
    places: tuple[str, ...] = (),
    sharpen: Sharpen | None = None,
) -> Kind:
    return Kind(
        name=name,
        source=source,
        description=description,
        meaning=Meaning(topic, *said),
        meanings=MappingProxyType(dict(known or {})),
        places=(*places, *(f"{place}.{name}" for place in places for name in ("event", "status"))),
        sharpen=sharpen,
    )


_P, _W, _A, _R = Source.PARTNER, Source.WABA, Source.WATCH, Source.RELAY
_TABLE = (
    _kind(_P, "client_created", Topic.ONBOARDING, plain("New client registered"),
          "A new client registered under the partner"),
    _kind(_P, "channel_created", Topic.ONBOARDING, plain("Number created"),
          "A client finished its signup and the number was created"),
    _kind(_P, "channel_submitted", Topic.ONBOARDING, plain("Number submitted to Meta"),
          "The number was submitted to Meta"),
    _kind(_P, "channel_ready", Topic.ONBOARDING, plain("Number is ready to be registered"),
          "The number can be registered"),
    _kind(_P, "channel_running", Topic.ONBOARDING, good("Number is running"),
          "The number went into the running state"),
    _kind(_P, "channel_live", Topic.ONBOARDING, good("Number is live"), "The number is live"),
    _kind(_P, "channel_permission_granted", Topic.ONBOARDING,
          good("Permission for the number granted"),
          "The client lets the partner use the number; its API key can be made"),
    _kind(_P, "channel_permission_revoked", Topic.ONBOARDING,
          bad("Permission for the number revoked"),
          "The client took the permission for the number back"),
    _kind(_P, "channel_subscription_set", Topic.BILLING, plain("Billing of the number starts"),
          "The subscription was set: billing of the number starts"),
    _kind(_P, "template_messaging_enabled", Topic.ONBOARDING, good("Template messaging enabled"),
          "The number may send template messages"),
    _kind(_P, "template_messaging_disabled", Topic.ONBOARDING, bad("Template messaging disabled"),
          "The number may not send template messages"),
    _kind(_P, "phone_number_quality_changed", Topic.QUALITY,
          ("Quality of the number changed", Severity.WARNING, Direction.NEUTRAL),
          "Quality flag or messaging limit of a number, as 360dialog tells it",
          details.NUMBER_QUALITY,
          places=("current_quality_update_event", "quality_update_event", "event"),
          sharpen=meanings.number_quality),
    _kind(_P, "account_violation", Topic.VIOLATION, grave("Policy violated"),
          "The account violated a policy; the detail is the violation type", details.VIOLATION,
          places=("violation_type", "violation_info.violation_type")),
    _kind(_P, "account_restriction", Topic.RESTRICTION, grave("Account restricted"),
          "The account was restricted; the detail is the restriction's type", details.RESTRICTION,
          places=("violation_type", "restriction_info.restriction_type", "restriction_type")),
    _kind(_P, "waba_template_status_changed", Topic.TEMPLATE, plain("Template status changed"),
          "A template was approved, rejected, flagged or the like, as 360dialog tells it",
          details.TEMPLATE_STATUS, sharpen=meanings.template_status,
          places=("template.new_status", "template.status", "new_status", "status", "event")),
    _kind(_P, "waba_template_category_changed", Topic.TEMPLATE, plain("Template category changed"),
          "The category of a template changes, as 360dialog tells it",
          sharpen=meanings.category_change),
    _kind(_P, "channel_status_changed", Topic.ONBOARDING, plain("Status of the number changed"),
          "The status of a number at 360dialog changed", details.CHANNEL_STATUS,
          places=("status", "new_status")),
    _kind(_P, "cancellation_request", Topic.CANCELLATION, bad("Cancellation requested"),
          "The client cancels a number; it can be revoked until the end of the month"),
    _kind(_P, "cancellation_revoke", Topic.CANCELLATION, relief("Cancellation revoked"),
          "The client took its cancellation back"),
    _kind(_P, "cancellation_processed", Topic.CANCELLATION, bad("Cancellation processed"),
          "The cancellation was carried out and the number is deleted"),
    _kind(_W, "phone_number_name_update", Topic.NAME, plain("Display name changed"),
          "The decision about a display name", details.DISPLAY_NAME, places=("decision",)),
    _kind(_W, "phone_number_quality_update", Topic.QUALITY,
          ("Quality of the number changed", Severity.WARNING, Direction.NEUTRAL),
          "Quality flag or messaging limit of a number", details.NUMBER_QUALITY, places=("event",),
          sharpen=meanings.number_quality),
    _kind(_W, "account_update", Topic.OTHER, plain("Account changed"),
          "Bans, violations, restrictions, partners and prices of an account", details.ACCOUNT,
          places=("event",), sharpen=_account_update),
    _kind(_W, "account_review_update", Topic.REVIEW, plain("Account review changed"),
          "The decision of Meta's account review", details.REVIEW, places=("decision",)),
    _kind(_W, "message_template_status_update", Topic.TEMPLATE, plain("Template status changed"),
          "A template was approved, rejected, paused or the like", details.TEMPLATE_STATUS,
          places=("event",), sharpen=meanings.template_status),
    _kind(_W, "message_template_quality_update", Topic.TEMPLATE, plain("Template quality changed"),
          "The quality score of a template changed", details.TEMPLATE_QUALITY,
          places=("new_quality_score",), sharpen=meanings.template_quality),
    _kind(_W, "template_category_update", Topic.TEMPLATE, plain("Template category changed"),
          "The category of a template changed, or will", sharpen=meanings.category_change),
    _kind(_W, "business_capability_update", Topic.LIMIT, plain("Limits of the business changed"),
          "How many messages a day and how many numbers a business may have",
          sharpen=meanings.limit_change),
    _kind(_W, "payment", Topic.BILLING, plain("Payment changed"),
          "The status of a payment in a chat; nothing else of the chat is kept", details.PAYMENT,
          places=("status",)),
    _kind(_W, "message_errors", Topic.OTHER, bad("Meta reports an error"),
          "An error of the platform that comes without any chat; the detail is its code",
          places=("errors.code",)),
    _kind(_W, "payment_configuration_update", Topic.BILLING, plain("Payment configuration changed"),
          "Whether a payment configuration works", details.PAYMENT_SETUP, places=("status",),
          sharpen=meanings.payment_setup),
    _kind(_W, "security", Topic.SECURITY,
          ("Security of the number changed", Severity.CRITICAL, Direction.NEUTRAL),
          "Changes of the two-step PIN: the plainest sign of a takeover", details.SECURITY,
          places=("event",), sharpen=meanings.security_sign),
    _kind(_W, "account_alerts", Topic.OTHER, plain("Account alert"),
          "Meta's alerts about an account, with Meta's severity", details.ALERT,
          places=("alert_info.alert_type", "alert_type"), sharpen=meanings.alert),
    _kind(_W, "business_status_update", Topic.OTHER, plain("Business status changed"),
          "The status of a business, such as a compromised one", details.BUSINESS_STATUS,
          places=("event",)),
    _kind(_W, "business_username_updates", Topic.NAME, plain("Username changed"),
          "The username of a business was reserved, approved or deleted", details.USERNAME,
          places=("status",)),
    _kind(_W, "business_username_update", Topic.NAME, plain("Username changed"),
          "The same under another spelling", details.USERNAME, places=("status",)),
    _kind(_W, "template_correct_category_detection", Topic.TEMPLATE,
          bad("Template is in the wrong category"),
          "Meta found that a utility template is used for marketing; repeated, it restricts"),
    _kind(_W, "message_template_components_update", Topic.TEMPLATE, plain("Template was edited"),
          "The text of a template was edited, by whom nobody says"),
    _kind(_W, "flows", Topic.TEMPLATE, plain("Flow changed"),
          "Status and health of a flow", details.FLOW, places=("event",), sharpen=meanings.flow),
    _kind(_W, "account_settings_update", Topic.OTHER, plain("Settings of the number changed"),
          "Settings of a number, such as whether it takes calls", places=("type",),
          sharpen=meanings.calling),
    _kind(_W, "partner_solutions", Topic.PARTNER, plain("Partner solution changed"),
          "The status of a partner solution", details.SOLUTION,
          places=("solution_status",)),
    _kind(_W, "group_status_update", Topic.RESTRICTION, plain("Status of a group changed"),
          "A group was suspended, or is no longer; subjects and links are never kept",
          details.GROUP_STATUS, places=("groups.type",)),
    _kind(_A, "quality_watch", Topic.QUALITY, plain("Quality of the number changed"),
          "The quality rating of a number is another than at the last look",
          details.QUALITY_WATCH, sharpen=meanings.quality_watch),
    _kind(_A, "limit_watch", Topic.LIMIT, plain("Messaging limit changed"),
          "The messaging limit of a number is another than at the last look",
          sharpen=meanings.limit_watch),
    _kind(_A, "status_watch", Topic.ONBOARDING, plain("Status of the number changed"),
          "The status of a number at 360dialog is another than at the last look",
          details.STATUS_WATCH),
    _kind(_A, "name_watch", Topic.NAME, plain("Review of the display name changed"),
          "The status of a display name is another than at the last look", details.NAME_WATCH),
    _kind(_A, "number_watch", Topic.ONBOARDING, plain("List of numbers changed"),
          "A number appeared in 360dialog's list, or is gone from it", details.NUMBER_WATCH),
    _kind(_R, "relay_alarm", Topic.OTHER, bad("The relay needs attention"),
          "A trouble of the relay itself"),
    _kind(_R, "relay_digest", Topic.OTHER, plain("Messages that were held"),
          "What was held in quiet hours or for a digest, as one message"),
    _kind(_R, "relay_test", Topic.OTHER, plain("Test message"), "A test by a person"),
)  # fmt: skip

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in _TABLE})
"""Every known kind by its name, Partner kinds first, in the order of a number's life."""

_BY_DETAIL = {
    kind.name: {detail.casefold(): meaning for detail, meaning in kind.meanings.items()}
    for kind in _TABLE
}
_UNKNOWN = Meaning(Topic.OTHER, *plain("New kind of event"))


_HIGHER = "account_alerts.INCREASED_CAPABILITIES_ELIGIBILITY"
_TOLD_AS: Mapping[str, str] = {
    "phone_number_quality_changed": "phone_number_quality_update",
    "waba_template_status_changed": "message_template_status_update",
    "waba_template_category_changed": "template_category_update",
    "business_username_update": "business_username_updates",
    "account_violation": "account_update.ACCOUNT_VIOLATION",
    "account_restriction": "account_update.ACCOUNT_RESTRICTION",
    "phone_number_quality_update.upgrade": "phone_number_quality_update.DOWNGRADE",
    "phone_number_quality_update.unflagged": "phone_number_quality_update.FLAGGED",
    "account_update.partner_app_uninstalled": "account_update.PARTNER_APP_INSTALLED",
    "account_update.account_reconnected": "account_update.ACCOUNT_OFFBOARDED",
    "account_alerts.oba_rejected": "account_alerts.OBA_APPROVED",
    f"{_HIGHER}_deferred".lower(): f"{_HIGHER}_FAILED",
    f"{_HIGHER}_need_more_info".lower(): f"{_HIGHER}_FAILED",
}
"""Kinds, and details, for which another's template speaks: twins of both families share one."""


def templates_of(kind: str, detail: str | None) -> Iterator[str]:
    """Whose templates speak for an event, the first choice first.

    A template of the kind's own goes before that of its twin in the other family.
    """
    for name in (kind, _TOLD_AS.get(kind.lower())):
        if name is None:
            return
        if detail and "." not in name:
            yield f"{name}.{detail}"
            if shared := _TOLD_AS.get(f"{name}.{detail}".lower()):
                yield shared
        yield name


def describe(
    source: Source,  # noqa: ARG001 -- part of what an event is; no kind differs by it yet
    kind: str,
    detail: str | None,
    data: Mapping[str, Any],
) -> Meaning:
    """What an event means, read from kind, detail and data; the case of the first two is free.

    Both families share one table: Meta's kinds also come in the Partner envelope.
    """
    known = KINDS.get(kind.lower())
    if known is None:
        name = re.sub(r"[^A-Za-z0-9_.-]+", " ", kind[:80]).strip()[:60] or "without a name"
        return replace(_UNKNOWN, title=f"New kind of event: {name}")
    meaning = _BY_DETAIL[known.name].get((detail or "").casefold(), known.meaning)
    return known.sharpen(meaning, detail, data) if known.sharpen else meaning


def detail_of(kind: str, data: Mapping[str, Any]) -> str | None:
    """The detail as the sender spells it; None where the kind has none or it is missing."""
    known = KINDS.get(kind.lower())
    if known is None:
        value = data.get("event")
        return text_at(data, "event") if isinstance(value, str) else None
    return first_text(data, *known.places)
