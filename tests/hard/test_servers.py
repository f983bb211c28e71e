"""What the service stands on fails in the middle of a first run: the database, Redis, the disk.

A database or a Redis that is restarted or emptied: see tests/journeys/test_workers.py.
"""

import asyncio
from pathlib import Path

from redis.asyncio import Redis
from sqlalchemy import text

from evosync.db import migrate
from evosync.queue import close_redis, open_redis
from evosync.sandbox.faults import Fault
from evosync.sandbox.state import Sandbox
from evosync.vk.pacer import RedisPacer
from evosync.vk.sides import VkAddress, VkSides
from tests.hard.disk import filled
from tests.hard.sees import sees
from tests.hard.service import serving
from tests.journeys.line import line_to
from tests.journeys.process import CALM, environment
from tests.journeys.workers import done, until, wish
from tests.services import MariaDB, RedisServer
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
    database = private_mariadb.for_an_app(private_url)
    environ = environment(falling_world, tmp_path / "service", database=database, redis=redis_url, **CALM)
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
    environ = environment(falling_world, tmp_path / "service", database=private_url, redis=redis_url, **CALM)
    async with serving(tmp_path / "service", environ) as service:
        hold = await half_way(owner, redis_url)
        with private_mariadb.locked():
            since = asyncio.get_running_loop().time()
            hold.release()
            await service.is_ill("database")
            # The heart of the run stands still for so long; longer than VK_SEND_WITHIN would cost a create its answer.
            await asyncio.sleep(max(0, since + 18 - asyncio.get_running_loop().time()))
        await whole_again(owner)
    assert {run[1] for run in await owner.runs()} == {"read_only", "ok"}, "no run was given up"


async def test_a_slow_database_makes_a_run_longer_and_nothing_else(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    owner = await mariadb_world.owner(PRODUCTS)
    async with line_to(mariadb_url) as (line, url):
        line.seconds = 0.04
        environ = environment(mariadb_world, tmp_path / "service", database=url, redis=redis_url, **CALM)
        async with serving(tmp_path / "service", environ) as service:
            await wish(mariadb_world, redis_url, owner)
            await whole_again(owner)
            assert "database" not in await service.ill()
    assert [run[1] for run in await owner.runs()] == ["read_only", "ok"]


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
    pacer = RedisPacer(redis, 20, patience=2)  # a minute, as it comes
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
