"""kill -9 of the service at any moment: nothing is doubled, nothing is lost.

Three ways to choose the moment: at random in a first run, when VK has just got, or just done, a certain call while
the shop's business goes on, and at random from the start of the whole service on.
"""

import asyncio
import contextlib
import random
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.hard.sees import sees
from tests.journeys.process import Process, command, environment, mirror_run
from tests.journeys.workers import business, done, time_passes, until, wish, workers
from tests.sync.world import Owner, World

METHODS = (
    "market.add", "market.add", "market.add", "market.edit", "market.addAlbum", "market.addToAlbum",
    "market.saveProductPhotoBulk", "market.get", "execute", "execute", "evotor.products",
)  # fmt: skip


async def kill_again_and_again(
    world: World, folder: Path, database: str, redis_url: str, *, times: int, seed: int
) -> None:
    dice = random.Random(seed)
    owner = await world.owner(20)
    environ = environment(world, folder, database=database, redis=redis_url)
    redis = Redis.from_url(redis_url)
    struck = 0
    for _ in range(times):
        business(owner, dice)
        hold = world.sandbox.fault(
            "hold", dice.choice(METHODS), when=dice.choice(("before", "after")), skip=dice.choice((0, 0, 1, 3, 7))
        )
        before = len(world.sandbox.ledger.arrivals)
        async with mirror_run(folder, environ, owner.user) as process:
            ended, met = asyncio.ensure_future(process.ended()), asyncio.ensure_future(hold.reached.wait())
            await until(partial(_has_asked, world, before))  # however slowly it begins
            await asyncio.wait({ended, met}, timeout=dice.uniform(0.5, 3), return_when=asyncio.FIRST_COMPLETED)
            struck += hold.reached.is_set()
            await process.kill()
            met.cancel()
            await ended
        world.sandbox.faults.clear()
        await time_passes(owner, redis)
        assert owner.community.duplicates() == {}
    await redis.aclose()
    assert struck > times // 4, "too few kills came in the middle of a call"
    await owner.run()
    await owner.settled()
    assert_all_there(owner)
    before = owner.writes()
    record = await owner.run()
    assert (record.outcome, owner.writes()) == ("ok", before)


async def _has_asked(world: World, before: int) -> bool:
    return len(world.sandbox.ledger.arrivals) > before


def assert_all_there(owner: Owner) -> None:
    for item in owner.items:
        assert item.sku.startswith("evo-")
    owner.assert_mirrored()


FIRST_RUN_PRODUCTS = 60
FIRST_RUN_SECONDS = 1.2
"""Hardly longer than it takes, so that most kills come before its end."""


async def kill_first_runs(world: World, folder: Path, database: str, redis_url: str, *, times: int, seed: int) -> None:
    """A worker is killed and another started until so many kills struck a first run, each owner's until it is done."""
    dice = random.Random(seed)
    environ = environment(world, folder, database=database, redis=redis_url)
    world.sandbox.latency.vk_request = 0.05
    redis = Redis.from_url(redis_url)
    struck = 0
    while struck < times:
        owner = await world.owner(FIRST_RUN_PRODUCTS)
        mirrored = False
        while not mirrored:
            await wish(world, redis_url, owner)
            # After the last kill it is left alone.
            limit = dice.uniform(0, FIRST_RUN_SECONDS) if struck < times else 60
            async with workers(folder, environ, 1) as (worker,):
                mirrored = await worked_for(owner, worker, limit)
            if not mirrored:
                struck += 1
                await time_passes(owner, redis)
            assert owner.community.duplicates() == {}
        owner.assert_mirrored()
        assert len(owner.items) == FIRST_RUN_PRODUCTS, "a hidden double is one too many"
    await redis.aclose()


async def worked_for(owner: Owner, worker: Process, seconds: float) -> bool:
    """Kill the worker so long after its first call to VK; whether it was ready before that."""
    before = owner.world.sandbox.ledger.requests("vk")
    await until(lambda: _more_than(owner.world, before))
    try:
        await until(lambda: done(owner), seconds)
    except TimeoutError:
        await worker.kill()
    return await done(owner)


async def _more_than(world: World, requests: int) -> bool:
    return world.sandbox.ledger.requests("vk") > requests


