"""The world of the run's tests, with real servers beside it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from evosync.db import migrate
from evosync.sandbox.state import Sandbox
from tests.services import MariaDB
from tests.sync.world import World, open_world


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    """Once on each kind of database."""
    await migrate.upgrade(database_url)
    async with open_world(Sandbox(), database_url) as world:
        yield world


@pytest.fixture
async def sqlite_world(sqlite_url: str) -> AsyncIterator[World]:
    """For what has nothing to do with the kind of database."""
    await migrate.upgrade(sqlite_url)
    async with open_world(Sandbox(), sqlite_url) as world:
        yield world


@pytest.fixture
async def mariadb_world(mariadb_url: str) -> AsyncIterator[World]:
    """For what needs several processes."""
    await migrate.upgrade(mariadb_url)
    async with open_world(Sandbox(), mariadb_url) as world:
        yield world


@pytest.fixture
def private_url(private_mariadb: MariaDB) -> Iterator[str]:
    """A database on a server that the test may kill."""
    with private_mariadb.database() as url:
        yield url


@pytest.fixture
async def falling_world(private_url: str) -> AsyncIterator[World]:
    """On that server."""
    await migrate.upgrade(private_url)
    async with open_world(Sandbox(), private_url) as world:
        yield world
