"""The world of the run's tests, with real servers beside it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from evosync.db import migrate
from evosync.sandbox.state import Sandbox
from tests.sync.conftest import migrated_file
from tests.sync.world import World, open_world

__all__ = ["migrated_file"]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """Once on each kind of database."""
    await migrate.upgrade(database_url)
    async with open_world(Sandbox(), database_url) as world:
        yield world
    await asyncio.sleep(0)
