"""Whether a cloud is in trouble for everybody: the two breakers, and what follows when one opens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from evosync.domain.connection import Health
from evosync.domain.errors import CloudError, Rejected, Side
from evosync.domain.ids import UserId
from evosync.sync.breaker import SHARED_CAUSES, Breaker, Trip, Turn
from evosync.sync.ports import Clock, Ledger

log = logging.getLogger(__name__)

_PAUSES = (1.0, 5.0, 30.0, 120.0)
"""Seconds between the tries to give owners their keys back; from the last on it stays at that."""


class Outages:
    """What runs ask before they begin and tell when they end. One for each process: each sees its own runs."""

    def __init__(
        self, ledger: Ledger, clock: Clock, *, sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._sleep = sleep
        self._mending: set[asyncio.Task[None]] = set()
        self.breakers: Mapping[Side, Breaker] = {side: Breaker(side, self._tell) for side in Side}

    def resting(self, side: Side, user: UserId) -> bool:
        return self.breakers[side].hold(user, self._clock()) is not None

    async def saw(self, side: Side, user: UserId, error: CloudError | None) -> bool:
        breaker = self.breakers[side]
        if isinstance(error, Rejected) and await self._is_known(side, user, error.code):
            breaker.passed_over(user)
        else:
            breaker.ended(user, error, self._clock())
        return isinstance(error, SHARED_CAUSES) and breaker.resting_until is not None

    async def close(self) -> None:
        """Ends what could not be written yet."""
        while self._mending:  # a cancellation can get lost in `asyncio.wait_for`, before Python 3.12
            for task in self._mending:
                task.cancel()
            await asyncio.wait(self._mending, timeout=1)

    async def _is_known(self, side: Side, user: UserId, code: str) -> bool:
        """Whether the connection was broken for the same before this run, which is tried again now and then.

        A few shops that are switched off would else look like a cloud in trouble, again and again.
        """
        mirror = await self._ledger.mirror(user)
        connection = None if mirror is None else mirror.vk if side is Side.VK else mirror.evotor
        return connection is not None and connection.health is Health.BROKEN and connection.reason == code

    def _tell(self, trip: Trip) -> None:
        """Once per outage, to the operator; owners whose keys were called broken by it get them back."""
        codes = ", ".join(sorted(trip.codes))
        fields = {"side": trip.side.value, "code": codes, "owners": trip.owners, "since": trip.since.isoformat()}
        if trip.turn is Turn.CLOSED:
            log.warning("cloud works again", extra=fields)
        else:
            log.error("cloud in trouble for many owners, all rest", extra=fields)
        # At the end once more: a run that failed just then, here or in another process, may have marked it later.
        if trip.cause == Rejected.__name__:
            task = asyncio.create_task(self._mend(trip), name="mend-connections")
            self._mending.add(task)
            task.add_done_callback(self._mending.discard)

    async def _mend(self, trip: Trip) -> None:
        """Until it is written: nobody else would wake the owners whom a final code put to sleep."""
        left = sorted(trip.codes)
        pauses = iter(_PAUSES)
        pause = 0.0
        while left:
            try:
                await self._ledger.mend_connections(trip.side, reason=left[0], since=trip.since)
                del left[0]
            except Exception:  # the database's, which may be in trouble for minutes
                pause = next(pauses, pause)
                fields = {"side": trip.side.value, "code": left[0], "again_in": pause}
                log.exception("connections not mended after an outage", extra=fields)
                await self._sleep(pause)
