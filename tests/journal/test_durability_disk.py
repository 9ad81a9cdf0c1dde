"""A3 to A10: the order of sync and answer, losses of power, full and failing disks, bad files."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import aiohttp
import pytest

from relay.journal.sqlite.connection import Synchronous
from tests.client import partner
from tests.crashes import RULES, event_id_of, look
from tests.each import each
from tests.fakes.slack import FakeSlack, Reply
from tests.judge import Judge
from tests.needs import PATIENCE, ROOT, require
from tests.odd_relay import PROGRAM
from tests.order_proof import Proof, prove, require_strace, under_strace
from tests.power_cuts import cut_power
from tests.power_loss import Disk
from tests.relay_process import TOKEN, RelayProcess, run_relay
from tests.world import a_world

SEEDS = 40


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as fake:
        yield fake


async def order_of(
    folder: Path, slack: FakeSlack, program: Sequence[str] = ("-m", "relay", "serve")
) -> Proof:
    """The order proof of a relay that was posted to, one by one and all at once."""
    require_strace()
    trace = folder / "trace"
    relay = RelayProcess(
        folder,
        RULES.format(slack=slack),
        program=program,
        under=under_strace(trace),
        env={"PYTHONPATH": str(ROOT)},
    )
    async with relay:
        for number in range(1, 11):
            assert (await relay.post(partner(number)))[0] == 200
        answers = await asyncio.gather(*(relay.post(partner(n)) for n in range(11, 51)))
        assert {status for status, _ in answers} == {200}
        await relay.stop()
    return prove(trace.read_text(encoding="utf-8", errors="replace").splitlines())


async def test_between_reading_an_event_and_its_200_there_is_a_sync_of_the_journal(
    tmp_path: Path, slack: FakeSlack
) -> None:
    """A3."""
    proof = await order_of(tmp_path, slack)
    assert proof.proved == set(range(1, 51))
    assert proof.unproved == set()


@pytest.mark.parametrize("part", ["normal", "hasty"])
async def test_the_order_proof_fails_for_a_relay_that_does_not_wait_for_the_sync(
    tmp_path: Path, slack: FakeSlack, part: str
) -> None:
    """A5: with `synchronous=NORMAL`, and where the answer goes out before the commit."""
    proof = await order_of(tmp_path, slack, (str(PROGRAM), part))
    assert len(proof.unproved) > 5


async def test_no_webhook_is_answered_before_a_sync_of_its_own(folder: Path) -> None:
    """A3 without strace: each 200 waits for a sync that begins after the webhook came."""
    disk = Disk("order", makedefault=True)
    try:
        async with a_world(folder) as world:
            for _ in range(5):
                before = disk.syncs
                disk.held.clear()
                disk.gate.clear()
                try:
                    posted = asyncio.create_task(world.happen())
                    await world.become(lambda one=posted: disk.held.is_set() or one.done())
                    for _ in range(3):
                        assert (await world.client.get("/healthz"))[0] == 200
                    assert not posted.done()
                finally:
                    disk.gate.set()
                await posted
                assert disk.syncs > before
    finally:
        disk.unregister()


@each(
    ("trace", "is_proved"),
    [
        (["read", "sync", "answer"], True),
        (["sync", "read", "answer"], False),
        (["read", "answer", "sync"], False),
        (["read", "failed sync", "answer"], False),
        (["read", "sync of the database", "answer"], False),
        (["read", "sync begins", "answer", "sync ends"], False),
        (["sync begins", "read", "sync ends", "answer"], False),
        (["read", "sync begins", "sync ends", "answer"], True),
    ],
)
def test_only_a_sync_that_lies_wholly_between_proves_the_order(
    trace: list[str], is_proved: bool
) -> None:
    lines = {
        "read": '7 recvfrom(9<socket:[1]>, "POST ... {\\"id\\": \\"evt-3\\"}", 9, 0) = 9',
        "sync": "8 fdatasync(5</x/relay.db-wal>) = 0",
        "failed sync": "8 fdatasync(5</x/relay.db-wal>) = -1 EIO (Input/output error)",
        "sync of the database": "8 fdatasync(4</x/relay.db>) = 0",
        "sync begins": "8 fdatasync(5</x/relay.db-wal> <unfinished ...>",
        "sync ends": "8 <... fdatasync resumed>) = 0",
        "answer": '7 sendto(9<socket:[1]>, "HTTP/1.1 200 OK", 15, 0) = 15',
    }
    proof = prove(lines[word] for word in trace)
    assert (3 in proof.proved, 3 in proof.unproved) == (is_proved, not is_proved)


async def test_a_power_loss_at_any_moment_takes_nothing_acknowledged(tmp_path: Path) -> None:
    """A4, scaled down; `make torture` has 1,000 seeds."""
    for seed in range(SEEDS):
        (tmp_path / str(seed)).mkdir()
        cut = await cut_power(tmp_path / str(seed), seed)
        assert (cut.lost, cut.damage) == ((), "ok"), f"seed {seed}"
        assert cut.acknowledged


async def test_the_power_loss_takes_acknowledged_events_from_a_weaker_journal(
    tmp_path: Path,
) -> None:
    """A5: with `synchronous=NORMAL` most seeds lose something, and none damages the file."""
    weak: Synchronous = "NORMAL"
    losing = 0
    for seed in range(10):
        (tmp_path / str(seed)).mkdir()
        cut = await cut_power(tmp_path / str(seed), seed, weak)
        losing += bool(cut.lost)
    assert losing >= 5


def small_disk(folder: Path) -> tuple[str, ...]:
    """The words that run a program with a file system of 128 MB at `folder`, its own alone."""
    mount = 'mount -t tmpfs -o size=128m tmpfs "$0" && exec "$@"'
    for alone in (("unshare", "-m"), ("unshare", "-rm")):
        words = (*alone, "sh", "-c", mount, str(folder))
        if (
            shutil.which("unshare")
            and not subprocess.run([*words, "true"], capture_output=True, check=False).returncode
        ):
            return words
    require("a small file system can be mounted neither as root nor in a namespace of one's own")
    return ()


def fill(folder: Path, leave: int = 0) -> None:
    """Write until so many bytes are left."""
    stat = os.statvfs(folder)
    size = stat.f_bavail * stat.f_frsize - leave
    with (folder / "ballast").open("wb") as file:
        try:
            while size > 0:
                size -= file.write(bytes(min(size, 65_536)))
            file.flush()
        except OSError:
            return


@pytest.mark.parametrize("leave", [16 * 2**20, 0], ids=["little is left", "nothing is left"])
async def test_a_full_disk_refuses_webhooks_goes_on_delivering_and_recovers_by_itself(
    tmp_path: Path, slack: FakeSlack, leave: int
) -> None:
    """A6: 503 with Retry-After, alive, not ready, one alarm; then all is taken again."""
    disk = tmp_path / "disk"
    disk.mkdir()
    relay = RelayProcess(
        tmp_path,
        RULES.format(slack=slack).replace("alarms: {send_to: support}", "alarms: {send_to: sales}"),
        under=small_disk(disk),
        env={"RELAY_JOURNAL": f"sqlite:///{disk}/relay.db"},
    )
    async with relay, aiohttp.ClientSession() as session:
        assert relay.process
        inside = Path(f"/proc/{relay.process.pid}/root{disk}")
        slack.behave(*[Reply(429, "", {"Retry-After": "3"})] * 2, key="#support")
        body = {**partner(1), "event": "channel_created"}
        assert (await relay.post(body))[0] == 200
        await slack.wait_for(1)
        fill(inside, leave)
        numbers = itertools.count(2)

        async def answer() -> aiohttp.ClientResponse:
            headers = {"Authorization": f"Bearer {TOKEN}"}
            url = relay.url + "/webhooks/360dialog"
            body = {**partner(next(numbers)), "event": "channel_created"}
            async with session.post(url, json=body, headers=headers) as response:
                return response

        async with asyncio.timeout(PATIENCE):
            while (refused := await answer()).status == 200:
                await asyncio.sleep(0.1)
        assert refused.status == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert (await relay.get("/healthz"))[0] == 200
        assert (await relay.get("/readyz"))[0] == 503
        # What is owed is delivered while the disk is full, and what cannot be stored is not taken.
        first = (await relay.until(lambda all_: all_[0]["state"] == "delivered"))[0]
        assert first["event_id"] == event_id_of(body)
        assert len(first["attempts"]) > 1
        assert (await answer()).status == 503
        async with asyncio.timeout(PATIENCE):
            while not any(post.key == "#sales" for post in slack.posts):
                await asyncio.sleep(0.05)
        (inside / "ballast").unlink()
        async with asyncio.timeout(PATIENCE):
            while (await answer()).status != 200:
                await asyncio.sleep(0.1)
        assert (await relay.get("/readyz"))[0] == 200
        alarms = [one for one in await relay.deliveries() if one["cause"] == "alarm"]
        began = [str(post.json) for post in slack.posts if post.key == "#sales"]
        assert sum("nearly full" in text and "Recovered:" not in text for text in began) == 1
        assert len(alarms) in (1, 2)
        assert await relay.stop() == 0


async def test_after_a_failed_sync_it_answers_503_and_ends_and_the_next_run_recovers(
    tmp_path: Path, slack: FakeSlack
) -> None:
    """A7: nothing is acknowledged again by the same process."""
    switch = tmp_path / "fault"
    relay = RelayProcess(
        tmp_path,
        RULES.format(slack=slack),
        program=(str(PROGRAM), "disk"),
        env={"PYTHONPATH": str(ROOT), "RELAY_TEST_FAULT": str(switch)},
    )
    acknowledged = set()
    async with relay:
        assert (await relay.post(partner(1)))[0] == 200
        acknowledged.add(event_id_of(partner(1)))
        await relay.until(lambda all_: [one["state"] for one in all_] == ["delivered"] * 2)
        switch.write_text("sync")
        statuses = []
        assert relay.process
        try:
            for number in range(2, 200):
                statuses.append((await relay.post(partner(number)))[0])
                if statuses[-1] == 200:
                    acknowledged.add(event_id_of(partner(number)))
        except aiohttp.ClientError:
            pass
        async with asyncio.timeout(PATIENCE):
            assert await relay.process.wait() == 1
        assert statuses[:1] == [503] or not statuses
        assert set(statuses) <= {503}
        await relay.kill()
        assert not switch.exists()
        await relay.start()
        assert (await relay.get("/readyz"))[0] == 200
        assert (await relay.post(partner(500)))[0] == 200
        acknowledged.add(event_id_of(partner(500)))
        last = event_id_of(partner(500))
        await relay.until(
            lambda all_: (
                all(one["state"] == "delivered" for one in all_)
                and any(one["event_id"] == last for one in all_)
            )
        )
        assert await relay.stop() == 0
        assert await look(relay, slack, acknowledged, Judge(), at_rest=True) == []


async def test_a_write_that_finds_no_room_is_503_and_the_next_one_with_room_is_200(
    tmp_path: Path, slack: FakeSlack
) -> None:
    """A6, without a small file system: the disk is full for SQLite, whatever is free."""
    switch = tmp_path / "fault"
    relay = RelayProcess(
        tmp_path,
        RULES.format(slack=slack),
        program=(str(PROGRAM), "disk"),
        env={"PYTHONPATH": str(ROOT), "RELAY_TEST_FAULT": str(switch)},
    )
    async with relay:
        switch.write_text("full")
        for _ in range(3):
            assert (await relay.post(partner(1)))[0] == 503
        assert (await relay.get("/healthz"))[0] == 200
        switch.unlink()
        assert (await relay.post(partner(1)))[0] == 200
        await relay.until(lambda all_: [one["state"] for one in all_] == ["delivered"] * 2)
        assert await relay.stop() == 0


async def test_a_journal_that_cannot_be_used_ends_the_start_with_one_line_and_2(
    tmp_path: Path, slack: FakeSlack
) -> None:
    """A8: the line names the file and the setting."""
    relay = RelayProcess(tmp_path, RULES.format(slack=slack))
    (tmp_path / "text.db").write_text("no database\n" * 400)
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "half.db").write_bytes(b"SQLite format 3\x00" + bytes(4_000) + b"\xff" * 9_000)
    cases = {
        "missing/relay.db": "does not exist",
        "folder.db": "it is a folder",
        "text.db": "it is not a database",
        "half.db": "it is",
    }

    async def start(name: str, words: str) -> None:
        env = {**relay.env, "RELAY_JOURNAL": f"sqlite:///{tmp_path}/{name}"}
        code, _, said = await run_relay("serve", env=env, cwd=tmp_path)
        assert code == 2, said
        assert len(said.splitlines()) == 1, said
        assert words in said
        assert "RELAY_JOURNAL" in said
        assert str(tmp_path / name) in said

    await asyncio.gather(*(start(name, words) for name, words in cases.items()))


async def test_a_journal_on_a_read_only_disk_ends_the_start_with_one_line_and_2(
    tmp_path: Path, slack: FakeSlack
) -> None:
    """A8. Root may write what is read-only, but not on a file system that is."""
    disk = tmp_path / "disk"
    disk.mkdir()
    under: tuple[str, ...] = ()
    if os.geteuid() == 0:
        *under_root, _, folder = small_disk(disk)
        mount = 'mount -t tmpfs -o ro tmpfs "$0" && exec "$@"'
        under = (*under_root, mount, folder)
    else:
        disk.chmod(0o500)
    relay = RelayProcess(tmp_path, RULES.format(slack=slack))
    process = await asyncio.create_subprocess_exec(
        *under,
        sys.executable,
        "-m",
        "relay",
        "serve",
        env={**relay.env, "RELAY_JOURNAL": f"sqlite:///{disk}/relay.db"},
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await process.communicate()
    assert process.returncode == 2, said
    (line,) = said.decode().splitlines()
    assert line.startswith(f"relay: the journal {disk}/relay.db cannot be opened: ")
    assert line.endswith("(RELAY_JOURNAL or --journal)")


async def test_a_second_relay_on_the_same_journal_is_refused_and_the_first_goes_on(
    tmp_path: Path, slack: FakeSlack
) -> None:
    """A10."""
    relay = RelayProcess(tmp_path, RULES.format(slack=slack))
    async with relay:
        assert relay.process
        code, _, said = await run_relay("serve", env=relay.env, cwd=tmp_path)
        assert code == 2
        assert said.splitlines()[-1].endswith(f"is in use by process {relay.process.pid}")
        assert (await relay.post(partner(1)))[0] == 200
        await relay.until(lambda all_: [one["state"] for one in all_] == ["delivered"] * 2)
        assert await relay.stop() == 0
