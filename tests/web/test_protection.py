"""Form tokens, headers, and what never leaves the service."""

import logging
import re
from dataclasses import replace
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from redis.exceptions import ConnectionError as Away

from evosync.web.app import make_site
from evosync.web.client import client_address
from evosync.web.headers import content_policy
from evosync.web.services import Services
from evosync.words.letters import Kind
from tests.web.browser import PASSWORD, Browser, World, make_settings
from tests.web.conftest import NewBrowser

POSTS = ("/login", "/register", "/logout", "/profile/delete", "/forgot-password", "/confirm-email", "/language")


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("token", ["", "x", "20991231235959##" + "0" * 40])
async def test_a_form_without_its_token_does_nothing(browser: Browser, world: World, path: str, token: str) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    reply = await browser.post(path, {"email": "owner@example.com", "password": PASSWORD}, token=token)
    assert (reply.status, reply.h1) == (403, "Страница устарела")
    assert (await browser.get("/profile")).status == 200
    assert await world.outbox() == []


async def test_the_token_of_one_session_is_of_no_use_in_another(new_browser: NewBrowser, world: World) -> None:
    await world.person()
    one, other = await new_browser(), await new_browser()
    stolen = (await one.get("/login")).token
    await other.sign_in("owner@example.com")
    assert (await other.post("/profile/delete", {"password": PASSWORD}, token=stolen)).status == 403


async def test_a_token_from_before_the_sign_in_is_of_no_use_after_it(browser: Browser, world: World) -> None:
    await world.person()
    before = (await browser.get("/login")).token
    await browser.sign_in("owner@example.com")
    assert (await browser.post("/logout", token=before)).status == 403


