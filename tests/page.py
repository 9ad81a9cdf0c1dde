"""The admin page in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from relay import samples
from relay.pace import Tempo
from tests.client import partner
from tests.fakes.http import Reply
from tests.fakes.slack import error
from tests.needs import PATIENCE, ROOT, growing, require
from tests.world import TOKEN as SLACK_TOKEN
from tests.world import World, a_world

TOKEN = "a-token-of-anna"
OTHER = "a-token-of-ben"
AXE = ROOT / "tests" / "browser" / "node_modules" / "axe-core" / "axe.min.js"
HOSTILE = "<img src=x onerror=alert(1)>\"'</script><b>Musterladen"
"""The name of a client that would be markup where it is not text."""

RULES = """\
version: 1
timezone: Europe/Berlin
accounts:
  slack: {token: "${SLACK_BOT_TOKEN}", api_url: "%(slack)s"}
  email: {host: %(host)s, port: %(smtp)s, tls: none, sender: Relay <relay@example.com>}
destinations:
  support: {slack: {channel: "#wa-support"}, pace: none}
  sales: {teams: {url: "${TEAMS_SALES_URL}"}, pace: none}
  billing: {slack: {channel: "#billing"}, pace: none}
  oncall: {email: {to: [oncall@example.com]}, pace: none}
rules:
  - name: Restrictions wake somebody
    when: {topic: [restriction, ban, violation]}
    send_to: [oncall, support]
    always: true
  - name: Quality drops
    when: {topic: quality, direction: worse}
    send_to: support
  - name: Numbers that go live
    when: {event: channel_live}
    send_to: sales
  - name: Cancellations
    when: {topic: cancellation}
    send_to: billing
  - name: Approved templates are no news
    when: {topic: template, detail: APPROVED}
    send_to: none
  - name: Templates
    when: {topic: template}
    send_to: support
alarms: {send_to: [oncall]}
"""
SHOWN = (
    "client_created",
    "channel_created",
    "phone_number_quality_update/FLAGGED",
    "channel_live",
    "message_template_status_update/APPROVED",
    "message_template_status_update/REJECTED",
    "account_update/ACCOUNT_VIOLATION",
    "cancellation_request",
)


class PageWorld(World):
    """A relay with two operators, and what happened in a day."""

    token = TOKEN
    tempo = Tempo(first_probe=3600, longest_probe=3600, watch=0.05, grace=0.5)

    def settings(self, **changes: Any) -> Any:
        env = {"SLACK_BOT_TOKEN": SLACK_TOKEN, "TEAMS_SALES_URL": self.teams.url()}
        usual = {"admin_token": f"anna:{TOKEN} ben:{OTHER}", "env": env}
        return super().settings(**{**usual, **changes})

    async def api(self, path: str, body: object = None) -> Any:
        """Ask or, with a body, change something by the API."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        method = "GET" if body is None else "POST"
        async with self.client.session.request(
            method, self.client.url + path, headers=headers, json=body
        ) as answer:
            return await answer.json()

    async def start(self) -> None:
        (self.folder / "message_templates" / "default.md.j2").unlink(missing_ok=True)
        await super().start()

    async def fill(self, *, hostile: bool = True) -> None:
        """Events of many kinds; a target that is gone, and a message that was given up."""
        self.slack.always(error("channel_not_found"), "#billing")
        refused = Reply(400, "the card has an element that Teams does not know")
        self.teams.behave(refused, refused)
        for name in SHOWN:
            await self.client.post(samples.fresh(name, self.clock()))
        if hostile:
            await self.client.post(partner(900, client={"id": "evil01CL", "name": HOSTILE}))
        await self.settled()

    async def settled(self) -> None:
        """Wait until nothing is under way."""
        pauses = growing()
        async with asyncio.timeout(PATIENCE):
            while True:
                status = await self.api("/api/status")
                left = status["deliveries"]
                if not (left["pending"] or left["claimed"] or status["events"]["unrouted"]):
                    return
                await asyncio.sleep(next(pauses))


@asynccontextmanager
async def a_page(folder: Path) -> AsyncIterator[PageWorld]:
    """A relay in this process whose page a browser can open."""
    folder.joinpath("message_templates").mkdir(exist_ok=True)
    async with a_world(folder, RULES, PageWorld) as world:
        assert isinstance(world, PageWorld)
        yield world


@asynccontextmanager
async def a_browser() -> AsyncIterator[Browser]:
    """The system's Chromium."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    require(None if path else "there is no Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        await browser.close()


async def logged_in(
    browser: Browser, world: World, token: str = TOKEN, **options: Any
) -> tuple[BrowserContext, Page]:
    """A browser of somebody's own, in which a login was done."""
    context = await browser.new_context(base_url=world.client.url, **options)
    context.set_default_timeout(PATIENCE * 1_000)
    page = await context.new_page()
    await page.goto("/")
    await page.get_by_label("Your admin token").fill(token)
    await page.get_by_role("button", name="Log in").click()
    await page.get_by_role("heading", level=1).wait_for()
    return context, page


def address(path: str, **query: str) -> str:
    """A path with its query."""
    return path + "?" + "&".join(f"{name}={quote(text)}" for name, text in query.items())


async def faults(page: Page) -> list[str]:
    """What axe finds on a page that keeps people from using it, in words."""
    require(None if AXE.exists() else "axe is missing: npm ci --prefix tests/browser")
    # By the protocol of the browser: the page's own policy lets no other script in.
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = await page.evaluate("axe.run()")
    return [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
