"""The machine's clock jumps by an hour, between runs and in the middle of one."""

import asyncio
from datetime import timedelta

import pytest

from evosync.domain.mirror import Scope
from evosync.sync.mailbox import ROUTINE
from tests.hard.sees import sees
from tests.sync.world import Owner, World

HOURS = [1, -1, -30]


async def is_due(owner: Owner) -> bool:
    return owner.user in await owner.world.ledger.due(owner.world.clock(), 10)


async def next_tick_runs(owner: Owner) -> None:
    """Within a few minutes the clock finds him due, and a routine run ends well."""
    for _ in range(10):
        if await is_due(owner):
            break
        owner.world.clock.forward(minutes=1)
    assert await is_due(owner), "nobody would look at this shop for an hour"
    assert (await owner.turn()).is_due
    await owner.run(Scope.DELTA, reasons=[ROUTINE])


@pytest.mark.parametrize("hours", HOURS)
async def test_after_a_jump_of_the_clock_changes_at_the_till_come_as_soon_as_ever(
    sqlite_world: World, hours: int
) -> None:
    world = sqlite_world
    owner = await world.owner(6)
    await owner.run()
    world.clock.forward(hours=hours)
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=999)
    await next_tick_runs(owner)
    assert owner.item(bun).kopecks == 99_900
    at = await owner.next_at()
    assert at is not None
    assert at - world.clock() < timedelta(minutes=10)
    assert not await is_due(owner)
    assert (await sees(owner)).whose_move == "ok"
    owner.assert_mirrored()


@pytest.mark.parametrize("hours", HOURS)
async def test_a_jump_of_the_clock_in_the_middle_of_a_first_run_costs_no_item(sqlite_world: World, hours: int) -> None:
    world = sqlite_world
    owner = await world.owner(40)
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
    running = asyncio.create_task(owner.run())
    await world.met(hold)
    world.clock.forward(hours=hours)
    hold.release()
    assert (await running).outcome == "ok"
    owner.assert_mirrored()
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=999)
    await next_tick_runs(owner)
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == len(owner.items) == 40
