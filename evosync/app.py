"""The composition root: builds every real object, in order, and takes it down in the reverse."""

import asyncio
import gc
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Flag, auto
from functools import partial
from hashlib import blake2b

import aiohttp
from redis.asyncio import Redis

from evosync.db import migrate
from evosync.db.engine import Database, make_engine
from evosync.db.ledger import DbLedger
from evosync.db.mirrors import Defaults
from evosync.domain.connection import EvotorConnection, Token, VkConnection
from evosync.domain.errors import Side
from evosync.domain.ids import UserId
from evosync.domain.mirror import Scope
from evosync.domain.policy import Policy
from evosync.domain.schedule import Rhythm
from evosync.embedded import EmbeddedRedis
from evosync.evotor.client import EvotorTill
from evosync.evotor.client import Patience as Trying
from evosync.health import Doctor, Going, Nurse, Pulse, Signs, SteadyClock, nursing
from evosync.jobs.roster import Roster, on_the_roster
from evosync.jobs.sweep import Keep, Sweep, Sweeper, sweeping
from evosync.jobs.tasks import Context, nobody
from evosync.jobs.worker import Jobs, working
from evosync.lease import RedisLease
from evosync.metrics import Metrics
from evosync.notices import Notices
from evosync.queue import Queue, close_redis, open_redis
from evosync.security.seal import Sealer
from evosync.settings import Settings
from evosync.sync.engine import Engine, Terms
from evosync.sync.lanes import Lanes
from evosync.sync.mailbox import ROUTINE, Message
from evosync.sync.outage import Outages
from evosync.sync.ports import Clock, MayWrite, ShopSide, TillSide
from evosync.sync.push import Picture
from evosync.sync.run import MirrorRun
from evosync.sync.supervisor import Supervisor
from evosync.sync.till_reading import Patience
from evosync.sync.watchers import Watchers
from evosync.vk.counted import CountedPacer
from evosync.vk.dispatcher import Pressure
from evosync.vk.pacer import RedisPacer
from evosync.vk.sides import VkAddress, VkSides

log = logging.getLogger(__name__)

_LONGEST_LINE = timedelta(seconds=30)
"""So long may a create wait for its turn, where VK is asked three times a second and pictures go first."""
_LEAST_POOL = 10
"""Connections to the database that are kept, however few runs go on; as many again are opened in a rush."""


def now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


