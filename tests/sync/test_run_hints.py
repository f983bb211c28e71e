"""What a run reads that the cloud's webhooks asked for, and what it does when the till is switched off meanwhile."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import update

from evosync.db import till_accounts
from evosync.db.tables import sync_configs
from evosync.domain.errors import Side, Unavailable
from evosync.domain.ids import ProductId, RunId, StoreId, UserId
from evosync.domain.mirror import Going, Progress, RunRecord, Scope, Tally
from evosync.sandbox.evotor.till import Product
from evosync.sync import one_run
from evosync.sync.mailbox import HINT, ROUTINE, Mailbox, Message, product_reason
from evosync.sync.run import MirrorRun
from tests.sync.world import Owner, World


@pytest.fixture
async def owner(world: World) -> Owner:
    """Mirrored, with the till's quantity as stock, and read a moment ago."""
    owner = await world.owner(6)
    await world.database.write(
        lambda connection: connection.execute(
            update(sync_configs).where(sync_configs.c.user_id == owner.user).values(stock_mode="till")
        )
    )
    await owner.run()
    return owner


def sell(owner: Owner, product: Product, left: int) -> None:
    """As a sale does it: it need not count as a change of the product (Evotor FACTS 1.2)."""
    owner.store.change_product(product.id, at=0, quantity=left)


def asked(world: World) -> Counter[str]:
    return Counter(arrival.method for arrival in world.sandbox.ledger.of("evotor"))


async def hint(owner: Owner, *reasons: str) -> RunRecord:
    message = Message.about(Scope.HINT, reasons)
    record = await MirrorRun(owner.world.engine).run(owner.user, message, asyncio.Event(), Mailbox(), owner.held)
    assert record is not None
    return record


async def test_a_receipt_re_reads_the_products_that_it_names_and_nothing_else(world: World, owner: Owner) -> None:
    bun, roll, *_ = owner.store.products.values()
    sell(owner, bun, 2)
    sell(owner, roll, 3)
    before = asked(world)
    store = StoreId(owner.store.id)
    record = await hint(owner, *(product_reason(store, ProductId(each.id)) for each in (bun, roll)))
    assert (record.outcome, record.tally.updated) == ("ok", 2)
    assert (owner.item(bun).stock, owner.item(roll).stock) == (2, 3)
    assert asked(world) - before == {"evotor.product": 2}


async def test_a_product_that_the_till_does_not_know_is_not_taken_for_gone(world: World, owner: Owner) -> None:
    bun = next(iter(owner.store.products.values()))
    owner.store.remove_product(bun.id)
    record = await hint(owner, product_reason(StoreId(owner.store.id), ProductId(bun.id)))
    assert record.outcome == "ok"
    assert not owner.item(bun).hidden
    assert (await owner.run()).tally.hidden == 1


async def test_what_a_receipt_named_while_the_cloud_failed_is_read_once_it_answers(world: World, owner: Owner) -> None:
    bun = next(iter(owner.store.products.values()))
    sell(owner, bun, 2)
    world.sandbox.fault("http", "evotor.product", status=500, times=4)  # twice, each tried twice
    began = world.clock()
    assert (await hint(owner, product_reason(StoreId(owner.store.id), ProductId(bun.id)))).outcome == "ok"
    assert owner.item(bun).stock == 5
    for _ in range(2):
        assert (await owner.next_turn()).scope is Scope.DELTA
    assert owner.item(bun).stock == 2
    assert timedelta(seconds=90) <= world.clock() - began <= timedelta(minutes=3)
    before = asked(world)
    world.clock.forward(minutes=5)
    await owner.next_turn()
    assert (asked(world) - before)["evotor.product"] == 0, "once read it is not asked for again"


async def test_what_a_receipt_named_while_the_cloud_rests_for_all_is_read_once_it_may_be_asked(
    world: World, owner: Owner
) -> None:
    bun = next(iter(owner.store.products.values()))
    sell(owner, bun, 2)
    for user in range(1_001, 1_011):
        await world.engine.breakers.saw(Side.EVOTOR, UserId(user), Unavailable(Side.EVOTOR, "Evotor 500", "down"))
    record = await hint(owner, product_reason(StoreId(owner.store.id), ProductId(bun.id)))
    assert (record.outcome, record.code) == ("failed", "Evotor resting")
    world.clock.forward(minutes=3)
    assert (await owner.next_turn()).scope is Scope.DELTA
    assert owner.item(bun).stock == 2


