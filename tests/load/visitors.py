"""People who look at pages meanwhile."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

PAGES = (
    ("the till's products", "/catalog/stores/{store}/products", 5),
    ("a search", "/catalog/stores/{store}/products?q=товар+1", 2),
    ("VK's albums", "/vk-catalog/albums", 1),
    ("the mirror", "/sync", 5),
    ("its runs", "/sync/runs", 2),
    ("its problems", "/sync/problems", 2),
    ("connections", "/connections", 1),
)


@dataclass(slots=True)
class Visitors:
    """`per_second` pages, whether or not earlier ones have come; milliseconds by page, from when each was due."""

    urls: Sequence[str]
    store: str
    per_second: float
    took: dict[str, list[float]] = field(default_factory=dict)
    wrong: int = 0

    async def come(self, emails: Sequence[str], password: str, stop: asyncio.Event) -> None:
        dice = random.Random(11)
        names = [name for name, _, weight in PAGES for _ in range(weight)]
        paths = {name: path.format(store=self.store) for name, path, _ in PAGES}
        async with AsyncExitStack() as stack, asyncio.TaskGroup() as group:
            people = [await self._signed_in(stack, number, email, password) for number, email in enumerate(emails)]
            loop = asyncio.get_running_loop()
            due = loop.time()
            while not stop.is_set():
                due += dice.expovariate(self.per_second)
                await asyncio.sleep(due - loop.time())
                name = dice.choice(names)
                group.create_task(self._look(dice.choice(people), name, paths[name]))

    async def _signed_in(self, stack: AsyncExitStack, number: int, email: str, password: str) -> aiohttp.ClientSession:
        url = self.urls[number % len(self.urls)]
        jar = aiohttp.CookieJar(unsafe=True)
        person = await stack.enter_async_context(aiohttp.ClientSession(url, cookie_jar=jar))
        text = await (await person.get("/login")).text()
        token = text.partition('name="csrf_token" value="')[2].partition('"')[0]
        data = {"csrf_token": token, "email": email, "password": password}
        reply = await person.post("/login", data=data, allow_redirects=False)
        assert reply.status == 303, f"{email} cannot sign in at {urlsplit(url).netloc}: {reply.status}"
        return person

    async def _look(self, person: aiohttp.ClientSession, name: str, path: str) -> None:
        began = time.perf_counter()
        async with person.get(path, allow_redirects=False) as reply:
            await reply.read()
            self.wrong += reply.status != 200
        self.took.setdefault(name, []).append((time.perf_counter() - began) * 1000)
