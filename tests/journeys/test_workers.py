"""Worker processes with one Redis and one database between them, and what can befall each of the three."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis
from sqlalchemy import select

from evosync.db.tables import sync_runs
from evosync.domain.ids import UserId
from tests.hard.sees import sees
from tests.journeys.process import CALM, Process, command, environment, mirror_run
from tests.journeys.visitor import Visitor, address_of, give_password, visitor
from tests.journeys.workers import done, until, wish, workers
from tests.lag import worst_lag
from tests.services import MariaDB, RedisServer
from tests.sync.world import Owner, World

DEAD_WORKER_SECONDS = 30


async def run_times(world: World, user: UserId) -> list[tuple[float, float]]:
    """When each run that ended well began and ended, the owner's laying out apart."""
    async with world.database.reading() as connection:
        c = sync_runs.c
        rows = await connection.execute(
            select(c.started_at, c.finished_at).where(c.user_id == user, c.outcome != "read_only").order_by(c.id)
        )
        return [(begun.timestamp(), ended.timestamp()) for begun, ended in rows.all() if ended is not None]


async def test_two_workers_never_run_an_owner_twice_at_a_time_and_keep_one_rate_per_token(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = mariadb_world
    one = await world.owner(12)
    # The same person's token serves a second shop, whose runs the other worker may have.
    two = await world.owner(12, vk_token=one.vk_token)
    three = await world.owner(12)
    world.sandbox.vk.requests_per_second = 1000  # counted, not refused
    world.sandbox.reset_counters()
    environ = environment(world, tmp_path / "service", database=mariadb_url, redis=redis_url, **CALM)
    environ |= {"VK_REQUESTS_PER_SECOND": "3"}
    lag = asyncio.create_task(worst_lag())
    async with workers(tmp_path / "service", environ, 2) as processes:
        for _ in range(3):
            await wish(world, redis_url, one, two, three, times=3)
        for owner in (one, two, three):
            await until(lambda owner=owner: done(owner))  # type: ignore[misc]  # mypy cannot infer a default's type
        assert [await process.stop() for process in processes] == [0, 0]
    for owner in (one, two, three):
        owner.assert_mirrored()
        assert owner.community.writes["market.add"] == 12
        times = await run_times(world, owner.user)
        assert all(ended <= begun for (_, ended), (begun, _) in pairwise(times))
    # Two rates would be thirty. How late this process counts, being the receiver too, is left to it; the pacer's own
    # tests are the exact ones.
    lag.cancel()
    assert max(world.sandbox.ledger.most_in_window(5).values()) <= 3 * (5 + await lag) + 2


async def test_a_hundred_nudges_at_once_are_three_runs_at_most(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(10)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url, **CALM)
    hold = world.sandbox.fault("hold", "market.add", when="after")
    async with workers(tmp_path / "service", environ, 1):
        await wish(world, redis_url, owner)
        await world.met(hold)
        await wish(world, redis_url, owner, times=99)
        hold.release()
        await until(lambda: done(owner))
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == 10
    assert len(await run_times(world, owner.user)) <= 3


async def test_a_killed_worker_is_replaced_by_another_within_thirty_seconds(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = mariadb_world
    owner = await world.owner(10)
    environ = environment(world, tmp_path / "service", database=mariadb_url, redis=redis_url, VK_TIMEOUT_SECONDS="60")
    del environ["LEASE_SECONDS"]  # as it comes
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=3)
    async with workers(tmp_path / "one", environ, 1) as (first,):
        await wish(world, redis_url, owner)
        await world.met(hold)
        async with workers(tmp_path / "two", environ, 1):
            await until(_just_after_a_tick)  # the next one that can find him comes the sooner after his lease has ended
            await first.kill()
            died = world.clock()
            assert (await sees(owner)).title == "Updating the shop"
            hold.release()
            await until(lambda: done(owner), seconds=DEAD_WORKER_SECONDS + 30)
    owner.assert_mirrored()
    begun = (await run_times(world, owner.user))[1][0]
    assert begun - died.timestamp() <= DEAD_WORKER_SECONDS


async def test_a_worker_told_to_stop_finishes_what_it_has_in_hand_and_goes_on_after_the_restart(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(260)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
    async with workers(tmp_path / "service", environ, 1) as (worker,):
        await wish(world, redis_url, owner)
        await world.met(hold)
        worker.ask_to_stop()
        await until(lambda: _said(worker, "stopping"))
        hold.release()
        assert await worker.ended() == 0
    assert (await owner.runs())[-1][1] == "cut"
    made = len(owner.items)
    assert 13 <= made < 260
    assert len([link for link in (await owner.links()).values() if link.item is not None]) == made, "all is recorded"
    async with workers(tmp_path / "service", environ, 1):
        await until(lambda: done(owner))
    owner.assert_mirrored()
    assert world.sandbox.ledger.calls["market.add"] == 260


async def _just_after_a_tick() -> bool:
    return time.time() % 10 < 2


async def _said(process: Process, word: str) -> bool:
    return word in process.said


@pytest.mark.parametrize("how", ["emptied", "restarted"])
async def test_redis_that_forgets_or_falls_in_the_middle_of_a_run_costs_no_item_and_at_most_the_sign_ins(
    sqlite_world: World, sqlite_url: str, private_redis: RedisServer, tmp_path: Path, how: str
) -> None:
    world = sqlite_world
    owner = await world.owner(40)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=private_redis.url, LOG_FORMAT="json")
    async with signed_in(tmp_path / "service", environ, owner) as reader:
        hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
        await wish(world, private_redis.url, owner)
        await world.met(hold)
        if how == "emptied":
            private_redis.empty()
        else:
            await asyncio.to_thread(private_redis.server.kill)
            assert (await reader.get("/profile"))[0] == 503
            await asyncio.to_thread(private_redis.server.start)
        assert (await reader.get("/profile"))[0] == (303 if how == "emptied" else 200)
        assert (await sees(owner)).title == "Updating the shop"
        hold.release()
        await until(lambda: done(owner), seconds=90)
        await reader.sign_in(owner)
        assert (await reader.get("/profile"))[0] == 200
    assert (await sees(owner)).title == "In step with the till"
    owner.assert_mirrored()
    assert world.sandbox.ledger.calls["market.add"] == 40


async def test_a_redis_that_forgot_whose_turn_it_is_lets_no_second_worker_begin_beside_a_living_run(
    mariadb_world: World, mariadb_url: str, private_redis: RedisServer, tmp_path: Path
) -> None:
    world = mariadb_world
    owner = await world.owner(60)
    environ = environment(world, tmp_path / "service", database=mariadb_url, redis=private_redis.url)
    # Its call is held, and its heart stands still once it finds its lease gone: until then, on a busy machine too, the
    # other has come.
    environ |= {"LEASE_SECONDS": "25", "VK_TIMEOUT_SECONDS": "60"}
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
    async with mirror_run(tmp_path / "service", environ, owner.user) as living:  # which takes no nudge from the other
        await world.met(hold)
        async with workers(tmp_path / "service", environ, 1) as (other,):
            await address_of(other)
            private_redis.empty()
            await wish(world, private_redis.url, owner)
            await until(lambda: _said(other, "another run of the user is alive"))
            assert [outcome for _, outcome, _ in (await owner.runs())[1:]] == [None], "after the look at his stores"
            hold.release()
            assert await living.ended() == 0
            await until(lambda: done(owner), seconds=90)
    owner.assert_mirrored()
    assert world.sandbox.ledger.calls["market.add"] == 60


async def test_a_database_that_falls_in_the_middle_of_a_run_costs_no_item(
    falling_world: World, private_mariadb: MariaDB, private_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = falling_world
    owner = await world.owner(40)
    environ = environment(world, tmp_path / "service", database=private_url, redis=redis_url, LOG_FORMAT="json")
    async with signed_in(tmp_path / "service", environ, owner) as reader:
        hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
        await wish(world, redis_url, owner)
        await world.met(hold)
        assert (await reader.get("/profile"))[0] == 200
        assert private_mariadb.server is not None
        await asyncio.to_thread(private_mariadb.server.kill)
        hold.release()
        assert (await reader.get("/profile"))[0] == 503
        await asyncio.to_thread(private_mariadb.server.start)
        await until(lambda: _shows(reader, "/profile"))
        assert (await sees(owner)).whose_move == "we"
        await until(lambda: _done_again(owner), seconds=90)
    assert (await sees(owner)).title == "In step with the till"
    owner.assert_mirrored()


@asynccontextmanager
async def signed_in(folder: Path, environ: dict[str, str], owner: Owner) -> AsyncIterator[Visitor]:
    """The owner before his pages, which the whole service shows him."""
    await give_password(owner)
    async with command(folder, environ, "serve", "--port", "0") as service, visitor() as reader:
        reader.address = await address_of(service)
        await reader.sign_in(owner)
        yield reader


async def _shows(reader: Visitor, path: str) -> bool:
    return (await reader.get(path))[0] == 200


async def _done_again(owner: Owner) -> bool:
    try:
        return await done(owner)
    except Exception:  # noqa: BLE001 - the server has only just come back
        return False


async def test_a_nudge_that_redis_lost_costs_one_tick(
    sqlite_world: World, sqlite_url: str, private_redis: RedisServer, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(5)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=private_redis.url)
    await wish(world, private_redis.url, owner)
    redis = Redis.from_url(private_redis.url)
    await redis.flushall()
    await redis.aclose()
    async with workers(tmp_path / "service", environ, 1):
        await until(lambda: done(owner))  # nothing but a tick finds him
    owner.assert_mirrored()
