"""What happens to a run while it goes: hints, stops, changes of mind, lost leases."""

import asyncio
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from evosync.domain.ids import RunId, StoreId, UserId
from evosync.domain.mirror import Going, Progress, RunRecord, Scope, Tally
from evosync.sandbox.evotor.till import Product
from evosync.sandbox.faults import Fault
from evosync.sync import one_run
from evosync.sync.mailbox import HINT, ROUTINE, Mailbox, Message
from evosync.sync.run import MirrorRun
from tests.sync.world import Held, Owner, World


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_run, "_LOOK_SECONDS", 0.02)


def hint(owner: Owner) -> Message:
    store = StoreId(owner.store.id)
    return Message(Scope.HINT, frozenset({HINT + store}), frozenset({store}))


async def held_run(
    owner: Owner, method: str, *, stopping: asyncio.Event | None = None, mailbox: Mailbox | None = None, **fault: Any
) -> tuple[asyncio.Task[RunRecord], Fault]:
    """A run whose first call of `method` is held by VK."""
    hold = owner.world.sandbox.fault("hold", method, **fault)
    running = asyncio.create_task(owner.run(stopping=stopping, mailbox=mailbox))
    await owner.world.met(hold)
    return running, hold


# a price changes at the till during the same owner's big run


def prices_sent(owner: Owner, product: Product) -> list[str]:
    return [write.params["price"] for write in owner.item(product).history if "price" in write.params]


async def test_a_price_changed_during_a_big_run_goes_ahead_of_it_and_is_never_overwritten(world: World) -> None:
    owner = await world.owner(120)
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.change(product, price=float(product.price or 0) + 1000)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.edit", mailbox=mailbox)
    bun = list(owner.store.products.values())[-1]
    owner.change(bun, price=7)
    mailbox.put(hint(owner))
    # The hint is read while VK still holds the first edits.
    await _until(lambda: mailbox.peek() is None)
    hold.release()
    record = await running
    assert record.outcome == "ok"
    assert owner.item(bun).kopecks == 700
    assert prices_sent(owner, bun)[-1] == "7.00"
    await owner.run()
    owner.assert_mirrored()


async def test_a_hint_about_a_product_that_is_being_written_comes_after_that_write(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=111)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.edit", mailbox=mailbox)
    owner.change(bun, price=222)
    mailbox.put(hint(owner))
    await _until(lambda: mailbox.peek() is None)
    hold.release()
    await running
    assert prices_sent(owner, bun)[-2:] == ["111.00", "222.00"]


async def test_a_hint_about_a_product_that_is_being_created_doubles_nothing(world: World) -> None:
    owner = await world.owner(12)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.add", mailbox=mailbox)
    for product in list(owner.store.products.values()):
        owner.change(product, price=333)
    mailbox.put(hint(owner))
    await _until(lambda: mailbox.peek() is None)
    hold.release()
    assert (await running).outcome in {"ok", "partial"}
    await owner.settled()
    owner.assert_mirrored()


async def test_a_hint_while_the_albums_are_being_made_makes_none_twice(world: World) -> None:
    owner = await world.owner(12)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.addAlbum", mailbox=mailbox)
    (new, _) = owner.stock(2)
    mailbox.put(hint(owner))
    async with asyncio.timeout(30):
        while (await owner.statuses()).get(new.id) != "wait_create":
            await asyncio.sleep(0.01)
    # The hint knows now what it is to do, and VK has not answered about the albums of the run yet.
    hold.release()
    await running
    await owner.settled()
    owner.assert_mirrored()
    assert sorted(album.title for album in owner.community.albums.values()) == ["Сладости", "Хлеб"]


async def test_a_hint_keeps_to_the_daily_limit_together_with_the_run_it_came_in(world: World) -> None:
    world.with_terms(adds_per_day=20)
    owner = await world.owner(18)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.add", mailbox=mailbox)
    owner.stock(6)
    mailbox.put(hint(owner))
    async with asyncio.timeout(30):
        while Counter((await owner.statuses()).values())["wait_vk"] < 4:
            await asyncio.sleep(0.01)
    hold.release()
    await running
    assert len(owner.items) == 20


async def test_a_hint_counts_a_create_of_the_run_whose_answer_was_lost_towards_the_daily_limit(world: World) -> None:
    world.with_terms(adds_per_day=5)
    owner = await world.owner(4)
    world.sandbox.fault("error", "market.add", code=10, when="after", skip=1)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.addToAlbum", mailbox=mailbox)
    owner.stock(3)
    mailbox.put(hint(owner))
    await _until(lambda: mailbox.peek() is None)
    hold.release()
    await running
    assert len(owner.items) == 5


