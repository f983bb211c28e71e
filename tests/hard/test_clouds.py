"""Bad hours of both clouds. After each, VK is as the till says, and nothing was made twice.

One refusal, one lost reply, quotas and captchas met by a whole run, tokens taken away, stores unpaid or emptied: see
tests/sync/test_run_*.py. Here they last, and come in the middle.
"""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from evosync.db.glance import glance
from evosync.domain.ids import StoreId
from evosync.domain.mirror import StoreState
from evosync.sandbox.evotor.till import Store
from evosync.sandbox.faults import Fault
from evosync.words.language import Language
from tests.hard.sees import Seen, sees
from tests.sync.world import Owner, World

CREATES_MADE = 20
SEEDS = [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(2, 11))]
"""Of the calls at which a fault strikes; the first is the one that was thought of."""


def at_call(seed: int, thought_of: int, *, before: int) -> int:
    """How many calls pass before the fault."""
    return thought_of if seed == 1 else random.Random(seed).randrange(before)


def of_vk(method: str) -> bool:
    return not method.startswith("evotor")


async def an_hour(world: World, owners: Sequence[Owner]) -> int:
    """All their routine runs of an hour; how many there were."""
    until, runs = world.clock() + timedelta(hours=1), 0
    while True:
        due = [(at, owner) for owner in owners if (at := await owner.next_at()) is not None]
        at, owner = min(due, key=lambda pair: pair[0])
        if at > until:
            world.clock.ahead += max(until - world.clock(), timedelta())
            return runs
        await owner.next_turn()
        runs += 1


async def all_well(owner: Owner, *, items: int) -> None:
    """As the service goes on by itself, soon all is in step; nothing was lost, nothing was made twice."""
    for _ in range(40):
        record = await owner.next_turn()
        if record.outcome == "ok" and set((await owner.statuses()).values()) == {"in_step"}:
            break
    owner.assert_mirrored()
    assert len(owner.items) == owner.community.writes["market.add"] == items
    seen = await sees(owner)
    assert (seen.state, seen.outcome, seen.whose_move) == ("idle", "ok", "ok")


# VK


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http"},
        {"kind": "http", "status": 200, "body": "<html><body>Мы скоро вернёмся</body></html>"},
        {"kind": "cut"},
        {"kind": "error", "code": 10},
    ],
    ids=["503", "HTML with 200", "cut", "VK 10"],
)
@pytest.mark.parametrize("seed", SEEDS)
async def test_vk_in_trouble_for_an_hour_costs_no_item_and_is_asked_little(
    sqlite_world: World, fault: dict[str, Any], seed: int
) -> None:
    world, fault = sqlite_world, dict(fault)
    owners = [await world.owner(4) for _ in range(4)]
    before = world.sandbox.ledger.requests("vk")
    skip = at_call(seed, 0, before=10)
    world.sandbox.fault(fault.pop("kind"), "*", times=None, only_if=of_vk, skip=skip, **fault)
    for owner in owners:
        await owner.run()
    runs = await an_hour(world, owners)
    assert runs < 120, "half an hour's rest at most, doubled each time, is about eight tries an hour each"
    assert world.sandbox.ledger.requests("vk") - before < 200
    assert world.bell.broken == []
    for language in Language:
        assert {(await sees(owner, language)).whose_move for owner in owners} == {"we"}
    for owner in owners:
        seen = await sees(owner)
        assert seen.title == "VK had a fault"
        assert "The next try is at" in seen.sign.text
    world.sandbox.faults.clear()
    for owner in owners:
        await all_well(owner, items=4)


async def half_way(owner: Owner, made: int = CREATES_MADE) -> tuple["asyncio.Task[Any]", Fault]:
    hold = owner.world.sandbox.fault("hold", "market.add", when="after", skip=made)
    running = asyncio.create_task(owner.run())
    await owner.world.met(hold)
    return running, hold