class Clients:
    """`sync.ports.Sides` on real HTTP."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession, vk: VkSides, metrics: Metrics) -> None:
        self._url = settings.evotor_api_url
        self._trying = Trying(silence=settings.evotor_timeout_seconds)
        self._metrics = metrics
        self.http = http
        self.vk = vk

    def till(self, connection: EvotorConnection) -> TillSide:
        return self.till_for(connection.token)

    def till_for(self, token: Token) -> EvotorTill:
        """Also for a token that is only being tried."""
        return EvotorTill(self.http, self._url, token, patience=self._trying, seen=self._saw_till)

    @asynccontextmanager
    async def shop(self, connection: VkConnection, may_write: MayWrite | None = None) -> AsyncIterator[ShopSide]:
        async with self.vk.shop(connection, may_write) as shop:
            yield shop

    def _saw_till(self, what: str, code: str, seconds: float) -> None:
        """Evotor takes one call in a request."""
        self._metrics.called(Side.EVOTOR.value, what, code, seconds)
        self._metrics.requested(Side.EVOTOR.value, what, code)


@dataclass(frozen=True, slots=True)
class Core:
    """What every command and every part of the service works with."""

    settings: Settings
    database: Database
    sealer: Sealer
    ledger: DbLedger
    redis: Redis
    redis_url: str
    queue: Queue
    clients: Clients
    watchers: Watchers
    outages: Outages
    run: MirrorRun
    engine: Engine
    notices: Notices
    metrics: Metrics
    doctor: Doctor
    clock: Clock


@asynccontextmanager
async def open_core(settings: Settings, *, clock: Clock = now) -> AsyncIterator[Core]:
    """Database (brought up to date), Redis, HTTP and the engine; no server and no worker yet."""
    async with AsyncExitStack() as stack:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        database = await stack.enter_async_context(_open_database(settings))
        redis_url = await stack.enter_async_context(_redis_url(settings))
        redis = open_redis(redis_url)
        stack.push_async_callback(close_redis, redis)
        http = await stack.enter_async_context(_open_http())
        sealer = Sealer(
            [settings.secret_key.get_secret_value(), *(key.get_secret_value() for key in settings.secret_key_previous)]
        )
        lease_for = timedelta(seconds=settings.lease_seconds)
        defaults = Defaults(policy=policy_of(settings))
        ledger = DbLedger(database, sealer=sealer, defaults=defaults, clock=clock, alive_for=lease_for)
        pacer = CountedPacer(RedisPacer(redis, settings.vk_requests_per_second))
        pressure = Pressure(
            batch_limit=settings.vk_batch_limit,
            max_in_flight=settings.vk_max_in_flight,
            # Whoever takes over repeats a create two settles after it was noted: none may still be on its way then.
            patience=settings.vk_settle_seconds,
        )
        address = VkAddress(settings.vk_api_url, settings.vk_api_version, settings.vk_timeout_seconds)
        metrics = Metrics()
        metrics.rate_limit.set(settings.vk_requests_per_second)
        metrics.rate_busiest.set_function(pacer.per_second)
        called, requested = (partial(tell, Side.VK.value) for tell in (metrics.called, metrics.requested))
        vk = VkSides(http, address, pacer, pressure, seen=called, landed=requested)
        clients = Clients(settings, http, vk, metrics)
        queue = Queue(redis)
        notices = Notices(database, queue, clock)
        watchers = Watchers()
        stack.enter_context(watchers.joined(metrics))
        outages = Outages(ledger, clock)
        stack.push_async_callback(outages.close)
        engine = Engine(
            ledger=ledger,
            sides=clients,
            lease=RedisLease(redis, ttl=lease_for),
            watcher=watchers,
            breakers=outages,
            bell=notices,
            picture=_picture(settings),
            terms=_terms(settings),
            clock=clock,
        )
        yield Core(
            settings=settings,
            database=database,
            sealer=sealer,
            ledger=ledger,
            redis=redis,
            redis_url=redis_url,
            queue=queue,
            clients=clients,
            watchers=watchers,
            outages=outages,
            run=MirrorRun(engine),
            engine=engine,
            notices=notices,
            metrics=metrics,
            doctor=Doctor(database, redis, queue, clock),
            clock=clock,
        )


def settle() -> None:
    """Called once, when all is loaded and opened: what is there now stays, and the collector leaves it alone.

    A run makes a hundred thousand values at once and drops them at once; the collector, which by default looks
    again at each seven hundred, would find nothing among them and take up to a seventh of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@asynccontextmanager
async def _open_database(settings: Settings) -> AsyncIterator[Database]:
    url = settings.database_url.get_secret_value()
    await migrate.upgrade(url)
    database = Database(make_engine(url, pool_size=max(settings.max_runs, _LEAST_POOL)))
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def _redis_url(settings: Settings) -> AsyncIterator[str]:
    if settings.redis_url is not None:
        yield settings.redis_url.get_secret_value()
        return
    async with EmbeddedRedis(settings.data_dir) as server:
        watching = asyncio.create_task(server.supervise(), name="embedded-redis")
        try:
            yield server.url
        finally:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching


