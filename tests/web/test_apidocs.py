"""The description of our API: valid, whole, shown to whom it may be shown, and rendered by both readers."""

import shutil
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from jinja2 import FileSystemBytecodeCache
from openapi_spec_validator import OpenAPIV31SpecValidator
from playwright.async_api import async_playwright

from evosync.web import access, apidocs
from evosync.web.api_operations import OPERATIONS
from evosync.web.app import make_site
from evosync.web.services import Services
from evosync.web.webhooks.paths import HOOKS
from evosync.web.webhooks.routes import Webhooks
from tests.services import unavailable
from tests.web.browser import Browser, World

SECRET = "the-secret-of-the-app"


@pytest.fixture
async def site(services: Services, compiled_templates: FileSystemBytecodeCache) -> AsyncIterator[TestServer]:
    hooks = Webhooks(services, [SECRET])
    app = make_site(services, routes=[*hooks.routes, *apidocs.routes], template_cache=compiled_templates)
    app.cleanup_ctx.append(hooks.while_running)
    server = TestServer(app)
    async with server:
        yield server


@pytest.fixture
async def reader(site: TestServer) -> AsyncIterator[Browser]:
    async with TestClient(site) as client:
        yield Browser(client, "en")


async def read(reader: Browser) -> dict[str, Any]:
    page = await reader.get("/openapi.json")
    assert page.status == 200
    found: dict[str, Any] = orjson.loads(page.text)
    return found


async def test_the_document_is_valid_openapi(reader: Browser, world: World) -> None:
    OpenAPIV31SpecValidator(await read(reader)).validate()
    await world.person()
    await reader.sign_in("owner@example.com")
    OpenAPIV31SpecValidator(await read(reader)).validate()


async def test_every_json_route_stands_in_the_document_and_everything_in_it_is_served(
    site: TestServer, reader: Browser, world: World
) -> None:
    await world.person()
    await reader.sign_in("owner@example.com")
    paths = (await read(reader))["paths"]
    told = {f"{method.upper()} {path}" for path, place in paths.items() for method in place if method != "servers"}
    for path, place in paths.items():
        if "servers" in place:
            method = next(method for method in place if method != "servers").upper()
            told |= {f"{method} {server['url'].rstrip('/')}{path}" for server in place["servers"]}
    served = {
        access.name_of(route) for route in site.app.router.routes()
        if route.method != "HEAD" and (rule := access.rule_of(route)) is not None and rule.json and not rule.is_admin
    }  # fmt: skip
    assert told == served
    assert told >= {path for path in OPERATIONS if path != "GET /health/ready"}


async def test_a_stranger_reads_of_webhooks_and_health_alone(reader: Browser, world: World) -> None:
    hooks = {tail for _, tail in HOOKS}
    assert set((await read(reader))["paths"]) - {"/health", "/health/ready", "/openapi.json"} == hooks
    await world.person(role="system")
    await reader.sign_in("owner@example.com")
    paths = set((await read(reader))["paths"])
    assert "/sync/status" in paths
    assert not {path for path in paths if path.startswith("/admin")}


async def test_nothing_that_the_pages_load_comes_from_elsewhere(reader: Browser) -> None:
    for page in ("/docs", "/redoc"):
        shown = await reader.get(page)
        assert shown.status == 200
        assert "http" not in shown.text.replace('"http://www.w3.org', "")
        assert "default-src 'none'" in shown.response.headers["Content-Security-Policy"]
    policy = (await reader.get("/docs")).response.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in policy
    assert (await reader.get("/docs/no-such-file.js")).status == 404


@pytest.mark.parametrize(("path", "text"), [("/docs", "An owner installed the app"), ("/redoc", "Webhooks")])
async def test_both_readers_render_without_a_console_error(site: TestServer, path: str, text: str) -> None:
    binary = shutil.which("chromium")
    if binary is None:
        unavailable("chromium is not installed")
    said: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=binary, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        await page.goto(str(site.make_url(path)))
        await page.get_by_text(text).first.wait_for(timeout=30_000)
        await browser.close()
    assert said == []
