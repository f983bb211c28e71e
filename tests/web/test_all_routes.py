"""All routes of the access table, walked with real things of a real owner in their addresses, by everybody there is.

A new route is walked as soon as it stands in the table and is served; where its address names something that is not
among `THINGS`, it is walked with the number of a run.
"""

import asyncio
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pytest
from aiohttp import web
from sqlalchemy import insert

from evosync.db.accounts import UserStatus
from evosync.db.people import Person
from evosync.db.tables import vk_cached_albums
from evosync.web import app as site
from evosync.web.access import ACCESS, Level, Rule, name_of
from evosync.web.services import Services
from tests.web import admin_world as backstage
from tests.web.browser import PASSWORD, Browser, Page, World
from tests.web.conftest import NewBrowser

COMMUNITY, ALBUM = 204511, 77
STREAMS: Final = frozenset({"GET /sync/events"})
"""They have no end; who is let in is told by their first line, in a test of their own."""

ENDS_SESSION: Final = frozenset({"POST /logout", "POST /profile/sessions/{id}/end"})

HERS: Final = ("Ольги", "Ольга", "olga@example.com", "Детки-конфетки", backstage.STORE)
SECRETS: Final = (backstage.EVOTOR_TOKEN, backstage.VK_TOKEN, PASSWORD, "$2b$")
"""What no page and no line of the log may hold, whoever reads it."""

