"""One rate per token, within a process or over all of them."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable
from typing import Any, Protocol, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from evosync.domain import pace
from evosync.domain.errors import Side, Unavailable

log = logging.getLogger(__name__)

_CROWDED = 1_000
"""Lanes beyond which those of long idle tokens are forgotten."""
_IDLE = 600 * pace.SECOND


class Pacer(Protocol):
    """Hands out departures. `fingerprint` stands for the token that a request is sent with."""

    async def slot(self, fingerprint: str) -> None:
        """Return when the caller may send one request, and must send it at once or not at all.

        A process reserves one departure ahead at most, so that others have their turn in between.
        Raises `Unavailable` when the shared memory of the rate stays out of reach.
        """

    async def late(self, fingerprint: str, seconds: float) -> None:
        """The request left this much after its slot (a connection had to be opened first)."""

    async def too_fast(self, fingerprint: str) -> None:
        """VK answered "too many requests": hold all back for about a second, then go more slowly for a while."""


def _microseconds() -> int:
    return time.monotonic_ns() // 1_000


def _hold() -> int:
    """About a second, never less, so that waiting processes do not all come back together."""
    return int(pace.SECOND * random.uniform(1.0, 1.3))  # noqa: S311 - no secret


async def _sleep_until(instant: int) -> int:
    """Sleep to a monotonic instant, however long the loop was busy in between; return the instant of waking."""
    while (now := _microseconds()) < instant:  # noqa: ASYNC110 - waits for a time, not for an event
        await asyncio.sleep((instant - now) / pace.SECOND)
    return now


class _Lane:
    """A token's gait in this process; the lock lets one caller at a time reserve and wait."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.gait = pace.Gait()


class MemoryPacer:
    """For a single process."""

    def __init__(self, per_second: float) -> None:
        self._interval = pace.interval(per_second)
        self._lanes: dict[str, _Lane] = {}

    async def slot(self, fingerprint: str) -> None:
        lane = self._lane(fingerprint)
        async with lane.lock:
            while True:
                held = lane.gait.free_at
                await _sleep_until(held)
                if lane.gait.free_at == held:  # else: slowed meanwhile
                    break
            lane.gait, _ = pace.reserve(lane.gait, now=_microseconds() - pace.LATE, interval=self._interval)

    async def late(self, fingerprint: str, seconds: float) -> None:
        lane = self._lane(fingerprint)
        lane.gait = pace.departed(lane.gait, at=0, left=round(seconds * pace.SECOND))

    async def too_fast(self, fingerprint: str) -> None:
        lane = self._lane(fingerprint)
        lane.gait = pace.slowed(lane.gait, now=_microseconds(), hold=_hold())

    def _lane(self, fingerprint: str) -> _Lane:
        lane = self._lanes.get(fingerprint)
        if lane is None:
            if len(self._lanes) >= _CROWDED:
                self._forget_idle()
            lane = self._lanes[fingerprint] = _Lane()
        return lane

    def _forget_idle(self) -> None:
        before = _microseconds() - _IDLE
        idle = [key for key, lane in self._lanes.items() if lane.gait.free_at < before and not lane.lock.locked()]
        for key in idle:
            del self._lanes[key]


# The sums are those of `pace`. Two things are added. A Redis that was emptied or restarted has
# forgotten (some of) the departures that were promised: all tokens then keep quiet for as long as
# such a promise can reach. So they do where the clock was set back, by which it would still be born
# in the future, and all would wait until then. A caller that woke late says which slot it holds: if nobody reserved
# after it, the slot moves to now; if it is hardly late, it may go; else it queues again.
_RESERVE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, furthest, quiet = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local mine, hardly_late = tonumber(ARGV[4]), ARGV[5] == '1'
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
local server = redis.call('HMGET', KEYS[2], 'run', 'born')
local born = tonumber(server[2])
if not born or server[1] ~= run or born > now then
  born = now
  redis.call('HSET', KEYS[2], 'run', run, 'born', string.format('%.0f', born))
end
local kept = redis.call('HMGET', KEYS[1], 'free', 'stretch')
local free, stretch = tonumber(kept[1]) or 0, tonumber(kept[2]) or 1000
if free > now + 60000000 then free = 0 end
if free < born + quiet then free = born + quiet end
local step = math.floor(interval * stretch / 1000)
local at = now
if mine > 0 and mine == free then
  free = math.max(free, now + step)
elseif mine == 0 or not hardly_late then
  at = math.max(free, now)
  if at - now > furthest then return {-1, at - now, now} end
  free = at + step
  stretch = 1000 + math.floor((stretch - 1000) * 19 / 20)
