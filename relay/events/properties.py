"""What can be watched of a number, in the one vocabulary of all senders."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from relay.events import Event, Source, Topic
from relay.events.meanings import NEW_LIMITS, RATINGS, first_text, tier, tier_name


class Property(StrEnum):
    """What is watched of a number; the value is the kind of the events."""

    QUALITY = "quality_watch"
    LIMIT = "limit_watch"
    STATUS = "status_watch"
    NAME = "name_watch"


_COLOURS = {3: "GREEN", 2: "YELLOW", 1: "RED"}


def _words(words: str, **others: str) -> Mapping[str, str]:
    """Values by their spellings; `others` are further ones."""
    return {word: word for word in words.split()} | others


_STATES = _words(
    "CREATED PENDING SUBMITTED VERIFIED UNVERIFIED READY RUNNING LIVE CONNECTED DISCONNECTED"
    " ERROR SUSPENDED DISABLED STOPPED PAUSED FLAGGED RESTRICTED RATE_LIMITED BANNED MIGRATED"
    " MIGRATING CANCELLED PENDING_DELETION",
    CANCELED="CANCELLED",
    TERMINATING="PENDING_DELETION",
    FAILED="ERROR",
    BLOCKED="BANNED",
    OFFLINE="DISCONNECTED",
)
_NAME_STATES = _words(
    "APPROVED DECLINED EXPIRED PENDING_REVIEW AVAILABLE_WITHOUT_REVIEW DEFERRED NONE",
    REJECTED="DECLINED",
    PENDING="PENDING_REVIEW",
    NON_EXISTS="NONE",
)


def spelled(which: Property, said: str) -> str | None:
    """A value in the one vocabulary; None where the spelling is not known."""
    word = "_".join(said.upper().replace("-", " ").split())
    match which:
        case Property.QUALITY:
            return _COLOURS.get(RATINGS.get(word.removesuffix("_QUALITY"), 0))
        case Property.LIMIT:
            size = tier(said.strip().replace(" ", "_"))
            return None if size is None else tier_name(size)
        case Property.STATUS:
            return _STATES.get(word)
        case Property.NAME:
            return _NAME_STATES.get(word)


_NUMBER = "number"
_STATUS_KINDS = {"channel_ready": "READY", "channel_running": "RUNNING", "channel_live": "LIVE"}
_NUMBER_KINDS = {"channel_created": "APPEARED", "cancellation_processed": "GONE"}
_NUMBER_QUALITY = ("phone_number_quality_changed", "phone_number_quality_update")


def new_value(event: Event) -> tuple[str, str] | None:
    """Which property of its number an event tells a new value of, and the value, if any."""
    kind, data = event.kind.lower(), event.data
    if event.source is Source.WATCH:
        return (kind.removesuffix("_watch"), event.detail) if event.detail else None
    which, said = None, None
    if kind in _NUMBER_KINDS:
        return _NUMBER, _NUMBER_KINDS[kind]
    if kind in _STATUS_KINDS:
        which, said = Property.STATUS, _STATUS_KINDS[kind]
    elif kind == "channel_status_changed":
        which, said = Property.STATUS, first_text(data, "status")
    elif kind == "phone_number_name_update":
        which, said = Property.NAME, event.detail
    elif kind == "business_capability_update" or (
        kind in _NUMBER_QUALITY and event.topic is Topic.LIMIT
    ):
        which, said = Property.LIMIT, first_text(data, *NEW_LIMITS)
    elif kind in _NUMBER_QUALITY:
        which, said = Property.QUALITY, first_text(data, "current_quality_rating", "quality_rating")
    value = spelled(which, said) if which and said else None
    return (which.value.removesuffix("_watch"), value) if which and value else None
