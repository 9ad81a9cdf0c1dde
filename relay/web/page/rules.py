"""The rules: what is live, what was, and an editor that tries before it publishes."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import unified_diff
from typing import Any

from aiohttp import web

from relay import samples
from relay.checks.diff import WORDS
from relay.config.schema import rules_schema
from relay.errors import UsageError
from relay.events import Direction, Severity, Topic
from relay.events.catalogue import KINDS
from relay.journal import Records, RulesVersion
from relay.messages.templates import Templates
from relay.reload.withheld import BESIDE, RULES, changes
from relay.web.drafts import Draft
from relay.web.page import publishing
from relay.web.page.visit import NotThereError, Visit, framed

SHOWN = 20
DAYS = "14d"
_MOST_DRAWN = 20


@dataclass(frozen=True, slots=True)
class Listed:
    """A version in the list."""

    version: RulesVersion
    changed: tuple[str, ...]
    why: str | None


async def show(visit: Visit) -> web.Response:
    """`GET /rules`: the live file, and the versions before it."""
    records = visit.admin.store.records
    live = await _version(visit, None)
    return await visit.page(
        "rules.html.j2",
        "Rules",
        live=live,
        text=live.files[RULES],
        templates=_templates(live.files),
        versions=await _versions(records, live),
        status=(await visit.admin.status())["rules"],
    )


async def _versions(records: Records, newest: RulesVersion) -> list[Listed]:
    found: list[Listed] = []
    version: RulesVersion | None = newest
    while version is not None and len(found) < SHOWN:
        before = await records.rules(version.version - 1) if version.version > 1 else None
        changed = changes(before.files, version.files) if before else ()
        found.append(Listed(version, changed, await records.recalled(_why(version.version))))
        version = before
    return found


def _why(version: int) -> str:
    """Under which name the journal remembers why somebody published a version."""
    return f"page: why version {version}"


def _templates(files: Mapping[str, str]) -> list[str]:
    return sorted(name for name in files if name != RULES and not name.startswith(BESIDE))


async def version(visit: Visit) -> web.Response:
    """`GET /rules/N`: what it changed, and what going back to it would change."""
    number = int(visit.request.match_info["version"])
    records = visit.admin.store.records
    one, live = await _version(visit, number), await _version(visit, None)
    before = await records.rules(number - 1) if number > 1 else None
    return await visit.page(
        "version.html.j2",
        f"Version {number}",
        one=one,
        live=live,
        why=await records.recalled(_why(number)),
        changed=list(difference(before.files if before else {}, one.files)),
        back=[] if one.version == live.version else list(difference(live.files, one.files)),
    )


async def revert(visit: Visit) -> web.Response:
    """`POST /rules/N/revert`."""
    done = await visit.admin.revert(int(visit.request.match_info["version"]), visit.who)
    return await visit.page(
        "published.html.j2",
        "Published",
        loaded=done.loaded,
        unwritten=done.unwritten,
        placeholders=done.placeholders,
    )


async def _version(visit: Visit, number: int | None) -> RulesVersion:
    found = await visit.admin.store.records.rules(number)
    if found is None:
        raise NotThereError(f"There is no version {number} of the rules.")
    return found


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """What differs, by file, as `diff -u` says it; the rules first."""
    for name in sorted(before.keys() | after.keys(), key=lambda name: (name != RULES, name)):
        old, new = before.get(name, "").splitlines(), after.get(name, "").splitlines()
        shown = name.removeprefix(BESIDE)
        yield from unified_diff(old, new, shown, shown, n=3, lineterm="")


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody has in the editor, and what trying it said."""

    file: str
    text: str
    base: str
    findings: Sequence[Mapping[str, Any]] = ()
    diff: Mapping[str, Any] | None = None
    drawn: str | None = None
    """Where a preview can be looked at."""
    kind: str = ""
    reason: str = ""
    said: str = ""
    """Why nothing was published."""
    meanwhile: Sequence[str] = field(default_factory=list)
    """What somebody else changed since this editor was opened."""
    tried: bool = False

    @property
    def errors(self) -> int:
        return sum(one["level"] == "error" for one in self.findings)


async def edit(visit: Visit) -> web.Response:
    """`GET /rules/edit?file=NAME`: the file as it is."""
    name = visit.query.get("file", RULES)
    source = await _source(visit)
    text = source.files.get(name)
    if text is None:
        shipped = Templates.shipped().texts.get(name)
        if shipped is None:
            raise NotThereError("There is no such file among the rules and templates.")
        text = shipped
    base = publishing.base(visit.admin.settings, name)
    return await _editor(visit, Edit(name, text, base), source)


async def _source(visit: Visit) -> publishing.Source:
    live = await _version(visit, None)
    return await asyncio.to_thread(publishing.source, visit.admin.settings, live)


async def _editor(visit: Visit, edited: Edit, source: publishing.Source) -> web.Response:
    plan = await visit.plan()
    own = _templates(source.files)
    return await visit.page(
        "edit.html.j2",
        f"Edit {edited.file}",
        edited=edited,
        files=[RULES, *own],
        shipped=sorted(set(Templates.shipped().texts) - set(own)),
        refused=source.refused,
        kinds=samples.names(),
        change_words=WORDS,
        completions=json.dumps(_words(list(plan.destinations))) if edited.file == RULES else "{}",
    )


def _words(destinations: list[str]) -> dict[str, list[str]]:
    """What may stand where, by the key before it; by none the keys themselves."""
    keys: set[str] = set()
    _collect(rules_schema(), keys)
    return {
        "": sorted(keys),
        "event": list(KINDS),
        "topic": [one.value for one in Topic],
        "severity": [one.value for one in Severity],
        "direction": [one.value for one in Direction],
        "detail": sorted({detail for kind in KINDS.values() for detail in kind.meanings}),
        "send_to": [*destinations, "none"],
        "expect": destinations,
    }


