"""Troubles that come and go again and again, at moments and in orders drawn from a seed, while business goes on.

The long form alone; once each, in the middle of a first run, they come in tests/hard/test_servers.py, test_clouds.py
and test_processes.py, and in tests/journeys/test_hanging.py, test_idle_jobs.py and test_workers.py.
"""

import asyncio
import contextlib
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from redis.asyncio import Redis
from sqlalchemy import text

from evosync.__main__ import main
from evosync.cli import watchdog
from evosync.db import migrate
from evosync.domain.ids import ProductId
from evosync.domain.marker import marker
from evosync.sandbox.faults import Fault
from evosync.sandbox.state import Sandbox
from tests.hard.disk import filled
from tests.hard.test_bad_hours import AT_EVOTOR, is_idle
from tests.hard.test_poison import ODD_IDS, POISON, assert_unharmed
from tests.hard.test_processes import hours_pass
from tests.journeys.impatient import impatient_worker
from tests.journeys.line import Line, line_to
from tests.journeys.process import Process, _begun, _take_over, environment
from tests.journeys.test_hanging import LIMIT, searches_for_good, sleeps_for_good, sleeps_in_the_log
from tests.journeys.test_workers import run_times
from tests.journeys.trade import Trade, in_step
from tests.journeys.workers import Crew, business, done, until, wish, workers
from tests.services import MariaDB, RedisServer
from tests.sync.world import Owner, World, open_world

PRODUCTS = 20
SHOPS = 2
TIMES = 12
SLOWLY = {"VK_REQUESTS_PER_SECOND": "8", "VK_BATCH_LIMIT": "5", "VK_SETTLE_SECONDS": "2"}
"""So that a run takes seconds, and most of what comes finds one under way."""

pytestmark = [pytest.mark.soak, pytest.mark.timeout(300)]
seeds = pytest.mark.parametrize("seed", range(1, 6))
few_seeds = pytest.mark.parametrize("seed", range(1, 4))

Trouble = Callable[[random.Random], AbstractAsyncContextManager[None]]


async def trade_of(world: World, redis_url: str, seed: int, *, products: int = PRODUCTS, shops: int = SHOPS) -> Trade:
    """Of shops that were never mirrored."""
    owners = [await world.owner(products) for _ in range(shops)]
    return Trade(random.Random(seed), world, owners, redis_url)


async def comes_and_goes(trade: Trade, trouble: Trouble, *, times: int = TIMES) -> None:
    """Each time for some requests, or where nobody can make one, for up to some seconds: longer than a lease."""
    struck = 0
    await trade.wake()
    await until(trade.is_busy)
    for _ in range(times):
        if not await trade.some_requests():
            await trade.wake()
            await trade.some_requests()
        struck += await trade.is_busy()
        async with trouble(trade.dice):
            business(trade.dice.choice(trade.owners), trade.dice)
            await trade.some_requests(trade.dice.choice((0.2, 1, 4)))
        await trade.goes_on()
    assert struck > times // 2, "too few came in the middle of a run"


async def all_are_stopped(processes: Sequence[Process]) -> None:
    assert [await process.stop() for process in processes] == [0] * len(processes)


# servers


@asynccontextmanager
async def slow(line: Line, dice: random.Random) -> AsyncIterator[None]:
    line.seconds = dice.choice((0.02, 0.1, 0.8))
    yield
    line.seconds = 0


@asynccontextmanager
async def read_only(mariadb: MariaDB, _dice: random.Random) -> AsyncIterator[None]:
    await asyncio.to_thread(mariadb.execute, "SET GLOBAL read_only = 1")
    yield
    await asyncio.to_thread(mariadb.execute, "SET GLOBAL read_only = 0")


@asynccontextmanager
async def locked(mariadb: MariaDB, _dice: random.Random) -> AsyncIterator[None]:
    with contextlib.ExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, mariadb.locked())
        yield


@seeds
@pytest.mark.parametrize("how", ["slow", "locked", "read-only"])
async def test_a_mariadb_that_is_slow_or_takes_no_writes_again_and_again_costs_no_item(
    falling_world: World,
    private_mariadb: MariaDB,
    private_url: str,
    redis_url: str,
    tmp_path: Path,
    how: str,
    seed: int,
) -> None:
    trade = await trade_of(falling_world, redis_url, seed)
    async with line_to(private_mariadb.for_an_app(private_url)) as (line, road):
        troubles: dict[str, Trouble] = {
            "slow": partial(slow, line),
            "locked": partial(locked, private_mariadb),
            "read-only": partial(read_only, private_mariadb),
        }
        environ = environment(falling_world, tmp_path / "service", database=road, redis=redis_url) | SLOWLY
        async with workers(tmp_path / "service", environ, 2) as working:
            await comes_and_goes(trade, troubles[how])
            await trade.ends_well()
            await all_are_stopped(working)


