"""A worker whose jobs stand still, or come to thousands that nobody wants any more: it goes on by itself."""

import time
from pathlib import Path

import pytest
from arq.constants import default_queue_name
from redis.asyncio import Redis

from evosync import health
from evosync.domain.mirror import Scope
from tests.journeys.impatient import impatient_worker
from tests.journeys.line import line_to
from tests.journeys.process import Process, environment
from tests.journeys.workers import done, until, wish, workers
from tests.sync.world import World

STALE = 4_000


ANEW = "jobs stand still, begun anew"


async def test_a_worker_whose_line_to_redis_has_gone_deaf_begins_its_jobs_anew_and_mirrors(
    sqlite_world: World, sqlite_url: str, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    before, after = await world.owner(3), await world.owner(3)
    await health.Pulse(redis).beat(world.clock())  # or the worker might be impatient before its first tick
    async with line_to(redis_url) as (line, road):
        environ = environment(world, tmp_path / "service", database=sqlite_url, redis=road)
        with impatient_worker(tmp_path / "service", environ) as worker:
            await wish(world, redis_url, before)
            await until(lambda: done(before))
            line.go_deaf()
            said = worker.said.count(ANEW)
            await wish(world, redis_url, after)
            await until(lambda: _more_often(worker, ANEW, said))
            await until(lambda: done(after))
            assert await worker.stop() == 0
    before.assert_mirrored()
    after.assert_mirrored()


async def _more_often(process: Process, words: str, before: int) -> bool:
    return process.said.count(words) > before


@pytest.mark.soak
async def test_thousands_of_jobs_that_nobody_wants_any_more_go_by_themselves_and_the_owners_are_mirrored(
    sqlite_world: World, sqlite_url: str, redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owners = [await world.owner(3) for _ in range(3)]
    long_ago = time.time() * 1000 - 3_600_000
    # As nobody took them for a minute, their contents are forgotten.
    await redis.zadd(default_queue_name, {f"nudge:{number}": long_ago + number for number in range(STALE)})
    for owner in owners:
        await world.ledger.want(owner.user, scope=Scope.FULL, reason="button", at=world.clock())
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    async with workers(tmp_path / "service", environ, 1) as (worker,):
        for owner in owners:
            await until(lambda owner=owner: done(owner))  # type: ignore[misc]  # bound at once
        await until(lambda: _is_empty(redis))
        assert await worker.stop() == 0
    for owner in owners:
        owner.assert_mirrored()


async def _is_empty(redis: Redis) -> bool:
    return not await redis.zcount(default_queue_name, "-inf", time.time() * 1000 - 60_000)