@asynccontextmanager
async def _open_http() -> AsyncIterator[aiohttp.ClientSession]:
    """One session for both clouds: no cookies, and connections kept warm, so that requests leave when they are due."""
    connector = aiohttp.TCPConnector(limit=200, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as http:
        yield http


def policy_of(settings: Settings) -> Policy:
    """What the operator set for owners who set nothing."""
    return Policy(
        weight_grams=settings.vk_weight_price_multiplier,
        stock_constant=settings.vk_stock_amount,
        category=settings.vk_category_id,
        root_group_title=settings.root_group_title,
    )


def _picture(settings: Settings) -> Picture:
    data = settings.vk_default_photo_path.read_bytes()
    return Picture(data, blake2b(data, digest_size=12).hexdigest())


def _terms(settings: Settings) -> Terms:
    held = timedelta(seconds=settings.held_listing_seconds)
    return Terms(
        rhythm=Rhythm(
            full=timedelta(seconds=settings.catalog_refresh_interval_seconds),
            delta=timedelta(seconds=settings.catalog_delta_interval_seconds),
            twin=held,
        ),
        patience=Patience(held=held, overlap=timedelta(seconds=settings.catalog_delta_overlap_seconds)),
        settle=timedelta(seconds=settings.vk_settle_seconds),
        send_within=max(timedelta(seconds=settings.vk_settle_seconds), _LONGEST_LINE),
        adds_per_day=settings.vk_adds_per_day,
    )


async def wanted(core: Core, users: Sequence[UserId]) -> Mapping[UserId, Message]:
    """What the database says is to be done for these users now; nothing for those who are not named."""
    found = {}
    for user, turn in (await core.ledger.turns(users, core.clock())).items():
        if turn.wish is not None:
            found[user] = Message.about(turn.wish.scope, turn.wish.reasons)
        elif turn.is_due:
            found[user] = Message(Scope.DELTA, frozenset({ROUTINE}))
    return found


async def want(core: Core, user: UserId, *, scope: Scope, reason: str) -> None:
    """Wish for a run, then say so to the workers."""
    await core.ledger.want(user, scope=scope, reason=reason, at=core.clock())
    await core.queue.nudge(user)


@asynccontextmanager
async def worker(core: Core, *, wake_postman: Callable[[], None] = nobody) -> AsyncIterator[Supervisor]:
    """Actors, and the jobs that wake them; on the way out runs finish the action in hand."""

    async def crashed(user: UserId, _error: Exception) -> None:
        await core.ledger.set_back(user, at=core.clock())

    async def ask(users: Sequence[UserId]) -> Mapping[UserId, Message]:
        return await wanted(core, users)

    settings = core.settings
    lanes = Lanes(short=max(settings.max_runs // 2, 1), long=max(settings.max_runs - settings.max_runs // 2, 1))
    supervisor = Supervisor(core.run, crashed=crashed, lanes=lanes, clock=core.clock)
    sweeper = Sweeper(
        Sweep(core.database, core.sealer, core.notices.look_round, keep=_keep(settings), clock=core.clock)
    )
    signs = Signs(core.clock)
    roster = Roster(core.redis, core.queue, core.clock)
    context = Context(
        supervisor=supervisor,
        queue=core.queue,
        due=core.ledger,
        wanted=ask,
        clock=core.clock,
        wake_postman=wake_postman,
        wake_sweeper=sweeper.wake,
        beat=Pulse(core.redis).beat,
        crew=roster.crew,
    )
    jobs = Jobs(lambda: open_redis(core.redis_url), context, alone=settings.redis_url is None)
    nurse = Nurse(
        core.doctor,
        signs,
        going=lambda: _going(supervisor),
        interrupt=supervisor.interrupt,
        renew=jobs.renew,
        stuck=core.metrics.stuck.inc,
        was_set_back=SteadyClock(core.clock).was_set_back,
    )
    signing = on_the_roster(roster, states=supervisor.states, most=settings.max_runs)
    async with signing, sweeping(sweeper), nursing(nurse), working(jobs):
        try:
            with core.watchers.joined(signs):
                yield supervisor
        finally:
            jobs.stop()
            await supervisor.stop(settings.stop_grace_seconds)


def _keep(settings: Settings) -> Keep:
    return Keep(
        runs=settings.keep_runs,
        runs_for=timedelta(days=settings.keep_runs_days),
        idle_runs_for=timedelta(days=settings.keep_idle_runs_days),
        results_for=timedelta(days=settings.keep_results_days),
        audit_for=timedelta(days=settings.keep_audit_days),
        letters_for=timedelta(days=settings.keep_letters_days),
        calls_for=timedelta(days=settings.keep_calls_days),
    )


def _going(supervisor: Supervisor) -> tuple[Going, ...]:
    """Those that run; who waits for room is not stuck."""
    return tuple(Going(state.user, state.since) for state in supervisor.states() if state.message is not None)


class Parts(Flag):
    """What one process runs."""

    WEB = auto()
    WORKER = auto()
    ALL = WEB | WORKER
