import asyncio
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from arq.connections import ArqRedis
from arq.worker import Worker, func

from evosync.domain.ids import UserId
from evosync.queue import DELIVER, DELIVER_ALL, HEALTH_KEY, Queue, close_redis, open_redis, serialize
from tests import services

ANNA, BORIS, VERA = UserId(1), UserId(2), UserId(3)


def now(*users: UserId) -> list[tuple[UserId, timedelta]]:
    return [(user, timedelta()) for user in users]


@pytest.fixture
def queue(redis: ArqRedis) -> Queue:
    return Queue(redis)


async def test_the_same_nudge_twice_waits_once(queue: Queue) -> None:
    assert await queue.nudge(ANNA)
    assert not await queue.nudge(ANNA)
    assert await queue.nudge(BORIS)
    assert await queue.depth() == 2


async def test_many_nudges_at_once_leave_out_those_on_their_way(queue: Queue) -> None:
    assert await queue.nudge(ANNA)
    assert await queue.nudge_all(now(ANNA, BORIS, VERA), jobs=9) == 2
    assert await queue.nudge_all(now(ANNA, BORIS, VERA), jobs=9) == 0
    assert await queue.nudge_all([], jobs=9) == 0
    assert await queue.depth() == 3


async def test_many_nudges_are_the_same_jobs_as_single_ones(queue: Queue, redis: ArqRedis) -> None:
    await queue.nudge(ANNA)
    await queue.nudge_all(now(BORIS), jobs=9)
    one, other = [orjson.loads(await redis.get(f"arq:job:nudge:{user}")) for user in (ANNA, BORIS)]
    assert other | {"et": one["et"], "a": [ANNA]} == one
    assert 0 < await redis.pttl(f"arq:job:nudge:{BORIS}") <= 60_000


async def test_more_users_than_jobs_share_them(queue: Queue, redis: ArqRedis) -> None:
    users = [UserId(number) for number in range(1, 8)]
    assert await queue.nudge_all(now(*users), jobs=3) == 3
    assert await queue.nudge_all(now(*users), jobs=3) == 0
    jobs = [orjson.loads(await redis.get(key)) for key in await redis.keys("arq:job:*")]
    assert sorted(job["a"][0] for job in jobs if job["f"] == DELIVER_ALL) == [[1, 2, 3], [4, 5, 6]]
    assert [job["a"] for job in jobs if job["f"] == DELIVER] == [[7]]


async def test_a_nudge_for_later_waits_for_its_time_and_is_not_overdue(queue: Queue) -> None:
    await queue.nudge_all([(ANNA, timedelta(seconds=8))], jobs=9)
    assert await queue.depth() == 1
    assert await queue.oldest() is None
    await queue.nudge(BORIS)
    oldest = await queue.oldest()
    assert oldest is not None
    assert oldest <= datetime.now(UTC)


async def test_a_nudge_for_now_does_not_wait_for_one_that_was_made_for_later(queue: Queue, redis: ArqRedis) -> None:
    await queue.nudge_all([(ANNA, timedelta(seconds=8)), (BORIS, timedelta(seconds=9))], jobs=9)
    assert not await queue.nudge(ANNA)
    assert await queue.nudge_all(now(BORIS), jobs=9) == 0
    await queue.nudge_all([(ANNA, timedelta(seconds=8))], jobs=9)
    assert await queue.depth() == 2
    assert await redis.zcount("arq:queue", "-inf", datetime.now(UTC).timestamp() * 1000) == 2


async def test_whose_turn_it_is_shares_no_job_with_one_whose_turn_comes(queue: Queue, redis: ArqRedis) -> None:
    later = [(UserId(number), timedelta(seconds=9)) for number in range(10, 17)]
    assert await queue.nudge_all([*now(ANNA), *later], jobs=4) == 5
    jobs = [orjson.loads(await redis.get(key)) for key in await redis.keys("arq:job:*")]
    assert [ANNA] in [job["a"] for job in jobs if job["f"] == DELIVER]
    assert await queue.oldest() is not None


