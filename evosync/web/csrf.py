"""Form tokens: every request that changes something carries one, in the form or in a header."""

from collections.abc import Mapping
from datetime import timedelta
from hmac import new
from typing import Any

from aiohttp import web
from markupsafe import Markup
from multidict import MultiDict
from wtforms import Form
from wtforms.csrf.session import SessionCSRF

from evosync.web.keys import SERVICES
from evosync.web.session import session_of

FIELD = "csrf_token"
HEADER = "X-CSRF-Token"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


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
    """Whether the request comes from a page of ours, in this session."""
    session = await session_of(request)
    if "csrf" not in session:
        return False
    token = request.headers.get(HEADER)
    if token is None:
        if request.content_type not in {"application/x-www-form-urlencoded", "multipart/form-data"}:
            return False
        sent = (await request.post()).get(FIELD)
        token = sent if isinstance(sent, str) else None
    return token is not None and bool(_form(request, session, {FIELD: token}).validate())