async def test_a_script_sends_the_token_in_a_header(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    token = (await browser.get("/profile")).token
    body = orjson.dumps({})
    sent = {"Content-Type": "application/json", "Accept": "application/json"}
    refused = await browser.client.post("/profile/notices/broken", data=body, headers=sent)
    assert refused.status == 403
    assert (await refused.json())["error"]["kind"] == "stale"
    taken = await browser.client.post("/profile/notices/broken", data=body, headers={**sent, "X-CSRF-Token": token})
    assert taken.status == 400, "let through, and refused for what it says"


async def test_the_token_in_a_page_differs_each_time(browser: Browser, world: World) -> None:
    tokens = set()
    for _ in range(3):
        tokens.add((await browser.get("/login")).token.partition("##")[0])
    assert all(re.fullmatch(r"\d{14}", token) for token in tokens), "with its time in what is signed"


async def test_nothing_inline_and_nothing_foreign_may_run(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    for path in ("/login", "/profile", "/privacy", "/nowhere"):
        page = await browser.get(path)
        policy = page.response.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert "style=" not in page.text
        assert not re.search(r"\son\w+=", page.text)
        assert not re.search(r"<script(?![^>]*src=)", page.text)
        assert "http://" not in page.text.replace("http://localhost:8000", "")


async def test_every_answer_has_its_headers(browser: Browser) -> None:
    for path in ("/login", "/health", "/nowhere", "/static/app.css"):
        headers = (await browser.get(path)).response.headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Request-Id"]
        assert "Server" not in headers
        assert "Strict-Transport-Security" not in headers, "over http it would lock the owner out"


async def test_over_https_the_cookie_is_bound_to_the_host_and_the_browser_to_https(services: Services) -> None:
    site = make_site(replace(services, site=make_settings("https://shop.example.ru")))
    async with TestClient(TestServer(site)) as client:
        reply = await client.get("/login")
        cookie = reply.headers["Set-Cookie"]
        assert cookie.startswith("__Host-evosync=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        assert "Path=/" in cookie
        assert reply.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_the_chat_opens_the_policy_for_itself_on_the_owner_s_pages_alone(
    services: Services, world: World
) -> None:
    settings = replace(make_settings(), jivosite_widget_id="WiDgEt")
    await world.person()
    async with TestClient(TestServer(make_site(replace(services, site=settings)))) as client:
        browser = Browser(client)
        outside = await browser.get("/login")
        assert "jivo" not in outside.text + outside.response.headers["Content-Security-Policy"]
        await browser.sign_in("owner@example.com")
        inside = await browser.get("/profile")
        assert '<script src="https://code.jivosite.com/widget/WiDgEt" async></script>' in inside.text
        policy = inside.response.headers["Content-Security-Policy"]
        opened = set(policy.replace(";", " ").split()) - set(content_policy(settings).replace(";", " ").split())
        assert all(
            "jivo" in source or source in {"data:", "'unsafe-inline'"} or source.endswith("-src") for source in opened
        )
        assert "script-src 'self' https://code.jivosite.com https://code.jivo.ru;" in policy


@pytest.mark.parametrize(
    ("remote", "forwarded", "address"),
    [
        ("203.0.113.9", [], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9", "10.1.2.3"], "203.0.113.9"),
        ("127.0.0.1", ["not an address"], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("::1", ["2001:db8::7"], "2001:db8::7"),
    ],
)
def test_the_address_is_believed_from_our_proxy_only(remote: str, forwarded: list[str], address: str) -> None:
    assert client_address(remote, forwarded, ["127.0.0.1", "::1", "10.0.0.0/8"]) == address


async def test_no_secret_reaches_the_log(browser: Browser, world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    token = await world.token(Kind.RESET)
    await browser.get(f"/reset-password?token={token}")
    await browser.post("/reset-password", {"token": token, "password": "three blue cats"})
    await browser.sign_in("owner@example.com", "three blue cats")
    for secret in (token, "three blue cats", browser.cookie):
        assert secret not in caplog.text


async def test_no_secret_is_kept_where_a_copy_of_the_database_would_show_it(
    browser: Browser, world: World, services: Services
) -> None:
    await world.person()
    await browser.post("/forgot-password", {"email": "owner@example.com"})
    token = await world.token(Kind.RESET)
    async with services.database.reading() as connection:
        dump = await connection.run_sync(_dump)
    assert "owner@example.com" in dump
    assert token not in dump
    assert PASSWORD not in dump


def _dump(connection: Any) -> str:
    return "\n".join(connection.connection.driver_connection._conn.iterdump())


async def test_an_error_inside_tells_nothing_and_names_itself_for_support(
    browser: Browser, services: Services, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        @property
        def title(self) -> object:
            raise RuntimeError("a secret of ours")

    monkeypatch.setattr("evosync.web.pages.home.PRIVACY", Broken())
    reply = await browser.get("/privacy?token=secret-of-the-reader")
    assert (reply.status, reply.h1) == (500, "Мы что-то уронили")
    assert "RuntimeError" not in reply.text
    code = re.search(r"E-500-([0-9A-F]{8})", reply.text)
    assert code is not None
    assert reply.response.headers["X-Request-Id"].upper().startswith(code[1])
    assert "secret-of-the-reader" not in caplog.text


async def test_without_redis_a_page_says_so_and_health_goes_on(
    browser: Browser, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_arguments: object, **_named: object) -> None:
        raise Away("no")

    browser.set_cookie("some-session")
    monkeypatch.setattr(services.redis, "get", away)
    assert (await browser.get("/login")).h1 == "Мы ненадолго прервались"
    assert (await browser.get("/health")).status == 200


async def test_what_is_packed_is_packed_by_the_service_itself(browser: Browser) -> None:
    for path in ("/login", "/static/app.css", "/static/app.js"):
        reply = await browser.get(path, **{"Accept-Encoding": "gzip, deflate, br"})
        assert reply.response.headers["Content-Encoding"] == "gzip", path
        assert "Accept-Encoding" in reply.response.headers["Vary"]


async def test_a_page_with_its_assets_is_small(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    page = await browser.get("/profile")
    paths = re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text)
    sizes = []
    for path in ["/profile", *paths]:
        reply = await browser.client.get(path, headers={**browser.headers, "Accept-Encoding": "gzip"})
        sizes.append(int(reply.headers["Content-Length"]))
    assert len(paths) == 3
    assert sum(sizes) < 20_000


async def test_assets_have_names_of_their_content_and_last_for_ever(browser: Browser) -> None:
    page = await browser.get("/login")
    path = re.search(r'href="(/static/app\.[0-9a-f]{12}\.css)"', page.text)
    assert path is not None
    reply = await browser.get(path[1])
    assert reply.response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    again = await browser.get(path[1], **{"If-None-Match": reply.response.headers["ETag"]})
    assert again.status == 304
    assert (await browser.get("/static/app.css")).response.headers["Cache-Control"] == "public, max-age=3600"
    for outside in ("/static/..%2fevosync%2fapp.py", "/static/nothing.css", "/static/default-item"):
        assert (await browser.get(outside)).status == 404