async def test_many_nudges_without_redis_are_lost_without_harm(private_redis: services.RedisServer) -> None:
    private_redis.server.kill()
    redis = open_redis(private_redis.url)
    assert await Queue(redis).nudge_all(now(ANNA, BORIS), jobs=9) == 0
    await close_redis(redis)


async def test_a_nudge_carries_an_id_and_nothing_else_as_json(queue: Queue, redis: ArqRedis) -> None:
    await queue.nudge(ANNA)
    raw = await redis.get(f"arq:job:nudge:{ANNA}")
    job = orjson.loads(raw)
    assert (job["f"], job["a"], job["k"]) == (DELIVER, [ANNA], {})


async def test_a_delivered_nudge_can_be_sent_again_at_once(queue: Queue, redis_url: str) -> None:
    delivered: list[int] = []

    async def deliver(ctx: dict[Any, Any], *users: Any, **_: Any) -> None:
        delivered.extend(users)

    for _ in range(2):
        assert await queue.nudge(ANNA)
        pool = open_redis(redis_url)
        worker = Worker(
            [func(deliver, name=DELIVER, keep_result=0)],
            redis_pool=pool,
            burst=True,
            handle_signals=False,
            poll_delay=0.01,
            job_serializer=serialize,
            job_deserializer=orjson.loads,
        )
        await worker.async_run()
        await close_redis(pool)
    assert delivered == [ANNA, ANNA]


async def test_a_nudge_without_redis_is_lost_without_harm(private_redis: services.RedisServer) -> None:
    private_redis.server.kill()
    redis = open_redis(private_redis.url)
    assert not await Queue(redis).nudge(ANNA)
    await close_redis(redis)


async def test_a_connection_gone_stale_is_replaced_unseen(private_redis: services.RedisServer) -> None:
    redis = open_redis(private_redis.url)
    queue = Queue(redis)
    assert await queue.nudge(ANNA)
    private_redis.server.stop()
    private_redis.server.start()
    assert await queue.nudge(BORIS)
    await close_redis(redis)


async def test_a_cancellation_is_never_lost_in_a_command(redis: ArqRedis) -> None:
    """It was, where the pool had a time-out for answers."""
    for steps in range(20):
        await redis.ping()
        task = asyncio.ensure_future(redis.get("key"))
        for _ in range(steps):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_a_line_that_went_silent_is_noticed_in_half_a_minute(redis: ArqRedis) -> None:
    connection = await redis.connection_pool.get_connection()
    try:
        line = connection._writer.get_extra_info("socket")
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        asked = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        assert [line.getsockopt(socket.IPPROTO_TCP, option) for option in asked] == [10, 5, 3, 30_000]
    finally:
        await redis.connection_pool.release(connection)


async def test_neither_a_nudge_nor_a_letter_waits_for_a_frozen_redis(
    private_redis: services.RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evosync.queue.PATIENCE", 0.2)
    redis = open_redis(private_redis.url)
    await redis.ping()
    private_redis.server.freeze()
    assert not await Queue(redis).nudge(ANNA)
    assert not await Queue(redis).send_letters()
    private_redis.server.thaw()
    await close_redis(redis)


async def test_jobs_of_a_killed_worker_are_freed(queue: Queue, redis: ArqRedis) -> None:
    await redis.set("arq:in-progress:nudge:1", b"1")
    await redis.set("arq:in-progress:nudge:2", b"1")
    await redis.set("lease:1", b"x")
    await queue.forget_in_progress()
    assert await redis.keys("*") == [b"lease:1"]


async def test_health_is_what_a_worker_last_said(queue: Queue, redis: ArqRedis) -> None:
    assert await queue.health() is None
    await redis.set(HEALTH_KEY, b"Nov-22 j_complete=1")
    assert await queue.health() == "Nov-22 j_complete=1"
