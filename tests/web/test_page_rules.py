"""Rules on the page: an edit from the first fault to the way back, and what a login may not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from playwright.async_api import Browser, Page

from relay.web.page.publishing import guarded, whole
from tests.each import each
from tests.page import OTHER, PageWorld, a_browser, a_page, logged_in
from tests.world import TOKEN as SLACK_TOKEN

WORSE, BETTER = "direction: worse", "direction: better"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PageWorld]:
    async with a_page(tmp_path) as one:
        await one.fill()
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as one:
        yield one


async def write(page: Page, before: str, after: str) -> None:
    """Replace a text in the editor."""
    editor = page.get_by_role("textbox", name="rules.yaml")
    await editor.fill((await editor.input_value()).replace(before, after))


async def press(page: Page, name: str) -> None:
    await page.get_by_role("button", name=name).click()


@pytest.mark.parametrize("scripts", [True, False])
async def test_an_edit_is_tried_published_seen_and_taken_back(
    world: PageWorld, browser: Browser, scripts: bool
) -> None:
    context, page = await logged_in(browser, world, java_script_enabled=scripts)
    await page.get_by_role("link", name="Rules", exact=True).click()
    await page.get_by_role("link", name="Edit").click()
    await write(page, WORSE, "direction: wrose")
    if not scripts:
        await press(page, "Check")
    fault = page.locator(".finding.is-error")
    await fault.wait_for()
    assert "line 17" in await fault.inner_text()
    assert 'did you mean "worse"' in await fault.inner_text()
    await write(page, "direction: wrose", BETTER)
    await press(page, "Compare with the last 14 days")
    await page.get_by_text("1 would reach nobody").wait_for()
    await page.locator("select[name=kind]").select_option("channel_live")
    await press(page, "Draw it")
    drawn = page.frame_locator("iframe.message")
    assert await drawn.get_by_role("heading", name="Slack").is_visible()
    await press(page, "Publish")
    await page.get_by_text("Say why").wait_for()
    await page.get_by_label("Why").fill("nobody acts on these")
    await press(page, "Publish")
    await page.get_by_role("heading", name="Version 2 is live").wait_for()
    kept = (world.folder / "rules.yaml").read_text()
    assert BETTER in kept
    await page.goto("/rules")
    row = page.get_by_role("row").filter(has_text="nobody acts on these")
    assert "anna" in await row.inner_text()
    await page.get_by_role("link", name="1", exact=True).click()
    await press(page, "Make it live again")
    await page.get_by_role("heading", name="Version 3 is live").wait_for()
    assert WORSE in (world.folder / "rules.yaml").read_text()
    await context.close()


async def test_no_page_shows_a_secret_and_a_file_keeps_its_own(
    world: PageWorld, browser: Browser
) -> None:
    rules = world.folder / "rules.yaml"
    rules.write_text(rules.read_text().replace("${SLACK_BOT_TOKEN}", SLACK_TOKEN))
    assert (await world.api("/api/reload", {}))["ok"]
    _, page = await logged_in(browser, world)
    for path in ("/rules", "/rules/1", "/rules/edit"):
        await page.goto(path)
        assert SLACK_TOKEN not in await page.content()
    await write(page, WORSE, BETTER)
    await page.get_by_label("Why").fill("it is calm")
    await press(page, "Publish")
    await page.get_by_role("heading", name="is live").wait_for()
    kept = rules.read_text()
    assert f'token: "{SLACK_TOKEN}"' in kept
    assert BETTER in kept


async def test_keys_and_kinds_are_completed(world: PageWorld, browser: Browser) -> None:
    _, page = await logged_in(browser, world)
    await page.goto("/rules/edit")
    editor = page.get_by_role("textbox", name="rules.yaml")
    await editor.press("Control+End")
    await editor.press_sequentially("  - when: {event: channel_cr")
    await page.get_by_role("listbox").get_by_role("option", name="channel_created").wait_for()
    await editor.press("Enter")
    assert (await editor.input_value()).endswith("event: channel_created")


async def test_two_who_edit_at_once_are_told(world: PageWorld, browser: Browser) -> None:
    _, anna = await logged_in(browser, world)
    _, ben = await logged_in(browser, world, OTHER)
    for page in (anna, ben):
        await page.goto("/rules/edit")
    await write(anna, "name: Templates", "name: Templates of anna")
    await write(ben, "name: Templates", "name: Templates of ben")
    for page in (anna, ben):
        await page.get_by_label("Why").fill("a better name")
        await press(page, "Publish")
    await anna.get_by_role("heading", name="Version 2 is live").wait_for()
    await ben.get_by_text("somebody else changed this file meanwhile").wait_for()
    assert "Templates of anna" in await ben.locator(".diff").inner_text()
    assert "Templates of anna" in (world.folder / "rules.yaml").read_text()


async def test_what_cannot_be_written_is_said_and_can_be_downloaded(
    world: PageWorld, browser: Browser
) -> None:
    (world.folder / ".rules.yaml.part").mkdir()
    _, page = await logged_in(browser, world)
    await page.goto("/rules/edit")
    await write(page, WORSE, BETTER)
    await page.get_by_label("Why").fill("it is calm")
    await press(page, "Publish")
    await page.get_by_text("cannot be written here").wait_for()
    assert (await world.api("/api/status"))["rules"]["version"] == 1
    async with page.expect_download() as download:
        await press(page, "Download")
    assert BETTER in read(await (await download.value).path())


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


LIVE = """\
version: 1
accounts:
  slack: {token: "${TOKEN}", api_url: "https://slack.example"}
  email: {host: smtp.example.com, sender: a@example.com, password: "${SECRET_NOT_KEPT_1}"}
