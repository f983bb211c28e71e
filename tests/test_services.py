"""The ground that the other tests stand on holds."""

import asyncio
import socket
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests import services
from tests.conftest import OutsideWorldError


async def test_a_database_is_there_and_empty(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        assert (await connection.execute(text("SELECT 'Ёж 🦔'"))).scalar_one() == "Ёж 🦔"
        await connection.execute(text("CREATE TABLE probe (id INTEGER)"))
    await engine.dispose()


@pytest.mark.parametrize("turn", [1, 2])
async def test_redis_is_empty_at_every_start(redis_url: str, turn: int) -> None:
    redis = Redis.from_url(redis_url)
    assert await redis.dbsize() == 0
    await redis.set("turn", turn)
    await redis.aclose()


def test_a_private_redis_can_be_killed_and_comes_back_with_its_data(private_redis: services.RedisServer) -> None:
    async def remember() -> None:
        redis = Redis.from_url(private_redis.url)
        await redis.set("till", "open")
        await redis.aclose()

    async def recall() -> bytes | None:
        redis = Redis.from_url(private_redis.url)
        found: bytes | None = await redis.get("till")
        await redis.aclose()
        return found

    asyncio.run(remember())
    private_redis.server.kill()
    private_redis.server.start()
    assert asyncio.run(recall()) == b"open"
    private_redis.empty()
    assert asyncio.run(recall()) is None


def test_a_private_mariadb_can_be_killed_and_started_again(private_mariadb: services.MariaDB) -> None:
    assert private_mariadb.server is not None
    private_mariadb.execute("CREATE DATABASE kept")
    private_mariadb.server.kill()
    private_mariadb.server.start()
    private_mariadb.execute("USE kept")


async def test_no_test_reaches_another_machine() -> None:
    with pytest.raises(OutsideWorldError):
        socket.create_connection(("192.0.2.1", 80), 1)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(OutsideWorldError):
            await session.get("http://api.example.com/")


async def test_a_task_left_running_is_found_and_ended() -> None:
    forever = asyncio.create_task(asyncio.Event().wait(), name="forgotten")
    assert await services.strays(grace=0.01) == ["forgotten: Event.wait"]
    assert forever.cancelled()


def test_every_coroutine_test_is_watched_for_stray_tasks(request: pytest.FixtureRequest) -> None:
    watched = {item.name for item in request.session.items if "no_stray_tasks" in getattr(item, "fixturenames", ())}
    assert "test_no_test_reaches_another_machine" in watched
    assert request.node.name not in watched


def test_a_missing_service_skips_visibly_and_fails_where_it_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(services.STRICT, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no MariaDB"):
        services.unavailable("no MariaDB")
    monkeypatch.setenv(services.STRICT, "1")
    with pytest.raises(pytest.fail.Exception, match="no MariaDB"):
        services.unavailable("no MariaDB")


def test_without_binary_and_server_mariadb_is_unavailable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(services, "find", lambda *_: None)
    monkeypatch.setattr(services, "_mariadb_answers", lambda _: False)
    monkeypatch.delenv("EVOSYNC_TEST_MARIADB_URL", raising=False)
    monkeypatch.delenv(services.STRICT, raising=False)
    with pytest.raises(pytest.skip.Exception), services.mariadb(tmp_path):
        pass
