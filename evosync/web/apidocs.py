"""The description of our API, made from the code, and two readers for it."""

from aiohttp import web

routes: list[web.RouteDef] = []
