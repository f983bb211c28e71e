"""Figures for Prometheus: what this process does, and what the database and Redis hold for all of them."""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from aiohttp import web
from aiohttp.typedefs import Middleware
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from redis.exceptions import RedisError
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import QueuePool

from evosync import __version__
from evosync.db import mirrors as turns
from evosync.db.accounts import UserStatus
from evosync.db.admin.around import last_carried
from evosync.db.engine import Database
from evosync.db.outbox import LetterState
from evosync.db.tables import evotor_connections, mirrors, sync_configs, users, vk_connections
from evosync.db.tables.site import letters
from evosync.domain.connection import Health
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Outcome, Progress, RunRecord, Scope, Tally

log = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_LAG_PAUSE: Final = 1.0
_KEPT: Final = 10.0
_PAGE = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_CALL = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_RUN = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0)
_LAG = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)
_TALLIED = ("created", "updated", "hidden", "shown", "adopted", "failed")
_FOR_A_RUN, _FOR_VK = "run", "vk"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Backlog(Protocol):
    """What `queue.Queue` tells of itself."""

    async def depth(self) -> int: ...
    async def oldest(self) -> datetime | None: ...


@dataclass(slots=True)
class _Phase:
    name: str
    since: float


class Metrics:
    """Every figure of one process. Also a `sync.ports.Watcher`, so that runs tell it how they go.

    What is counted is also said to the log, in the context of whoever caused it.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("evosync", "The installed version", registry=registry).info({"version": __version__})
        self.requests = Counter(
            "evosync_http_requests", "Requests answered", ["method", "route", "status"], registry=registry
        )
        self.request_seconds = Histogram(
            "evosync_http_request_seconds", "Time to the end of the answer", ["route"], buckets=_PAGE, registry=registry
        )
        self.runs = Counter("evosync_runs", "Mirror runs that ended", ["scope", "outcome"], registry=registry)
        self.run_seconds = Histogram(
            "evosync_run_seconds", "Length of a mirror run", ["scope"], buckets=_RUN, registry=registry
        )
        self.phase_seconds = Histogram(
            "evosync_run_phase_seconds", "Length of a step of a run", ["phase"], buckets=_RUN, registry=registry
        )
        self.stuck = Counter(
            "evosync_runs_stuck", "Runs that said nothing for too long and were begun anew", registry=registry
        )
        self.products = Counter("evosync_products", "Products that runs dealt with", ["result"], registry=registry)
        self.calls = Counter(
            "evosync_cloud_calls", "Calls to the clouds, by how they ended", ["cloud", "method", "code"],
            registry=registry,
        )  # fmt: skip
        self.call_seconds = Histogram(
            "evosync_cloud_call_seconds", "From being wanted to being answered, pacing included", ["cloud", "method"],
            buckets=_CALL, registry=registry,
        )  # fmt: skip
        self.cloud_requests = Counter(
            "evosync_cloud_requests", "HTTP requests, each as it ends; many calls share one at VK",
            ["cloud", "method", "code"], registry=registry,
        )  # fmt: skip
        self.lag_seconds = Histogram(
            "evosync_loop_lag_seconds", "How late the event loop is", buckets=_LAG, registry=registry
        )
        self.running = Gauge("evosync_runs_going", "Runs of this process", ["phase"], registry=registry)
        self.rate_limit = Gauge(
            "evosync_vk_rate_limit", "Requests per second and token that are allowed", registry=registry
        )
        self.rate_busiest = Gauge(
            "evosync_vk_rate_busiest",
            "Requests per second of the token that sends most, of the last ten to twenty",
            registry=registry,
        )
        self.pool = Gauge("evosync_database_connections", "Pool of this process", ["state"], registry=registry)
        self.queue_depth = Gauge("evosync_queue_depth", "Jobs that wait", registry=registry)
        self.queue_age = Gauge("evosync_queue_age_seconds", "How long the oldest is overdue", registry=registry)
        self.mirrors = Gauge("evosync_mirrors", "Owners whose mirror is on and has both keys", registry=registry)
        self.due = Gauge("evosync_mirrors_due", "Owners whose turn has come", registry=registry)
        self.overdue = Gauge("evosync_mirrors_overdue_seconds", "How long the first of them waits", registry=registry)
        self.age = Gauge(
            "evosync_mirror_age_seconds",
            "How far VK is behind the tills, at worst; run: since one last carried over, or since the first start; "
            "vk: since what is known stays undone because VK stopped a method or its answer was lost",
            ["waits_for"],
            registry=registry,
        )
        self.waiting_for_vk = Gauge(
            "evosync_mirrors_waiting_for_vk",
            "Owners, of those in evosync_mirrors, for whom what is known stays undone: VK stopped it or did not answer",
            registry=registry,
        )
        self.letters_waiting = Gauge("evosync_letters_waiting", "Letters in the outbox", registry=registry)
        self.part_up = Gauge("evosync_up", "Whether a part is well, as /health/ready says", ["part"], registry=registry)
        self._phases: dict[RunId, _Phase] = {}
        self._begin_at_nought()

    def _begin_at_nought(self) -> None:
        """Whatever may be counted and is known beforehand: Prometheus sees no rise in a counter born with its first."""
        for scope in Scope:
            for outcome in Outcome:
                self.runs.labels(scope.value, outcome.value)
        for result in _TALLIED:
            self.products.labels(result)
        for what in (_FOR_A_RUN, _FOR_VK):
            self.age.labels(what)

    def saw(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> None:
        del user, tally
        now, name = time.monotonic(), progress.step.value
        phase = self._phases.get(run)
        if phase is not None and phase.name != name:
            self.phase_seconds.labels(phase.name).observe(now - phase.since)
        if phase is None or phase.name != name:
            self._phases[run] = _Phase(name, now)

    def ended(self, record: RunRecord) -> None:
        phase = self._phases.pop(record.id, None)
        if phase is not None:
            self.phase_seconds.labels(phase.name).observe(time.monotonic() - phase.since)
        if record.outcome is not None:
            self.runs.labels(record.scope.value, record.outcome.value).inc()
        if record.finished_at is not None:
            self.run_seconds.labels(record.scope.value).observe(
                (record.finished_at - record.started_at).total_seconds()
            )
        for name in _TALLIED:
            if count := getattr(record.tally, name):
                self.products.labels(name).inc(count)
        _tell(record)

    def called(self, cloud: str, method: str, code: str, seconds: float) -> None:
        """A call to a cloud ended; `code` is that of the error, or "ok"."""
        self.calls.labels(cloud, method, code).inc()
        self.call_seconds.labels(cloud, method).observe(seconds)
        level = logging.DEBUG if code == "ok" else logging.INFO
        if log.isEnabledFor(level):
            log.log(
                level,
                "cloud call",
                extra={"cloud": cloud, "method": method, "code": code, "seconds": round(seconds, 3)},
            )

    def requested(self, cloud: str, method: str, code: str) -> None:
        """A request to a cloud left and ended; `method` is VK's `execute` where it held several calls."""
        self.cloud_requests.labels(cloud, method, code).inc()

    def answered(self, request: web.Request, status: int, seconds: float, *, is_stream: bool) -> None:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "(none)"
        method = request.method if resource is not None else "(any)"  # strangers may make methods up
        self.requests.labels(method, route, str(status)).inc()
        if not is_stream:
            self.request_seconds.labels(route).observe(seconds)

    def text(self) -> bytes:
        """In Prometheus' format."""
        return generate_latest(self.registry)


