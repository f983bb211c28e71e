"""What the engine needs from the outside, as it would like to have it."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Protocol

from evosync.domain.action import AddItem, EditItem
from evosync.domain.catalog import Album, Community, Group, Item, Product, Store
from evosync.domain.connection import EvotorConnection, VkConnection
from evosync.domain.errors import Side
from evosync.domain.ids import AlbumId, CommunityId, ItemId, PhotoId, ProductId, RunId, StoreId, UserId
from evosync.domain.links import AlbumLink, Link
from evosync.domain.mirror import (
    Going,
    KnownProduct,
    Mirror,
    Outcome,
    Pause,
    ProductResult,
    Progress,
    RunRecord,
    Scope,
    StoreReading,
    Tally,
    TillChanges,
)
from evosync.domain.status import Standing, Status

Clock = Callable[[], datetime]
"""Aware UTC."""


class TillSide(Protocol):
    """One owner's Evotor account. Every listing arrives whole or raises.

    All methods raise `Rejected` (401, 403), `Unpaid` (402), `NotFound` (404), `Throttled` (429) or
    `Unavailable`; transient faults are retried inside, with back-off and jitter.
    """

    @property
    def requests(self) -> int:
        """How many HTTP requests were sent so far."""

    async def stores(self) -> tuple[Store, ...]: ...
    async def groups(self, store: StoreId) -> tuple[Group, ...]: ...
    async def products(self, store: StoreId) -> tuple[Product, ...]:
        """All pages, one entry per product id."""

    async def products_since(self, store: StoreId, since: datetime) -> tuple[Product, ...]:
        """What changed since; says nothing about what is gone (Evotor FACTS 1.2)."""

    async def product(self, store: StoreId, product: ProductId) -> Product | None:
        """One product; None if the store has none of that id."""


class Priority(IntEnum):
    """Who goes first where several calls wait for one token's next turn; lower is sooner."""

    TEST = 0
    HINT = 1
    PRICE = 2
    OPENING = 3
    """The first of a chain of answers that all else waits for: shares its request with its like only."""
    ALBUM = 4
    NEW = 5
    READ = 6


@dataclass(frozen=True, slots=True)
class Added:
    """A created item, and how VK gave it back in the same call, where it did."""

    item: ItemId
    seen: Item | None


@dataclass(frozen=True, slots=True)
class ShopReading:
    """A whole shop as VK listed it."""

    community: Community
    albums: tuple[Album, ...]
    items: Mapping[ItemId, Item]


class ShopSide(Protocol):
    """One community's shop through one user token.

    Concurrent calls are packed into `execute` batches and paced; each returns or raises for itself:
    `Rejected`, `Operators`, `Quota`, `Refused`, `NotFound`, `Full`, `Unavailable`; writes also `Unknown`.
    Error 6 and harmless faults are retried inside.
    """

    @property
    def requests(self) -> int:
        """How many HTTP requests to the API were sent so far; uploads to the picture host apart."""

    async def read(self, *, expected: int, on_page: Callable[[int], None]) -> ShopReading:
        """The community, all albums, all items. `expected` items help to size the first pages."""

    async def items(self, ids: Sequence[ItemId], *, priority: Priority = Priority.READ) -> Mapping[ItemId, Item]:
        """By id; what VK no longer has is absent from the answer."""

    async def newest(self) -> tuple[tuple[Album, ...], Mapping[ItemId, Item]]:
        """All albums, and the items that were made last, a page of them (VK FACTS 6: the newest come first)."""

    async def add_item(
        self, action: AddItem, photo: PhotoId, *, good_until: float, priority: Priority = Priority.NEW
    ) -> Added:
        """Does not leave after `good_until`, on the loop's clock: by then another run may have sent it again."""

    async def edit_item(self, action: EditItem, *, priority: Priority = Priority.PRICE) -> Item | None:
        """The item as read back in the same call, where it was."""

    async def hide_item(self, item: ItemId) -> None: ...
    async def add_album(self, title: str) -> AlbumId: ...
    async def rename_album(self, album: AlbumId, title: str) -> None: ...
    async def place(self, album: AlbumId, items: Sequence[ItemId]) -> None:
        """At most 50 items a call; items that stand in it already are no error."""

    async def unplace(self, item: ItemId, album: AlbumId) -> None: ...
    async def photos(self, picture: bytes, count: int) -> tuple[PhotoId, ...]:
        """Upload the same picture `count` times (1 to 5); each photo serves one item."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The item of `product` now stands in `album` (None: in none of ours)."""

    product: ProductId
    album: AlbumId | None


