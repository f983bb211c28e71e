"""An owner's mirror as the database holds it, and the record of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from evosync.domain.catalog import Group, Product, Store
from evosync.domain.connection import EvotorConnection, VkConnection
from evosync.domain.ids import ProductId, RunId, StoreId, UserId
from evosync.domain.policy import Choice, Policy


class StoreState(StrEnum):
    """How the last reading of a store went; `HELD`: the listing looked wrong and waits for a second one."""

    OK = "ok"
    UNPAID = "unpaid"
    HELD = "held"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class StoreReading:
    """What is known of one store's readings. Kept with the mirror, so that reading writes no store row.

    `full_at`, `delta_at`: start of the last complete listing and of the last delta.
    `held_digest`, `held_at`: the suspicious listing that waits for its twin. `retry_at`: when an
    unpaid or failing store is asked again, after so many `failures` since it was last listed whole.
    `missed`: products that a hint named and that could not be read; the next reading has them too.
    """

    state: StoreState = StoreState.OK
    code: str = ""
    full_at: datetime | None = None
    delta_at: datetime | None = None
    retry_at: datetime | None = None
    held_digest: str = ""
    held_at: datetime | None = None
    failures: int = 0
    missed: frozenset[ProductId] = frozenset()


class Reason(StrEnum):
    """Why a run is wanted. What the till tells of single stores and products has `mailbox.HINT` before it instead.

    `HOOK`: the till told of more than can be named; `REPLAY`: an admin took up what a till had told before;
    `MENDED`: what kept many owners from their cloud is over.
    """

    ROUTINE = "schedule"
    ASKED = "asked"
    START = "start"
    RESUMED = "resumed"
    RETRY = "retry"
    CHOICE = "choice"
    SETTINGS = "settings"
    CONNECTED = "connected"
    PREVIEW = "preview"
    HOOK = "hook"
    REPLAY = "replay"
    MENDED = "mended"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Pause:
    """VK stopped a method (or, with method "*", all writes) until `until`; `step` counts doublings."""

    until: datetime
    code: str
    step: int = 0


@dataclass(frozen=True, slots=True)
class Mirror:
    """All that a run starts from. `started_at`: the owner's first start; nothing is written to VK before."""

    user: UserId
    evotor: EvotorConnection | None
    vk: VkConnection | None
    choice: Choice
    policy: Policy
    started_at: datetime | None = None
    paused_at: datetime | None = None
    readings: Mapping[StoreId, StoreReading] = field(default_factory=dict)
    pauses: Mapping[str, Pause] = field(default_factory=dict)
    shop_read_at: datetime | None = None
    failures: int = 0
    interval: timedelta | None = None
    """Between full readings, where the owner chose one."""
    is_wanted: bool = False
    """Somebody asked for a run, or a worker died in one."""
    next_at: datetime | None = None
    began_at: datetime | None = None
    """When its last run did."""
    behind_since: datetime | None = None
    """Start of the first run that left it behind, if it is so still."""

    def is_changed(self, since: "Mirror") -> bool:
        """In more than whether and when its turn is."""
        return replace(self, is_wanted=since.is_wanted, next_at=since.next_at, began_at=since.began_at) != since

    def is_due(self, now: datetime) -> bool:
        return self.is_wanted or is_time(self.next_at, self.began_at, now)


AHEAD: Final = timedelta(minutes=1)
"""More than the clocks of two machines may differ by."""

FAR: Final = timedelta(minutes=10)
"""Times that lie so far ahead may have been noted before the clock was set back: who waits for them waits for hours."""


def is_time(next_at: datetime | None, began_at: datetime | None, now: datetime) -> bool:
    """Whether a turn has come by the clock alone, or was noted by a clock that has been set back since."""
    if next_at is None:
        return False
    was_set_back = began_at is not None and began_at > now + AHEAD
    return next_at <= now or (was_set_back and next_at > now + FAR)