async def test_a_receipt_counts_each_product_once_whatever_a_hint_says_of_it_later(world: World) -> None:
    owner = await world.owner(8)
    no_price, *_ = owner.stock(1)
    owner.change(no_price, price=0)
    await owner.run()
    written, moved, same, *_ = owner.store.products.values()
    owner.change(written, price=111)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.edit", mailbox=mailbox)
    owner.change(moved, price=222)
    owner.change(same, quantity=4)
    owner.change(no_price, quantity=4)
    mailbox.put(hint(owner))
    async with asyncio.timeout(30):
        while owner.item(moved).kopecks != 222_00:
            await asyncio.sleep(0.01)
    hold.release()
    tally = (await running).tally
    assert (tally.products, tally.updated, tally.unchanged, tally.skipped) == (9, 2, 6, 1)
    assert tally.reasons == {"zero_price": 1}


async def test_what_the_daily_limit_leaves_is_counted_once_though_a_hint_leaves_it_too(world: World) -> None:
    world.with_terms(adds_per_day=5)
    owner = await world.owner(12)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.add", mailbox=mailbox)
    left = [product for product in owner.store.products.values() if await owner.status(product) == "wait_vk"]
    for product in left:
        owner.change(product, price=333)
    mailbox.put(hint(owner))
    await _until(lambda: mailbox.peek() is None)
    hold.release()
    tally = (await running).tally
    assert (tally.created, tally.unchanged, tally.skipped, tally.reasons) == (5, 0, 7, {"wait_vk": 7})


async def test_what_was_made_is_not_counted_as_unchanged_when_a_hint_finds_it_so(world: World) -> None:
    owner = await world.owner(3)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.addToAlbum", mailbox=mailbox)
    for product in list(owner.store.products.values()):
        owner.change(product, quantity=4)
    mailbox.put(hint(owner))
    await _until(lambda: mailbox.peek() is None)
    hold.release()
    tally = (await running).tally
    assert (tally.created, tally.unchanged, tally.skipped) == (3, 0, 0)


async def test_twenty_hints_are_read_as_few(world: World) -> None:
    owner = await world.owner(20)
    mailbox = Mailbox()
    running, hold = await held_run(owner, "market.add", mailbox=mailbox)
    before = world.sandbox.ledger.requests("evotor")
    for _ in range(20):
        mailbox.put(hint(owner))
    hold.release()
    await running
    assert world.sandbox.ledger.requests("evotor") - before <= 2


async def test_a_captcha_for_the_adds_does_not_hold_up_edits_that_wait_their_turn(world: World) -> None:
    owner = await world.owner(150)
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.change(product, price=float(product.price or 0) + 1)
    owner.stock(30)
    world.sandbox.latency.vk_request = 0.2
    world.sandbox.fault("error", "market.add", code=14, times=None)
    record = await owner.run()
    assert (record.tally.updated, record.tally.created) == (150, 0)


# it is stopped


async def test_a_run_that_is_stopped_finishes_what_is_on_its_way_and_goes_on_later(world: World) -> None:
    owner = await world.owner(120)
    stopping = asyncio.Event()
    running, hold = await held_run(owner, "market.add", stopping=stopping)
    stopping.set()
    hold.release()
    record = await running
    assert record.outcome == "cut"
    assert 0 < len(owner.items) < 120
    assert record.tally.created == len(owner.items), "what VK did is recorded"
    assert len([link for link in (await owner.links()).values() if link.item is not None]) == len(owner.items)
    at = await owner.next_at()
    assert at is not None
    assert at <= world.clock()
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()
    assert world.sandbox.ledger.calls["market.add"] == 120


async def test_a_run_that_lost_its_lease_stops_writing(world: World) -> None:
    owner = await world.owner(120)
    running, hold = await held_run(owner, "market.add")
    lost, owner.held = owner.held, Held()
    lost.lose()
    async with asyncio.timeout(30):
        await lost.seen.wait()
    hold.release()
    assert (await running).outcome == "cut"
    assert len(owner.items) < 120
    await owner.settled()
    owner.assert_mirrored()


