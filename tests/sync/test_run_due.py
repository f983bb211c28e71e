"""A run that waited for room looks again whether it is still due: another process may have done it meanwhile."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

from evosync.domain.mirror import Scope
from evosync.sync.mailbox import ROUTINE, Mailbox, Message
from evosync.sync.run import MirrorRun
from tests.sync.world import Owner, World


async def told(owner: Owner, scope: Scope, reasons: Iterable[str]) -> int:
    """As the supervisor does once there is room; returns how many runs there were."""
    before = len(await owner.runs())
    message = Message(scope, frozenset(reasons))
    await MirrorRun(owner.world.engine)(owner.user, message, asyncio.Event(), Mailbox())
    return len(await owner.runs()) - before


async def test_a_routine_run_whose_time_has_not_come_is_left_out(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    assert await told(owner, Scope.DELTA, [ROUTINE]) == 0
    at = await owner.next_at()
    assert at is not None
    world.clock.ahead += at - world.clock() + timedelta(milliseconds=1)
    assert await told(owner, Scope.DELTA, [ROUTINE]) == 1
    assert await told(owner, Scope.DELTA, [ROUTINE]) == 0


async def test_a_wish_is_met_once_however_many_were_told_of_it(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    await world.ledger.want(owner.user, scope=Scope.FULL, reason="button", at=world.clock())
    assert await told(owner, Scope.FULL, ["button"]) == 1
    assert await told(owner, Scope.FULL, ["button"]) == 0


async def test_what_a_dead_worker_left_is_gone_on_with_whatever_the_time(world: World) -> None:
    owner = await world.owner(3)
    await owner.run()
    await world.ledger.start_run(owner.user, scope=Scope.FULL, reasons=["button"], at=world.clock())
    assert await told(owner, Scope.FULL, ["button"]) == 1