RIGHTS: Final = {
    "admin": frozenset(
        {
            *("users.read", "users.edit", "users.suspend", "users.delete", "users.invite"),
            *("queue.read", "queue.retry", "audit.read"),
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Walk:
    """One route with an address that is real."""

    name: str
    method: str
    path: str
    rule: Rule


@dataclass(frozen=True, slots=True)
class Olga:
    """An owner, and what the addresses of her things hold."""

    person: Person
    run: int
    session: str

    def things(self) -> dict[str, str]:
        return {
            "/catalog/stores/{id}": backstage.STORE,
            "/vk-catalog/albums/{id}": str(ALBUM),
            "/sync/runs/{id}": str(self.run),
            "/profile/sessions/{id}": self.session,
            "/profile/notices/{name}": "failing",
            "/static/{name}": "app.css",
            "/admin/users/{id}": str(self.person.id),
            "/admin/roles/{id}": "2",
            "/admin/queue/{id}": f"mirror-{self.person.id}",
        }

    def walks(self, services: Services) -> Iterator[Walk]:
        """Every served route of the table but those for machines, which have no session."""
        served = {name_of(route) for route in site.make_site(services).router.routes()}
        for name, rule in ACCESS.items():
            if name not in served or rule.level is Level.MACHINE:
                continue
            method, _, pattern = name.partition(" ")
            yield Walk(name, method, self.address(pattern), rule)

    def address(self, pattern: str) -> str:
        path = pattern.replace("{gid}", backstage.GROUP)
        for beginning, thing in self.things().items():
            if path.startswith(beginning):
                path = beginning[: beginning.index("{")] + thing + path.removeprefix(beginning)
        for name in ("{id}", "{name}", "{number}"):
            path = path.replace(name, str(self.run))
        return path


@pytest.fixture(autouse=True)
def _unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    """A route without a rule fails a test of its own; here it is only left out."""

    def known(_routes: Iterator[web.AbstractRoute]) -> None:
        return None

    monkeypatch.setattr(site, "require_rules", known)


@pytest.fixture
async def olga(world: World, new_browser: NewBrowser) -> Olga:
    person = await world.person("olga@example.com", name="Ольга Круглова")
    run = await backstage.shop(world, person.id, community=COMMUNITY)
    album = {"user_id": person.id, "group_id": COMMUNITY, "album_id": ALBUM, "title": "Сеты Ольги"}
    await world.database.write(
        lambda connection: connection.execute(
            insert(vk_cached_albums).values(**album, title_folded="сеты ольги", size=0, digest=b"")
        )
    )
    await (await new_browser()).sign_in("olga@example.com")
    sessions = await world.redis.hkeys(f"evosync:sign-ins:{person.id}")
    return Olga(person, run, sessions[0].decode())


async def go(browser: Browser, walk: Walk) -> Page:
    """The route, with a form that says little."""
    if walk.method == "GET":
        return await browser.get(walk.path)
    return await browser.post(walk.path, {"on": "0", "page": "1"})


async def sign_in(browser: Browser, world: World, email: str) -> None:
    keys = [key async for key in world.redis.scan_iter("evosync:tries:*")]
    if keys:
        await world.redis.delete(*keys)
    assert (await browser.sign_in(email)).status == 303


def was_refused(page: Page) -> bool:
    return page.status in {401, 403} or page.location.startswith("/login")


def told(page: Page) -> str:
    return page.text + repr(dict(page.response.headers))


async def hers(world: World, olga: Olga) -> dict[str, list[tuple[Any, ...]]]:
    sessions = sorted(await world.redis.hkeys(f"evosync:sign-ins:{olga.person.id}"))
    return await backstage.belongings(world, olga.person.id) | {"sessions": sessions}


async def test_nobody_gets_anywhere_without_signing_in(
    services: Services, world: World, browser: Browser, olga: Olga
) -> None:
    before = await hers(world, olga)
    for walk in olga.walks(services):
        page = await go(browser, walk)
        assert page.status < 500, walk.name
        assert walk.rule.level is Level.ANYONE or was_refused(page), f"{walk.name} → {page.status}"
        assert not any(word in told(page) for word in (*HERS[:-1], *SECRETS)), walk.name
    assert await hers(world, olga) == before


async def test_another_owner_sees_nothing_of_hers_and_changes_nothing(
    services: Services, world: World, browser: Browser, olga: Olga
) -> None:
    await world.person("boris@example.com", name="Борис")
    await sign_in(browser, world, "boris@example.com")
    before = await hers(world, olga)
    for walk in olga.walks(services):
        if walk.name in STREAMS:
            continue
        page = await go(browser, walk)
        assert page.status < 500, walk.name
        if walk.rule.level is Level.PERMITTED:
            assert was_refused(page), f"{walk.name} → {page.status}"
        assert not any(word in page.text for word in (*HERS[:-1], *SECRETS)), walk.name
        if walk.name in ENDS_SESSION or (await browser.get("/profile")).status == 303:
            await sign_in(browser, world, "boris@example.com")
    assert await hers(world, olga) == before


async def test_a_suspended_owner_is_out_everywhere(
    services: Services, world: World, browser: Browser, olga: Olga
) -> None:
    await sign_in(browser, world, "olga@example.com")
    await world.change(olga.person, status=UserStatus.SUSPENDED.value)
    shown = await browser.get("/profile")
    assert (shown.status, shown.h1) == (403, "Аккаунт приостановлен")
    before = {name: rows for name, rows in (await hers(world, olga)).items() if name != "sessions"}
    for walk in olga.walks(services):
        page = await go(browser, walk)
        assert walk.rule.level is Level.ANYONE or was_refused(page), f"{walk.name} → {page.status}"
        assert not any(word in told(page) for word in (*HERS[:-1], *SECRETS)), walk.name
    after = await hers(world, olga)
    assert {name: after[name] for name in before} == before
    assert after["sessions"] == []


async def test_the_owner_herself_is_let_in_and_sees_no_secret(
    services: Services, world: World, browser: Browser, olga: Olga, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="evosync")
    await sign_in(browser, world, "olga@example.com")
    seen = ""
    for walk in olga.walks(services):
        if walk.method != "GET" or walk.name in STREAMS:
            continue
        page = await browser.get(walk.path)
        assert page.status < 500, walk.name
        if walk.rule.level is Level.PERMITTED:
            assert was_refused(page), f"{walk.name} → {page.status}"
        else:
            assert not was_refused(page), f"{walk.name} → {page.status}"
            assert page.status != 404 or "{" not in walk.name, walk.name
        assert not any(secret in told(page) for secret in SECRETS), walk.name
        seen += page.text
    missing = [word for word in HERS if word not in seen]
    assert missing == [], "or the walk of the others would prove nothing"
    assert not any(secret in line for line in _lines(caplog) for secret in (*SECRETS, browser.cookie))


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name.startswith(("evosync", "aiohttp"))]
    return [f"{record.getMessage()} {record.__dict__}" for record in ours]


@pytest.mark.parametrize("role", ["admin", "system"])
async def test_admins_do_what_their_rights_say_and_see_no_secret(
    services: Services, world: World, browser: Browser, olga: Olga, role: str
) -> None:
    await world.person(f"{role}@example.com", name="Анна", role=role)
    await sign_in(browser, world, f"{role}@example.com")
    for walk in olga.walks(services):
        if walk.rule.level is not Level.PERMITTED:
            continue
        may = role == "system" or walk.rule.permission in RIGHTS[role]
        page = await (go(browser, walk) if walk.method == "GET" else _acted(browser, world, olga, walk))
        assert page.status < 500, walk.name
        assert was_refused(page) is not may, f"{walk.name} → {page.status}"
        assert not any(secret in told(page) for secret in SECRETS), walk.name


async def _acted(browser: Browser, world: World, olga: Olga, walk: Walk) -> Page:
    """On somebody of whom nothing is needed afterwards."""
    other = await world.person(f"{secrets.token_hex(8)}@example.com", name="Некто")
    path = walk.path.replace(f"/users/{olga.person.id}", f"/users/{other.id}")
    return await browser.post(path.replace(f"mirror-{olga.person.id}", f"mirror-{other.id}"))


async def test_an_admin_s_rights_do_not_open_the_owners_side(
    services: Services, world: World, browser: Browser, olga: Olga
) -> None:
    """What stands behind an owner's addresses is always one's own, whatever else one may do."""
    await world.person("system@example.com", name="Анна", role="system")
    await sign_in(browser, world, "system@example.com")
    before = await hers(world, olga)
    for walk in olga.walks(services):
        if walk.rule.level is not Level.SIGNED_IN or walk.name in STREAMS:
            continue
        page = await go(browser, walk)
        assert page.status < 500, walk.name
        assert not any(word in page.text for word in HERS[:-1]), walk.name
        if (await browser.get("/profile")).status == 303:
            await sign_in(browser, world, "system@example.com")
    assert await hers(world, olga) == before


@pytest.mark.parametrize("name", sorted(STREAMS))
async def test_a_stream_lets_its_owner_in_and_nobody_else(
    services: Services, world: World, browser: Browser, new_browser: NewBrowser, olga: Olga, name: str
) -> None:
    walk = next((one for one in olga.walks(services) if one.name == name), None)
    if walk is None:
        pytest.skip("not served yet")
    stranger = await new_browser()
    assert was_refused(await stranger.get(walk.path))
    await sign_in(browser, world, "olga@example.com")
    async with asyncio.timeout(30):
        reply = await browser.client.get(walk.path, headers={"Accept": "text/event-stream"})
        assert reply.status == 200
        assert reply.content_type == "text/event-stream"
        reply.close()
