"""Pages made from templates: language, links that keep it, and the headers of a careful site."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from aiohttp import web

from evosync.sandbox.keys import PAGES
from evosync.sandbox.web.words import Language, preferred, say

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}


@dataclass(frozen=True, slots=True)
class Tongue:
    """The language of one request."""

    language: Language
    asked: str
    """The ``lang`` of the address, empty when the browser's wish decides."""

    def say(self, key: str) -> str:
        """The words for ``key``."""
        return say(self.language, key)

    def link(self, path: str, **query: object) -> str:
        """A link that keeps the language; empty values stay out."""
        kept = {name: value for name, value in {**query, "lang": self.asked}.items() if value not in ("", None, False)}
        return f"{path}?{urlencode(kept)}" if kept else path


def tongue(request: web.Request) -> Tongue:
    """The language asked for in the address, else by the browser."""
    asked = request.query.get("lang", "")
    if asked == "ru":
        return Tongue("ru", asked)
    if asked == "en":
        return Tongue("en", asked)
    return Tongue(preferred(request.headers.get("Accept-Language", "")), "")


def render(request: web.Request, name: str, values: Mapping[str, object]) -> web.Response:
    """A page from a template, with ``t`` for words and ``link`` for addresses."""
    spoken = tongue(request)
    other = "en" if spoken.language == "ru" else "ru"
    text = (
        request.app[PAGES]
        .get_template(name)
        .render(
            t=spoken.say,
            link=spoken.link,
            language=spoken.language,
            asked=spoken.asked,
            other=f"{request.path}?{urlencode({**request.query, 'lang': other})}",
            **values,
        )
    )
    return web.Response(text=text, content_type="text/html", headers=HEADERS)


@dataclass(frozen=True, slots=True)
class Pager:
    """Where in a long list we are; pages count from 1."""

    number: int
    last: int

    @classmethod
    def of(cls, request: web.Request, total: int, size: int) -> "Pager":
        """The page asked for, within what there is."""
        last = max(1, -(-total // size))
        text = request.query.get("page", "1")
        number = int(text) if text.isascii() and text.isdigit() else 1
        return cls(min(max(1, number), last), last)

    def cut(self, size: int) -> slice:
        """The rows of this page."""
        return slice((self.number - 1) * size, self.number * size)
