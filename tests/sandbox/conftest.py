"""A running sandbox with one owner: a till with one store, and an empty VK shop."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from evosync.sandbox.server import serve
from evosync.sandbox.state import Sandbox
from tests.sandbox.cloud import CLOUD_TOKEN, GROUP, STORE, TOKEN, USER, Cloud


@pytest.fixture
def sandbox() -> Sandbox:
    """One owner; the rate is high so that only tests of the rate meet it."""
    state = Sandbox()
    state.vk.requests_per_second = 10_000
    state.add_till(CLOUD_TOKEN, USER, [{"id": STORE, "name": "Лавка", "address": "ул. Речная, 7"}])
    state.add_person(TOKEN)
    state.add_community(GROUP, "Лавка в VK", TOKEN)
    return state


@pytest.fixture
async def cloud(sandbox: Sandbox) -> AsyncIterator[Cloud]:
    """The sandbox on a port, and a client."""
    async with serve(sandbox) as running, aiohttp.ClientSession() as session:
        yield Cloud(sandbox, running, session)
