"""What a run believes of the till, and what it does while the till cannot be read."""

import asyncio
import time
from collections import Counter, deque
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from evosync.db.mirrors import Wish
from evosync.domain.connection import Health
from evosync.domain.errors import Side
from evosync.domain.ids import ProductId, StoreId, UserId
from evosync.domain.mirror import Scope, StoreState
from evosync.sync import one_run
from evosync.sync.mailbox import HINT, product_reason
from tests.sync.world import Held, World


@pytest.mark.parametrize("kind", ["cut", "cut_body", "broken_body", "http"])
async def test_a_listing_that_failed_half_way_changes_nothing(world: World, kind: str) -> None:
    owner = await world.owner(9)
    await owner.run()
    world.sandbox.evotor.page_size = 3
    for product in list(owner.store.products.values())[:2]:
        owner.store.remove_product(product.id)
    world.sandbox.fault(kind, "evotor.products", skip=1, times=None)
    before = owner.writes()
    record = await owner.run()
    assert record.outcome == "failed"
    assert owner.writes() == before
    assert len([item for item in owner.items if not item.hidden]) == 9
    world.sandbox.faults.clear()
    assert (await owner.run()).tally.hidden == 2


async def test_a_store_that_fails_does_not_stop_the_others(world: World) -> None:
    owner = await world.owner(3, stores=2)
    broken, whole = owner.stores
    owner.stock(3, store=whole)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.run()
    world.sandbox.fault("http", "evotor.products", place=broken.id, times=None)
    broken.remove_product(next(iter(broken.products)))
    bun = next(iter(whole.products.values()))
    owner.change(bun, price=777)
    record = await owner.run()
    assert (record.outcome, record.tally.updated, record.tally.hidden) == ("ok", 1, 0)
    readings = (await owner.mirror()).readings
    assert {readings[store.id].state for store in owner.stores} == {StoreState.FAILED, StoreState.OK}  # type: ignore[index]  # plain text


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_a_store_that_fails_is_asked_less_and_less_and_alone(world: World, status: int) -> None:
    owner = await world.owner(3, stores=2)
    broken = owner.stores[1]
    (late,) = owner.stock(1, store=broken)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.run()
    owner.change(late, price=777)
    world.clock.forward(minutes=20)  # out of reach of everything but the delta from the last reading on
    fault = world.sandbox.fault("http", "evotor.products", status=status, place=broken.id, times=None)
    began, struck = world.clock(), 0
    asked_at: list[float] = []
    while len(asked_at) < 5:
        record = await owner.next_turn()
        assert (record.scope, record.outcome, record.tally.vk_requests) == (Scope.DELTA, "ok", 0)
        if fault.struck > struck:
            struck = fault.struck
            asked_at.append((world.clock() - began).total_seconds())
    gaps = [later - earlier for earlier, later in pairwise(asked_at)]
    for gap, doubled in zip(gaps, (30, 60, 120, 240), strict=True):
        assert doubled <= gap <= doubled * 1.3
    world.sandbox.faults.clear()
    answers_at = world.clock()
    while owner.item(late).kopecks != 77_700:
        await owner.next_turn()
        assert world.clock() - answers_at < timedelta(minutes=11), "8, and their jitter"
    assert {reading.state for reading in (await owner.mirror()).readings.values()} == {StoreState.OK}


async def test_a_store_is_left_alone_for_as_long_as_the_cloud_says_whoever_asks(world: World) -> None:
    owner = await world.owner(3, stores=2)
    busy = owner.stores[1]
    (bun,) = owner.stock(1, store=busy)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.run()
    options, path = world.sandbox.evotor, f"/evotor/stores/{busy.id}/products"
    options.rate_limit, options.rate_window = 50, 1_200.0
    window = world.sandbox.evotor_windows.setdefault((owner.cloud_token, path), deque())
    window.extend([time.monotonic()] * 50)
    told_at = world.clock()
    await owner.run(Scope.DELTA, reasons=["owner"])
    world.sandbox.reset_counters()
    owner.change(bun, price=777)
    for scope in (Scope.FULL, Scope.DELTA):
        world.clock.forward(minutes=3)
        assert (await owner.run(scope, reasons=["owner"])).outcome == "ok"
    world.clock.forward(minutes=3)
    named = product_reason(StoreId(busy.id), ProductId(bun.id))
    await owner.run(Scope.HINT, reasons=[HINT + busy.id, named], stores=[busy.id])
    asked = Counter(arrival.method for arrival in world.sandbox.ledger.of("evotor"))
    assert asked == {"evotor.stores": 1, "evotor.groups": 1, "evotor.products": 2}, "all of them to the other store"
    window.clear()
    while owner.item(bun).kopecks != 77_700:
        await owner.next_turn()
    assert timedelta(minutes=20) <= world.clock() - told_at <= timedelta(minutes=26)


