"""The whole service in a process, and what a stranger sees of it."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from tests.journeys.process import Process, command
from tests.journeys.workers import until

_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@dataclass(frozen=True, slots=True)
class Service:
    """`evosync serve`: pages, webhooks, worker and cron."""

    process: Process
    http: aiohttp.ClientSession
    address: str

    async def says(self, words: str) -> None:
        """Until it stands in its log."""
        await until(lambda: self._said(words))

    async def _said(self, words: str) -> bool:
        return words in self.process.said

    async def ill(self) -> set[str]:
        """The parts that are not well, as `/health/ready` names them."""
        async with self.http.get(f"{self.address}/health/ready") as reply:
            report = await reply.json()
        found = {name for name, state in report["parts"].items() if state != "ok"}
        assert reply.status == (503 if found else 200)
        return found

    async def is_ill(self, part: str) -> None:
        """Until that is noticed."""
        await until(lambda: self._is(part, ill=True))

    async def is_well(self, part: str) -> None:
        """Until that is over."""
        await until(lambda: self._is(part, ill=False))

    async def _is(self, part: str, *, ill: bool) -> bool:
        return (part in await self.ill()) is ill

    async def page(self, path: str) -> tuple[int, str]:
        async with self.http.get(self.address + path) as reply:
            return reply.status, await reply.text()


@asynccontextmanager
async def serving(folder: Path, environ: dict[str, str]) -> AsyncIterator[Service]:
    async with command(folder, environ, "serve", "--port", "0") as process, aiohttp.ClientSession() as http:
        await until(lambda: _serves(process))
        found = _ADDRESS.search(_line(process))
        assert found is not None
        yield Service(process, http, found[0])


def _line(process: Process) -> str:
    return next((line for line in process.said.splitlines() if "serving" in line), "")


async def _serves(process: Process) -> bool:
    return bool(_line(process))