destinations:
  support: {slack: {channel: "#support"}, language: de}
  acme: {webhook: {url: "https://acme.example", headers: {authorization: "${ACME}"}}}
rules:
  - {name: All, when: {event: "*"}, send_to: support}
watch: {heartbeat: "${BEAT}"}
"""


@each(
    "before, after",
    [
        ("https://slack.example", "https://evil.example"),
        ("smtp.example.com", "evil.example"),
        ("https://acme.example", "https://evil.example"),
        ('"#support"', '"${TOKEN}"'),
        ("name: All", 'name: "${ACME}"'),
        ("name: All", 'name: "${RELAY_ADMIN_TOKEN}"'),
        ("name: All", 'name: "it is ${SECRET_NOT_KEPT_1}"'),
        ('"${BEAT}"', '"https://evil.example/${BEAT}"'),
        ('"${TOKEN}"', '"x${TOKEN}"'),
        (
            "support: {slack",
            'evil: {teams: {url: "https://evil.example/${TOKEN}"}}\n  support: {slack',
        ),
        ("  slack: {token", '  other: {token: "${TOKEN}"}\n  slack: {token'),
    ],
)
def test_a_login_moves_no_variable_and_nothing_beside_it(before: str, after: str) -> None:
    assert before in LIVE
    assert guarded(LIVE.replace(before, after, 1), LIVE) != []


@each(
    "before, after",
    [
        ("name: All", "name: Every event"),
        ('"#support"', '"#elsewhere"'),
        ("language: de", "language: en"),
        ("  acme:", '  new: {teams: {url: "https://teams.example"}}\n  acme:'),
        ('watch: {heartbeat: "${BEAT}"}\n', ""),
        ("  - {name: All", "  - {name: First, when: {topic: ban}, send_to: acme}\n  - {name: All"),
    ],
)
def test_a_login_may_edit_everything_else(before: str, after: str) -> None:
    assert before in LIVE
    assert guarded(LIVE.replace(before, after, 1), LIVE) == []


def test_secrets_are_put_back_as_they_were() -> None:
    hard = "a\"b\\c: #{}'ü"
    said = yaml.safe_load(whole(LIVE, {"SECRET_NOT_KEPT_1": hard}))
    assert said["accounts"]["email"]["password"] == hard
