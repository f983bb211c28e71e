"""Typed keys of the sandbox application."""

import jinja2
from aiohttp import web

from evosync.sandbox.state import Sandbox

SANDBOX: web.AppKey[Sandbox] = web.AppKey("sandbox", Sandbox)
PAGES: web.AppKey[jinja2.Environment] = web.AppKey("pages", jinja2.Environment)
