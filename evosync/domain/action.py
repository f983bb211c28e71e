"""What a plan wants done: what will change in VK, nothing of how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from evosync.domain.catalog import Item
from evosync.domain.ids import AlbumId, GroupId, ItemId, ProductId, StoreId
from evosync.domain.links import Link
from evosync.domain.status import Status

AlbumKey = str
"""An album by its folded title: exists in VK already, or will once the plan's albums are made."""


class Why(StrEnum):
    """The reason of an action, for the run's record and the preview."""

    NEW = "new"
    CHANGED = "changed"
    BY_HAND = "by_hand"
    """The owner changed in VK a field that the mirror writes; it is set back to the till's state."""
    SHOWN_AGAIN = "shown_again"
    NOT_SELLABLE = "not_sellable"
    NO_PRICE = "no_price"
    GONE = "gone"
    SWITCHED_OFF = "switched_off"
    DOUBLE = "double"
    """A second item with the marker of the first: hidden (VK FACTS 8)."""


@dataclass(frozen=True, slots=True)
class AddAlbum:
    """Make the album `title` for `groups`."""

    key: AlbumKey
    title: str
    groups: tuple[tuple[StoreId, GroupId], ...]


@dataclass(frozen=True, slots=True)
class TieAlbum:
    """Remember that the existing album belongs to `groups`; nothing is written to VK. `seen`: its title in VK."""

    key: AlbumKey
    album: AlbumId
    title: str
    seen: str
    groups: tuple[tuple[StoreId, GroupId], ...]
    adopted: bool


@dataclass(frozen=True, slots=True)
class RenameAlbum:
    """The group was renamed, and the owner has not renamed the album himself."""

    key: AlbumKey
    album: AlbumId
    title: str
    groups: tuple[tuple[StoreId, GroupId], ...]


@dataclass(frozen=True, slots=True)
class AddItem:
    """Create the item of a product that was never pushed. `source` goes into its link."""

    product: ProductId
    marker: str
    name: str
    description: str
    kopecks: int
    stock: int
    category: int
    per_grams: int
    source: bytes
    album: AlbumKey | None = None


@dataclass(frozen=True, slots=True)
class EditItem:
    """Change an item that follows a product. A field that is None is not sent; `hidden` always is.

    `before` is the item as VK shows it now. `by_hand` names fields that the owner had changed in VK.
    `hide_by_us` is what the link shall remember about who hid the item.
    """

    product: ProductId
    item: ItemId
    why: Why
    hidden: bool
    source: bytes
    link: Link
    before: Item
    name: str | None = None
    description: str | None = None
    kopecks: int | None = None
    stock: int | None = None
    per_grams: int = 0
    by_hand: tuple[str, ...] = ()
    hide_by_us: bool = False

    @property
    def changes(self) -> tuple[str, ...]:
        """Names of the fields that will differ afterwards."""
        sent = {"name": self.name, "description": self.description, "price": self.kopecks, "stock": self.stock}
        return tuple(name for name, value in sent.items() if value is not None)


@dataclass(frozen=True, slots=True)
class HideDouble:
    """Hide an item that carries the marker of a product whose item is another one."""

    product: ProductId
    item: Item


@dataclass(frozen=True, slots=True)
class PlaceItems:
    """Put the items of `products` into the album; those without an item yet follow once they have one."""

    album: AlbumKey
    products: tuple[ProductId, ...]


@dataclass(frozen=True, slots=True)
class Unplace:
    """Take a moved product's item out of its old album, after it stands in the new one."""

    product: ProductId
    item: ItemId
    album: AlbumId


@dataclass(frozen=True, slots=True)
class KeepLink:
    """A change of memory only: an adoption, a refreshed read-back, an item the owner removed."""

    link: Link
    adopted: bool = False


Action = AddAlbum | TieAlbum | RenameAlbum | AddItem | EditItem | HideDouble | PlaceItems | Unplace | KeepLink


class Note(StrEnum):
    """What the plan foretells or found, for the owner as a whole."""

    SHOP_FULL = "shop_full"
    ALBUMS_FULL = "albums_full"
    ALBUM_FULL = "album_full"
    NEW_GROUPS = "new_groups"
    PRICES_DIFFER = "prices_differ"
    DOUBLES = "doubles"
    HAND_EDITS = "hand_edits"
    GUARD = "guard"
    """What a guard stopped the shop for, as a `guard.Finding`."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in the order in which they are to be done, and where each product stands before them.

    `statuses` has every product that the plan looked at; `after` is where a product will stand once
    its action is done. `unchanged` counts products that are in VK exactly as at the till.
    `albums` are the albums that exist, by key. `look_again` are products whose create may have been
    done unseen: nothing is sent for them until a later listing.
    """

    actions: tuple[Action, ...] = ()
    statuses: Mapping[ProductId, Status] = field(default_factory=dict)
    after: Mapping[ProductId, Status] = field(default_factory=dict)
    albums: Mapping[AlbumKey, AlbumId] = field(default_factory=dict)
    notes: Mapping[Note, tuple[str, ...]] = field(default_factory=dict)
    look_again: tuple[ProductId, ...] = ()
    unchanged: int = 0