@pytest.mark.parametrize("code", [5, 9, 14, 29])
@pytest.mark.parametrize("seed", SEEDS)
async def test_an_error_that_begins_in_the_middle_of_a_run_and_lasts_costs_no_item(
    sqlite_world: World, code: int, seed: int
) -> None:
    world = sqlite_world
    owner = await world.owner(60)
    running, hold = await half_way(owner, at_call(seed, CREATES_MADE, before=35))
    method = "*" if code == 5 else "market.add"
    world.sandbox.fault("error", method, code=code, times=None, only_if=of_vk)
    hold.release()
    record = await running
    assert record.code == f"VK {code}"
    assert len(owner.items) < 60
    seen = await sees(owner)
    if code == 5:
        assert (seen.state, seen.outcome, seen.whose_move) == ("broken", "failed", "you")
        assert seen.title == "VK no longer lets us in"
        assert len(world.bell.broken) == 1
        world.sandbox.faults.clear()
        await owner.connect_vk()
    else:
        assert (seen.state, seen.outcome, seen.whose_move) == ("idle", "partial", "we")
        assert seen.title.endswith("products are on their way")
        assert "VK asks to wait until" in seen.sign.text
        await an_hour(world, [owner])
        assert world.bell.broken == []
        world.sandbox.faults.clear()
    await all_well(owner, items=60)


