"""Moments in which something was left half done, or changed behind the mirror's back, and how the next run mends it."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Table, update

from evosync.db import choices
from evosync.db.tables import evotor_connections, sync_configs, vk_connections
from evosync.domain.ids import StoreId
from evosync.domain.mirror import RunRecord, Scope
from evosync.sync.mailbox import Message
from tests.sync.world import Owner, World

LONG = "Описание товара, которое достаточно длинно"


async def killed(run: "asyncio.Task[RunRecord]") -> None:
    run.cancel()
    await asyncio.wait({run})


async def wished(owner: Owner) -> RunRecord:
    """The run that the database asks for, once the dead one's heart has stood still for long enough."""
    owner.world.clock.forward(seconds=60)
    wish = (await owner.turn()).wish
    assert wish is not None
    return await owner.obey(Message.about(wish.scope, wish.reasons))


@pytest.mark.parametrize("scope", [Scope.DELTA, Scope.HINT])
async def test_a_change_that_a_dead_run_had_read_and_not_written_is_written_by_the_next(
    world: World, scope: Scope, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner(6)
    await owner.run()
    world.clock.forward(seconds=200)
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=777)
    stored = asyncio.Event()
    save = world.ledger.save_till

    async def die(*args: Any, **values: Any) -> None:
        await save(*args, **values)
        stored.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "save_till", die)
        run = asyncio.create_task(owner.run(scope, reasons=["hint:" + owner.store.id], stores=[owner.store.id]))
        await stored.wait()
        await killed(run)
    await wished(owner)
    assert owner.item(bun).kopecks == 77_700
    owner.assert_mirrored()


async def test_an_album_that_a_dead_hint_made_is_found_and_not_made_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await world.owner(4)
    await owner.run()
    world.clock.forward(seconds=200)
    await world.database.write(
        lambda connection: choices.set_new_groups(connection, owner.user, StoreId(owner.store.id), on=True)
    )
    group = owner.store.add_group("Новинки")
    owner.store.add_product("Новая булка", 50, product_id="n1", parent_id=group.id, description=LONG, quantity=3)
    made = asyncio.Event()
    save = world.ledger.save_shop

    async def die(*args: Any, **values: Any) -> None:
        if values.get("albums"):
            made.set()
            await asyncio.Event().wait()
        await save(*args, **values)

    with monkeypatch.context() as patch:
        patch.setattr(world.ledger, "save_shop", die)
        run = asyncio.create_task(owner.run(Scope.HINT, stores=[owner.store.id]))
        await made.wait()
        await killed(run)
    await wished(owner)
    owner.store.add_product("Новая булка вторая", 50, product_id="n2", parent_id=group.id, description=LONG, quantity=3)
    await owner.run(Scope.HINT, stores=[owner.store.id])
    assert Counter(album.title for album in owner.community.albums.values())["Новинки"] == 1


async def test_a_long_reading_says_what_vk_lacked_when_it_began_and_not_when_it_ended(world: World) -> None:
    """A create is repeated after two readings without its item: the second must have begun after it was settled."""
    owner = await world.owner(1)
    create = world.sandbox.fault("hold", "market.add")
    run = asyncio.create_task(owner.run())
    await world.met(create)
    await killed(run)
    world.clock.forward(seconds=16)
    for is_done in (False, True):
        page = world.sandbox.fault("hold", "market.get", when="after")
        run = asyncio.create_task(owner.run())
        await world.met(page)
        world.clock.forward(seconds=41)
        if is_done:
            create.release()
        page.release()
        assert (await run).tally.created == 0
    await owner.settled()
    owner.assert_mirrored()


async def test_creates_that_waited_too_long_do_not_leave_any_more(world: World) -> None:
    """As after a process stood still: another one may have made the items meanwhile."""
    world.with_terms(send_within=timedelta(seconds=-1))
    owner = await world.owner(4)
    record = await owner.run()
    assert (record.outcome, record.tally.created, len(owner.items)) == ("partial", 0, 0)
    world.with_terms(send_within=timedelta(seconds=30))
    await owner.settled()
    assert len(owner.items) == 4
    owner.assert_mirrored()


async def test_the_last_store_switched_off_hides_its_goods_where_the_owner_chose_so(world: World) -> None:
    owner = await world.owner(4)
    await owner.run()
    await world.database.write(
        lambda connection: connection.execute(update(sync_configs).values(when_switched_off="hide"))
    )
    await owner.choose(on=False)
    assert (await owner.run()).tally.hidden == 4
    assert all(item.hidden for item in owner.items)


