"""Events about who is who, as the senders put them; read by the relay's own parser."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import count
from typing import Any

from relay.events import Event
from relay.sources.reading import read

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PHONE = "+491713920011"
WABA = "100000000000101"
CLIENT = "dev001CL"

_ids = count(1)


def event_of(body: dict[str, Any]) -> Event:
    (arrival,) = read(json.dumps(body).encode(), received_at=NOW).arrivals
    return arrival.event


def partner_body(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"evt_{next(_ids)}", "event": kind, "data": data}


def partner(kind: str, data: dict[str, Any]) -> Event:
    return event_of(partner_body(kind, data))


def waba_body(
    kind: str, value: dict[str, Any], waba: str = WABA, at: datetime = NOW
) -> dict[str, Any]:
    return {
        "object": "whatsapp_business_account",
        "entry": [
            {
                "id": waba,
                "time": int(at.timestamp()),
                "changes": [{"field": kind, "value": value}],
            }
        ],
    }


def waba(kind: str, value: dict[str, Any], waba: str = WABA) -> Event:
    return event_of(waba_body(kind, value, waba))


def channel_data(
    *,
    phone: str = "491713920011",
    name: str = "Musterladen Support",
    number: str = "dev001CH",
    client: tuple[str, str] = (CLIENT, "Musterladen GmbH"),
    waba: str | None = WABA,
    waba_360: str = "dev001WA",
) -> dict[str, Any]:
    """The channel object of 360dialog's events and lists."""
    return {
        "id": number,
        "client_id": client[0],
        "client": {"id": client[0], "name": client[1], "contact_info": {"country": "DE"}},
        "setup_info": {"phone_number": phone, "phone_name": name},
        "waba_account": {"id": waba_360, "external_id": waba},
    }


def channel(kind: str = "channel_live", **changes: Any) -> Event:
    return partner(kind, channel_data(**changes))


def template_value(name: str = "order_shipped", status: str = "REJECTED") -> dict[str, Any]:
    return {
        "event": status,
        "message_template_id": 1,
        "message_template_name": name,
        "message_template_language": "en_US",
        "reason": "INVALID_FORMAT",
    }


def template(waba: str = WABA, **changes: str) -> Event:
    return event_of(waba_body("message_template_status_update", template_value(**changes), waba))
