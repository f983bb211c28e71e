"""Cursors of Evotor lists: opaque to clients, and full of the signs that break careless joining of addresses."""

import base64
import binascii

import orjson

SIGNS = b"\xfb\xff\xbe"
"""Three bytes that become ``+/++`` in base64."""


def seal(kind: str, after: int, since: int | None) -> str:
    """A cursor for the next page of a list."""
    body = orjson.dumps([kind, after, since])
    body += b" " * (1 - len(body) % 3 if len(body) % 3 < 2 else 2)
    return base64.b64encode(SIGNS + body).decode()


def unseal(text: str, kind: str) -> tuple[int, int | None]:
    """Where that list goes on, and its ``since``.

    Raises:
        ValueError: not a cursor of this list, for instance one whose plus signs became spaces.
    """
    try:
        body = base64.b64decode(text, validate=True)
        found, after, since = orjson.loads(body[len(SIGNS) :])
    except (binascii.Error, ValueError, TypeError) as error:
        raise ValueError(text) from error
    if found != kind or not body.startswith(SIGNS):
        raise ValueError(text)
    return after, since
