"""A world of its own for each test: the sandbox in this process, SQLite in a file, no Redis."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evosync.db import migrate
from evosync.sandbox.state import Sandbox
from tests.sync.world import World, open_world


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite database at the newest revision, to be copied."""
    file = tmp_path_factory.mktemp("template") / "evosync.sqlite3"
    asyncio.run(migrate.upgrade(f"sqlite+aiosqlite:///{file}"))
    return file


@pytest.fixture
def sandbox() -> Sandbox:
    """Both clouds, empty."""
    return Sandbox()


@pytest.fixture
async def world(sandbox: Sandbox, migrated_file: Path, tmp_path: Path) -> AsyncIterator[World]:
    """The world of this test."""
    copy = tmp_path / "copy.sqlite3"
    shutil.copy(migrated_file, copy)
    async with open_world(sandbox, f"sqlite+aiosqlite:///{copy}") as world:
        yield world
