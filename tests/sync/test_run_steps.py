"""Which of the three steps a run takes, and what it leaves behind."""

import asyncio
from datetime import timedelta

from sqlalchemy import select

from evosync.db import runs
from evosync.db.tables import mirrors
from evosync.domain.mirror import Scope
from tests.sync.world import World


async def test_with_only_evotor_connected_it_refreshes_the_catalog_and_stops(world: World) -> None:
    owner = await world.owner(3, vk=False)
    record = await owner.run()
    assert record.outcome == "read_only"
    assert record.tally.products == 3
    assert len(await owner.statuses()) == 3
    assert world.sandbox.ledger.requests("vk") == 0


async def test_with_nothing_chosen_it_refreshes_both_sides_and_writes_nothing(world: World) -> None:
    owner = await world.owner(3, chosen=False)
    world.sandbox.add_item(owner.community.id, "Торт на заказ", 100_000)
    record = await owner.run()
    assert record.outcome == "read_only"
    assert owner.writes() == 0
    known = await world.ledger.known_shop(owner.user, owner.community.id)  # type: ignore[arg-type]  # a plain number
    assert len(known[1]) == 1
    assert set((await owner.statuses()).values()) == {"off_store"}


async def test_before_the_first_start_nothing_is_written_to_vk(world: World) -> None:
    owner = await world.owner(3, started=False)
    record = await owner.run()
    assert record.outcome == "read_only"
    assert owner.writes() == 0
    await owner.start()
    assert (await owner.run()).outcome == "ok"
    owner.assert_mirrored()


async def test_a_first_run_makes_every_product_an_item_in_its_album(world: World) -> None:
    owner = await world.owner(60)
    record = await owner.run()
    assert record.outcome == "ok"
    assert (record.tally.created, record.tally.albums_made, record.tally.photos) == (60, 2, 60)
    owner.assert_mirrored()
    assert set((await owner.statuses()).values()) == {"in_step"}
    assert len(await owner.results(record)) == 60


async def test_a_second_run_writes_nothing_to_vk_and_no_rows_but_its_own_record(world: World) -> None:
    owner = await world.owner(60)
    await owner.run()
    before = owner.writes()
    with world.counting_rows() as first:
        record = await owner.run()
    with world.counting_rows() as second:
        await owner.run()
    assert owner.writes() == before
    assert (record.outcome, record.tally.unchanged) == ("ok", 60)
    assert set(second) <= {"sync_runs", "mirrors"}, second
    assert set(first) <= {"sync_runs", "mirrors", "vk_cached_products", "vk_cached_albums"}, first


async def test_a_delta_asks_each_enabled_store_once_and_vk_nothing(world: World) -> None:
    owner = await world.owner(5, stores=3)
    for store in owner.stores[1:]:
        owner.stock(2, store=store)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.choose(on=False, store=owner.stores[2].id)
    await owner.run()
    world.clock.forward(minutes=11)
    world.sandbox.reset_counters()
    record = await owner.run(Scope.DELTA)
    assert (record.outcome, record.scope) == ("ok", Scope.DELTA)
    assert world.sandbox.ledger.requests("evotor") == 2
    assert world.sandbox.ledger.requests("vk") == 0
    assert record.tally.evotor_requests == 2


async def test_a_delta_brings_one_change_to_vk_without_listing_the_shop(world: World) -> None:
    owner = await world.owner(30)
    await owner.run()
    world.clock.forward(minutes=11)
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price="123.45")
    world.sandbox.reset_counters()
    record = await owner.run(Scope.DELTA)
    assert (record.outcome, record.tally.updated) == ("ok", 1)
    assert owner.item(bun).kopecks == 12_345
    assert world.sandbox.ledger.calls["market.get"] == 0
    assert dict(owner.community.writes) == {"market.edit": 1}


async def test_the_next_run_comes_within_the_interval(world: World) -> None:
    owner = await world.owner(2)
    record = await owner.run()
    at = await owner.next_at()
    assert at is not None
    assert record.finished_at is not None
    assert timedelta() < at - record.finished_at <= world.engine.terms.rhythm.delta * 1.5


async def test_a_new_product_in_a_delta_joins_the_album_that_the_run_before_made(world: World) -> None:
    owner = await world.owner(4)
    await owner.run()
    world.clock.forward(minutes=11)
    (bun,) = owner.stock(1)
    owner.change(bun, name="Булка совсем новая")
    record = await owner.run(Scope.DELTA)
    assert (record.outcome, record.tally.created, record.tally.albums_made) == ("ok", 1, 0)
    owner.assert_mirrored()


async def test_a_look_leaves_the_owners_time_his_wishes_and_his_last_run_as_they_were(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    await world.ledger.want(owner.user, scope=Scope.DELTA, reason="choice", at=world.clock() + timedelta(hours=1))
    kept = (mirrors.c.next_at, mirrors.c.wanted_at, mirrors.c.wanted_scope, mirrors.c.last_run_id, mirrors.c.run_id)

    async def standing() -> object:
        async with world.database.reading() as connection:
            return (await connection.execute(select(*kept).where(mirrors.c.user_id == owner.user))).one()

    before = await standing()
    owner.stock(1)
    record = await owner.run(dry=True)
    assert record.outcome == "read_only"
    assert await standing() == before
    async with world.database.reading() as connection:
        assert record.id not in [run.id for run in await runs.latest(connection, owner.user, 10)]


async def test_what_a_look_saw_is_not_lost_to_the_next_run(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    owner.stock(1)
    owner.change(next(iter(owner.store.products.values())), price=777.0)
    await owner.run(dry=True)
    assert (await owner.run(Scope.DELTA)).outcome == "ok"
    owner.assert_mirrored()


async def test_nor_is_what_a_look_saw_that_was_cut_short(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    owner.change(next(iter(owner.store.products.values())), price=777.0)
    hold = world.sandbox.fault("hold", "market.get")
    looking = asyncio.create_task(owner.run(dry=True))
    await world.met(hold)
    looking.cancel()
    await asyncio.wait([looking])
    hold.release()
    assert (await owner.run(Scope.DELTA)).outcome == "ok"
    owner.assert_mirrored()
