"""The sandbox as one aiohttp application."""

import jinja2
from aiohttp import web
from aiohttp.typedefs import Handler

from evosync.sandbox.evotor import http as evotor_http
from evosync.sandbox.keys import PAGES, SANDBOX
from evosync.sandbox.state import Sandbox
from evosync.sandbox.vk import http as vk_http
from evosync.sandbox.web import control, shop, start, till

BIGGEST_BODY = 300 * 1024 * 1024
"""Five files of 50 MB each in one bulk upload."""

_GONE = 499
"""Whoever sent it hung up in the middle, as a service that is killed does: nobody reads the answer."""


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What a test program asks of ``/control`` in a wrong way answers 400 with the reason."""
    try:
        return await handler(request)
    except ConnectionResetError:
        return web.Response(status=_GONE)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if not request.path.startswith("/control/"):
            raise
        return web.json_response({"error": f"{type(error).__name__}: {error}"}, status=400)


def make_app(sandbox: Sandbox) -> web.Application:
    """Both clouds, their pages and the control API over one state."""
    app = web.Application(client_max_size=BIGGEST_BODY, middlewares=[_explain])
    app[SANDBOX] = sandbox
    app[PAGES] = jinja2.Environment(
        loader=jinja2.PackageLoader("evosync.sandbox", "pages"), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    for module in (evotor_http, vk_http, control, shop, till, start):
        app.add_routes(module.routes)
    app.on_shutdown.append(_let_go)
    return app


async def _let_go(app: web.Application) -> None:
    app[SANDBOX].closing.set()
