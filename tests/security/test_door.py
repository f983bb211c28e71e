"""What a stranger writes into a request leads nobody astray: not the reader, not his letters, not his session."""

from dataclasses import replace
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer

from evosync.web.app import make_site
from evosync.web.services import Services
from evosync.words.letters import Kind
from tests.web.browser import PASSWORD, Browser, World, make_settings
from tests.web.conftest import NewBrowser, browser, compiled_templates, empty_site, new_browser, services, world

__all__ = ["browser", "compiled_templates", "empty_site", "new_browser", "services", "world"]

ELSEWHERE = (
    "https://evil.example", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "http:evil.example", "https:/evil.example", "javascript:alert(1)", "data:text/html,x", "evil.example",
    "/\t/evil.example", "/\r\nLocation: https://evil.example", " //evil.example",
    "/%0d%0a\\evil", "/\x00//evil.example",
)  # fmt: skip


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_no_form_leads_out_of_the_site(browser: Browser, world: World, elsewhere: str) -> None:
    await world.person()
    chosen = await browser.post("/language", {"language": "en", "next": elsewhere})
    assert chosen.location == "/"
    known = {"email": "owner@example.com", "password": PASSWORD}
    signed_in = await browser.post(f"/login?next={quote(elsewhere, safe='')}", known)
    assert signed_in.location == "/profile"


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "Forwarded", "X-Original-URL", "X-Forwarded-Proto"])
async def test_links_in_letters_and_redirects_name_our_own_address_whatever_name_was_asked(
    browser: Browser, world: World, name: str
) -> None:
    await world.person()
    value = "host=evil.example" if name == "Forwarded" else "evil.example"
    reply = await browser.post("/forgot-password", {"email": "owner@example.com"}, **{name: value})
    assert reply.location == "/forgot-password?sent=1"
    assert (await world.link(Kind.RESET)).startswith("/reset-password?token="), "after the address of the settings"
    for path in ("/profile", "/login", "/register", "/nowhere", "/sync/status"):
        page = await browser.get(path, **{name: value})
        assert "evil.example" not in page.text + str(page.response.headers)


async def test_a_referrer_from_elsewhere_is_not_gone_back_to(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    for referrer in ("https://evil.example/catalog/stores", "https://evil.example", "//evil.example/catalog/stores"):
        reply = await browser.post("/catalog/stores/1/toggle", {"on": "1"}, Referer=referrer)
        assert not reply.location or reply.location.startswith("/")
        assert not reply.location.startswith("//")


async def test_a_session_that_a_stranger_planted_is_not_the_one_that_is_signed_in(
    new_browser: NewBrowser, world: World
) -> None:
    await world.person()
    stranger, owner = await new_browser(), await new_browser()
    await stranger.get("/login")
    planted = stranger.cookie
    owner.set_cookie(planted)
    assert (await owner.sign_in("owner@example.com")).location == "/profile"
    assert owner.cookie != planted
    assert (await stranger.get("/profile")).status == 303, "he is signed in nowhere"


async def test_every_cookie_is_for_the_server_alone_and_over_https_for_this_host_alone(services: Services) -> None:
    for base_url, marks in (
        ("http://localhost:8000", {"HttpOnly", "SameSite=Lax", "Path=/"}),
        ("https://shop.example.ru", {"HttpOnly", "SameSite=Lax", "Path=/", "Secure"}),
    ):
        site = make_site(replace(services, site=make_settings(base_url)))
        async with TestClient(TestServer(site)) as client:
            given_at = []
            for path in ("/login", "/register", "/forgot-password", "/profile", "/nowhere"):
                for cookie in (await client.get(path, allow_redirects=False)).headers.getall("Set-Cookie", []):
                    given_at.append(path)
                    given = {part.strip() for part in cookie.split(";")}
                    assert marks <= given, f"{path}: {cookie}"
                    assert not [part for part in given if part.startswith("Domain")]
                    assert cookie.startswith("__Host-") is base_url.startswith("https")
            assert "/login" in given_at
