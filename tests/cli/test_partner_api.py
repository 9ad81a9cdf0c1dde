"""The client of 360dialog's Partner API, against a fake of it on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import web

from relay.directory import Contact
from relay.errors import UsageError
from relay.partner_api import TRIES, Access, PartnerApiError, connect
from tests.directory_cases import CLIENT, PHONE, WABA, channel_data
from tests.fakes.partner_api import KEY, FakePartnerApi


@pytest.fixture
async def fake() -> AsyncIterator[FakePartnerApi]:
    async with FakePartnerApi() as one:
        yield one


def numbers(count: int) -> list[dict[str, object]]:
    return [
        channel_data(phone=f"4917139{index:05}", number=f"n{index}CH") for index in range(count)
    ]


async def contacts(fake: FakePartnerApi, **changes: str) -> Sequence[Contact]:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    fake_pauses[fake] = pauses
    async with connect(fake.access(**changes), pause=pause) as api:
        return await api.contacts()


fake_pauses: dict[FakePartnerApi, list[float]] = {}


async def test_a_channel_becomes_a_contact(fake: FakePartnerApi) -> None:
    fake.channels = [channel_data()]
    assert await contacts(fake) == [
        Contact(
            phone=PHONE,
            name="Musterladen Support",
            waba=WABA,
            waba_360="dev001WA",
            client_id=CLIENT,
            client_name="Musterladen GmbH",
            channel="dev001CH",
            country="DE",
        )
    ]


@pytest.mark.parametrize("wrapping", ["partner_channels", "data", "whatever", ""])
@pytest.mark.parametrize("tells_total", [True, False])
async def test_all_pages_are_read_however_they_are_wrapped(
    fake: FakePartnerApi, wrapping: str, tells_total: bool
) -> None:
    fake.channels, fake.largest_page = numbers(25), 10
    fake.wrapping, fake.tells_total = wrapping, tells_total
    found = await contacts(fake)
    assert len({one.phone for one in found}) == len(found) == 25
    assert fake.asked[0].headers["X-API-Key"] == KEY


async def test_a_total_that_only_counts_its_page_ends_no_list(fake: FakePartnerApi) -> None:
    fake.script = [
        web.json_response({"total": len(page), "channels": page})
        for page in (numbers(250)[start : start + 100] for start in (0, 100, 200))
    ]
    assert len(await contacts(fake)) == 250


async def test_a_page_that_is_empty_before_the_total_that_was_told_is_no_end(
    fake: FakePartnerApi,
) -> None:
    fake.script = [
        web.json_response({"total": 3, "channels": numbers(1)}),
        web.json_response({"channels": []}),
    ]
    async with connect(fake.access(), tries=1) as api:
        with pytest.raises(PartnerApiError, match="1 of 3 channels"):
            await api.look()


async def test_an_api_that_ignores_the_offset_does_not_hang_it(fake: FakePartnerApi) -> None:
    fake.channels, fake.knows_offset, fake.tells_total = numbers(7), False, False
    assert len(await contacts(fake)) == 7
    assert len(fake.asked) == 2


async def test_no_channels_are_no_contacts(fake: FakePartnerApi) -> None:
    assert await contacts(fake) == []


async def test_it_waits_as_long_as_it_is_told(fake: FakePartnerApi) -> None:
    fake.channels = numbers(1)
    fake.script = [
        web.Response(status=429, headers={"Retry-After": "7"}),
        web.Response(status=503),
        web.Response(status=429, headers={"Retry-After": "999999"}),
    ]
    assert len(await contacts(fake)) == 1
    assert fake_pauses[fake] == [7, 2, 60]


async def test_it_gives_up_in_the_end(fake: FakePartnerApi) -> None:
    fake.script = [web.Response(status=429) for _ in range(TRIES + 1)]
    with pytest.raises(PartnerApiError, match="answers 429, 5 times"):
        await contacts(fake)
    assert len(fake.asked) == TRIES


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (web.Response(status=302, headers={"Location": "https://example.com"}), "answers 302"),
        (web.Response(status=403), "refuses the key"),
        (web.Response(text="<html>"), "no JSON"),
        (web.Response(text="[" * 100_000), "no JSON"),
        (web.Response(text='{"a": 1}'), "no list of channels"),
        (web.Response(text="[1]"), "no list of channels"),
        (web.Response(text="null"), "no list of channels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_bad_answer_is_one_clear_line(
    fake: FakePartnerApi, answer: web.Response, said: str
) -> None:
    fake.script = [answer]
    with pytest.raises(PartnerApiError, match=said) as caught:
        await contacts(fake)
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)


async def test_a_wrong_key_and_a_wrong_partner_are_named(fake: FakePartnerApi) -> None:
    with pytest.raises(PartnerApiError, match="RELAY_360DIALOG_API_KEY"):
        await contacts(fake, api_key="wrong")
    with pytest.raises(PartnerApiError, match="RELAY_360DIALOG_PARTNER_ID"):
        await contacts(fake, partner_id="other/../dev01PA")
    assert fake.asked[-1].raw_path.startswith("/api/v2/partners/other%2F..%2Fdev01PA/")


async def test_an_api_that_is_not_there_is_named(fake: FakePartnerApi) -> None:
    async def pause(_: float) -> None:
        pass

    access = fake.access(base_url="http://127.0.0.1:1")
    with pytest.raises(PartnerApiError, match="cannot be reached"):
        async with connect(access, pause=pause) as api:
            await api.contacts()


async def test_an_ended_channel_counts_only_where_the_number_has_no_other(
    fake: FakePartnerApi,
) -> None:
    ended = {**channel_data(number="oldCH"), "status": "terminated"}
    fake.channels = [channel_data(), ended]
    assert [one.channel for one in await contacts(fake)] == ["dev001CH"]
    fake.channels = [ended]
    assert [one.ended for one in await contacts(fake)] == [True]


async def test_odd_channels_do_no_harm(fake: FakePartnerApi) -> None:
    fake.channels = [{}, {"id": None, "setup_info": [], "client": "x"}, channel_data()]
    assert [one.phone for one in await contacts(fake)] == [None, None, PHONE]


ENV = {"RELAY_360DIALOG_PARTNER_ID": "dev01PA", "RELAY_360DIALOG_API_KEY": KEY}


def test_the_key_is_in_no_repr() -> None:
    assert KEY not in repr(Access.of(ENV))


@pytest.mark.parametrize("name", sorted(ENV))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(UsageError, match=name):
        Access.of({**ENV, name: " "})


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ("https://hub.360dialog.io", "https://hub.360dialog.io"),
        ("https://gateway.example/x/api/v2/", "https://gateway.example/x"),
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_the_address_may_be_given(given: str, base: str) -> None:
    assert Access.of({**ENV, "RELAY_360DIALOG_API_URL": given}).base_url == base


@pytest.mark.parametrize(
    "given", ["http://gateway.example", "ftp://x", "hub.360dialog.io", "https://[", "https://u@h"]
)
def test_an_address_that_cannot_be_used_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="RELAY_360DIALOG_API_URL"):
        Access.of({**ENV, "RELAY_360DIALOG_API_URL": given})
