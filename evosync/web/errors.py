"""Errors as pages, or as JSON where a script asked; the only place of the website that catches everything."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import Final

import orjson
from aiohttp import web
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from evosync.accounts.throttle import TooFast
from evosync.security.passwords import TooMany
from evosync.web.client import has_hung_up
from evosync.web.keys import CLIENT, FORMAT, RULE, WORDS
from evosync.web.render import error_page
from evosync.web.viewer import StalePage, Suspended
from evosync.words.pages import ERRORS, error_text

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


class VkTrouble(web.HTTPServiceUnavailable):
    """A page that needs VK itself, and VK does not answer."""


_REFUSALS: Final = {Suspended: "suspended", StalePage: "stale", VkTrouble: "vk"}
_SOON: Final = timedelta(seconds=10)
_ALIKE: Final[Mapping[int, int]] = {HTTPStatus.UNAUTHORIZED: 403, HTTPStatus.METHOD_NOT_ALLOWED: 404}


@web.middleware
async def show_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except TooFast as error:
        return await _shown(request, "429", HTTPStatus.TOO_MANY_REQUESTS, wait=error.wait)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return _with_cookies(await _shown(request, _kind(error), HTTPStatus(error.status)), error)
    except (RedisError, SQLAlchemyError, OSError) as error:
        status = HTTPStatus.BAD_REQUEST
        if not (isinstance(error, ConnectionResetError) and has_hung_up(request)):
            # What pages stand on is away; it comes back by itself and the monitoring knows.
            _log.exception("a page could not be made", extra=_about(request))
            status = HTTPStatus.SERVICE_UNAVAILABLE
        return await _shown(request, str(status.value), status)
    except TooMany:
        return await _shown(request, "503", HTTPStatus.SERVICE_UNAVAILABLE, wait=_SOON)
    except Exception:  # noqa: BLE001 - the one place of the website that catches everything
        _log.exception("a page broke", extra=_about(request))
        return await _shown(request, "500", HTTPStatus.INTERNAL_SERVER_ERROR)


def _kind(error: web.HTTPException) -> str:
    for refusal, kind in _REFUSALS.items():
        if isinstance(error, refusal):
            return kind
    status = _ALIKE.get(error.status, error.status)
    if str(status) in ERRORS:
        return str(status)
    return "500" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "400"


def _about(request: web.Request) -> dict[str, str]:
    # The path only: an address may carry a token.
    resource = request.match_info.route.resource
    return {"request": request[CLIENT].id, "method": request.method, "route": resource.canonical if resource else "-"}


def _with_cookies(response: web.Response, error: web.HTTPException) -> web.Response:
    for name, morsel in error.cookies.items():
        response.cookies[name] = morsel
    if "Allow" in error.headers:
        response.headers["Allow"] = error.headers["Allow"]
    return response


def wants_json(request: web.Request) -> bool:
    rule = request.get(RULE)
    if rule is not None and rule.json:
        return True
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted and "text/html" not in accepted


async def _shown(request: web.Request, kind: str, status: HTTPStatus, *, wait: timedelta | None = None) -> web.Response:
    headers = {"Retry-After": str(math.ceil(wait.total_seconds()))} if wait is not None else {}
    code = f"E-{status.value}-{request[CLIENT].id[:8].upper()}"
    if wants_json(request):
        body = {
            "error": {
                "kind": kind,
                "text": error_text(kind, request[WORDS].language, wait=request[FORMAT].wait(wait) if wait else ""),
                "code": code,
            }
        }
        return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)
    return await error_page(request, kind=kind, status=status, code=code, wait=wait, headers=headers)
