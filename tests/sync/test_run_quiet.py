"""A routine run that finds nothing new at the till is written down once, when it is over."""

import asyncio
from datetime import timedelta

import pytest

from evosync.domain.mirror import Scope
from evosync.sync.mailbox import ROUTINE
from tests.sync.world import Owner, World


async def quiet(world: World) -> Owner:
    """Mirrored, and nothing touched since for longer than a delta reaches back."""
    owner = await world.owner(4)
    await owner.run()
    world.clock.forward(minutes=40)
    return owner


async def test_a_quiet_run_is_recorded_whole_and_sets_the_next_turn(world: World) -> None:
    owner = await quiet(world)
    asked = world.sandbox.ledger.calls["evotor.products"]
    record = await owner.run(Scope.DELTA, reasons=[ROUTINE])
    assert (record.scope, record.outcome, record.reasons) == (Scope.DELTA, "ok", (ROUTINE,))
    assert record.finished_at is not None
    assert record.started_at <= record.finished_at
    assert record.tally.evotor_requests == world.sandbox.ledger.calls["evotor.products"] - asked == 1
    assert (await owner.runs())[-1] == ("delta", "ok", "")
    at = await owner.next_at()
    assert at is not None
    assert timedelta() < at - world.clock() <= timedelta(minutes=10)
    assert not (await owner.turn()).is_due


async def test_nothing_of_it_stands_in_the_database_while_the_till_is_asked(world: World) -> None:
    owner = await quiet(world)
    before = await owner.runs()
    hold = world.sandbox.fault("hold", "evotor.products")
    running = asyncio.create_task(owner.run(Scope.DELTA, reasons=[ROUTINE]))
    await world.met(hold)
    assert await owner.runs() == before
    hold.release()
    assert (await running).outcome == "ok"


async def test_what_is_wished_for_meanwhile_stays_wished_for(world: World) -> None:
    owner = await quiet(world)
    hold = world.sandbox.fault("hold", "evotor.products")
    running = asyncio.create_task(owner.run(Scope.DELTA, reasons=[ROUTINE]))
    await world.met(hold)
    await world.ledger.want(owner.user, scope=Scope.FULL, reason="button", at=world.clock())
    hold.release()
    await running
    wish = (await owner.turn()).wish
    assert wish is not None
    assert (wish.scope, wish.reasons) == (Scope.FULL, ("button",))


async def test_news_are_stored_by_a_run_that_stands_in_the_database(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await quiet(world)
    bun = next(iter(owner.store.products.values()))
    owner.change(bun, price=321)
    asked = world.sandbox.ledger.calls["evotor.products"]
    before = len(await owner.runs())
    started: list[int] = []
    save = world.ledger.save_till

    async def watch(*args: object, **more: object) -> None:
        started.append(len(await owner.runs()))
        await save(*args, **more)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(world.ledger, "save_till", watch)
    assert (await owner.run(Scope.DELTA, reasons=[ROUTINE])).outcome == "ok"
    assert started == [before + 1], "stored before its run stood in the database"
    assert world.sandbox.ledger.calls["evotor.products"] - asked == 1, "asked twice"
    assert owner.item(bun).kopecks == 32_100


async def test_a_till_that_fails_is_asked_once_and_the_failure_is_a_run_s(world: World) -> None:
    owner = await quiet(world)
    failing = world.sandbox.fault("http", "evotor.products", status=401, times=None)
    record = await owner.run(Scope.DELTA, reasons=[ROUTINE])
    assert (record.outcome, record.code) == ("failed", "Evotor 401")
    assert failing.struck == 2, "once for each way to send a token"
