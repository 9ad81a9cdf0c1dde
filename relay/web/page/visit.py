"""One request for a page: who asks, whether they may, and what every answer carries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from aiohttp import web

from relay.errors import JournalError, RelayError, UsageError
from relay.web.page import drawing
from relay.web.page.sessions import COOKIE, LASTS, Session
from relay.web.senders import LARGEST_BODY

if TYPE_CHECKING:
    from relay.pipeline import Plan
    from relay.web.api import Admin

LONGEST_NAME = 64
"""Characters of an operator's name that a proxy gives."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TITLES = {
    400: "That cannot be",
    403: "This form is not valid any more",
    404: "Not found",
    503: "Not now",
}


class NotThereError(UsageError):
    """What was asked for is not there; its text says what."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What a page is made from."""

    admin: Admin
    request: web.Request
    who: str
    session: Session | None
    """None: a bearer token came with the request, which no other page can make a browser send."""
    form: Mapping[str, str]
    """What was posted."""

    @property
    def query(self) -> dict[str, str]:
        """The query without what was left empty, as forms send what nobody filled in."""
        return {name: text for name, text in self.request.query.items() if text.strip()}

    async def plan(self) -> Plan:
        """What is live."""
        return await self.admin.plan()

    async def page(
        self, template: str, title: str, *, code: int = 200, **values: object
    ) -> web.Response:
        """A page with the frame around it."""
        plan = await self.plan()
        text = drawing.page(
            template,
            zone=plan.timezone,
            now=self.admin.clock(),
            title=title,
            path=self.request.path,
            query=self.query,
            who=self.who,
            form_token=self.session.form_token if self.session else "",
            may_leave=bool(self.session and self.session.by_token),
            **values,
        )
        return web.Response(text=text, content_type="text/html", status=code)

    def back(self, path: str, /, **said: object) -> web.Response:
        """Go there, and say there what was done."""
        query = urlencode(said, quote_via=quote)
        joined = f"{path}{'&' if '?' in path else '?'}{query}" if query else path
        return web.Response(status=303, headers={"Location": joined})


Act = Callable[[Visit], Awaitable[web.StreamResponse]]


async def answer(
    admin: Admin, name: str, request: web.Request, *, is_open: bool
) -> web.StreamResponse:
    """What the function of this name answers whoever may ask it; else the login."""
    module, _, function = name.partition(":")
    act: Act = getattr(import_module(f"relay.web.page.{module}"), function)
    fresh = None
    if is_open:
        form = await _form(request)
        response = await act(Visit(admin, request, "", None, form))
    else:
        who, session, fresh = await _visitor(admin, request)
        if who is None:
            response = login(admin, request, status=401)
        else:
            visit = Visit(admin, request, who, session, await _form(request))
            response = await _judged(act, visit)
    if not response.prepared:
        for header, text in HEADERS.items():
            response.headers.setdefault(header, text)
        if fresh is not None:
            set_cookie(response, request, fresh)
    return response


async def _judged(act: Act, visit: Visit) -> web.StreamResponse:
    """What it answers; what cannot be is said on a page."""
    if visit.request.method == "POST" and visit.session is not None:
        own = visit.session.admits(visit.form.get("form_token", ""))
        if not own or not from_here(visit.request):
            return await _said(
                visit, 403, "Nothing was done. Go back, load the page and try again."
            )
    try:
        return await act(visit)
    except NotThereError as error:
        return await _said(visit, 404, str(error))
    except JournalError as error:
        return await _said(visit, 503, str(error))
    except (RelayError, ValueError) as error:
        return await _said(visit, 400, str(error))


async def _said(visit: Visit, status: int, why: str) -> web.Response:
    return await visit.page("said.html.j2", _TITLES[status], code=status, why=why)


async def _visitor(
    admin: Admin, request: web.Request
) -> tuple[str | None, Session | None, Session | None]:
    """Who asks, in which session, and which one begins with the answer."""
    if (who := admin.bearer(request)) is not None:
        return who, None, None
    now = admin.clock()
    cookie = request.cookies.get(COOKIE, "")
    session = await admin.page.sessions.known(cookie, now) if cookie else None
    named = by_proxy(admin, request)
    if session is not None and (session.by_token or session.who == named):
        return session.who, session, None
    if named is not None:
        begun = admin.page.sessions.begun(named, None, now)
        return named, begun, begun
    return None, None, None


async def by_session(admin: Admin, request: web.Request) -> str | None:
    """Who asks the API from a page: by its cookie, and with what forms carry to change anything."""
    session = (await _visitor(admin, request))[1]
    if session is None:
        return None
    if request.method == "GET":
        return session.who
    own = session.admits(request.headers.get("X-Form-Token", ""))
    return session.who if own and from_here(request) else None


def by_proxy(admin: Admin, request: web.Request) -> str | None:
    """Whom the proxy has logged in, where the request is the proxy's own."""
    proxy = admin.settings.proxy
    if proxy is None or not proxy.is_from(request.remote):
        return None
    names = request.headers.getall(proxy.header, [])
    name = names[0].strip() if len(names) == 1 else ""
    return name if name and name.isprintable() and len(name) <= LONGEST_NAME else None


def login(admin: Admin, request: web.Request, *, status: int, why: str = "") -> web.Response:
    """The form that asks for a token, in the place of the page that was asked for."""
    there = str(request.rel_url) if request.method == "GET" else "/"
    text = drawing.page(
        "login.html.j2",
        title="Log in",
        to=there,
        why=why,
        has_operators=any(one.accepted for one in admin.operators),
    )
    return web.Response(text=text, content_type="text/html", status=status)


def set_cookie(response: web.StreamResponse, request: web.Request, session: Session) -> None:
    """Give the browser its session. A browser itself says whether it speaks TLS."""
    response.set_cookie(
        COOKIE,
        session.cookie,
        max_age=int(LASTS.total_seconds()),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=request.secure or request.headers.get("Origin", "").startswith("https://"),
    )


def from_here(request: web.Request) -> bool:
    """Whether a browser says that the form stands on a page of ours; older ones say nothing."""
    return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")


def framed(text: str) -> web.Response:
    """A document of previews that stands in a frame of a page."""
    from relay.preview import POLICY as PREVIEWS

    policy = PREVIEWS + "; frame-ancestors 'self'; sandbox allow-same-origin allow-popups"
    return web.Response(
        text=text,
        content_type="text/html",
        headers={**HEADERS, "Content-Security-Policy": policy, "X-Frame-Options": "SAMEORIGIN"},
    )


async def _form(request: web.Request) -> Mapping[str, str]:
    """The fields of a posted form, each once; none of what is no form."""
    if request.method != "POST":
        return {}
    if (request.content_length or 0) > LARGEST_BODY:
        raise web.HTTPRequestEntityTooLarge(LARGEST_BODY, request.content_length or 0)
    if request.content_type != "application/x-www-form-urlencoded":
        return {}
    try:
        fields: Mapping[str, Any] = await request.post()
    except (ValueError, LookupError):  # No text, or in letters that nobody knows
        return {}
    return {name: value for name, value in fields.items() if isinstance(value, str)}
