"""The real service on a socket, as a stranger finds it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from evosync.app import Core, Parts, open_core
from evosync.cli.serve import running
from evosync.settings import load_settings
from tests.doors import free_doors
from tests.services import strays

SECRET = "the secret that Evotor shows us"


@dataclass(frozen=True, slots=True)
class Served:
    """`browser` keeps cookies, and has been to the door already."""

    core: Core
    address: str
    browser: aiohttp.ClientSession

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    async def is_well(self) -> bool:
        async with self.browser.get(f"{self.address}/health") as answer:
            return answer.status == 200


@pytest.fixture
async def served(tmp_path: Path, redis_url: str) -> AsyncIterator[Served]:
    settings = load_settings(
        {
            "EVOSYNC_DATA_DIR": str(tmp_path / "data"), "REDIS_URL": redis_url, "EVOSYNC_PORT": "0",
            "EVOTOR_WEBHOOK_SECRET": SECRET, "METRICS_TOKEN": "a token of the tests, long enough",
        }
    )  # fmt: skip
    async with (
        open_core(settings) as core,
        running(core, Parts.WEB, free_doors()) as address,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
    ):
        async with browser.get(f"{address}/login"):
            pass
        yield Served(core, address, browser)
    assert not await strays(grace=6), "nobody who was refused is listened to for long"
