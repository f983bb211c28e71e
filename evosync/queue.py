"""The one road to the queue: `nudge`, and the pools that both of its ends use."""  # noqa: A005 - imported whole, never by bare name

import asyncio
import logging
import math
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain
from typing import Any, cast

import orjson
from arq.connections import ArqRedis
from arq.constants import (
    default_queue_name,
    health_check_key_suffix,
    in_progress_key_prefix,
    job_key_prefix,
    result_key_prefix,
)
from arq.jobs import serialize_job
from redis.asyncio import BlockingConnectionPool
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as BrokenConnection
from redis.exceptions import RedisError

from evosync.domain.ids import UserId
from evosync.logs import bound_now

log = logging.getLogger(__name__)

DELIVER = "deliver"
"""The job that hands a nudge to the user's actor."""

DELIVER_ALL = "deliver_all"
"""The same for several users."""

LETTERS = "letters"
"""The job that sends what waits in the outbox."""

PATIENCE = 5.0
"""Seconds that a nudge may take; whoever sends it has a person waiting."""

ALIVE = {socket.TCP_KEEPIDLE: 10, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""After how many silent seconds the other machine is asked whether it is there, how often, and how many times."""
if hasattr(socket, "TCP_USER_TIMEOUT"):
    # Milliseconds. Nobody is asked while something sent is unacknowledged: it is sent again for a quarter of an hour.
    ALIVE[socket.TCP_USER_TIMEOUT] = 30_000

_KEPT_SECONDS = 60
"""A nudge that nobody took up by then is forgotten; the database still knows."""

_ENQUEUE = """
local kept, jobs, results = ARGV[1], ARGV[2], ARGV[3]
local queued = 0
for n = 4, #ARGV, 3 do
    local id = ARGV[n]
    if redis.call('EXISTS', jobs .. id, results .. id) == 0 then
        redis.call('PSETEX', jobs .. id, kept, ARGV[n + 2])
        redis.call('ZADD', KEYS[1], ARGV[n + 1], id)
        queued = queued + 1
    else
        redis.call('ZADD', KEYS[1], 'XX', 'LT', ARGV[n + 1], id)
    end
end
return queued
"""

HEALTH_KEY = default_queue_name + health_check_key_suffix


def open_redis(url: str, *, connections: int = 20) -> ArqRedis:
    """A pool for the queue, leases, paces and sessions. Connects when first used.

    Jobs travel as JSON (arq would pickle them). Callers wait for a free connection. It has no time-out
    for answers: with one, redis-py sends through `asyncio.wait_for`, which before Python 3.12 loses a
    cancellation that comes at that moment, so that tasks could not be stopped. Who cannot wait for a
    Redis that is frozen uses `asyncio.timeout`; one whose machine is gone, or the way to it, shows in about half a
    minute, by keep-alive or by what it does not acknowledge (the latter on Linux alone).
    """
    alive: dict[str, Any] = (
        {} if url.startswith("unix:") else {"socket_keepalive": True, "socket_keepalive_options": ALIVE}
    )
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=10,
        socket_connect_timeout=5,
        health_check_interval=30,
        # a connection that went stale while it was idle is replaced once, unseen
        retry=Retry(NoBackoff(), 1, supported_errors=(BrokenConnection,)),
        retry_on_error=[BrokenConnection],
        **alive,
    )
    return ArqRedis(pool, job_serializer=serialize, job_deserializer=orjson.loads)


def serialize(job: dict[str, Any]) -> bytes:
    """For both ends of the queue; exceptions and the like become their text."""
    return orjson.dumps(job, default=repr)


async def close_redis(redis: ArqRedis) -> None:
    """Close the pool too: one that was handed in is not closed with its client."""
    await redis.aclose(close_connection_pool=True)


def _nudge(user: UserId) -> str:
    return f"nudge:{user}"


def _parcel(turns: Sequence[tuple[UserId, timedelta]], now: datetime) -> tuple[str, str, str]:
    """The id, the time and the content of the job that nudges these; for one, as if he were nudged alone."""
    users = [user for user, _ in turns]
    at = round((now + turns[-1][1]).timestamp() * 1000)
    alone = len(users) == 1
    name, arguments = (DELIVER, (users[0],)) if alone else (DELIVER_ALL, (users,))
    ident = _nudge(users[0]) if alone else f"nudge:{users[0]}-{blake2b(str(users).encode(), digest_size=8).hexdigest()}"
    return ident, str(at), serialize_job(name, arguments, {}, None, at, serializer=serialize).decode()


class Queue:
    """What everybody else sees of arq."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis

    async def nudge(self, user: UserId) -> bool:
        """Look at this user again, soon. What is wanted of him stands in the database already (committed!).

        One that a tick made for later comes now instead. False if the same nudge is on its way, or the queue is out of
        reach: then the next tick finds him.
        """
        try:
            async with asyncio.timeout(PATIENCE):
                asked_by = [origin] if (origin := bound_now("request_id")) else []
                job = await self._redis.enqueue_job(
                    DELIVER, user, *asked_by, _job_id=_nudge(user), _expires=_KEPT_SECONDS
                )
                if job is None:
                    now = datetime.now(UTC).timestamp() * 1000
                    await self._redis.zadd(default_queue_name, {_nudge(user): round(now)}, xx=True, lt=True)
        except (RedisError, OSError) as error:
            log.warning("nudge lost", extra={"user": user, "error": type(error).__name__})
            return False
        return job is not None

    async def nudge_all(self, turns: Sequence[tuple[UserId, timedelta]], *, jobs: int) -> int:
        """As `nudge` does, each in so long, which must be in order; returns how many jobs were not on their way yet.

        In one round trip and hardly more than so many jobs: arq takes four for each, which on a busy machine takes
        longer for hundreds than a job may. Who shares a job waits for the last of it; whose turn it is already, for
        nobody.
        """
        kept = _KEPT_SECONDS * 1000
        size = math.ceil(len(turns) / jobs)
        now = datetime.now(UTC)
        parcels = [
            _parcel(together[start : start + size], now)
            for together in ([turn for turn in turns if not turn[1]], [turn for turn in turns if turn[1]])
            for start in range(0, len(together), size or 1)
        ]
        try:
            async with asyncio.timeout(PATIENCE):
                arguments = [str(kept), job_key_prefix, result_key_prefix, *chain.from_iterable(parcels)]
                queued = await cast("Any", self._redis.eval(_ENQUEUE, 1, default_queue_name, *arguments))
        except (RedisError, OSError) as error:
            log.warning("nudges lost", extra={"users": len(turns), "error": type(error).__name__})
            return 0
        return int(queued)

    async def send_letters(self) -> bool:
        """Look at the outbox, soon; as with a nudge, what waits stands in the database already."""
        try:
            async with asyncio.timeout(PATIENCE):
                job = await self._redis.enqueue_job(LETTERS, _job_id=LETTERS, _expires=60)
        except (RedisError, OSError) as error:
            log.warning("letters not announced", extra={"error": type(error).__name__})
            return False
        return job is not None

    async def depth(self) -> int:
        """How many jobs wait, for the metrics."""
        return int(await cast("Any", self._redis.zcard(default_queue_name)))

    async def oldest(self) -> datetime | None:
        """Since when the first of the jobs that wait is overdue; None if none is."""
        now = datetime.now(UTC)
        first = await self._redis.zrangebyscore(
            default_queue_name, "-inf", now.timestamp() * 1000, start=0, num=1, withscores=True
        )
        return datetime.fromtimestamp(first[0][1] / 1000, UTC) if first else None

    async def forget_in_progress(self) -> None:
        """Free jobs that a killed worker had in hand; only where no other worker can have any.

        Otherwise they come back by themselves once their time-out has passed.
        """
        async for key in self._redis.scan_iter(match=f"{in_progress_key_prefix}*", count=500):
            await self._redis.delete(key)

    async def health(self) -> str | None:
        """What a worker last said of itself, at most a quarter of a minute ago; None if none works."""
        async with asyncio.timeout(PATIENCE):
            said = await self._redis.get(HEALTH_KEY)
        return None if said is None else bytes(said).decode()
