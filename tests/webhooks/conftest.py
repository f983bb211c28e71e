"""The webhooks over SQLite and an imitated Redis: the site as it is served, with the cloud's calls."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from fakeredis import FakeAsyncRedis
from jinja2 import FileSystemBytecodeCache

from evosync.db.engine import Database, make_engine
from evosync.db.migrate import upgrade
from evosync.security.passwords import Passwords
from evosync.security.seal import Sealer
from evosync.web import apidocs
from evosync.web.app import make_links, make_site
from evosync.web.services import Services
from evosync.web.webhooks.routes import Webhooks
from tests.web.browser import Clock, Clouds, Queue, World, make_settings
from tests.webhooks.cloud import EARLIER, SECRET, Cloud


@pytest.fixture(scope="session")
def empty_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("site") / "empty.sqlite3"


@pytest.fixture(scope="session")
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> FileSystemBytecodeCache:
    return FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))


@pytest.fixture
async def services(empty_site: Path, tmp_path: Path) -> AsyncIterator[Services]:
    if not empty_site.exists():
        await upgrade(f"sqlite+aiosqlite:///{empty_site}")
    path = tmp_path / "site.sqlite3"
    shutil.copy(empty_site, path)
    database = Database(make_engine(f"sqlite+aiosqlite:///{path}"))
    clouds, redis = Clouds(), FakeAsyncRedis()
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


@pytest.fixture
async def cloud(services: Services, world: World, compiled_templates: FileSystemBytecodeCache) -> AsyncIterator[Cloud]:
    """The Evotor cloud, which knows the app's secret."""
    hooks = Webhooks(services, [SECRET, EARLIER])
    app = make_site(services, routes=[*hooks.routes, *apidocs.routes], template_cache=compiled_templates)
    app.cleanup_ctx.append(hooks.while_running)
    client: TestClient[Any, Any] = TestClient(TestServer(app))
    async with client:
        yield Cloud(client, services, world)
