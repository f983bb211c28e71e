"""What all runs share."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from evosync.domain.errors import CloudError, Side
from evosync.domain.guard import Finding
from evosync.domain.ids import UserId
from evosync.domain.schedule import Rhythm
from evosync.sync.ports import Clock, Lease, Ledger, Sides, Watcher
from evosync.sync.push import Picture
from evosync.sync.till_reading import Patience


@dataclass(frozen=True, slots=True)
class Terms:
    """The operator's terms for all runs.

    `settle`: how long VK may still be doing a write whose reply was lost. `send_within`: a create leaves so soon
    after its intent, or not at all; another run repeats it two settles after that at the earliest.
    """

    rhythm: Rhythm = field(default_factory=Rhythm)
    patience: Patience = field(default_factory=Patience)
    settle: timedelta = timedelta(seconds=40)
    send_within: timedelta = timedelta(seconds=40)
    adds_per_day: int | None = None


class Breakers(Protocol):
    """When a cloud fails for many owners at once, it rests for all, and none is told that his key is broken."""

    def resting(self, side: Side, user: UserId) -> bool:
        """Whether this user's run must leave the side alone now."""

    async def saw(self, side: Side, user: UserId, error: CloudError | None) -> bool:
        """Told how a run fared; True if the failure is everybody's."""


class Bell(Protocol):
    """Tells the owner, or the operator, what a run found; once, not each time."""

    async def connection_broken(
        self, user: UserId, side: Side, code: str, finding: Finding | None = None, /
    ) -> None: ...
    async def operator(self, code: str, detail: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that runs share."""

    ledger: Ledger
    sides: Sides
    lease: Lease
    watcher: Watcher
    breakers: Breakers
    bell: Bell
    picture: Picture
    terms: Terms
    clock: Clock
