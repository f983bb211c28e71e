"""Our API described: `/openapi.json`, made from the routes that there are, and two readers for it.

Who may read what: the webhooks and `/health` are a contract with the Evotor cloud and whoever connects it, there is
nothing to hide in them, so anybody may. The routes of the website's own scripts are shown to whoever is signed in,
who can see them in his browser anyway. Routes of the admin's building are described to nobody: their names alone
would tell a stranger what there is to attack, and no machine has any business with them.
"""

import gzip
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib import resources
from typing import Any, Final

import orjson
from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from evosync import __version__
from evosync.web.access import Rule, name_of, rule_of
from evosync.web.api_operations import OPERATIONS, SECRET, SESSION, TOKEN, Operation
from evosync.web.keys import SERVICES, VIEWER
from evosync.web.session import cookie_name
from evosync.web.webhooks.paths import HOOKS, PREFIXES

_REF: Final = "#/components/schemas/{model}"
_HOOK_ROUTES: Final = frozenset(f"{method} {tail}" for method, tail in HOOKS)
_PREFIXED: Final = frozenset(f"{method} {prefix}{tail}" for prefix in PREFIXES if prefix for method, tail in HOOKS)

_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# It writes its styles into the page and searches in a worker that it makes itself; nothing of that is needed elsewhere.
_REDOC_POLICY: Final = (
    _PAGE_POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'") + "; worker-src blob:"
)

_SWAGGER: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>EvoSync API</title><link rel="icon" href="/favicon.ico"><link rel="stylesheet" href="/docs/swagger-ui.css">
</head><body><div id="swagger-ui"></div><script src="/docs/swagger-ui.js"></script>
<script src="/docs/start.js"></script></body></html>
"""
_REDOC: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>EvoSync API</title><link rel="icon" href="/favicon.ico"></head><body><div id="redoc"></div>
<script type="module" src="/docs/start-redoc.js"></script></body></html>
"""
# Nothing can be sent from these pages: they would speak in the name of whoever reads them.
_START: Final = """window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#swagger-ui", validatorUrl: null, supportedSubmitMethods: [], deepLinking: true
});
"""
_START_REDOC: Final = """import { init } from "/docs/redoc.js";
init("/openapi.json", { disableTelemetry: true, hideDownloadButtons: false }, document.getElementById("redoc"));
"""
_OUTSIDE: Final = ("https://cdn.redoc.ly/redoc/logo-mini-full.svg", "https://cdn.redoc.ly/redoc/logo-mini.svg")
"""Pictures that ReDoc would fetch from elsewhere; our own mark stands in for them."""


@dataclass(frozen=True, slots=True)
class _File:
    content_type: str
    packed: bytes
    body: bytes
    digest: str


def document(routes: Iterable[web.AbstractRoute], *, signed_in: bool, cookie: str) -> dict[str, Any]:
    """OpenAPI 3.1 of the routes that are there and that its reader may see."""
    paths: dict[str, dict[str, Any]] = {}
    used: dict[type[BaseModel], None] = {}
    schemes: set[str] = set()
    for route in routes:
        name, rule = name_of(route), rule_of(route)
        if rule is None or not _is_shown(route, name, rule, signed_in=signed_in):
            continue
        operation = OPERATIONS.get(name, Operation(name, "Website", access=(SESSION,)))
        method, _, path = name.partition(" ")
        used |= dict.fromkeys(model for model in (operation.answer, operation.body, operation.error) if model)
        schemes |= set(operation.access)
        place = paths.setdefault(path, {})
        place[method.lower()] = _described(name, operation)
        if name in _HOOK_ROUTES:
            place["servers"] = [{"url": prefix or "/"} for prefix in PREFIXES]
    _, schemas = models_json_schema([(model, "validation") for model in used], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "EvoSync",
            "version": __version__,
            "summary": "Keeps a VK community shop in step with a shop's Evotor cash registers.",
        },
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {name: _scheme(name, cookie) for name in sorted(schemes)},
        },
    }


def _is_shown(route: web.AbstractRoute, name: str, rule: Rule, *, signed_in: bool) -> bool:
    if route.method == "HEAD" or not rule.json or rule.is_admin or name in _PREFIXED or name == "GET /metrics":
        return False
    return signed_in or SESSION not in OPERATIONS.get(name, Operation("", "", access=(SESSION,))).access


