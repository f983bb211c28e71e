"""Where products are said to stand: at the end of a run that is what is so, whatever came before."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select, update

from evosync.db import glance
from evosync.db.tables import cached_products, sync_configs
from evosync.domain.mirror import Scope
from tests.sync.test_run_mended import LONG, killed, wished
from tests.sync.world import Owner, World


async def of_all_stores(owner: Owner) -> set[str | None]:
    """The standings of all rows, those that none has alike."""
    async with owner.world.database.reading() as connection:
        c = cached_products.c
        return set((await connection.execute(select(c.status).where(c.user_id == owner.user))).scalars())


async def follow_the_stock(owner: Owner) -> None:
    await owner.world.database.write(
        lambda connection: connection.execute(update(sync_configs).values(stock_mode="till"))
    )


def other_group(owner: Owner, than: str) -> str:
    return next(group.id for group in owner.store.groups.values() if group.id != than)


async def test_a_price_that_a_dead_run_had_put_right_in_vk_is_not_on_its_way_for_ever(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    world.sandbox.change_item(owner.community.id, owner.item(bun).id, kopecks=1)
    hold = world.sandbox.fault("hold", "market.edit", when="after")
    run = asyncio.create_task(owner.run())
    await world.met(hold)
    await killed(run)
    owner.assert_mirrored()
    assert await owner.status(bun) == "wait_change"
    assert (await wished(owner)).outcome == "ok"
    assert await owner.status(bun) == "in_step"


async def test_a_group_that_was_off_for_a_while_and_left_standing_is_in_step_again(world: World) -> None:
    owner = await world.owner(4)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    await owner.choose(on=False, store=owner.store.id, group=str(bun.parent_id))
    await owner.run()
    assert await owner.status(bun) == "off_group"
    await owner.choose(on=True, store=owner.store.id, group=str(bun.parent_id))
    await owner.run()
    assert await owner.status(bun) == "in_step"


async def test_a_product_that_was_gone_for_a_while_and_left_standing_is_in_step_again(world: World) -> None:
    owner = await world.owner(4)
    await world.database.write(lambda connection: connection.execute(update(sync_configs).values(when_gone="leave")))
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.store.remove_product(bun.id)
    await owner.run()
    assert await owner.status(bun) == "left_gone"
    owner.store.products[bun.id] = bun
    await owner.run()
    assert await owner.status(bun) == "in_step"


async def test_the_album_that_a_dead_run_had_put_an_item_into_is_remembered_and_left_when_the_product_moves(
    world: World,
) -> None:
    owner = await world.owner(3)
    hold = world.sandbox.fault("hold", "market.addToAlbum", when="after")
    run = asyncio.create_task(owner.run())
    await world.met(hold)
    await killed(run)
    hold.release()
    await wished(owner)
    with world.counting_rows() as written:
        await owner.run()
    assert not written.keys() & {"item_links", "cached_products"}, "what is known need not be learnt again"
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, parent_id=other_group(owner, str(bun.parent_id)))
    await owner.run()
    owner.assert_mirrored()


async def test_an_album_that_a_dead_run_had_taken_an_item_out_of_is_forgotten(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, parent_id=other_group(owner, str(bun.parent_id)))
    hold = world.sandbox.fault("hold", "market.removeFromAlbum", when="after")
    run = asyncio.create_task(owner.run())
    await world.met(hold)
    await killed(run)
    hold.release()
    await wished(owner)
    owner.assert_mirrored()
    assert {(await owner.links())[bun.id].album} == owner.item(bun).album_ids.keys()


async def test_no_album_hides_nothing_that_matters_more(world: World) -> None:
    owner = await world.owner(6)
    await follow_the_stock(owner)
    bun, roll, *_ = owner.store.products.values()
    owner.change(roll, quantity=0)
    world.sandbox.fault("error", "market.addToAlbum", code=100, times=None)
    await owner.run()
    assert await owner.status(roll) == "sold_out"
    owner.change(bun, price=777)
    world.sandbox.fault("error", "market.edit", code=100, times=None)
    for _ in range(2):
        await owner.run()
        assert await owner.status(bun) == "refused_field"
        assert await owner.status(roll) == "sold_out"


async def test_what_an_overtaken_run_thought_is_not_said_any_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner(3)
    await follow_the_stock(owner)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    await owner.choose(on=False, store=owner.store.id, group=str(bun.parent_id))
    await owner.run()
    await owner.choose(on=True, store=owner.store.id, group=str(bun.parent_id))
    frozen, thawed = asyncio.Event(), asyncio.Event()
    save = world.ledger.save_statuses

    async def freeze(*args: Any, **values: Any) -> None:
        if not frozen.is_set():
            frozen.set()
            await thawed.wait()
        await save(*args, **values)

    monkeypatch.setattr(world.ledger, "save_statuses", freeze)
    old = asyncio.create_task(owner.run())
    await frozen.wait()
    owner.change(bun, quantity=0)
    await owner.run()
    thawed.set()
    await asyncio.wait({old})
    await owner.run()
    assert owner.item(bun).stock == 0
    assert await owner.status(bun) == "sold_out"


async def test_what_a_second_store_sells_too_is_said_to_stand_there_as_well_at_once(world: World) -> None:
    owner = await world.owner(3, stores=2)
    await owner.run()
    first, second = owner.stores
    group = second.add_group("Хлеб")
    for product in list(first.products.values()):
        second.add_product(
            product.name, product.price, product_id=product.id, parent_id=group.id, description=LONG, quantity=5
        )
    await owner.choose(on=False, store=second.id)
    await owner.run()
    assert await of_all_stores(owner) == {"in_step"}


async def test_a_store_that_vanished_leaves_no_problems_behind(world: World) -> None:
    owner = await world.owner(3, stores=2)
    second = owner.stores[1]
    owner.stock(1, store=second)
    await owner.run()
    account = next(one for one in world.sandbox.accounts.values() if second.id in one.stores)
    del account.stores[second.id]
    for _ in range(3):
        world.clock.forward(minutes=70)
        await owner.run()
    async with world.database.reading() as connection:
        assert await glance.count_problems(connection, owner.user) == 0


async def test_a_receipt_counts_each_product_once(world: World) -> None:
    owner = await world.owner(8)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, name="Совсем новое имя у булки")
    world.sandbox.fault("error", "market.edit", code=100, times=3)
    await owner.run()
    assert await owner.status(bun) == "refused_field"
    for _ in range(2):
        tally = (await owner.run()).tally
        assert (tally.products, tally.unchanged, tally.skipped) == (8, 7, 1)


async def test_of_a_product_that_was_never_in_vk_it_is_not_said_that_its_listing_is_gone(world: World) -> None:
    owner = await world.owner(4)
    bun = next(iter(owner.store.products.values()))
    world.sandbox.fault("error", "market.add", code=100, times=None)
    await owner.run()
    owner.store.remove_product(bun.id)
    world.sandbox.faults.clear()
    await owner.run(Scope.FULL)
    assert await owner.status(bun) not in {"hidden_gone", "left_gone"}
