"""Every answer of VK leads to the action of the facts' table, as an owner's shop shows it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from evosync.domain.errors import Side
from tests.sync.world import Owner, World

LONG = "Пирог с вишней и миндалём по рецепту нашей бабушки из деревни Большие Вишенки, большой, на шесть порций"


async def mixed(world: World, *, edits: int = 3, adds: int = 3) -> Owner:
    """A mirrored shop where so many prices have changed and so many products are new."""
    owner = await world.owner(edits)
    await owner.run()
    for product in list(owner.store.products.values()):
        owner.change(product, price=(product.price or 0) + 1)
    owner.stock(adds)
    return owner


# one product is refused


@pytest.mark.parametrize("code", [19, 100, 1412, 1425, 1429, 1433])
async def test_a_refused_item_is_skipped_and_not_tried_again_until_it_changes(world: World, code: int) -> None:
    owner = await world.owner(1)
    world.sandbox.fault("error", "market.add", code=code, message="category_id is wrong", times=None)
    record = await owner.run()
    (bun,) = owner.store.products.values()
    assert (record.outcome, record.tally.failed, record.tally.failures) == ("partial", 1, {f"VK {code}": 1})
    assert await owner.status(bun) in {"failed", "refused_field", "bad_photo"}
    assert [line[1:] for line in await owner.results(record)] == [("failed", "new", f"VK {code}")]
    asked = world.sandbox.ledger.calls["market.add"]
    again = await owner.run()
    assert world.sandbox.ledger.calls["market.add"] == asked
    assert again.tally.skipped == 1
    world.sandbox.faults.clear()
    owner.change(bun, price=60)
    assert (await owner.run()).tally.created == 1
    owner.assert_mirrored()


async def test_a_refused_edit_leaves_the_item_as_it_is_and_is_remembered(world: World) -> None:
    owner = await mixed(world, edits=1, adds=0)
    (bun,) = owner.store.products.values()
    before = owner.item(bun).kopecks
    world.sandbox.fault("error", "market.edit", code=100, message="price is wrong: invalid: price", times=None)
    record = await owner.run()
    assert (record.outcome, record.tally.failed) == ("partial", 1)
    assert owner.item(bun).kopecks == before
    asked = world.sandbox.ledger.calls["market.edit"]
    await owner.run()
    assert world.sandbox.ledger.calls["market.edit"] == asked
    world.sandbox.faults.clear()
    owner.change(bun, price=61)
    await owner.run()
    owner.assert_mirrored()


@pytest.mark.parametrize(("code", "field"), [(1421, "name"), (1408, "description")])
async def test_a_refused_text_is_softened_once_and_the_item_made(world: World, code: int, field: str) -> None:
    owner = await world.owner(1)
    (bun,) = owner.store.products.values()
    owner.change(bun, name=LONG)
    world.sandbox.fault("error", "market.add", code=code)
    record = await owner.run()
    assert (record.outcome, record.tally.created, record.tally.failed) == ("ok", 1, 0)
    (item,) = owner.items
    if field == "name":
        assert len(item.name) <= 80
    else:
        assert "испечена" not in item.description
    writes, standing = owner.writes(), await owner.status(bun)
    assert standing == "refused_field", "nothing is dropped silently"
    with world.counting_rows():
        again = await owner.run()
    assert (again.outcome, owner.writes()) == ("ok", writes)
    assert await owner.status(bun) == standing, "the owner is told at once, not an hour later"


@pytest.mark.parametrize("code", [1421, 1408])
async def test_a_text_refused_twice_skips_the_item(world: World, code: int) -> None:
    owner = await world.owner(1)
    world.sandbox.fault("error", "market.add", code=code, times=None)
    record = await owner.run()
    assert (record.outcome, record.tally.failed) == ("partial", 1)
    assert world.sandbox.ledger.calls["market.add"] == 2
    (bun,) = owner.store.products.values()
    assert await owner.status(bun) == "refused_field"


async def test_a_refused_name_of_an_edit_still_lets_the_price_through(world: World) -> None:
    owner = await world.owner(1)
    await owner.run()
    (bun,) = owner.store.products.values()
    old = owner.item(bun).name
    owner.change(bun, name=LONG, price=99)
    world.sandbox.fault("error", "market.edit", code=1421, times=2)
    record = await owner.run()
    assert record.tally.updated == 1
    assert (owner.item(bun).kopecks, owner.item(bun).name) == (9_900, old)
    assert await owner.status(bun) == "refused_field"


# VK has enough for a while


@pytest.mark.parametrize(
    ("code", "least"), [(9, timedelta(minutes=9)), (29, timedelta(minutes=9)), (14, timedelta(minutes=55))]
)
async def test_when_vk_stops_the_adds_edits_go_on_and_adds_wait(world: World, code: int, least: timedelta) -> None:
    owner = await mixed(world, edits=60, adds=12)
    fault = world.sandbox.fault("error", "market.add", code=code, times=None)
    record = await owner.run()
    assert record.outcome in {"ok", "partial"}
    assert (record.tally.updated, record.tally.created) == (60, 0)
    assert sorted(set((await owner.statuses()).values())) == ["in_step", "wait_vk"]
    pause = (await owner.mirror()).pauses["market.add"]
    assert pause.code == f"VK {code}"
    assert pause.until - world.clock() > least
    asked = fault.struck
    await owner.run()
    assert fault.struck == asked, "while it rests nobody asks"
    world.sandbox.faults.clear()
    world.clock.forward(hours=2)
    last = await owner.settled()
    assert last.outcome == "ok"
    owner.assert_mirrored()


async def test_a_second_stop_right_after_the_first_rests_longer(world: World) -> None:
    owner = await world.owner(2)
    world.sandbox.fault("error", "market.add", code=29, times=None)
    await owner.run()
    first = (await owner.mirror()).pauses["market.add"]
    world.clock.forward(minutes=11)
    await owner.run()
    second = (await owner.mirror()).pauses["market.add"]
    assert second.until - world.clock() > timedelta(minutes=15)
    assert second.step == first.step + 1


async def test_when_vk_stops_the_edits_adds_go_on(world: World) -> None:
    owner = await mixed(world, edits=5, adds=5)
    world.sandbox.fault("error", "market.edit", code=9, times=None)
    record = await owner.run()
    assert (record.tally.updated, record.tally.created) == (0, 5)
    assert (record.outcome, record.code) == ("partial", "VK 9"), "what waits for VK is not done"
    assert "market.edit" in (await owner.mirror()).pauses
    assert Counter((await owner.statuses()).values()) == {"in_step": 5, "wait_vk": 5}


async def test_the_daily_limit_of_adds_is_kept_over_runs_and_lifts_with_the_day(world: World) -> None:
    world.with_terms(adds_per_day=5)
    owner = await world.owner(12)
    assert (await owner.run()).tally.created == 5
    assert (await owner.run()).tally.created == 0
    assert sorted((await owner.statuses()).values()) == ["in_step"] * 5 + ["wait_vk"] * 7
    waits = [values for status, values in await owner.standings() if status == "wait_vk"]
    assert {values["code"] for values in waits} == {"day"}
    tomorrow = world.clock() + timedelta(days=1)
    (until,) = {datetime.fromisoformat(values["until"]) for values in waits}
    assert tomorrow - timedelta(hours=1) < until <= tomorrow
    world.clock.forward(hours=25)
    assert (await owner.run()).tally.created == 5
    world.clock.forward(hours=25)
    assert (await owner.run()).tally.created == 2
    owner.assert_mirrored()


@pytest.mark.parametrize("lag", [0, 60])
async def test_an_item_whose_answer_was_lost_counts_towards_the_daily_limit(world: World, lag: float) -> None:
    world.with_terms(adds_per_day=5)
    world.sandbox.vk.listing_lag = lag
    owner = await world.owner(12)
    world.sandbox.fault("error", "market.add", code=10, when="after", skip=1)
    assert (await owner.run()).tally.created == 4
    for _ in range(2):
        await owner.run()
        assert len(owner.items) == 5
    world.sandbox.vk.listing_lag = 0
    for _ in range(2):
        await owner.run()
        assert len(owner.items) == 5
    world.clock.forward(hours=25)
    assert (await owner.run()).tally.created == 5


async def test_a_create_that_vk_never_did_is_repeated_within_the_daily_limit(world: World) -> None:
    world.with_terms(adds_per_day=5)
    owner = await world.owner(12)
    world.sandbox.fault("error", "market.add", code=10, when="before", skip=1)
    assert (await owner.run()).tally.created == 4
    for _ in range(3):
        world.clock.forward(seconds=60)
        await owner.run()
    assert len(owner.items) == 5
    assert "wait_check" not in (await owner.statuses()).values()


# the connection is broken


@pytest.mark.parametrize("code", [5, 27, 3609])
async def test_a_token_that_vk_refuses_is_told_once_and_vk_left_alone_until_it_is_new(world: World, code: int) -> None:
    owner = await world.owner(2)
    world.sandbox.fault("error", "*", code=code, times=None, only_if=lambda method: not method.startswith("evotor"))
    record = await owner.run()
    assert (record.outcome, record.code) == ("failed", f"VK {code}")
    assert world.bell.broken == [(Side.VK, f"VK {code}")]
    world.sandbox.reset_counters()
    again = await owner.run()
    assert (again.outcome, world.sandbox.ledger.requests("vk")) == ("read_only", 0)
    assert len(world.bell.broken) == 1
    world.sandbox.faults.clear()
    await owner.connect_vk()
    assert (await owner.run()).outcome == "ok"
    owner.assert_mirrored()


@pytest.mark.parametrize("code", [7, 15, 17, 203, 205, 1438])
async def test_a_lost_right_pauses_the_shop_tells_the_owner_once_and_mends_by_itself(world: World, code: int) -> None:
    owner = await world.owner(2)
    world.sandbox.fault("error", "market.add", code=code, times=None)
    record = await owner.run()
    assert (record.outcome, record.code) == ("failed", f"VK {code}")
    assert (await owner.vk_health()) == ("broken", f"VK {code}")
    await owner.run()
    assert world.bell.broken == [(Side.VK, f"VK {code}")]
    world.sandbox.faults.clear()
    assert (await owner.run()).outcome == "ok"
    assert (await owner.vk_health()) == ("ok", "")
    owner.assert_mirrored()


@pytest.mark.parametrize("code", [3, 8, 23, 28])
async def test_our_own_fault_is_told_to_the_operator_and_never_to_the_owner(world: World, code: int) -> None:
    owner = await world.owner(2)
    world.sandbox.fault("error", "market.add", code=code, times=None)
    record = await owner.run()
    assert (record.outcome, record.code) == ("failed", f"VK {code}")
    assert world.bell.broken == []
    assert set(world.bell.faults) == {f"VK {code}"}
    assert (await owner.vk_health())[0] == "ok"
    world.sandbox.faults.clear()
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()


@pytest.mark.parametrize("code", [3, 8, 23, 28])
async def test_our_own_fault_with_a_double_is_no_refused_product(world: World, code: int) -> None:
    owner = await world.owner(2)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    kept = owner.item(bun)
    world.sandbox.add_item(owner.community.id, bun.name, kept.kopecks, sku=kept.sku)
    world.sandbox.fault("error", "market.edit", code=code, times=None)
    record = await owner.run()
    assert (record.outcome, record.code, record.tally.failed) == ("failed", f"VK {code}", 0)
    assert world.bell.broken == []
    assert set(world.bell.faults) == {f"VK {code}"}


async def test_where_most_writes_are_refused_the_shop_is_stopped(world: World) -> None:
    owner = await world.owner(200)
    world.sandbox.fault("error", "market.add", code=100, message="category_id is wrong", times=None)
    record = await owner.run()
    assert (record.outcome, record.code) == ("held", "VK 100")
    assert world.sandbox.ledger.calls["market.add"] < 200
    assert world.bell.broken == [(Side.VK, "VK 100")]


# limits of the shop


async def test_a_full_shop_takes_no_more_items_and_edits_go_on(world: World) -> None:
    world.sandbox.vk.max_items = 6
    owner = await mixed(world, edits=4, adds=5)
    record = await owner.run()
    assert (record.tally.updated, record.tally.created) == (4, 2)
    assert record.notes["shop_full"] == ("VK 1405",)
    assert sorted(set((await owner.statuses()).values())) == ["in_step", "shop_full"]
    assert world.bell.broken == []


async def test_a_full_album_leaves_its_items_without_it(world: World) -> None:
    world.sandbox.vk.max_album_items = 2
    owner = await world.owner(8)
    record = await owner.run()
    assert record.tally.created == 8
    assert sorted(record.notes["album_full"]) == ["сладости", "хлеб"]
    assert len(owner.items) == 8
    assert set((await owner.statuses()).values()) <= {"in_step", "in_step_no_album"}
    assert "in_step_no_album" in (await owner.statuses()).values()


async def test_with_no_room_for_albums_items_stand_without(world: World) -> None:
    world.sandbox.vk.max_albums = 1
    owner = await world.owner(4)
    record = await owner.run()
    assert (record.tally.created, record.tally.albums_made) == (4, 1)
    assert "albums_full" in record.notes
    assert len(owner.items) == 4


async def test_an_album_deleted_in_the_middle_is_made_once_more(world: World) -> None:
    owner = await world.owner(6)
    hold = world.sandbox.fault("hold", "market.addToAlbum")
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    gone = next(iter(owner.community.albums))
    for item in owner.items:
        item.album_ids.pop(gone, None)
    del owner.community.albums[gone]
    hold.release()
    assert (await running).outcome == "ok"
    assert (await owner.run()).outcome == "ok"
    owner.assert_mirrored()
    assert len(owner.community.albums) == 2


async def test_an_item_that_the_owner_deletes_meanwhile_is_not_made_again(world: World) -> None:
    owner = await mixed(world, edits=2, adds=0)
    bun = next(iter(owner.store.products.values()))
    hold = world.sandbox.fault("hold", "market.edit")
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    world.sandbox.remove_item(owner.community.id, owner.item(bun).id)
    hold.release()
    assert (await running).outcome == "partial"
    await owner.settled()
    assert await owner.status(bun) == "removed_in_vk"
    assert len(owner.items) == 1


async def test_one_refused_item_of_a_list_does_not_keep_the_others_out_of_the_album(world: World) -> None:
    owner = await world.owner(10)
    world.sandbox.fault("error", "market.addToAlbum", code=1404)
    assert (await owner.run()).outcome == "ok"
    owner.assert_mirrored()


# nobody knows what became of it


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("code", [1, 10, 36])
async def test_an_add_of_unknown_outcome_is_looked_for_and_never_doubled(world: World, code: int, when: str) -> None:
    owner = await world.owner(4)
    world.sandbox.fault("error", "market.add", code=code, when=when, skip=1)
    record = await owner.run()
    assert (record.outcome, record.tally.created) == ("partial", 3)
    assert sorted(set((await owner.statuses()).values())) == ["in_step", "wait_check"]
    at = await owner.next_at()
    assert at is not None
    assert at - world.clock() <= timedelta(seconds=42)
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()
    assert world.sandbox.ledger.calls["market.add"] == (4 if when == "after" else 5)


async def test_an_add_is_not_repeated_before_vk_can_have_finished_with_it(world: World) -> None:
    owner = await world.owner(1)
    world.sandbox.fault("error", "market.add", code=10)
    await owner.run()
    for _ in range(2):
        record = await owner.run()
        assert (record.outcome, record.tally.created) == ("partial", 0)
    assert world.sandbox.ledger.calls["market.add"] == 1


async def test_a_shop_that_shows_new_items_late_gets_no_doubles(world: World) -> None:
    world.sandbox.vk.listing_lag = 1.5
    owner = await world.owner(3)
    world.sandbox.fault("cut", "execute", when="after", only_if=_with_adds(world))
    assert (await owner.run()).outcome == "partial"
    world.sandbox.vk.listing_lag = 0
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()


@pytest.mark.parametrize("calls", [0, 1, 4, 9])
async def test_an_execute_that_broke_after_some_calls_loses_and_doubles_nothing(world: World, calls: int) -> None:
    owner = await world.owner(12)
    world.sandbox.fault("runtime", "execute", after_calls=calls, only_if=_with_adds(world))
    await owner.run()
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        ("cut", "after"),
        ("cut", "before"),
        ("cut_body", "after"),
        ("broken_body", "after"),
        ("http", "after"),
        ("http", "before"),
    ],
)
async def test_a_reply_that_was_lost_loses_and_doubles_nothing(world: World, kind: str, when: str) -> None:
    owner = await world.owner(12)
    world.sandbox.fault(kind, "execute", when=when, status=502, only_if=_with_adds(world))
    await owner.run()
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()


async def test_vk_in_trouble_is_tried_again_soon_and_nobody_is_blamed(world: World) -> None:
    owner = await world.owner(2)
    world.sandbox.fault("http", "*", times=None, only_if=lambda method: not method.startswith("evotor"))
    record = await owner.run()
    assert (record.outcome, record.code) == ("failed", "VK HTTP 503")
    at = await owner.next_at()
    assert at is not None
    assert at - world.clock() < timedelta(minutes=1)
    assert world.bell.broken == []
    world.sandbox.faults.clear()
    assert (await owner.settled()).outcome == "ok"
    owner.assert_mirrored()


def _with_adds(world: World) -> Callable[[str], bool]:
    """True from the first photo saved on: the next execute holds the adds."""
    return lambda method: method == "execute" and world.sandbox.ledger.calls["market.saveProductPhotoBulk"] > 0


async def test_an_item_that_vk_can_never_write_is_looked_at_less_and_less_often(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=777)
    refused = world.sandbox.fault("error", "market.edit", code=10, times=None)
    over = world.clock() + timedelta(hours=1)
    runs = 0
    while world.clock() < over:
        assert (await owner.next_turn()).outcome == "partial"
        runs += 1
    assert 4 < runs < 20
    assert refused.struck >= runs
    world.sandbox.faults.clear()
    await owner.settled()
    assert owner.item(bun).kopecks == 777_00
