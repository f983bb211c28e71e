"""A worker process as others see it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """What it last said of itself. `busy` runs of `most` at once, `waiting` owners for a place; `memory` in bytes.

    `stopped_at`: it said that it stops; a dead one says nothing, and `seen_at` grows old.
    """

    name: str
    seen_at: datetime
    started_at: datetime
    busy: int = 0
    most: int = 0
    waiting: int = 0
    memory: int = 0
    stopped_at: datetime | None = None
