"""A bounded flood on the doors: it is turned away, the service answers meanwhile, and afterwards owners come in."""

import asyncio
import re
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import aiohttp
import pytest

from evosync.accounts.throttle import SIGN_IN_ACCOUNT_HERE
from evosync.db import accounts
from evosync.db.accounts import UserStatus
from evosync.security import passwords
from evosync.security.passwords import Passwords
from tests.security.conftest import SECRET, Served
from tests.web.browser import PASSWORD

WAVE = 50
"""More wait for Redis longer than its pool lets them, where the machine is busy."""


async def owner(served: Served) -> None:
    async with Passwords() as made, served.core.database.writing() as connection:
        hashed = await made.hash(PASSWORD)
        await accounts.create_user(
            connection, email="owner@example.com", role="user", password_hash=hashed, status=UserStatus.ACTIVE,
            at=served.core.clock(),
        )  # fmt: skip


async def token(served: Served) -> str:
    async with served.browser.get(f"{served.address}/login") as page:
        found = re.search(r'name="csrf_token" value="([^"]+)"', await page.text())
    assert found is not None
    return found[1]


async def post(served: Served, path: str, form: dict[str, str] | None = None, **headers: str) -> int:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with served.browser.post(
        served.address + path, data=form, json=None if form else {}, headers=sent, allow_redirects=False
    ) as answer:
        await answer.read()
        return answer.status


async def look(served: Served, path: str) -> int:
    async with served.browser.get(served.address + path) as answer:
        await answer.read()
        return answer.status


async def test_doors_that_are_stormed_stay_up(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_MOST_WAITING", 16)  # a second of work, not some
    await owner(served)
    csrf = await token(served)
    stranger = {"csrf_token": csrf, "password": "wrong horse 22"}
    slowest, over, began = 0.0, asyncio.Event(), asyncio.get_running_loop().time()

    async def watch() -> None:
        nonlocal slowest
        loop = asyncio.get_running_loop()
        async with aiohttp.ClientSession() as monitor:
            while not over.is_set():
                asked = loop.time()
                async with monitor.get(f"{served.address}/health") as answer:
                    assert answer.status == 200
                slowest = max(slowest, loop.time() - asked)

    watching = asyncio.create_task(watch())
    from_everywhere = [
        post(served, "/login", {**stranger, "email": f"a{n}@example.com"}, X_Forwarded_For=f"203.0.113.{n}")
        for n in range(WAVE)
    ]
    from_one = [
        post(served, "/login", {**stranger, "email": "owner@example.com"}, X_Forwarded_For="198.51.100.7")
        for _ in range(WAVE)
    ]
    hooks = [post(served, "/user/verify", Authorization=f"Bearer guess-{n}") for n in range(WAVE)]
    forms = [post(served, "/register", {"csrf_token": "made up", "email": f"{n}@x.example"}) for n in range(WAVE)]
    told = [post(served, "/user/create", Authorization=f"Bearer {SECRET}") for _ in range(WAVE)]
    sound = [post(served, "/register", {"csrf_token": csrf, "email": f"{n}@x.example"}) for n in range(WAVE)]
    pages = [look(served, "/login") for _ in range(WAVE)]
    waves = await_all(from_everywhere, from_one, hooks, forms, told, sound, pages)
    found = [Counter(await each) for each in waves]
    took = asyncio.get_running_loop().time() - began
    over.set()
    await watching
    everywhere, one, hooked, formed, believed, filled, looked = found
    assert everywhere.keys() <= {422, 503}
    assert everywhere[503] > 0, "more passwords than can be checked soon are not taken"
    assert one.keys() <= {422, 429, 503}
    assert one[422] <= SIGN_IN_ACCOUNT_HERE.tries, "guessing at one account is counted"
    assert one[429] > 0
    assert hooked == {401: WAVE}
    assert formed == {403: WAVE}
    assert believed == {400: WAVE}, "whoever shows the secret is heard out"
    assert filled == {422: WAVE}, "each form is looked at and told what is wrong"
    assert looked == {200: WAVE}
    assert slowest < max(5, took * 2 / 3), "the process answers meanwhile"
    known = {"csrf_token": csrf, "email": "owner@example.com", "password": PASSWORD}
    assert await post(served, "/login", known, X_Forwarded_For="192.0.2.1") == 303, "from his own address"
    assert await post(served, "/user/create", Authorization=f"Bearer {SECRET}") == 400, "taken, and looked at"


def await_all(*groups: "list[Coroutine[Any, Any, int]]") -> "list[asyncio.Future[list[int]]]":
    """All of them at once."""
    return [asyncio.gather(*group) for group in groups]
