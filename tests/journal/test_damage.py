"""A journal that broke under the relay: it is noticed after a kill, told, and can be mended."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from tests.client import partner
from tests.conftest import RULES
from tests.journal.test_journal_opening import lose_an_entry
from tests.relay_process import RelayProcess, run_relay

READ = "every page of the journal was read"


async def test_a_fault_that_no_opening_sees_is_an_alarm_after_a_kill_until_it_is_mended(
    tmp_path: Path,
) -> None:
    relay = RelayProcess(tmp_path, RULES, options=["--sandbox"])
    async with relay:
        assert (await relay.post(partner(1)))[0] == 200
        await relay.until(lambda found: [one["state"] for one in found] == ["delivered"])
        assert await relay.stop() == 0
        shutil.copy(relay.journal, tmp_path / "kept.db")
        lose_an_entry(relay.journal)
        await relay.start()
        await relay.kill()
        await relay.start()
        assert (await relay.said(READ))["faults"] > 0
        await relay.said("alarm", lambda line: line["alarm"] == "journal-damaged")
        code, out, _ = await run_relay("check", "--journal", env=relay.env, cwd=tmp_path)
        assert code == 1
        assert f"{relay.journal}:1:1: error: " in out
        assert "put the newest `relay backup` in its place" in out
        assert await relay.stop() == 0
        shutil.copy(tmp_path / "kept.db", relay.journal)
        await relay.start()
        await relay.kill()
        await relay.start()
        assert (await relay.said(READ))["faults"] == 0
        code, out, _ = await run_relay("check", "--journal", env=relay.env, cwd=tmp_path)
        assert code == 0, out


async def test_a_journal_that_was_cut_ends_the_start_with_2_and_the_way_back(
    tmp_path: Path,
) -> None:
    relay = RelayProcess(tmp_path, RULES, options=["--sandbox"])
    async with relay:
        await relay.post(partner(1))
        assert await relay.stop() == 0
    for left in (-100, 0):
        content = relay.journal.read_bytes()
        relay.journal.write_bytes(content[:left])
        words = ("serve", "--sandbox")
        code, _, err = await run_relay(*words, env=relay.env, cwd=tmp_path)
        assert code == 2
        assert "put the newest `relay backup` in its place" in err
        assert len(err.splitlines()) == 1


async def test_a_second_relay_by_another_name_is_refused(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path / "one", RULES, options=["--sandbox"])
    async with relay:
        soft, hard = tmp_path / "soft.db", tmp_path / "hard.db"
        soft.symlink_to(relay.journal)
        await asyncio.to_thread(hard.hardlink_to, relay.journal)
        env = {**relay.env, "RELAY_JOURNAL": f"sqlite:///{hard}"}
        code, _, err = await run_relay("serve", "--sandbox", env=env, cwd=tmp_path)
        assert (code, "several names" in err) == (2, True)
        hard.unlink()
        env = {**relay.env, "RELAY_JOURNAL": f"sqlite:///{soft}"}
        code, _, err = await run_relay("serve", "--sandbox", env=env, cwd=tmp_path)
        assert code == 2
        assert "is in use by process" in err
        code, out, _ = await run_relay("discard", "--state", "dead", env=env, cwd=tmp_path)
        assert (code, out) == (1, "discarded: 0\n")
