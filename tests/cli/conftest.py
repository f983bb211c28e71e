"""A sandbox, a person with settings that point there, and an owner who is laid out already."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evosync.sandbox.state import Sandbox
from tests.cli.person import Person
from tests.sync.conftest import migrated_file
from tests.sync.world import KEY, Owner, World, open_world

__all__ = ["migrated_file"]


@pytest.fixture
async def world(migrated_file: Path, tmp_path: Path) -> AsyncIterator[World]:
    """The clouds, and the service's database."""
    copy = tmp_path / "evosync.sqlite3"
    shutil.copy(migrated_file, copy)
    async with open_world(Sandbox(), f"sqlite+aiosqlite:///{copy}") as world:
        yield world


@pytest.fixture
async def person(world: World, redis_url: str, tmp_path: Path) -> AsyncIterator[Person]:
    """In an empty folder of his own; whatever he is told, no token is in it."""
    folder = tmp_path / "folder"
    folder.mkdir()
    person = Person(
        folder,
        {
            "DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'evosync.sqlite3'}",
            "REDIS_URL": redis_url,
            "SECRET_KEY": KEY,
            "EVOSYNC_DATA_DIR": str(tmp_path / "data"),
            "EVOTOR_API_URL": world.running.evotor_url,
            "VK_API_URL": world.running.vk_url,
            "VK_REQUESTS_PER_SECOND": "20",
            "LOG_LEVEL": "DEBUG",
        },
    )
    yield person
    for said in person.heard:
        for token in (*world.sandbox.tokens, *world.sandbox.accounts):
            assert token not in said.all


@pytest.fixture
async def newcomer(world: World) -> Owner:
    """Has an account, a till and a community; nothing is connected yet."""
    return await world.owner(3, evotor=False, vk=False, started=False)


@pytest.fixture
async def anna(world: World) -> Owner:
    """Both sides connected, everything chosen, not started."""
    return await world.owner(3, started=False)
