"""The guides of `docs/` tell what an admin and a person on call really see."""

from __future__ import annotations

import asyncio
import difflib
import os
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relay import samples
from relay.pace import Tempo
from relay.settings import Settings
from tests import guides
from tests.client import partner
from tests.fakes.http import DROP_AFTER, Reply
from tests.fakes.slack import error
from tests.needs import PATIENCE, ROOT
from tests.world import TOKEN, World, a_world

PAGES = ("editing-rules.md", "on-call.md")
ACCOUNTS = """\
accounts:
  slack: {token: "${SLACK_BOT_TOKEN}", api_url: "%(slack)s"}
  email: {host: %(host)s, port: %(smtp)s, tls: none, sender: relay@example.com}
"""
"""Stand at the end of the story's rules, so that its line numbers are those of the page."""


ENVIRONMENT = {"SLACK_BOT_TOKEN": TOKEN}


class Story(World):
    """A world whose files are those of a page; it begins with the page's first ones."""

    holds = False
    begun = False
    kernel: pytest.MonkeyPatch
    """For what nobody has at hand, such as a disk that is full."""
    tempo = Tempo(watch=0.05, grace=0.5)
    """Probes as seldom as in life: none comes between two lines of a page."""

    def write_rules(self) -> None:
        if not self.begun:
            self.begun = True
            (self.folder / "message_templates" / "default.md.j2").unlink()
            super().write_rules()

    def settings(self, **changes: Any) -> Settings:
        usual = {
            "rules": Path("rules.yaml"),
            "templates": Path("message_templates"),
            "env": ENVIRONMENT,
            "hold_edits": self.holds,
        }
        return super().settings(**{**usual, **changes})


DEEDS: dict[str, Callable[..., Awaitable[None]]] = {}


def deed(pattern: str) -> Callable[[Callable[..., Awaitable[None]]], None]:
    def keep(made: Callable[..., Awaitable[None]]) -> None:
        DEEDS[pattern] = made

    return keep


@deed(r"(\S+) happens(?: to (\+\d+))?")
async def _happens(story: Story, name: str, phone: str | None) -> None:
    """A bundled sample as if it happened now, of another number if one is named."""
    now = story.clock()
    body = samples.fresh(name, now)
    if phone:
        digits = samples.event(name, now).phones[0].lstrip("+")
        body = body.replace(digits.encode(), phone.lstrip("+").encode())
    looks = samples.looks_in(body)
    if looks is None:
        status, _ = await story.client.post(body)
        assert status == 200
    for look in looks or ():
        changes = await story.app.store.journal.watch(
            look, now=story.clock(), period=timedelta(minutes=15)
        )
        story.app.inbox.put(changes.events)
    await story.client.until("/api/status", lambda status: status["events"]["unrouted"] == 0)


@deed(r"until (.+)")
async def _until(story: Story, states: str) -> None:
    """As many deliveries that are no alarms' are in each state as `1 parked, 3 delivered` says."""
    wanted = {state: int(count) for count, state in map(str.split, states.split(", "))}
    for _ in range(round(PATIENCE / 0.02)):
        owed = [one for one in await story.deliveries(None) if one["cause"] != "alarm"]
        if (found := Counter(one["state"] for one in owed)) == wanted:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"there never were {states}, but at last {dict(found)}")


@deed(r"Slack says (\S+) to (\S+)")
async def _slack_says(story: Story, code: str, channel: str) -> None:
    story.slack.always(error(code), channel)


@deed(r"Slack answers (\d+) in (\S+)")
async def _slack_answers(story: Story, status: str, channel: str) -> None:
    story.slack.always(Reply(int(status)), channel)


@deed(r"Slack loses the next answer in (\S+)")
async def _slack_loses(story: Story, channel: str) -> None:
    story.slack.behave(DROP_AFTER, key=channel)


@deed(r"Slack is busy in (\S+)")
async def _slack_is_busy(story: Story, channel: str) -> None:
    story.slack.behave(Reply(429, "", {"Retry-After": "1"}), key=channel)


@deed("an alarm (begins|ends)")
async def _alarm(story: Story, which: str) -> None:
    """And everybody who is to hear of it has."""
    begins = which == "begins"
    await story.client.until("/api/status", lambda status: bool(status["alarms"]) == begins)
    await story.client.settled()