async def test_what_is_gone_from_the_till_is_hidden_also_when_no_store_is_on(world: World) -> None:
    owner = await world.owner(4)
    await owner.run()
    await owner.choose(on=False)
    gone = next(iter(owner.store.products.values()))
    item = owner.item(gone)
    owner.store.remove_product(gone.id)
    await owner.run()
    assert item.hidden


async def test_an_item_that_is_gone_when_it_is_placed_makes_no_second_album(world: World) -> None:
    owner = await world.owner(0)
    await owner.run()
    group = owner.store.add_group("Хлеб")
    await owner.run()
    await owner.choose(on=True)
    for number in range(3):
        name = f"Булка номер {number}"
        owner.store.add_product(name, 50, product_id=f"p{number}", parent_id=group.id, description=LONG, quantity=3)
    world.sandbox.fault("error", "market.addToAlbum", code=1403, times=2)
    await owner.run()
    await owner.settled()
    titles = Counter(album.title for album in owner.community.albums.values())
    assert set(titles.values()) == {1}
    owner.assert_mirrored()


async def test_an_item_found_again_by_its_marker_is_put_right_even_after_vk_made_that_wait(world: World) -> None:
    owner = await world.owner(1)
    (product,) = owner.store.products.values()
    hold = world.sandbox.fault("hold", "market.add", when="after")
    run = asyncio.create_task(owner.run())
    await world.met(hold)
    await killed(run)
    hold.release()
    world.sandbox.change_item(owner.community.id, owner.item(product).id, kopecks=100)
    world.clock.forward(seconds=100)
    world.sandbox.fault("error", "market.edit", code=9)
    await owner.run()
    world.clock.forward(minutes=30)
    await owner.run()
    owner.assert_mirrored()


async def test_what_the_owner_made_in_vk_since_the_last_full_reading_is_found_before_a_hint_makes_its_like(
    world: World,
) -> None:
    owner = await world.owner(3)
    await owner.run()
    world.clock.forward(seconds=200)
    await world.database.write(
        lambda connection: choices.set_new_groups(connection, owner.user, StoreId(owner.store.id), on=True)
    )
    world.sandbox.add_album(owner.community.id, "Новинки")
    own = world.sandbox.add_item(owner.community.id, "Торт Наполеон", 90_000)
    group = owner.store.add_group("Новинки")
    owner.store.add_product("Торт Наполеон", 950, product_id="t1", parent_id=group.id, description=LONG, quantity=1)
    await owner.next_turn()
    await owner.settled()
    assert [item.id for item in owner.items if item.name == "Торт Наполеон"] == [own.id]
    assert [found.title for found in owner.community.albums.values()].count("Новинки") == 1
    assert own.kopecks == 95_000


@pytest.mark.parametrize("method", ["market.addToAlbum", "market.addAlbum"])
async def test_goods_that_vk_takes_into_no_album_are_counted_and_say_so(world: World, method: str) -> None:
    owner = await world.owner(6)
    world.sandbox.fault("error", method, code=100, times=None)
    record = await owner.run()
    assert (record.outcome, record.tally.created) == ("partial", 6)
    assert record.tally.failed == record.tally.failures["VK 100"] > 0
    assert set((await owner.statuses()).values()) == {"in_step_no_album"}


async def test_goods_for_which_the_shop_has_no_room_are_counted_with_that_reason(world: World) -> None:
    owner = await world.owner(3)
    world.sandbox.fault("error", "market.add", code=1405, times=None)
    record = await owner.run()
    assert (record.tally.created, record.tally.skipped, record.tally.reasons) == (0, 3, {"shop_full": 3})


async def test_after_most_writes_were_refused_the_next_run_looks_at_everything(world: World) -> None:
    owner = await world.owner(40)
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.change(product, price=float(product.price or 0) + 1)
    world.clock.forward(seconds=200)
    world.sandbox.fault("error", "market.edit", code=100, times=None)
    assert (await owner.run(Scope.DELTA)).outcome == "held"
    world.sandbox.faults.clear()
    assert (await owner.next_turn()).scope == "full"


@pytest.mark.parametrize("table", [evotor_connections, vk_connections])
async def test_a_token_that_no_key_opens_is_the_operators_matter_and_breaks_nothing(world: World, table: Table) -> None:
    owner = await world.owner(2)
    await world.database.write(lambda connection: connection.execute(update(table).values(key_id="lost")))
    record = await owner.run()
    assert (record.outcome, record.code) == ("failed", "unreadable")
    assert world.bell.broken == []
    assert world.bell.faults == ["unreadable"]
    assert owner.writes() == 0
