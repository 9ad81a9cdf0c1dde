"""The bodies that come with the relay are what those who take them say that they take."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from relay import samples
from relay.events import Event
from relay.messages.templates import Templates
from relay.preview import events, preview
from tests.message_cases import BERLIN, FOLDER

TEXT = {"type": "string", "minLength": 1}
TAKEN: dict[str, dict[str, Any]] = {
    # Mattermost, "Incoming webhooks": text or attachments; a post has at most 16,383 characters.
    "mattermost": {
        "properties": {"text": {**TEXT, "maxLength": 16_383}},
        "required": ["text"],
        "additionalProperties": False,
    },
    # Google Chat, reference of `spaces.messages`: 32,000 bytes in all, of at most 4 a character.
    "google-chat": {
        "properties": {"text": {**TEXT, "maxLength": 7_900}},
        "required": ["text"],
        "additionalProperties": False,
    },
    # PagerDuty, Events API v2, "Send an alert event" (PD-CEF); `routing_key` is put in when it is
    # sent.
    "pagerduty": {
        "properties": {
            "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
            "dedup_key": {**TEXT, "maxLength": 255},
            "client": TEXT,
            "payload": {
                "type": "object",
                "properties": {
                    "summary": {**TEXT, "maxLength": 1024},
                    "severity": {"enum": ["critical", "error", "warning", "info"]},
                    "source": TEXT,
                    "group": TEXT,
                    "class": TEXT,
                    "custom_details": {"type": "object"},
                },
                "required": ["summary", "severity", "source"],
                "additionalProperties": False,
            },
        },
        "required": ["event_action", "payload"],
        "additionalProperties": False,
    },
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    return Templates.load(FOLDER)


def cases() -> Iterator[tuple[str, Event]]:
    """Every sample, and one whose sender wrote as much as he could."""
    for name in samples.names():
        for event in events(name):
            yield name, event
    (event,) = events("channel_live")
    much = '"}, {"@all": <!channel> **' * 4_000
    client = replace(event.client, name=much)
    yield "much", replace(event, phone_name=much, client=client, phones=(), waba=None)


@pytest.mark.parametrize("name", TAKEN)
@pytest.mark.parametrize("language", ["en", "de"])
def test_a_body_is_what_its_receiver_takes_whatever_happened(
    templates: Templates, name: str, language: str
) -> None:
    schema = Draft202012Validator({"type": "object", **TAKEN[name]})
    for sample, event in cases():
        shown = preview(
            sample,
            event,
            templates,
            BERLIN,
            channels=["webhook"],
            language=language,
            template=name,
        )
        (written,) = shown.written
        assert (written.message.fault, written.made_by) == (None, f"{name}.json.j2"), sample
        assert sample == "much" or written.message.missing == ()
        assert [fault.message for fault in schema.iter_errors(written.payload["body"])] == []
