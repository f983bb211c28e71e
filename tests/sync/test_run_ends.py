"""A run that has done its work ends, whatever its look at the database does."""

import asyncio
import gc
import weakref
from dataclasses import replace

import pytest

from evosync.db.ledger import DbLedger
from evosync.domain.ids import RunId, UserId
from evosync.domain.mirror import Going, Progress, Scope, Tally
from evosync.sync import one_run
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.one_run import OneRun
from tests.sync.world import World


class Deaf(DbLedger):
    """Loses the first cancellation, as `asyncio.wait_for` can before Python 3.12 where a connection is opened."""

    asked = False

    async def progress(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> Going:
        self.asked = True
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            return Going.ON
        return Going.UNWANTED


async def test_a_lost_cancellation_keeps_no_run_from_ending(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await world.owner(3)
    monkeypatch.setattr(one_run, "_LOOK_SECONDS", 0.01)
    ledger = Deaf(world.database, sealer=world.sealer, clock=world.clock)
    world.engine = replace(world.engine, ledger=ledger)
    async with asyncio.timeout(30):
        record = await owner.run()
    assert ledger.asked
    assert record.outcome == "ok"
    owner.assert_mirrored()


async def test_what_a_run_has_read_is_gone_with_it_and_waits_for_no_collector(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    message = Message(Scope.FULL, frozenset({"test"}))
    run = OneRun(world.engine, await owner.mirror(), message, asyncio.Event(), Mailbox(), owner.held)
    gone = weakref.ref(run)
    gc.collect()
    gc.disable()
    try:
        await run.go()
        del run
        assert gone() is None
    finally:
        gc.enable()
