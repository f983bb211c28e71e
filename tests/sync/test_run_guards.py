"""What a run refuses to do to a shop, and what it does to things done by hand."""

import pytest
from sqlalchemy import delete

from evosync.db.tables import item_links
from evosync.domain.errors import Side
from evosync.domain.guard import Finding
from tests.sync.world import World


@pytest.mark.parametrize("percent", [10_000, 1])
async def test_prices_read_back_a_hundred_times_off_stop_the_shop_at_the_first_batch(
    world: World, percent: int
) -> None:
    owner = await world.owner(60)
    world.sandbox.vk.price_read_percent = percent
    record = await owner.run()
    assert (record.outcome, record.code) == ("held", "prices")
    assert 0 < len(owner.items) <= 9
    assert world.bell.broken == [(Side.VK, "prices")]
    (told,) = [Finding.read(text) for text in record.notes["guard"]]
    assert told is not None
    assert told.got == told.wanted * percent // 100
    written = owner.writes()
    for _ in range(3):
        await owner.next_turn()
    assert owner.writes() == written
    assert len(world.bell.broken) == 1


async def test_edits_are_guarded_as_well_as_creates(world: World) -> None:
    owner = await world.owner(60)
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.change(product, price=float(product.price or 0) * 3)
    world.sandbox.vk.price_read_percent = 1
    edits = owner.community.writes["market.edit"]
    record = await owner.run()
    assert (record.outcome, record.code) == ("held", "prices")
    assert owner.community.writes["market.edit"] - edits <= 8


async def test_a_community_that_does_not_count_in_roubles_is_refused_until_it_does(world: World) -> None:
    owner = await world.owner(3)
    owner.community.currency = 398
    record = await owner.run()
    assert (record.outcome, record.code) == ("held", "currency")
    assert (owner.writes(), owner.items) == (0, [])
    assert world.bell.broken == [(Side.VK, "currency")]
    owner.community.currency = 643
    assert (await owner.run()).outcome == "ok"
    owner.assert_mirrored()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"market_enabled": False}, "VK 1438"),
        ({"deactivated": "banned"}, "deactivated"),
        ({"levels": {}}, "VK 7"),
    ],
)
async def test_a_community_that_must_not_be_written_to_is_left_alone(
    world: World, change: dict[str, object], code: str
) -> None:
    owner = await world.owner(3)
    before = {name: getattr(owner.community, name) for name in change}
    for name, value in change.items():
        setattr(owner.community, name, value)
    record = await owner.run()
    assert record.outcome == "failed"
    assert owner.writes() == 0
    assert len(world.bell.broken) == 1
    for name, value in before.items():
        setattr(owner.community, name, value)
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()


async def test_what_the_owner_changed_by_hand_is_set_back_and_counted(world: World) -> None:
    owner = await world.owner(4)
    await owner.run()
    first, second, *_ = owner.store.products.values()
    world.sandbox.change_item(owner.community.id, owner.item(first).id, kopecks=1)
    world.sandbox.change_item(owner.community.id, owner.item(second).id, name="Не та булка")
    record = await owner.run()
    assert (record.outcome, record.tally.updated, record.tally.hand_edits) == ("ok", 2, 2)
    assert {line[:3] for line in await owner.results(record)} == {
        (first.id, "updated", "by_hand"), (second.id, "updated", "by_hand")
    }  # fmt: skip
    owner.assert_mirrored()


async def test_an_item_that_is_gone_and_shown_by_hand_is_hidden_again_and_counted(world: World) -> None:
    owner = await world.owner(4)
    await owner.run()
    gone = next(iter(owner.store.products.values()))
    owner.store.remove_product(gone.id)
    hidden = await owner.run()
    assert (hidden.tally.hidden, hidden.tally.hand_edits) == (1, 0)
    world.sandbox.change_item(owner.community.id, owner.item(gone).id, hidden=False)
    again = await owner.run()
    assert (again.tally.hidden, again.tally.hand_edits, owner.item(gone).hidden) == (1, 1, True)


async def test_the_owners_own_items_and_albums_are_never_touched(world: World) -> None:
    owner = await world.owner(4)
    album = world.sandbox.add_album(owner.community.id, "Торты на заказ")
    cake = world.sandbox.add_item(owner.community.id, "Торт на заказ", 100_000, album_ids=[album.id], sku="мой-1")
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.store.remove_product(product.id)
    world.clock.forward(minutes=1)
    await owner.run()
    world.clock.forward(minutes=6)
    await owner.run()
    assert cake.history == []
    assert not cake.hidden
    assert list(album.item_ids) == [cake.id]


async def test_a_product_gone_from_the_till_is_hidden_and_comes_back_as_the_same_item(world: World) -> None:
    owner = await world.owner(5)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    item = owner.item(bun)
    owner.store.remove_product(bun.id)
    record = await owner.run()
    assert (record.tally.hidden, item.hidden) == (1, True)
    owner.store.put_product(bun.id, bun.fields)
    record = await owner.run()
    assert (record.tally.shown, record.tally.created, item.hidden) == (1, 0, False)
    owner.assert_mirrored()


async def test_a_double_of_an_item_is_hidden_and_never_deleted(world: World) -> None:
    owner = await world.owner(2)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    kept = owner.item(bun)
    double = world.sandbox.add_item(owner.community.id, bun.name, kept.kopecks, sku=kept.sku)
    record = await owner.run()
    assert (double.hidden, double.removed_at, kept.hidden) == (True, None, False)
    assert record.notes["doubles"]
    before = owner.writes()
    await owner.run()
    assert owner.writes() == before


async def test_an_item_that_stands_there_already_under_its_title_is_adopted(world: World) -> None:
    owner = await world.owner(3)
    bun = next(iter(owner.store.products.values()))
    item = world.sandbox.add_item(owner.community.id, f" {bun.name.upper()} ", 1_00, description="Наш текст о булке.")
    record = await owner.run()
    assert (record.tally.adopted, record.tally.created) == (1, 2)
    assert item.description == "Наш текст о булке."
    assert item.kopecks == 5_100
    assert len(owner.items) == 3


async def test_links_that_were_lost_are_found_again_by_the_marker(world: World) -> None:
    owner = await world.owner(5)
    await owner.run()
    async with world.database.writing() as connection:
        await connection.execute(delete(item_links))
    record = await owner.run()
    assert (record.outcome, record.tally.created) == ("ok", 0)
    owner.assert_mirrored()
