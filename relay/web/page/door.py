"""Coming in and going out, and the files that stand before the door."""

from __future__ import annotations

import asyncio

from aiohttp import web

from relay import logs
from relay.web.page.drawing import digest, own_file
from relay.web.page.sessions import COOKIE
from relay.web.page.visit import Visit, from_here, login, set_cookie

_KINDS = {"page.css": "text/css", "page.js": "text/javascript", "edit.js": "text/javascript"}
_FOR_EVER = "public, max-age=31536000, immutable"


async def file(visit: Visit) -> web.Response:
    """The stylesheet or the script; a page names them with a digest, so that they are kept."""
    name = visit.request.match_info["file"]
    if name not in _KINDS:
        raise web.HTTPNotFound
    answer = web.Response(text=own_file(name), content_type=_KINDS[name], charset="utf-8")
    if visit.request.query.get("v") == digest(name):
        answer.headers["Cache-Control"] = _FOR_EVER
    return answer


async def enter(visit: Visit) -> web.Response:
    """Begin a session for whoever has a token."""
    admin, request = visit.admin, visit.request
    address, now = _address(visit), asyncio.get_running_loop().time()
    if (wait := admin.page.attempts.wait(address, now)) > 0:
        refused = login(
            admin,
            request,
            status=429,
            why=f"Too many wrong tokens. Try again in {wait:.0f} seconds.",
        )
        refused.headers["Retry-After"] = str(int(wait) + 1)
        return refused
    if not from_here(request):
        return login(admin, request, status=403, why="Log in on this page itself.")
    token = visit.form.get("token", "").strip().encode("utf-8", "surrogateescape")
    operator = admin.operator_of(token)
    if operator is None:
        admin.page.attempts.failed(address, now)
        logs.warning("login to the page refused", address=address)
        return login(admin, request, status=401, why="No operator has this token.")
    admin.page.attempts.succeeded(address)
    session = admin.page.sessions.begun(operator.name, operator.accepted[0], admin.clock())
    answer = visit.back(_local(visit.form.get("to", "/")))
    set_cookie(answer, request, session)
    return answer


async def leave(visit: Visit) -> web.Response:
    """End the session."""
    if visit.session is not None:
        await visit.admin.page.sessions.end(visit.session, visit.admin.clock())
    answer = visit.back("/")
    answer.del_cookie(COOKIE, path="/")
    return answer


def _address(visit: Visit) -> str:
    """Who tries: the peer, or whom the proxy names as its own peer."""
    request, proxy = visit.request, visit.admin.settings.proxy
    peer = request.remote or ""
    if proxy is not None and proxy.is_from(peer):
        said = ",".join(request.headers.getall("X-Forwarded-For", ()))
        named = said.rpartition(",")[2].strip()
        return named[:64] or peer
    return peer


def _local(to: str) -> str:
    """A path of this relay, whatever the form says."""
    safe = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return to if safe else "/"
