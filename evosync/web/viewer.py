"""Who looks at the page, in which language and zone, and whether he may."""

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime

from aiohttp import web

from evosync.db import people
from evosync.db.accounts import UserStatus
from evosync.db.people import Viewer
from evosync.logs import bound
from evosync.web import access, csrf
from evosync.web.access import Level
from evosync.web.keys import CATALOGS, CLIENT, FORMAT, RULE, SERVICES, SESSIONS, VIEWER, WORDS
from evosync.web.session import chosen_language, sign_out, user_of
from evosync.words.format import Format, zone_of
from evosync.words.language import Language, language_of, negotiate

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class Suspended(web.HTTPForbidden):
    """The account was suspended; its session is over."""


class StalePage(web.HTTPForbidden):
    """The form's token is missing or too old."""


def speak(request: web.Request, language: Language, *, zone: str | None = None) -> None:
    """Sets the language and the zone of what this request is answered with."""
    words = request.app[CATALOGS][language]
    request[WORDS] = words
    request[FORMAT] = Format(words, zone_of(zone), _now(request))


def _now(request: web.Request) -> datetime:
    return request[CLIENT].at


@web.middleware
async def resolve(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Finds the route's rule, and a language to answer in before anything else is known."""
    rule = access.rule_of(request.match_info.route)
    if rule is not None:
        request[RULE] = rule
    request[VIEWER] = None
    speak(request, negotiate(request.headers.get("Accept-Language", "")))
    return await handler(request)


@web.middleware
async def load_viewer(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The signed-in person, from the session and the database; the guard before every page."""
    rule = request.get(RULE)
    if rule is not None and rule.level is Level.MACHINE:
        return await handler(request)
    chosen = await chosen_language(request)
    if chosen is not None:
        speak(request, language_of(chosen))
    viewer = await _viewer(request)
    request[VIEWER] = viewer
    if viewer is not None:
        speak(request, language_of(viewer.person.language), zone=viewer.person.time_zone)
    if rule is None:
        return await handler(request)  # no such page, or not this method: aiohttp says so
    if request.method not in csrf.SAFE and not await csrf.is_genuine(request):
        raise StalePage
    _admit(request, rule, viewer)
    with bound(**({"user_id": viewer.id} if viewer is not None else {})):
        return await handler(request)


async def _viewer(request: web.Request) -> Viewer | None:
    user = await user_of(request)
    if user is None:
        return None
    viewer = await request.app[SERVICES].database.read(lambda connection: people.viewer(connection, user))
    if viewer is not None and viewer.person.status is UserStatus.ACTIVE:
        return viewer
    await request.app[SESSIONS].end_all(user)
    await sign_out(request)
    if viewer is not None and viewer.person.status is UserStatus.SUSPENDED:
        raise Suspended
    return None


def _admit(request: web.Request, rule: access.Rule, viewer: Viewer | None) -> None:
    if rule.level is Level.ANYONE:
        return
    if viewer is None:
        if rule.json or request.method not in csrf.SAFE:
            raise web.HTTPUnauthorized
        raise web.HTTPSeeOther(request.app.router["login"].url_for().with_query(next=request.path_qs))
    if rule.level is Level.PERMITTED and not viewer.may(rule.permission):
        _log.info("refused", extra={"user": viewer.id, "permission": rule.permission})
        raise web.HTTPForbidden


def viewer_of(request: web.Request) -> Viewer:
    """The signed-in person. Only for routes whose rule asks for one."""
    viewer = request[VIEWER]
    if viewer is None:
        raise web.HTTPUnauthorized
    return viewer
