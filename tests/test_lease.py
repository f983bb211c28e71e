import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from arq.connections import ArqRedis

from evosync.domain.ids import UserId
from evosync.lease import MemoryLease, RedisHeld, RedisLease
from evosync.queue import close_redis, open_redis
from evosync.sync.ports import Lease
from tests import services

ANNA, BORIS = UserId(1), UserId(2)
SHORT = timedelta(seconds=3)


async def eventually(so: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not so():
            await asyncio.sleep(0.01)


@pytest.fixture
async def other_redis(redis_url: str) -> AsyncIterator[ArqRedis]:
    """As another process has it."""
    client = open_redis(redis_url)
    yield client
    await close_redis(client)


@pytest.fixture(params=["memory", "redis"])
def lease(request: pytest.FixtureRequest) -> Lease:
    return MemoryLease() if request.param == "memory" else RedisLease(request.getfixturevalue("redis"))


async def test_a_user_is_held_by_one_at_a_time(lease: Lease) -> None:
    async with lease.hold(ANNA) as held:
        assert held is not None
        assert not held.lost
        async with lease.hold(ANNA) as second:
            assert second is None
        async with lease.hold(ANNA) as third:
            assert third is None


async def test_users_do_not_wait_for_one_another(lease: Lease) -> None:
    async with lease.hold(ANNA) as anna, lease.hold(BORIS) as boris:
        assert anna is not None
        assert boris is not None


async def test_a_lease_is_given_back_at_the_end_also_after_an_error(lease: Lease) -> None:
    with pytest.raises(LookupError):
        async with lease.hold(ANNA):
            raise LookupError
    async with lease.hold(ANNA) as held:
        assert held is not None


async def test_another_process_is_turned_away(redis: ArqRedis, other_redis: ArqRedis) -> None:
    async with RedisLease(redis).hold(ANNA), RedisLease(other_redis).hold(ANNA) as second:
        assert second is None
    async with RedisLease(other_redis).hold(ANNA) as after:
        assert after is not None


async def test_a_lease_is_renewed_for_as_long_as_the_run_goes_on(redis: ArqRedis, other_redis: ArqRedis) -> None:
    async with RedisLease(redis, ttl=SHORT).hold(ANNA) as held:
        assert held is not None
        until = asyncio.get_running_loop().time() + 1.2 * SHORT.total_seconds()
        await eventually(lambda: asyncio.get_running_loop().time() > until)
        assert not held.lost
        async with RedisLease(other_redis, ttl=SHORT).hold(ANNA) as second:
            assert second is None


async def test_the_lease_of_a_process_that_died_ends_by_itself(redis: ArqRedis, other_redis: ArqRedis) -> None:
    dead = RedisHeld(redis, f"lease:{ANNA}", SHORT.total_seconds())
    assert await dead.acquire()
    successor = RedisHeld(other_redis, f"lease:{ANNA}", SHORT.total_seconds())
    assert not await successor.acquire()
    await eventually(lambda: dead.lost)
    async with asyncio.timeout(30):
        while not await successor.acquire():
            await asyncio.sleep(0.01)


async def test_the_default_lease_lets_a_dead_worker_be_replaced_within_half_a_minute(redis: ArqRedis) -> None:
    tick = 10_000
    async with RedisLease(redis).hold(ANNA):
        assert 0 < await redis.pttl(f"lease:{ANNA}") < 30_000 - tick


async def test_a_lease_that_somebody_else_took_is_lost_and_stays_his(redis: ArqRedis) -> None:
    async with RedisLease(redis, ttl=SHORT).hold(ANNA) as held:
        assert held is not None
        await redis.set(f"lease:{ANNA}", "somebody")
        await eventually(lambda: held.lost)
    assert await redis.get(f"lease:{ANNA}") == b"somebody"


async def test_a_redis_that_was_emptied_takes_the_lease_away(redis: ArqRedis) -> None:
    async with RedisLease(redis, ttl=SHORT).hold(ANNA) as held:
        assert held is not None
        await redis.flushdb()
        await eventually(lambda: held.lost)


async def test_a_redis_that_is_silent_takes_the_lease_away_in_time(private_redis: services.RedisServer) -> None:
    redis = open_redis(private_redis.url)
    loop = asyncio.get_running_loop()
    async with RedisLease(redis, ttl=SHORT).hold(ANNA) as held:
        assert held is not None
        private_redis.server.freeze()
        over = loop.time() + SHORT.total_seconds()
        await eventually(lambda: loop.time() >= over)
        assert held.lost
    private_redis.server.thaw()
    await close_redis(redis)


async def test_a_redis_that_comes_back_in_time_leaves_the_lease(private_redis: services.RedisServer) -> None:
    redis = open_redis(private_redis.url)
    ttl = SHORT.total_seconds()
    async with RedisLease(redis, ttl=SHORT).hold(ANNA) as held:
        assert isinstance(held, RedisHeld)
        private_redis.server.freeze()
        blocked_at = held._valid_until - ttl + ttl / 3 + 0.1  # its first renewal is on its way
        await eventually(lambda: asyncio.get_running_loop().time() > blocked_at)
        private_redis.server.thaw()
        before = held._valid_until
        await eventually(lambda: held._valid_until > before)
        assert not held.lost
    await close_redis(redis)


async def test_without_redis_there_is_no_lease(private_redis: services.RedisServer) -> None:
    private_redis.server.kill()
    redis = open_redis(private_redis.url)
    async with RedisLease(redis).hold(ANNA) as held:
        assert held is None
    await close_redis(redis)
