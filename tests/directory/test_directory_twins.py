"""Twins: which two reports are of one happening."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from relay.directory import Completed, Facts, complete, learn
from relay.directory.twins import Happening, happening, twin_key
from relay.events import Event, Source
from tests.directory_cases import (
    CLIENT,
    PHONE,
    WABA,
    channel,
    channel_data,
    partner,
    template,
    waba,
)
from tests.each import each


def reported(event: Event, *others: Event) -> Happening:
    known = Facts(fact for one in (event, *others) for fact in learn(one))
    found = happening(complete(event, known))
    assert found is not None
    return found


def are_twins(one: Event, other: Event) -> bool:
    first, second = reported(one, other, channel()), reported(other, one, channel())
    assert first.is_twin_of(second) == second.is_twin_of(first)
    return first.is_twin_of(second)


def partner_template(**changes: Any) -> Event:
    template = {"name": "order_shipped", "new_status": "REJECTED", "language": "en-US", **changes}
    return partner("waba_template_status_changed", {"id": WABA, "template": template})


def quality(event: str = "flagged", **changes: Any) -> Event:
    data = {**channel_data(**changes), "current_quality_update_event": event}
    return partner("phone_number_quality_changed", data)


def flagged(phone: str = PHONE, event: str = "FLAGGED") -> Event:
    value = {"display_phone_number": phone, "event": event, "current_limit": "TIER_1K"}
    return waba("phone_number_quality_update", value)


def account(event: str, **value: Any) -> Event:
    return waba("account_update", {"event": event, **value})


def violation(kind: str = "SCAM", **data: Any) -> Event:
    return partner("account_violation", {"phone_number": PHONE, "violation_type": kind, **data})


def restricted(*types: str) -> Event:
    info = [{"restriction_type": kind} for kind in types]
    return account("ACCOUNT_RESTRICTION", restriction_info=info)


ADD, START = "RESTRICTED_ADD_PHONE_NUMBER_ACTION", "RESTRICTED_BIZ_INITIATED_MESSAGING"


def restriction(kind: str) -> Event:
    return partner("account_restriction", {"phone_number": PHONE, "violation_type": kind})


SCAM = {"violation_info": {"violation_type": "SCAM"}}


@each(
    ("one", "other"),
    [
        (partner_template(), template()),
        (quality(), flagged()),
        (quality("Downgrade"), flagged(event="DOWNGRADE")),
        (violation(), account("ACCOUNT_VIOLATION", **SCAM)),
        (violation("scam", id=WABA), account("ACCOUNT_VIOLATION", **SCAM, phone_number=PHONE)),
        (restriction(START), restricted(START)),
        (restriction(START), restricted(ADD, START)),
        (restriction("SCAM"), restricted(ADD)),
        (
            partner("account_update", {"id": WABA, "event": "DISABLED_UPDATE"}),
            account("DISABLED_UPDATE"),
        ),
        (
            partner("business_capability_update", {"id": WABA, "max_phone_numbers": 2}),
            waba("business_capability_update", {"max_phone_numbers": 2}),
        ),
        (
            partner(
                "waba_template_category_changed",
                {
                    "id": WABA,
                    "template": {"name": "a", "language": "de", "new_category": "UTILITY"},
                },
            ),
            waba(
                "template_category_update",
                {
                    "message_template_name": "a",
                    "message_template_language": "de",
                    "new_category": "UTILITY",
                },
            ),
        ),
    ],
    ids=lambda event: f"{event.kind}/{event.detail}",
)
def test_both_reports_of_one_happening_are_twins(one: Event, other: Event) -> None:
    assert are_twins(one, other)


@each(
    ("one", "other"),
    [
        (partner_template(name="spring_sale"), template()),
        (partner_template(language="de"), template()),
        (partner_template(new_status="APPROVED"), template()),
        (quality(), flagged("+447700900123")),
        (quality(), flagged(event="UNFLAGGED")),
        (violation("ADULT"), account("ACCOUNT_VIOLATION", **SCAM)),
        (violation(), account("ACCOUNT_VIOLATION", **SCAM, phone_number="+447700900123")),
        (violation(), restricted(ADD)),
        (restriction(START), restricted(ADD)),
        (partner_template(), template(waba="100000000000202")),
        (
            partner(
                "account_update",
                {"id": WABA, "event": "DISABLED_UPDATE", "ban_info": {"waba_ban_state": "DISABLE"}},
            ),
            account("DISABLED_UPDATE", ban_info={"waba_ban_state": "REINSTATE"}),
        ),
        (
            partner("business_capability_update", {"id": WABA, "max_phone_numbers": 2}),
            waba("business_capability_update", {"max_phone_numbers": 20}),
        ),
    ],
    ids=lambda event: f"{event.kind}/{event.detail}",
)
def test_different_happenings_are_no_twins(one: Event, other: Event) -> None:
    assert not are_twins(one, other)


def test_another_number_of_the_same_account_is_another_subject() -> None:
    other = quality(phone="447700900123", number="dev009CH")
    assert not are_twins(other, flagged())


def test_a_report_of_the_account_is_a_twin_of_one_about_its_number() -> None:
    scam = account("ACCOUNT_VIOLATION", **SCAM)
    said = violation()
    assert said.waba is None
    assert scam.phones == ()
    assert are_twins(said, scam)


def test_without_a_directory_a_number_and_an_account_are_different_subjects() -> None:
    assert not reported(violation()).is_twin_of(reported(account("ACCOUNT_VIOLATION", **SCAM)))


def test_the_client_is_the_subject_where_nothing_else_is() -> None:
    one = replace(template(), waba=None, client=replace(template().client, id=CLIENT))
    assert reported(one).is_twin_of(reported(replace(one, source=Source.PARTNER)))
    assert not reported(one).is_twin_of(
        reported(replace(one, client=replace(one.client, id="other")))
    )


def test_an_event_about_nobody_has_no_twin() -> None:
    nobody = replace(template(), waba=None)
    assert happening(Completed(nobody)) is None


@pytest.mark.parametrize(
    "event",
    [
        channel(),
        partner("client_created", {"id": CLIENT}),
        replace(template(), test=True),
        replace(template(), source=Source.RELAY),
        partner("phone_number_quality_changed", channel_data()),
    ],
    ids=lambda event: event.kind,
)
def test_some_events_never_have_a_twin(event: Event) -> None:
    assert twin_key(event) is None


def test_a_report_that_names_more_is_news() -> None:
    both, one = reported(restricted(ADD, START)), reported(restriction(START))
    assert both.adds_to(one)
    assert not one.adds_to(both)
    assert not reported(flagged()).adds_to(reported(quality()))


def test_two_payments_of_one_account_have_different_keys() -> None:
    keys = {
        twin_key(replace(template(), kind="payment", detail="captured", data={"payment": {"x": n}}))
        for n in range(2)
    }
    assert len(keys) == 2
