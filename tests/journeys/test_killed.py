"""kill -9 of the service at any moment: nothing is doubled, nothing is lost."""

import asyncio
import random
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.journeys.process import environment, mirror_run
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