@seeds
async def test_a_redis_that_is_out_of_memory_again_and_again_costs_no_item(
    mariadb_world: World, mariadb_url: str, private_redis: RedisServer, tmp_path: Path, seed: int
) -> None:
    trade = await trade_of(mariadb_world, private_redis.url, seed)
    environ = environment(mariadb_world, tmp_path / "service", database=mariadb_url, redis=private_redis.url) | SLOWLY

    @asynccontextmanager
    async def out_of_memory(_dice: random.Random) -> AsyncIterator[None]:
        await redis.config_set("maxmemory", "1")
        yield
        await redis.config_set("maxmemory", "0")

    async with (
        workers(tmp_path / "service", environ, 2) as working,
        Redis.from_url(private_redis.url) as redis,
    ):
        await comes_and_goes(trade, out_of_memory)
        await trade.ends_well()
        await all_are_stopped(working)


@seeds
async def test_a_disk_that_is_full_again_and_again_costs_no_item(
    small_disk: Path, redis_url: str, tmp_path: Path, seed: int
) -> None:
    database = f"sqlite+aiosqlite:///{small_disk / 'evosync.sqlite3'}"
    await migrate.upgrade(database)

    @asynccontextmanager
    async def full(dice: random.Random) -> AsyncIterator[None]:
        with filled(small_disk, but=dice.choice((0, 0, 5_000, 50_000))):
            yield

    async with open_world(Sandbox(), database) as world:
        trade = await trade_of(world, redis_url, seed)
        environ = environment(world, tmp_path / "service", database=database, redis=redis_url) | SLOWLY
        async with workers(tmp_path / "service", environ, 1) as working:
            await comes_and_goes(trade, full)
            await trade.ends_well()
            await all_are_stopped(working)
        async with world.database.reading() as connection:
            assert await connection.scalar(text("PRAGMA integrity_check")) == "ok"


# lines and processes


@few_seeds
@pytest.mark.parametrize("server", ["MariaDB", "Redis"])
async def test_a_line_that_goes_deaf_again_and_again_costs_no_item(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path, server: str, seed: int
) -> None:
    trade = await trade_of(mariadb_world, redis_url, seed)
    async with line_to(mariadb_url if server == "MariaDB" else redis_url) as (line, road):
        database, redis = (road, redis_url) if server == "MariaDB" else (mariadb_url, road)
        environ = environment(mariadb_world, tmp_path / "service", database=database, redis=redis) | SLOWLY

        @asynccontextmanager
        async def deaf(_dice: random.Random) -> AsyncIterator[None]:
            line.go_deaf()
            yield

        with (
            impatient_worker(tmp_path / "service", environ) as one,
            impatient_worker(tmp_path / "service", environ) as two,
        ):
            await comes_and_goes(trade, deaf, times=4)
            await trade.ends_well()
            await all_are_stopped([one, two])


HOLDS = {signal.SIGUSR1: sleeps_for_good, signal.SIGUSR2: searches_for_good, signal.SIGHUP: sleeps_in_the_log}
"""What a signal sets going in the thread of the loop, whatever that does just then."""


def _holdable(output: str, environ: Mapping[str, str], arguments: Sequence[str]) -> None:
    _take_over(output, environ)
    # In a process of its own, which nobody else uses.
    vars(watchdog).update(LIMIT=LIMIT, _LAST_WORDS=1.0)

    def hold(number: int, _frame: FrameType | None) -> None:
        HOLDS[signal.Signals(number)]()

    for number in HOLDS:
        signal.signal(number, hold)
    sys.exit(main(arguments))


@contextmanager
def holdable_worker(folder: Path, environ: Mapping[str, str]) -> Iterator[Process]:
    with _begun(_holdable, folder, dict(environ), ("worker", "--port", "0")) as process:
        yield process