def _tell(record: RunRecord) -> None:
    """One line for a run; those that found nothing to do are most and say nothing."""
    did = {name: count for name in _TALLIED if (count := getattr(record.tally, name))}
    level = logging.INFO if did or record.outcome is not Outcome.OK else logging.DEBUG
    if log.isEnabledFor(level):
        ended = record.finished_at or record.started_at
        facts: dict[str, object] = {
            "scope": record.scope.value,
            "outcome": record.outcome.value if record.outcome else "",
            "did": did,
        }
        facts |= {"vk_requests": record.tally.vk_requests, "evotor_requests": record.tally.evotor_requests}
        log.log(level, "run ended", extra={**facts, "seconds": round((ended - record.started_at).total_seconds(), 3)})


def counting(metrics: Metrics) -> Middleware:
    """The outermost middleware of the site."""

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        begun = time.perf_counter()
        status, is_stream = 500, False
        try:
            response = await handler(request)
            status, is_stream = response.status, response.content_type == "text/event-stream"
        except web.HTTPException as answer:
            status = answer.status
            raise
        finally:
            metrics.answered(request, status, time.perf_counter() - begun, is_stream=is_stream)
        return response

    return count


class Gauges:
    """Fills in what has to be asked for. Good for some seconds, whoever asks.

    `parts`: which parts are well. The database and Redis have to answer the questions of these figures, too.
    """

    def __init__(
        self,
        metrics: Metrics,
        database: Database,
        backlog: Backlog,
        *,
        clock: Callable[[], datetime],
        phases: Callable[[], Mapping[str, int]],
        parts: Callable[[], Awaitable[Mapping[str, bool]]],
    ) -> None:
        self._metrics = metrics
        self._database = database
        self._backlog = backlog
        self._clock = clock
        self._phases = phases
        self._parts = parts
        self._one_at_a_time = asyncio.Lock()
        self._asked = float("-inf")

    async def text(self) -> bytes:
        async with self._one_at_a_time:
            now = asyncio.get_running_loop().time()
            if now - self._asked > _KEPT:
                await self._ask()
                self._asked = now
        return self._metrics.text()

    async def _ask(self) -> None:
        metrics = self._metrics
        metrics.running.clear()
        for phase, count in self._phases().items():
            metrics.running.labels(phase).set(count)
        pool = self._database.engine.pool
        if isinstance(pool, QueuePool):
            metrics.pool.labels("used").set(pool.checkedout())
            metrics.pool.labels("idle").set(pool.checkedin())
        # At once: Prometheus gives up after ten seconds, and what is away takes five to be found so.
        parts, redis, database = await asyncio.gather(
            self._parts(), _asked(self._ask_queue), _asked(self._ask_database)
        )
        answered = {"redis": redis, "database": database}
        for part in {**answered, **parts}:
            metrics.part_up.labels(part).set(parts.get(part, True) and answered.get(part, True))

    async def _ask_queue(self) -> None:
        oldest = await self._backlog.oldest()
        age = 0.0 if oldest is None else max((self._clock() - oldest).total_seconds(), 0.0)
        self._metrics.queue_age.set(age)
        self._metrics.queue_depth.set(await self._backlog.depth())

    async def _ask_database(self) -> None:
        now, metrics = self._clock(), self._metrics
        async with self._database.reading() as connection:
            fresh = await freshness(connection)
            due, since = await turns.backlog(connection, now)
            waiting = select(func.count()).where(letters.c.state == LetterState.WAITING.value)
            metrics.letters_waiting.set(await connection.scalar(waiting) or 0)
        metrics.mirrors.set(fresh.on)
        metrics.waiting_for_vk.set(fresh.waiting)
        for what, at in ((_FOR_A_RUN, fresh.oldest), (_FOR_VK, fresh.waiting_since)):
            metrics.age.labels(what).set(0 if at is None else max((now - at).total_seconds(), 0))
        metrics.due.set(due)
        metrics.overdue.set(0 if since is None else (now - since).total_seconds())


