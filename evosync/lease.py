"""One run per user over all processes: a lease in Redis, or none needed where there is one process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, cast
from uuid import uuid4

from redis.asyncio import Redis
from redis.exceptions import RedisError

from evosync.domain.ids import UserId

log = logging.getLogger(__name__)

_EXTEND = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""

_DROP = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class MemoryHeld:
    """A lease that nobody can take away."""

    lost = False


class MemoryLease:
    """For one process alone."""

    def __init__(self) -> None:
        self._taken: set[UserId] = set()

    @asynccontextmanager
    async def hold(self, user: UserId) -> AsyncIterator[MemoryHeld | None]:
        if user in self._taken:
            yield None
            return
        self._taken.add(user)
        try:
            yield MemoryHeld()
        finally:
            self._taken.discard(user)


class RedisHeld:
    """A lease in Redis. Counts as lost once its time is up by our own clock, whatever keeps it from being renewed."""

    def __init__(self, redis: Redis, key: str, ttl: float) -> None:
        self._redis = redis
        self._key = key
        self._ttl = ttl
        self._owner = uuid4().hex
        self._loop = asyncio.get_running_loop()
        self._valid_until = 0.0
        self._gone = False

    @property
    def lost(self) -> bool:
        return self._gone or self._loop.time() >= self._valid_until

    async def acquire(self) -> bool:
        """Whether it was free. Raises `RedisError` or `OSError`."""
        asked = self._loop.time()
        async with asyncio.timeout(self._ttl / 3):
            taken = await self._redis.set(self._key, self._owner, nx=True, px=self._milliseconds)
        self._valid_until = asked + self._ttl
        return bool(taken)

    async def keep(self) -> None:
        """Renew every third of the time; sooner again after a failure. Ends when somebody else has it."""
        pause = self._ttl / 3
        while not self._gone:
            await asyncio.sleep(pause)
            asked = self._loop.time()
            try:
                async with asyncio.timeout(self._ttl / 3):
                    self._gone = not await self._script(_EXTEND, self._owner, str(self._milliseconds))
            except (RedisError, OSError) as error:
                log.warning("lease not renewed", extra={"key": self._key, "error": type(error).__name__})
                pause = self._ttl / 20
            else:
                # Counted from before the call: Redis cannot have dropped it earlier than this.
                self._valid_until = asked + self._ttl
                pause = self._ttl / 3

    async def drop(self) -> None:
        """Give it back, unless somebody else has it by now."""
        with suppress(RedisError, OSError):  # it ends by itself
            async with asyncio.timeout(self._ttl / 3):
                await self._script(_DROP, self._owner)

    @property
    def _milliseconds(self) -> int:
        return round(self._ttl * 1000)

    async def _script(self, script: str, *arguments: str) -> Any:
        # redis-py types its commands for both its clients at once
        return await cast("Awaitable[Any]", self._redis.eval(script, 1, self._key, *arguments))


class RedisLease:
    """For any number of processes with one Redis.

    `ttl`: a process that died is replaced once it has passed and the next tick (every ten seconds)
    has come: within 30 s. A Redis that does not answer gives no lease, and the run waits for its next turn.
    """

    def __init__(self, redis: Redis, *, ttl: timedelta = timedelta(seconds=18), prefix: str = "lease:") -> None:
        self._redis = redis
        self._ttl = ttl.total_seconds()
        self._prefix = prefix

    @asynccontextmanager
    async def hold(self, user: UserId) -> AsyncIterator[RedisHeld | None]:
        held = RedisHeld(self._redis, f"{self._prefix}{user}", self._ttl)
        try:
            free = await held.acquire()
        except (RedisError, OSError) as error:
            log.warning("no lease without redis", extra={"user": user, "error": type(error).__name__})
            free = False
            await held.drop()  # it may have been taken all the same
        if not free:
            yield None
            return
        keeper = asyncio.create_task(held.keep(), name=f"lease-{user}")
        try:
            yield held
        finally:
            keeper.cancel()
            await asyncio.wait([keeper])
            await held.drop()