async def test_an_owner_whose_whole_till_is_throttled_comes_back_when_the_cloud_says(world: World) -> None:
    owner = await world.owner(3)
    options = world.sandbox.evotor
    options.rate_limit, options.rate_window = 50, 1_200.0
    for window in world.sandbox.evotor_windows.values():
        window.extend([time.monotonic()] * 50)
    path = f"/evotor/stores/{owner.store.id}/products"
    world.sandbox.evotor_windows[owner.cloud_token, path] = deque([time.monotonic()] * 50)
    record = await owner.run(Scope.FULL)
    assert (record.outcome, record.code) == ("failed", "Evotor 429")
    again_at = await owner.next_at()
    assert again_at is not None
    assert again_at - world.clock() > timedelta(minutes=19)


@pytest.mark.parametrize("left", [0, 4])
async def test_an_empty_or_half_listing_is_held_until_two_agree_minutes_apart(world: World, left: int) -> None:
    owner = await world.owner(10)
    await owner.run()
    for product in list(owner.store.products.values())[left:]:
        owner.store.remove_product(product.id)
    first = await owner.run()
    assert (first.outcome, first.tally.hidden) == ("ok", 0)
    again_at = await owner.next_at()
    assert again_at is not None
    assert again_at - world.clock() <= timedelta(minutes=5)
    world.clock.forward(minutes=1)
    assert (await owner.run()).tally.hidden == 0, "one minute later is too soon to believe it"
    world.clock.forward(minutes=5)
    assert (await owner.run()).tally.hidden == 10 - left
    assert len([item for item in owner.items if not item.hidden]) == left


async def test_prices_in_a_listing_that_is_doubted_are_taken_and_nothing_is_hidden(world: World) -> None:
    owner = await world.owner(12)
    await owner.run()
    kept, *others = owner.store.products.values()
    for product in others[:7]:
        owner.store.remove_product(product.id)
    await owner.run()
    owner.change(kept, price=777)
    for product in others[7:10]:  # each listing is another one than that before it
        owner.store.remove_product(product.id)
        world.clock.forward(minutes=5)
        await owner.next_turn()
    assert owner.item(kept).kopecks == 777_00
    assert not [item for item in owner.items if item.hidden]


@pytest.mark.parametrize("listing", ["evotor.products", "evotor.groups"])
async def test_an_empty_listing_that_was_a_mistake_hides_and_moves_nothing(world: World, listing: str) -> None:
    owner = await world.owner(6)
    await owner.run()
    writes, fault = owner.writes(), world.sandbox.fault("empty_list", listing)
    await owner.run()
    assert fault.reached.is_set()
    assert owner.writes() == writes
    world.clock.forward(minutes=6)
    record = await owner.run()
    assert (record.outcome, record.tally.hidden, record.tally.unchanged) == ("ok", 0, 6)
    owner.assert_mirrored()


async def test_402_rests_that_store_alone_and_keeps_its_goods(world: World) -> None:
    owner = await world.owner(3, stores=2)
    paid, unpaid = owner.stores
    owner.stock(3, store=unpaid)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.run()
    unpaid.unpaid = True
    owner.change(next(iter(paid.products.values())), price=555)
    record = await owner.run()
    assert (record.outcome, record.tally.updated, record.tally.hidden) == ("ok", 1, 0)
    owner.assert_mirrored()
    assert world.bell.broken == []
    world.sandbox.reset_counters()
    await owner.run()
    assert world.sandbox.ledger.requests("evotor") == 3, "stores, and groups and products of the paid one"
    unpaid.unpaid = False
    world.clock.forward(hours=7)
    await owner.run()
    readings = (await owner.mirror()).readings
    assert readings[unpaid.id].state is StoreState.OK  # type: ignore[index]  # plain text


async def test_new_goods_of_an_unpaid_store_are_not_created_from_old_knowledge(world: World) -> None:
    owner = await world.owner(0, stores=2)
    paid, unpaid = owner.stores
    owner.stock(2, store=paid)
    (late,) = owner.stock(1, store=unpaid)
    await owner.run(dry=True)
    await owner.choose(on=True)
    unpaid.unpaid = True
    record = await owner.run()
    assert record.tally.created == 2
    assert await owner.status(late) == "store_unpaid"


@pytest.mark.parametrize(("how", "code"), [("revoked", "Evotor 401"), ("uninstalled", "Evotor 403")])
async def test_401_and_403_break_the_connection_tell_the_owner_once_and_rest(world: World, how: str, code: str) -> None:
    owner = await world.owner(2)
    await owner.run()
    account = world.sandbox.accounts[owner.cloud_token]
    setattr(account, how, True)
    record = await owner.run()
    assert (record.outcome, record.code) == ("failed", code)
    assert await owner.next_at() is None
    await owner.run()
    assert world.bell.broken == [(Side.EVOTOR, code)]
    assert len([item for item in owner.items if not item.hidden]) == 2


async def test_a_till_that_takes_the_key_again_mends_the_connection(world: World) -> None:
    owner = await world.owner(1)
    account = world.sandbox.accounts[owner.cloud_token]
    account.revoked = True
    await owner.run()
    account.revoked = False
    assert (await owner.run()).outcome == "ok"
    till = (await owner.mirror()).evotor
    assert till is not None
    assert till.health is Health.OK
    assert await owner.next_at() is not None