async def _asked(ask: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(5):
            await ask()
    except (RedisError, SQLAlchemyError, OSError):
        return False
    return True


_KEYS = (evotor_connections.c, vk_connections.c)
_OWNERS = (
    users.join(sync_configs, sync_configs.c.user_id == users.c.id)
    .join(evotor_connections, evotor_connections.c.user_id == users.c.id)
    .join(vk_connections, vk_connections.c.user_id == users.c.id)
    .join(mirrors, mirrors.c.user_id == users.c.id)
)
_ON = (
    users.c.status == UserStatus.ACTIVE.value,
    sync_configs.c.started_at.is_not(None),
    sync_configs.c.paused_at.is_(None),
    *(key.sealed.is_not(None) for key in _KEYS),
    *(key.health == Health.OK.value for key in _KEYS),
)
_CARRIED_AT = func.coalesce(last_carried(users.c.id, sync_configs.c.started_at), sync_configs.c.started_at)


@dataclass(frozen=True, slots=True)
class Freshness:
    """How far VK is behind the tills. Whose key is refused was written to, waits for himself and is not in here.

    `on`: mirrors that should work by themselves; `oldest`: since when the one that waits longest was not carried over.
    `waiting`: those of them that VK has not let do all that is known; `waiting_since`: the first of them.
    """

    on: int
    oldest: datetime | None
    waiting: int
    waiting_since: datetime | None

    @property
    def since(self) -> datetime | None:
        """The older of both: a shop that VK stops is not fresh, though runs carry over what they may."""
        return min((at for at in (self.oldest, self.waiting_since) if at is not None), default=None)


_BEHIND = mirrors.c.behind_since


async def freshness(connection: AsyncConnection) -> Freshness:
    query = select(func.count(), func.min(_CARRIED_AT), func.count(_BEHIND), func.min(_BEHIND))
    on, oldest, waiting, since = (await connection.execute(query.select_from(_OWNERS).where(*_ON))).one()
    return Freshness(int(on), oldest, int(waiting), since)


@asynccontextmanager
async def feeling_lag(metrics: Metrics) -> AsyncIterator[None]:
    """Measures meanwhile how late the event loop is."""
    task = asyncio.create_task(_feel(metrics), name="loop-lag")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _feel(metrics: Metrics) -> None:
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + _LAG_PAUSE
        await asyncio.sleep(_LAG_PAUSE)
        metrics.lag_seconds.observe(max(loop.time() - due, 0.0))


def open_page(gauges: Gauges) -> Handler:
    """For a port of its own, which nobody else reaches."""

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=await gauges.text(), headers={"Content-Type": CONTENT_TYPE})

    return metrics


def guarded_page(gauges: Gauges, token: str) -> Handler:
    """For the site: to whoever shows the token. Others learn no more than that they are refused."""
    page = open_page(gauges)

    async def metrics(request: web.Request) -> web.StreamResponse:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(shown.encode(), token.encode()):
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"})
        return await page(request)

    return metrics


__all__ = ["Freshness", "Gauges", "Metrics", "counting", "feeling_lag", "freshness", "guarded_page", "open_page"]