async def test_twenty_kills_at_random_moments_of_first_runs_double_and_lose_nothing(
    world: World, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    times = 15 if database_url.startswith("sqlite") else 5
    await kill_first_runs(world, tmp_path / "service", database_url, redis_url, times=times, seed=5)


@pytest.mark.soak
@pytest.mark.timeout(1700)
@pytest.mark.parametrize("seed", range(5))
async def test_a_thousand_kills_at_random_moments_of_first_runs_double_and_lose_nothing(
    world: World, database_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    await kill_first_runs(world, tmp_path / "service", database_url, redis_url, times=100, seed=seed)


async def test_a_service_killed_twenty_times_doubles_and_loses_nothing(
    world: World, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    times = 20 if database_url.startswith("sqlite") else 5
    await kill_again_and_again(world, tmp_path / "service", database_url, redis_url, times=times, seed=20)


@pytest.mark.soak
@pytest.mark.timeout(1700)
@pytest.mark.parametrize("seed", range(5))
async def test_a_service_killed_hundreds_of_times_doubles_and_loses_nothing(
    world: World, database_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    await kill_again_and_again(world, tmp_path / "service", database_url, redis_url, times=100, seed=seed)


SERVICE_PRODUCTS = 30
SERVICE_SECONDS = 4.0
"""About what it takes from the start of the process over the first reading of the till into the writing."""


class Beginner:
    """An owner who has only just connected: his till was never read. He chooses once he sees his goods, and starts."""

    def __init__(self, owner: Owner, redis_url: str) -> None:
        self.owner = owner
        self._redis_url = redis_url
        self._has_chosen = False

    async def wish(self) -> None:
        await wish(self.owner.world, self._redis_url, self.owner)

    async def is_done(self) -> bool:
        if self._has_chosen:
            return await done(self.owner)
        runs = await self.owner.runs()
        if runs and runs[-1][:2] == ("full", "read_only"):
            await self.owner.choose(on=True)
            self._has_chosen = True
            await self.wish()
        return False


async def kill_services(world: World, folder: Path, database: str, redis_url: str, *, times: int, seed: int) -> None:
    """`evosync serve` is killed: one time so long after its process began, the next when VK has just made an item."""
    dice = random.Random(seed)
    environ = environment(world, folder, database=database, redis=redis_url, VK_BATCH_LIMIT="3")
    world.sandbox.latency.evotor = 0.1
    world.sandbox.latency.vk_request = 0.4  # half of it between what VK does and its answer
    moments = [(turn + dice.random()) / times * SERVICE_SECONDS if turn % 2 == 0 else None for turn in range(times)]
    redis = Redis.from_url(redis_url)
    before_the_till = 0
    while moments:
        beginner = Beginner(await world.owner(SERVICE_PRODUCTS, chosen=False), redis_url)
        owner, mirrored = beginner.owner, False
        while not mirrored:
            await beginner.wish()
            asked = world.sandbox.ledger.requests("evotor")
            # After the last kill it is left alone.
            moment = moments.pop(0) if moments else LONG
            more = len(owner.items) + dice.randrange(1, 10) if moment is None else None
            async with command(folder, environ, "serve", "--port", "0") as service:
                mirrored = await served_for(beginner, service, moment or LONG, items=more)
            if not mirrored:
                before_the_till += world.sandbox.ledger.requests("evotor") == asked
                await time_passes(owner, redis)
            assert owner.community.duplicates() == {}
        owner.assert_mirrored()
        assert len(owner.items) == owner.community.writes["market.add"] == SERVICE_PRODUCTS
        assert (await sees(owner)).title == "In step with the till"
    await redis.aclose()
    assert before_the_till, "no kill came before the first call to a cloud"


LONG = 60.0


async def served_for(beginner: Beginner, service: Process, seconds: float, *, items: int | None) -> bool:
    """Kill the service so long after its process began, or at so many items; whether the shop was done before that."""

    async def is_time() -> bool:
        return (items is not None and len(beginner.owner.items) >= items) or await beginner.is_done()

    with contextlib.suppress(TimeoutError):
        await until(is_time, seconds)
    if not await beginner.is_done():
        await service.kill()
    return await beginner.is_done()


async def test_the_whole_service_killed_from_its_very_start_doubles_and_loses_nothing(
    world: World, database_url: str, redis_url: str, tmp_path: Path
) -> None:
    await kill_services(world, tmp_path / "service", database_url, redis_url, times=3, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(1700)
@pytest.mark.parametrize("seed", range(2, 7))
async def test_the_whole_service_killed_many_times_from_its_very_start_doubles_and_loses_nothing(
    world: World, database_url: str, redis_url: str, tmp_path: Path, seed: int
) -> None:
    await kill_services(world, tmp_path / "service", database_url, redis_url, times=40, seed=seed)


async def test_an_owner_whose_worker_was_killed_reads_updating_and_a_minute_later_in_the_queue(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world = sqlite_world
    owner = await world.owner(10)
    environ = environment(world, tmp_path / "service", database=sqlite_url, redis=redis_url)
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=3)
    async with workers(tmp_path / "service", environ, 1) as (worker,):
        await wish(world, redis_url, owner)
        await world.met(hold)
        await worker.kill()
    hold.release()
    seen = await sees(owner)
    assert (seen.state, seen.title, seen.whose_move) == ("running", "Updating the shop", "we")
    world.clock.forward(minutes=1)  # nobody takes it up
    seen = await sees(owner)
    assert (seen.state, seen.title, seen.whose_move) == ("queued", "The update is in the queue", "we")
