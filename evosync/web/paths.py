"""Ids of the clouds within addresses, and the way back.

Ids of stores and groups are opaque text and go percent-encoded into one segment of a path. Three cannot stand there
as they are: the empty one (the root of a store) and the two that mean folders. They, and whatever begins with the
sign itself, get a tilde in front: the root is `~`, an id `~x` is `~~x`.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from aiohttp import web

from evosync.domain.ids import GroupId, StoreId
from evosync.web.pages.home import local_path

_SIGN: Final = "~"


def segment(ident: str) -> str:
    """An id as one segment of a path."""
    escaped = _SIGN + ident if ident in {"", ".", ".."} or ident.startswith(_SIGN) else ident
    return quote(escaped, safe=_SIGN)


def plain(found: str) -> str:
    """The id of a segment that was matched (aiohttp has decoded it)."""
    return found.removeprefix(_SIGN)


def store_path(store: StoreId, rest: str) -> str:
    return f"/catalog/stores/{segment(store)}/{rest}"


def group_path(store: StoreId, group: GroupId) -> str:
    """Where the switch of a group posts to."""
    return store_path(store, f"groups/{segment(group)}/toggle")


def with_query(path: str, values: Mapping[str, str]) -> str:
    """Without what is empty."""
    query = urlencode({name: value for name, value in values.items() if value})
    return f"{path}?{query}" if query else path


def came_from(request: web.Request, *, within: str, default: str) -> str:
    """The page of ours that a form was on, for a browser without a script; `default` where it was none of these."""
    address = urlsplit(request.headers.get("Referer", ""))
    path = local_path(f"{address.path}?{address.query}" if address.query else address.path)
    is_ours = address.netloc == request.host and (path == within or path.startswith((f"{within}/", f"{within}?")))
    return path if is_ours else default
