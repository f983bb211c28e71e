"""Every route has a rule, and everybody gets exactly what the rule says."""

from collections.abc import Iterator

import pytest
from aiohttp import web

from evosync.db.accounts import UserStatus
from evosync.web.access import ACCESS, Level, Rule, Unlisted, name_of
from evosync.web.app import make_site
from evosync.web.services import Services
from tests.web.browser import Browser, World
from tests.web.conftest import NewBrowser

PERSONS = ("anonymous", "owner", "suspended", "admin", "system")
RIGHTS = {
    "owner": set[str](),
    "admin": {
        "users.read", "users.edit", "users.suspend", "users.delete", "users.invite", "queue.read", "queue.retry",
        "audit.read",
    },
}  # fmt: skip


def routes(services: Services) -> Iterator[tuple[str, str, Rule]]:
    """Method, an address that leads nowhere real, and the rule."""
    for route in make_site(services).router.routes():
        assert route.resource is not None
        if route.method == "HEAD":
            continue
        path = route.resource.canonical
        for name, value in (("{id}", "999999"), ("{gid}", "none"), ("{name}", "nothing"), ("{number}", "1")):
            path = path.replace(name, value)
        yield route.method, path, ACCESS[name_of(route)]


def admits(rule: Rule, who: str) -> bool:
    if rule.level in {Level.ANYONE, Level.MACHINE}:
        return True
    if who in {"anonymous", "suspended"}:
        return False
    return rule.level is Level.SIGNED_IN or who == "system" or rule.permission in RIGHTS[who]


def refused(status: int, location: str) -> bool:
    return status in {401, 403} or (status == 303 and location.startswith("/login"))


@pytest.mark.parametrize("who", PERSONS)
async def test_everybody_is_admitted_where_the_table_says_and_nowhere_else(
    services: Services, world: World, new_browser: NewBrowser, who: str
) -> None:
    browser = await new_browser()
    cookie = "none yet"
    for method, path, rule in routes(services):
        if who == "suspended" or browser.cookie != cookie:  # the route before ended the session
            await become(browser, world, who)
            cookie = browser.cookie
        if path == "/sync/events" and admits(rule, who):
            continue  # a stream has no end; its own test reads it
        reply = await (browser.get(path) if method == "GET" else browser.post(path))
        if admits(rule, who):
            is_refused = reply.status in {401, 403} or (reply.location.startswith("/login?next"))
            assert not is_refused, f"{who}: {method} {path} → {reply.status}"
        else:
            assert refused(reply.status, reply.location), f"{who}: {method} {path} → {reply.status}"


async def become(browser: Browser, world: World, who: str) -> None:
    if who == "anonymous":
        return
    email = f"{who}@example.com"
    person = await world.by_email(email)
    if person is None:
        role = who if who in {"admin", "system"} else "user"
        person = await world.person(email, role=role)
    if who == "suspended":
        await world.change(person, status=UserStatus.ACTIVE.value)
    await browser.sign_in(email)
    if who == "suspended":
        await world.change(person, status=UserStatus.SUSPENDED.value)
        await browser.get("/profile")
    await world.redis.delete(*[key async for key in world.redis.scan_iter("evosync:tries:*")] or ["-"])


async def test_a_script_is_refused_in_its_own_language(browser: Browser) -> None:
    reply = await browser.post("/profile/notices/broken", {"on": "0"}, Accept="application/json")
    assert reply.status == 401
    assert reply.response.content_type == "application/json"


async def test_an_admin_page_does_not_exist_for_owners_who_guess_it(browser: Browser, world: World) -> None:
    await world.person()
    await browser.sign_in("owner@example.com")
    assert "/admin" not in (await browser.get("/profile")).text


async def test_a_route_without_a_rule_keeps_the_site_from_starting(services: Services) -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response()

    with pytest.raises(Unlisted, match="GET /forgotten"):
        make_site(services, routes=[web.get("/forgotten", handler)])