@deed(r"Slack works in (\S+)")
async def _slack_works(story: Story, channel: str) -> None:
    story.slack.always(None, channel)
    story.app.worker.hurry()


@deed(r"the mail server says (.+) to (\S+)")
async def _mail_says(story: Story, reply: str, address: str) -> None:
    story.smtp.always("RCPT", reply, address)


@deed("the disk (is full|has room)")
async def _disk(story: Story, how: str) -> None:
    """The kernel says so, and a webhook is posted that is refused, or taken."""
    if full := how == "is full":
        few = SimpleNamespace(f_bavail=2_560, f_frsize=4_096, f_blocks=10_000_000)
        story.kernel.setattr(os, "statvfs", lambda _: few)
    else:
        story.kernel.undo()
    async with asyncio.timeout(PATIENCE):
        while (await story.client.get("/readyz"))[0] != (503 if full else 200):
            await asyncio.sleep(0.05)
    await story.client.until("/api/status", lambda told: bool(told["alarms"]) == full)
    status, _ = await story.client.post(partner(next(story.numbers)))
    assert status == (503 if full else 200)
    await story.client.settled()


@deed(r"the relay (starts|stops)(, holding edits)?")
async def _serves(story: Story, which: str, holds: str | None) -> None:
    if which == "stops":
        await story.stop()
        return
    story.holds = bool(holds)
    await story.start()


async def told(story: Story, page: str, *, anew: bool) -> str:
    """Live through a page; the page as it should read, `anew` with the ids and times of today."""
    ids = guides.Ids()
    made, end = "", 0
    for step in guides.steps(page):
        made, end = made + page[end : step.begin], step.end
        whole = page[step.begin : step.end]
        file = story.folder / step.file
        if step.kind == "do":
            for pattern, act in DEEDS.items():
                if found := re.fullmatch(pattern, step.text):
                    await act(story, *found.groups())
                    break
            else:
                raise AssertionError(f"nobody can do: {step.text}")
        elif step.kind == "diff":
            file.write_text(guides.edited(file.read_text("utf-8"), step.text), "utf-8")
            await story.client.api("/api/reload", "POST")
        elif step.file == "rules.yaml":
            pass  # the story began with them
        elif step.kind != "console":
            file.write_text(step.text, "utf-8")
        else:
            lines = []
            for command in guides.commands(step.text):
                now = ids.now(command.line)
                said = await asyncio.to_thread(guides.printed, now)
                ids.learn(command.shown, said)
                same = guides.gist(said) == guides.gist(command.shown)
                lines.append(f"$ {now}\n{said}\n" if anew or not same else command.whole)
            whole = "```console\n" + "".join(lines).rstrip("\n") + "\n```"
        made += whole
    return made + page[end:]


@pytest.mark.parametrize("name", PAGES)
async def test_what_a_guide_shows_is_what_the_relay_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    page = (ROOT / "docs" / name).read_text("utf-8")
    (tmp_path / "message_templates").mkdir()
    monkeypatch.chdir(tmp_path)
    for key, value in ENVIRONMENT.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("RELAY_ALLOW_PRIVATE_DESTINATIONS", "1")
    rules = next(one.text for one in guides.steps(page) if one.file == "rules.yaml")
    with pytest.MonkeyPatch.context() as kernel:
        Story.kernel = kernel
        async with a_world(tmp_path, rules + ACCOUNTS, Story) as story:
            made = await told(story, page, anew=os.environ.get("RELAY_WRITE_GUIDES") == "1")
    if os.environ.get("RELAY_WRITE_GUIDES") == "1":
        (ROOT / "docs" / name).write_text(made, "utf-8")
    else:
        assert made == page, "\n".join(difflib.unified_diff(page.split("\n"), made.split("\n")))


def test_a_guide_notices_what_is_no_longer_said_so() -> None:
    assert guides.gist("4 deliveries, 12 s ago") == guides.gist("4 deliveries, 3 min ago")
    assert guides.gist("4 deliveries") != guides.gist("5 deliveries")
    assert guides.gist("0a1b2c3d 0a1b2c3d") != guides.gist("0a1b2c3d 9a1b2c3d")
