"""`make pictures`: the page as it looks, for docs/page.md, with a made-up day on it."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page

from tests.needs import ROOT
from tests.page import PageWorld, a_browser, a_page, logged_in

FOLDER = ROOT / "docs" / "page"
WIDE, TALL = 1080, 760


async def main() -> None:
    """Draw all four."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        async with a_page(Path(folder)) as world, a_browser() as browser:
            await world.fill(hostile=False)
            context, page = await logged_in(
                browser, world, viewport={"width": WIDE, "height": TALL}, color_scheme="light"
            )
            await _draw(page, "now")
            await page.goto("/events")
            await _draw(page, "events")
            await page.goto(f"/events/{await _given_up(world)}")
            await page.frame_locator("iframe.message").last.locator("main").wait_for()
            await _draw(page, "event", tall=900)
            await page.goto("/rules/edit")
            editor = page.get_by_role("textbox", name="rules.yaml")
            text = await editor.input_value()
            await editor.fill(text.replace("topic: quality", "topic: qualty"))
            await page.locator(".finding.is-error").wait_for()
            await _draw(page, "edit")
            await context.close()


async def _given_up(world: PageWorld) -> str:
    (dead,) = (await world.api("/api/deliveries?state=dead"))["deliveries"]
    return str(dead["event_id"])


async def _draw(page: Page, name: str, tall: int = TALL) -> None:
    await page.set_viewport_size({"width": WIDE, "height": tall})
    await page.screenshot(path=FOLDER / f"{name}.png", animations="disabled", caret="hide")
    sys.stdout.write(f"docs/page/{name}.png\n")


if __name__ == "__main__":
    asyncio.run(main())
