"""The whole site over SQLite and an imitated Redis."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from fakeredis import FakeAsyncRedis
from jinja2 import FileSystemBytecodeCache
from pytest_aiohttp.plugin import AiohttpClient

from evosync.db.engine import Database, make_engine
from evosync.db.migrate import upgrade
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer
from evosync.web.accesslog import PathLog
from evosync.web.app import make_links, make_site
from evosync.web.services import Services
from tests.web.browser import Browser, Clock, Clouds, Queue, World, make_settings


@pytest.fixture(scope="session")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database at the newest revision, to be copied."""
    return tmp_path_factory.mktemp("site") / "empty.sqlite3"


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    """Compiling them takes longer than most tests."""
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
async def services(empty_site: Path, tmp_path: Path) -> AsyncIterator[Services]:
    if not empty_site.exists():
        await upgrade(f"sqlite+aiosqlite:///{empty_site}")
    path = tmp_path / "site.sqlite3"
    shutil.copy(empty_site, path)
    database = Database(make_engine(f"sqlite+aiosqlite:///{path}"))
    clouds = Clouds()
    redis = FakeAsyncRedis()
    async with Passwords(rounds=4) as passwords:
        yield Services(
            site=make_settings(),
            database=database,
            redis=redis,
            queue=Queue(),
            clock=Clock(),
            passwords=passwords,
            sealer=Sealer(["a key that is long enough for tests"]),
            test_till=clouds.test_till,
            test_shop=clouds.test_shop,
        )
    await database.close()
    await redis.aclose()


@pytest.fixture
def world(services: Services) -> World:
    clock, queue = services.clock, services.queue
    assert isinstance(clock, Clock)
    assert isinstance(queue, Queue)
    clouds = getattr(services.test_till, "__self__", None)
    assert isinstance(clouds, Clouds)
    return World(services.database, services.passwords, make_links(services), clock, queue, clouds, services.redis)


NewBrowser = Callable[..., Awaitable[Browser]]


@pytest.fixture
async def new_browser(
    services: Services, aiohttp_client: AiohttpClient, compiled_templates: FileSystemBytecodeCache
) -> AsyncIterator[NewBrowser]:
    """Makes readers with cookies of their own; all see the same site."""
    app = make_site(services, template_cache=compiled_templates)
    server = TestServer(app)
    await server.start_server(access_log_class=PathLog)
    first: TestClient[Any, Any] = await aiohttp_client(server)

    clients: list[TestClient[Any, Any]] = []

    async def make(language: str = "ru") -> Browser:
        clients.append(TestClient(first.server))
        return Browser(clients[-1], language)

    yield make
    for client in clients:
        await client.session.close()


@pytest.fixture
async def browser(new_browser: NewBrowser) -> Browser:
    return await new_browser()