async def test_a_storm_of_too_fast_costs_no_item_and_no_run(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(40)
    storm = world.sandbox.fault("error", "*", code=6, times=10, chance=0.5, only_if=of_vk)
    assert (await owner.run()).outcome == "ok"
    assert storm.struck == 10
    await all_well(owner, items=40)


async def test_a_storm_of_too_fast_that_lasts_for_seconds_costs_no_item_and_no_run(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(120)
    running, hold = await half_way(owner)
    storm = world.sandbox.fault("error", "*", code=6, times=24, only_if=of_vk)
    hold.release()
    await world.met(storm)
    began = asyncio.get_running_loop().time()
    assert_updating(await sees(owner))
    assert (await running).outcome == "ok"
    assert storm.struck == 24
    assert asyncio.get_running_loop().time() - began > 3
    await all_well(owner, items=120)


def assert_updating(seen: Seen) -> None:
    assert (seen.state, seen.title, seen.whose_move) == ("running", "Updating the shop", "we")


async def test_a_vk_that_is_slow_for_a_whole_run_makes_it_longer_and_nothing_else(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(60)
    slow = world.sandbox.fault("slow", "execute", seconds=0.7, times=None)
    world.sandbox.latency.vk_request = world.sandbox.latency.upload = 0.5
    running = asyncio.create_task(owner.run())
    await world.met(slow)
    assert_updating(await sees(owner))
    assert (await running).outcome == "ok"
    assert world.sandbox.ledger.calls["market.add"] == 60
    assert world.sandbox.ledger.errors == {}
    world.sandbox.latency.vk_request = world.sandbox.latency.upload = 0
    world.sandbox.faults.clear()
    await all_well(owner, items=60)


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_vk_that_answers_later_than_we_wait_costs_no_item(sqlite_world: World, seed: int) -> None:
    world = sqlite_world
    owner = await world.owner(40)
    # This world waits five seconds; what was asked for happens all the same.
    slow = world.sandbox.fault("hang", "market.add", when="after", seconds=6, skip=at_call(seed, 12, before=40))
    assert (await owner.run()).outcome == "partial"
    assert slow.struck
    seen = await sees(owner)
    assert (seen.whose_move, seen.title[-12:]) == ("we", "on their way")
    await all_well(owner, items=40)


@pytest.mark.parametrize("seed", SEEDS)
async def test_every_fifth_connection_to_vk_is_cut_for_a_whole_run(sqlite_world: World, seed: int) -> None:
    world = sqlite_world
    world.sandbox.faults.dice.seed(seed)
    owner = await world.owner(60)
    for when in ("before", "after"):
        world.sandbox.fault("cut", "*", when=when, times=None, chance=0.1, only_if=of_vk)
    for _ in range(4):
        await owner.run()
        world.clock.forward(minutes=1)
        assert owner.community.duplicates() == {}
    world.sandbox.faults.clear()
    await all_well(owner, items=60)


# Evotor


@pytest.mark.parametrize("page_size", [1000, 4])
async def test_half_pages_hide_nothing(sqlite_world: World, page_size: int) -> None:
    owner = await sqlite_world.owner(12)
    await owner.run()
    sqlite_world.sandbox.evotor.page_size = page_size
    await nothing_changes(owner, "half_page", "evotor.products")


@pytest.mark.parametrize("listing", ["evotor.products", "evotor.groups"])
async def test_an_empty_shop_hides_nothing(sqlite_world: World, listing: str) -> None:
    owner = await sqlite_world.owner(12)
    await owner.run()
    await nothing_changes(owner, "empty_list", listing)


async def nothing_changes(owner: Owner, kind: str, listing: str) -> None:
    """Three readings that lie, a minute apart: neither VK nor what he reads is another."""
    world, writes = owner.world, owner.writes()
    lie = world.sandbox.fault(kind, listing, times=None)
    for _ in range(3):
        record = await owner.run()
        assert record.tally.hidden == 0
        seen = await sees(owner)
        assert (seen.state, seen.title, seen.whose_move) == ("idle", "In step with the till", "ok")
        assert "All 12 products in VK are as at the till." in seen.sign.text
        world.clock.forward(minutes=1)
    assert lie.struck
    assert owner.writes() == writes
    assert len([item for item in owner.items if not item.hidden]) == 12
    world.sandbox.faults.clear()
    await all_well(owner, items=12)


async def test_the_last_page_of_a_big_shop_that_came_half_hides_nothing(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(200)
    await owner.run()
    world.sandbox.evotor.page_size = 100
    world.sandbox.fault("half_page", "evotor.products", skip=1)
    assert (await owner.run()).tally.hidden == 0
    await all_well(owner, items=200)


async def test_evotor_that_wants_fewer_requests_for_an_hour_is_asked_less_and_catches_up(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(6)
    await owner.run()
    owner.change(next(iter(owner.store.products.values())), price=999)
    world.sandbox.fault("http", "evotor.*", status=429, times=None)
    assert (await owner.run()).code == "Evotor 429"
    seen = await sees(owner)
    assert (seen.outcome, seen.title, seen.whose_move) == ("failed", "Evotor asks to wait", "we")
    runs = await an_hour(world, [owner])
    assert runs <= 10
    world.sandbox.faults.clear()
    await all_well(owner, items=6)


async def test_an_unpaid_shop_of_one_store_stays_as_it_is_and_goes_on_when_it_is_paid(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(6)
    await owner.run()
    owner.store.unpaid = True
    await owner.run()
    await an_hour(world, [owner])
    seen = await sees(owner)
    assert (seen.whose_move, "is not paid" in seen.title) == ("you", True), seen.title
    assert seen.sign.code == "Evotor 402"
    pill = await owner.world.database.read(lambda connection: glance(connection, owner.user, at=world.clock()))
    assert pill.unread == ("Evotor 402",)
    assert [reading.state for reading in (await owner.mirror()).readings.values()] == [StoreState.UNPAID]
    assert len([item for item in owner.items if not item.hidden]) == 6
    owner.store.unpaid = False
    owner.change(next(iter(owner.store.products.values())), price=999)
    world.clock.forward(hours=6)
    await all_well(owner, items=6)
    assert (await sees(owner)).whose_move == "ok"


# One store that cannot be read: the runs end well without it, and what it sells falls behind


async def test_the_only_store_that_evotor_no_longer_knows_is_not_in_step(sqlite_world: World) -> None:
    world = sqlite_world
    owner = await world.owner(3)
    await owner.run()
    owner.assert_mirrored()
    world.sandbox.fault("http", "evotor.products", status=404, times=None)
    owner.change(next(iter(owner.store.products.values())), price=999)
    await an_hour(world, [owner])
    assert set((await owner.statuses()).values()) == {"in_step"}
    seen = await sees(owner)
    assert (seen.outcome, seen.whose_move, seen.title, seen.sign.code) == ("ok", "you", "A store is gone", "Evotor 404")
    assert "Evotor does not know “Лавка”. Last read: today, " in seen.sign.text
    assert (await sees(owner, Language.RU)).title == "Магазин пропал с\u00a0кассы"
    assert await at_a_glance(owner) == ("Evotor 404",)
    world.sandbox.faults.clear()
    world.clock.forward(hours=2)
    await all_well(owner, items=3)
    assert await at_a_glance(owner) == ()


async def at_a_glance(owner: Owner) -> tuple[str, ...]:
    """Why stores cannot be read, as the head of each page knows it."""
    at = owner.world.clock()
    return (await owner.world.database.read(lambda connection: glance(connection, owner.user, at=at))).unread


async def two_stores(world: World) -> tuple[Owner, Store, Store]:
    """In step; three products in each, and all of it switched on."""
    owner = await world.owner(3, stores=2)
    first, second = owner.stores
    owner.stock(3, store=second)
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.run()
    owner.assert_mirrored()
    return owner, first, second


async def test_one_of_two_stores_that_fails_for_an_hour_is_named_and_is_our_business(sqlite_world: World) -> None:
    world = sqlite_world
    owner, broken, whole = await two_stores(world)
    world.sandbox.fault("http", "evotor.products", status=500, place=broken.id, times=None)
    owner.change(next(iter(broken.products.values())), price=999)
    owner.change(next(iter(whole.products.values())), price=888)
    await an_hour(world, [owner])
    seen = await sees(owner)
    assert (seen.outcome, seen.whose_move, seen.title) == ("ok", "we", "Store “Лавка” cannot be read")
    assert "Last read: today, " in seen.sign.text
    assert "The next try is at" in seen.sign.text
    assert (await sees(owner, Language.RU)).title == "Магазин «Лавка» не читается"
    assert await at_a_glance(owner) == ("Evotor 500",)
    world.sandbox.faults.clear()
    world.clock.forward(hours=2)
    await all_well(owner, items=6)


async def test_one_of_two_stores_that_is_not_paid_for_is_named_at_once(sqlite_world: World) -> None:
    owner, unpaid, _ = await two_stores(sqlite_world)
    unpaid.unpaid = True
    await owner.run()
    seen = await sees(owner)
    assert (seen.outcome, seen.whose_move, seen.title) == ("ok", "you", "Store “Лавка” is not paid")
    assert seen.sign.code == "Evotor 402"
    assert await at_a_glance(owner) == ("Evotor 402",)
    unpaid.unpaid = False
    sqlite_world.clock.forward(hours=6)
    await all_well(owner, items=6)


async def test_one_of_two_stores_that_was_never_paid_for_is_no_alarm(sqlite_world: World) -> None:
    """Nothing of it is in VK, so nothing there is out of date; Problems names it."""
    owner = await sqlite_world.owner(3, stores=2, chosen=False)
    owner.stores[1].unpaid = True
    await owner.run(dry=True)
    await owner.choose(on=True)
    await owner.run()
    seen = await sees(owner)
    assert (seen.outcome, seen.whose_move, seen.title) == ("ok", "ok", "In step with the till")
    assert await at_a_glance(owner) == ()
    owner.store.unpaid = True
    await owner.run()
    assert (await sees(owner)).whose_move == "you", "none can be read"
    assert await at_a_glance(owner) == ("Evotor 402", "Evotor 402")


@pytest.mark.parametrize("fault", [{"kind": "http", "status": 404}, {"kind": "http"}, {"kind": "empty_list"}])
async def test_one_of_two_stores_that_fails_or_is_doubted_for_minutes_is_in_step(
    sqlite_world: World, fault: dict[str, Any]
) -> None:
    world, fault = sqlite_world, dict(fault)
    owner, broken, _ = await two_stores(world)
    world.clock.forward(minutes=5)
    world.sandbox.fault(fault.pop("kind"), "evotor.products", place=broken.id, times=None, **fault)
    await owner.run()
    states = {reading.state for reading in (await owner.mirror()).readings.values()}
    assert states & {StoreState.FAILED, StoreState.HELD}
    world.clock.forward(minutes=1)
    seen = await sees(owner)
    assert (seen.title, seen.whose_move) == ("In step with the till", "ok")
    assert await at_a_glance(owner) == ()


async def test_a_store_that_is_switched_off_fails_in_silence(sqlite_world: World) -> None:
    world = sqlite_world
    owner, broken, _ = await two_stores(world)
    await owner.choose(on=False, store=broken.id)
    await owner.run()
    world.sandbox.fault("http", "evotor.products", status=404, place=broken.id, times=None)
    for _ in range(4):
        await owner.run()
        world.clock.forward(minutes=20)
    await owner.run()
    reading = (await owner.mirror()).readings[StoreId(broken.id)]
    assert (reading.state, reading.failures) == (StoreState.FAILED, 5)
    seen = await sees(owner)
    assert (seen.title, seen.whose_move) == ("In step with the till", "ok")
    assert await at_a_glance(owner) == ()
