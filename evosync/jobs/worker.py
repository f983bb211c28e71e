"""The arq worker in our event loop: survives a Redis that goes away, stops without dropping what it has in hand."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC

import orjson
from arq.connections import ArqRedis
from arq.cron import CronJob, cron
from arq.worker import Worker, func
from redis.exceptions import RedisError

from evosync.jobs import tasks
from evosync.queue import DELIVER, DELIVER_ALL, LETTERS, Queue, close_redis, serialize

log = logging.getLogger(__name__)

JOB_SECONDS = 10
"""A job that takes longer is broken. A killed worker's jobs come back after this and ten seconds more."""

SWEEP_MINUTE = 17
"""Not the full hour, which everybody takes."""


def cron_jobs() -> list[CronJob]:
    """One tick every ten seconds and one sweep an hour, by whichever worker is first."""
    return [
        cron(
            tasks.tick,
            name="tick",
            second=set(range(0, 60, tasks.EVERY.seconds)),
            microsecond=0,
            unique=True,
            keep_result=30,
        ),
        cron(tasks.sweep, name="sweep", minute=SWEEP_MINUTE, second=5, microsecond=0, unique=True, keep_result=30),
    ]


def build(redis: ArqRedis, context: tasks.Context, *, burst: bool = False) -> Worker:
    """A worker on a pool of its own, for it closes the pool. Must be called inside the running loop."""
    return Worker(
        functions=[
            func(tasks.deliver, name=DELIVER, keep_result=0, max_tries=1),
            func(tasks.deliver_all, name=DELIVER_ALL, keep_result=0, max_tries=1),
            func(tasks.letters, name=LETTERS, keep_result=0, max_tries=1),
        ],
        cron_jobs=cron_jobs(),
        redis_pool=redis,
        ctx={tasks.CONTEXT: context},
        burst=burst,
        handle_signals=False,
        max_jobs=100,
        job_timeout=JOB_SECONDS,
        keep_result=0,  # a kept result would block its id (also where a job failed)
        poll_delay=0.1,
        max_tries=1,
        health_check_interval=15,
        job_serializer=serialize,
        job_deserializer=orjson.loads,
        timezone=UTC,
        log_results=False,
    )


class Jobs:
    """Keeps a worker going until `stop`.

    `alone`: no other worker uses this Redis, so what is marked as in progress at the start is stale.
    `first_wait`, `longest_wait`: seconds between tries to reach Redis again.
    """

    def __init__(
        self,
        open_redis: Callable[[], ArqRedis],
        context: tasks.Context,
        *,
        alone: bool = False,
        first_wait: float = 0.2,
        longest_wait: float = 5.0,
    ) -> None:
        self._open = open_redis
        self._context = context
        self._alone = alone
        self._first_wait = first_wait
        self._longest_wait = longest_wait
        self._stopping = asyncio.Event()
        self._renewing = asyncio.Event()

    async def run(self) -> None:
        """Until stopped. A worker that breaks is replaced by a fresh one on a fresh pool."""
        wait = self._first_wait
        while not self._stopping.is_set():
            begun = asyncio.get_running_loop().time()
            try:
                await self._work()
            except (RedisError, OSError) as error:
                log.warning("worker lost redis", extra={"error": type(error).__name__})
            except Exception:  # a worker that ends for good would stop every mirror
                log.exception("worker broke")
            else:
                if self._stopping.is_set() or not self._renewing.is_set():
                    return
                self._renewing.clear()
                continue
            if asyncio.get_running_loop().time() - begun > self._longest_wait:
                wait = self._first_wait
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._stopping.wait()
            wait = min(wait * 2, self._longest_wait)

    def stop(self) -> None:
        """Take no more jobs; `run` returns once those in hand are done."""
        self._stopping.set()

    def renew(self) -> None:
        """Give the worker up that hangs, with what it has in hand, and begin with a fresh one on a fresh pool."""
        self._renewing.set()

    async def _work(self) -> None:
        redis = self._open()
        try:
            if self._alone:
                await Queue(redis).forget_in_progress()
            await self._until_stopped(build(redis, self._context))
        finally:
            await close_redis(redis)

    async def _until_stopped(self, worker: Worker) -> None:
        main = asyncio.create_task(worker.main(), name="worker")
        stopped = asyncio.create_task(self._stopping.wait(), name="worker-stop")
        renewed = asyncio.create_task(self._renewing.wait(), name="worker-renew")
        try:
            await asyncio.wait([main, stopped, renewed], return_when=asyncio.FIRST_COMPLETED)
            if not self._renewing.is_set():
                # To arq this is a burst that has had all its jobs: it picks no more and ends after those in hand.
                worker.burst, worker.max_burst_jobs = True, 0
                await asyncio.wait([main], timeout=JOB_SECONDS)
        finally:
            stopped.cancel()
            renewed.cancel()
            await self._wind_up(worker, main)
        if not main.cancelled():
            main.result()

    async def _wind_up(self, worker: Worker, main: "asyncio.Task[None]") -> None:
        """Nothing of the worker is left running, and its health record is gone (arq's `close` warns of itself)."""
        jobs = list(worker.tasks.values())
        left: set[asyncio.Task[None]] = {main, *jobs}
        while left:  # a cancellation can get lost in `asyncio.wait_for`, before Python 3.12
            for task in left:
                task.cancel()
            _, left = await asyncio.wait(left, timeout=1)
        await asyncio.gather(*jobs, return_exceptions=True)  # their errors have been logged
        worker.tasks.clear()
        with suppress(RedisError, OSError):
            async with asyncio.timeout(1):
                await worker.pool.delete(worker.health_check_key)


@asynccontextmanager
async def working(jobs: Jobs) -> AsyncIterator[None]:
    """For the application's cleanup contexts: jobs run inside, and are finished on the way out."""
    task = asyncio.create_task(jobs.run(), name="jobs")
    try:
        yield
    finally:
        jobs.stop()
        await task


async def check(queue: Queue) -> bool:
    """Whether a worker is alive, by arq's own health record. Raises `RedisError` or `OSError` without Redis."""
    return await queue.health() is not None