class Ledger(Protocol):
    """The database as a run sees it. Every method is one transaction; writes touch changed rows only."""

    async def mirror(self, user: UserId) -> Mirror | None:
        """None if the user is not active."""

    # what the till last said
    async def known_products(
        self, user: UserId, store: StoreId, *, ids: Collection[ProductId] | None = None
    ) -> Mapping[ProductId, KnownProduct]: ...
    async def stores(self, user: UserId) -> tuple[Store, ...]: ...
    async def groups(self, user: UserId) -> tuple[Group, ...]: ...
    async def products(
        self, user: UserId, *, stores: Collection[StoreId] | None = None, ids: Collection[ProductId] | None = None
    ) -> tuple[Product, ...]:
        """Cached products that are not gone, of these stores or of these ids (in all stores)."""

    async def save_till(
        self, user: UserId, changes: TillChanges, *, at: datetime, connected_at: datetime | None = None
    ) -> None:
        """And whose till it is, where it said so; of the connection made at `connected_at` alone, if that is given."""

    # what VK last said
    async def known_shop(
        self, user: UserId, community: CommunityId
    ) -> tuple[Mapping[AlbumId, bytes], Mapping[ItemId, bytes]]:
        """Digests of the cached albums and items."""

    async def cached_albums(self, user: UserId, community: CommunityId) -> tuple[Album, ...]: ...
    async def cached_items(self, user: UserId, community: CommunityId, *, titles: Collection[str]) -> tuple[Item, ...]:
        """Cached items whose folded title (`texts.fold`) is one of these."""

    async def save_shop(
        self,
        user: UserId,
        community: CommunityId,
        *,
        albums: Iterable[Album],
        albums_gone: Iterable[AlbumId],
        items: Iterable[Item],
        items_gone: Iterable[ItemId],
    ) -> None: ...

    # links
    async def links(
        self, user: UserId, community: CommunityId, *, ids: Collection[ProductId] | None = None
    ) -> Mapping[ProductId, Link]:
        """Without `written` and `read_back`; all, or those of these products."""

    async def link_details(
        self, user: UserId, community: CommunityId, ids: Collection[ProductId]
    ) -> Mapping[ProductId, Link]:
        """These links whole."""

    async def album_links(self, user: UserId, community: CommunityId) -> tuple[AlbumLink, ...]: ...
    async def intend(self, user: UserId, community: CommunityId, run: RunId, links: Sequence[Link]) -> bool:
        """Store intents before their creates are sent; a former link of the product is replaced.

        False, and nothing is stored, once another run has begun: that one makes what is missing.
        """

    async def save_links(self, user: UserId, community: CommunityId, links: Sequence[Link]) -> None:
        """Whole links (insert or update); also sets `vk_product_id` of the cached products."""

    async def keep_links(self, user: UserId, community: CommunityId, run: RunId, links: Sequence[Link]) -> bool:
        """`save_links` of what a plan says without a write to VK; as `intend`, not once another run has begun."""

    async def drop_links(self, user: UserId, community: CommunityId, run: RunId, products: Sequence[ProductId]) -> None:
        """Forget intents, and only these; none once another run has begun, for they may be that one's."""

    async def save_placed(self, user: UserId, community: CommunityId, placed: Sequence[Placed]) -> None: ...
    async def save_album_links(self, user: UserId, community: CommunityId, links: Sequence[AlbumLink]) -> None:
        """Insert or update by (store, group)."""

    async def drop_album_links(self, user: UserId, community: CommunityId, albums: Sequence[AlbumId]) -> None: ...
    async def adds_since(self, user: UserId, community: CommunityId, since: datetime) -> tuple[int, datetime | None]:
        """How many items the mirror created since, and when the first of them."""

    # results
    async def save_statuses(
        self,
        user: UserId,
        statuses: Mapping[ProductId, Status],
        *,
        run: RunId,
        at: datetime,
        instead_of: Collection[Standing] | None = None,
    ) -> None:
        """Of products that stand elsewhere than is stored; with `instead_of`, of those alone that stand there.

        Does nothing once the run is closed: a later one has its own word.
        """

    async def save_results(self, run: RunId, results: Sequence[ProductResult]) -> None: ...

    # the run's own record and the mirror's row
    async def start_run(
        self, user: UserId, *, scope: Scope, reasons: Sequence[str], at: datetime, loaded: Mirror | None = None
    ) -> RunId | None:
        """Also stamps the mirror's `started_at`, against which later wishes are compared.

        None while another run of the owner is alive, as one is whose lease was forgotten: what is wished for waits. And
        if the mirror is another than the run has `loaded`: the wish for what was changed since is not taken over.
        """

    async def progress(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> Going:
        """Note how far the run is, and learn whether it is to go on."""

    async def is_open(self, run: RunId) -> bool:
        """Whether no other run has begun, which it may once this one's heart has stood still for a while."""

    async def finish_run(
        self,
        run: RunId,
        *,
        outcome: Outcome,
        code: str,
        tally: Tally,
        notes: Mapping[str, tuple[str, ...]],
        readings: Mapping[StoreId, StoreReading],
        pauses: Mapping[str, Pause],
        shop_read_at: datetime | None,
        next_at: datetime | None,
        failures: int,
        at: datetime,
    ) -> RunRecord:
        """`next_at` None keeps the mirror asleep until somebody wants it. One transaction."""

    async def note_quiet_run(
        self,
        user: UserId,
        *,
        reasons: Sequence[str],
        outcome: Outcome,
        tally: Tally,
        readings: Mapping[StoreId, StoreReading],
        next_at: datetime | None,
        started_at: datetime,
        at: datetime,
    ) -> RunRecord:
        """A delta that found nothing to do, from start to end; what was wished for meanwhile stays wished for."""

    async def start_look(self, user: UserId, *, reasons: Sequence[str], at: datetime) -> RunId | None:
        """A run that only looks: when the next one is due stays as it is, and so does what is wished for.

        None as for `start_run`: what it reads would be news that the living run does not see.
        """

    async def finish_look(
        self,
        user: UserId,
        run: RunId,
        *,
        outcome: Outcome,
        code: str,
        tally: Tally,
        notes: Mapping[str, tuple[str, ...]],
        readings: Mapping[StoreId, StoreReading],
        at: datetime,
    ) -> RunRecord:
        """The next run reads everything, whenever it comes: this one saw what a delta would not show again."""

    async def take_hint(self, user: UserId) -> frozenset[str]:
        """The reasons of a waiting hint, which is no longer waited for; empty if there is none or a wider wish.

        For a run that does the hint on its way. Should the run die, all that it was to do is wished for again.
        """

    async def break_connection(
        self, user: UserId, side: Side, *, reason: str, at: datetime, connected_at: datetime | None = None
    ) -> bool:
        """Mark it broken; True if it was not before, so that the owner is told once.

        `connected_at`: only the connection made then; one that the owner made meanwhile stays as it is.
        """

    async def mend_connection(self, user: UserId, side: Side, *, wish_at: datetime | None = None) -> None:
        """It works again. `wish_at`: wish for a run too, where who finds it sets the owner no next turn."""

    async def mend_connections(self, side: Side, *, reason: str, since: datetime) -> int:
        """Undo `break_connection` for all owners since: it was the cloud, not their keys."""


class Lease(Protocol):
    """One run per user over all processes."""

    def hold(self, user: UserId) -> AbstractAsyncContextManager["Held | None"]:
        """Enters with None when another process has it; renews itself meanwhile."""


class Held(Protocol):
    """A lease that is being kept."""

    @property
    def lost(self) -> bool:
        """True once the lease could not be renewed in time: stop writing."""


MayWrite = Callable[[], Awaitable[bool]]
"""Asked right before a request with writes leaves. False, or any error: none does, and they raise `Overtaken`."""


class Sides(Protocol):
    """Clients for one owner's connections, sharing sessions and pacers with everybody else."""

    def till(self, connection: EvotorConnection) -> TillSide: ...
    def shop(
        self, connection: VkConnection, may_write: MayWrite | None = None
    ) -> AbstractAsyncContextManager[ShopSide]: ...


class Watcher(Protocol):
    """Somebody who looks on while a run goes: the terminal, the page's live events, the metrics."""

    def saw(self, user: UserId, run: RunId, progress: Progress, tally: Tally) -> None: ...
    def ended(self, record: RunRecord) -> None: ...


class Due(Protocol):
    """Who is to be mirrored now. The database is the truth; a nudge is only a hint."""

    async def due(self, now: datetime, limit: int) -> Sequence[UserId]: ...
    async def coming(self, now: datetime, until: datetime, limit: int) -> Sequence[tuple[UserId, datetime]]:
        """Whose turn comes until then, and when."""

    async def want(self, user: UserId, *, scope: Scope, reason: str, at: datetime) -> None:
        """Stamp the wish; the caller nudges after the commit."""
