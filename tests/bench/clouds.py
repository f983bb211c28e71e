"""The imitated clouds in a process of their own, and what they counted."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench.children import child

LATENCY = {"vk_request": 0.3, "vk_inner": 0.06, "upload": 0.5, "evotor": 0.3, "arrival_jitter": 0.02}
NO_LATENCY = dict.fromkeys(LATENCY, 0.0)
ITEM_BYTES = 5_000


class Clouds:
    """The sandbox over its control pages."""

    def __init__(self, http: aiohttp.ClientSession, ready: Mapping[str, Any]) -> None:
        self._http = http
        self._url = str(ready["url"])
        self.urls = {"evotor_api_url": str(ready["evotor_url"]), "vk_api_url": str(ready["vk_url"])}
        self.owners: list[dict[str, Any]] = list(ready["owners"])

    async def slow(self) -> None:
        """As the figures ask: real delays, some jitter on the way, three requests a second."""
        await self._options(LATENCY, 3)

    async def fast(self) -> None:
        """To prepare what is measured later."""
        await self._options(NO_LATENCY, 10_000)

    async def forget(self) -> None:
        await self._post("reset", {})

    async def counters(self) -> dict[str, Any]:
        found: dict[str, Any] = await self._get("counters")
        return found

    async def arrivals(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._get("ledger")
        return found

    async def shop(self, group: int) -> dict[str, Any]:
        found: dict[str, Any] = await self._get(f"vk/{group}")
        return found

    async def _options(self, latency: Mapping[str, float], rate: int) -> None:
        limits = {"requests_per_second": rate, "item_bytes": ITEM_BYTES}
        unlimited = {"rate_limit": None}
        await self._post("options", {"latency": dict(latency), "vk": limits, "evotor": unlimited})

    async def _get(self, what: str) -> Any:
        async with self._http.get(f"{self._url}/control/{what}") as response:
            response.raise_for_status()
            return await response.json()

    async def _post(self, what: str, body: Mapping[str, Any]) -> None:
        async with self._http.post(f"{self._url}/control/{what}", json=body) as response:
            response.raise_for_status()


@asynccontextmanager
async def clouds(*, owners: int, products: int, catalog: Path | None) -> AsyncIterator[Clouds]:
    arguments = ["--port", "0", "--owners", str(owners), "--products", str(products)]
    if catalog is not None:
        arguments += ["--catalog", str(catalog)]
    timeout = aiohttp.ClientTimeout(total=120)
    async with child("evosync.sandbox", *arguments) as process, aiohttp.ClientSession(timeout=timeout) as http:
        yield Clouds(http, process.ready)
