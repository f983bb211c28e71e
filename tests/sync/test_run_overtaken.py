"""Two runs of one owner at once, where an emptied Redis forgot whose turn it was: the older one makes nothing more.

Neither of them ever hears that its lease is lost.
"""

import asyncio
from typing import Any

from evosync.domain.mirror import RunRecord
from evosync.sandbox.faults import Fault
from tests.sync.world import Owner, World


async def held(owner: Owner, method: str, **fault: Any) -> tuple[asyncio.Task[RunRecord], Fault]:
    """A run whose first call of `method` is held by VK."""
    hold = owner.world.sandbox.fault("hold", method, **fault)
    running = asyncio.create_task(owner.run())
    await owner.world.met(hold)
    return running, hold


async def test_items_that_both_have_planned_are_made_once(world: World) -> None:
    owner = await world.owner(60)
    older, first_items = await held(owner, "market.add")
    newer, its_photos = await held(owner, "upload")
    first_items.release()
    assert (await older).outcome == "cut"
    its_photos.release()
    await newer
    await owner.settled()
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == 60


async def test_a_run_that_read_the_shop_before_another_filled_it_makes_neither_albums_nor_items(world: World) -> None:
    owner = await world.owner(12)
    older, its_reading = await held(owner, "market.get*", when="after")
    assert (await owner.run()).outcome == "ok"
    its_reading.release()
    assert (await older).outcome == "cut"
    await owner.run()
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == 12
    assert owner.community.writes["market.addAlbum"] == 2


async def test_a_price_is_not_set_back_by_a_run_that_read_an_older_one(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=111)
    older, its_reading = await held(owner, "market.get*", when="after")
    owner.change(bun, price=222)
    assert (await owner.run()).outcome == "ok"
    its_reading.release()
    assert (await older).outcome == "cut"
    assert owner.item(bun).kopecks == 222_00


async def test_what_an_overtaken_run_wrote_last_is_compared_once_more(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=111)
    older, its_edit = await held(owner, "market.edit")
    owner.change(bun, price=222)
    await owner.run()
    its_edit.release()
    await older
    assert owner.item(bun).kopecks == 111_00, "it was on its way already"
    wish = (await owner.turn()).wish
    assert wish is not None
    await owner.run(wish.scope, reasons=wish.reasons)
    assert owner.item(bun).kopecks == 222_00
