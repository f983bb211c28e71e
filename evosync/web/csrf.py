"""Form tokens: every request that changes something carries one, in the form or in a header."""

from collections.abc import Mapping
from datetime import timedelta
from hmac import new
from typing import Any, Final

from aiohttp import web
from aiohttp.web_protocol import RequestPayloadError
from markupsafe import Markup
from multidict import MultiDict
from wtforms import Form
from wtforms.csrf.session import SessionCSRF

from evosync.web.access import Level
from evosync.web.keys import RULE, SERVICES
from evosync.web.session import session_of

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

STRANGERS_BODY: Final = 64 * 1024
"""Bytes of a form that needs no signing in. Taking a longer one apart would hold everybody else up."""


class _TokenForm(Form):
    """A form of nothing but the token: pages and forms share one, and the middleware checks it for all of them."""

    class Meta:
        csrf = True
        csrf_class = SessionCSRF
        csrf_field_name = FIELD
        # Part of what is signed, so that the token in a packed page differs each time.
        csrf_time_limit = timedelta(hours=24)


def _form(request: web.Request, session: Any, data: Mapping[str, Any] | None = None) -> _TokenForm:
    secret = new(request.app[SERVICES].site.keys[0], b"csrf", "sha256").digest()
    return _TokenForm(
        MultiDict(data) if data is not None else None, meta={"csrf_context": session, "csrf_secret": secret}
    )


async def token_of(request: web.Request) -> str:
    """The token that forms and scripts of this page send back."""
    field: Any = _form(request, await session_of(request))[FIELD]
    return str(field.current_token)


async def hidden_field(request: web.Request) -> Markup:
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, await token_of(request))


async def is_genuine(request: web.Request) -> bool:
    """Whether the request comes from a page of ours, in this session.

    Raises `HTTPBadRequest` and the like for a form that no browser sends.
    """
    session = await session_of(request)
    if "csrf" not in session:
        return False
    sent = await _sent(request)
    token = request.headers.get(HEADER, sent.get(FIELD))
    return isinstance(token, str) and bool(_form(request, session, {FIELD: token}).validate())


async def _sent(request: web.Request) -> Mapping[str, Any]:
    """The form, which pages then have from `request.post()`; empty for what is none."""
    if request.content_type.startswith("multipart/") or "Content-Encoding" in request.headers:
        # No page of ours has files, each of which would be one on the disk; and no browser packs what it sends.
        raise web.HTTPUnsupportedMediaType
    rule, length = request.get(RULE), request.content_length
    is_strangers = rule is not None and rule.level is Level.ANYONE
    if is_strangers and request.can_read_body and (length is None or length > STRANGERS_BODY):
        raise web.HTTPRequestEntityTooLarge(max_size=STRANGERS_BODY, actual_size=length or 0)
    try:
        return await request.post()
    except (ValueError, LookupError, RequestPayloadError) as error:  # not UTF-8, no such charset, broken off
        raise web.HTTPBadRequest from error
