"""Headers of every answer: what the browser may load, whom it tells about us, and for how long it insists on https."""

from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web

from evosync.web.keys import CLIENT, RULE, SERVICES, VIEWER
from evosync.web.services import Site

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_PACKED: Final = frozenset({"text/html", "application/json", "text/plain", "text/css", "application/problem+json"})
_SMALL: Final = 800
"""Bytes under which packing costs more than it saves."""

# The chat widget's own hosts; nothing else is opened for it, and only where it is set.
_JIVOSITE: Final = {
    "script-src": ("https://code.jivosite.com", "https://code.jivo.ru"),
    "style-src": ("'unsafe-inline'",),
    "img-src": ("data:", "https://*.jivosite.com", "https://*.jivo.ru"),
    "font-src": ("https://*.jivosite.com", "https://*.jivo.ru"),
    "media-src": ("https://*.jivosite.com", "https://*.jivo.ru"),
    "connect-src": ("https://*.jivosite.com", "wss://*.jivosite.com", "https://*.jivo.ru", "wss://*.jivo.ru"),
    "frame-src": ("https://*.jivosite.com", "https://*.jivo.ru"),
}


def content_policy(site: Site, *, with_chat: bool = False) -> str:
    """Own scripts, styles and pictures, VK's pictures, and nothing inline."""
    sources: dict[str, tuple[str, ...]] = {
        "default-src": ("'none'",),
        "script-src": ("'self'",),
        "style-src": ("'self'",),
        "img-src": ("'self'", *site.picture_hosts),
        "connect-src": ("'self'",),
        "form-action": ("'self'",),
        "base-uri": ("'none'",),
        "frame-ancestors": ("'none'",),
    }
    if with_chat:
        for name, hosts in _JIVOSITE.items():
            sources[name] = (*sources.get(name, ()), *hosts)
    return "; ".join(f"{name} {' '.join(values)}" for name, values in sources.items())


def shows_chat(request: web.Request) -> bool:
    """The widget stands on the owner's pages alone: not before the door, not at the admin's."""
    rule = request.get(RULE)
    has_viewer = request.get(VIEWER) is not None
    return bool(request.app[SERVICES].site.jivosite_widget_id) and has_viewer and not (rule and rule.is_admin)


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Signal `on_response_prepare`: also reaches streams and what aiohttp itself answers."""
    site = request.app[SERVICES].site
    set_default = response.headers.setdefault
    set_default("Content-Security-Policy", content_policy(site, with_chat=shows_chat(request)))
    set_default("X-Content-Type-Options", "nosniff")
    set_default("X-Frame-Options", "DENY")
    # Pages with a token in their address must not tell it to anybody.
    set_default("Referrer-Policy", "same-origin" if "token" not in request.query else "no-referrer")
    set_default("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
    set_default("Cross-Origin-Opener-Policy", "same-origin")
    set_default("Cross-Origin-Resource-Policy", "same-origin")
    if site.is_https:
        set_default("Strict-Transport-Security", "max-age=31536000")
    set_default("Cache-Control", "no-store")
    response.headers.pop("Server", None)
    client = request.get(CLIENT)
    if client is not None:
        set_default("X-Request-Id", client.id)


@web.middleware
async def compress(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Packs text by ourselves. gzip by name, since aiohttp on its own prefers deflate."""
    response = await handler(request)
    if (
        isinstance(response, web.Response)
        and response.content_type in _PACKED
        and "Content-Encoding" not in response.headers
    ):
        response.headers.setdefault("Vary", "Accept-Encoding")
        body = response.body
        if isinstance(body, bytes) and len(body) >= _SMALL and "gzip" in request.headers.get("Accept-Encoding", ""):
            response.enable_compression(web.ContentCoding.gzip)
    return response