end
redis.call('HSET', KEYS[1], 'free', string.format('%.0f', free), 'stretch', string.format('%.0f', stretch))
redis.call('PEXPIRE', KEYS[1], 3600000)
return {at, free, now}
"""

_SLOW = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local hold, late = tonumber(ARGV[1]), tonumber(ARGV[2])
local kept = redis.call('HMGET', KEYS[1], 'free', 'stretch')
local free, stretch = tonumber(kept[1]) or now, tonumber(kept[2]) or 1000
if late > 0 then
  free = free + late
else
  if free < now + math.floor(hold / 2) then stretch = math.min(math.floor(stretch * 5 / 4), 4000) end
  free = math.max(free, now + hold)
end
redis.call('HSET', KEYS[1], 'free', string.format('%.0f', free), 'stretch', string.format('%.0f', stretch))
redis.call('PEXPIRE', KEYS[1], 3600000)
return 0
"""

_FURTHEST = 700_000
"""How far ahead a departure is promised. Beyond that a caller asks again later."""
_QUIET = _FURTHEST + pace.SECOND
_ASK_AGAIN = 3 * pace.SECOND
"""The longest that a caller sleeps before he asks again: what Redis said may not be true for long."""
_HARDLY_LATE = 15_000
"""Where the next slots are taken already, a departure this late still keeps N + 1 of them out of one second."""


class RedisPacer:
    """For any number of processes with one Redis; its clock counts.

    Without Redis nothing leaves: callers wait until it is back, or for `patience` seconds.
    """

    def __init__(self, redis: Redis, per_second: float, *, patience: float = 60, prefix: str = "pace:") -> None:
        self._redis = redis
        self._interval = pace.interval(per_second)
        self._patience = patience
        self._prefix = prefix
        self._locks: dict[str, asyncio.Lock] = {}
        self._ahead: int | None = None
        """How far Redis' clock is ahead of our monotonic one, as well as the answers so far bound it."""

    async def slot(self, fingerprint: str) -> None:
        lock = self._locks.setdefault(fingerprint, asyncio.Lock())
        try:
            async with lock:
                await self._reserved_slot(fingerprint)
        finally:
            if len(self._locks) > _CROWDED and not lock.locked():
                self._locks.pop(fingerprint, None)

    async def late(self, fingerprint: str, seconds: float) -> None:
        late = round(seconds * pace.SECOND) - pace.LATE
        if late > 0:
            await self._slow(fingerprint, hold=0, late=late)

    async def too_fast(self, fingerprint: str) -> None:
        await self._slow(fingerprint, hold=_hold(), late=0)

    async def _slow(self, fingerprint: str, *, hold: int, late: int) -> None:
        """Tried once: while Redis is away nothing leaves, and when it is back all keep quiet at first."""
        try:
            await self._eval(_SLOW, [self._prefix + fingerprint], [hold, late], seconds=self._patience)
        except (RedisError, OSError) as error:
            log.warning("pace: Redis is away", extra={"error": type(error).__name__})

    async def _reserved_slot(self, fingerprint: str) -> None:
        mine, hardly_late = 0, False
        while True:
            at, free = await self._reserve(fingerprint, mine=mine, hardly_late=hardly_late)
            if at < 0:
                # `free` is the wait here; a little jitter lets waiting processes take turns
                wait = min(free - _FURTHEST / 2, _ASK_AGAIN)
                await asyncio.sleep(wait / pace.SECOND * random.uniform(0.8, 1.0))  # noqa: S311 - no secret
                continue
            woken = await _sleep_until(at)
            if woken - at <= pace.LATE:
                return
            mine, hardly_late = free, woken - at <= _HARDLY_LATE

    async def _reserve(self, fingerprint: str, *, mine: int, hardly_late: bool) -> tuple[int, int]:
        """The departure on our clock, and the mark by which to claim it again; or -1 and the wait it would be."""
        keys = [self._prefix + fingerprint, self._prefix + "server"]
        before = _microseconds()
        at, free, now = await self._run(_RESERVE, keys, [self._interval, _FURTHEST, _QUIET, mine, int(hardly_late)])
        after = _microseconds()
        # Redis said `now` at some instant between before and after
        if self._ahead is None:
            self._ahead = now - after
        self._ahead = min(max(self._ahead, now - after), now - before)
        return (at if at < 0 else at - self._ahead), free

    async def _run(self, script: str, keys: list[str], arguments: list[int]) -> Any:
        """Run a script, trying again while Redis is out of reach."""
        give_up = _microseconds() + round(self._patience * pace.SECOND)
        pause = 0.1
        while True:
            try:
                left = (give_up - _microseconds()) / pace.SECOND
                return await self._eval(script, keys, arguments, seconds=left)
            except (RedisError, OSError) as error:
                if _microseconds() >= give_up:
                    raise Unavailable(Side.VK, "Redis", "the memory of the rate is out of reach") from error
                log.warning("pace: waiting for Redis", extra={"error": type(error).__name__})
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)

    async def _eval(self, script: str, keys: list[str], arguments: list[int], *, seconds: float) -> Any:
        arguments_as_text = [str(each) for each in arguments]
        async with asyncio.timeout(seconds):  # a frozen Redis says nothing at all
            return await cast("Awaitable[Any]", self._redis.eval(script, len(keys), *keys, *arguments_as_text))


__all__ = ["MemoryPacer", "Pacer", "RedisPacer"]