def _described(name: str, operation: Operation) -> dict[str, Any]:
    answers: dict[str, Any] = {}
    if operation.stream:
        answers["200"] = {"description": "A stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}}
    elif operation.answer is not None:
        answers["200"] = _content(operation.answer, "Done")
    for status, text in operation.errors.items():
        is_bare = name == "GET /commodities" and status == 404
        answers[str(status)] = (
            {"description": text, "content": {"application/json": {"schema": {"type": "object"}}}}
            if is_bare or operation.error is None
            else _content(operation.error, text)
        )
    found: dict[str, Any] = {
        "operationId": "".join(part if part.isalnum() else "_" for part in name).strip("_").lower(),
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": answers or {"200": {"description": "Done"}},
    }
    if operation.parameters:
        # A slash would make it another path.
        schema = {"type": "string", "pattern": "^[^/{}]+$"}
        found["parameters"] = [
            {"name": key, "in": "path", "required": True, "description": text, "schema": schema}
            for key, text in operation.parameters.items()
        ]
    if operation.body is not None:
        found["requestBody"] = {
            "required": True, "content": {"application/json": {"schema": _body(operation.body, rows=operation.rows)}}
        }  # fmt: skip
    if operation.access:
        found["security"] = [{scheme: []} for scheme in operation.access]
    return found


def _content(model: type[BaseModel], text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": _named(model)}}}


def _body(model: type[BaseModel], *, rows: bool) -> dict[str, Any]:
    return {"anyOf": [{"type": "array", "items": _named(model)}, _named(model)]} if rows else _named(model)


def _named(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REF.format(model=model.__name__)}


def _scheme(name: str, cookie: str) -> dict[str, Any]:
    if name == SESSION:
        return {"type": "apiKey", "in": "cookie", "name": cookie}
    said = {
        SECRET: "The app's secret, as set in the portal; as the password of a Basic pair it is taken too.",
        TOKEN: "The token that create or verify returned for this owner.",
    }
    return {"type": "http", "scheme": "bearer", "description": said[name]}


async def show_document(request: web.Request) -> web.Response:
    cookie = cookie_name(https=request.app[SERVICES].site.is_https)
    body = document(request.app.router.routes(), signed_in=request[VIEWER] is not None, cookie=cookie)
    return web.Response(body=orjson.dumps(body), content_type="application/json")


async def show_swagger(_request: web.Request) -> web.Response:
    return _page(_SWAGGER, _PAGE_POLICY)


async def show_redoc(_request: web.Request) -> web.Response:
    return _page(_REDOC, _REDOC_POLICY)


def _page(text: str, policy: str) -> web.Response:
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": policy})


async def show_file(request: web.Request) -> web.Response:
    """What the two pages load."""
    file = _files().get(request.match_info["name"])
    if file is None:
        raise web.HTTPNotFound
    headers = {"Cache-Control": "public, max-age=3600", "ETag": f'"{file.digest}"', "Vary": "Accept-Encoding"}
    headers["Content-Type"] = f"{file.content_type}; charset=utf-8"
    if any(tag.value == file.digest for tag in request.if_none_match or ()):
        return web.Response(status=304, headers=headers)
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return web.Response(body=file.packed, headers=headers | {"Content-Encoding": "gzip"})
    return web.Response(body=file.body, headers=headers)


@cache
def _files() -> Mapping[str, _File]:
    """Read when somebody first asks: most processes never do."""
    folder = resources.files("offapi")
    redoc = (folder / "redoc.js").read_text(encoding="utf-8")
    for address in _OUTSIDE:
        redoc = redoc.replace(address, "/favicon.ico")
    texts = {
        "swagger-ui.js": (folder / "swagger_bundle.js").read_text(encoding="utf-8"),
        "swagger-ui.css": (folder / "swagger_style.css").read_text(encoding="utf-8"),
        "redoc.js": redoc,
        "start.js": _START,
        "start-redoc.js": _START_REDOC,
    }
    return {name: _file(name, text.encode()) for name, text in texts.items()}


def _file(name: str, body: bytes) -> _File:
    kind = "text/css" if name.endswith(".css") else "text/javascript"
    return _File(kind, gzip.compress(body, 6, mtime=0), body, blake2b(body, digest_size=6).hexdigest())


routes: Final = [
    web.get("/openapi.json", show_document, name="openapi"),
    web.get("/docs", show_swagger, name="docs"),
    web.get("/docs/{name}", show_file, name="docs-file"),
    web.get("/redoc", show_redoc, name="redoc"),
]

__all__ = ["document", "routes"]
