"""Both pacers, seen from the receiver: short spans, real clocks."""

import asyncio
import itertools
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterable

import pytest
from redis.asyncio import Redis

from evosync.domain.errors import Unavailable
from evosync.vk.pacer import MemoryPacer, Pacer, RedisPacer
from tests.services import RedisServer

PER_SECOND = 20


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    await client.flushdb()
    yield client
    await client.aclose()


@pytest.fixture(params=["memory", "redis"])
def pacer(request: pytest.FixtureRequest) -> Pacer:
    if request.param == "memory":
        return MemoryPacer(PER_SECOND)
    return RedisPacer(request.getfixturevalue("redis"), PER_SECOND)


def most_in(seconds: float, instants: Iterable[float]) -> int:
    ordered = sorted(instants)
    return max(sum(1 for other in ordered if at <= other < at + seconds) for at in ordered)


async def depart(pacer: Pacer, times: int, fingerprint: str = "a") -> list[float]:
    left = []
    for _ in range(times):
        await pacer.slot(fingerprint)
        left.append(time.monotonic())
    return left


async def test_no_second_holds_more_than_the_rate_whoever_asks(pacer: Pacer) -> None:
    await pacer.slot("a")  # an emptied Redis keeps everybody quiet for a moment first
    parts = await asyncio.gather(*(depart(pacer, 10) for _ in range(3)))
    left = [at for part in parts for at in part]
    assert most_in(1.0, left) <= PER_SECOND
    assert max(left) - min(left) < 2 * 29 / PER_SECOND, "and nobody waits for nothing"


async def test_tokens_do_not_wait_for_one_another(pacer: Pacer) -> None:
    await pacer.slot("a")
    started = time.monotonic()
    await asyncio.gather(*(pacer.slot(f"token {number}") for number in range(100)))
    assert time.monotonic() - started < 100 / PER_SECOND


async def test_too_fast_holds_the_next_departure_back_for_about_a_second(pacer: Pacer) -> None:
    await depart(pacer, 2)
    started = time.monotonic()
    await pacer.too_fast("a")
    await pacer.slot("a")
    assert 0.99 <= time.monotonic() - started < 4


async def test_a_request_that_left_late_moves_the_next_one(pacer: Pacer) -> None:
    await depart(pacer, 2)
    started = time.monotonic()
    await pacer.late("a", 0.3)
    await pacer.slot("a")
    assert time.monotonic() - started >= 0.29


async def test_a_loop_that_was_busy_does_not_make_departures_bunch_up(pacer: Pacer) -> None:
    await pacer.slot("a")
    waiting = asyncio.ensure_future(depart(pacer, 4))
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - the busy loop is the point
    left = await waiting
    assert min(later - earlier for earlier, later in itertools.pairwise(left)) > 0.03


PROCESS = """
import asyncio, sys, time
from redis.asyncio import Redis
from evosync.vk.pacer import RedisPacer

async def main():
    redis = Redis.from_url(sys.argv[1])
    pacer = RedisPacer(redis, 20)
    for _ in range(15):
        await pacer.slot("a")
        print(time.monotonic())
    await redis.aclose()

asyncio.run(main())
"""


async def test_all_processes_together_keep_to_one_rate(redis: Redis, redis_url: str) -> None:
    await RedisPacer(redis, PER_SECOND).slot("a")
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROCESS,
            redis_url,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        for _ in range(2)
    ]
    outputs = [(await process.communicate())[0] for process in processes]
    left = [float(line) for output in outputs for line in output.split()]
    assert len(left) == 30
    # How late a process of its own hears of its turn is late in its figures: two rates would be twice as many.
    assert most_in(1.0, left) <= PER_SECOND + 2
    assert len({int(at * 1000) // 20 for at in left}) > 20, "they took turns rather than bunched up"


async def test_an_emptied_redis_promises_nothing_until_old_promises_are_over(redis: Redis) -> None:
    pacer = RedisPacer(redis, PER_SECOND)
    await pacer.slot("a")
    await redis.flushdb()
    started = time.monotonic()
    await pacer.slot("a")
    assert time.monotonic() - started > 1.6


async def test_a_clock_that_was_set_back_keeps_nobody_waiting_until_it_has_come_again(redis: Redis) -> None:
    pacer = RedisPacer(redis, PER_SECOND)
    await pacer.slot("a")
    seconds, micro = await redis.time()
    await redis.hset("pace:server", "born", str((seconds + 3 * 3600) * 1_000_000 + micro))  # type: ignore[misc]  # typed as both kinds of client
    async with asyncio.timeout(20):
        await pacer.slot("a")
        await pacer.slot("b")


async def test_who_was_told_to_wait_long_asks_again_before(redis: Redis) -> None:
    pacer = RedisPacer(redis, PER_SECOND)
    await pacer.slot("a")
    seconds, micro = await redis.time()
    await redis.hset("pace:a", "free", str((seconds + 50) * 1_000_000 + micro))  # type: ignore[misc]  # as above
    waiting = asyncio.ensure_future(pacer.slot("a"))
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done
    await redis.hset("pace:a", "free", "0")  # type: ignore[misc]  # as above
    await asyncio.wait_for(waiting, 20)


async def test_callers_wait_while_redis_is_down_and_go_on_when_it_is_back(private_redis: RedisServer) -> None:
    redis: Redis = Redis.from_url(private_redis.url)
    pacer = RedisPacer(redis, PER_SECOND)
    await pacer.slot("a")
    private_redis.server.kill()
    waiting = asyncio.ensure_future(pacer.slot("a"))
    done, _ = await asyncio.wait({waiting}, timeout=0.5)
    assert not done
    private_redis.server.start()
    await asyncio.wait_for(waiting, 10)
    await redis.aclose()


@pytest.mark.parametrize("how", ["kill", "freeze"])
async def test_redis_that_stays_away_or_silent_is_named_in_the_end(private_redis: RedisServer, how: str) -> None:
    redis: Redis = Redis.from_url(private_redis.url)
    pacer = RedisPacer(redis, PER_SECOND, patience=1)
    await pacer.slot("a")
    getattr(private_redis.server, how)()
    with pytest.raises(Unavailable, match="Redis"):
        await pacer.slot("a")
    await pacer.too_fast("a")
    await redis.aclose()


async def test_a_far_wait_reserves_nothing(redis: Redis) -> None:
    """So that a caller who gives up leaves no gap behind."""
    pacer = RedisPacer(redis, 1)
    await pacer.slot("a")
    tasks = [asyncio.ensure_future(RedisPacer(redis, 1).slot("a")) for _ in range(4)]
    await asyncio.wait(tasks, timeout=0.2)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    started = time.monotonic()
    await pacer.slot("a")
    assert time.monotonic() - started < 3.2