@pytest.mark.parametrize("how", ["pause", "disconnect", "suspend"])
async def test_a_change_of_mind_in_the_middle_stops_the_writing(world: World, how: str) -> None:
    owner = await world.owner(120)
    asked = asyncio.Event()
    noted = world.ledger.progress

    async def asking(user: UserId, run: RunId, progress: Progress, tally: Tally) -> Going:
        going = await noted(user, run, progress, tally)
        if going is Going.UNWANTED:
            asked.set()
        return going

    world.ledger.progress = asking  # type: ignore[method-assign]  # to see when it has been asked
    running, hold = await held_run(owner, "market.add")
    await getattr(owner, how)()
    async with asyncio.timeout(30):
        await asked.wait()
    hold.release()
    record = await running
    assert (record.outcome, record.code) == ("cut", "unwanted")
    assert len(owner.items) < 120
    assert record.tally.created == len(owner.items)


# something is taken away in the middle


async def test_a_token_taken_away_in_the_middle_of_a_run_loses_nothing(world: World) -> None:
    owner = await world.owner(60)
    running, hold = await held_run(owner, "market.add", skip=20)
    world.sandbox.revoke(owner.vk_token)
    hold.release()
    record = await running
    assert (record.outcome, record.code) == ("failed", "VK 5")
    assert len(world.bell.broken) == 1
    world.sandbox.add_person("vk-token-number-two", person_id=world.sandbox.tokens[owner.vk_token].person_id)
    await owner.connect_vk("vk-token-number-two")
    await owner.settled()
    owner.assert_mirrored()


async def test_what_a_replaced_key_is_refused_says_nothing_of_the_new_one(world: World) -> None:
    owner = await world.owner(60)
    running, hold = await held_run(owner, "market.add", skip=20)
    world.sandbox.revoke(owner.vk_token)
    world.sandbox.add_person("vk-token-number-two", person_id=world.sandbox.tokens[owner.vk_token].person_id)
    await owner.connect_vk("vk-token-number-two")
    hold.release()
    record = await running
    assert (record.outcome, record.code) == ("cut", "unwanted")
    assert (await owner.vk_health(), world.bell.broken) == (("ok", ""), [])
    await owner.settled()
    owner.assert_mirrored()


async def test_a_key_replaced_while_a_routine_run_asks_the_till_is_used_by_the_run_after_it_alone(world: World) -> None:
    owner = await world.owner(60)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=111)
    world.clock.forward(minutes=40)
    before, requests = await owner.runs(), world.sandbox.ledger.calls.total()
    hold = world.sandbox.fault("hold", "evotor.products")
    routine = Message(Scope.DELTA, frozenset({ROUTINE}))
    run = MirrorRun(world.engine).run(owner.user, routine, asyncio.Event(), Mailbox(), owner.held)
    running = asyncio.create_task(run)
    await world.met(hold)
    world.sandbox.revoke(owner.vk_token)
    world.sandbox.add_person("vk-token-number-two", person_id=world.sandbox.tokens[owner.vk_token].person_id)
    await owner.connect_vk("vk-token-number-two")
    hold.release()
    assert await running is None
    assert await owner.runs() == before
    assert world.sandbox.ledger.calls.total() == requests + 1, "nothing was asked but the till"
    assert (await owner.vk_health(), world.bell.broken) == (("ok", ""), [])
    await owner.settled()
    assert owner.item(bun).kopecks == 111_00
    owner.assert_mirrored()


async def test_a_shop_switched_off_in_the_middle_of_a_run_goes_on_once_it_is_on(world: World) -> None:
    owner = await world.owner(60)
    running, hold = await held_run(owner, "market.add", skip=5)
    owner.community.market_enabled = False
    hold.release()
    record = await running
    assert (record.outcome, record.code) == ("failed", "VK 1438")
    owner.community.market_enabled = True
    await owner.settled()
    owner.assert_mirrored()
    assert await owner.vk_health() == ("ok", "")


async def test_a_till_token_taken_away_in_the_middle_hides_nothing(world: World) -> None:
    owner = await world.owner(30)
    await owner.run()
    world.sandbox.evotor.page_size = 10
    hold = world.sandbox.fault("hold", "evotor.products", skip=1)
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    world.sandbox.revoke(owner.cloud_token)
    hold.release()
    await running
    await owner.run()
    owner.assert_mirrored()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_price_changed_by_hand_between_the_reading_and_an_edit_of_another_field_is_put_right_by_the_next_run(
    world: World,
) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, name="Булка другая")
    running, hold = await held_run(owner, "market.edit")
    world.sandbox.change_item(owner.community.id, owner.item(bun).id, kopecks=1)
    hold.release()
    await running
    await owner.run()
    assert owner.item(bun).kopecks == round(float(bun.price or 0) * 100)
    owner.assert_mirrored()
