"""What VK keeps: people with their tokens, communities with their shops, items, albums, photos."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from evosync.sandbox.ledger import Pace

SCOPE_BITS = {"photos": 4, "offline": 65_536, "groups": 262_144, "market": 134_217_728}
EDITOR = 2


@dataclass(slots=True)
class Token:
    """An access token: whose it is, what it may do, until when; ``label`` stands for it in the ledger."""

    text: str
    label: str
    person_id: int
    scopes: frozenset[str]
    expires_at: float | None = None
    revoked: bool = False
    kind: Literal["user", "community"] = "user"
    adds: int = 0
    pace: Pace = field(default_factory=Pace)

    @property
    def mask(self) -> int:
        """The scopes as VK's bit mask."""
        return sum(SCOPE_BITS[scope] for scope in self.scopes)


@dataclass(slots=True)
class Person:
    """A VK user."""

    id: int
    first_name: str
    last_name: str


@dataclass(slots=True)
class Photo:
    """An uploaded photo; it belongs to one item for ever (VK FACTS 3)."""

    id: int
    group_id: int
    person_id: int
    digest: str
    width: int
    height: int
    created: float
    item_id: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One successful write to an item, as it was asked for."""

    at: float
    method: str
    token: str
    params: dict[str, str]


@dataclass(slots=True)
class Item:
    """One item of a shop. Texts are as sent; what reading returns is the business of rendering."""

    id: int
    name: str
    description: str
    category_id: int
    kopecks: int
    created: float
    updated: float
    visible_from: float = 0.0
    old_kopecks: int = 0
    hidden: bool = False
    removed_at: float | None = None
    photo_ids: list[int] = field(default_factory=list)
    url: str = ""
    sku: str = ""
    stock: int | None = None
    size: tuple[int, int, int, int] | None = None
    """Width, height and length in mm, weight in g."""
    album_ids: dict[int, None] = field(default_factory=dict)
    history: list[Write] = field(default_factory=list)
    head: bytes | None = None
    """The item as JSON without its closing brace, albums and photos; None when it must be made anew."""

    def touched(self, at: float) -> None:
        """Note that something of it changed."""
        self.updated = at
        self.head = None


@dataclass(slots=True)
class Album:
    """One album; ``item_ids`` keeps the order in which items came."""

    id: int
    title: str
    created: float
    updated: float
    hidden: bool = False
    main: bool = False
    photo_id: int | None = None
    item_ids: dict[int, None] = field(default_factory=dict)


@dataclass(slots=True)
class Community:
    """A community and its shop."""

    id: int
    name: str
    levels: dict[int, int] = field(default_factory=dict)
    """Person id to administrator level: 1 moderator, 2 editor, 3 administrator."""
    currency: int = 643
    market_enabled: bool = True
    deactivated: str | None = None
    items: dict[int, Item] = field(default_factory=dict)
    albums: dict[int, Album] = field(default_factory=dict)
    version: int = 0
    """Grows with every change: a page that shows this number is up to date."""
    writes: Counter[str] = field(default_factory=Counter)
    """Successful writes by method."""
    next_item: int = 1
    next_album: int = 1
    live: int = 0
    """Items that are not deleted."""
    listings: dict[tuple[int, bool, bool], tuple[int, list[Item]]] = field(default_factory=dict)

    def changed(self) -> None:
        """Make every listing and page of it stale."""
        self.version += 1

    def edited_by(self, person_id: int) -> bool:
        """Whether the person may change the shop."""
        return self.levels.get(person_id, 0) >= EDITOR

    def living(self) -> Iterator[Item]:
        """Items that are not deleted, oldest first."""
        return (item for item in self.items.values() if item.removed_at is None)

    def by_sku(self, sku: str) -> list[Item]:
        """All items that carry this sku: VK does not keep it unique."""
        return [item for item in self.living() if item.sku == sku]

    def duplicates(self) -> dict[str, list[int]]:
        """Each sku that stands on more than one item, with the items' ids."""
        by_sku: dict[str, list[int]] = {}
        for item in self.living():
            if item.sku:
                by_sku.setdefault(item.sku, []).append(item.id)
        return {sku: ids for sku, ids in by_sku.items() if len(ids) > 1}

    def listed(self, *, album_id: int, with_disabled: bool, zero_is_out: bool, lag: float) -> list[Item]:
        """Items of a listing, new ones first (VK FACTS 6); made once per state of the shop."""
        key = (album_id, with_disabled, zero_is_out)
        kept = self.listings.get(key)
        if kept is not None and kept[0] == self.version and not lag:
            return kept[1]
        now = time.time()
        items = [
            item
            for item in reversed(self.items.values())
            if item.removed_at is None
            and (not album_id or album_id in item.album_ids)
            and (with_disabled or not availability(item, zero_is_out=zero_is_out))
            and (not lag or item.visible_from <= now)
        ]
        self.listings[key] = (self.version, items)
        return items

    def forget_listing(self) -> None:
        """Drop what :meth:`listed` kept."""
        self.listings.clear()


def availability(item: Item, *, zero_is_out: bool) -> int:
    """0 available, 1 removed, 2 unavailable."""
    if item.removed_at is not None:
        return 1
    if item.hidden or (zero_is_out and item.stock == 0):
        return 2
    return 0
