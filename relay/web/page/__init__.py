"""The admin page: HTML that the relay itself makes, for whoever wants to look and not to type.

Only this table is imported at the start; what draws a page comes with the first request for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

if TYPE_CHECKING:
    from relay.web.api import Admin

OPEN: Final = (
    ("GET", "/page/{file}", "door:file"),
    ("POST", "/login", "door:enter"),
)
"""What needs no login: method, path, and the function that answers."""
ROUTES: Final = (
    ("GET", "/", "now:show"),
    ("GET", "/page/live", "live:follow"),
    ("POST", "/logout", "door:leave"),
    ("GET", "/rules", "rules:show"),
    ("POST", "/rules/publish", "now:publish"),
    ("GET", "/rules/edit", "rules:edit"),
    ("POST", "/rules/edit", "rules:edited"),
    ("GET", "/rules/drawn/{token}", "rules:drawn"),
    ("GET", "/rules/{version:[1-9][0-9]{0,17}}", "rules:version"),
    ("POST", "/rules/{version:[1-9][0-9]{0,17}}/revert", "rules:revert"),
    ("GET", "/events", "events:listing"),
    ("GET", "/events/{id}", "events:show"),
    ("GET", "/events/{id}/replay", "events:replay"),
    ("POST", "/events/{id}/replay", "events:replayed"),
    ("GET", "/deliveries", "deliveries:listing"),
    ("GET", "/deliveries/{action:retry|discard}", "deliveries:question"),
    ("POST", "/deliveries/{action:retry|discard}", "deliveries:done"),
    ("GET", "/deliveries/{id}/message", "events:message"),
    ("POST", "/deliveries/{id}/retry", "events:retried"),
    ("POST", "/deliveries/{id}/discard", "events:discarded"),
    ("GET", "/silences", "care:silenced"),
    ("POST", "/silences", "care:silence"),
    ("POST", "/silences/{id}/end", "care:end_silence"),
    ("GET", "/directory", "care:directory"),
    ("GET", "/quarantine", "care:quarantine"),
    ("POST", "/quarantine/{id:[0-9]{1,18}}/look", "care:look"),
    ("GET", "/log", "care:audit"),
    ("GET", "/catalogue", "care:catalogue"),
    ("GET", "/catalogue/view", "care:sample"),
    ("GET", "/catalogue/drawn", "care:drawn"),
)


def add_routes(app: web.Application, admin: Admin) -> None:
    """All pages, at their own paths beside the API's."""

    def route(method: str, path: str, name: str, *, is_open: bool) -> None:
        async def handle(request: web.Request) -> web.StreamResponse:
            from relay.web.page.visit import answer

            return await answer(admin, name, request, is_open=is_open)

        app.router.add_route(method, path, handle)

    for one in ROUTES:
        route(*one, is_open=False)
    for one in OPEN:
        route(*one, is_open=True)
    app.on_shutdown.append(admin.close)
