"""A worker that stands still for longer than its lease, as a suspended machine does, and then goes on where it was.

Meanwhile another has taken its owner over and done everything. What the first had handed in to be sent must not leave.
"""

from pathlib import Path

import pytest

from tests.journeys.process import environment
from tests.journeys.workers import done, until, wish, workers
from tests.sync.world import Owner, World

SLOWLY = {"VK_REQUESTS_PER_SECOND": "3", "LEASE_SECONDS": "3"}
"""So that calls wait for their turn, and a lease is soon over."""


async def frozen_at(owner: Owner, method: str, skip: int, folder: Path, database: str, redis_url: str) -> None:
    """A worker is frozen when VK has just done that call; prices change; another does all of it; the first wakes."""
    world = owner.world
    environ = environment(world, folder, database=database, redis=redis_url) | SLOWLY
    async with workers(folder / "one", environ, 1) as (first,):
        hold = world.sandbox.fault("hold", method, when="after", skip=skip)
        await wish(world, redis_url, owner)
        await world.met(hold)
        first.freeze()
        hold.release()
        for product in list(owner.store.products.values()):
            owner.change(product, price=222)
        async with workers(folder / "two", environ, 1):
            await wish(world, redis_url, owner)
            await until(lambda: done(owner))
            owner.assert_mirrored()
            before = owner.writes()
            first.thaw()
            await until(lambda: none_is_lost(owner))
            await until(lambda: done(owner))
    owner.assert_mirrored()
    assert owner.writes() == before


async def none_is_lost(owner: Owner) -> bool:
    """The frozen run was closed as lost by the one after it, and said itself how it ended once it woke."""
    return all(code != "lost" for _, _, code in await owner.runs())


async def test_albums_that_a_frozen_worker_still_wanted_to_make_are_not_made_again(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    owner = await mariadb_world.owner(chosen=False)
    for number in range(15):
        owner.store.add_group(f"Полка {number:02d}")
    owner.stock(15)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await frozen_at(owner, "market.addAlbum", 3, tmp_path, mariadb_url, redis_url)
    assert len(owner.community.albums) == 15


@pytest.mark.soak
async def test_prices_that_a_frozen_worker_still_wanted_to_write_are_not_written(
    mariadb_world: World, mariadb_url: str, redis_url: str, tmp_path: Path
) -> None:
    owner = await mariadb_world.owner(100)
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.change(product, price=111)
    await frozen_at(owner, "market.edit", 20, tmp_path, mariadb_url, redis_url)
    assert {item.kopecks for item in owner.items} == {222_00}
