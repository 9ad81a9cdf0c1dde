"""No page leads to nowhere, and the index leads to every page."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote

from tests.needs import ROOT

INDEX = ROOT / "docs" / "README.md"
_FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)
_INLINE_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
_HTML = re.compile(r'\b(?:href|src|srcset)="([^"]+)"')
_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
_ANCHOR = re.compile(r'\b(?:id|name)="([^"]+)"')


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def links(page: Path) -> list[str]:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    prose = _INLINE_CODE.sub("", text)
    found = [one or other for one, other in _LINK.findall(prose)] + _HTML.findall(prose)
    return [link for link in found if not re.match(r"[a-z][a-z0-9+.-]*:", link)]


@cache
def anchors(page: Path) -> frozenset[str]:
    """The fragments of a page, as the usual viewers of Markdown name its headings."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    found: list[str] = []
    for heading in _HEADING.findall(text):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.append(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return frozenset(found) | frozenset(_ANCHOR.findall(text))


def test_no_link_of_a_page_is_dead() -> None:
    dead, seen = [], 0
    for page in pages():
        for link in links(page):
            seen += 1
            place, _, fragment = unquote(link).partition("#")
            target = (page.parent / place).resolve() if place else page
            if not target.exists():
                dead.append(f"{page.relative_to(ROOT)}: {link} is not there")
            elif fragment and (target.suffix != ".md" or fragment not in anchors(target)):
                dead.append(f"{page.relative_to(ROOT)}: {link} has no such heading")
    assert seen > 50
    assert dead == []


def test_the_index_leads_to_every_page() -> None:
    led = {(INDEX.parent / link.partition("#")[0]).resolve() for link in links(INDEX)}
    ours = {*pages(), *(ROOT / "docs").glob("*.json")} - {INDEX, ROOT / "README.md"}
    reached = {page for page in ours if page in led or page.parent in led}
    assert ours - reached == set()