async def test_an_id_that_evotor_does_not_take_for_one_keeps_no_other_product_back(world: World, owner: Owner) -> None:
    bun, roll, *_ = owner.store.products.values()
    refused = world.sandbox.fault("http", "evotor.product", status=400, times=None)
    sell(owner, bun, 2)
    record = await hint(owner, product_reason(StoreId(owner.store.id), ProductId(bun.id)))
    assert (record.outcome, refused.struck) == ("ok", 1)
    owner.change(roll, price=777)
    world.clock.forward(minutes=5)
    await owner.next_turn()
    assert owner.item(roll).kopecks == 777_00
    assert refused.struck == 1, "and it is not asked for again"


async def test_a_product_that_can_never_be_read_keeps_its_store_back_for_minutes_at_most(
    world: World, owner: Owner
) -> None:
    bun, roll, *_ = owner.store.products.values()
    world.sandbox.fault("http", "evotor.product", status=500, times=None)
    await hint(owner, product_reason(StoreId(owner.store.id), ProductId(bun.id)))
    for price in range(101, 107):
        for _ in range(4):
            await owner.next_turn()
        owner.change(roll, price=price)
        changed = world.clock()
        while owner.item(roll).kopecks != price * 100:
            await owner.next_turn()
        assert world.clock() - changed <= timedelta(minutes=13)


async def test_a_receipt_during_a_run_is_read_by_the_one_after_it_if_the_cloud_fails(
    world: World, owner: Owner
) -> None:
    bun, roll, *_ = owner.store.products.values()
    mailbox = Mailbox()
    owner.change(roll, price=777)
    hold = world.sandbox.fault("hold", "market.edit")
    running = asyncio.create_task(owner.run(mailbox=mailbox))
    await world.met(hold)
    sell(owner, bun, 2)
    failing = world.sandbox.fault("http", "evotor.product", status=401, times=None)
    mailbox.put(Message.about(Scope.HINT, [product_reason(StoreId(owner.store.id), ProductId(bun.id))]))
    await world.met(failing)
    hold.release()
    await running
    world.sandbox.faults.clear()
    assert (await owner.next_turn()).scope is Scope.DELTA
    assert owner.item(bun).stock == 2


async def test_a_wish_for_what_changed_reads_stores_that_were_read_a_moment_ago(world: World, owner: Owner) -> None:
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=777)
    await owner.run(Scope.DELTA, reasons=["hook"])
    assert owner.item(bun).kopecks == 77_700
    owner.change(bun, price=888)
    await owner.run(Scope.DELTA, reasons=["mended", HINT + owner.store.id])
    assert owner.item(bun).kopecks == 88_800


async def test_a_hint_reaches_back_less_far_and_the_routine_delta_still_comes(world: World, owner: Owner) -> None:
    bun, roll, *_ = owner.store.products.values()
    late = int((world.clock() - timedelta(minutes=5)).timestamp() * 1000)
    owner.store.change_product(roll.id, at=late, price=888)  # surfaces later, with an older time
    owner.change(bun, price=777)
    await hint(owner, HINT + owner.store.id)
    assert (owner.item(bun).kopecks, owner.item(roll).kopecks) == (77_700, 5_200)
    world.clock.forward(minutes=4)
    await owner.run(Scope.DELTA, reasons=[ROUTINE])
    assert owner.item(roll).kopecks == 88_800


@pytest.mark.parametrize("reason", [till_accounts.UNINSTALLED, till_accounts.SUBSCRIPTION_OVER])
async def test_a_till_switched_off_in_the_middle_of_a_run_stops_it_and_goes_on_when_it_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setattr(one_run, "_LOOK_SECONDS", 0.02)
    owner = await world.owner(120)
    hold = world.sandbox.fault("hold", "market.add")
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    at, noticed = world.clock(), _unwanted(world)
    await world.database.write(lambda connection: till_accounts.park(connection, owner.user, reason=reason, at=at))
    async with asyncio.timeout(30):
        await noticed.wait()
    hold.release()
    record = await running
    assert (record.outcome, record.code) == ("cut", "unwanted")
    made = len(owner.items)
    assert made < 120
    assert await MirrorRun(world.engine).run(
        owner.user, Message(Scope.FULL), asyncio.Event(), Mailbox(), owner.held
    ) is None, "a parked till is left alone"  # fmt: skip
    await world.database.write(lambda connection: till_accounts.unpark(connection, owner.user))
    await owner.run()
    owner.assert_mirrored()
    assert len(owner.items) == 120


def _unwanted(world: World) -> asyncio.Event:
    """Set once a run has heard that it is not wanted any more."""
    heard, noted = asyncio.Event(), world.ledger.progress

    async def asking(user: UserId, run: RunId, progress: Progress, tally: Tally) -> Going:
        going = await noted(user, run, progress, tally)
        if going is Going.UNWANTED:
            heard.set()
        return going

    world.ledger.progress = asking  # type: ignore[method-assign]  # to see when it has been asked
    return heard
