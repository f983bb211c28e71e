"""What the service stands on fails in the middle of a first run: the database, Redis, the disk.

A database or a Redis that is restarted or emptied: see tests/journeys/test_workers.py.
"""

import asyncio
import contextlib
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import make_url, text

from evosync.db import migrate
from evosync.queue import close_redis, open_redis
from evosync.sandbox.faults import Fault
from evosync.sandbox.state import Sandbox
from evosync.vk.pacer import RedisPacer
from evosync.vk.sides import VkAddress, VkSides
from tests.hard.sees import sees
from tests.hard.service import serving
from tests.journeys.process import environment
from tests.journeys.workers import done, until, wish
from tests.services import MariaDB, RedisServer, unavailable
from tests.sync.world import Owner, Sides, World, open_world

PRODUCTS = 40


async def half_way(owner: Owner, redis_url: str) -> Fault:
    """The owner's first run, in which VK has done some creates and answers none of them before it is released."""
    hold = owner.world.sandbox.fault("hold", "market.add", when="after", skip=12)
    await wish(owner.world, redis_url, owner)
    await owner.world.met(hold)
    return hold


async def whole_again(owner: Owner) -> None:
    """Nothing was lost, nothing was made twice, no create was even sent twice."""
    await until(lambda: done(owner), seconds=90)
    owner.assert_mirrored()
    assert len(owner.items) == PRODUCTS
    assert owner.world.sandbox.ledger.calls["market.add"] == PRODUCTS
    seen = await sees(owner)
    assert (seen.state, seen.title) == ("idle", "In step with the till")


# MariaDB


async def test_a_database_made_read_only_in_the_middle_of_a_run_costs_no_item(
    falling_world: World, private_mariadb: MariaDB, private_url: str, redis_url: str, tmp_path: Path
) -> None:
    owner = await falling_world.owner(PRODUCTS)
    url = make_url(private_url)
    private_mariadb.execute(
        "CREATE USER app@'127.0.0.1' IDENTIFIED BY 'app'", f"GRANT ALL ON {url.database}.* TO app@'127.0.0.1'"
    )
    url = url.set(username="app", password="app")
    database = url.render_as_string(hide_password=False)
    environ = environment(falling_world, tmp_path / "service", database=database, redis=redis_url)
    async with serving(tmp_path / "service", environ) as service:
        hold = await half_way(owner, redis_url)
        private_mariadb.execute("SET GLOBAL read_only = 1")
        hold.release()
        await service.says("actor crashed")
        await service.is_ill("database")
        assert (await sees(owner)).whose_move == "we"
        private_mariadb.execute("SET GLOBAL read_only = 0")
        await whole_again(owner)
        await service.is_well("database")


async def test_a_database_locked_for_longer_than_a_run_may_be_silent_costs_no_item(
    falling_world: World, private_mariadb: MariaDB, private_url: str, redis_url: str, tmp_path: Path
) -> None:
    owner = await falling_world.owner(PRODUCTS)
    environ = environment(falling_world, tmp_path / "service", database=private_url, redis=redis_url)
    async with serving(tmp_path / "service", environ) as service:
        hold = await half_way(owner, redis_url)
        with private_mariadb.locked():
            hold.release()
            await service.is_ill("database")
            await asyncio.sleep(16)  # the heart of the run stands still for so long
        await whole_again(owner)
    assert {run[1] for run in await owner.runs()} == {"read_only", "ok"}, "no run was given up"


async def test_a_slow_database_makes_a_run_longer_and_nothing_else(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    owner = await mariadb_world.owner(PRODUCTS)
    async with slow_road(mariadb_url, seconds=0.04) as url:
        environ = environment(mariadb_world, tmp_path / "service", database=url, redis=redis_url)
        async with serving(tmp_path / "service", environ) as service:
            await wish(mariadb_world, redis_url, owner)
            await whole_again(owner)
            assert "database" not in await service.ill()
    assert [run[1] for run in await owner.runs()] == ["read_only", "ok"]


@contextlib.asynccontextmanager
async def slow_road(url: str, *, seconds: float) -> AsyncIterator[str]:
    """The same server through a line on which every answer takes so much longer."""
    parts = make_url(url)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, wait: float) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await asyncio.sleep(wait)
                writer.write(data)
                await writer.drain()
        writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(parts.host, parts.port)
        await asyncio.gather(carry(reader, up_writer, 0), carry(up_reader, writer, seconds))

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield parts.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)


# Redis


async def test_a_redis_without_memory_in_the_middle_of_a_run_costs_no_item(
    sqlite_world: World, sqlite_url: str, private_redis: RedisServer, tmp_path: Path
) -> None:
    owner = await sqlite_world.owner(PRODUCTS)
    environ = environment(sqlite_world, tmp_path / "service", database=sqlite_url, redis=private_redis.url)
    async with serving(tmp_path / "service", environ) as service, Redis.from_url(private_redis.url) as redis:
        hold = await half_way(owner, private_redis.url)
        await redis.config_set("maxmemory", "1")
        hold.release()
        await service.says("pace: waiting for Redis")
        await service.is_ill("redis")
        assert (await service.page("/login"))[0] == 503
        assert (await sees(owner)).whose_move == "we"
        await redis.config_set("maxmemory", "0")
        await whole_again(owner)
        await service.is_well("redis")
        assert (await service.page("/login"))[0] == 200


async def test_a_redis_that_stays_away_in_the_middle_of_a_run_is_a_hitch_on_our_side(
    sqlite_world: World, private_redis: RedisServer
) -> None:
    world = sqlite_world
    owner = await world.owner(PRODUCTS)
    redis = open_redis(private_redis.url)
    sides = world.engine.sides
    assert isinstance(sides, Sides)
    pacer = RedisPacer(redis, 20, patience=0.2)  # a minute, as it comes
    sides._vk = VkSides(sides._http, VkAddress(world.running.vk_url), pacer)
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    await asyncio.to_thread(private_redis.server.kill)
    hold.release()
    assert (await running).code == "Redis"
    seen = await sees(owner)
    assert (seen.outcome, seen.title, seen.whose_move) == ("failed", "A hitch on our side", "we")
    await asyncio.to_thread(private_redis.server.start)
    await owner.settled()
    await close_redis(redis)
    owner.assert_mirrored()
    assert world.sandbox.ledger.calls["market.add"] == PRODUCTS
    assert world.bell.broken == []


# the disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that can be filled to the last byte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        unavailable(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def filled(place: Path) -> Iterator[None]:
    """Not a byte is left."""
    junk = place / "junk"
    with junk.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65_536, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    try:
        yield
    finally:
        junk.unlink()


async def test_a_full_disk_in_the_middle_of_a_run_costs_no_item(
    small_disk: Path, redis_url: str, tmp_path: Path
) -> None:
    database = f"sqlite+aiosqlite:///{small_disk / 'evosync.sqlite3'}"
    await migrate.upgrade(database)
    async with open_world(Sandbox(), database) as world:
        owner = await world.owner(PRODUCTS)
        environ = environment(world, tmp_path / "service", database=database, redis=redis_url)
        async with serving(tmp_path / "service", environ) as service:
            hold = await half_way(owner, redis_url)
            with filled(small_disk):
                hold.release()
                await service.says("actor crashed")
                await service.is_ill("database")
                assert (await sees(owner)).whose_move == "we"
            await wish(world, redis_url, owner)  # he presses the button again
            await whole_again(owner)
            await service.is_well("database")
        async with world.database.reading() as connection:
            assert await connection.scalar(text("PRAGMA integrity_check")) == "ok"
