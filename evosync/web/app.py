"""The website as one application."""

from collections.abc import Iterable
from typing import Final

from aiohttp import web
from aiohttp_session import session_middleware
from jinja2 import BytecodeCache

from evosync.accounts.links import Links
from evosync.accounts.sessions import Sessions
from evosync.accounts.throttle import Throttle
from evosync.web import live
from evosync.web.access import require_rules
from evosync.web.admin import deliveries, people, person, receipt, roles, trail, work
from evosync.web.assets import Assets
from evosync.web.client import identify
from evosync.web.errors import show_errors
from evosync.web.headers import add_headers, compress
from evosync.web.keys import ASSETS, CATALOGS, LINKS, SERVICES, SESSIONS, THROTTLE
from evosync.web.pages import (
    account,
    catalog,
    connections,
    home,
    login,
    preview,
    problems,
    profile,
    recovery,
    runs,
    sync,
    sync_settings,
    vk_catalog,
)
from evosync.web.render import setup_templates
from evosync.web.services import Services
from evosync.web.session import cookie_name, make_storage
from evosync.web.viewer import load_viewer, resolve
from evosync.words.language import load_catalogs

PAGES: Final = (
    home,
    login,
    account,
    recovery,
    profile,
    connections,
    catalog,
    vk_catalog,
    *(sync, preview, runs, problems, sync_settings),
    *(people, person, receipt, deliveries, roles, work, trail),
)
"""Every page module of the site."""

MAX_BODY: Final = 1024 * 1024
"""Bytes of a form. Routes that take more say so themselves."""


def make_links(services: Services) -> Links:
    """Also for the outbox, which puts the links into letters."""
    site = services.site
    return Links(site.keys, base_url=site.base_url, invite_hours=site.invite_hours)


def make_site(
    services: Services,
    *,
    routes: Iterable[web.AbstractRouteDef] = (),
    max_body: int = MAX_BODY,
    template_cache: BytecodeCache | None = None,
) -> web.Application:
    """The application with every page.

    `routes` are further ones (webhooks, API documents); each needs its row in `access.ACCESS` too, and one that
    is not for browsers the rule `MACHINE`. `template_cache` keeps compiled templates between processes.
    Raises `access.Unlisted` for a route without a row.
    """
    app = web.Application(
        middlewares=[
            identify,
            compress,
            resolve,
            show_errors,
            session_middleware(make_storage(services)),
            load_viewer,
        ],
        client_max_size=max_body,
    )
    app[SERVICES] = services
    app[CATALOGS] = load_catalogs()
    app[ASSETS] = Assets(services.site.static)
    app[SESSIONS] = Sessions(services.redis, cookie=cookie_name(https=services.site.is_https))
    app[LINKS] = make_links(services)
    app[THROTTLE] = Throttle(services.redis)
    for part in (live, preview, sync_settings):
        part.setup(app)
    setup_templates(app, template_cache)
    app.router.add_get("/static/{name}", app[ASSETS].serve, name="static")
    app.router.add_get("/favicon.ico", app[ASSETS].serve_icon)
    for module in PAGES:
        app.router.add_routes(module.routes)
    app.router.add_routes(routes)
    app.on_response_prepare.append(add_headers)
    require_rules(app.router.routes())
    return app
