"""Processor time of commands, against `python -c pass` and the imports of any server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import yard
from benchmarks.yard import Options, Row

IMPORTS = "import aiohttp, pydantic, jinja2, rich"


class Cost(NamedTuple):
    """Seconds."""

    cpu: float
    wall: float


def cost(arguments: Sequence[str], env: dict[str, str], at: Path) -> Cost:
    """Run a command in a folder to its end."""
    began = time.monotonic()
    done = subprocess.Popen(  # noqa: S603  our own commands
        arguments, env=env, cwd=at, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert done.stderr
    complaint = done.stderr.read()
    _, status, usage = os.wait4(done.pid, 0)
    done.returncode = os.waitstatus_to_exitcode(status)
    if done.returncode:
        raise RuntimeError(f"{arguments}: {complaint.decode(errors='replace')[-1000:]}")
    return Cost(usage.ru_utime + usage.ru_stime, time.monotonic() - began)


def imports(options: Options) -> Cost:
    """The yardstick: what any command that serves must import."""
    return cost([options.python, "-c", IMPORTS], {"PATH": os.environ["PATH"]}, options.tree)


async def reload(port: int) -> None:
    """Have the server read its rules."""
    answer = await yard.fetch(port, "/api/reload", "POST")
    if b'"ok": true' not in answer:
        raise RuntimeError(answer[:500].decode())


def measure(options: Options) -> Sequence[Row]:
    many = options.of(1_000, 20)
    with yard.folder() as small, yard.folder() as large:
        (small / "rules.yaml").write_text(yard.rules(1, 9, hooks=True))
        (large / "rules.yaml").write_text(yard.rules(many, 9, hooks=True))
        shipped = yard.environment(options, options.tree) | {
            "RELAY_JOURNAL": f"sqlite:///{small}/x.db"
        }
        del shipped["RELAY_ALLOW_PRIVATE_DESTINATIONS"]
        called = [options.python, "-m", "relay"]
        commands = {
            "pass": ([options.python, "-c", "pass"], shipped),
            "imports": ([options.python, "-c", IMPORTS], shipped),
            "--version": ([*called, "--version"], shipped),
            "--help": ([*called, "--help"], shipped),
            "explain": ([*called, "explain", "channel_live"], shipped),
            "check": ([*called, "check"], shipped),
            "check 1 rule": ([*called, "check"], yard.environment(options, small)),
            f"check {many} rules": ([*called, "check"], yard.environment(options, large)),
        }
        found = {name: [cost(*command, options.tree).cpu] for name, command in commands.items()}
        for _ in range(options.rounds - 1):
            for name, command in commands.items():
                found[name].append(cost(*command, options.tree).cpu)
        with yard.relay(options, yard.rules(many, 9, hooks=True), large) as server:
            asyncio.run(server.up())
            spent: list[float] = []
            found[f"reload {many} rules"] = spent
            for _ in range(options.rounds):
                before = server.cpu()
                (large / "rules.yaml").write_text(
                    yard.rules(many, 9, hooks=True) + f"# {len(spent)}\n"
                )
                asyncio.run(reload(server.port))
                spent.append(server.cpu() - before)
    took = {name: yard.median(times) for name, times in found.items()}
    for name, seconds in took.items():
        yard.say(f"{name:<20}{seconds:7.3f} s of processor time")
    unit, ratio = took["imports"], took[f"check {many} rules"] / took["check 1 rule"]
    return [
        Row(f"`{name}` against `python -c pass`", f"{took[name] / took['pass']:.1f}", "8", "4")
        for name in ("--version", "--help")
    ] + [
        Row(
            "`explain channel_live` against the imports", f"{took['explain'] / unit:.1f}", "2", "1"
        ),
        Row(
            "`check` of the shipped rules against the imports",
            f"{took['check'] / unit:.1f}",
            "5",
            "3",
        ),
        Row("`check` of 1,000 rules against 1", f"{ratio:.1f}", "2", "1.5"),
        Row(
            "reload of 1,000 rules against the imports",
            f"{yard.median(spent) / unit:.1f}",
            "1",
            "0.5",
        ),
    ]


if __name__ == "__main__":
    yard.run(measure)
