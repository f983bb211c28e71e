"""An owner's mirror as the database holds it, and the record of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

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

    def is_due(self, now: datetime) -> bool:
        return self.is_wanted or (self.next_at is not None and self.next_at <= now)


@dataclass(frozen=True, slots=True)
class KnownProduct:
    """The stored face of a cached product: enough to see what changed without loading it.

    `status` is a digest of its stored status.
    """

    digest: bytes
    status: bytes
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


class Step(StrEnum):
    """The three steps of the pipeline."""

    CATALOG = "refresh_catalog"
    SHOP = "refresh_vk"
    MIRROR = "mirror"


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
