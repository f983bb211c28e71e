"""A run as the supervisor sees it: take the lease, load the mirror, go."""

import asyncio

from evosync.domain.connection import Health
from evosync.domain.ids import UserId
from evosync.domain.mirror import RunRecord
from evosync.sync.engine import Engine
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.one_run import OneRun
from evosync.sync.ports import Held


class MirrorRun:
    """What the supervisor's actors run; the same object serves all owners."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def __call__(self, user: UserId, message: Message, stopping: asyncio.Event, mailbox: Mailbox) -> None:
        """A user whose lease another process holds is left to it: it asks for later wishes at its end.

        And so is one of whom nothing is wanted any more: while this one waited for room, another may have done it.
        """
        async with self._engine.lease.hold(user) as held:
            if held is not None:
                await self.run(user, message, stopping, mailbox, held, if_due=True)

    async def run(
        self,
        user: UserId,
        message: Message,
        stopping: asyncio.Event,
        mailbox: Mailbox,
        held: Held,
        *,
        if_due: bool = False,
    ) -> RunRecord | None:
        """One run under a lease that is held already; None if there is nothing to run for this user, or not now."""
        mirror = await self._engine.ledger.mirror(user)
        if mirror is None or mirror.evotor is None or mirror.paused_at is not None:
            return None
        if mirror.evotor.health is Health.PARKED:
            return None
        if if_due and not mirror.is_due(self._engine.clock()):
            return None
        return await OneRun(self._engine, mirror, message, stopping, mailbox, held).go()
