"""Who may do what: one table in which every route of the service stands.

A route that is not in here cannot be served; the site refuses to start with one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from aiohttp import web

from evosync.web.webhooks.paths import every_path


class Level(Enum):
    """`MACHINE`: not for browsers; no session is loaded and no form token asked for, the route checks for itself."""

    MACHINE = "machine"
    ANYONE = "anyone"
    SIGNED_IN = "signed_in"
    PERMITTED = "permitted"


@dataclass(frozen=True, slots=True)
class Rule:
    """`permission` goes with `PERMITTED`. `json`: refusals and errors are JSON, never a page."""

    level: Level
    permission: str = ""
    json: bool = False
    is_admin: bool = False
    """Stands in the other building: the admin's layout is used for its errors too."""


MACHINE: Final = Rule(Level.MACHINE, json=True)
FILES: Final = Rule(Level.MACHINE)
ANYONE: Final = Rule(Level.ANYONE)
DOCUMENT: Final = Rule(Level.ANYONE, json=True)
OWNER: Final = Rule(Level.SIGNED_IN)
OWNER_JSON: Final = Rule(Level.SIGNED_IN, json=True)


def _may(permission: str) -> Rule:
    return Rule(Level.PERMITTED, permission, is_admin=True)


ACCESS: Final[Mapping[str, Rule]] = {
    "GET /health": MACHINE,
    "GET /health/ready": MACHINE,
    "GET /metrics": MACHINE,
    "GET /robots.txt": FILES,
    "GET /favicon.ico": FILES,
    "GET /static/{name}": FILES,
    # public
    "GET /": ANYONE,
    "GET /register": ANYONE,
    "POST /register": ANYONE,
    "GET /confirm-email": ANYONE,
    "POST /confirm-email": ANYONE,
    "GET /resend-confirm": ANYONE,
    "POST /resend-confirm": ANYONE,
    "GET /login": ANYONE,
    "POST /login": ANYONE,
    "GET /logout": ANYONE,
    "POST /logout": ANYONE,
    "GET /forgot-password": ANYONE,
    "POST /forgot-password": ANYONE,
    "GET /reset-password": ANYONE,
    "POST /reset-password": ANYONE,
    "GET /invite": ANYONE,
    "POST /invite": ANYONE,
    "GET /privacy": ANYONE,
    "GET /terms": ANYONE,
    "GET /promises": ANYONE,
    "POST /language": ANYONE,
    # profile
    "GET /profile": OWNER,
    "GET /profile/edit": OWNER,
    "POST /profile/edit": OWNER,
    "POST /profile/notices/{name}": OWNER,
    "GET /profile/change-password": OWNER,
    "POST /profile/change-password": OWNER,
    "GET /profile/delete": OWNER,
    "POST /profile/delete": OWNER,
    "POST /profile/sessions/end-others": OWNER,
    "POST /profile/sessions/{id}/end": OWNER,
    "GET /profile/data": OWNER,
    # connections
    "GET /connections": OWNER,
    "POST /connections/evotor": OWNER,
    "POST /connections/evotor/disconnect": OWNER,
    "POST /connections/evotor/test": OWNER_JSON,
    "POST /connections/vk": OWNER,
    "POST /connections/vk/disconnect": OWNER,
    "POST /connections/vk/test": OWNER_JSON,
    # the till's catalog
    "GET /catalog": OWNER,
    "GET /catalog/stores": OWNER,
    "GET /catalog/stores/{id}/groups": OWNER,
    "POST /catalog/stores/{id}/groups": OWNER,
    "GET /catalog/stores/{id}/products": OWNER,
    "POST /catalog/stores/{id}/toggle": OWNER,
    "POST /catalog/stores/{id}/groups/{gid}/toggle": OWNER,
    # the VK shop
    "GET /vk-catalog": OWNER,
    "GET /vk-catalog/albums": OWNER,
    "GET /vk-catalog/albums/{id}/products": OWNER,
    # the mirror
    "GET /sync": OWNER,
    "POST /sync/run": OWNER,
    "POST /sync/pause": OWNER,
    "POST /sync/resume": OWNER,
    "GET /sync/preview": OWNER,
    "GET /sync/runs": OWNER,
    "GET /sync/runs/{id}": OWNER,
    "GET /sync/problems": OWNER,
    "POST /sync/problems/retry": OWNER,
    "GET /sync/problems/listing": OWNER,
    "POST /sync/problems/listing": OWNER,
    "GET /sync/settings": OWNER,
    "POST /sync/settings": OWNER,
    "GET /sync/status": OWNER_JSON,
    "GET /sync/events": OWNER_JSON,
    # the admin's building
    "GET /admin": _may("users.read"),
    "GET /admin/users": _may("users.read"),
    "GET /admin/users/new": _may("users.invite"),
    "POST /admin/users": _may("users.invite"),
    "GET /admin/users/{id}": _may("users.read"),
    "POST /admin/users/{id}/activate": _may("users.suspend"),
    "GET /admin/users/{id}/suspend": _may("users.suspend"),
    "POST /admin/users/{id}/suspend": _may("users.suspend"),
    "POST /admin/users/{id}/reset-password": _may("users.edit"),
    "POST /admin/users/{id}/send-invite": _may("users.invite"),
    "GET /admin/users/{id}/edit": _may("users.edit"),
    "POST /admin/users/{id}/edit": _may("users.edit"),
    "GET /admin/users/{id}/delete": _may("users.delete"),
    "POST /admin/users/{id}/delete": _may("users.delete"),
    "GET /admin/users/{id}/runs/{number}": _may("users.read"),
    "GET /admin/users/{id}/deliveries": _may("users.read"),
    "POST /admin/users/{id}/deliveries/{number}/replay": _may("queue.retry"),
    "GET /admin/roles": _may("roles.edit"),
    "POST /admin/roles/{id}/permissions": _may("roles.edit"),
    "GET /admin/queue": _may("queue.read"),
    "POST /admin/queue/{id}/retry": _may("queue.retry"),
    "GET /admin/audit": _may("audit.read"),
    # our own API, described
    "GET /openapi.json": DOCUMENT,
    "GET /docs": ANYONE,
    "GET /docs/{name}": FILES,
    "GET /redoc": ANYONE,
    # calls of the Evotor cloud
    **{f"{method} {path}": MACHINE for method, _, path in every_path()},
}


class Unlisted(Exception):
    """Routes that nobody decided about."""


def name_of(route: web.AbstractRoute) -> str:
    """The row of the table for a route: its method and the pattern of its path."""
    resource = route.resource
    method = "GET" if route.method == "HEAD" else route.method
    return f"{method} {resource.canonical if resource is not None else ''}"


def rule_of(route: web.AbstractRoute) -> Rule | None:
    """None where no route matched (404, 405)."""
    return ACCESS.get(name_of(route)) if route.resource is not None else None


def require_rules(routes: Iterable[web.AbstractRoute]) -> None:
    """Raises `Unlisted` with all routes that have no rule."""
    missing = sorted({name for route in routes if (name := name_of(route)) not in ACCESS})
    if missing:
        raise Unlisted(", ".join(missing))
