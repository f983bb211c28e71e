"""Templates into answers: what every page has around it, and the icons that it uses."""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

import aiohttp_jinja2
import jinja2
import orjson
from aiohttp import web
from markupsafe import Markup

from evosync.web import csrf
from evosync.web.frame import Frame, frame_of
from evosync.web.headers import shows_chat
from evosync.web.icons import ICONS
from evosync.web.keys import ASSETS, CATALOGS, CLIENT, FORMAT, RULE, SERVICES, TEMPLATES, VIEWER, WORDS
from evosync.web.pictures import picture
from evosync.web.session import take_toasts
from evosync.words.language import DEFAULT_LANGUAGE, Language
from evosync.words.pages import ERRORS
from evosync.words.tone import Tone

_USED: Final = re.compile(r'href="#i-([a-z]+)"')
_SPRITE: Final = "<!--icons-->"
_PACKED_AT_ONCE: Final = 256_000
"""Bytes that are compressed without a thread: a page takes half a millisecond, on a busy machine the way to a thread
and back takes longer."""


def setup_templates(app: web.Application, cache: jinja2.BytecodeCache | None = None) -> None:
    """One environment for each language: macros then speak it too, however they are imported."""
    site = app[SERVICES].site
    for language, key in TEMPLATES.items():
        environment = aiohttp_jinja2.setup(
            app,
            app_key=key,
            loader=jinja2.FileSystemLoader(site.templates),
            extensions=["jinja2.ext.i18n"],
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=cache,
        )
        environment.policies["ext.i18n.trimmed"] = True  # as babel.cfg reads them
        words = app[CATALOGS][language]
        environment.install_gettext_callables(  # type: ignore[attr-defined]  # added by the extension
            words.translations.gettext, words.translations.ngettext, newstyle=True
        )
        environment.globals |= {
            "attributes": control_attributes,
            "errors": ERRORS,
            "home": ERRORS["404"].button,
            "static": app[ASSETS].url,
            "icon": icon,
            "picture": picture,
            "Tone": Tone,
            "lang": language.value,
            "languages": tuple(Language),
            "site": site,
        }


def icon(name: str) -> Markup:
    """A reference to a symbol of the sprite that the page ends with."""
    if name not in ICONS:
        raise KeyError(name)
    return Markup('<svg class="ic" aria-hidden="true"><use href="#i-{}"/></svg>').format(name)


def control_attributes(described: str, errors: Sequence[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a form control: what a template gives, and what tells a screen reader about hint and error."""
    attributes = dict(given)
    if described:
        attributes["aria-describedby"] = described
    if errors:
        attributes["aria-invalid"] = "true"
    return attributes


def _with_sprite(html: str) -> str:
    used = sorted(set(_USED.findall(html)))
    symbols = "".join(f'<symbol id="i-{name}" viewBox="0 0 24 24"><path d="{ICONS[name]}"/></symbol>' for name in used)
    sprite = f'<svg width="0" height="0" class="vh" aria-hidden="true">{symbols}</svg>' if used else ""
    return html.replace(_SPRITE, sprite, 1)


async def page(
    request: web.Request, template: str, context: Mapping[str, Any] | None = None, *, status: int = HTTPStatus.OK
) -> web.Response:
    """A whole page.

    Beside `context` a template knows `viewer`, `frame`, `f` (the formats), `csrf`, `csrf_token`, `toasts`, `path`.
    """
    viewer = request[VIEWER]
    around = {
        "viewer": viewer,
        "frame": await frame_of(request) if viewer is not None else Frame(),
        "f": request[FORMAT],
        "csrf": await csrf.hidden_field(request),
        "csrf_token": await csrf.token_of(request),
        "toasts": await take_toasts(request),
        "path": request.path,
        "path_qs": request.path_qs,
        "chat": shows_chat(request),
    }
    return _rendered(request, template, around | dict(context or {}), status=status)


def _rendered(request: web.Request, template: str, context: Mapping[str, Any], *, status: int) -> web.Response:
    key = TEMPLATES[request[WORDS].language]
    html = aiohttp_jinja2.render_string(template, request, context, app_key=key)
    return web.Response(
        text=_with_sprite(html), content_type="text/html", status=status, zlib_executor_size=_PACKED_AT_ONCE
    )


def fragment(request: web.Request, template: str, context: Mapping[str, Any]) -> str:
    """A piece of a page for an answer in place; its icons must stand in the page already."""
    key = TEMPLATES[request[WORDS].language]
    return aiohttp_jinja2.render_string(template, request, {"f": request[FORMAT], **context}, app_key=key)


def answer(body: object, *, status: int = HTTPStatus.OK) -> web.Response:
    """JSON."""
    return web.Response(body=orjson.dumps(body), content_type="application/json", status=status)


async def error_page(
    request: web.Request,
    *,
    kind: str,
    status: HTTPStatus,
    code: str,
    wait: timedelta | None,
    headers: Mapping[str, str],
) -> web.Response:
    """Needs nothing but the templates: neither session nor database may be there."""
    rule = request.get(RULE)
    context = {
        "kind": kind,
        "status": status.value,
        "code": code,
        "wait": request[FORMAT].wait(wait) if wait is not None else "",
        "again": request.path_qs if request.method == "GET" else "",
        "is_admin": bool(rule and rule.is_admin),
        "viewer": request.get(VIEWER),
        "f": request[FORMAT],
        "at": request[FORMAT].clock(request[CLIENT].at),
    }
    response = _rendered(request, "error.html", context, status=status)
    response.headers.update(headers)
    return response


__all__ = ["DEFAULT_LANGUAGE", "answer", "error_page", "fragment", "icon", "page", "setup_templates"]