@few_seeds
async def test_event_loops_that_are_held_again_and_again_at_any_moment_cost_no_item(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    trade = await trade_of(mariadb_world, redis_url, seed)
    environ = environment(mariadb_world, tmp_path / "service", database=mariadb_url, redis=redis_url) | SLOWLY
    async with AsyncExitStack() as stack:
        crew = Crew(stack, partial(_holdable_one, tmp_path / "service", environ))

        @asynccontextmanager
        async def held(dice: random.Random) -> AsyncIterator[None]:
            victim = dice.choice(crew.hands)
            await until(lambda: _serves(victim))
            how = dice.choice(list(HOLDS))
            victim.send(how)
            yield
            assert await victim.ended() in {watchdog.ENDED, -signal.SIGPROF}
            assert f"in {HOLDS[how].__name__}" in victim.said
            await crew.replace_the_dead()

        for _ in range(2):
            await crew.begin()
        await comes_and_goes(trade, held, times=5)
        await trade.ends_well()
        await all_are_stopped(crew.hands)


@asynccontextmanager
async def _holdable_one(folder: Path, environ: Mapping[str, str]) -> AsyncIterator[Process]:
    with holdable_worker(folder, environ) as process:
        yield process


async def _serves(process: Process) -> bool:
    return "serving" in process.said


# the till


@seeds
async def test_products_that_are_poisoned_and_healed_again_and_again_harm_no_other(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    trade = await trade_of(mariadb_world, redis_url, seed)
    environ = environment(mariadb_world, tmp_path / "service", database=mariadb_url, redis=redis_url) | SLOWLY
    wells = [Well(owner, trade.dice) for owner in trade.owners]
    async with workers(tmp_path / "service", environ, 2) as working:
        await trade.wake()
        for _ in range(TIMES):
            await trade.some_requests()
            trade.dice.choice(wells).poison()
            await trade.goes_on()
            await trade.some_requests()
            trade.dice.choice(wells).heal(1)
        for well in wells:
            well.poison()
            await in_step(well.owner, redis_url)
            well.assert_harmless()
            well.heal(2 * len(POISON))
        await trade.ends_well()
        await all_are_stopped(working)
    assert not [process for process in working if '"level":"error"' in process.said]


class Well:
    """What poison there is in an owner's till."""

    def __init__(self, owner: Owner, dice: random.Random) -> None:
        self.owner = owner
        self._dice = dice
        self._kinds = dice.sample(sorted(POISON), len(POISON))
        self._healthy: dict[str, dict[str, object] | None] = {}

    def poison(self) -> None:
        """A product that was well until now, and one with an odd id that was not there."""
        store = self.owner.store
        victim = self._dice.choice([product for product in store.products.values() if product.id not in self._healthy])
        healthy, poisoned = dict(victim.fields), victim.fields | POISON[self._kinds.pop()]
        odd = f"{self._dice.choice(sorted(ODD_IDS.values()))} {len(self._kinds)}"
        self._healthy |= {victim.id: healthy, odd: None}
        for ident in (victim.id, odd):
            store.put_product(ident, poisoned)

    def heal(self, most: int) -> None:
        """Of those that are still sold; who has an odd id is sold no more."""
        store = self.owner.store
        sold = sorted(self._healthy.keys() & store.products.keys())
        for ident in self._dice.sample(sold, min(most, len(sold))):
            healthy = self._healthy.pop(ident)
            if healthy is None:
                store.remove_product(ident)
            else:
                store.put_product(ident, healthy)

    def assert_harmless(self) -> None:
        well = [product for product in self.owner.store.products.values() if product.id not in self._healthy]
        assert_unharmed(self.owner, well)


@seeds
async def test_a_hundred_nudges_at_any_moment_of_a_run_are_three_runs_at_most(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    world = mariadb_world
    trade = await trade_of(world, redis_url, seed)
    environ = environment(world, tmp_path / "service", database=mariadb_url, redis=redis_url) | SLOWLY
    async with workers(tmp_path / "service", environ, 2) as working:
        for _ in range(6):
            owner = trade.dice.choice(trade.owners)
            before = len(await run_times(world, owner.user))
            token, when = trade.dice.choice((owner.cloud_token, owner.vk_token)), trade.dice.choice(("before", "after"))
            hold = world.sandbox.fault("hold", "*", token=token, when=when, skip=trade.dice.randrange(3))
            business(owner, trade.dice)
            await wish(world, redis_url, owner)
            await world.met(hold)
            business(owner, trade.dice)
            await wish(world, redis_url, owner, times=100)
            hold.release()
            await until(partial(done, owner))
            assert 1 <= len(await run_times(world, owner.user)) - before <= 3
        await trade.ends_well()
        await all_are_stopped(working)


LIES: list[dict[str, Any]] = [
    *AT_EVOTOR.values(),
    {"kind": "empty_list", "method": "evotor.groups"},
    {"kind": "http", "method": "evotor.products", "status": 402},
]


@seeds
async def test_hours_in_which_evotor_lies_refuses_or_is_not_paid_in_the_middle_of_runs_hide_nothing(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    world = sqlite_world
    # So many that a half page always lacks too much, also where new goods make up for some of it.
    trade = await trade_of(world, redis_url, seed, products=60, shops=1)
    (owner,) = trade.owners
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    hours = trade.dice.sample(LIES * 2, len(LIES) * 2)
    struck = 0
    async with workers(tmp_path / "service", environ, 1) as working:
        for lies in zip(hours[::2], hours[1::2], strict=True):
            await trade.wake()
            for lie in lies:
                await trade.some_requests()
                fault = world.sandbox.fault(**lie, times=None)
                await trade.goes_on()
                struck += await has_struck(fault)
                if trade.dice.random() < 0.5:
                    await trade.some_requests(2)
                    world.sandbox.faults.clear()
                else:
                    await until(lambda: is_idle(owner))
                assert_all_shown(owner)
            world.sandbox.faults.clear()
            await until(lambda: is_idle(owner))
            await hours_pass(owner, 7)  # six of them rests a store that was not paid for
            await in_step(owner, redis_url)
            owner.assert_mirrored()
        await trade.ends_well()
        await all_are_stopped(working)
    assert struck >= len(LIES), "too few came before the worker"


async def has_struck(fault: Fault) -> bool:
    """Soon; not at all where an earlier one keeps the worker from asking."""
    try:
        async with asyncio.timeout(3):
            await fault.reached.wait()
    except TimeoutError:
        return False
    return True


def assert_all_shown(owner: Owner) -> None:
    """Of what the till sells and VK has."""
    sold = {marker(ProductId(product)) for product in owner.store.products}
    assert not [item.name for item in owner.items if item.hidden and item.sku in sold]
