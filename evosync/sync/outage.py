"""Whether a cloud is in trouble for everybody: the two breakers, and what follows when one opens."""

import asyncio
import logging
from collections.abc import Mapping

from evosync.domain.errors import CloudError, Rejected, Side
from evosync.domain.ids import UserId
from evosync.sync.breaker import SHARED_CAUSES, Breaker, Trip, Turn
from evosync.sync.ports import Clock, Ledger

log = logging.getLogger(__name__)


class Outages:
    """What runs ask before they begin and tell when they end. One for each process: each sees its own runs."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._mending: set[asyncio.Task[int]] = set()
        self.breakers: Mapping[Side, Breaker] = {side: Breaker(side, self._tell) for side in Side}

    def resting(self, side: Side, user: UserId) -> bool:
        return self.breakers[side].hold(user, self._clock()) is not None

    async def saw(self, side: Side, user: UserId, error: CloudError | None) -> bool:
        breaker = self.breakers[side]
        breaker.ended(user, error, self._clock())
        return isinstance(error, SHARED_CAUSES) and breaker.resting_until is not None

    def _tell(self, trip: Trip) -> None:
        """Once per outage, to the operator; owners whose keys were called broken by it get them back."""
        fields = {"side": trip.side.value, "code": trip.code, "owners": trip.owners, "since": trip.since.isoformat()}
        if trip.turn is Turn.CLOSED:
            log.warning("cloud works again", extra=fields)
        else:
            log.error("cloud in trouble for many owners, all rest", extra=fields)
        # At the end once more: a run that failed just then, here or in another process, may have marked it later.
        if trip.cause == Rejected.__name__:
            task = asyncio.create_task(
                self._ledger.mend_connections(trip.side, reason=trip.code, since=trip.since), name="mend-connections"
            )
            self._mending.add(task)
            task.add_done_callback(self._mending.discard)
