"""The reserve: what is owed can be recorded on a full disk, and nothing is tried for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from relay.errors import JournalFullError
from relay.journal.sql.intake import tally
from relay.journal.sqlite import connection
from relay.journal.sqlite.room import Room
from relay.journal.sqlite.writer import Writer
from tests.journal_suite import NOW
from tests.power_loss import Disk

MEGABYTE = 2**20


@pytest.fixture
def disk() -> Iterator[Disk]:
    disk = Disk("room")
    yield disk
    disk.unregister()


def test_a_reserve_has_its_blocks_and_is_given_up_once(tmp_path: Path) -> None:
    room = Room(tmp_path / "relay.db", floor_bytes=0, reserve_bytes=MEGABYTE)
    (reserve,) = tmp_path.iterdir()
    assert reserve.stat().st_blocks * 512 >= MEGABYTE
    assert reserve.stat().st_mode & 0o777 == 0o600
    assert room.make()
    assert list(tmp_path.iterdir()) == []
    assert not room.make()
    room.require()
    assert list(tmp_path.iterdir()) == []


def test_a_reserve_of_an_earlier_run_is_kept(tmp_path: Path) -> None:
    for _ in range(2):
        room = Room(tmp_path / "relay.db", floor_bytes=0, reserve_bytes=MEGABYTE)
    assert len(list(tmp_path.iterdir())) == 1
    assert room.make()


def test_without_room_for_it_there_is_no_reserve(tmp_path: Path) -> None:
    room = Room(tmp_path / "relay.db", floor_bytes=0, reserve_bytes=0)
    assert list(tmp_path.iterdir()) == []
    assert not room.make()


def test_below_the_floor_no_event_is_taken(tmp_path: Path) -> None:
    room = Room(tmp_path / "relay.db", floor_bytes=1 << 62)
    assert not room.is_enough()
    with pytest.raises(JournalFullError, match="events are taken from"):
        room.require()


async def test_a_change_that_finds_no_room_is_made_on_the_blocks_of_the_reserve(
    tmp_path: Path, disk: Disk
) -> None:
    def give_up() -> bool:
        disk.fault = None
        return True

    writer = Writer(connection.writer(tmp_path / "relay.db", vfs=disk.name), make_room=give_up)
    disk.fault = "full"
    await writer.submit(lambda writing: tally(writing, "refused", now=NOW))
    await writer.close()


async def test_a_reserve_that_does_not_help_ends_in_a_refusal(tmp_path: Path, disk: Disk) -> None:
    """A quota refuses what looks free: it must not be tried for ever."""
    asked = []

    def in_vain() -> bool:
        asked.append(1)
        return True

    writer = Writer(connection.writer(tmp_path / "relay.db", vfs=disk.name), make_room=in_vain)
    disk.fault = "full"
    changes = [
        writer.submit(lambda writing: tally(writing, "refused", now=NOW), quick=True)
        for _ in range(3)
    ]
    for change in changes:
        with pytest.raises(JournalFullError):
            await change
    assert len(asked) == 3
    assert not writer.is_broken
    disk.fault = None
    await writer.submit(lambda writing: tally(writing, "refused", now=NOW))
    await writer.close()