async def test_a_look_that_finds_the_till_well_again_has_its_owner_run(world: World) -> None:
    owner = await world.owner(1)
    account = world.sandbox.accounts[owner.cloud_token]
    account.revoked = True
    await owner.run()
    assert (await owner.next_at(), (await owner.turn()).wish) == (None, None)
    account.revoked = False
    assert (await owner.run(dry=True)).outcome == "read_only"
    assert (await owner.turn()).wish == Wish(Scope.FULL, ("mended",))


async def test_a_look_does_not_say_that_vk_can_be_written_to(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    owner.stock(1)
    world.sandbox.fault("error", "market.add", code=7)
    await owner.run()
    assert await owner.vk_health() == ("broken", "VK 7")
    await owner.run(dry=True)
    assert await owner.vk_health() == ("broken", "VK 7")
    await owner.run()
    assert await owner.vk_health() == ("ok", "")


async def test_an_owner_whom_an_outage_broke_after_all_were_mended_is_mended_at_its_end(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = [await world.owner(1) for _ in range(3)]
    late, *others = owners
    for owner in owners:
        world.sandbox.accounts[owner.cloud_token].revoked = True
    asked, mended = asyncio.Event(), asyncio.Event()
    breaks, mends = world.ledger.break_connection, world.ledger.mend_connections

    async def breaks_late(user: UserId, *args: Any, **values: Any) -> bool:
        if user == late.user:
            asked.set()
            await mended.wait()
        return await breaks(user, *args, **values)

    async def mends_and_says_so(*args: Any, **values: Any) -> int:
        count = await mends(*args, **values)
        mended.set()
        return count

    monkeypatch.setattr(world.ledger, "break_connection", breaks_late)
    monkeypatch.setattr(world.ledger, "mend_connections", mends_and_says_so)
    running = asyncio.create_task(late.run())
    async with asyncio.timeout(30):
        await asked.wait()
        for owner in others:
            await owner.run()
        await running
    assert (await late.next_at(), (await late.turn()).wish) == (None, None)
    for owner in owners:
        world.sandbox.accounts[owner.cloud_token].revoked = False
    mended.clear()
    world.clock.forward(minutes=3)
    await others[0].run()
    async with asyncio.timeout(30):
        await mended.wait()
    till = (await late.mirror()).evotor
    assert till is not None
    assert till.health is Health.OK
    assert (await late.turn()).wish is not None


async def test_a_till_cloud_that_refuses_everybody_breaks_nobody_and_puts_nobody_to_sleep(world: World) -> None:
    owners = [await world.owner(1) for _ in range(3)]
    for owner in owners:
        world.sandbox.accounts[owner.cloud_token].revoked = True
    for owner in owners:
        await owner.run()
    async with asyncio.timeout(30):
        while not all([(till := (await owner.mirror()).evotor) and till.health is Health.OK for owner in owners]):
            await asyncio.sleep(0.01)
    assert [owner for owner in owners if await owner.next_at() is None] == []


async def test_a_run_that_is_not_wanted_any_more_when_it_has_read_writes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_run, "_LOOK_SECONDS", 0.02)
    owner = await world.owner(3)
    hold = world.sandbox.fault("hold", "market.get")
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    lost, owner.held = owner.held, Held()
    lost.lose()
    async with asyncio.timeout(30):
        await lost.seen.wait()
    hold.release()
    assert (await running).outcome == "cut"
    assert owner.items == []


async def test_a_till_that_is_down_is_tried_again_sooner_and_then_less_often(world: World) -> None:
    owner = await world.owner(2)
    await owner.run()
    world.sandbox.fault("http", "evotor.*", times=None)
    waits = []
    for _ in range(3):
        record = await owner.run()
        assert record.outcome == "failed"
        at = await owner.next_at()
        assert at is not None
        waits.append(at - world.clock())
        world.clock.forward(minutes=10)
    assert waits == sorted(waits)
    assert waits[0] < timedelta(minutes=1)
    assert world.bell.broken == []
    world.sandbox.faults.clear()
    assert (await owner.run()).outcome == "ok"
    assert (await owner.mirror()).failures == 0


async def test_a_delta_that_fails_is_made_up_for(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    world.clock.forward(minutes=3)
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=999)
    world.clock.forward(minutes=3)
    world.sandbox.fault("http", "evotor.products", times=2)
    assert (await owner.run(Scope.DELTA)).outcome == "failed"
    world.clock.forward(minutes=8)
    await owner.run(Scope.DELTA)
    assert owner.item(bun).kopecks == 99_900


async def test_a_product_in_a_group_never_seen_brings_its_group_with_a_delta(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    world.clock.forward(minutes=11)
    group = owner.store.add_group("Новинки")
    (bun,) = owner.stock(1)
    owner.change(bun, parent_id=group.id)
    record = await owner.run(Scope.DELTA)
    assert record.outcome == "ok"
    assert await owner.status(bun) == "new_group"
    assert record.notes["new_groups"] == ("Новинки",)
    await owner.choose(on=True)
    await owner.run()
    owner.assert_mirrored()
