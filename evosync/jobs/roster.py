"""Which worker processes there are: each says so every few seconds, and the queue page reads it."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

import orjson
from redis.asyncio import Redis
from redis.exceptions import RedisError

from evosync.sync.actor import Phase
from evosync.sync.supervisor import ActorState
from evosync.sync.workers import WorkerSeen

log = logging.getLogger(__name__)

EVERY: Final = 15.0
"""Seconds between two signs of life."""

_KEY: Final = "evosync:workers"
_KEPT: Final = timedelta(days=1)
_LATE: Final = timedelta(seconds=3 * EVERY)
_PATIENCE: Final = 5.0
_STATM: Final = Path("/proc/self/statm")


class Backlog(Protocol):
    """What `queue.Queue` tells of itself."""

    async def depth(self) -> int: ...


class Roster:
    """All workers of one Redis. Fills the website's `Workshop`."""

    def __init__(self, redis: Redis, backlog: Backlog, clock: Callable[[], datetime]) -> None:
        self._redis = redis
        self._backlog = backlog
        self.clock = clock

    async def sign(self, worker: WorkerSeen) -> None:
        """Raises `RedisError` or `OSError`."""
        async with asyncio.timeout(_PATIENCE):
            await self._redis.hset(_KEY, worker.name, orjson.dumps(asdict(worker)).decode())  # type: ignore[misc]  # typed as both kinds of client

    async def workers(self) -> Sequence[WorkerSeen]:
        """By name; those that were silent for a day are forgotten, and those left out whose line makes no sense.

        Raises `RedisError` or `OSError`.
        """
        async with asyncio.timeout(_PATIENCE):
            raw: dict[bytes, bytes] = await self._redis.hgetall(_KEY)  # type: ignore[misc]  # as above
            known = {name: worker for name, value in raw.items() if (worker := _worker(value)) is not None}
            oldest = self.clock() - _KEPT
            gone = [name for name, worker in known.items() if worker.seen_at < oldest]
            if gone:
                await self._redis.hdel(_KEY, *[name.decode() for name in gone])  # type: ignore[misc]  # as above
        return sorted((known[name] for name in known.keys() - set(gone)), key=lambda worker: worker.name)

    async def crew(self) -> int:
        """How many work now, by what they last said; at least the one who asks. Raises `RedisError` or `OSError`."""
        since = self.clock() - _LATE
        return max(sum(each.stopped_at is None and each.seen_at >= since for each in await self.workers()), 1)

    async def depth(self) -> int:
        """How many jobs wait. Raises `RedisError` or `OSError`."""
        async with asyncio.timeout(_PATIENCE):
            return await self._backlog.depth()


def _worker(value: bytes) -> WorkerSeen | None:
    """What another release knows besides is left out; None where the line makes no sense to this one."""
    try:
        said: dict[str, Any] = orjson.loads(value)
        known = {field.name: said[field.name] for field in fields(WorkerSeen) if field.name in said}
        stopped = said.get("stopped_at")
        times = {
            "seen_at": _time(said["seen_at"]),
            "started_at": _time(said["started_at"]),
            "stopped_at": stopped and _time(stopped),
        }
        return WorkerSeen(**known | {"name": str(said["name"])} | times)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        log.debug("a line of the roster is not understood", extra={"error": type(error).__name__})
        return None


def _time(said: str) -> datetime:
    return datetime.fromisoformat(said).astimezone(UTC)


def own_name() -> str:
    """Of this process: the same machine may have several."""
    return f"{socket.gethostname()}-{os.getpid()}"


def _memory() -> int:
    """Bytes that this process holds; 0 where the system does not tell."""
    try:
        return int(_STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


@asynccontextmanager
async def on_the_roster(
    roster: Roster,
    *,
    states: Callable[[], Sequence[ActorState]],
    most: int,
    name: str | None = None,
    every: float = EVERY,
) -> AsyncIterator[None]:
    """Around a worker's life: it is seen while the block lasts, and has stopped afterwards.

    `states` are the supervisor's, `most` the runs that may go on at once.
    """
    begun = roster.clock()
    called = name or own_name()

    def now() -> WorkerSeen:
        actors = states()
        waiting = sum(actor.phase is Phase.WAITING for actor in actors)
        return WorkerSeen(
            name=called,
            seen_at=roster.clock(),
            started_at=begun,
            busy=len(actors) - waiting,
            most=most,
            waiting=waiting,
            memory=_memory(),
        )

    stopping = asyncio.Event()
    task = asyncio.create_task(_keep_signing(roster, now, stopping, every), name="roster")
    try:
        yield
    finally:
        stopping.set()
        await task
        last = now()
        await _try_to_sign(roster, replace(last, stopped_at=last.seen_at, busy=0, waiting=0))


async def _keep_signing(roster: Roster, now: Callable[[], WorkerSeen], stopping: asyncio.Event, every: float) -> None:
    while not stopping.is_set():
        await _try_to_sign(roster, now())
        with suppress(TimeoutError):
            async with asyncio.timeout(every):
                await stopping.wait()


async def _try_to_sign(roster: Roster, worker: WorkerSeen) -> None:
    try:
        await roster.sign(worker)
    except (RedisError, OSError) as error:
        log.warning("roster not signed", extra={"error": type(error).__name__})
