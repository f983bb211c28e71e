"""Answers in Evotor's shape (Evotor FACTS 4.3): `{"errors": [{"code": …}]}`, or what was asked for."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

_SHOWN = 100
"""Characters of a refused value that are shown again."""


class Refusal(Exception):
    """What is wrong, as the cloud is told. `code` 0: none is documented, so that the body is `{}`."""

    def __init__(
        self, status: int, code: int, *, reason: str = "", subject: str = "", value: str = "", retry: int | None = None
    ) -> None:
        super().__init__(f"{status}/{code}")
        self.status = status
        self.code = code
        self.error: dict[str, Any] = {"code": code}
        for name, text in (("reason", reason), ("subject", subject), ("value", value[:_SHOWN])):
            if text:
                self.error[name] = text.encode("utf-8", "replace").decode()
        self.retry = retry

    def answer(self) -> web.Response:
        headers = {"Retry-After": str(self.retry)} if self.retry is not None else {}
        return answer({"errors": [self.error]} if self.code else {}, status=self.status, headers=headers)


def answer(body: Mapping[str, Any], *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json", headers=headers)


def unreadable() -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, 2001)


def too_large() -> Refusal:
    return Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 2001, reason="too large")


def missing(name: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, 2002, reason="missing", subject=name)


def incorrect(name: str, value: object = "") -> Refusal:
    """`value` is shown again: never a password, never a token."""
    return Refusal(HTTPStatus.BAD_REQUEST, 2003, reason="incorrect", subject=name, value=str(value))


def wrong_secret() -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, 1001)


def wrong_token() -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, 1002)


def wrong_login(*, retry: int | None = None) -> Refusal:
    return Refusal(HTTPStatus.UNAUTHORIZED, 1006, reason="too many attempts" if retry else "", retry=retry)


def not_paid(till_user: str) -> Refusal:
    return Refusal(HTTPStatus.PAYMENT_REQUIRED, 1004, reason="payment required", subject="userUuid", value=till_user)


def linked_elsewhere() -> Refusal:
    return Refusal(HTTPStatus.CONFLICT, 2004)


def known_already() -> Refusal:
    return Refusal(HTTPStatus.CONFLICT, 2005)


def nothing_here() -> Refusal:
    return Refusal(HTTPStatus.NOT_FOUND, 0)


def not_now() -> Refusal:
    """Evotor has no code of its own for this; anything but 200 brings the delivery again (Evotor FACTS 4.6)."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, 503, reason="unavailable", retry=5)
