"""The front door, and what is read without an account."""

from aiohttp import web

from evosync.web.keys import SERVICES, VIEWER
from evosync.web.render import answer, page
from evosync.web.session import choose_language
from evosync.words.language import language_of
from evosync.words.texts import PRIVACY, PROMISES, TERMS, Text


async def front(request: web.Request) -> web.Response:
    raise web.HTTPFound("/profile" if request[VIEWER] is not None else "/login")


async def health(_request: web.Request) -> web.Response:
    """Lives, and no more: what stands behind it is asked of `/health/ready`."""
    return answer({"status": "ok"})


async def robots(request: web.Request) -> web.Response:
    private = ("/profile", "/connections", "/catalog", "/vk-catalog", "/sync", "/admin", "/invite", "/confirm-email")
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in (*private, "/reset-password"))]
    del request
    return web.Response(text="\n".join(lines) + "\n", headers={"Cache-Control": "public, max-age=86400"})


async def privacy(request: web.Request) -> web.Response:
    return await _reading(request, PRIVACY)


async def terms(request: web.Request) -> web.Response:
    return await _reading(request, TERMS)


async def promises(request: web.Request) -> web.Response:
    return await _reading(request, PROMISES)


async def _reading(request: web.Request, text: Text) -> web.Response:
    site = request.app[SERVICES].site
    context = {"text": text, "operator": site.operator or site.base_url, "support": site.support or site.base_url}
    return await page(request, "public/text.html", context)


async def language(request: web.Request) -> web.Response:
    """For a reader without an account; one with an account has it in his profile."""
    form = await request.post()
    await choose_language(request, language_of(str(form.get("language", ""))).value)
    raise web.HTTPSeeOther(local_path(str(form.get("next", ""))))


def local_path(wanted: str, default: str = "/") -> str:
    """A path of this site, whatever somebody wrote into the form or the address."""
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_local and "\\" not in wanted else default


routes = [
    web.get("/", front, name="front"),
    web.get("/health", health, name="health"),
    web.get("/robots.txt", robots, name="robots"),
    web.get("/privacy", privacy, name="privacy"),
    web.get("/terms", terms, name="terms"),
    web.get("/promises", promises, name="promises"),
    web.post("/language", language, name="language"),
]

__all__ = ["local_path", "routes"]
