from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest

from evosync.domain.connection import Token, VkConnection
from evosync.domain.ids import CommunityId
from evosync.sandbox.server import serve
from evosync.sandbox.state import Sandbox
from evosync.vk.client import VkShop
from evosync.vk.dispatcher import Pressure
from evosync.vk.pacer import MemoryPacer, Pacer
from evosync.vk.sides import VkAddress, VkSides

SECRET = "vk-token-of-the-tests"
COMMUNITY = CommunityId(55)

OpenSides = Callable[..., AbstractAsyncContextManager[VkSides]]


@pytest.fixture
def sandbox() -> Sandbox:
    """VK with one empty shop; as fast as it can be."""
    sandbox = Sandbox()
    sandbox.vk.requests_per_second = 10_000
    sandbox.vk.item_bytes = 0
    sandbox.add_person(SECRET)
    sandbox.add_community(COMMUNITY, "Чайная", SECRET)
    return sandbox


@pytest.fixture
def connection() -> VkConnection:
    return VkConnection(Token(SECRET, "fingerprint"), COMMUNITY)


@pytest.fixture
def open_sides(sandbox: Sandbox) -> OpenSides:
    @asynccontextmanager
    async def opened(
        pacer: Pacer | None = None,
        *,
        answer_within: float = 5.0,
        back_off: float = 0.01,
        batch_limit: int = 25,
        patience: float = 60.0,
    ) -> AsyncIterator[VkSides]:
        async with (
            serve(sandbox) as running,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        ):
            yield VkSides(
                http,
                VkAddress(running.vk_url, timeout=answer_within),
                pacer or MemoryPacer(1_000),
                Pressure(batch_limit=batch_limit, back_off=back_off, patience=patience),
            )

    return opened


@pytest.fixture
async def shop(open_sides: OpenSides, connection: VkConnection) -> AsyncIterator[VkShop]:
    async with open_sides() as sides, sides.shop(connection) as shop:
        yield shop