def _collect(shape: Any, keys: set[str]) -> None:
    if isinstance(shape, Mapping):
        properties = shape.get("properties")
        keys.update(properties if isinstance(properties, Mapping) else ())
        for part in shape.values():
            _collect(part, keys)
    elif isinstance(shape, list):
        for part in shape:
            _collect(part, keys)


async def edited(visit: Visit) -> web.StreamResponse:
    """`POST /rules/edit`: check, compare, draw, download or publish what is in the editor."""
    form = visit.form
    text = form.get("text", "").replace("\r\n", "\n")
    made = Edit(
        form.get("file", RULES),
        text,
        form.get("base", ""),
        kind=form.get("kind", ""),
        reason=form.get("reason", "").strip()[:200],
    )
    do = form.get("do", "check")
    source = await _source(visit)
    draft = _draft(made, source)
    if do == "download":
        name = made.file.replace("/", "-")
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return web.Response(text=text, content_type="text/plain", headers=headers)
    if do == "findings":
        who = visit.session.id if visit.session else visit.who
        found = await visit.admin.page.tries.newest(who, _findings(visit, made, draft))
        return web.json_response({"findings": found}, status=409 if found is None else 200)
    made = replace(made, findings=await _findings(visit, made, draft), tried=True)
    if not made.errors and do in ("diff", "preview"):
        made = await _tried(visit, made, draft, do)
    if do == "publish":
        if made.errors:
            made = replace(made, said="Nothing was published: it would be refused.")
        else:
            async with visit.admin.page.publishing:  # one after the other: each sees the last
                return await _publish(visit, made, await _source(visit))
    return await _editor(visit, made, source)


def _draft(made: Edit, source: publishing.Source) -> Draft:
    if made.file != RULES and made.file not in {
        *_templates(source.files),
        *Templates.shipped().texts,
    }:
        raise NotThereError("There is no such file among the rules and templates.")
    return Draft.of_files({**source.files, made.file: made.text})


async def _findings(visit: Visit, made: Edit, draft: Draft) -> list[dict[str, Any]]:
    """What `relay check` says, and what a login may not write."""
    found: list[dict[str, Any]] = []
    if made.file == RULES:
        live = await _version(visit, None)
        found = [
            {
                "file": RULES,
                "line": one.line,
                "column": one.column,
                "level": one.level,
                "message": one.message,
            }
            for one in publishing.guarded(made.text, live.files[RULES])
        ]
    try:
        said = await visit.admin.page.tries.check(draft)
    except UsageError as error:
        said = [
            {"file": made.file, "line": 1, "column": 1, "level": "error", "message": str(error)}
        ]
    seen = {(one["line"], one["message"]) for one in found}
    found += [one for one in said if (one["line"], one["message"]) not in seen]
    for one in found:
        one["file"] = one["file"].removeprefix("message_templates/")
        one["here"] = one["file"] == made.file
    return sorted(found, key=lambda one: (one["level"], not one["here"], one["line"]))


async def _tried(visit: Visit, made: Edit, draft: Draft, do: str) -> Edit:
    tries = visit.admin.page.tries
    if do == "preview" and made.kind not in samples.names():
        return replace(made, said="Choose the message to draw.")
    try:
        if do == "diff":
            return replace(made, diff=await tries.diff(draft, f"--since={DAYS}", "--messages"))
        drawings = visit.admin.page.drawings
        token = secrets.token_urlsafe(12)
        drawings[token] = await tries.preview(draft, made.kind)
    except UsageError as error:
        return replace(made, said=str(error))
    while len(drawings) > _MOST_DRAWN:
        del drawings[next(iter(drawings))]
    return replace(made, drawn=f"/rules/drawn/{token}")


async def drawn(visit: Visit) -> web.Response:
    """`GET /rules/drawn/TOKEN`: a preview of a draft, for a frame."""
    text = visit.admin.page.drawings.get(visit.request.match_info["token"])
    if text is None:
        raise NotThereError("It was drawn too long ago: draw it again.")
    return framed(text)


async def _publish(visit: Visit, made: Edit, source: publishing.Source) -> web.Response:
    settings, file = visit.admin.settings, made.file
    now = publishing.base(settings, file)
    if now != made.base:
        theirs = source.files.get(file, "").splitlines()
        lines = unified_diff(
            theirs, made.text.splitlines(), "what it says now", "yours", lineterm=""
        )
        said = (
            "Nothing was published: somebody else changed this file meanwhile. Read what differs; "
            "publishing again takes yours."
        )
        return await _editor(
            visit, replace(made, base=now, said=said, meanwhile=list(lines)), source
        )
    if not made.reason:
        return await _editor(
            visit, replace(made, said="Say why: it stands with the version."), source
        )
    text = publishing.whole(made.text, source.secrets) if file == RULES else made.text
    try:
        before = await publishing.write(settings, file, text)
    except UsageError as error:
        return await _editor(visit, replace(made, said=str(error)), source)
    loaded = await visit.admin.reload(visit.who, publish=True)
    if loaded.error:
        await publishing.put_back(settings, file, before)
        await visit.admin.reload(visit.who)
        said = f"Nothing was published: {loaded.error}"
        return await _editor(visit, replace(made, said=said), source)
    await visit.admin.store.journal.remember(_why(loaded.plan.version), made.reason)
    return await visit.page(
        "published.html.j2", "Published", loaded=loaded, unwritten=(), placeholders=False
    )
