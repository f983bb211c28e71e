"""The machine's clock jumps by an hour, between runs and in the middle of one."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from evosync.domain.mirror import Scope
from evosync.sync.mailbox import ROUTINE, Mailbox, Message
from evosync.sync.run import MirrorRun
from tests.hard.jumping import JumpingClock, worker
from tests.hard.sees import sees
from tests.journeys.process import environment
from tests.journeys.workers import done, until, wish
from tests.sync.world import Owner, World

HOURS = [1, -1, -30]


async def costs(owner: Owner, product: str, kopecks: int) -> bool:
    return owner.item(product).kopecks == kopecks


@pytest.mark.timeout(300)
@pytest.mark.parametrize("hours", [1, -1])
async def test_jumps_of_a_worker_s_clock_in_the_middle_of_a_first_run_and_back_cost_no_item(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path, hours: int
) -> None:
    world, clock = sqlite_world, JumpingClock(tmp_path)
    owner = await world.owner(40)
    environ = environment(world, tmp_path, database=sqlite_url, redis=redis_url)
    hold = world.sandbox.fault("hold", "market.add", when="after", skip=12)
    async with worker(environ | clock.environ) as process:
        await wish(world, redis_url, owner)
        await world.met(hold)
        clock.jump(hours)
        world.clock.forward(hours=hours)
        hold.release()
        await until(lambda: done(owner), 120)
        owner.assert_mirrored()
        clock.jump(0)
        world.clock.forward(hours=-hours)
        bun = next(iter(owner.store.products.values()))
        owner.change(bun, price=999)
        await wish(world, redis_url, owner)
        await until(lambda: costs(owner, bun.id, 99_900), 120)
        process.terminate()
        assert await process.wait() == 0
    owner.assert_mirrored()
    assert owner.community.writes["market.add"] == len(owner.items) == 40


@pytest.mark.timeout(240)
async def test_where_a_worker_s_clock_was_an_hour_ahead_and_is_set_right_changes_come_by_themselves_as_ever(
    sqlite_world: World, sqlite_url: str, redis_url: str, tmp_path: Path
) -> None:
    world, clock = sqlite_world, JumpingClock(tmp_path)
    owner = await world.owner(6)
    environ = environment(world, tmp_path, database=sqlite_url, redis=redis_url)
    clock.jump(1)
    world.clock.forward(hours=1)
    async with worker(environ | clock.environ) as process:
        await wish(world, redis_url, owner)
        await until(lambda: done(owner))
        clock.jump(0)
        world.clock.forward(hours=-1)
        bun = next(iter(owner.store.products.values()))
        owner.change(bun, price=999)
        await until(lambda: costs(owner, bun.id, 99_900), 100)  # nobody asks: a tick finds him
        process.terminate()
        assert await process.wait() == 0
    owner.assert_mirrored()


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
    message = Message(Scope.DELTA, frozenset([ROUTINE]))
    await MirrorRun(owner.world.engine)(owner.user, message, asyncio.Event(), Mailbox())


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
