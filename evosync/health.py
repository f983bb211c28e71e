"""How the service is: its parts looked at, once for whoever asks, and all the time by the worker itself."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from evosync.db import migrate
from evosync.db.engine import Database
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Progress, RunRecord, Tally

log = logging.getLogger(__name__)

TICK_LATE: Final = timedelta(seconds=45)
"""Ticks come every ten seconds; four missed ones in a row are no accident."""

WORKER_LATE: Final = timedelta(seconds=30)
"""arq renews a worker's record just as it runs out: a busy one that is a second late is not dead."""

QUEUE_LONG: Final = 5_000
QUEUE_OLD: Final = timedelta(seconds=60)
"""A job takes milliseconds, so that one that waits for a minute waits for workers that are not there."""

SET_BACK: Final = timedelta(seconds=30)
"""More than a clock is ever set right by while nobody touches it."""

STUCK: Final = timedelta(minutes=20)
"""A run says something every few seconds; its longest honest silence, VK's time-outs repeated, is some minutes."""

_PATIENCE: Final = 5.0
_KEPT: Final = 5.0
_TICK_KEY: Final = "evosync:tick"
_WELL_KEY: Final = "evosync:well"
_ROUND: Final = 15.0
_ROUNDS_ILL: Final = 2
_ROUNDS_BETWEEN: Final = 4


