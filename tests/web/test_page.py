"""The page in a real browser."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.needs import PATIENCE
from tests.page import HOSTILE, PageWorld, a_browser, a_page, faults, logged_in

WIDTHS = (360, 800, 1440)
PAGES = (
    "/",
    "/events",
    "/events?text=171+39200&state=routed",
    "/events/{dead}",
    "/events/{hostile}",
    "/events/{dead}/replay",
    "/deliveries",
    "/deliveries/retry?state=dead",
    "/deliveries/discard?state=parked&destination=billing",
    "/events/ffff00",
    "/rules",
    "/rules/1",
    "/rules/edit",
    "/rules/edit?file=channel_live.md.j2",
    "/silences",
    "/directory",
    "/quarantine",
    "/log",
    "/catalogue",
    "/catalogue/view?kind=channel_live",
)
"""By width and colours; what stands in braces is an event."""


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[PageWorld]:
    async with a_page(tmp_path) as one:
        await one.fill()
        yield one


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with a_browser() as one:
        yield one


async def test_what_is_wrong_stands_on_top_in_words(world: PageWorld, browser: Browser) -> None:
    _, page = await logged_in(browser, world)
    assert await page.get_by_role("heading", level=1).inner_text() == (
        "2 things want somebody to look"
    )
    said = await page.get_by_role("article").all_inner_texts()
    assert any("A message for sales was given up" in one for one in said)
    assert any("billing is out of order" in one and "invite the bot" in one for one in said)


async def until(page: Page, words: str) -> None:
    """Look again until it is there: without scripts nothing moves by itself."""
    async with asyncio.timeout(PATIENCE):
        while words not in await page.locator("main").inner_text():
            await asyncio.sleep(0.05)
            await page.reload()


@pytest.mark.parametrize("scripts", [True, False])
async def test_last_nights_failure_is_found_understood_and_mended(
    world: PageWorld, browser: Browser, scripts: bool
) -> None:
    """By half a number; with and without JavaScript."""
    context, page = await logged_in(browser, world, java_script_enabled=scripts)
    await page.get_by_role("link", name="Events").click()
    await page.get_by_role("searchbox").fill("171 39200")
    await page.get_by_role("searchbox").press("Enter")
    row = page.get_by_role("row").filter(has_text="dead")
    await row.get_by_role("link", name="Number is live").click()
    said = await page.locator("main").inner_text()
    assert 'sales was not told, by the rule "Numbers that go live": given up on' in said
    assert "an element that Teams does not know" in said
    assert "event is channel_live" in said
    await page.get_by_role("button", name="Send it again").click()
    await page.get_by_text("1 message sent again").wait_for()
    if scripts:
        await page.get_by_text("sales was told on").wait_for()
    else:
        await until(page, "sales was told on")
    await page.get_by_role("button", name="Log out").click()
    await page.get_by_label("Your admin token").wait_for()
    await context.close()


async def test_a_hostile_name_is_text_everywhere(world: PageWorld, browser: Browser) -> None:
    context, page = await logged_in(browser, world)
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    event = await event_of(world, "hostile")
    for path in ("/events", f"/events/{event}", f"/events/{event}/replay", "/deliveries"):
        await page.goto(path)
        assert await page.get_by_text(HOSTILE, exact=False).first.is_visible(), path
        assert await page.locator("main img, main b, main script").count() == 0
    await page.goto(f"/events/{event}")
    inner = page.frame_locator("iframe.message")
    assert await inner.get_by_text("onerror=alert(1)").first.is_visible()
    assert await inner.locator("img, script").count() == 0
    await context.close()


async def test_the_keyboard_alone_is_enough(world: PageWorld, browser: Browser) -> None:
    _, page = await logged_in(browser, world)
    await page.keyboard.press("?")
    await page.get_by_role("dialog").wait_for()
    await page.keyboard.press("Escape")
    await page.keyboard.press("d")
    await page.wait_for_url("**/deliveries")
    await page.keyboard.press("/")
    await page.keyboard.type("numbers that go live")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/deliveries?text=*")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/events/*")
    await page.get_by_role("button", name="Send it again").focus()
    await page.keyboard.press("Enter")
    await page.get_by_text("1 message sent again").wait_for()


async def test_a_group_is_retried_after_its_count_and_a_question(
    world: PageWorld, browser: Browser
) -> None:
    _, page = await logged_in(browser, world)
    await page.goto("/deliveries")
    row = page.get_by_role("row").filter(has_text="is not in it").filter(has_text="Retry")
    world.slack.always(None, "#billing")
    await row.get_by_role("link", name="Retry").click()
    await page.get_by_role("heading", name="Send again 1 message?").wait_for()
    await page.get_by_role("button", name="Send again").click()
    await page.wait_for_url("**/deliveries?done=retried*")
    await world.settled()
    states = {one["state"] for one in (await world.api("/api/deliveries"))["deliveries"]}
    assert states == {"delivered", "dead"}


@pytest.mark.parametrize("scripts", [True, False])
async def test_what_is_known_is_silenced_with_a_reason_and_an_end(
    world: PageWorld, browser: Browser, scripts: bool
) -> None:
    context, page = await logged_in(browser, world, java_script_enabled=scripts)
    await page.get_by_role("link", name="Silences").click()
    await page.get_by_label("Number").fill("+49*")
    await page.get_by_label("For").fill("soon")
    await page.get_by_label("Why").fill("Meta knows of it")
    await page.get_by_role("button", name="Silence").click()
    await page.get_by_text('"soon" is no span').wait_for()
    await page.go_back()
    await page.get_by_label("Number").fill("+49*")
    await page.get_by_label("For").fill("2h")
    await page.get_by_label("Why").fill("Meta knows of it")
    await page.get_by_role("button", name="Silence").click()
    await page.get_by_text("Meta knows of it").wait_for()
    await world.happen()
    await world.settled()
    await page.reload()
    await page.get_by_text("1 message suppressed").wait_for()
    await page.get_by_role("button", name="End it").click()
    await page.get_by_text("Nothing is silenced.").wait_for()
    await context.close()


async def test_a_look_into_quarantine_is_recorded_with_who_looked(
    world: PageWorld, browser: Browser
) -> None:
    await world.client.post(b"<b>not</b> json")
    context, page = await logged_in(browser, world)
    await page.goto("/quarantine")
    await page.get_by_role("button", name="Look inside").click()
    await page.get_by_text("<b>not</b> json").wait_for()
    await page.get_by_role("link", name="Log").first.click()
    row = page.get_by_role("row").filter(has_text="looked into quarantine")
    assert "anna" in await row.inner_text()
    await context.close()


async def test_what_is_new_is_announced_and_waits(world: PageWorld, browser: Browser) -> None:
    _, page = await logged_in(browser, world)
    await page.goto("/events")
    before = await page.locator("[data-list] tbody tr").count()
    await world.happen()
    await page.get_by_text("1 new").wait_for()
    assert await page.locator("[data-list] tbody tr").count() == before
    await page.get_by_text("1 new").click()
    await page.locator("[data-list] tbody tr").nth(before).wait_for()


async def test_the_relay_stops_though_a_page_is_open(world: PageWorld, browser: Browser) -> None:
    _, page = await logged_in(browser, world)
    assert await page.title() == "2 to look at · relay"
    async with asyncio.timeout(PATIENCE):
        await world.app.stop(grace=PATIENCE * 10)


async def event_of(world: PageWorld, which: str) -> str:
    """The event whose message was given up, or that of the hostile client."""
    if which == "dead":
        (dead,) = (await world.api("/api/deliveries?state=dead"))["deliveries"]
        return str(dead["event_id"])
    (event,) = (await world.api("/api/events?client=evil01CL"))["events"]
    return str(event["id"])


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_people_from_using_any_page(
    world: PageWorld, browser: Browser, scheme: str
) -> None:
    """Axe finds nothing serious, and nothing runs out of the window, at any width."""
    names = {which: await event_of(world, which) for which in ("dead", "hostile")}
    for width in WIDTHS:
        context, page = await logged_in(
            browser, world, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        for path in PAGES:
            await page.goto(path.format(**names))
            assert await faults(page) == [], (path, width)
            assert not await _runs_over(page), (path, width)
        await context.close()


async def _runs_over(page: Page) -> bool:
    wide: bool = await page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide


async def test_of_a_living_message_its_own_words_are_shown(
    world: PageWorld, browser: Browser
) -> None:
    (event,) = (await world.api("/api/events?kind=phone_number_quality_update"))["events"]
    context, page = await logged_in(browser, world)
    await page.goto(f"/events/{event['id']}")
    title = await page.locator(".said strong").inner_text()
    assert any(title in str(post.json["text"]) for post in world.slack.posts)
    await context.close()
