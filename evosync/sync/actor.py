"""One user's actor: a mailbox, and one task that runs what it holds, one message after another."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum

from structlog.contextvars import bound_contextvars

from evosync.domain.ids import UserId
from evosync.sync.lanes import Lanes
from evosync.sync.mailbox import Mailbox, Message
from evosync.sync.ports import Clock

Run = Callable[[UserId, Message, asyncio.Event, Mailbox], Awaitable[None]]
"""One mirror run. Once the event is set it finishes the action in hand and returns; it may take
hints out of the mailbox meanwhile. It handles all cloud errors itself: what it raises is a crash.
"""


class Phase(StrEnum):
    """`WAITING`: for room. `LONG`: running for so long that it moved to the long lane."""

    WAITING = "waiting"
    RUNNING = "running"
    LONG = "long"


class Actor:
    """Lives while its mailbox has something in it; what it works at is never kept anywhere else."""

    def __init__(self, user: UserId, *, run: Run, lanes: Lanes, stopping: asyncio.Event, clock: Clock) -> None:
        self.user = user
        self.mailbox = Mailbox()
        self.phase = Phase.WAITING
        self.since: datetime = clock()
        self.message: Message | None = None
        self._run = run
        self._lanes = lanes
        self._stopping = stopping
        self._clock = clock

    async def live(self) -> None:
        """Until the mailbox is empty or the process stops. After the last look there is no await."""
        while self.mailbox and not self._stopping.is_set():
            self._enter(Phase.WAITING)
            async with self._lanes.room(self._grown_long):
                await self._once()

    async def _once(self) -> None:
        """What came while there was no room has merged: take it only now."""
        if self._stopping.is_set() or (message := self.mailbox.take()) is None:
            return
        self.message = message
        self._enter(Phase.RUNNING)
        origin = {"request_id": message.origin} if message.origin else {}
        try:
            with bound_contextvars(user_id=self.user, **origin):  # of every line of the run
                await self._run(self.user, message, self._stopping, self.mailbox)
        finally:
            self.message = None

    def _grown_long(self) -> None:
        self.phase = Phase.LONG

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self.since = self._clock()
