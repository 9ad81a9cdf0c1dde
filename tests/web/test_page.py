"""The page in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests.page import PageWorld, a_browser, a_page, faults, logged_in

WIDTHS = (360, 800, 1440)
PAGES = ("/",)


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


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_nothing_keeps_people_from_using_any_page(
    world: PageWorld, browser: Browser, scheme: str
) -> None:
    """Axe finds nothing serious, and nothing runs out of the window, at any width."""
    for width in WIDTHS:
        context, page = await logged_in(
            browser, world, viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        for path in PAGES:
            await page.goto(path)
            assert await faults(page) == [], (path, width)
            assert not await _runs_over(page), (path, width)
        await context.close()


async def _runs_over(page: Page) -> bool:
    wide: bool = await page.evaluate(
        "document.documentElement.scrollWidth > document.documentElement.clientWidth"
    )
    return wide
