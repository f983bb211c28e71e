"""A person with a browser before the real service, and the service's log as it was written."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

from evosync.db import accounts
from evosync.security.passwords import Passwords
from tests.journeys.process import Process
from tests.journeys.workers import until
from tests.sync.world import Owner

PASSWORD = "correct horse 1"


def lines(process: Process) -> list[dict[str, Any]]:
    """Every whole line of the log so far."""
    return [orjson.loads(line) for line in process.said.splitlines() if line.startswith("{") and line.endswith("}")]


async def address_of(process: Process) -> str:
    """Where it serves, once it does."""

    async def serves() -> bool:
        return any(line["event"] == "serving" for line in lines(process))

    await until(serves)
    return str(next(line["address"] for line in lines(process) if line["event"] == "serving"))


async def give_password(owner: Owner) -> None:
    """Owners of the imitated world sign in nowhere else."""
    async with Passwords(rounds=4) as passwords:
        hashed = await passwords.hash(PASSWORD)
    await owner.world.database.write(lambda connection: accounts.set_password(connection, owner.user, hashed))


class Visitor:
    """Keeps his cookies, also from one start of the service to the next."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.address = ""

    async def get(self, path: str) -> tuple[int, str]:
        async with self._http.get(self.address + path, allow_redirects=False) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, **form: str) -> tuple[int, str]:
        """The status, and the id under which the log has the request."""
        _, page = await self.get("/privacy")
        token = re.search(r'name="csrf_token" value="([^"]+)"', page)
        assert token is not None
        sent = {"csrf_token": token[1], **form}
        async with self._http.post(self.address + path, data=sent, allow_redirects=False) as answer:
            return answer.status, answer.headers["X-Request-Id"]

    async def hook(self, secret: str) -> int:
        """What Evotor's cloud is told that shows this secret; 400 for one that is right, as nothing else is said."""
        headers = {"Authorization": f"Bearer {secret}"}
        async with self._http.post(f"{self.address}/user/create", json={}, headers=headers) as answer:
            return answer.status

    async def sign_in(self, owner: Owner) -> None:
        status, _ = await self.post("/login", email=f"owner{owner.user}@example.org", password=PASSWORD)
        assert status == 303


@asynccontextmanager
async def visitor() -> AsyncIterator[Visitor]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Visitor(http)