class Pulse:
    """When the cron last ticked, wherever it did."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def beat(self, at: datetime) -> None:
        """The cron ticks. Raises `RedisError` or `OSError`."""
        await self._redis.set(_TICK_KEY, at.isoformat(), ex=86_400)

    async def last(self) -> datetime | None:
        """Raises `RedisError` or `OSError`."""
        said: Any = await self._redis.get(_TICK_KEY)
        return None if said is None else datetime.fromisoformat(bytes(said).decode())


class Backlog(Protocol):
    """What `queue.Queue` tells of itself."""

    async def depth(self) -> int: ...
    async def oldest(self) -> datetime | None:
        """When the job that is due for longest was to be done."""

    async def health(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Report:
    """Which parts are well. A stranger is shown no more than this."""

    parts: Mapping[str, bool]

    @property
    def is_well(self) -> bool:
        return all(self.parts.values())

    @property
    def ill(self) -> tuple[str, ...]:
        return tuple(name for name, well in self.parts.items() if not well)

    def shown(self) -> dict[str, object]:
        return {
            "status": "ok" if self.is_well else "ill",
            "parts": {name: "ok" if well else "ill" for name, well in self.parts.items()},
        }


class Doctor:
    """Looks at all parts. A report is good for some seconds, so that asking often costs nothing."""

    def __init__(self, database: Database, redis: Redis, backlog: Backlog, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._redis = redis
        self._backlog = backlog
        self._pulse = Pulse(redis)
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._report: Report | None = None
        self._looked = 0.0
        self._older: frozenset[str | None] | None = None
        self._worker_seen: datetime | None = None

    async def report(self) -> Report:
        async with self._one_at_a_time:
            clock = asyncio.get_running_loop().time
            if self._report is None or clock() - self._looked > _KEPT:
                self._report = await self.look()
                # From its end on: a look at what hangs takes so long that all who waited for it would look anew.
                self._looked = clock()
            return self._report

    async def look(self) -> Report:
        """Never raises for a part that is ill, and takes at most some seconds."""
        checks = {
            "database": self._database_takes_writes,
            "migrations": self._is_migrated,
            "redis": self._redis_takes_writes,
            "worker": self._worker_lives,
            "cron": self._cron_ticks,
            "queue": self._queue_flows,
        }
        found = await asyncio.gather(*(_well(name, check) for name, check in checks.items()))
        return Report(dict(zip(checks, found, strict=True)))

    async def _database_takes_writes(self) -> bool:
        """One that is full, locked or read-only answers questions and is of no use."""
        async with self._database.writing() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
        return True

    async def _is_migrated(self) -> bool:
        if self._older is None:
            self._older = await asyncio.to_thread(migrate.older)
        async with self._database.reading() as connection:  # not by alembic, which logs each look
            return await connection.scalar(text("SELECT version_num FROM alembic_version")) not in self._older

    async def _redis_takes_writes(self) -> bool:
        return bool(await self._redis.set(_WELL_KEY, b"1", ex=60))

    async def _worker_lives(self) -> bool:
        now = self._clock()
        if await self._backlog.health() is not None:
            self._worker_seen = now
        return self._worker_seen is not None and now - self._worker_seen < WORKER_LATE

    async def _cron_ticks(self) -> bool:
        last = await self._pulse.last()
        return last is not None and abs(self._clock() - last) < TICK_LATE

    async def _queue_flows(self) -> bool:
        oldest = await self._backlog.oldest()
        is_old = oldest is not None and self._clock() - oldest > QUEUE_OLD
        return not is_old and await self._backlog.depth() < QUEUE_LONG


async def _well(name: str, check: Callable[[], Any]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            return bool(await check())
    except (RedisError, SQLAlchemyError, OSError) as error:  # a time-out is an OSError
        log.debug("part is ill", extra={"part": name, "error": type(error).__name__})
        return False


@dataclass(frozen=True, slots=True)
class Going:
    """A run of this process, as the supervisor has it."""

    user: UserId
    since: datetime


class Signs:
    """`sync.ports.Watcher`: when each run of this process last said something."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last: dict[UserId, datetime] = {}

    def saw(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> None:
        del run, progress, tally
        self._last[user] = self._clock()

    def ended(self, record: RunRecord) -> None:
        self._last.pop(record.user, None)

    def silent(self, going: Sequence[Going]) -> tuple[UserId, ...]:
        """Whose runs have said nothing for too long."""
        now = self._clock()
        self._last = {user: at for user, at in self._last.items() if any(run.user == user for run in going)}
        return tuple(run.user for run in going if now - max(self._last.get(run.user, run.since), run.since) > STUCK)


class SteadyClock:
    """Compares the machine's clock with one that nobody sets."""

    def __init__(self, clock: Callable[[], datetime], steady: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._steady = steady
        self._last = clock(), steady()

    def was_set_back(self) -> bool:
        """Since it was last asked."""
        (at, steady), self._last = self._last, (self._clock(), self._steady())
        return at + timedelta(seconds=self._last[1] - steady) - self._last[0] > SET_BACK


def never() -> bool:
    """For a clock that nobody looks at."""
    return False


def nobody() -> None:
    """For a process without jobs."""


def _tell(before: frozenset[str], now: frozenset[str]) -> None:
    """To the log, which parts changed."""
    for part in sorted(now - before):
        log.error("part of the service is ill", extra={"part": part})
    for part in sorted(before - now):
        log.warning("part of the service is well again", extra={"part": part})


class Lookout:
    """For a process of pages alone: tells the log of each change once, when no worker is left to do so. Mends nothing.

    The other parts are the workers' to tell of, as long as there is one; without Redis nobody knows whether there is.
    """

    def __init__(self, doctor: Doctor, *, pause: float = _ROUND) -> None:
        self._doctor = doctor
        self._pause = pause
        self._in_a_row = 0
        self._ill: frozenset[str] = frozenset()

    async def walk(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(self._pause)
            await self.look_round()

    async def look_round(self) -> None:
        """Pages may be up before the first worker is: nothing is told before the second look in a row."""
        report = await self._doctor.report()
        if "redis" in report.ill:
            return
        self._in_a_row = self._in_a_row + 1 if "worker" in report.ill else 0
        ill = frozenset({"worker"}) if self._in_a_row >= _ROUNDS_ILL else frozenset()
        _tell(self._ill, ill)
        self._ill = ill


class Nurse:
    """Looks at the service all the time; tells the log of each change once, and ends what hangs.

    `going` are the runs of this process, `interrupt` ends one: with its heart it stops beating in the database,
    and the next tick begins it anew. `renew` begins this process's jobs anew, which is done where the cron does not
    tick or no worker is heard of, although Redis and the database answer; and at once where the clock `was_set_back`,
    for arq's cron would wait until it has come again. `stuck` is told of each run that hangs.
    """

    def __init__(
        self,
        doctor: Doctor,
        signs: Signs,
        *,
        going: Callable[[], Sequence[Going]],
        interrupt: Callable[[UserId], bool],
        renew: Callable[[], None] = nobody,
        stuck: Callable[[], None] = nobody,
        was_set_back: Callable[[], bool] = never,
        pause: float = _ROUND,
    ) -> None:
        self._doctor = doctor
        self._signs = signs
        self._going = going
        self._interrupt = interrupt
        self._renew = renew
        self._stuck = stuck
        self._was_set_back = was_set_back
        self._pause = pause
        self._ill: frozenset[str] = frozenset()
        self._idle = 0

    async def walk(self) -> None:
        """Until cancelled. The first look is after a pause, for things to begin."""
        while True:
            await asyncio.sleep(self._pause)
            await self.look_round()

    async def look_round(self) -> None:
        if self._was_set_back():
            log.warning("the clock was set back, jobs begun anew")
            self._renew()
        for user in self._signs.silent(self._going()):
            log.error("run is stuck, begun anew", extra={"user": user, "silent_for": str(STUCK)})
            self._stuck()
            self._interrupt(user)
        report = await self._doctor.report()
        ill = frozenset(report.ill)
        _tell(self._ill, ill)
        self._ill = ill
        self._wake_jobs(ill)

    def _wake_jobs(self, ill: frozenset[str]) -> None:
        """At the second look that finds them idle, and then once a minute."""
        self._idle = self._idle + 1 if ill & {"cron", "worker"} and not ill & {"redis", "database"} else 0
        if self._idle % _ROUNDS_BETWEEN == _ROUNDS_ILL:
            log.error("jobs stand still, begun anew")
            self._renew()


@asynccontextmanager
async def nursing(nurse: Nurse | Lookout) -> AsyncIterator[None]:
    """For the application's cleanup contexts."""
    task = asyncio.create_task(nurse.walk(), name="nurse")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


__all__ = ["Doctor", "Going", "Lookout", "Nurse", "Pulse", "Report", "Signs", "SteadyClock", "nursing"]
