"""Typed keys of what stands in the application and in a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import jinja2
from aiohttp import web

from evosync.accounts.links import Links
from evosync.accounts.sessions import Sessions
from evosync.accounts.throttle import Throttle
from evosync.db.people import Viewer
from evosync.web.services import Services
from evosync.words.format import Format
from evosync.words.language import Catalogs, Language, Words

if TYPE_CHECKING:
    from evosync.web.access import Rule
    from evosync.web.assets import Assets


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, as far as the network tells. `id` names the request in the log and on error pages."""

    id: str
    address: str
    agent: str
    at: datetime


SERVICES = web.AppKey("services", Services)
CATALOGS: web.AppKey[Catalogs] = web.AppKey("catalogs", Mapping)
ASSETS: "web.AppKey[Assets]" = web.AppKey("assets")
TEMPLATES: Mapping[Language, web.AppKey[jinja2.Environment]] = {
    language: web.AppKey(f"templates-{language.value}", jinja2.Environment) for language in Language
}
SESSIONS = web.AppKey("sessions", Sessions)
LINKS = web.AppKey("links", Links)
THROTTLE = web.AppKey("throttle", Throttle)

CLIENT = web.RequestKey("client", Client)
RULE: "web.RequestKey[Rule]" = web.RequestKey("rule")
VIEWER: web.RequestKey[Viewer | None] = web.RequestKey("viewer")
WORDS = web.RequestKey("words", Words)
FORMAT = web.RequestKey("format", Format)
