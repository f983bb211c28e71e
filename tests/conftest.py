"""What every test stands on: no way out of this machine, no task left behind, real servers on demand."""

import gc
import inspect
import ipaddress
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from arq.connections import ArqRedis
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from evosync.queue import close_redis, open_redis
from evosync.settings import names
from tests import services

# A slow machine is no fault of what is tested.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")

CATALOGS = Path(__file__).resolve().parents[2] / "shared" / "data" / "catalogs"


class OutsideWorldError(RuntimeError):
    """A test tried to reach another machine; not an OSError, which clients would take for a network fault."""


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else str(host)
    if name in {"", "None", "localhost", "0.0.0.0", "::"}:  # noqa: S104 - names of this machine, nothing listens
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name.endswith(".localhost")


def _keep_inside(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        if isinstance(address, tuple) and not _is_here(address[0]):
            raise OutsideWorldError(f"{event} to {address[0]}")
    elif event == "socket.getaddrinfo" and not _is_here(arguments[0]):
        raise OutsideWorldError(f"{event} of {arguments[0]!r}")


# An audit hook sees what every library does, also one that brings its own sockets; it cannot be taken out again.
sys.addaudithook(_keep_inside)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(inspect.unwrap(item.function)):
            # First in, last out: what a fixture started must be gone too.
            item.fixturenames.insert(0, "no_stray_tasks")


def pytest_collection_finish() -> None:
    """What was imported is never looked through again: that stopped these clocks and receivers for two seconds."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture
async def no_stray_tasks() -> AsyncIterator[None]:
    """Fails a test that leaves a task running; every coroutine test has it."""
    yield
    left = await services.strays()
    assert not left, f"tasks left running: {left}"


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the developer's own settings or data reaches a test, nor a process that it starts."""
    for name in names():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.MariaDB]:
    """The MariaDB of this test process."""
    with services.mariadb(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def mariadb_url(mariadb: services.MariaDB) -> Iterator[str]:
    """A fresh, empty MariaDB database of this test, as an address for SQLAlchemy."""
    with mariadb.database() as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A SQLite file of this test, which does not exist yet, as an address for SQLAlchemy."""
    return f"sqlite+aiosqlite:///{tmp_path / 'evosync.sqlite3'}"


@pytest.fixture(params=["sqlite", "mariadb"])
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database of this test; the test runs once on each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[services.RedisServer]:
    """The private Redis of this test process; for a test that harms it see `private_redis`."""
    redis = services.RedisServer(tmp_path_factory.mktemp("redis"))
    yield redis
    redis.server.kill()


@pytest.fixture
async def redis_url(request: pytest.FixtureRequest) -> str:
    """An empty Redis of this test, as redis://…"""
    url = os.environ.get("EVOSYNC_TEST_REDIS_URL") or str(request.getfixturevalue("redis_server").url)
    redis = Redis.from_url(url)
    await redis.flushdb()
    await redis.aclose()
    return url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """A client of it, as the service opens one."""
    client = open_redis(redis_url)
    yield client
    await close_redis(client)


@pytest.fixture
def private_redis(tmp_path: Path) -> Iterator[services.RedisServer]:
    """A Redis of this test alone, which it may kill, freeze and empty."""
    folder = tmp_path / "redis"
    folder.mkdir()
    redis = services.RedisServer(folder)
    yield redis
    redis.server.kill()


@pytest.fixture
def private_mariadb(tmp_path: Path) -> Iterator[services.MariaDB]:
    """A MariaDB of this test alone, which it may kill, freeze and start again."""
    folder = tmp_path / "mariadb"
    folder.mkdir()
    try:
        mariadb = services.MariaDB.private(folder)
    except LookupError as error:
        services.unavailable(str(error))
    yield mariadb
    assert mariadb.server is not None
    mariadb.server.kill()


@pytest.fixture(scope="session")
def catalogs() -> Path:
    """The folder of real catalogs, used in place; skipped visibly where it is not."""
    if not CATALOGS.is_dir():
        pytest.skip("the real catalogs are not beside the repository")
    return CATALOGS
