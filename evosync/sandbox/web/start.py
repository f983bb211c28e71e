"""The start page, and the files that all pages share."""

from importlib.resources import files

from aiohttp import web

from evosync.sandbox.keys import SANDBOX
from evosync.sandbox.web.show import render

TYPES = {"sandbox.css": "text/css", "shop.js": "text/javascript", "icon.svg": "image/svg+xml"}
routes = web.RouteTableDef()


@routes.get("/")
async def start(request: web.Request) -> web.Response:
    """All tills and shops."""
    sandbox = request.app[SANDBOX]
    origin = str(request.url.origin())
    values = {
        "accounts": sandbox.accounts.values(),
        "communities": sandbox.communities.values(),
        "addresses": {"EVOTOR_API_URL": f"{origin}/evotor", "VK_API_URL": f"{origin}/vk/method"},
        "traffic": {"Evotor": sandbox.ledger.requests("evotor"), "VK": sandbox.ledger.requests("vk")},
    }
    return render(request, "start.html", values)


@routes.get("/pages/{name}")
async def page_file(request: web.Request) -> web.Response:
    """Style sheet, script and icon of the pages."""
    name = request.match_info["name"]
    if name not in TYPES:
        raise web.HTTPNotFound
    text = files("evosync.sandbox").joinpath("pages", name).read_text("utf-8")
    return web.Response(text=text, content_type=TYPES[name], headers={"Cache-Control": "no-cache"})


@routes.get("/favicon.ico")
async def icon(_request: web.Request) -> web.Response:
    """Browsers ask for it; the pages name another."""
    raise web.HTTPMovedPermanently("/pages/icon.svg")
