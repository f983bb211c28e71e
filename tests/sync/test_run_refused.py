"""What VK refused, or gave back other than it was sent, is not taken for written as long as it can be mended."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from evosync.db import troubles
from evosync.domain.ids import CommunityId
from evosync.domain.links import ReadBack, Written
from evosync.sandbox.evotor.till import Product
from evosync.sandbox.vk.shop import Item
from tests.sync.world import Owner, World

NAMED = (100, "price is wrong: invalid: price")
UNNAMED = (19, "Content blocked")


def sent(owner: Owner) -> int:
    """Edits that came to VK, refused ones too."""
    return owner.world.sandbox.ledger.calls["market.edit"]


async def retry(owner: Owner) -> None:
    database, community = owner.world.database, CommunityId(owner.community.id)
    await database.write(lambda connection: troubles.retry(connection, owner.user, community))


async def refused_price(world: World, code: int, message: str) -> tuple[Owner, Product]:
    """A mirrored product whose new price VK refused; two runs long."""
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    world.sandbox.fault("error", "market.edit", code=code, message=message, times=None)
    owner.change(bun, price=52)
    await owner.run()
    await owner.run()
    assert (sent(owner), owner.item(bun).kopecks) == (1, 51_00)
    assert await owner.status(bun) in {"refused_field", "failed"}
    return owner, bun


@pytest.mark.parametrize(("code", "message"), [NAMED, UNNAMED])
async def test_a_refused_price_is_sent_when_the_owner_asks_for_another_try(
    world: World, code: int, message: str
) -> None:
    owner, bun = await refused_price(world, code, message)
    world.sandbox.faults.clear()
    await retry(owner)
    await owner.run()
    assert (owner.item(bun).kopecks, await owner.status(bun)) == (52_00, "in_step")


@pytest.mark.parametrize(("code", "message"), [NAMED, UNNAMED])
async def test_a_refused_price_is_sent_along_with_the_next_change_of_another_field(
    world: World, code: int, message: str
) -> None:
    owner, bun = await refused_price(world, code, message)
    world.sandbox.faults.clear()
    owner.change(bun, name="Булка другая")
    await owner.run()
    owner.assert_mirrored()
    assert (owner.item(bun).kopecks, await owner.status(bun)) == (52_00, "in_step")


async def test_a_price_that_is_refused_again_with_another_field_lets_that_field_through_and_is_not_forgotten(
    world: World,
) -> None:
    owner, bun = await refused_price(world, *NAMED)
    world.sandbox.faults.clear()
    world.sandbox.fault("error", "market.edit", code=100, message="price is wrong: invalid: price")
    owner.change(bun, name="Булка другая")
    for _ in range(3):
        await owner.run()
    assert (owner.item(bun).name, owner.item(bun).kopecks) == ("Булка другая", 51_00)
    assert (sent(owner), await owner.status(bun)) == (3, "refused_field")
    await retry(owner)
    await owner.run()
    owner.assert_mirrored()


async def test_a_price_changed_by_hand_that_vk_will_not_set_back_is_not_forgotten(world: World) -> None:
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    world.sandbox.fault("error", "market.edit", code=100, message="price is wrong: invalid: price")
    world.sandbox.change_item(owner.community.id, owner.item(bun).id, kopecks=7_00)
    await owner.run()
    world.sandbox.change_item(owner.community.id, owner.item(bun).id, name="Булка хозяина")
    await owner.run()
    assert (owner.item(bun).name, owner.item(bun).kopecks) == (bun.name, 7_00)
    owner.change(bun, name="Булка другая")
    await owner.run()
    owner.assert_mirrored()


async def test_another_try_sends_what_is_noted_as_written_but_does_not_stand_in_vk(world: World) -> None:
    owner, bun = await refused_price(world, *NAMED)
    link = (await owner.links())[bun.id]
    written = Written(bun.name, "", 52_00, 1000)
    read = ReadBack(bun.name, owner.item(bun).description, 51_00, 1000, 0)
    link = replace(link, written=written, read_back=read)
    await world.ledger.save_links(owner.user, CommunityId(owner.community.id), [link])
    world.sandbox.faults.clear()
    await retry(owner)
    await owner.run()
    assert (owner.item(bun).kopecks, await owner.status(bun)) == (52_00, "in_step")


async def test_another_try_sends_nothing_that_stands_in_vk_as_the_till_has_it(world: World) -> None:
    owner, bun = await refused_price(world, *NAMED)
    world.sandbox.faults.clear()
    await retry(owner)
    await owner.run()
    (last,) = [write.params for write in owner.item(bun).history if "price" in write.params][-1:]
    assert last["price"] == "52.00"
    assert last.keys().isdisjoint({"name", "description", "stock_amount"})


# a number is changed by hand between a write and its read-back


async def touched_in_between(owner: Owner, method: str, **fields: object) -> Item:
    """A run in which the owner changes an item right after it was written, before it is read back."""
    hold = owner.world.sandbox.fault("hold", method, when="after")
    running = asyncio.create_task(owner.run())
    await owner.world.met(hold)
    item = max(owner.items, key=lambda item: item.id)
    owner.world.sandbox.change_item(owner.community.id, item.id, **fields)
    hold.release()
    assert (await running).outcome == "partial"
    return item


async def test_a_price_changed_by_hand_between_an_edit_and_its_read_back_is_put_right(world: World) -> None:
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    owner.change(bun, price=111)
    await touched_in_between(owner, "market.edit", kopecks=150_00)
    assert (owner.item(bun).kopecks, await owner.status(bun)) == (150_00, "wait_check")
    at = await owner.next_at()
    assert at is not None
    assert at - world.clock() <= timedelta(seconds=42)
    await owner.settled()
    assert (owner.item(bun).kopecks, await owner.status(bun), sent(owner)) == (111_00, "in_step", 2)


async def test_a_price_changed_by_hand_between_a_create_and_its_read_back_is_put_right(world: World) -> None:
    owner = await world.owner(1)
    (bun,) = owner.store.products.values()
    item = await touched_in_between(owner, "market.add", kopecks=150_00, stock=3)
    assert (item.kopecks, await owner.status(bun)) == (150_00, "wait_check")
    await owner.settled()
    owner.assert_mirrored()
    assert (owner.item(bun).stock, await owner.status(bun), sent(owner)) == (1000, "in_step", 1)


async def test_a_stock_changed_by_hand_between_an_edit_and_its_read_back_is_put_right(world: World) -> None:
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    owner.change(bun, allow_to_sell=False)
    item = await touched_in_between(owner, "market.edit", stock=7)
    assert item.stock == 7
    await owner.settled()
    assert (item.stock, await owner.status(bun), sent(owner)) == (0, "hidden_not_for_sale", 2)


async def test_a_vk_that_has_a_price_of_its_own_for_ours_is_written_to_twice_and_no_more(world: World) -> None:
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    world.sandbox.vk.price_read_percent = 102
    owner.change(bun, price=111)
    assert (await owner.run()).outcome == "partial"
    await owner.settled()
    assert (sent(owner), await owner.status(bun)) == (2, "in_step")
    for _ in range(3):
        assert (await owner.run()).outcome == "ok"
    assert sent(owner) == 2


async def test_a_create_to_such_a_vk_is_written_to_once_more(world: World) -> None:
    world.sandbox.vk.price_read_percent = 102
    owner = await world.owner(2)
    assert (await owner.run()).outcome == "partial"
    await owner.settled()
    for _ in range(3):
        assert (await owner.run()).outcome == "ok"
    assert (world.sandbox.ledger.calls["market.add"], sent(owner)) == (2, 2)


async def test_a_price_that_is_never_read_twice_the_same_hurries_no_reading_and_is_sent_once_a_reading(
    world: World,
) -> None:
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    owner.change(bun, price=111)
    await touched_in_between(owner, "market.edit", kopecks=150_00)
    for number in range(1, 4):
        hold = world.sandbox.fault("hold", "market.edit", when="after")
        running = asyncio.create_task(owner.run())
        await world.met(hold)
        world.sandbox.change_item(owner.community.id, owner.item(bun).id, kopecks=150_00 + number)
        hold.release()
        assert ((await running).outcome, sent(owner)) == ("ok", 1 + number)
    await owner.run()
    assert (owner.item(bun).kopecks, await owner.status(bun)) == (111_00, "in_step")
