"""kill -9 of the service at any moment: nothing is doubled, nothing is lost.

Two ways to choose the moment: at random in a first run, and when VK has just got, or just done, a certain call while
the shop's business goes on.
"""

import asyncio
import random
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.journeys.process import Process, environment, mirror_run
from tests.journeys.workers import done, until, wish, workers
from tests.sync.world import Owner, World

METHODS = (
    "market.add", "market.add", "market.add", "market.edit", "market.addAlbum", "market.addToAlbum",
    "market.saveProductPhotoBulk", "market.get", "execute", "execute", "evotor.products",
)  # fmt: skip


async def business(owner: Owner, dice: random.Random) -> None:
    """Meanwhile the shop goes on: prices change, goods come and go, the owner lays hands on VK."""
    products = list(owner.store.products.values())
    for product in dice.sample(products, 3):
        owner.change(product, price=dice.randrange(10, 1000))
    owner.stock(2)
    if dice.random() < 0.3:
        owner.store.remove_product(dice.choice(products).id)
    if owner.items and dice.random() < 0.3:
        owner.world.sandbox.change_item(owner.community.id, dice.choice(owner.items).id, kopecks=1)


async def kill_again_and_again(
    world: World, folder: Path, database: str, redis_url: str, *, times: int, seed: int
) -> None:
    dice = random.Random(seed)
    owner = await world.owner(20)
    environ = environment(world, folder, database=database, redis=redis_url)
    redis = Redis.from_url(redis_url)
    struck = 0
    for _ in range(times):
        await business(owner, dice)
        hold = world.sandbox.fault(
            "hold", dice.choice(METHODS), when=dice.choice(("before", "after")), skip=dice.choice((0, 0, 1, 3, 7))
        )
        async with mirror_run(folder, environ, owner.user) as process:
            ended, met = asyncio.ensure_future(process.ended()), asyncio.ensure_future(hold.reached.wait())
            await asyncio.wait({ended, met}, timeout=dice.uniform(1, 4), return_when=asyncio.FIRST_COMPLETED)
            struck += hold.reached.is_set()
            await process.kill()
            met.cancel()
            await ended
        world.sandbox.faults.clear()
        # Its time passes: nobody else takes the owner up before.
        await redis.delete(f"lease:{owner.user}")
        assert owner.community.duplicates() == {}
    await redis.aclose()
    assert struck > times // 4, "too few kills came in the middle of a call"
    await owner.run()
    await owner.settled()
    assert_all_there(owner)
    before = owner.writes()
    record = await owner.run()
    assert (record.outcome, owner.writes()) == ("ok", before)


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
                # Its time passes, and that of the job that the worker may have had in hand.
                await redis.delete(f"lease:{owner.user}", f"arq:in-progress:nudge:{owner.user}")
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