@dataclass(frozen=True, slots=True)
class KnownProduct:
    """The stored face of a cached product: enough to see what changed without loading it.

    `status` is a digest of its stored status; `at_rest`: whether that is one of `AT_REST`.
    """

    digest: bytes
    status: bytes
    at_rest: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True)
class TillChanges:
    """What a reading changed; an untouched row is not in here. `gone` products keep their row, marked."""

    stores: tuple[Store, ...] = ()
    stores_gone: tuple[StoreId, ...] = ()
    groups: tuple[Group, ...] = ()
    groups_gone: tuple[tuple[StoreId, str], ...] = ()
    products: tuple[Product, ...] = ()
    products_gone: tuple[tuple[StoreId, ProductId], ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


class Scope(StrEnum):
    """How much of the till a run reads. Ordered: `FULL` takes in the others."""

    HINT = "hint"
    DELTA = "delta"
    FULL = "full"

    def with_(self, other: "Scope") -> "Scope":
        """The wider of the two."""
        return max(self, other, key=tuple(Scope).index)


class Step(StrEnum):
    """The three steps of the pipeline."""

    CATALOG = "refresh_catalog"
    SHOP = "refresh_vk"
    MIRROR = "mirror"


class Going(StrEnum):
    """Whether a run is to go on. `UNWANTED`: paused, disconnected, no longer active. `OVERTAKEN`: another has begun."""

    ON = "on"
    UNWANTED = "unwanted"
    OVERTAKEN = "overtaken"


class Outcome(StrEnum):
    """How a run ended. `PARTIAL`: some writes were refused. `CUT`: stopped half-way, goes on later.

    `READ_ONLY`: it read what it could and had no reason or right to write. `HELD`: a guard stopped it.
    """

    OK = "ok"
    PARTIAL = "partial"
    READ_ONLY = "read_only"
    CUT = "cut"
    HELD = "held"
    FAILED = "failed"


class Result(StrEnum):
    """What a run did to one product."""

    CREATED = "created"
    UPDATED = "updated"
    HIDDEN = "hidden"
    SHOWN = "shown"
    ADOPTED = "adopted"
    FAILED = "failed"


def is_behind(scope: Scope, outcome: Outcome, code: str, *, reads_again: bool) -> bool | None:
    """Whether after such a run VK lacks what is known: VK stopped a method, or its answer was lost. None: not told.

    `code`: with which VK stopped a method. `reads_again`: the next run has to read everything. A delta or a hint knows
    nothing of what an earlier run left undone; nor does a run that got nowhere, from which nothing was carried over.
    """
    if outcome is Outcome.PARTIAL and (code or reads_again):
        return True
    if scope is Scope.FULL and outcome in {Outcome.OK, Outcome.PARTIAL, Outcome.READ_ONLY}:
        return False
    return None


@dataclass(frozen=True, slots=True)
class ProductResult:
    """One line of a run's receipt. `fields`: name → (before, after) as text; `code` for support."""

    product: ProductId
    result: Result
    why: str = ""
    code: str = ""
    fields: Mapping[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. `total` is 0 while it is not known."""

    step: Step
    done: int = 0
    total: int = 0


@dataclass(slots=True)
class Tally:
    """The figures of a run, counted as it goes."""

    products: int = 0
    created: int = 0
    updated: int = 0
    hidden: int = 0
    shown: int = 0
    adopted: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    hand_edits: int = 0
    albums_made: int = 0
    photos: int = 0
    vk_requests: int = 0
    evotor_requests: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    """Skipped products by standing."""
    failures: dict[str, int] = field(default_factory=dict)
    """Failed products by code."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run, as it is kept and shown."""

    id: RunId
    user: UserId
    reasons: tuple[str, ...]
    scope: Scope
    started_at: datetime
    finished_at: datetime | None = None
    outcome: Outcome | None = None
    code: str = ""
    tally: Tally = field(default_factory=Tally)
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
