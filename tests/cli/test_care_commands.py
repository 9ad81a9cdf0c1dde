"""`reconcile`, `backup`, `forget` and `quarantine` as a person runs them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import apsw
import pytest

from relay import cli
from tests.client import partner
from tests.conftest import RULES
from tests.relay_process import RelayProcess, run_relay

PHONE = "491713920011"
Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command in this process, which is much quicker than another; logs stay as they were."""
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    async def go(*arguments: str) -> tuple[int, str, str]:
        out, error = StringIO(), StringIO()
        with redirect_stdout(out), redirect_stderr(error):
            code = await asyncio.to_thread(cli.run, arguments)
        return code, out.getvalue(), error.getvalue()

    yield go
    root.handlers[:] = handlers
    root.setLevel(level)


def holders(folder: Path) -> list[str]:
    """The journal's files that hold the number."""
    names = sorted(folder.glob("relay.db*"))
    return [path.name for path in names if path.is_file() and PHONE.encode() in path.read_bytes()]


async def test_they_work_beside_a_running_relay_and_change_through_it(
    tmp_path: Path, run: Run
) -> None:
    async with RelayProcess(tmp_path, RULES, options=["--sandbox"]) as relay:
        for number in (1, 1, 2):
            await relay.post(partner(number))
        await relay.post(b'{"phone": "491713920011", \x1b[31m broken')
        await relay.until(lambda found: [one["state"] for one in found] == ["delivered"] * 2)

        code, out, _ = await run("reconcile", "--json")
        shape = json.loads(out)
        assert (code, shape["balanced"], shape["faults"]) == (0, True, [])
        (day,) = shape["days"]
        assert day["events"] == {
            "received": 2,
            "unrouted": 0,
            "unmatched": 0,
            "muted": 0,
            "routed": 2,
        }
        assert day["deliveries"] == {
            "owed": 2,
            "pending": 0,
            "held": 0,
            "claimed": 0,
            "delivered": 2,
            "parked": 0,
            "dead": 0,
            "suppressed": 0,
        }
        assert (day["quarantined"], day["duplicate"], day["ignored"]) == (1, 1, 0)
        assert shape["total"] == {**day, "day": None}

        code, out, _ = await run("backup", "copy.db")
        assert (code, out.startswith("copy.db: ")) == (0, True)
        assert "2 events, 2 deliveries, 0 of them unfinished" in out
        code, out, said = await run("backup", "copy.db", "--json")
        assert (code, out) == (2, "")
        assert said == "relay: copy.db exists; --force replaces it\n"

        code, out, _ = await run("quarantine", "--json")
        item = json.loads(out)
        assert (code, item["route"], item["kept"]) == (0, "/webhooks/360dialog", True)
        code, out, _ = await run("quarantine")
        assert "/webhooks/360dialog" in out
        code, out, _ = await run("quarantine", str(item["id"]))
        assert code == 0
        assert r"\x1b[31m broken" in out
        assert "\x1b" not in out

        assert holders(tmp_path)
        command = ("forget", "--phone", "+49 171 3920011", "--json")
        code, out, _ = await run_relay(*command, env={}, cwd=tmp_path)  # asks nothing when piped
        done = json.loads(out)
        assert (code, done["synced"], done["unfinished"]) == (0, True, 0)
        assert (done["erased"]["events"], done["erased"]["quarantine"]) == (2, 1)
        assert holders(tmp_path) == []
        code, out, _ = await run("forget", "--phone", "+49 171 3920011", "--yes")
        assert (code, out) == (1, "nothing is known of +49 171 3920011\n")
        code, out, _ = await run("reconcile")
        assert code == 0
        assert out.count("received      2 = unrouted 0 + unmatched 0 + muted 0 + routed 2") == 2
        assert "owed          2 = pending 0 + held 0 + claimed 0 + delivered 2 + parked 0" in out
        assert await relay.stop() == 0
    code, out, _ = await run("events", "--json", "--journal", "sqlite:///copy.db")
    assert len(out.splitlines()) == 2


async def test_they_work_without_a_relay_and_reconcile_can_fail(tmp_path: Path, run: Run) -> None:
    async with RelayProcess(tmp_path, RULES, options=["--sandbox"]) as relay:
        await relay.post(partner(1))
        await relay.post(b"{{{")
        await relay.until(lambda found: len(found) == 1)
        await relay.stop()

        code, out, _ = await run("quarantine", "1", "--json")
        assert (code, json.loads(out)["body"]) == (0, "{{{")
        assert (await run("quarantine", "99"))[0] == 1
        code, out, _ = await run("forget", "--phone", PHONE, "--yes")
        assert code == 0
        assert "events 1" in out
        assert holders(tmp_path) == []
        connection = apsw.Connection(str(relay.journal))
        connection.execute("DELETE FROM deliveries")
        lines = connection.execute("SELECT action FROM audit ORDER BY id").fetchall()
        connection.close()
        assert [action for (action,) in lines] == ["look at quarantine", "forget"]
        code, out, said = await run("reconcile")
        assert code == 1
        assert "owed          1 ≠ pending 0" in out
        assert "it does not balance" in said
        assert "1 deliveries came in and 0 are accounted for" in said
        code, out, _ = await run("reconcile", "--json")
        assert (code, json.loads(out)["balanced"]) == (1, False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["reconcile"], "there is no such file"),
        (["quarantine"], "there is no such file"),
        (["quarantine", "1"], "there is no journal at"),
        (["backup", "copy.db"], "there is no such file"),
        (["forget", "--phone", "+491713920011"], "there is no journal at"),
        (["forget", "--phone", "0171 3920011"], "is no number with its country"),
        (["forget"], "the following arguments are required: --phone"),
        (["reconcile", "--since", "soon"], '"soon" is no time'),
        (["quarantine", "one"], '"one" is no id'),
        (["quarantine", "1", "--since", "2d"], "--since and --limit are for the list"),
    ],
)
async def test_wrong_use_is_one_line_and_creates_nothing(
    tmp_path: Path, run: Run, arguments: list[str], said: str
) -> None:
    code, out, error = await run(*arguments)
    assert (code, out) == (2, "")
    assert said in error
    assert (error.count("\n"), error.startswith("relay: ")) == (1, True)
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240


async def test_a_wrong_retention_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_RETENTION", "3d")
    code, _, error = await run("kinds")
    assert code == 2
    assert error.startswith("relay: RELAY_RETENTION: 3d is too short")
