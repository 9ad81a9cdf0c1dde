"""Senders that come slowly, in halves or in thousands: they end, and hold up nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from relay.settings import Address
from relay.web import senders
from relay.web.senders import LARGEST_BODY, Doors, Room, Runner, read_body
from tests.client import partner
from tests.conftest import Start
from tests.needs import PATIENCE
from tests.raw import Raw, head

Serve = Callable[..., Awaitable[Address]]
SOON = 0.3


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """A server that reads bodies, with deadlines that a test can wait for."""
    async with AsyncExitStack() as stack:

        async def run(
            doors: Doors, room: Room | None = None, until: asyncio.Event | None = None
        ) -> Address:
            kept = room or Room()

            async def take(request: web.Request) -> web.StreamResponse:
                body = await read_body(request, kept, deadline=SOON)
                if until is not None:
                    await until.wait()
                if isinstance(body, web.Response):
                    return body
                kept.give_back(len(body))
                return web.Response(text="taken")

            runner = Runner(doors, grace=0.1)
            runner.app.router.add_post("/webhooks/360dialog", take)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            return Address("127.0.0.1", runner.addresses[0][1])

        yield run


def impatient(most: int = 100) -> Doors:
    return Doors(most=most, deadline=SOON)


async def test_a_connection_that_says_nothing_is_closed(serve: Serve) -> None:
    async with Raw(await serve(impatient())) as silent:
        assert await silent.rest() == b""


async def test_a_head_that_drips_is_cut_at_its_deadline(serve: Serve) -> None:
    """Each byte starts no new deadline."""
    address = await serve(impatient())
    async with Raw(address) as slow:
        answered = asyncio.create_task(slow.status())
        for byte in head(length=5):
            if answered.done():
                break
            await slow.say(byte)
            await asyncio.wait([answered], timeout=SOON / 10)
        else:
            pytest.fail("it took the whole head, in ten times its deadline and more")
        # A byte that crosses the 408 on its way may cost it.
        assert await answered in (0, 408)


async def test_a_body_that_drips_is_cut_at_its_deadline_with_408(serve: Serve) -> None:
    async with Raw(await serve(impatient())) as slow:
        await slow.say(head(length=500) + "half")
        assert await slow.status() == 408


async def test_the_second_head_on_a_connection_has_the_same_deadline(serve: Serve) -> None:
    async with Raw(await serve(impatient())) as kept:
        await kept.say(head(length=2) + "{}")
        await kept.reader.readuntil(b"taken")
        await kept.say("POST /webh")
        assert await kept.status() == 408


async def test_requests_in_one_packet_are_all_answered(serve: Serve) -> None:
    async with Raw(await serve(impatient())) as eager:
        await eager.say((head(length=2) + "{}") * 3)
        for _ in range(3):
            assert await eager.status() == 200
            await eager.reader.readuntil(b"taken")


async def test_a_sender_that_closed_its_side_still_gets_its_answer(serve: Serve) -> None:
    async with Raw(await serve(impatient())) as half:
        await half.say(head(length=2) + "{}")
        half.writer.write_eof()
        assert await half.status() == 200
        assert (await half.rest()).endswith(b"taken")


async def test_a_sender_that_closes_its_side_while_it_waits_gets_its_answer(
    serve: Serve,
) -> None:
    until = asyncio.Event()
    doors = Doors(most=10)
    async with Raw(await serve(doors, until=until)) as half:
        await half.say(head(length=2) + "{}")
        await at_work(doors, 1)
        half.writer.write_eof()
        answer = asyncio.create_task(half.status())
        await asyncio.wait([answer], timeout=0.05)
        until.set()
        assert await answer == 200


async def test_half_a_body_and_no_more_ends_without_waiting_for_the_deadline(serve: Serve) -> None:
    doors = Doors(most=10, deadline=60)
    async with Raw(await serve(doors)) as half:
        await half.say(head(length=500) + "half")
        half.writer.write_eof()
        assert await half.status() in (0, 400)


async def test_half_a_head_and_no_more_ends_before_its_deadline(serve: Serve) -> None:
    doors = Doors(most=10, deadline=5)
    async with Raw(await serve(doors)) as half:
        await half.say("POST /webh")
        half.writer.write_eof()
        assert await half.status() == 0


async def at_work(doors: Doors, count: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while sum(door.request is not None for door in doors.open.values()) < count:
            await asyncio.sleep(0.001)


async def test_when_all_places_are_taken_a_further_sender_gets_503(serve: Serve) -> None:
    doors = Doors(most=2)
    address = await serve(doors)
    async with Raw(address) as one, Raw(address) as two:
        await one.say(head(length=50) + "{")
        await two.say(head(length=50) + "{")
        await at_work(doors, 2)
        async with Raw(address) as third:
            assert await third.status() == 503
            assert b"Retry-After" in await third.rest()
    async with asyncio.timeout(PATIENCE):
        while doors.open:
            await asyncio.sleep(0.001)
    async with Raw(address) as real:
        await real.say(head(length=2) + "{}")
        assert await real.status() == 200


async def test_closed_connections_are_forgotten(serve: Serve) -> None:
    doors = impatient()
    address = await serve(doors)
    for _ in range(20):
        async with Raw(address) as one:
            await one.say(head(length=2) + "{}")
            assert await one.status() == 200
    async with asyncio.timeout(PATIENCE):
        while doors.open:
            await asyncio.sleep(0.01)


async def test_large_bodies_beyond_the_room_get_503_and_small_ones_still_go_through(
    serve: Serve,
) -> None:
    address = await serve(impatient(), Room(100_000))
    large = senders.SMALL_BODY + 90_000
    async with Raw(address) as first, Raw(address) as second:
        await first.say(head(length=large + 1))
        await first.say(b"x" * large)
        await second.say(head(length=large + 1))
        await second.say(b"x" * large)
        assert sorted([await first.status(), await second.status()]) == [408, 503]
    async with Raw(address) as third:
        await third.say(head(length=large))
        await third.say(b"x" * large)
        assert await third.status() == 200


async def test_a_promise_of_megabytes_takes_no_room(serve: Serve) -> None:
    address = await serve(impatient(), Room(1))
    async with Raw(address) as promising, Raw(address) as real:
        await promising.say(head(length=LARGEST_BODY) + "x")
        await real.say(head(length=2) + "{}")
        assert await real.status() == 200


def test_the_process_may_have_connections() -> None:
    assert senders.most_connections() >= 16


CLOSED = {
    "413, announced": (413, head(length=LARGEST_BODY + 1).encode()),
    "413, in chunks": (
        413,
        head(more="Transfer-Encoding: chunked\r\n").encode()
        + b"100000\r\n%b\r\n" % (b"x" * 0x100000) * 4,
    ),
    "503, no room": (503, head(length=LARGEST_BODY).encode() + b"x" * (LARGEST_BODY - 1)),
}


@pytest.mark.parametrize(("status", "said"), CLOSED.values(), ids=CLOSED)
async def test_after_a_refused_body_the_connection_is_closed(
    serve: Serve, status: int, said: bytes
) -> None:
    """What comes after it would be taken for the next request."""
    address = await serve(Doors(most=10), Room(1 if status == 503 else 10**9))
    async with Raw(address) as sender:
        answer = asyncio.create_task(sender.status())
        with contextlib.suppress(ConnectionError):
            await sender.say(said)
        assert await answer == status
        assert b"Connection: close" in await sender.rest()


async def test_after_a_body_that_breaks_the_connection_is_closed(serve: Serve) -> None:
    doors = Doors(most=10)
    async with Raw(await serve(doors)) as sender:
        await sender.say(head(more="Transfer-Encoding: chunked\r\n") + "2\r\n{}\r\n")
        await at_work(doors, 1)
        await sender.say("zz\r\n")
        assert await sender.status() in (400, 408)
        assert b"Connection: close" in await sender.rest()


async def test_what_was_refused_gives_its_room_back(serve: Serve) -> None:
    room = Room(LARGEST_BODY)
    address = await serve(impatient(), room)
    for _, said in CLOSED.values():
        async with Raw(address) as sender:
            with contextlib.suppress(ConnectionError):
                await sender.say(said)
            await sender.rest()
    async with asyncio.timeout(PATIENCE):
        while room.left != LARGEST_BODY:
            await asyncio.sleep(0.001)


async def test_the_socket_of_commands_is_its_owners_alone(start: Start, folder: Path) -> None:
    await start()
    mode = (folder / "relay.db.sock").stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


BROKEN = {
    "no host": "POST /webhooks/360dialog HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": head(more="Content-Length: 2\r\nContent-Length: 3\r\n") + "{}x",
    "length and chunks": head(length=2, more="Transfer-Encoding: chunked\r\n") + "0\r\n\r\n",
    "negative length": head(more="Content-Length: -1\r\n"),
    "length that is no number": head(more="Content-Length: 2x\r\n") + "{}",
    "header without colon": head(length=2, more="token-without-a-colon\r\n") + "{}",
    "blank before colon": head(length=2, more="X-Secret : secret-of-a-sender\r\n") + "{}",
    "nul in a header": head(length=2, more="X-Secret: secret-of-a-sender\x00\r\n") + "{}",
    "huge header": head(length=2, more=f"X-Secret: {'secret-of-a-sender' * 4000}\r\n") + "{}",
    "many headers": head(length=2, more="X-A: b\r\n" * 500) + "{}",
    "no http": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20,
    "broken chunk": head(more="Transfer-Encoding: chunked\r\n") + "zz\r\nhello\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("request_text", BROKEN.values(), ids=BROKEN)
async def test_broken_http_is_400_and_nothing_of_it_reaches_the_log(
    start: Start, request_text: str, capfd: pytest.CaptureFixture[str]
) -> None:
    client = await start()
    async with Raw(client.app.addresses[0]) as sender:
        await sender.say(request_text.encode("latin-1"))
        assert await sender.status() == 400
    assert (await client.api("/api/status"))[1]["events"]["received"] == 0
    assert (await client.post(partner(1)))[0] == 200
    said = "".join(capfd.readouterr())
    assert "secret-of-a-sender" not in said
    assert "Traceback" not in said


async def test_broken_http_does_not_flood_the_log(
    start: Start, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client = await start()
    with caplog.at_level(logging.DEBUG):
        for _ in range(100):
            async with Raw(client.app.addresses[0]) as sender:
                await sender.say(BROKEN["no http"])
                assert await sender.status() == 400
    assert "".join(capfd.readouterr()).count("request not readable") <= 20
    assert not [record for record in caplog.records if record.name.startswith("aiohttp")]


async def test_expect_100_continue_is_answered_and_without_a_body_it_ends(start: Start) -> None:
    client = await start()
    body = json.dumps(partner(1)).encode()
    async with Raw(client.app.addresses[0]) as polite:
        await polite.say(head(length=len(body), more="Expect: 100-continue\r\n"))
        assert await polite.status() == 100
        await polite.reader.readline()
        await polite.say(body)
        assert await polite.status() == 200
    async with Raw(client.app.addresses[0]) as gone:
        await gone.say(head(length=len(body), more="Expect: 100-continue\r\n"))
        assert await gone.status() == 100
        gone.writer.write_eof()
        await gone.rest()
    async with Raw(client.app.addresses[0]) as odd:
        await odd.say(head(length=len(body), more="Expect: the-unexpected\r\n").encode() + body)
        assert await odd.status() == 417
    assert (await client.api("/api/status"))[1]["events"]["received"] == 1


async def test_a_reset_in_the_middle_of_a_body_stores_nothing_and_leaves_no_task(
    start: Start,
) -> None:
    client = await start()
    assert (await client.post(partner(1)))[0] == 200
    await client.settled()
    before = len(asyncio.all_tasks())
    body = json.dumps(partner(2)).encode()
    for _ in range(50):
        async with Raw(client.app.addresses[0]) as sender:
            await sender.say(head(length=len(body)).encode() + body[:-3])
    async with asyncio.timeout(PATIENCE):
        while len(asyncio.all_tasks()) > before + 1:
            await asyncio.sleep(0.01)
    assert (await client.api("/api/status"))[1]["events"]["received"] == 1
